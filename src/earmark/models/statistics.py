"""A branch beside a network: what is said of a whole clip by the mean and the spread of its features over time."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

N_COSINES = 20
"""Cosines over the rows (of decibels: a cepstrum) that are followed through time."""
N_PARTS = 5
"""Places in the clip, from its beginning to its end, that the cosines are told of."""
MOST = 5.0
"""Standard deviations beyond which a statistic is cut off: no clip is to be decided by one odd number."""
NOISE = 0.3
"""Standard deviations of noise that training adds to every statistic."""


class StatisticsBranch(nn.Module):
    """Statistics over time, standardised, then one hidden layer: what cheap models on small corpora learn from.

    Args:
        rows: F.
        width: of the hidden layer.
        dropout: share of the statistics, and of the hidden layer, dropped in training.

    Shape: unnormalised features `[B, C, F, N]` and their floor `[F]` -> `[B, width]`.
    """

    def __init__(self, rows: int, width: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.statistics = Statistics(rows)
        self.norm = nn.BatchNorm1d(self.statistics.length)
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Sequential(
            nn.Linear(self.statistics.length, width), nn.ReLU(inplace=True), nn.Dropout(dropout)
        )

    def forward(self, features: Tensor, floor: Tensor) -> Tensor:
        """One vector a clip."""
        with torch.autocast(features.device.type, enabled=False):  # small steps of large decibels
            x = self.statistics(features.float(), floor)
            x = self._standardised(x).clamp(-MOST, MOST)
        if self.training:
            x = x + NOISE * torch.randn_like(x)
        return self.hidden(self.dropout(x))  # type: ignore[no-any-return]

    def _standardised(self, x: Tensor) -> Tensor:
        """By the batch in training, unless that is a single clip."""
        norm, by_batch = self.norm, self.training and len(x) > 1
        if by_batch == norm.training:
            return norm(x)  # type: ignore[no-any-return]
        return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)


class Statistics(nn.Module):
    """Numbers that tell a clip's features from others, whatever their length; frames on the floor do not count.

    Of each row its mean, standard deviation, maximum and mean step from frame to frame; of the first cosines over
    the rows (Davis and Mermelstein, 1980) mean, deviation and step, and how they differ from that mean around
    `N_PARTS` places between the first frame and the last.

    Shape: `[B, C, F, N]` and the floor `[F]` -> `[B, length]`.
    """

    cosines: Tensor

    def __init__(self, rows: int) -> None:
        super().__init__()
        n = min(N_COSINES, rows)
        angles = math.pi / rows * torch.arange(n)[:, None] * (torch.arange(rows) + 0.5)
        self.register_buffer("cosines", angles.cos() * math.sqrt(2 / rows), persistent=False)
        self.length = 4 * rows + (3 + N_PARTS) * n

    def forward(self, features: Tensor, floor: Tensor) -> Tensor:
        """The statistics, one row a clip."""
        x = features.mean(dim=1)
        there = (x > floor[:, None] + 1e-3).any(dim=1, keepdim=True)
        there = (there | ~there.any(dim=2, keepdim=True)).to(x.dtype)  # of silence every frame counts
        n = there.sum(dim=2)
        cosines = self.cosines @ x
        mean, spread, step = _moments(x, there, n)
        maximum = torch.where(there > 0, x, x.amin(dim=(1, 2), keepdim=True)).amax(dim=2)
        middle, sway, stride = _moments(cosines, there, n)
        return torch.cat(
            [
                mean,
                spread,
                maximum,
                step,
                middle,
                sway,
                stride,
                *(part - middle for part in _parts(cosines, there, n)),
            ],
            dim=1,
        )


def _moments(x: Tensor, there: Tensor, n: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, standard deviation and mean absolute step of the rows of `[B, F, N]` over the frames that count."""
    mean = (x * there).sum(dim=2) / n
    spread = ((x - mean[..., None]).square() * there).sum(dim=2) / n
    steps = (x[..., 1:] - x[..., :-1]).abs() * there[..., 1:] * there[..., :-1]
    return mean, (spread + 1e-6).sqrt(), steps.sum(dim=2) / n


def _parts(x: Tensor, there: Tensor, n: Tensor) -> list[Tensor]:
    """Means of `[B, F, N]` around places from beginning to end, weighted by how near a frame is."""
    place = (there.cumsum(dim=2) - 0.5 * there) / n[..., None]
    weights = [(1 - (place * (N_PARTS - 1) - k).abs()).clamp_min(0) * there for k in range(N_PARTS)]
    return [(x * w).sum(dim=2) / w.sum(dim=2).clamp_min(1e-3) for w in weights]
