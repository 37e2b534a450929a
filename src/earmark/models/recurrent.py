"""Recurrent networks: LSTM or GRU over the frames of MFCC or log-mel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from earmark.models.layers import Dropout, Dropouts, Width, per_layer
from earmark.models.pooling import Attention, LastState, Mean, pool_and_dense
from earmark.models.stages import Shape, Stages, spectrogram_shape

Cell = Literal["lstm", "gru"]
"""LSTM (Hochreiter and Schmidhuber, 1997), or GRU (Cho et al., 2014), which has a quarter fewer weights."""
StatePooling = Literal["last", "mean", "attention"]
"""`last`: the state when all is heard; `mean` or `attention`: over the states at all frames."""


@dataclass(frozen=True)
class Recurrent:
    """Settings of a recurrent network."""

    cell: Cell = "lstm"
    """`lstm` or `gru`."""
    width: Width = 64
    """Length of the state, in each direction."""
    layers: Width = 2
    """Recurrent layers, one upon the other."""
    bidirectional: bool = False
    """Hear each clip backward too."""
    recurrent_dropout: Dropout = 0.0
    """Share of the states dropped between recurrent layers, in training."""
    pooling: StatePooling = "last"
    """What becomes of time: `last` (the state when all is heard), `mean` or `attention`."""
    hidden: tuple[Width, ...] = ()
    """Length of each dense layer before the head; ReLU follows."""
    dropout: Dropouts = 0.0
    """Share dropped after each dense layer, in training."""

    def build(self, shape: Shape) -> Stages:
        """The two stages for features of `shape` `(C, F, N)`: states of all frames, then their pooling."""
        channels, bands, _ = spectrogram_shape(shape, "recurrent")
        backbone = States(
            channels * bands, self.cell, self.width, self.layers, self.bidirectional, self.recurrent_dropout
        )
        dropout = per_layer(self.dropout, len(self.hidden), "dropout")
        pool = pool_and_dense(
            (self.pooling, state_pooling(self.pooling, backbone)), backbone.n_out, self.hidden, dropout
        )
        return Stages(backbone, pool, (backbone.n_out, *self.hidden)[-1])


class States(nn.Module):
    """The states of a recurrent network at all frames; bands and channels of a frame are one vector.

    Shape: `[B, C, F, N]` -> `[B, n_out, N]`, n_out twice the width if bidirectional, forward states first.
    """

    def __init__(
        self,
        n_in: int,
        cell: Cell,
        width: int,
        layers: int,
        bidirectional: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.bidirectional = bidirectional
        self.n_out = 2 * width if bidirectional else width
        kind = {"lstm": nn.LSTM, "gru": nn.GRU}[cell]
        # torch warns of dropout that has no second layer to act before
        self.recurrent = kind(
            n_in,
            width,
            layers,
            batch_first=True,
            dropout=dropout if layers > 1 else 0.0,
            bidirectional=bidirectional,
        )

    def forward(self, maps: Tensor) -> Tensor:
        """States, time last."""
        states: Tensor = self.recurrent(maps.flatten(1, 2).transpose(1, 2).contiguous())[0]
        return states.transpose(1, 2)


def state_pooling(pooling: StatePooling, states: States) -> nn.Module:
    """The layer that makes one vector of the states `[B, D, N]`."""
    if pooling == "last":
        return LastState(states.bidirectional)
    return Mean() if pooling == "mean" else Attention(states.n_out)
