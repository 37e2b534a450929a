"""1-D convolutional networks on the waveform."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from earmark.models.convolutional import Convolutional, build_blocks, map_sides
from earmark.models.stages import Shape, Stages, waveform_shape


@dataclass(frozen=True)
class Conv1d(Convolutional):
    """Settings of a 1-D convolutional network: lengths are in samples."""

    def build(self, shape: Shape) -> Stages:
        """The two stages for waveforms of `shape` `(C, T)`."""
        channels, samples = waveform_shape(shape, "conv1d")
        blocks = self.blocks(lambda length: (1, length))
        _, places = map_sides(blocks, (1, samples))
        backbone = build_blocks(blocks, channels, nn.BatchNorm1d)
        return self.stages(backbone, blocks, (self.filters[-1], places), samples)
