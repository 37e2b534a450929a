"""An open sound file as native frames in order, by libsndfile or by FFmpeg."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TypeVar

import numpy as np
import soundfile
from numpy.typing import NDArray

from earmark.quiet import quiet, unbroken

if TYPE_CHECKING:
    import av

T = TypeVar("T")
Frames = NDArray[np.float32]

_BY_DESCRIPTOR = (
    os.name != "nt"
)  # on Windows descriptors belong to the C library, and each has one of its own
_UNKNOWN = 2**62  # libsndfile says about this much where it does not know the length
_JUMP_SECONDS = 120  # a shorter gap is decoded: what AAC and Opus make up depends a little on all before it
_PREROLL_SECONDS = 1  # decoded and thrown away after a seek, until overlaps and bit reservoirs are full
_LONGEST_OGG_PAGE = (
    255 * 2048
)  # in frames; libsndfile (1.2.2) misses its place when it seeks into the last page
_FORMATS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,dts,eac3,flac,flv,loas,matroska,mov,mp3,mpc,mpc8,mpeg,mpegts,ogg,rm,tak,"
    "tta,w64,wav,webm,wv"
)  # what FFmpeg may open: no playlists, which name other files and addresses, and no text or pictures
_CHUNKS = dict.fromkeys((b"RIFFWAVE", b"RF64WAVE"), "<") | dict.fromkeys(
    (b"RIFXWAVE", b"FORMAIFF", b"FORMAIFC"), ">"
)  # byte order of the lengths in them
_MOST_CHUNKS = 1000
_WAVS = ("WAV", "WAVEX", "RF64", "W64")
_INT16_STEP = np.float32(2.0**-15)
_STREAMED = (0x7F000000, 2**31, 2**32, 2**63, 2**64)  # lengths of about this much: whoever wrote it knew none


@dataclass(frozen=True)
class AudioInfo:
    """What a sound file says of itself."""

    sample_rate: int
    """Native rate in Hz."""
    channels: int
    """Number of channels."""
    frames: int
    """Length in samples of one channel; -1 where the file does not say."""
    duration: float
    """Length in seconds; nan where the file does not say."""
    format: str
    """Format or codec, such as "WAV", "MP3" or "AAC"."""
    exact: bool
    """Whether the length is known, not estimated."""

    @property
    def least_frames(self) -> int:
        """The length below which the sound was cut off: the known one less 50 ms, 0 for an estimate."""
        return max(0, self.frames - self.sample_rate // 20) if self.exact else 0


class DecoderError(Exception):
    """The decoder's own words when it refuses a file or loses its way in one."""


class Decoder(Protocol):
    """An open sound file: frames in order, forward only."""

    info: AudioInfo
    position: int

    def read(self, n: int) -> Frames:
        """The next frames, float32 `[<= n, channels]`, none at the end; DecoderError at a break."""

    def jump(self, frame: int) -> None:
        """Go forward towards `frame` if that is quicker than reading; `position` says where this led."""

    def close(self) -> None:
        """Let go of the file; whoever opened it closes it."""


class SndfileDecoder:
    """libsndfile: WAV, FLAC, Ogg, MP3, AIFF, AU, CAF and more."""

    name = "libsndfile"

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._broken: DecoderError | None = None
        self.position = 0
        claim = _claim(file)
        self._sound = sound = self._open()
        frames = sound.frames if 0 <= sound.frames < _UNKNOWN else -1
        # Of 16 bits in WAV libsndfile makes float32 half as quick as numpy does.
        self._as_integers = sound.subtype == "PCM_16" and sound.format in _WAVS
        exact = frames >= 0 and not sound.subtype.startswith("MPEG")
        if exact:
            frames = round(frames * claim)
        duration = frames / sound.samplerate if frames >= 0 else float("nan")
        self.info = AudioInfo(sound.samplerate, sound.channels, frames, duration, sound.format, exact)

    def read(self, n: int) -> Frames:
        """The next frames; those before a break come first, the error at the next call."""
        if self._broken:
            raise self._broken
        if self.info.frames >= 0:  # no memory for more than the header claims, and a little to see the end
            n = min(n, max(self.info.frames - self.position, 1024))
        try:
            frames = self._read(n)
        except DecoderError as error:
            self._broken = error
            frames = self._salvage()
            if not len(frames):
                raise
        self.position += len(frames)
        return frames

    def jump(self, frame: int) -> None:
        """Seek to `frame`, or to before it where libsndfile's landing needs a run-up to be exact."""
        rate, codec = self.info.sample_rate, self._sound.subtype
        if codec == "OPUS" and frame - self.position < _JUMP_SECONDS * rate:
            return
        if codec == "OPUS" or codec.startswith("MPEG"):
            frame -= _PREROLL_SECONDS * rate
        elif codec == "VORBIS":
            frame = min(frame, self.info.frames - _LONGEST_OGG_PAGE)
        if frame <= self.position or not soundfile.SoundFile.seekable(self._sound):
            return
        try:
            _call(lambda: self._sound.seek(frame))
            self.position = frame
        except soundfile.LibsndfileError:
            self._reopen()

    def close(self) -> None:
        """Let go of the file; whoever opened it closes it."""
        self._sound.close()

    def _open(self) -> _Straight:
        source = self._file.fileno() if _BY_DESCRIPTOR else self._file  # no name: no ending to be led by
        try:
            return _call(lambda: _Straight(source, closefd=False))
        except soundfile.LibsndfileError as error:
            raise DecoderError(_own_words(error)) from error

    def _reopen(self) -> None:
        self._sound.close()
        self._file.seek(0)
        self._sound = self._open()
        self.position = 0

    def _read(self, n: int) -> Frames:
        dtype = "int16" if self._as_integers else "float32"
        try:
            read = _call(lambda: self._sound.read(n, dtype=dtype, always_2d=True))
        except soundfile.LibsndfileError as error:
            raise DecoderError(_own_words(error)) from error
        frames: Frames = np.multiply(read, _INT16_STEP, dtype=np.float32) if self._as_integers else read
        return frames

    def _salvage(self) -> Frames:
        """The frames from `position` to the break: libsndfile drops the whole block that a break is in."""
        goal, pieces = self.position, [np.zeros((0, self.info.channels), np.float32)]
        try:
            self._reopen()
            if goal:
                self.jump(goal)
            while self.position < goal:
                self.position += len(self._read(min(65536, goal - self.position))) or goal
            while len(piece := self._read(256)):
                pieces.append(piece)
        except DecoderError:
            pass
        self.position = goal
        return np.concatenate(pieces)


class _Straight(soundfile.SoundFile):  # type: ignore[misc]
    """Reads straight on; soundfile seeks after every block, which takes time and fails at a damaged end.

    It is closed once: soundfile notes that only after libsndfile has closed; Ctrl-C in between closes twice, an abort.
    """

    _file: object

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            soundfile._snd.sf_close(file)


class FFmpegDecoder:
    """FFmpeg, by PyAV: m4a, aac, wma, webm, speex and whatever else libsndfile refuses.

    PyAV forgets a Ctrl-C that comes while it notes where an error arose, and the end of a file is one; so it is held.
    """

    name = "FFmpeg"
    info: AudioInfo
    position: int
    _container: av.container.InputContainer
    _stream: av.AudioStream
    _frames: Iterator[av.AudioFrame]
    _ahead: av.AudioFrame | None
    _rest: Frames
    _broken: DecoderError | None

    @unbroken()
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._open()
        self.info = self._describe()
        # Only MP4's clock counts samples; others (1 ms in webm and wma, a guess in aac) cannot tell where.
        ahead = self._ahead
        self._seekable = bool(
            self.info.exact and ahead and ahead.time_base and ahead.time_base * ahead.rate == 1
        )
        self._origin = ahead.pts if ahead and ahead.pts else 0

    @unbroken()
    def read(self, n: int) -> Frames:
        """The next frames; those before a break come first, the error at the next call."""
        pieces, wanted = [self._rest[:n]], n - len(self._rest)
        self._rest = self._rest[n:]
        while wanted > 0 and self._ahead is not None:
            piece = _samples(self._ahead)
            pieces.append(piece[:wanted])
            self._rest = piece[max(wanted, 0) :]
            wanted -= len(piece)
            self._ahead = self._next_frame()
        frames = np.concatenate(pieces)
        if self._broken and not len(frames):
            raise self._broken
        self.position += len(frames)
        return frames

    @unbroken()
    def jump(self, frame: int) -> None:
        """Seek to a little before `frame`, where the file's clock counts samples and the way is long."""
        rate = self.info.sample_rate
        if not self._seekable or frame - self.position < _JUMP_SECONDS * rate:
            return
        import av

        try:
            goal = self._origin + frame - _PREROLL_SECONDS * rate
            with quiet:
                self._container.seek(goal, stream=self._stream)
            self._start()
            if self._ahead is not None and self._ahead.pts is not None:
                self.position = self._ahead.pts - self._origin
                if 0 < self.position <= frame - rate // 2:
                    return
        except av.FFmpegError:
            pass
        self._container.close()
        self._file.seek(0)
        self._open()

    def close(self) -> None:
        """Let go of the file; whoever opened it closes it."""
        self._container.close()

    def _open(self) -> None:
        import av

        self.position = 0
        try:
            self._source = _Source(self._file)
            source = "fd:" if _BY_DESCRIPTOR else self._source
            options = {"format_whitelist": _FORMATS}
            if _BY_DESCRIPTOR:
                options["fd"] = str(self._file.fileno())
            with quiet:
                self._container = av.open(source, mode="r", options=options, metadata_errors="replace")
        except (av.FFmpegError, OSError) as error:
            raise DecoderError(_own_words(error)) from error
        streams = [stream for stream in self._container.streams.audio if stream.codec_context is not None]
        if not streams:
            self._container.close()
            raise DecoderError("no sound stream with a known codec in it")
        self._stream = streams[0]
        self._stream.codec_context.thread_count = 1
        self._start()
        if self._ahead is None and self._broken:
            self._container.close()
            raise self._broken

    def _start(self) -> None:
        """Decode the first frame from where the container stands."""
        self._broken = None
        self._frames = self._decode()
        self._ahead = self._next_frame()
        self._rest = _samples(self._ahead)[:0] if self._ahead else np.zeros((0, 1), np.float32)

    def _describe(self) -> AudioInfo:
        """What the header says; the true rate and channels are known from the first frame alone (HE-AAC)."""
        stream, container, codec = self._stream, self._container, self._stream.codec_context.name.upper()
        if self._ahead is None:
            return AudioInfo(0, 0, 0, 0.0, codec, True)
        seconds = float("nan")
        if stream.duration is not None and stream.time_base is not None:
            seconds = float(stream.duration * stream.time_base)
        elif container.duration is not None:
            seconds = container.duration / 1e6
        rate, exact = self._ahead.sample_rate, "mp4" in container.format.name and stream.duration is not None
        frames = -1 if np.isnan(seconds) else max(1, round(seconds * rate))
        return AudioInfo(rate, self._ahead.layout.nb_channels, frames, seconds, codec, exact)

    def _next_frame(self) -> av.AudioFrame | None:
        with quiet:
            return next(self._frames, None)

    def _decode(self) -> Iterator[av.AudioFrame]:
        """Frames until the end or a break, noted in `_broken`; damage before the first is passed over."""
        import av

        shape = None
        packets = self._container.demux(self._stream)
        while True:
            try:
                for frame in next(packets).decode():
                    shape = shape or (frame.sample_rate, frame.layout.nb_channels)
                    self._broken = None
                    if shape != (frame.sample_rate, frame.layout.nb_channels):
                        raise ValueError("the rate or the number of channels changes on the way")
                    yield frame
            except StopIteration:
                if failure := self._source.failure or self._source.refusal():
                    self._broken = DecoderError(_own_words(failure))
                return
            except (av.FFmpegError, OSError, ValueError) as error:
                self._broken = DecoderError(_own_words(error))
                if shape:
                    return


class _Source:
    """A file as PyAV may see it: no name, no exceptions; PyAV prints those that FFmpeg gives it no chance to raise.

    Where FFmpeg reads by descriptor it calls nothing here, and `refusal` tells whether it stopped at an error.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.tell = file.tell
        self.failure: OSError | None = None

    def read(self, n: int) -> bytes:
        try:
            return self._file.read(n)
        except OSError as error:
            self.failure = error
            return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError, OverflowError):  # a damaged file sends FFmpeg to before the beginning
            return -1

    def refusal(self) -> OSError | None:
        """Why nothing can be read from where FFmpeg stopped, unless that is the end."""
        if not _BY_DESCRIPTOR:
            return None
        try:
            os.pread(self._file.fileno(), 1, self._file.tell())
        except OSError as error:
            return error
        return None


def _call(decode: Callable[[], T]) -> T:
    """Call libsndfile in silence; Ctrl-C is not lost in its callbacks where it cannot read by descriptor."""
    with quiet, nullcontext() if _BY_DESCRIPTOR else unbroken():
        return decode()


def _claim(file: BinaryIO) -> float:
    """How many times the sound that it holds a WAV or AIFF file claims to hold, 1 or more.

    libsndfile takes a file that broke off for a shorter one, and notes it in a log that overflows.
    """
    try:
        length = file.seek(0, os.SEEK_END)
        begin, size = _sound_chunk(file)
        file.seek(0)
    except OSError as error:
        raise DecoderError(_own_words(error)) from error
    streamed = any(abs(size - unknown) <= 0x10000 for unknown in _STREAMED)
    return 1.0 if streamed or begin >= length else max(1.0, size / (length - begin))


def _sound_chunk(file: BinaryIO) -> tuple[int, int]:
    """Where the samples of a WAV or AIFF file begin and how many bytes they claim to have; 0 and 0 if unknown."""
    file.seek(0)
    head, begin, wide = file.read(12), 12, 0
    order = _CHUNKS.get(head[:4] + head[8:])
    for _ in range(_MOST_CHUNKS if order else 0):
        file.seek(begin)
        head = file.read(24)
        if len(head) < 8:
            break
        name, size = struct.unpack(f"{order}4sI", head[:8])
        begin += 8
        if name in (b"data", b"SSND"):
            return begin, wide if wide and size == 0xFFFFFFFF else size
        if name == b"ds64" and len(head) == 24:
            wide = struct.unpack("<Q", head[16:])[0]  # for RF64, which 32 bits are too few for
        begin += size + size % 2
    return 0, 0


def _samples(frame: av.AudioFrame) -> Frames:
    """The samples of FFmpeg's frame, float32 `[n, channels]` in -1 to 1."""
    samples: NDArray[Any] = frame.to_ndarray()
    samples = samples.reshape(-1, frame.layout.nb_channels) if frame.format.is_packed else samples.T
    offset, scale = 0.0, 1.0
    if samples.dtype == np.uint8:
        offset, scale = 128.0, 128.0
    elif samples.dtype.kind == "i":
        scale = 2.0 ** (8 * samples.dtype.itemsize - 1)
    return ((samples.astype(np.float32, copy=False) - np.float32(offset)) / np.float32(scale)).astype(
        np.float32, copy=False
    )


def _own_words(error: Exception) -> str:
    """What a decoder said, without the number of the descriptor that it was said about."""
    words = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    return str(words).strip().rstrip(".")
