"""Sound file -> mono float32 waveform at a rate: whole, by excerpts, or sliding from start to end."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from earmark.decoding import AudioInfo
from earmark.errors import UserError
from earmark.files import replacing
from earmark.quiet import quiet, unbroken
from earmark.recording import REASONS, SILENCE, AudioError, Recording, open_recording, printable
from earmark.scan import Scan, scan

__all__ = [
    "REASONS", "RESAMPLERS", "AudioError", "AudioInfo", "Scan", "encode_mp3", "probe", "read", "read_spans",
    "resample", "scan", "slide", "write",
]  # fmt: skip

Waveform = NDArray[np.float32]

RESAMPLERS = ("soxr", "fourier")
"""soxr's high quality, the default; or scipy.signal.resample."""

_SHORTEST = 0.01  # seconds
_LOUDEST = 1e4
_CANCELLED = (
    "in the mix to mono, where its channels cancel each other although each is audible; "
    "keep one of them, e.g. `ffmpeg -i FILE -af 'pan=mono|c0=c0' new.wav`"
)
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


def probe(path: str | Path) -> AudioInfo:
    """What the header says; the frames are decoded and counted where it leaves out the length (some streams).

    Raises:
        AudioError: missing, folder, not_file, permission, empty, not_audio, no_frames or unreadable.
    """
    with open_recording(path) as recording:
        info = recording.info
        if info.frames >= 0:
            return info
        frames = recording.count()
        return AudioInfo(
            info.sample_rate, info.channels, frames, frames / info.sample_rate, info.format, exact=True
        )


def read(
    path: str | Path,
    sample_rate: int | None = None,
    start: float = 0.0,
    end: float | None = None,
    resampler: str = "soxr",
) -> Waveform:
    """Read a clip: native frames `round(start * rate)` to `round(end * rate)`, mixed down, then resampled.

    Args:
        path: the sound file; its content decides what it is, not its ending.
        sample_rate: in Hz; None keeps the file's own.
        start: in seconds from the beginning of the file.
        end: in seconds; None or nan is the end of the file, a later time too.
        resampler: one of `RESAMPLERS`.

    Returns:
        float32 `[T]`: mono, finite, not silent, at least 10 ms.

    Raises:
        AudioError: any of `REASONS`.
    """
    with open_recording(path) as recording:
        return _clip(recording, start, end, sample_rate, resampler)


def read_spans(
    path: str | Path,
    spans: Iterable[tuple[float, float | None]],
    sample_rate: int | None,
    resampler: str = "soxr",
) -> Iterator[tuple[float, float, Waveform | AudioError]]:
    """Read many clips of one file in one pass; each is what `read` returns, or the AudioError it raises.

    Args:
        path: the sound file.
        spans: (start, end) in seconds, starts ascending; they may overlap. Memory holds the longest one.
        sample_rate: in Hz; None keeps the file's own.
        resampler: one of `RESAMPLERS`.

    Yields:
        (start, end, clip) for each span; an open end is nan.

    Raises:
        AudioError: the file cannot be opened at all.
        ValueError: a start lies before the one above it.
    """
    with open_recording(path) as recording:
        for start, end in spans:
            closed = math.nan if end is None else end
            try:
                yield start, closed, _clip(recording, start, end, sample_rate, resampler)
            except AudioError as error:
                yield start, closed, error.with_traceback(None)  # which would keep the waveform in memory


def slide(
    path: str | Path,
    clip_seconds: float,
    hop_seconds: float,
    sample_rate: int | None,
    resampler: str = "soxr",
) -> Iterator[tuple[float, float, Waveform | AudioError]]:
    """Cut a file into clips from its start to its end, in bounded memory, whatever its header claims.

    A rest that is shorter than half a clip becomes a whole clip that ends where the file ends (one of up to 1 ms
    is left out); a file that is shorter than a clip gives one short clip. Where the decoder loses its way, what
    came before stands.

    Args:
        path: the sound file.
        clip_seconds: length of a clip.
        hop_seconds: step from the start of a clip to that of the next one.
        sample_rate: in Hz; None keeps the file's own.
        resampler: one of `RESAMPLERS`.

    Yields:
        (start, end, clip): the clip is an AudioError where it cannot be used (silent, for one). After a break
        there is one more, (break, nan, AudioError "truncated").

    Raises:
        AudioError: the file cannot be opened at all, or gives no sound.
    """
    if not (clip_seconds >= _SHORTEST and hop_seconds > 0):
        found = f"clip_seconds = {clip_seconds} and hop_seconds = {hop_seconds}"
        raise ValueError(f"a clip must have {_SHORTEST} s or more and the hop must be above 0, not {found}")
    with open_recording(path) as recording:
        for start, end, mono in _slices(recording, clip_seconds, hop_seconds):
            try:
                first = round(start * recording.info.sample_rate)
                yield start, end, _finished(recording, first, mono, sample_rate, resampler)
            except AudioError as error:
                yield start, end, error.with_traceback(None)
        try:
            recording.check_end()
        except AudioError as error:
            if not recording.reached:
                raise
            yield recording.reached / recording.info.sample_rate, math.nan, error.with_traceback(None)


def resample(waveform: Waveform, from_rate: int, to_rate: int, resampler: str = "soxr") -> Waveform:
    """Resample float32 `[T]` to `[round(T * to_rate / from_rate)]`.

    Args:
        waveform: mono.
        from_rate: in Hz.
        to_rate: in Hz.
        resampler: "soxr" (its HQ) or "fourier" (scipy.signal.resample, which takes the clip for a period).
    """
    if resampler not in RESAMPLERS:
        raise ValueError(f"resampler {resampler!r} is unknown; there are {', '.join(RESAMPLERS)}")
    if from_rate == to_rate:
        return waveform
    if resampler == "soxr":
        resampled: Waveform = soxr.resample(waveform, from_rate, to_rate, quality="HQ")
        return resampled
    from scipy import signal

    return np.asarray(signal.resample(waveform, int(len(waveform) * to_rate / from_rate + 0.5)), np.float32)


def write(path: str | Path, waveform: Waveform, sample_rate: int, float32: bool = False) -> None:
    """Write float32 `[T]` with 16 bits, as WAV or FLAC by the ending; beyond -1 to 1 it is clipped.

    The file appears whole or not at all.

    Args:
        path: the file to write.
        waveform: mono.
        sample_rate: in Hz.
        float32: keep every sample as it is instead; WAV only.

    Raises:
        UserError: another ending, or the file cannot be written.
    """
    path = Path(path)
    form = path.suffix[1:].upper()
    forms = ("WAV",) if float32 else ("WAV", "FLAC")
    if form not in forms:
        endings = " or ".join(f".{form.lower()}" for form in forms)
        raise UserError(
            printable(path), f"cannot write {path.suffix!r}", f"Choose a name that ends in {endings}."
        )
    with replacing(path, "wb") as file:
        file.write(_encoded(waveform, sample_rate, form, "FLOAT" if float32 else "PCM_16"))


def encode_mp3(waveform: Waveform, sample_rate: int) -> bytes:
    """Float32 `[T]` as an MP3 file, for players in pages; a rate that MP3 lacks becomes the next above."""
    rate = next((rate for rate in _MP3_RATES if rate >= sample_rate), _MP3_RATES[-1])
    return _encoded(resample(waveform, sample_rate, rate), rate, "MP3", "MPEG_LAYER_III")


def _encoded(waveform: Waveform, sample_rate: int, form: str, subtype: str) -> bytes:
    buffer = io.BytesIO()
    with quiet, unbroken():
        soundfile.write(buffer, waveform, sample_rate, format=form, subtype=subtype)
    return buffer.getvalue()


def _clip(
    recording: Recording, start: float, end: float | None, sample_rate: int | None, resampler: str
) -> Waveform:
    """The clip that `read` promises."""
    rate = recording.info.sample_rate
    if not start >= 0 or (end is not None and end <= start):
        raise ValueError(f"an excerpt must lie after 0 s and end after its start, not {start} to {end} s")
    first = round(start * rate)
    last = None if end is None or math.isnan(end) else round(min(end, 2**40) * rate)
    mono = recording.frames(first, last)
    if last is None or len(mono) < last - first:
        recording.check_end()
        if not len(mono):
            length = f"it starts at {start:.2f} s, the file has {recording.reached / rate:.2f} s"
            raise AudioError(recording.path, "outside", length)
    return _finished(recording, first, mono, sample_rate, resampler)


def _slices(
    recording: Recording, clip_seconds: float, hop_seconds: float
) -> Iterator[tuple[float, float, Waveform]]:
    """Native frames of every clip of `slide`: (start, end, float32 `[T]`)."""
    rate, whole, covered = recording.info.sample_rate, round(clip_seconds * recording.info.sample_rate) + 1, 0
    for i in itertools.count():
        start, end = i * hop_seconds, i * hop_seconds + clip_seconds
        first, last = round(start * rate), round(end * rate)
        kept = max(0, first - whole)  # the rest may want a whole clip that ends at the end
        mono = recording.frames(kept, last)[first - kept :]
        if len(mono) < last - first:
            break
        yield start, end, mono
        covered = last
    length = recording.reached
    if len(mono) == 0 or length <= covered + (rate // 1000 if covered else 0):
        return  # a rest of 1 ms would give a clip that tables take for the one before it
    if covered and 2 * len(mono) < last - first:
        start = length / rate - clip_seconds
        first = round(start * rate)
    yield start, length / rate, recording.frames(kept, None)[first - kept :]


def _finished(
    recording: Recording, first: int, mono: Waveform, sample_rate: int | None, resampler: str
) -> Waveform:
    """Check native frames, which begin at `first`, and resample them."""
    rate = recording.info.sample_rate
    _check_samples(recording, first, mono)
    finished = resample(mono, rate, sample_rate or rate, resampler)
    return finished.copy() if finished is mono else finished  # clips that overlap must not share memory


def _check_samples(recording: Recording, first: int, mono: Waveform) -> None:
    """Raise the AudioError that the samples of a clip deserve."""
    path, rate = recording.path, recording.info.sample_rate
    if len(mono) < max(1, _SHORTEST * rate):
        raise AudioError(path, "too_short", f"{len(mono)} samples at {rate} Hz")
    low, high = float(mono.min()), float(mono.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise AudioError(path, "not_finite", f"{np.count_nonzero(~np.isfinite(mono))} of {len(mono)}")
    peak = max(abs(low), abs(high))
    if peak > _LOUDEST:
        raise AudioError(path, "out_of_range", f"up to {peak:.3g}")
    if peak <= SILENCE and recording.cancels(first, first + len(mono)):
        raise AudioError(path, "silent", _CANCELLED)
    if peak <= SILENCE:
        raise AudioError(path, "silent", f"no sample above {peak:.1g} in {len(mono) / rate:.2f} s")
