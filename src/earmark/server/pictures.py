"""Pictures of a clip for the page, without axes and quick to draw: a spectrogram and a waveform as small PNG files.

The house's colours (magma, which the colour-blind read as light and dark), numpy and zlib; matplotlib would take ten
times as long. The axes are numbers that the page writes beside the picture.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from earmark.canvas import BLUE, DYNAMIC_RANGE_DB, frequency_ticks
from earmark.features import STFT, Features, LogMel

Scale = Literal["mel", "linear"]
SCALES: tuple[Scale, ...] = ("mel", "linear")
COLUMNS, ROWS = 1000, 256
"""Of a spectrogram, about; the page stretches it."""
WAVE_ROWS = 96
_WINDOW_SECONDS = 0.04
_LOWEST_TICK = 150  # Hz; below it there would be no room for 200
_POINTS = 129  # of the list that places heights of the picture in Hz
_BATCH = 4096  # frames held at once


def power(waveform: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Power of a clip, `[n_fft // 2 + 1, N]` with about `COLUMNS` columns, each the mean of what it stands for."""
    n_fft = 2 ** max(6, min(12, round(math.log2(rate * _WINDOW_SECONDS))))
    hop = max(1, min(n_fft // 2, -(-len(waveform) // COLUMNS)))
    features = _transform(n_fft, hop, rate)
    group = max(1, round(len(waveform) / hop / COLUMNS))
    batch = group * max(1, _BATCH // group)
    parts = []
    for first in range(0, max(1, len(waveform)), batch * hop):
        piece = torch.from_numpy(waveform[first : first + batch * hop + n_fft])
        rows = features(piece[None])[0, 0].numpy()[:, :batch]
        starts = np.arange(0, rows.shape[1], group)
        parts.append(np.add.reduceat(rows, starts, axis=1) / group)
    return np.concatenate(parts, axis=1)


def spectrogram(power: NDArray[np.float32], rate: int, scale: Scale) -> bytes:
    """A PNG of `ROWS` rows, 0 Hz to half the rate from bottom to top; the loudest 80 dB of the clip.

    Args:
        power: `[F, N]` as `power` gives it.
        rate: of the waveform, in Hz.
        scale: how the rows lie: evenly in mel or in Hz.
    """
    rows = _weights(len(power), rate, scale) @ power
    decibels = 10 * np.log10(rows + 1e-12)
    top = float(decibels.max())
    if top <= -115:  # nothing but silence
        return png(np.zeros(decibels.shape, np.uint8), _magma())
    shades = np.clip((decibels - top) * (255 / DYNAMIC_RANGE_DB) + 255, 0, 255)
    return png(shades[::-1].astype(np.uint8), _magma())


def waveform(samples: NDArray[np.float32]) -> bytes:
    """A PNG of lowest and highest sample in each column, on a clear ground, the peak as high as the picture."""
    columns = min(COLUMNS, len(samples))
    starts = np.linspace(0, len(samples), columns, endpoint=False).astype(int)
    peak = max(float(np.abs(samples).max()), 1e-5)
    middle = (WAVE_ROWS - 1) / 2
    low = middle - np.minimum.reduceat(samples, starts) / peak * middle
    high = middle - np.maximum.reduceat(samples, starts) / peak * middle
    row = np.arange(WAVE_ROWS)[:, None]
    drawn = (row >= np.floor(high)) & (row <= np.ceil(low))
    return png(drawn.astype(np.uint8), [(0, 0, 0), _rgb(BLUE)], clear_first=True)


def axis(rate: int, scale: Scale) -> dict[str, list[object]]:
    """Where frequencies lie in a spectrogram.

    Returns:
        `hz`: frequencies at even heights, from bottom to top; `ticks`: `[height, words]` of round frequencies, height
        being 0 at the bottom and 1 at the top.
    """
    edges = _edges(rate, scale)
    low = int(np.searchsorted(edges, _LOWEST_TICK if scale == "mel" else 0))
    places, words = frequency_ticks(edges[low:])
    ticks: list[object] = [
        [round((low + place) / ROWS, 5), word] for place, word in zip(places, words, strict=True)
    ]
    step = ROWS // (_POINTS - 1)
    return {"hz": [round(float(hz), 3) for hz in edges[::step]], "ticks": ticks}


def png(
    shades: NDArray[np.uint8], palette: Sequence[tuple[int, int, int]], clear_first: bool = False
) -> bytes:
    """An indexed PNG.

    Args:
        shades: `[rows, columns]`, places in the palette, top row first.
        palette: red, green and blue of each shade.
        clear_first: whether shade 0 lets the ground through.
    """
    rows, columns = shades.shape
    lines = np.zeros((rows, columns + 1), np.uint8)  # each line begins with its filter: none
    lines[:, 1:] = shades
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)),
        (b"PLTE", bytes(value for colour in palette for value in colour)),
        *([(b"tRNS", b"\0")] if clear_first else []),
        (b"IDAT", zlib.compress(lines.tobytes(), 4)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


@lru_cache(maxsize=32)
def _transform(n_fft: int, hop: int, rate: int) -> Features:
    return Features(STFT(n_fft=n_fft, hop_length=hop, scale="power"), rate)


@lru_cache(maxsize=16)
def _edges(rate: int, scale: Scale) -> NDArray[np.float64]:
    """Frequencies between the rows, `[ROWS + 1]` in Hz."""
    if scale == "mel":
        return LogMel(n_mels=ROWS - 1).edges(rate)
    return np.linspace(0, rate / 2, ROWS + 1)


@lru_cache(maxsize=16)
def _weights(n_bins: int, rate: int, scale: Scale) -> NDArray[np.float32]:
    """From bins to rows, `[ROWS, n_bins]`: the mean of the bins that a row covers, else between two of them."""
    edges = _edges(rate, scale) / (rate / 2) * (n_bins - 1)
    bins = np.arange(n_bins)
    low, high = edges[:-1, None], edges[1:, None]
    wide = np.clip(np.minimum(bins + 0.5, high) - np.maximum(bins - 0.5, low), 0, None)
    narrow = np.clip(1 - np.abs(bins - (low + high) / 2), 0, None)
    weights = np.where(high - low >= 1, wide, narrow)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


@lru_cache(maxsize=1)
def _magma() -> list[tuple[int, int, int]]:
    from matplotlib import colormaps

    colours = colormaps["magma"](np.arange(256), bytes=True)
    return [(int(red), int(green), int(blue)) for red, green, blue, _ in colours]


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
