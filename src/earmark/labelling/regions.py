"""Regions that several people drew become those that most of them drew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

SHORTEST_SECONDS = 1e-3


@dataclass(frozen=True)
class Region:
    """A stretch of a clip, maybe between two frequencies, with what is there."""

    start: float
    end: float
    f_min: float | None
    f_max: float | None
    label: str


def together(drawn: Sequence[Sequence[Region]]) -> list[Region]:
    """The stretches that more than half of the annotators marked, a class at a time.

    Args:
        drawn: the regions of each annotator.

    Returns:
        Regions in order of time; their frequencies are the medians of those drawn there, or None where more than
        half of them have none. One annotator's regions stay what they are.
    """
    if len(drawn) == 1:
        return list(drawn[0])
    found: list[Region] = []
    for label in sorted({region.label for regions in drawn for region in regions}):
        of_label = [[region for region in regions if region.label == label] for regions in drawn]
        found += _stretches(of_label, label)
    return sorted(found, key=lambda one: (one.start, one.end, one.label))


def _stretches(drawn: list[list[Region]], label: str) -> list[Region]:
    """Sweep over all borders; neighbouring stretches that have a majority are one."""
    borders = sorted({t for regions in drawn for region in regions for t in (region.start, region.end)})
    spans: list[tuple[float, float]] = []
    for start, end in pairwise(borders):
        voters = sum(any(r.start <= start and r.end >= end for r in regions) for regions in drawn)
        if 2 * voters <= len(drawn):
            continue
        if spans and spans[-1][1] == start:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    kept = [(start, end) for start, end in spans if end - start >= SHORTEST_SECONDS]
    return [_boxed(drawn, start, end, label) for start, end in kept]


def _boxed(drawn: list[list[Region]], start: float, end: float, label: str) -> Region:
    there = [r for regions in drawn for r in regions if r.start < end and r.end > start]
    return Region(start, end, _middle([r.f_min for r in there]), _middle([r.f_max for r in there]), label)


def _middle(hertz: list[float | None]) -> float | None:
    known = [one for one in hertz if one is not None]
    return median(known) if 2 * len(known) >= len(hertz) and known else None
