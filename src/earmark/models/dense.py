"""Dense networks: all of a clip's features at once, layer upon layer."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

from torch import nn

from earmark.models.layers import (
    NORM_EPS,
    NORM_MOMENTUM,
    Dropouts,
    Strength,
    Width,
    dense_layers,
    penalised,
    per_layer,
)
from earmark.models.stages import Shape, Stages


@dataclass(frozen=True)
class Dense:
    """Settings of a dense network; the last hidden layer gives the embedding."""

    hidden: tuple[Width, ...] = (512, 256, 64)
    """Length of each hidden layer; ReLU follows."""
    dropout: Dropouts = 0.0
    """Share dropped after a hidden layer in training; one for all, or one a layer."""
    batch_norm: bool = False
    """Batch norm of the features, number by number, and after each hidden layer."""
    closing_norm: bool = False
    """One more batch norm after the last hidden layer."""
    l2: Strength = 0.0
    """L2 penalty of the hidden layers' weights: `l2 * sum(weight ** 2)` is added to the loss."""

    def build(self, shape: Shape) -> Stages:
        """The two stages for features of `shape` `(C, F, N)` or `(C, T)`; the backbone does nothing."""
        n_in = math.prod(shape)
        dropout = per_layer(self.dropout, len(self.hidden), "dropout")
        layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
        if self.batch_norm:
            layers["norm0"] = nn.BatchNorm1d(n_in, NORM_EPS, NORM_MOMENTUM)
        layers |= dense_layers(n_in, self.hidden, dropout, self.batch_norm)
        n_out = (n_in, *self.hidden)[-1]
        if self.closing_norm:
            layers["closing_norm"] = nn.BatchNorm1d(n_out, NORM_EPS, NORM_MOMENTUM)
        pool = nn.Sequential(layers)
        return Stages(
            nn.Identity(), pool, n_out, exact_frames=shape[-1], l2=penalised(pool, nn.Linear, self.l2)
        )
