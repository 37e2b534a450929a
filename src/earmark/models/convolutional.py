"""What convolutional networks have in common: blocks of convolution, pooling and norm, and their lengths."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta
from torch import nn

from earmark.errors import UserError
from earmark.models.layers import (
    NORM_EPS,
    NORM_MOMENTUM,
    Activation,
    Convolution,
    Dropouts,
    MaxPool,
    Padding,
    Sides,
    Sizes,
    Strength,
    Width,
    activation_layer,
    least_length,
    out_length,
    penalised,
    per_layer,
)
from earmark.models.pooling import Pooling, pool_and_dense, pooling_layer
from earmark.models.stages import Shape, Stages


@dataclass(frozen=True)
class Block:
    """One convolution and what follows it; lengths are (bands, frames), of 1-D networks (1, samples)."""

    filters: int
    """Channels that come out."""
    kernel: Sides
    """Of the convolution."""
    stride: Sides = (1, 1)
    """Of the convolution."""
    padding: Padding = "same"
    """Of the convolution."""
    pool: Sides = (1, 1)
    """Window of the max-pool; (1, 1): none."""
    pool_stride: Sides = (1, 1)
    """Of the max-pool."""
    pool_padding: Padding = "valid"
    """Of the max-pool."""
    activation: Activation = "relu"
    """After the pool: the largest value is the same before as after, and there are fewer to touch."""
    batch_norm: bool = False
    """Batch norm after the activation."""
    dropout: float = 0.0
    """Share dropped at the end, in training."""


def build_blocks(blocks: Sequence[Block], channels: int, norm: type[nn.Module]) -> nn.Sequential:
    """The blocks in a row: `[B, C, F, N]` or `[B, C, T]` -> maps with as many axes.

    Args:
        blocks: from the first to the last.
        channels: of the features.
        norm: `BatchNorm2d`, or `BatchNorm1d` for waveforms.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    # 1-D maps are views of (1, k) maps: to write into one costs the backward pass as much again.
    inplace = norm is nn.BatchNorm2d
    for i, b in enumerate(blocks, start=1):
        layers[f"conv{i}"] = Convolution(channels, b.filters, b.kernel, b.stride, b.padding)
        if (b.pool, b.pool_stride) != ((1, 1), (1, 1)):
            layers[f"pool{i}"] = MaxPool(b.pool, b.pool_stride, b.pool_padding)
        layers[f"relu{i}"] = activation_layer(b.activation, inplace)
        if b.batch_norm:
            layers[f"norm{i}"] = norm(b.filters, NORM_EPS, NORM_MOMENTUM)
        if b.dropout:
            layers[f"dropout{i}"] = nn.Dropout(b.dropout)
        channels = b.filters
    return nn.Sequential(layers)


def map_sides(blocks: Sequence[Block], sides: Sides) -> Sides:
    """Bands and frames of the maps that the blocks make of so many.

    Raises:
        UserError: a kernel or a pool that does not fit.
    """
    for i, block in enumerate(blocks, start=1):
        for name, kernel, stride, padding in (
            ("convolution", block.kernel, block.stride, block.padding),
            ("pool", block.pool, block.pool_stride, block.pool_padding),
        ):
            out = tuple(
                out_length(length, k, s, padding) for length, k, s in zip(sides, kernel, stride, strict=True)
            )
            if min(out) < 1:
                raise UserError(
                    "network",
                    f"{name} {i} wants at least {_by(kernel)} and finds a map of {_by(sides)} (bands x frames)",
                    "Take longer crops, a smaller hop_length, more bands, smaller kernels or fewer layers.",
                )
            sides = out[0], out[1]
    return sides


def least_frames(blocks: Sequence[Block]) -> int:
    """The fewest frames (samples) that go through the blocks."""
    n = 1
    for block in reversed(blocks):
        n = least_length(n, block.pool[1], block.pool_stride[1], block.pool_padding)
        n = least_length(n, block.kernel[1], block.stride[1], block.padding)
    return n


def _by(sides: Sides) -> str:
    return f"{sides[0]} x {sides[1]}"


@dataclass(frozen=True)
class Convolutional:
    """Settings that 1-D and 2-D convolutional networks share.

    A block is: convolution, max-pool, activation, batch norm, dropout. Lists have one value a block; a single
    value stands for all blocks.
    """

    filters: Annotated[tuple[Width, ...], Meta(min_length=1)] = (32, 64, 128)
    """Filters of each convolution."""
    kernels: Sizes = 3
    """Side of each kernel: bands and frames, or samples."""
    strides: Sizes = 1
    """Stride of each convolution."""
    padding: Padding = "same"
    """Of the convolutions: `valid` (none), or `same`: `ceil(length / stride)` places come out."""
    pools: Sizes = 1
    """Side of the max-pool of each block; 1: none."""
    pool_strides: Sizes | None = None
    """Stride of each max-pool; none: its side."""
    pool_padding: Padding = "valid"
    """Of the max-pools, as `padding`."""
    activation: Activation = "relu"
    """Of the convolutions: `relu`, or `leaky-relu` of slope 0.3; dense layers have `relu`."""
    batch_norm: bool = False
    """Batch norm in each block."""
    dropout: Dropouts = 0.0
    """Share of the maps dropped at the end of each block, in training."""
    l2: Strength = 0.0
    """L2 penalty of the convolutions' weights: `l2 * sum(weight ** 2)` is added to the loss."""
    pooling: Pooling = "flatten"
    """What becomes of time: `flatten` (clips of one length only), `mean` or `attention`."""
    hidden: tuple[Width, ...] = ()
    """Length of each dense layer before the head; ReLU follows."""
    hidden_dropout: Dropouts = 0.0
    """Share dropped after each dense layer, in training."""
    hidden_l2: Strength = 0.0
    """L2 penalty of the dense layers' weights."""

    def blocks(self, sides: Callable[[int], Sides]) -> list[Block]:
        """The blocks; `sides` says what a length is in bands and frames."""
        n = len(self.filters)
        pools = per_layer(self.pools, n, "pools")
        pool_strides = pools if self.pool_strides is None else per_layer(self.pool_strides, n, "pool_strides")
        return [
            Block(
                filters,
                sides(kernel),
                sides(stride),
                self.padding,
                sides(pool),
                sides(pool_stride),
                self.pool_padding,
                self.activation,
                self.batch_norm,
                dropout,
            )
            for filters, kernel, stride, pool, pool_stride, dropout in zip(
                self.filters,
                per_layer(self.kernels, n, "kernels"),
                per_layer(self.strides, n, "strides"),
                pools,
                pool_strides,
                per_layer(self.dropout, n, "dropout"),
                strict=True,
            )
        ]

    def stages(
        self, backbone: nn.Sequential, blocks: Sequence[Block], map_shape: Shape, frames: int
    ) -> Stages:
        """The stages around a backbone whose maps of `frames` frames have `map_shape`."""
        name, layer, n_in = pooling_layer(self.pooling, map_shape)
        dropout = per_layer(self.hidden_dropout, len(self.hidden), "hidden_dropout")
        pool = pool_and_dense((name, layer), n_in, self.hidden, dropout)
        return Stages(
            backbone,
            pool,
            (n_in, *self.hidden)[-1],
            least_frames(blocks),
            frames if self.pooling == "flatten" else None,
            penalised(backbone, Convolution, self.l2) + penalised(pool[1:], nn.Linear, self.hidden_l2),
        )
