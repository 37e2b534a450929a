"""Convolutional-recurrent networks: convolutions see bands, a recurrent network hears their maps in order."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta
from torch import nn

from earmark.models.convolutional import Block, build_blocks, least_frames, map_sides
from earmark.models.layers import Dropouts, Sizes, Width, dense_layers, per_layer
from earmark.models.recurrent import Cell, StatePooling, States, state_pooling
from earmark.models.stages import Shape, Stages, spectrogram_shape


@dataclass(frozen=True)
class CRNN:
    """Settings of a convolutional-recurrent network (Choi et al., 2017); lists have one value a convolution."""

    filters: Annotated[tuple[Width, ...], Meta(min_length=1)] = (32, 64, 64)
    """Filters of each convolution; `same` padding, batch norm and ReLU."""
    kernels: Sizes = 3
    """Side of each kernel, in bands and frames."""
    band_pools: Sizes = (2, 4, 4)
    """Bands that each max-pool makes one of; left-over bands are dropped."""
    frame_pools: Sizes = (2, 2, 1)
    """Frames that each max-pool makes one of."""
    dropout: Dropouts = 0.0
    """Share of the maps dropped after each convolution, in training."""
    cell: Cell = "gru"
    """`gru` or `lstm`."""
    width: Width = 64
    """Length of the state, in each direction."""
    layers: Width = 1
    """Recurrent layers, one upon the other."""
    bidirectional: bool = True
    """Hear each clip backward too."""
    pooling: StatePooling = "attention"
    """What becomes of time: `last` (the state when all is heard), `mean` or `attention`."""
    hidden: tuple[Width, ...] = ()
    """Length of each dense layer before the head; ReLU follows."""
    hidden_dropout: Dropouts = 0.0
    """Share dropped after each dense layer, in training."""

    def build(self, shape: Shape) -> Stages:
        """The two stages for features of `shape` `(C, F, N)`: convolutions; then states and their pooling."""
        channels, bands, frames = spectrogram_shape(shape, "crnn")
        blocks = self._blocks()
        map_bands, _ = map_sides(blocks, (bands, frames))
        backbone = build_blocks(blocks, channels, nn.BatchNorm2d)
        states = States(self.filters[-1] * map_bands, self.cell, self.width, self.layers, self.bidirectional)
        dropout = per_layer(self.hidden_dropout, len(self.hidden), "hidden_dropout")
        pool = nn.Sequential(
            OrderedDict([("states", states), (self.pooling, state_pooling(self.pooling, states))])
            | dense_layers(states.n_out, self.hidden, dropout)
        )
        return Stages(backbone, pool, (states.n_out, *self.hidden)[-1], least_frames(blocks))

    def _blocks(self) -> list[Block]:
        n = len(self.filters)
        pools = zip(
            per_layer(self.band_pools, n, "band_pools"),
            per_layer(self.frame_pools, n, "frame_pools"),
            strict=True,
        )
        return [
            Block(filters, (k, k), pool=pool, pool_stride=pool, batch_norm=True, dropout=dropout)
            for filters, k, pool, dropout in zip(
                self.filters,
                per_layer(self.kernels, n, "kernels"),
                pools,
                per_layer(self.dropout, n, "dropout"),
                strict=True,
            )
        ]
