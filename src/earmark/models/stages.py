"""What every family of networks gives: the two stages between the features and the head."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

Shape = tuple[int, ...]
"""Shape of one clip's features without the batch: `(C, F, N)`, or `(C, T)` for 1-D networks."""


@dataclass(frozen=True)
class Stages:
    """Backbone and pool of a network, built for features of a given shape."""

    backbone: nn.Module
    """Features `[B, C, F, N]` (or `[B, C, T]`) -> maps that still have time in their last axis."""
    pool: nn.Module
    """Maps -> one vector a clip, `[B, n_embedding]`."""
    n_embedding: int
    """Length of the embedding."""
    min_frames: int = 1
    """The fewest frames (or samples) that the network accepts."""
    exact_frames: int | None = None
    """The only number of frames that the network accepts; None where any from `min_frames` on will do."""
