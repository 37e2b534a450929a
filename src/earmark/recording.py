"""One sound file, opened by its content: mono native frames of any stretch of it, or the reason why not."""

from __future__ import annotations

import errno
import os
import stat
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from earmark.decoding import AudioInfo, Decoder, DecoderError, FFmpegDecoder, Frames, SndfileDecoder
from earmark.errors import UserError
from earmark.scan import HEAD_BYTES, describe_bytes, is_audio

REASONS = {
    "missing": "there is no such file",
    "folder": "this is a folder, a sound file was wanted",
    "not_file": "this is a pipe, a socket or a device, a sound file was wanted",
    "permission": "this file must not be read",
    "empty": "the file is empty, 0 bytes",
    "not_audio": "this is not a sound file",
    "no_frames": "the file has a header but no sound in it",
    "unreadable": "the sound cannot be decoded",
    "truncated": "the sound breaks off before its end",
    "too_short": "shorter than 10 ms",
    "not_finite": "holds samples that are not numbers, NaN or infinite",
    "out_of_range": "holds samples far outside -1 to 1",
    "silent": "nothing but digital silence",
    "outside": "the excerpt lies beyond the end of the file",
}
"""Reason code -> words, for messages and reports."""

_REMEDIES = {
    "missing": "Check the path; if it is a link, where it leads.",
    "folder": "Name a file in it.",
    "not_file": "Save the sound to a file first.",
    "permission": "Give yourself the right to read it, e.g. `chmod u+r FILE`.",
    "empty": "Copy or download it again.",
    "not_audio": "Remove it, or replace it with the recording.",
    "no_frames": "Record or download it again.",
    "unreadable": "Copy it again, or convert it, e.g. `ffmpeg -i FILE new.wav`.",
    "truncated": "Copy it again, or keep the part that can be read, e.g. `ffmpeg -i FILE new.wav`.",
    "too_short": "Leave it out, or choose a longer excerpt.",
    "not_finite": "Export it again from the program that made it.",
    "out_of_range": "Scale it to -1 to 1; integers stored as floating point look like this.",
    "silent": "Leave it out; if one stereo channel is the other upside down, keep only one of them.",
    "outside": "Check start and end, which are in seconds.",
}
SILENCE = 2**-16
"""Half a step of 16 bits: what rounding leaves of channels in antiphase."""

_WHY_NOT_OPEN = dict.fromkeys((errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG), "missing")
_LOWEST_RATE, _HIGHEST_RATE = 100, 1_000_000
_BLOCK = 1 << 22  # samples of all channels together that are decoded at once


class AudioError(UserError):
    """A sound file, or an excerpt of one, that cannot be used.

    Args:
        path: the file.
        reason: a key of `REASONS`.
        detail: what was found, in the decoder's own words where it had any.
    """

    def __init__(self, path: str | Path, reason: str, detail: str = "") -> None:
        self.path, self.reason, self.detail = Path(path), reason, detail
        problem = f"{REASONS[reason]} ({detail})" if detail else REASONS[reason]
        super().__init__(printable(path), problem, _REMEDIES[reason])

    def __reduce__(self) -> tuple[type[AudioError], tuple[object, ...]]:
        """Travel between processes as what it was made of."""
        return type(self), (self.path, self.reason, self.detail)


class Recording:
    """An open sound file, mixed down to mono; it keeps one stretch in memory, which only moves forward."""

    def __init__(self, path: str | Path, decoder: Decoder) -> None:
        self.path = path
        self.info: AudioInfo = decoder.info
        self._decoder = decoder
        self._held = np.zeros(0, np.float32)
        self._ended = False
        self._broken = ""
        self._cancelled: list[int] = []  # where 10 ms begin that only the mix is silent in

    @property
    def reached(self) -> int:
        """The first frame that was not decoded yet; after the end was met, the true length."""
        return self._decoder.position

    def frames(self, first: int, last: int | None) -> NDArray[np.float32]:
        """Frames `first` to `last` (None: the end), float32 `[<= last - first]`, fewer where the sound ends.

        Raises:
            ValueError: `first` lies before that of an earlier call.
        """
        self._forget(first)
        pieces = [self._held]
        while (last is None or self.reached < last) and not self._ended:
            pieces.append(self._next_block(None if last is None else last - self.reached))
        filled = [piece for piece in pieces if len(piece)] or pieces[:1]
        self._held = filled[0] if len(filled) == 1 else np.concatenate(filled)
        return self._held if last is None else self._held[: max(0, last - first)]

    def cancels(self, first: int, last: int) -> bool:
        """Whether the channels cancel each other, though audible, somewhere in frames `first` to `last`."""
        i = bisect_left(self._cancelled, first)
        return i < len(self._cancelled) and self._cancelled[i] < last

    def count(self) -> int:
        """Decode what is left, keep nothing, and return the true length in frames."""
        while not self._ended:
            self._forget(self.reached + _BLOCK)
        return self.reached

    def check_end(self) -> None:
        """Raise the AudioError that the end of the sound deserves: no_frames, unreadable or truncated."""
        rate = self.info.sample_rate
        if self._broken and not self.reached:
            raise AudioError(self.path, "unreadable", self._broken)
        if self._broken:
            raise AudioError(self.path, "truncated", f"at {self.reached / rate:.2f} s: {self._broken}")
        if not self.reached:
            raise AudioError(self.path, "no_frames", f"its header claims {self.info.duration:.2f} s")
        if self.reached < self.info.least_frames:
            found = f"{self.reached / rate:.2f} s of the {self.info.duration:.2f} s that its header claims"
            raise AudioError(self.path, "truncated", found)

    def _forget(self, first: int) -> None:
        """Drop what lies before `first`, and go there if it was not decoded yet."""
        start = self.reached - len(self._held)
        if first < start:
            raise ValueError(f"excerpts must ascend: frame {first} comes after one that starts at {start}")
        self._held = self._held[first - start :]
        del self._cancelled[: bisect_left(self._cancelled, first)]
        if first > self.reached and not self._ended:
            self._decoder.jump(first)
            while self.reached < first and not self._ended:
                self._next_block(first - self.reached)

    def _next_block(self, at_most: int | None) -> NDArray[np.float32]:
        n = max(1, _BLOCK // max(1, self.info.channels))
        try:
            block = self._decoder.read(n if at_most is None else min(n, at_most))
        except DecoderError as error:
            self._ended, self._broken = True, str(error) or "the decoder does not say why"
            return np.zeros(0, np.float32)
        self._ended = len(block) == 0
        mono, start = _mono(block), self.reached - len(block)
        if self.info.channels > 1:
            self._cancelled += (
                start + _cancelled(block, mono, max(1, self.info.sample_rate // 100))
            ).tolist()
        return mono


def _mono(frames: Frames) -> NDArray[np.float32]:
    """The mean of the channels, `[n, channels]` -> `[n]`, the same to the last bit wherever it is cut.

    By columns: `mean(axis=1)` takes ten times as long, a matrix product wakes threads that wait.
    """
    channels = frames.shape[1]
    if channels == 1:
        return frames[:, 0]
    with np.errstate(invalid="ignore", over="ignore"):
        total = frames[:, 0] + frames[:, 1]
        for i in range(2, channels):
            total += frames[:, i]
        total *= np.float32(1 / channels)
        return total


def _cancelled(frames: Frames, mono: NDArray[np.float32], step: int) -> NDArray[np.intp]:
    """Starts of the stretches of `step` frames in which the mix is silent and a channel is not."""
    n = len(mono) // step
    spots = np.flatnonzero(np.abs(mono[: n * step : step]) <= SILENCE)  # few, in most sounds
    mixed = np.abs(mono[: n * step].reshape(n, step)[spots]).max(axis=1, initial=0)
    apart = np.abs(frames[: n * step].reshape(n, step * frames.shape[1])[spots]).max(axis=1, initial=0)
    starts: NDArray[np.intp] = spots[(mixed <= SILENCE) & (apart > SILENCE)] * step
    return starts


@contextmanager
def open_recording(path: str | Path) -> Iterator[Recording]:
    """Open a sound file by its content; the name and its ending play no part.

    Raises:
        AudioError: missing, folder, not_file, permission, empty, not_audio, no_frames or unreadable.
    """
    with _regular_file(path) as file:
        decoder = _choose_decoder(path, file)
        try:
            yield Recording(path, decoder)
        finally:
            decoder.close()


def printable(path: str | Path) -> str:
    """A path for a message: line breaks and the like, and bytes that are not UTF-8, are escaped."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@contextmanager
def _regular_file(path: str | Path) -> Iterator[BinaryIO]:
    """Open `path` for reading, if it is a file in the narrow sense: a pipe would have us wait for ever."""
    try:
        _check_kind(path, os.stat(path).st_mode)
        flags = (
            os.O_RDONLY
            | getattr(os, "O_BINARY", 0)
            | getattr(os, "O_NONBLOCK", 0)
            | getattr(os, "O_CLOEXEC", 0)
        )
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        code = getattr(error, "errno", None) or errno.ENOENT
        reason = "permission" if isinstance(error, PermissionError) else _WHY_NOT_OPEN.get(code, "unreadable")
        raise AudioError(path, reason, getattr(error, "strerror", None) or str(error)) from error
    with os.fdopen(descriptor, "rb", buffering=0) as file:  # decoders move the descriptor behind our back
        _check_kind(path, os.fstat(descriptor).st_mode)
        yield file


def _check_kind(path: str | Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise AudioError(path, "folder")
    if not stat.S_ISREG(mode):
        raise AudioError(path, "not_file")


def _choose_decoder(path: str | Path, file: BinaryIO) -> Decoder:
    """The first decoder that gets sound out of `file`."""
    head = _first_bytes(path, file)
    words, opened = [], False
    for kind in (SndfileDecoder, FFmpegDecoder):
        try:
            file.seek(0)
            decoder: Decoder = kind(file)
        except DecoderError as error:
            words.append(f"{kind.name}: {error}")
            continue
        if decoder.info.frames:
            return _with_sane_rate(path, decoder)
        decoder.close()
        opened = True
        words.append(f"{kind.name}: a {decoder.info.format} stream without frames")
    if opened:
        raise AudioError(path, "no_frames", "; ".join(words))
    if is_audio(head):
        raise AudioError(path, "unreadable", "; ".join(words))
    raise AudioError(path, "not_audio", f"found {describe_bytes(head)}; {'; '.join(words)}")


def _first_bytes(path: str | Path, file: BinaryIO) -> bytes:
    try:
        head = file.read(HEAD_BYTES)
    except OSError as error:
        raise AudioError(path, "unreadable", error.strerror or str(error)) from error
    if not head:
        raise AudioError(path, "empty")
    return head


def _with_sane_rate(path: str | Path, decoder: Decoder) -> Decoder:
    rate = decoder.info.sample_rate
    if _LOWEST_RATE <= rate <= _HIGHEST_RATE:
        return decoder
    decoder.close()
    found = f"its header says {rate} Hz, {_LOWEST_RATE} to {_HIGHEST_RATE} Hz were wanted"
    raise AudioError(path, "unreadable", found)
