"""What the rounding of single precision does to decibels: which frames it is not enough for."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

IN_DOUBT = 1.25e-4  # decibels, a quarter of what is promised: what may err by more is transformed in double


class Rounding:
    """Tells frames whose mel bands, or what is summed over them, could show the rounding of their transform.

    Rounding adds about the same error to every bin, in proportion to the root of the frame's energy: much
    for a band far below the rest of its frame, unless it is below the floor too.

    Args:
        filters: of the mel bands, `[n_mels, bins]` on power.
        n_fft: length of the Fourier transform.
        amin: what is added to power before the logarithm; with top_db: the least power instead.
        top_db: how far below a clip's peak decibels are cut.
        summed: bands are not looked at one by one but by coefficients of an orthonormal DCT, sums over bands with
            squared weights of 2 / n_mels at most, so that the mean square of their errors counts.
    """

    def __init__(
        self, filters: NDArray[np.float64], n_fft: int, amin: float, top_db: float | None, summed: bool
    ) -> None:
        self.n_fft, self.amin, self.top_db, self.summed = n_fft, amin, top_db, summed
        error = 20 / math.log(10) * _error_of_a_bin(n_fft) / IN_DOUBT
        self.weights = torch.from_numpy(filters.max(axis=1) * error**2).float()  # never leaves the processor

    def in_doubt(self, power: Tensor, energy: Tensor) -> Tensor:
        """Numbers `[k]` of such frames, of all B n.

        Args:
            power: in the mel bands, `[B, n, n_mels]`.
            energy: of all bins, `[B, n]`.
        """
        if self.top_db is None:
            bands = power / (power + self.amin).square_()
        else:  # the peak of these frames is at most the clip's
            peak = power.amax(dim=(1, 2), keepdim=True)
            bands = power.maximum((peak * 10 ** (-self.top_db / 10)).clamp_min_(self.amin)).reciprocal_()
        n = len(self.weights)
        errors = bands @ self.weights / n if self.summed else bands.mul_(self.weights).amax(dim=-1)
        return (errors * energy > self.n_fft / 2).flatten().nonzero()[:, 0]  # by Parseval, of half a spectrum


@cache
def _error_of_a_bin(n_fft: int) -> float:
    """Error of a bin of a real Fourier transform in single precision, against the root of the energy: measured."""
    noise = torch.randn(8, n_fft, generator=torch.Generator().manual_seed(0))
    errors = torch.fft.rfft(noise.double()) - torch.fft.rfft(noise)
    return float(errors.abs().square().mean().sqrt() / noise.norm(dim=1).mean())
