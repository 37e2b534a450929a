"""A small residual network on log-mel bands: ours, for 100 to 5,000 clips on a CPU."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from msgspec import Meta
from torch import nn

from earmark.errors import UserError
from earmark.models.layers import SteppedConv2d
from earmark.models.stages import Shape, Stages, spectrogram_shape
from earmark.models.statistics import StatisticsBranch

PRETRAINED = Path(__file__).with_name("residual.safetensors")
"""Weights to begin with: all of the backbone's but those of `BandNorm`; `python -m pretraining` made them."""


@dataclass(frozen=True)
class Residual:
    """Settings of the residual network."""

    widths: Annotated[tuple[Annotated[int, Meta(ge=1)], ...], Meta(min_length=1)] = (16, 32, 64, 128)
    """Channels of each residual block; from the second on, a block halves bands and frames."""
    stem_kernel: Annotated[int, Meta(ge=1)] = 5
    """Side of the first convolution's kernel, in bands and frames."""
    stem_stride: Annotated[int, Meta(ge=1)] = 2
    """Stride of the first convolution."""
    dropout: Annotated[float, Meta(ge=0, lt=1)] = 0.2
    """Share of the embedding dropped in training."""
    statistics: Annotated[int, Meta(ge=0)] = 0
    """Width of a second branch, on statistics of the features over time; 0: there is none."""
    pretrained: bool = False
    """Begin with weights that come with earmark, learned from made-up sounds, instead of random ones; they fit the
    default widths, stem and one channel."""

    def build(self, shape: Shape) -> Stages:
        """The two stages for features of `shape` `(C, F, N)`."""
        channels, bands, _ = spectrogram_shape(shape, "residual")
        if self.pretrained:
            self._check_pretrained(channels)
        stem = nn.Sequential(
            BandNorm(bands),
            _convolution(channels, self.widths[0], self.stem_kernel, self.stem_stride),
            nn.BatchNorm2d(self.widths[0]),
            nn.ReLU(inplace=True),
        )
        blocks = [
            ResidualBlock(before, width, stride=1 if i == 0 else 2)
            for i, (before, width) in enumerate(
                zip((self.widths[0], *self.widths), self.widths, strict=False)
            )
        ]
        return Stages(
            nn.Sequential(stem, *blocks),
            MeanMaxPool(self.dropout),
            self.widths[-1],
            statistics=StatisticsBranch(bands, self.statistics) if self.statistics else None,
            pretrained=PRETRAINED if self.pretrained else None,
        )

    def _check_pretrained(self, channels: int) -> None:
        """Refuses a network that the learned weights do not fit."""
        wanted = Residual()
        names = ("widths", "stem_kernel", "stem_stride")
        other = [name for name in names if getattr(self, name) != getattr(wanted, name)]
        found = [(f"{name} {_plain(getattr(self, name))}", _plain(getattr(wanted, name))) for name in other]
        if channels != 1:
            found.append((f"{channels} channels", "1"))
        if found:
            raise UserError(
                "network.pretrained",
                f"found {', '.join(one for one, _ in found)}, but the weights that are there to begin with "
                f"want {', '.join(one for _, one in found)}",
                "Set network.pretrained = false, to begin with random weights.",
            )


class BandNorm(nn.Module):
    """Batch norm of each band by itself, so that loud bands do not drown quiet ones.

    Shape: `[B, C, F, N]` -> the same.
    """

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(bands)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise each band over clips and frames."""
        return self.norm(x.transpose(1, 2)).transpose(1, 2)  # type: ignore[no-any-return]


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions around a shortcut (He et al., 2016).

    Shape: `[B, C, F, N]` -> `[B, width, ceil(F / stride), ceil(N / stride)]`.
    """

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _convolution(channels, width, 3, stride),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            _convolution(width, width, 3, 1),
            nn.BatchNorm2d(width),
        )
        same = channels == width and stride == 1
        self.shortcut = (
            nn.Identity()
            if same
            else nn.Sequential(_convolution(channels, width, 1, stride), nn.BatchNorm2d(width))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The block's output."""
        return torch.relu(self.body(x) + self.shortcut(x))


class MeanMaxPool(nn.Module):
    """Mean over bands, then mean plus maximum over frames (Kong et al., 2020), then dropout.

    Shape: `[B, C, F, N]` -> `[B, C]`.
    """

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """One vector a clip."""
        frames = maps.mean(dim=2)
        return self.dropout(frames.mean(dim=2) + frames.amax(dim=2))  # type: ignore[no-any-return]


def _plain(value: int | tuple[int, ...]) -> str:
    return str(list(value) if isinstance(value, tuple) else value)


def _convolution(channels: int, width: int, kernel: int, stride: int) -> nn.Conv2d:
    return SteppedConv2d(channels, width, kernel, stride, padding=kernel // 2, bias=False)
