"""What every family of networks gives: the two stages between the features and the head."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from earmark.errors import UserError
from earmark.models.statistics import StatisticsBranch

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
    l2: tuple[tuple[nn.Parameter, float], ...] = ()
    """Weights with a penalty of their own: `strength * sum(weight ** 2)` is added to the loss."""
    statistics: StatisticsBranch | None = None
    """A branch beside these: unnormalised features `[B, C, F, N]` and their floor -> `[B, width]`."""
    pretrained: Path | None = None
    """Weights that the backbone begins with, by their names there; what the file does not name begins at random."""


def spectrogram_shape(shape: Shape, kind: str) -> tuple[int, int, int]:
    """`(C, F, N)` of features that must be a spectrogram, for a network of this kind."""
    if len(shape) != 3:
        raise UserError(
            "network.kind",
            f'found {kind!r} on waveforms, wanted features with frames: "stft", "logmel" or "mfcc"',
            'Change features.kind, or take the network "conv1d".',
        )
    return shape[0], shape[1], shape[2]


def waveform_shape(shape: Shape, kind: str) -> tuple[int, int]:
    """`(C, T)` of features that must be a waveform, for a network of this kind."""
    if len(shape) != 2:
        raise UserError(
            "network.kind",
            f'found {kind!r} on a spectrogram, wanted features.kind "waveform"',
            'Change features.kind, or take the network "conv2d".',
        )
    return shape[0], shape[1]
