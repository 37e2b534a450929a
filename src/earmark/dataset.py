"""Clips -> batches: crops of cached features, drawn anywhere, gathered in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from earmark.features import Features, Waveform
from earmark.models.crops import Cropping


class TrainingBatches:
    """Random crops of the training clips, an epoch at a time.

    Args:
        clips: features `[N, F]` of each clip, frames first.
        targets: float `[n, n_classes]`: 0, 1, or NaN where unknown.
        features: what made them; tells the floor and how long crops are.
        cropping: lengths of crops in seconds.
        batch_size: clips a batch; an epoch is cut into batches of nearly this size, so that none is tiny.
        generator: every draw comes from it.
    """

    def __init__(
        self,
        clips: Sequence[NDArray[np.float32]],
        targets: NDArray[np.float32],
        features: Features,
        cropping: Cropping,
        batch_size: int,
        generator: torch.Generator,
    ) -> None:
        self.clips = clips
        self.targets = torch.from_numpy(targets)
        self.generator = generator
        self.n_batches = max(1, round(len(clips) / batch_size))
        self.min_frames, self.max_frames = crop_lengths(features, cropping)
        self._floor = features.floor.cpu().numpy()
        self._one_dimensional = isinstance(features.config, Waveform)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Batches of one epoch: features `[B, C, F, N]` (or `[B, C, T]`) and targets `[B, n_classes]`."""
        order = torch.randperm(len(self.clips), generator=self.generator)
        for indices in order.tensor_split(self.n_batches):
            n_frames = self._draw(self.min_frames, self.max_frames)
            yield self._gather(indices.tolist(), n_frames), self.targets[indices]

    def _gather(self, indices: list[int], n_frames: int) -> torch.Tensor:
        frames = np.empty((len(indices), n_frames, len(self._floor)), np.float32)
        for row, index in zip(frames, indices, strict=True):
            self._crop(self.clips[index], row)
        return as_features(frames, self._one_dimensional)

    def _crop(self, clip: NDArray[np.float32], row: NDArray[np.float32]) -> None:
        """Put a random crop of `clip` into `row`; a shorter clip stands anywhere in it, on the floor."""
        spare = len(clip) - len(row)
        at = self._draw(0, abs(spare))
        if spare >= 0:
            row[:] = clip[at : at + len(row)]
        else:
            row[:] = self._floor
            row[at : at + len(clip)] = clip

    def _draw(self, low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=self.generator))


def crop_lengths(features: Features, cropping: Cropping) -> tuple[int, int]:
    """Frames of the shortest and of the longest training crop."""
    rate = features.sample_rate
    shortest = min(cropping.min_seconds or cropping.seconds, cropping.seconds)
    return features.n_frames(round(shortest * rate)), features.n_frames(round(cropping.seconds * rate))


def as_features(frames: NDArray[np.float32], one_dimensional: bool) -> torch.Tensor:
    """Frames `[B, N, F]` as features `[B, 1, F, N]`, or `[B, 1, T]` for 1-D networks."""
    features = torch.from_numpy(frames).transpose(1, 2)
    return features.contiguous() if one_dimensional else features[:, None].contiguous()
