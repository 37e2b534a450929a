"""Features brought to one scale: fitted on the training split only, and part of the model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Self, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from earmark.errors import UserError

NormalisationKind = Literal["none", "global", "bands", "minmax", "clip"]


class Normalisation(nn.Module):
    """Features -> (features - shift) / scale; fitted on the training split and saved with the weights.

    Args:
        kind: none; global (zero mean, unit deviation over everything); bands (the same for each row); minmax
            (the training split fills [0, 1], others may go beyond); clip (each clip fills [-1, 1]; no fit).
        n_rows: rows F of the features (of waveforms: channels, 1).

    Shape:
        `[B, C, F, N]` or `[B, C, T]` -> the same.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, kind: NormalisationKind, n_rows: int = 1) -> None:
        super().__init__()
        if kind not in get_args(NormalisationKind):
            raise UserError(
                "normalisation", f"found {kind!r}, wanted one of {', '.join(get_args(NormalisationKind))}"
            )
        self.kind = kind
        n = n_rows if kind == "bands" else 1
        self.register_buffer("shift", torch.zeros(n, 1))
        self.register_buffer("scale", torch.ones(n, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Normalised features; what does not vary becomes 0."""
        if self.kind == "none":
            return features
        if self.kind != "clip":
            return (features - self.shift) / self.scale
        dims = tuple(range(1, features.dim()))
        low, high = features.amin(dims, keepdim=True), features.amax(dims, keepdim=True)
        half = (high - low) / 2
        return (features - (high + low) / 2) / torch.where(half > 0, half, 1)

    def fit(self, features: Iterable[NDArray[np.float32] | Tensor]) -> Self:
        """Takes shift and scale from clips `[C, F, N]` or `[C, T]`, streaming, in float64; returns itself."""
        if self.kind in ("none", "clip"):
            return self
        rows = (self._by_row(np.asarray(clip, dtype=np.float64)) for clip in features)
        shift, scale = _range(rows) if self.kind == "minmax" else _moments(rows)
        # Rounding noise on a constant is no variation.
        scale = np.where(scale > 1e-6 * np.abs(shift), scale, 1.0)
        self.shift.copy_(torch.from_numpy(shift)[:, None])
        self.scale.copy_(torch.from_numpy(scale)[:, None])
        return self

    def _by_row(self, clip: NDArray[np.float64]) -> NDArray[np.float64]:
        """`[C, F, N]` -> `[F, C * N]` for bands, else `[1, C * F * N]`."""
        return np.moveaxis(clip, -2, 0).reshape(len(self.shift) if self.kind == "bands" else 1, -1)


def _moments(rows: Iterable[NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each row over all pieces `[R, n]` (merged as Chan et al., 1979)."""
    count, mean, squares = 0, np.zeros(1), np.zeros(1)
    for piece in rows:
        n, step = piece.shape[1], piece.mean(axis=1) - mean
        count += n
        mean = mean + step * n / count
        squares = (
            squares
            + ((piece - piece.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
            + step**2 * n * (count - n) / count
        )
    if count == 0:
        raise ValueError("no clips to fit the normalisation on")
    return mean, np.sqrt(squares / count)


def _range(rows: Iterable[NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Least value and range of each row over all pieces `[R, n]`."""
    ends = [(piece.min(axis=1), piece.max(axis=1)) for piece in rows]
    if not ends:
        raise ValueError("no clips to fit the normalisation on")
    low, high = np.min([low for low, _ in ends], axis=0), np.max([high for _, high in ends], axis=0)
    return low, high - low
