"""Whether an explanation is true: what it keeps and removes is scored again, beside masks that know nothing."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from earmark.explaining.asking import Heard, hear
from earmark.explaining.masking import Patches, Spectrum, above, energy_rank, random_map
from earmark.explaining.methods import METHODS
from earmark.models import Classifier

SHARES = (0.1, 0.2, 0.3, 0.4)
"""Shares of the energy at which kept and removed sounds are scored."""
N_RANDOM = 19
"""Random masks; a map that knows nothing beats them all in 1 of 20 clips."""
GAIN_DB = 1.0
"""Of the test whether a map is stable."""


@dataclass(frozen=True)
class Point:
    """What is left of the answer when a share of the energy is kept, or removed."""

    share: float
    """Of the energy."""
    kept: float
    """Score of the answer for what is kept, in [0, 1]."""
    removed: float
    """Score of the answer for the rest."""
    same: bool
    """Whether the likeliest class of what is kept is that of the clip."""


@dataclass(frozen=True)
class Curves:
    """A map put to the test on one clip: points by rising share (insertion: `kept`; deletion: `removed`)."""

    points: tuple[Point, ...]

    @property
    def gap(self) -> float:
        """Mean over the shares of the score of what is kept less that of the rest, in [-1, 1]."""
        return float(np.mean([one.kept - one.removed for one in self.points]))


@dataclass(frozen=True)
class Figures:
    """What a masked clip shows of its explanation, as in L-MAC (Paissan et al., ICML 2024); means are over clips."""

    increase: float
    """AI: 1 where what is kept scores higher than the clip."""
    drop: float
    """AD: share of the clip's score that is lost in what is kept."""
    gain: float
    """AG: share of what was missing to 1 that is won in what is kept."""
    faithfulness: float
    """FF: score of the clip less that of the rest."""
    fidelity: float
    """Fid-In: 1 where the likeliest class of what is kept is that of the clip."""


@dataclass(frozen=True)
class Truth:
    """How an explanation of one clip stood the test."""

    score: float
    """Of the answer, for the whole clip."""
    found: Curves
    """Of the map."""
    random: tuple[Curves, ...]
    """Of random masks of the same energy."""

    @property
    def n_beaten(self) -> int:
        """Random masks that the map is better than."""
        return sum(self.found.gap > one.gap for one in self.random)

    @property
    def informative(self) -> bool:
        """Whether the map beats every random mask."""
        return self.n_beaten == len(self.random)


@dataclass(frozen=True)
class Sanity:
    """Whether a map follows the model, and not the way it is computed; rank correlations in [-1, 1]."""

    other_head: float
    """With the map of the same network with a random last layer: low in a map that follows the model."""
    louder: float
    """With the map of the clip 1 dB louder: high in a stable one."""


@torch.no_grad()
def put_to_test(heard: Heard, importance: Tensor, seed: int = 0, n_random: int = N_RANDOM) -> Truth:
    """Score what a map `[F, N]` keeps and removes at each of `SHARES`, and the same of random maps."""
    generator = torch.Generator().manual_seed(seed)
    whole = heard.answers(heard.spectrum.waveform[None])
    first = int(whole.scores.argmax())
    maps = [importance, *(random_map(heard.spectrum, generator) for _ in range(n_random))]
    found, *random = (_curves(heard, one, first, seed) for one in maps)
    return Truth(float(whole.value), found, tuple(random))


def figures(score: float, point: Point) -> Figures:
    """The figures of one clip from its score and what is left of it at one share of the energy."""
    return Figures(
        increase=float(point.kept > score),
        drop=max(0.0, score - point.kept) / max(score, 1e-12),
        gain=max(0.0, point.kept - score) / max(1 - score, 1e-12),
        faithfulness=score - point.removed,
        fidelity=float(point.same),
    )


def sanity(heard: Heard, method: str, importance: Tensor, seed: int = 0) -> Sanity:
    """Explain again with another head, and with the clip 1 dB louder."""
    other = Heard(with_random_head(heard, seed), heard.spectrum, heard.question)
    louder = hear(heard.model, heard.spectrum.waveform * 10 ** (GAIN_DB / 20), heard.question)
    way = METHODS[method].map
    return Sanity(
        alike(heard.spectrum, importance, way(other, seed)),
        alike(heard.spectrum, importance, way(louder, seed)),
    )


def with_random_head(heard: Heard, seed: int) -> Classifier:
    """The model with a last layer drawn anew (Adebayo et al., 2018)."""
    model = copy.deepcopy(heard.model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model.head.reset_parameters()
    return model


def alike(spectrum: Spectrum, a: Tensor, b: Tensor) -> float:
    """Spearman's rank correlation of two maps over a coarse grid; 0 where one of them is flat."""
    patches = Patches(spectrum, min(24, spectrum.shape[0]), max(2, min(64, spectrum.shape[1])))
    size = patches.gather(torch.ones(spectrum.shape)).clamp_min(1e-6)
    ranks = [_ranks((patches.gather(one.to(size)) / size).flatten().numpy()) for one in (a, b)]
    if min(rank.std() for rank in ranks) == 0:
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


@dataclass(frozen=True)
class Region:
    """Where the evidence was put: seconds and Hz."""

    start: float
    end: float
    low: float
    high: float

    def mask(self, spectrum: Spectrum) -> Tensor:
        """Its places `[F, N]`: 1 inside, 0 outside."""
        times, hertz = spectrum.times(), spectrum.frequencies()
        columns = (times >= self.start) & (times <= self.end)
        rows = (hertz >= self.low) & (hertz <= self.high)
        return (rows[:, None] & columns).float()


@dataclass(frozen=True)
class Pointing:
    """How well a map finds a known region."""

    hit: bool
    """The pointing game (Zhang et al., 2018): the map is highest inside the region, or there too."""
    inside: float
    """Share of the map (what is above 0) that lies inside."""
    by_chance: float
    """What `inside` would be of a flat map: the region's share of all places."""


def point(spectrum: Spectrum, importance: Tensor, region: Region) -> Pointing:
    """Hold a map against the region that its evidence is known to be in."""
    where, above_zero = region.mask(spectrum), importance.float().clamp_min(0)
    total = float(above_zero.sum())
    return Pointing(
        bool((where[importance >= importance.max()] > 0).any()),
        float((above_zero * where).sum()) / total if total else 0.0,
        float(where.mean()),
    )


def _curves(heard: Heard, importance: Tensor, first: int, seed: int) -> Curves:
    spectrum = heard.spectrum
    rank = energy_rank(spectrum, importance, seed)
    kept = spectrum.keep(torch.stack([above(spectrum, rank, share) for share in SHARES]))
    both = torch.cat([kept, spectrum.waveform - kept])
    answers = heard.answers(both)
    same = answers.scores[: len(SHARES)].argmax(dim=1) == first
    values = answers.value.tolist()
    return Curves(
        tuple(
            Point(share, values[i], values[len(SHARES) + i], bool(same[i])) for i, share in enumerate(SHARES)
        )
    )


def _ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Ranks from 0 on; equal values share the mean of theirs."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = count.cumsum()
    return np.asarray((last - (count + 1) / 2)[place], np.float64)
