"""Mel bands: where their edges lie, which frequencies they take, and power in them."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

MelScale = Literal["slaney", "htk"]
"""Slaney\'s, as librosa\'s default, or that of HTK; they differ in where the bands lie and in their area."""


class MelBands(nn.Module):
    """Power of a spectrum -> power in mel bands; a block of bands meets the bins it reaches.

    Args:
        filters: `[n_mels, bins]`, no row all zero.

    Shape:
        `[B, n, bins]` -> `[B, n, n_mels]`
    """

    def __init__(self, filters: NDArray[np.float64]) -> None:
        super().__init__()
        self.blocks = [(f"block_{i}", *run) for i, run in enumerate(_band_blocks(filters))]
        for name, bands, bins in self.blocks:
            block = filters[bands, bins].T.astype(np.float32)
            self.register_buffer(name, torch.from_numpy(block.copy()), persistent=False)

    def forward(self, power: Tensor) -> Tensor:
        """Sums the power under each filter."""
        flat = power.flatten(0, 1)
        parts = [
            flat.narrow(1, bins.start, bins.stop - bins.start) @ getattr(self, name)
            for name, _, bins in self.blocks
        ]
        return torch.cat(parts, dim=1).view(*power.shape[:2], -1)


def _band_blocks(filters: NDArray[np.float64]) -> list[tuple[slice, slice]]:
    """Cuts the bands, at multiples of 16, into runs of least total work: (bands, the bins they reach)."""
    step, call = 16, 4000  # what matrix products like; what one costs beyond its multiplications (measured)
    n = len(filters)
    cuts = [*range(0, n, step), n]
    first = [int(np.flatnonzero(row)[0]) for row in filters]
    last = [int(np.flatnonzero(row)[-1]) + 1 for row in filters]
    best: dict[int, tuple[float, list[tuple[slice, slice]]]] = {0: (0.0, [])}
    for end in cuts[1:]:
        choices = []
        for start in cuts[: cuts.index(end)]:
            bins = slice(min(first[start:end]), max(last[start:end]))
            work = best[start][0] + call + (end - start) * (bins.stop - bins.start)
            choices.append((work, [*best[start][1], (slice(start, end), bins)]))
        best[end] = min(choices, key=lambda choice: choice[0])
    return best[n][1]


def mel_filters(
    edges: NDArray[np.float64], bins: NDArray[np.float64], scale: MelScale
) -> NDArray[np.float64]:
    """Triangular filters `[n_mels, bins]` on power, as `librosa.filters.mel`; rows may be empty.

    Args:
        edges: of the bands, `[n_mels + 2]` in Hz, as `mel_edges` gives them.
        bins: frequencies of the power, `[bins]` in Hz.
        scale: says how high the triangles are.
    """
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    triangles = np.maximum(0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))
    return triangles * 2 / (high - low) if scale == "slaney" else triangles


def mel_edges(n_mels: int, f_min: float, f_max: float, scale: MelScale) -> NDArray[np.float64]:
    """Band edges `[n_mels + 2]` in Hz, even in mel: band i rises from i, peaks at i + 1 and ends at i + 2."""
    mels = np.linspace(_hz_to_mel(f_min, scale), _hz_to_mel(f_max, scale), n_mels + 2, dtype=np.float64)
    if scale == "htk":
        return np.asarray(700 * (10 ** (mels / 2595) - 1))
    return np.where(mels < 15, mels * 200 / 3, 1000 * np.exp((mels - 15) * math.log(6.4) / 27))


def _hz_to_mel(hz: float, scale: MelScale) -> float:
    """Slaney's Auditory Toolbox (1998): 3 mels per 200 Hz up to 1 kHz, then 27 mels for a factor of 6.4."""
    if scale == "htk":
        return 2595 * math.log10(1 + hz / 700)
    return hz * 3 / 200 if hz < 1000 else 15 + 27 * math.log(hz / 1000) / math.log(6.4)
