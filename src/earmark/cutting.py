"""Clips -> shorter clips: consecutive segments, windows at random, without silence; all as excerpts in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from earmark import audio
from earmark.clips import ClipTable
from earmark.errors import UserError

Span = tuple[float, float]
"""Start and end in a recording, in seconds."""

ENVELOPE_SECONDS = 0.1
"""Length of the rolling mean of the absolute signal that silence is found by."""
ENVELOPE_RATE = 16000
"""Rate that silence is looked for at, in Hz."""
GRID_SECONDS = 0.002
"""Windows start on a grid, so that no two of them are one clip to a table (which joins within 1 ms)."""


@dataclass(frozen=True)
class Cutting:
    """How clips are cut before training; nothing is cut by default."""

    segment_seconds: Annotated[float, Meta(gt=0)] | None = None
    """Cut each clip into consecutive segments of this length, in seconds; a shorter rest is left out."""
    windows: Annotated[int, Meta(ge=1)] | None = None
    """Draw so many windows at random; classes get as many as their sound lasts."""
    window_seconds: Annotated[float, Meta(gt=0)] | None = None
    """Length of a window, in seconds."""
    silence_threshold: Annotated[float, Meta(gt=0, lt=1)] | None = None
    """Leave out what is quieter: the mean of the absolute signal over 0.1 s, full scale being 1."""


def cut(table: ClipTable, durations: NDArray[np.float64], config: Cutting, seed: int = 0) -> ClipTable:
    """Cut the clips of a table; all else that is known of a clip is known of its parts.

    Args:
        table: clips, `[n]`.
        durations: how long the recording of each clip is, in seconds `[n]`.
        config: how to cut.
        seed: of the windows' places.

    Raises:
        UserError: the settings contradict each other, or no clip is as long as a segment or window.
    """
    length = _length(config)
    if length is None and config.silence_threshold is None:
        return table
    spans = _spans(table, durations, config)
    if config.windows is not None and length is not None:
        rows, places = _windows(spans, config.windows, length, np.random.default_rng(seed))
    elif length is not None:
        rows, places = _segments(spans, length)
    else:
        rows = np.repeat(np.arange(len(spans)), [len(of_clip) for of_clip in spans])
        places = np.array([span for of_clip in spans for span in of_clip]).reshape(-1, 2)
    if not len(rows):
        longest = max((end - start for of_clip in spans for start, end in of_clip), default=0.0)
        found = (
            f"no clip is as long as {length:g} s" if length else "all clips are quieter than the threshold"
        )
        raise UserError("clips", f"{found}; the longest stretch has {longest:.3g} s", "Cut shorter.")
    return _at(table, rows, places)


def loud_spans(waveform: NDArray[np.float32], sample_rate: int, threshold: float) -> list[Span]:
    """Stretches whose amplitude envelope is above a threshold, in seconds from the waveform's start.

    The envelope is the mean of |x| over `ENVELOPE_SECONDS`, centred.
    """
    width = max(1, round(ENVELOPE_SECONDS * sample_rate))
    sums = np.cumsum(np.pad(np.abs(waveform).astype(np.float64), (width // 2 + 1, width - width // 2 - 1)))
    loud = (sums[width:] - sums[:-width]) / width > threshold
    edges = np.flatnonzero(np.diff(np.concatenate([[0], loud, [0]])))
    return [(float(a) / sample_rate, float(b) / sample_rate) for a, b in edges.reshape(-1, 2)]


def _length(config: Cutting) -> float | None:
    if (config.windows is None) != (config.window_seconds is None):
        raise UserError("clips", "windows and window_seconds go together, found one of them", "Give both.")
    if config.windows is not None and config.segment_seconds is not None:
        raise UserError("clips", "found windows and segment_seconds, wanted one of them", "Leave one out.")
    return config.segment_seconds or config.window_seconds


def _spans(table: ClipTable, durations: NDArray[np.float64], config: Cutting) -> list[list[Span]]:
    """What may be cut of each clip: all of it, or where it is loud."""
    starts = table.frame["start"].to_numpy(float)
    ends = np.fmin(table.frame["end"].to_numpy(float), durations)
    whole = [[(float(start), float(end))] for start, end in zip(starts, ends, strict=True)]
    if config.silence_threshold is None:
        return whole
    paths = table.paths()
    return [_loud(paths[i], *span[0], config.silence_threshold) for i, span in enumerate(whole)]


def _loud(path: object, start: float, end: float, threshold: float) -> list[Span]:
    try:
        waveform = audio.read(path, ENVELOPE_RATE, start, end)  # type: ignore[arg-type]
    except audio.AudioError:
        return []
    return [(start + a, min(start + b, end)) for a, b in loud_spans(waveform, ENVELOPE_RATE, threshold)]


def _segments(spans: Sequence[list[Span]], length: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    rows, places = [], []
    for row, of_clip in enumerate(spans):
        for start, end in of_clip:
            for i in range(int((end - start) / length + 1e-6)):
                rows.append(row)
                places.append((start + i * length, start + (i + 1) * length))
    return np.array(rows, np.int64), np.array(places).reshape(-1, 2)


def _windows(
    spans: Sequence[list[Span]], n: int, length: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Windows on a grid over all spans, drawn without replacement: long classes get many."""
    flat = [(row, start, end) for row, of_clip in enumerate(spans) for start, end in of_clip]
    room = np.array([max(0, int((end - start - length) / GRID_SECONDS + 1e-6) + 1) for _, start, end in flat])
    room[[end - start < length - 1e-9 for _, start, end in flat]] = 0
    drawn = np.sort(rng.choice(int(room.sum()), min(n, int(room.sum())), replace=False))
    which = np.searchsorted(np.cumsum(room), drawn, side="right")
    offset = drawn - (np.cumsum(room) - room)[which]
    starts = np.array([flat[i][1] for i in which]) + offset * GRID_SECONDS
    return np.array([flat[i][0] for i in which], np.int64), np.stack([starts, starts + length], axis=1)


def _at(table: ClipTable, rows: NDArray[np.int64], places: NDArray[np.float64]) -> ClipTable:
    found = table.take(rows)
    frame = found.frame.assign(start=places[:, 0].round(6), end=places[:, 1].round(6))
    return replace(found, frame=frame)
