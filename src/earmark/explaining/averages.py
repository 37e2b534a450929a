"""Explanations of several clips -> one table: how the maps stood the test, beside random masks of equal energy."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from earmark.explaining.truth import Figures, Truth, figures

MAPS, RANDOM = "the maps", "random masks"


@dataclass(frozen=True)
class Average:
    """Means over clips at one share of the energy; those of random masks are over all masks of all clips."""

    share: float
    """Of the energy, that is kept."""
    whose: str
    """`MAPS` or `RANDOM`."""
    figures: Figures
    """In [0, 1]; faithfulness in [-1, 1]."""


def averages(truths: Sequence[Truth]) -> Iterator[Average]:
    """The maps' and the random masks' figures at each share of the energy, by rising share."""
    for i, share in enumerate(point.share for point in truths[0].found.points):
        yield Average(share, MAPS, mean([figures(one.score, one.found.points[i]) for one in truths]))
        random = [figures(one.score, curve.points[i]) for one in truths for curve in one.random]
        if random:
            yield Average(share, RANDOM, mean(random))


def mean(several: Sequence[Figures]) -> Figures:
    """Each figure's mean."""
    names = [field.name for field in dataclasses.fields(Figures)]
    return Figures(**{name: float(np.mean([getattr(one, name) for one in several])) for name in names})
