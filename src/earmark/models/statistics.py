"""A branch beside a network: what mean, spread and course of its features over time say of a clip."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from earmark.features import LN_PER_DB, dct_matrix, sounding

N_COSINES = 20
"""Cosines over the rows that are followed through time."""
N_PARTS = 5
"""Places in the clip, from its beginning to its end, that the cosines are told of."""
N_SHAPES = 5
N_LAST = 3
"""Statistics that end the row: of duration, middle and loud share."""
MOST = 5.0
"""Standard deviations beyond which a statistic is cut off: no clip is to be decided by one odd number."""
NOISE = 0.3
"""Standard deviations of noise that training adds to every statistic."""


class StatisticsBranch(nn.Module):
    """Statistics over time, standardised, then one hidden layer: what cheap models on small corpora learn from.

    After training, a clip whose statistics lie beyond those of training moves the branch less: it was never told what
    another microphone, noise or room makes of them.

    Args:
        rows: F.
        width: of the hidden layer.
        dropout: share of the statistics, and of the hidden layer, dropped in training.

    Attributes:
        width: of what the branch gives.

    Shape: unnormalised features `[B, C, F, N]` and their floor `[F]` -> `[B, width]`.
    """

    def __init__(self, rows: int, width: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.statistics = Statistics(rows)
        self.norm = nn.BatchNorm1d(self.statistics.length)
        self.hidden = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(self.statistics.length, width),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
        )
        self.width = width

    def forward(self, features: Tensor, floor: Tensor) -> Tensor:
        """One vector a clip."""
        with torch.autocast(features.device.type, enabled=False):  # small steps of large decibels
            x = self.statistics(features.to(self.norm.weight.dtype), floor)
            x = self._standardised(x).clamp(-MOST, MOST)
        if self.training:
            return self.hidden(x + NOISE * torch.randn_like(x))  # type: ignore[no-any-return]
        return self.hidden(x) * _likeness(x)  # type: ignore[no-any-return]

    def _standardised(self, x: Tensor) -> Tensor:
        """By the batch in training, unless that is a single clip."""
        norm, by_batch = self.norm, self.training and len(x) > 1
        if by_batch == norm.training:
            return norm(x)  # type: ignore[no-any-return]
        return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)


def _likeness(x: Tensor) -> Tensor:
    """How far a clip is like those of training, `[B, 1]` in (0, 1], by its standardised statistics `[B, length]`.

    1 where they lie within a standard deviation in the mean, else one over the square of their mean square.
    """
    return x.square().mean(dim=1, keepdim=True).clamp_min(1).pow(-2)


class Statistics(nn.Module):
    """Numbers that tell a clip's decibels from others, whatever its length; frames on the floor do not count.

    - of each row its mean, standard deviation and mean step from frame to frame, and its maximum
    - the same of what shapes a frame's spectrum (Peeters, 2004): centroid, bandwidth, flatness, slope and level
    - of the first cosines over the rows, the cepstrum (Davis and Mermelstein, 1980), mean, deviation and step, and how
      they differ from that mean around `N_PARTS` places between the first frame and the last
    - logarithm of the frames that count, the place of their middle by power, share of them within 10 dB of the loudest

    Shape: `[B, C, F, N]` in dB and the floor `[F]` -> `[B, length]`.
    """

    cosines: Tensor

    def __init__(self, rows: int) -> None:
        super().__init__()
        n = min(N_COSINES, rows)
        self.register_buffer("cosines", dct_matrix(rows, n).float(), persistent=False)
        self.length = 4 * rows + 4 * N_SHAPES + (3 + N_PARTS) * n + N_LAST

    def forward(self, features: Tensor, floor: Tensor) -> Tensor:
        """The statistics, one row a clip."""
        x = features.mean(dim=1)
        there = sounding(x, floor)
        there = (there | ~there.any(dim=2, keepdim=True)).to(x.dtype)  # of silence every frame counts
        n = there.sum(dim=2)
        place = (there.cumsum(dim=2) - 0.5 * there) / n[..., None]
        shape, cosines = spectral_shape(x), self.cosines @ x
        mean, *others = _moments(cosines, there, n)
        parts = [part - mean for part in _parts(cosines, there, place)]
        return torch.cat(
            [
                *_moments(x, there, n),
                _maximum(x, there),
                *_moments(shape, there, n),
                _maximum(shape, there),
                mean,
                *others,
                *parts,
                n.log(),
                *_over_time(shape[:, -1:], there, n, place),
            ],
            dim=1,
        )


def spectral_shape(decibels: Tensor) -> Tensor:
    """Centroid and bandwidth (rows as shares of all), flatness (dB), slope and level (dB) of each frame.

    Shape: `[B, F, N]` -> `[B, N_SHAPES, N]`.
    """
    rows = torch.linspace(0, 1, decibels.shape[1], device=decibels.device)[:, None]
    power = torch.exp(decibels * LN_PER_DB)
    total = power.sum(dim=1, keepdim=True)
    centroid = (power * rows).sum(dim=1, keepdim=True) / total
    bandwidth = ((power * (rows - centroid).square()).sum(dim=1, keepdim=True) / total + 1e-6).sqrt()
    level = total.log() / LN_PER_DB
    flatness = decibels.mean(dim=1, keepdim=True) - level
    slope = (decibels * (rows - 0.5)).mean(dim=1, keepdim=True)
    return torch.cat([centroid, bandwidth, flatness, slope, level], dim=1)


def _moments(x: Tensor, there: Tensor, n: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, standard deviation and mean absolute step of the rows of `[B, F, N]` over the frames that count."""
    mean = (x * there).sum(dim=2) / n
    spread = ((x - mean[..., None]).square() * there).sum(dim=2) / n
    steps = (x[..., 1:] - x[..., :-1]).abs() * there[..., 1:] * there[..., :-1]
    return mean, (spread + 1e-6).sqrt(), steps.sum(dim=2) / n


def _maximum(x: Tensor, there: Tensor) -> Tensor:
    """Maximum of the rows of `[B, F, N]` over the frames that count."""
    return torch.where(there > 0, x, x.amin(dim=(1, 2), keepdim=True)).amax(dim=2)


def _parts(x: Tensor, there: Tensor, place: Tensor) -> list[Tensor]:
    """Means of `[B, F, N]` around places from beginning to end, weighted by how near a frame is."""
    weights = [(1 - (place * (N_PARTS - 1) - k).abs()).clamp_min(0) * there for k in range(N_PARTS)]
    return [(x * w).sum(dim=2) / w.sum(dim=2).clamp_min(1e-3) for w in weights]


def _over_time(level: Tensor, there: Tensor, n: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
    """Middle of the power, in [0, 1], and share of frames within 10 dB of the loudest, of levels `[B, 1, N]` in dB."""
    power = torch.exp((level - level.amax(dim=2, keepdim=True)) * LN_PER_DB) * there
    loud = (level > level.amax(dim=2, keepdim=True) - 10).to(level.dtype) * there
    return (power * place).sum(dim=2) / power.sum(dim=2), loud.sum(dim=2) / n
