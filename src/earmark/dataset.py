"""Clips -> batches: crops of cached features, drawn anywhere, gathered in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from earmark.cache import FeatureStore
from earmark.clips import ClipTable, format_seconds
from earmark.features import Features, Waveform, sounding
from earmark.models.crops import Cropping, pad_end
from earmark.teamwork import ALONE, Team

DRAWS = 32
"""Of a crop at most, until there is sound in it."""


class TrainingBatches:
    """Random crops of the training clips, an epoch at a time.

    Args:
        clips: features `[N, F]` of each clip, frames first.
        targets: float `[n, n_classes]`: 0, 1, or NaN where unknown.
        features: what made them; tells the floor and how long crops are.
        cropping: lengths of crops in seconds.
        batch_size: clips a batch; an epoch is cut into batches of nearly this size, so that none is tiny.
        generator: every draw comes from it.
        team: of several processes, each gets its share of every batch.
    """

    def __init__(
        self,
        clips: Sequence[NDArray[np.float32]],
        targets: NDArray[np.float32],
        features: Features,
        cropping: Cropping,
        batch_size: int,
        generator: torch.Generator,
        team: Team = ALONE,
    ) -> None:
        self.clips = clips
        self.targets = torch.from_numpy(targets)
        self.generator = generator
        self.team = team
        self.n_batches = max(1, round(len(clips) / batch_size))
        self.min_frames, self.max_frames = crop_lengths(features, cropping)
        self._floor = features.floor.cpu()
        self._one_dimensional = isinstance(features.config, Waveform)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Batches of one epoch: features `[B, C, F, N]` (or `[B, C, T]`) and targets `[B, n_classes]`."""
        together, own = self._generators()
        order = torch.randperm(len(self.clips), generator=together)
        for indices in order.tensor_split(self.n_batches):
            n_frames = _draw(together, self.min_frames, self.max_frames)
            share = indices.tensor_split(self.team.size)[self.team.rank]
            yield self._gather(share.tolist(), n_frames, own), self.targets[share]

    def _generators(self) -> tuple[torch.Generator, torch.Generator]:
        """Of what all processes draw alike, and of what each draws for its share: in a process alone the same."""
        if self.team.size == 1:
            return self.generator, self.generator
        seed = self.team.agree(_draw(self.generator, 0, 2**62))
        return torch.Generator().manual_seed(seed), torch.Generator().manual_seed(seed + 1 + self.team.rank)

    def _gather(self, indices: list[int], n_frames: int, generator: torch.Generator) -> torch.Tensor:
        frames = np.empty((len(indices), n_frames, len(self._floor)), np.float32)
        clips = [self.clips[index] for index in indices]
        if all(len(clip) == n_frames for clip in clips):
            np.stack(clips, out=frames)
            torch.randint(1, (len(clips),), generator=generator)  # as many draws as where there is room
        else:
            for row, clip in zip(frames, clips, strict=True):
                self._crop(clip, row, generator)
        return as_features(frames, self._one_dimensional)

    def _crop(self, clip: NDArray[np.float32], row: NDArray[np.float32], generator: torch.Generator) -> None:
        """Put a random crop of `clip` into `row`; a shorter clip stands anywhere in it, on the floor.

        A crop of nothing but digital silence, as recordings are padded with, is drawn again: it tells no class.
        """
        spare = len(clip) - len(row)
        if spare < 0:
            at = _draw(generator, 0, -spare)
            row[:] = self._floor.numpy()
            row[at : at + len(clip)] = clip
            return
        for _ in range(DRAWS):
            at = _draw(generator, 0, spare)
            row[:] = clip[at : at + len(row)]
            if not spare or sounding(torch.from_numpy(row.T), self._floor).any():
                return


class ClipDataset(Dataset[tuple[torch.Tensor, torch.Tensor, str]]):
    """The clips of a table for a training loop of one's own: `(features, target, clip id)`, as a DataLoader wants.

    Args:
        table: labelled clips.
        features: what turns waveforms into features.
        seconds: length of every item; longer clips are cut at their end, shorter ones end in silence.
        resampler: how recordings are brought to the features' rate.
        transform: called with the features `[C, F, N]` of each item; none: they stay as they are.

    An item's target is an int64 scalar, or float32 `[n_classes]` with NaN where unknown; its id is the table's
    key, `file,start,end`. `unusable` tells which clips of the table cannot be used, and are no items.
    """

    def __init__(
        self,
        table: ClipTable,
        features: Features,
        seconds: float,
        resampler: str = "soxr",
        transform: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> None:
        found = FeatureStore(features, resampler).collect(table)
        good = found.good()
        self.clips = found.take(np.flatnonzero(good))
        self.table = table.take(good)
        self.unusable = dict(
            zip(_ids(table.take(~good)), np.array(found.reasons)[~good].tolist(), strict=True)
        )
        self.transform = transform
        self._ids = _ids(self.table)
        self._targets = torch.from_numpy(self.table.targets())
        self._features = features
        self._n_frames = features.n_frames(round(seconds * features.sample_rate))

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor, str]:
        one_dimensional = isinstance(self._features.config, Waveform)
        x = as_features(np.array(self.clips[index][: self._n_frames])[None], one_dimensional)[0]
        x = pad_end(x, self._n_frames, self._features.floor)
        return x if self.transform is None else self.transform(x), self._targets[index], self._ids[index]


def _draw(generator: torch.Generator, low: int, high: int) -> int:
    return int(torch.randint(low, high + 1, (), generator=generator))


def _ids(table: ClipTable) -> list[str]:
    keys = zip(table.frame["file"], table.frame["start"], table.frame["end"], strict=True)
    return [f"{file},{format_seconds(start)},{format_seconds(end)}" for file, start, end in keys]


def crop_lengths(features: Features, cropping: Cropping) -> tuple[int, int]:
    """Frames of the shortest and of the longest training crop."""
    rate = features.sample_rate
    shortest = min(cropping.min_seconds or cropping.seconds, cropping.seconds)
    return features.n_frames(round(shortest * rate)), features.n_frames(round(cropping.seconds * rate))


def as_features(frames: NDArray[np.float32], one_dimensional: bool) -> torch.Tensor:
    """Frames `[B, N, F]` as features `[B, 1, F, N]`, or `[B, 1, T]` for 1-D networks."""
    features = torch.from_numpy(frames).transpose(1, 2)
    return features.contiguous() if one_dimensional else features[:, None].contiguous()
