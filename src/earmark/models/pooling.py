"""From maps to one vector a clip: what a network does with time at its end."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from earmark.models.layers import dense_layers

Pooling = Literal["flatten", "mean", "attention"]
"""`flatten`: every place by itself, clips of one length only; `mean`: over bands and frames; `attention`."""


class Mean(nn.Module):
    """Mean over bands and frames.

    Shape: `[B, C, F, N]` or `[B, C, N]` -> `[B, C]`.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """One vector a clip."""
        return maps.flatten(2).mean(dim=2)


class Attention(nn.Module):
    """Mean over frames, weighted by what a small network says of each (Ilse et al., 2018); bands are averaged.

    Shape: `[B, C, F, N]` or `[B, C, N]` -> `[B, C]`.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(channels, channels)
        self.score = nn.Linear(channels, 1, bias=False)

    def weights(self, maps: Tensor) -> Tensor:
        """Weight `[B, N]` of each frame; they sum to 1."""
        return self._weights(self._frames(maps))

    def forward(self, maps: Tensor) -> Tensor:
        """One vector a clip."""
        frames = self._frames(maps)
        return (self._weights(frames).unsqueeze(1) @ frames).squeeze(1)

    def _frames(self, maps: Tensor) -> Tensor:
        """`[B, N, C]`."""
        return (maps.mean(dim=2) if maps.dim() == 4 else maps).transpose(1, 2)

    def _weights(self, frames: Tensor) -> Tensor:
        scores: Tensor = self.score(torch.tanh(self.hidden(frames)))
        return scores.squeeze(2).softmax(dim=1)


class LastState(nn.Module):
    """The state of a recurrent network when it has heard all: the last frame's, backward the first frame's.

    Shape: `[B, D, N]` -> `[B, D]`.
    """

    def __init__(self, bidirectional: bool) -> None:
        super().__init__()
        self.bidirectional = bidirectional

    def forward(self, maps: Tensor) -> Tensor:
        """One vector a clip."""
        if not self.bidirectional:
            return maps[..., -1]
        half = maps.shape[1] // 2
        return torch.cat([maps[:, :half, -1], maps[:, half:, 0]], dim=1)


def pool_and_dense(
    pool: tuple[str, nn.Module], n_in: int, hidden: Sequence[int], dropout: Sequence[float]
) -> nn.Sequential:
    """The pool stage: a named layer that leaves `n_in` numbers a clip, then dense layers with ReLU and dropout."""
    return nn.Sequential(OrderedDict([pool]) | dense_layers(n_in, hidden, dropout))


def pooling_layer(pooling: Pooling, map_shape: Sequence[int]) -> tuple[str, nn.Module, int]:
    """A pooling with its name and the length of what it leaves of maps `(C, F, N)` or `(C, N)`."""
    channels = map_shape[0]
    if pooling == "flatten":
        return "flatten", nn.Flatten(), int(torch.Size(map_shape).numel())
    layer = Mean() if pooling == "mean" else Attention(channels)
    return pooling, layer, channels
