"""Layers that the families share: convolutions and pools padded as Keras pads, and stacks of dense layers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar

import torch
from msgspec import Meta
from torch import Tensor, nn
from torch.nn import functional as F

from earmark.errors import UserError

T = TypeVar("T")

Sides = tuple[int, int]
"""A length in bands and one in frames; of 1-D networks 1 and a length in samples."""
Padding = Literal["valid", "same"]
"""`valid`: none; `same`: so much that `ceil(length / stride)` places come out, the odd one at the end (Keras)."""
Activation = Literal["relu", "leaky-relu"]
"""`relu`, or `leaky-relu` of slope 0.3 (Keras's)."""

Width = Annotated[int, Meta(ge=1)]
Dropout = Annotated[float, Meta(ge=0, lt=1)]
Sizes = Width | tuple[Width, ...]
Dropouts = Dropout | tuple[Dropout, ...]
Strength = Annotated[float, Meta(ge=0)]

NORM_MOMENTUM, NORM_EPS = 0.01, 1e-3
"""Of batch norms, as Keras has them: running statistics move by 1 % a step."""


class SteppedConv2d(nn.Conv2d):
    """Like torch's, but a strided 1 x 1 kernel steps over the maps first and is then computed without a stride.

    The result is the same. With a stride, oneDNN writes past its memory in the backward pass of channels_last
    maps of few channels, on several threads: wrong weights or a crash (uxlfoundation/oneDNN#6035). The steps are
    those of a pool, since a slice would hand back gradients with the channels first.

    Shape: `[B, C, F, N]` -> `[B, out_channels, F', N']`.
    """

    def forward(self, x: Tensor) -> Tensor:
        """The maps."""
        if self.kernel_size == (1, 1) and self.stride != (1, 1):
            return F.conv2d(F.avg_pool2d(x, 1, self.stride), self.weight, self.bias)
        return super().forward(x)


class Convolution(SteppedConv2d):
    """A convolution over bands and frames, or over samples: 1-D is computed as (1, k), quicker in channels_last.

    Shape: `[B, C, F, N]` -> `[B, filters, F', N']`, or `[B, C, T]` -> `[B, filters, T']`.
    """

    def __init__(self, channels: int, filters: int, kernel: Sides, stride: Sides, padding: Padding) -> None:
        super().__init__(channels, filters, kernel, stride)
        self.same = padding == "same"

    def forward(self, x: Tensor) -> Tensor:
        """The maps."""
        if x.dim() == 3:
            return self.forward(x.unsqueeze(2)).squeeze(2)
        (top, bottom), (left, right) = (
            _same_padding(x, self.kernel_size, self.stride) if self.same else ((0, 0), (0, 0))
        )
        is_trained = torch.is_grad_enabled() and not torch.compiler.is_compiling()
        if is_trained and x.shape[2] == self.kernel_size[0] == 1 and self.stride[1] > 1:
            return self._folded(x, left, right)
        if not (bottom or right):
            return super().forward(x)
        if (top, left) != (bottom, right):
            x, top, left = F.pad(x, (left, right, top, bottom)), 0, 0
        return F.conv2d(x, self.weight, self.bias, self.stride, (top, left))

    def _folded(self, x: Tensor, left: int, right: int) -> Tensor:
        """The maps of `[B, C, 1, T]`, padded so, without a stride, whose backward pass takes a third longer.

        Each `stride` samples become one place of that many times the channels, of the kernel too.
        """
        s, k = self.stride[1], self.kernel_size[1]
        places = out_length(left + x.shape[3] + right, k, s, "valid") + -(-k // s) - 1
        x = F.pad(x, (left, places * s - left - x.shape[3]))
        return F.conv2d(_fold(x, s), _fold(F.pad(self.weight, (0, -k % s)), s), self.bias)


def _fold(x: Tensor, step: int) -> Tensor:
    """`[B, C, 1, T]` -> `[B, step * C, 1, T / step]`: neighbours in time become channels."""
    b, c, _, t = x.shape
    return x.squeeze(2).transpose(1, 2).reshape(b, t // step, step * c).transpose(1, 2).unsqueeze(2)


class MaxPool(nn.Module):
    """The largest value under each place of a window; what is padded never is.

    Shape: `[B, C, F, N]` -> `[B, C, F', N']`, or `[B, C, T]` -> `[B, C, T']`.
    """

    def __init__(self, kernel: Sides, stride: Sides, padding: Padding) -> None:
        super().__init__()
        self.kernel, self.stride, self.same = kernel, stride, padding == "same"

    def extra_repr(self) -> str:
        """The settings, for print."""
        return f"kernel={self.kernel}, stride={self.stride}, same={self.same}"

    def forward(self, x: Tensor) -> Tensor:
        """The maxima."""
        if x.dim() == 3:
            return self.forward(x.unsqueeze(2)).squeeze(2)
        if not self.same:
            return F.max_pool2d(x, self.kernel, self.stride)
        # A window that is alone on its side needs to be no wider than the map; exporters want it so.
        lengths = x.shape[2:]
        height, width = (
            min(k, length) if length <= s else k
            for k, s, length in zip(self.kernel, self.stride, lengths, strict=True)
        )
        (top, bottom), (left, right) = _same_padding(x, (height, width), self.stride)
        if (bottom > top and self.stride[0] == 1) or (right > left and self.stride[1] == 1):
            x, top, left = F.pad(x, (left, right, top, bottom), value=float("-inf")), 0, 0
        # The odd place at the end comes of ceil_mode: no copy with a margin is made.
        return F.max_pool2d(x, (height, width), self.stride, (top, left), ceil_mode=True)


def _same_padding(x: Tensor, kernel: Sequence[int], stride: Sequence[int]) -> list[Sides]:
    """Places to add before and after bands and frames."""
    totals = [
        max((out_length(length, k, s, "same") - 1) * s + k - length, 0)
        for length, k, s in zip(x.shape[2:], kernel, stride, strict=True)
    ]
    return [(total // 2, total - total // 2) for total in totals]


def out_length(length: int, kernel: int, stride: int, padding: Padding) -> int:
    """Places that come out of so many; below 1 where the kernel does not fit."""
    return -(-length // stride) if padding == "same" else (length - kernel) // stride + 1


def least_length(out: int, kernel: int, stride: int, padding: Padding) -> int:
    """The fewest places that so many come out of."""
    return (out - 1) * stride + (1 if padding == "same" else kernel)


def activation_layer(name: Activation, inplace: bool = True) -> nn.Module:
    """The activation of this name; in place it needs no memory of its own."""
    return nn.ReLU(inplace) if name == "relu" else nn.LeakyReLU(0.3, inplace)


def dense_layers(
    n_in: int, hidden: Sequence[int], dropout: Sequence[float], batch_norm: bool = False
) -> OrderedDict[str, nn.Module]:
    """Dense layers with ReLU, each followed by batch norm if asked and by dropout where it is above 0.

    Shape: `[B, n_in]` -> `[B, hidden[-1]]`.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for i, (n, share) in enumerate(zip(hidden, dropout, strict=True), start=1):
        layers[f"dense{i}"] = nn.Linear(n_in, n)
        layers[f"relu{i}"] = nn.ReLU(inplace=True)
        if batch_norm:
            layers[f"norm{i}"] = nn.BatchNorm1d(n, NORM_EPS, NORM_MOMENTUM)
        if share:
            layers[f"dropout{i}"] = nn.Dropout(share)
        n_in = n
    return layers


def penalised(
    module: nn.Module, kind: type[nn.Module], strength: float
) -> tuple[tuple[nn.Parameter, float], ...]:
    """The weights (not biases) of all layers of a kind within a module, each with its L2 strength."""
    weights = (layer.weight for layer in module.modules() if isinstance(layer, kind))
    return tuple((weight, strength) for weight in weights if isinstance(weight, nn.Parameter) and strength)


def per_layer(values: T | tuple[T, ...], n: int, name: str) -> tuple[T, ...]:
    """A setting for each of n layers, from one value for all or from a list.

    Raises:
        UserError: a list of another length.
    """
    if not isinstance(values, tuple):
        return (values,) * n
    if len(values) != n:
        raise UserError(
            f"network.{name}",
            f"found {list(values)}, {len(values)} values for {n} layers",
            "Write one value for all layers, or a list with one for each.",
        )
    return values
