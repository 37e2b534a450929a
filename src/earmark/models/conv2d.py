"""2-D convolutional networks on spectrograms and MFCC."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from earmark.models.convolutional import Convolutional, build_blocks, map_sides
from earmark.models.stages import Shape, Stages, spectrogram_shape


@dataclass(frozen=True)
class Conv2d(Convolutional):
    """Settings of a 2-D convolutional network: kernels, strides and pools are square, in bands and frames."""

    def build(self, shape: Shape) -> Stages:
        """The two stages for features of `shape` `(C, F, N)`."""
        channels, bands, frames = spectrogram_shape(shape, "conv2d")
        blocks = self.blocks(lambda length: (length, length))
        sides = map_sides(blocks, (bands, frames))
        backbone = build_blocks(blocks, channels, nn.BatchNorm2d)
        return self.stages(backbone, blocks, (self.filters[-1], *sides), frames)
