"""Made-up sounds -> weights: two recordings of one sound are told from all others, and each is described."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from earmark.augment import augment_features, spec_augment
from earmark.dataset import crop_lengths
from earmark.features import Features
from earmark.models.crops import Cropping
from earmark.models.residual import BandNorm, Residual
from earmark.recipe import read_recipe
from pretraining.sounds import SAMPLE_RATE, describe, draw_sound, record

RECIPE = "default"
"""The recipe whose network, features and augmentation these are."""
RATES = {SAMPLE_RATE: 0.5, 16000: 0.25, 8000: 0.25}
"""Sampling rates that sounds are taken to have, in Hz, and how often: the default recipe keeps lower ones."""
CHUNK = 50
"""Sounds drawn at once by one process."""

BATCH = 64
"""Sounds a step, each by two recordings."""
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 1e-2
WARM_UP = 0.15
"""Share of the steps in which the learning rate rises."""
CLIP_NORM = 5.0
TEMPERATURE = 0.1
FILTER_DB = 6.0
"""Colour of a microphone, up to so many dB either way."""


def make_features(
    n_sounds: int, n_recordings: int, seed: int, jobs: int
) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """Features `[n_sounds, n_recordings, F, N]` in dB and descriptions `[n_sounds, n]` of sounds drawn from a seed."""
    starts = range(0, n_sounds, CHUNK)
    chunks = [(range(start, min(start + CHUNK, n_sounds)), n_recordings, seed) for start in starts]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(_chunk, *zip(*chunks, strict=True)))
    features, descriptions = zip(*found, strict=True)
    return np.concatenate(features), np.concatenate(descriptions)


@torch.no_grad()
def _chunk(numbers: range, n_recordings: int, seed: int) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    torch.set_num_threads(1)
    makers = [Features(read_recipe(RECIPE).features, rate) for rate in RATES]
    features, descriptions = [], []
    for number in numbers:
        rng = np.random.default_rng([seed, number])
        sound = draw_sound(rng)
        heard = makers[rng.choice(len(makers), p=list(RATES.values()))]
        waveforms = np.stack([record(sound, rng) for _ in range(n_recordings)])
        features.append(heard(torch.from_numpy(waveforms))[:, 0].half().numpy())
        descriptions.append(describe(sound))
    return np.stack(features), np.stack(descriptions)


class Pretraining:
    """The default network between its features and its embedding, and what it is taught by.

    Args:
        features: `[n_sounds, n_recordings, F, N]` in dB, at least two recordings.
        descriptions: `[n_sounds, n]`, NaN where there is nothing to say.
        n_steps: in all.
        seed: of the first weights and of every draw.
    """

    def __init__(
        self, features: NDArray[np.float16], descriptions: NDArray[np.float32], n_steps: int, seed: int
    ) -> None:
        recipe = read_recipe(RECIPE)
        torch.manual_seed(seed)
        self._draws = torch.Generator().manual_seed(seed)
        self._features = torch.from_numpy(features)
        self._known = torch.from_numpy(~np.isnan(descriptions))
        scaled = (descriptions - np.nanmean(descriptions, axis=0)) / np.nanstd(descriptions, axis=0)
        self._descriptions = torch.from_numpy(np.nan_to_num(scaled))
        self._source = Features(recipe.features, SAMPLE_RATE)
        assert isinstance(recipe.network, Residual)
        assert recipe.audio.crop_seconds
        cropping = Cropping(recipe.audio.crop_seconds, recipe.audio.crop_min_seconds)
        self._lengths = crop_lengths(self._source, cropping)
        self._augment = replace(recipe.augment, filter_db=FILTER_DB, mixup=0.0)
        stages = replace(recipe.network, pretrained=False, statistics=0, dropout=0.0).build(
            (1, *features.shape[2:])
        )
        self.backbone = stages.backbone
        for weight in band_norm(self.backbone).parameters():
            weight.requires_grad = False  # every corpus has its own
        self._network = nn.Sequential(stages.backbone, stages.pool)
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._project = _two_layers(stages.n_embedding, 64)
        self._describe = _two_layers(stages.n_embedding, descriptions.shape[1])
        self._weights = [
            weight
            for part in (self._network, self._project, self._describe)
            for weight in part.parameters()
            if weight.requires_grad
        ]
        self._optimizer = torch.optim.AdamW(self._weights, LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimizer, LEARNING_RATE, total_steps=n_steps, pct_start=WARM_UP
        )
        self.n_steps = n_steps

    def steps(self) -> Iterator[tuple[float, float, float]]:
        """Go on to the last step; of each: both losses, and the share of recordings whose other one is the nearest."""
        for _ in range(self.n_steps):
            chosen = torch.randperm(len(self._features), generator=self._draws)[:BATCH]
            embeddings = torch.cat([self._network(x) for x in self._views(chosen)])
            told, right = contrast(self._project(embeddings))
            known = self._known[chosen].repeat(2, 1)
            wrong = (self._describe(embeddings) - self._descriptions[chosen].repeat(2, 1)).square()
            described = (wrong * known).sum() / known.sum()
            self._optimizer.zero_grad(set_to_none=True)
            (told + described).backward()
            nn.utils.clip_grad_norm_(self._weights, CLIP_NORM)
            self._optimizer.step()
            self._schedule.step()
            yield told.item(), described.item(), right

    def _views(self, chosen: torch.Tensor) -> Iterator[torch.Tensor]:
        """Two different recordings of each sound, cropped and augmented: twice `[B, 1, F, N]`."""
        n, n_recordings = len(chosen), self._features.shape[1]
        first = self._draw(n_recordings, n)
        second = (first + 1 + self._draw(n_recordings - 1, n)) % n_recordings
        no_targets = torch.zeros(n, 0)
        for which in (first, second):
            clips = self._features[chosen, which].float()
            length = self._lengths[0] + int(self._draw(self._lengths[1] - self._lengths[0] + 1))
            starts = self._draw(clips.shape[2] - length + 1, n)
            frames = starts[:, None] + torch.arange(length)
            x = clips.gather(2, frames[:, None].expand(-1, clips.shape[1], -1))[:, None]
            x, _ = augment_features(x, no_targets, self._augment, self._source, self._draws)
            x = spec_augment(x, self._augment, self._source, self._draws)
            yield x.contiguous(memory_format=torch.channels_last)

    def _draw(self, below: int, n: int = 1) -> torch.Tensor:
        return torch.randint(below, (n,), generator=self._draws)

    def weights(self) -> dict[str, torch.Tensor]:
        """What is worth keeping, in half precision: of the backbone all but the norm of its bands."""
        norm = band_norm(self.backbone)
        apart = {id(value) for value in (*norm.parameters(), *norm.buffers())}
        state = self.backbone.state_dict(keep_vars=True)
        return {
            name: value.detach().half().contiguous()
            for name, value in state.items()
            if id(value) not in apart and value.is_floating_point()
        }


def contrast(projected: torch.Tensor) -> tuple[torch.Tensor, float]:
    """The loss NT-Xent (Chen et al., 2020) of `[2 B, n]`, row i a partner of row i + B, and how many find theirs."""
    n = len(projected) // 2
    unit = F.normalize(projected, dim=1)
    similarity = (unit @ unit.T / TEMPERATURE).fill_diagonal_(-torch.inf)
    partner = torch.arange(2 * n).roll(n)
    return F.cross_entropy(similarity, partner), float((similarity.argmax(dim=1) == partner).float().mean())


def band_norm(backbone: nn.Module) -> BandNorm:
    """The norm of the bands, the network's first layer."""
    return next(layer for layer in backbone.modules() if isinstance(layer, BandNorm))


def _two_layers(n: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n, 2 * n), nn.ReLU(), nn.Linear(2 * n, n_out))
