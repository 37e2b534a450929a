"""Crops: which part of a clip the network sees, in training (anywhere) and in scoring (all over)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from msgspec import Meta

from earmark.features import sounding


@dataclass(frozen=True)
class Cropping:
    """How clips are cropped."""

    seconds: Annotated[float, Meta(gt=0)]
    """Length of a crop in scoring, and the longest in training, in seconds."""
    min_seconds: Annotated[float, Meta(gt=0)] | None = None
    """Length of the shortest crop in training, in seconds; none: all are of one length."""
    max_crops: Annotated[int, Meta(ge=1)] = 16
    """The most crops that one clip's score is the mean of; they overlap by half where there are fewer."""


@dataclass(frozen=True)
class Crops:
    """Crops over the whole of one clip, and what each counts for in its score."""

    values: torch.Tensor
    """`[K, ..., n_frames]`, K from 1 on."""
    weights: torch.Tensor
    """`[K]`, the share of a crop's frames that hold sound, by their sum: padding of a recording tells no class."""

    def __len__(self) -> int:
        return len(self.weights)

    def mean(self, found: torch.Tensor) -> torch.Tensor:
        """Weighted mean `[n]` of what was found in each crop `[K, n]`."""
        return (found * self.weights.to(found)[:, None]).sum(dim=0)

    def log_mean(self, logs: torch.Tensor) -> torch.Tensor:
        """Logarithm of the weighted mean `[n]` of what has the logarithms `[K, n]`."""
        return (logs + self.weights.to(logs).log()[:, None]).logsumexp(dim=0)


def scoring_crops(features: torch.Tensor, n_frames: int, max_crops: int, floor: torch.Tensor) -> Crops:
    """Crops over the whole of a clip, from its first frame to its last.

    Args:
        features: one clip's features `[..., N]`, `[C, F, N]` or `[C, T]`.
        n_frames: length of a crop.
        max_crops: the most crops; a clip that half-overlapping ones of this number do not cover is
            heard at evenly spaced places.
        floor: what silence gives, `[F]`; pads a clip that is shorter than a crop at its end.
    """
    length = features.shape[-1]
    if length <= n_frames:
        return Crops(pad_end(features, n_frames, floor)[None], torch.ones(1, device=features.device))
    starts = crop_starts(length, n_frames, max_crops)
    values = torch.stack([features[..., start : start + n_frames] for start in starts])
    shares = sounding(values, floor).flatten(1).float().mean(dim=1)
    shares = torch.where(shares.sum() > 0, shares, 1.0)
    return Crops(values, shares / shares.sum())


def crop_starts(length: int, n_frames: int, max_crops: int) -> list[int]:
    """First frame of each crop that `scoring_crops` takes of a clip of so many frames."""
    if length <= n_frames:
        return [0]
    n_crops = min(max_crops, -(-2 * (length - n_frames) // n_frames) + 1)
    return torch.linspace(0, length - n_frames, max(n_crops, 1)).round().long().tolist()


def pad_end(features: torch.Tensor, n_frames: int, floor: torch.Tensor) -> torch.Tensor:
    """Features `[..., N]` made `n_frames` long with what silence gives (`floor`, `[F]`)."""
    missing = n_frames - features.shape[-1]
    if missing <= 0:
        return features
    column = floor.to(features)[:, None]
    return torch.cat([features, column.expand(*features.shape[:-1], missing)], dim=-1)
