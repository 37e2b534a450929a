"""One pass over the sounds: length, rate, channels and levels of each clip, and a short sound of it to play.

What was measured is kept by the file's path, size and time: a second call decodes nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark import audio
from earmark.clips import ClipTable
from earmark.exploring.memo import Memo, key_of

SILENT_DB = -60.0
"""A frame of 20 ms whose RMS lies below this many dB of full scale counts as silent."""
FRAME_SECONDS = 0.02
FULL_SCALE = 0.999
"""A sample of this magnitude or more counts as clipped."""
SNIPPET_SECONDS = 2.0
SNIPPET_RATE = 11025
"""Rate in Hz of the short sounds of the map: about 3.3 kB a second."""
_FILES_AT_ONCE = 32
_PASSING = ("missing", "permission")
"""Reasons that may go without the file being written to."""

Span = tuple[float, float | None]


@dataclass(frozen=True)
class Measures:
    """What is known of the sound of one clip, mixed to mono; nan where it could not be used."""

    duration: float = np.nan
    """Seconds."""
    sample_rate: int = 0
    """Of the file, in Hz."""
    channels: int = 0
    """Of the file."""
    format: str = ""
    """Of the file, such as WAV."""
    peak_db: float = np.nan
    """Highest magnitude, dB of full scale."""
    rms_db: float = np.nan
    """Root of the mean square, dB of full scale (a sine of full scale has -3)."""
    clipped: float = np.nan
    """Share of samples at full scale, in [0, 1]."""
    silent: float = np.nan
    """Share of frames below `SILENT_DB`, in [0, 1]."""
    dc: float = np.nan
    """Mean of the samples; full scale is 1."""
    sound: str = ""
    """Hash of the waveform: clips that share it are the same sound."""
    reason: str = ""
    """Why it could not be used (a key of `audio.REASONS`); empty for a good clip."""


NUMBERS = ("duration", "peak_db", "rms_db", "clipped", "silent", "dc")
"""The measures that have a distribution."""


class Listening:
    """The measures of the clips of a table, and their short sounds.

    Args:
        measures: one a clip.
        keys: where their sounds are kept.
        memo: what keeps them.
    """

    def __init__(self, measures: Sequence[Measures], keys: Sequence[str], memo: Memo) -> None:
        self.measures = list(measures)
        self._keys = keys
        self._memo = memo

    def good(self) -> NDArray[np.bool_]:
        """Which clips could be used, `[n]`."""
        return np.array([not one.reason for one in self.measures], dtype=bool)

    def column(self, name: str) -> NDArray[np.float64]:
        """One of the numbers of every clip, `[n]`."""
        return np.array([getattr(one, name) for one in self.measures], dtype=np.float64)

    def snippets(self, rows: Sequence[int]) -> dict[int, bytes]:
        """The short sounds of some clips as MP3, by row."""
        found = self._memo.find(self._keys[i] + "/sound" for i in rows)
        return {i: found[self._keys[i] + "/sound"] for i in rows if self._keys[i] + "/sound" in found}


def measure(table: ClipTable, memo: Memo, progress: bool = False) -> Listening:
    """Measure the sound of every clip of a table; what is known already is not read again.

    Args:
        table: the clips.
        memo: keeps what was measured.
        progress: show a bar with the time left.
    """
    from tqdm import tqdm

    keys = _keys(table)
    known = {key: Measures(**json.loads(value)) for key, value in memo.find(keys).items()}
    by_file: dict[Path, list[int]] = {}
    for i, path in enumerate(table.paths()):
        if keys[i] not in known:
            by_file.setdefault(path, []).append(i)
    work, files = partial(_recording, spans=_spans(table)), list(by_file.items())
    bar = tqdm(
        total=sum(map(len, by_file.values())),
        desc="listening",
        unit="clip",
        disable=not progress,
        leave=False,
    )
    pool = ThreadPoolExecutor(os.cpu_count() or 1)
    try:
        for first in range(0, len(files), _FILES_AT_ONCE):
            found: dict[str, bytes] = {}
            for rows in pool.map(work, files[first : first + _FILES_AT_ONCE]):
                for i, one, mp3 in rows:
                    known[keys[i]] = one
                    if one.reason in _PASSING:
                        continue
                    found[keys[i]] = json.dumps(asdict(one)).encode()
                    if mp3:
                        found[keys[i] + "/sound"] = mp3
                bar.update(len(rows))
            memo.keep(found)
    finally:
        pool.shutdown(cancel_futures=True)
        bar.close()
    return Listening([known[key] for key in keys], keys, memo)


def levels(waveform: NDArray[np.float32], rate: int) -> dict[str, float]:
    """Levels of a waveform `[T]`: `peak_db`, `rms_db`, `clipped`, `silent`, `dc` as in `Measures`."""
    square = np.square(waveform, dtype=np.float64)
    length = max(1, round(FRAME_SECONDS * rate))
    frames = np.add.reduceat(square, np.arange(0, len(square), length))
    sizes = np.minimum(length, len(square) - np.arange(0, len(square), length))
    return {
        "peak_db": _db(float(np.abs(waveform).max())),
        "rms_db": _db(float(np.sqrt(square.mean()))),
        "clipped": float((np.abs(waveform) >= FULL_SCALE).mean()),
        "silent": float((frames / sizes < 10 ** (SILENT_DB / 10)).mean()),
        "dc": float(waveform.mean(dtype=np.float64)),
    }


def loudest(waveform: NDArray[np.float32], rate: int, seconds: float) -> NDArray[np.float32]:
    """The stretch of so many seconds that has most energy; the whole waveform where it is shorter."""
    length = round(seconds * rate)
    if len(waveform) <= length:
        return waveform
    energy = np.concatenate([[0.0], np.cumsum(np.square(waveform, dtype=np.float64))])
    first = int(np.argmax(energy[length:] - energy[:-length]))
    return waveform[first : first + length]


def _recording(item: tuple[Path, list[int]], spans: Sequence[Span]) -> list[tuple[int, Measures, bytes]]:
    """Row, measures and sound of the clips of one file."""
    path, clips = item
    order = sorted(clips, key=lambda i: spans[i][0])
    try:
        info = audio.probe(path)
        waveforms = audio.read_spans(path, [spans[i] for i in order], None)
        return [(i, *_one(waveform, info)) for i, (_, _, waveform) in zip(order, waveforms, strict=True)]
    except audio.AudioError as error:
        return [(i, Measures(reason=error.reason), b"") for i in order]


def _one(waveform: NDArray[np.float32] | audio.AudioError, info: audio.AudioInfo) -> tuple[Measures, bytes]:
    rate = info.sample_rate
    if isinstance(waveform, audio.AudioError):
        return Measures(
            sample_rate=rate, channels=info.channels, format=info.format, reason=waveform.reason
        ), b""
    sound = blake2b(str(rate).encode() + waveform.tobytes(), digest_size=16).hexdigest()
    known = levels(waveform, rate)
    one = Measures(len(waveform) / rate, rate, info.channels, info.format, **known, sound=sound)  # type: ignore[arg-type]
    low = audio.resample(loudest(waveform, rate, SNIPPET_SECONDS), rate, SNIPPET_RATE)
    return one, audio.encode_mp3(low, SNIPPET_RATE)


def _keys(table: ClipTable) -> list[str]:
    """A key for each clip: its file, as it stands on disk, and the excerpt."""
    stamps: dict[Path, str] = {}
    for path in dict.fromkeys(table.paths()):
        try:
            found = path.stat()
            stamps[path] = f"{path.resolve()}|{found.st_size}|{found.st_mtime_ns}"
        except OSError as error:
            stamps[path] = f"{path}|{error.errno}"
    return [
        key_of("measures", stamps[path], span)
        for path, span in zip(table.paths(), _spans(table), strict=True)
    ]


def _spans(table: ClipTable) -> list[Span]:
    starts, ends = table.frame["start"].tolist(), table.frame["end"].tolist()
    return [(start, None if end != end else end) for start, end in zip(starts, ends, strict=True)]


def _db(magnitude: float) -> float:
    return float(20 * np.log10(max(magnitude, 1e-10)))
