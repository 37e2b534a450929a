"""How far annotators agree: Cohen's kappa of each pair, Krippendorff's alpha of all, and who is right on gold clips."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from earmark.labelling.questions import Question
from earmark.labelling.votes import Element, Said, counts_of, elements, place_of

FEWEST_SHARED = 2
"""Clips that a pair has to share for its kappa to be given."""


@dataclass(frozen=True)
class Alpha:
    """Krippendorff's alpha of one element: 1 is agreement, 0 is what chance would give."""

    element: str
    alpha: float | None
    """None: nobody shares clips, or all say the same, so that it is not defined."""
    n_clips: int
    """Clips that two or more annotators said something of."""


@dataclass(frozen=True)
class Kappa:
    """Cohen's kappa of two annotators on one element."""

    first: str
    second: str
    element: str
    kappa: float | None
    """None: both always said the same one thing, so that it is not defined."""
    same: int
    """Clips that both said the same of."""
    n_clips: int
    """Clips that both said something of."""


@dataclass(frozen=True)
class OnGold:
    """How an annotator does on gold clips."""

    name: str
    right: int
    asked: int
    """Elements of gold clips that they said something of: one a clip, or one a class."""


@dataclass(frozen=True)
class AgreementReport:
    """How far annotators agree."""

    alphas: tuple[Alpha, ...]
    kappas: tuple[Kappa, ...]
    gold: tuple[OnGold, ...]


def agreement(said: Said, question: Question) -> AgreementReport:
    """How far annotators agree, on every element; levels count as ordered, so that neighbours are half agreed."""
    alphas, kappas = [], []
    for element in elements(question):
        counts = counts_of(said, question, element)
        alphas.append(_alpha(counts.sum(axis=1), element))
        kappas += _kappas(counts, said.names, element)
    return AgreementReport(tuple(alphas), tuple(kappas), _on_gold(said, question))


def _alpha(votes: NDArray[np.int64], element: Element) -> Alpha:
    """Of votes `[n, K]`."""
    import krippendorff

    shared = votes[votes.sum(axis=1) > 1]
    if (shared.sum(axis=0) > 0).sum() < 2:
        return Alpha(element.name, None, len(shared))
    level: Literal["ordinal", "nominal"] = "ordinal" if element.ordered else "nominal"
    found = krippendorff.alpha(
        value_counts=shared, value_domain=np.arange(votes.shape[1]), level_of_measurement=level
    )
    return Alpha(element.name, float(found), len(shared))


def _kappas(counts: NDArray[np.int64], names: tuple[str, ...], element: Element) -> list[Kappa]:
    """Of answers `[n, A, K]`."""
    from sklearn.metrics import cohen_kappa_score

    said, places = np.asarray(counts.any(axis=2)), counts.argmax(axis=2)
    found = []
    for a, b in itertools.combinations(range(len(names)), 2):
        both = said[:, a] & said[:, b]
        if both.sum() < FEWEST_SHARED:
            continue
        one, other = places[both, a], places[both, b]
        same = int((one == other).sum())
        differ = len(set(one) | set(other)) > 1
        kappa = float(cohen_kappa_score(one, other)) if differ else None
        found.append(Kappa(names[a], names[b], element.name, kappa, same, int(both.sum())))
    return found


def _on_gold(said: Said, question: Question) -> tuple[OnGold, ...]:
    right, asked = np.zeros(len(said.names), int), np.zeros(len(said.names), int)
    for row, of_clip in said.answers.items():
        gold = said.clips[row].gold
        if gold is None:
            continue
        for element in elements(question):
            truth = place_of(question, element, gold)
            for column, answer in of_clip.items():
                place = place_of(question, element, answer)
                if place >= 0 and truth >= 0:
                    asked[column] += 1
                    right[column] += int(place == truth)
    return tuple(OnGold(name, int(right[i]), int(asked[i])) for i, name in enumerate(said.names) if asked[i])
