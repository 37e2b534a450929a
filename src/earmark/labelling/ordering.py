"""In which order clips are asked about: balanced, by a model's uncertainty, by likeness; arrays in, orders out."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Numbers = NDArray[np.float64]
Rows = NDArray[np.int64]

RANDOM_EACH = 10
"""By uncertainty, each so many-th clip is drawn at random, so that accuracy can be estimated on those."""
STRETCH = 50
"""Clips within which no cluster gets more than `CAP` times its even share, as long as there are others."""
CAP = 2.0
MOST_CLUSTERS = 25


@dataclass(frozen=True, eq=False)
class Drawn:
    """An order, and which of its clips chance put there."""

    rows: Rows
    """`[n]`: the row that comes first, second, ..."""
    by_chance: NDArray[np.bool_]
    """`[n]`, in that order."""


def at_random(n: int, rng: np.random.Generator) -> Drawn:
    """Any order."""
    return Drawn(rng.permutation(n), np.ones(n, bool))


def balanced(kinds: ArrayLike, rng: np.random.Generator) -> Drawn:
    """Every kind in turn, as long as it lasts; at random within each.

    Args:
        kinds: of each row, `[n]`: the class that a model gives it, or its recording.
        rng: of the draws.
    """
    _, kind = np.unique(np.asarray(kinds), return_inverse=True)
    rows = rng.permutation(len(kind))
    turn = np.zeros(len(kind), np.int64)
    for k in range(int(kind.max(initial=-1)) + 1):
        of_kind = rows[kind[rows] == k]
        turn[of_kind] = np.arange(len(of_kind))
    return Drawn(rows[np.argsort(turn[rows], kind="stable")], np.zeros(len(kind), bool))


def by_margin(margins: ArrayLike, clusters: ArrayLike, rng: np.random.Generator) -> Drawn:
    """The least certain first, not too many of a cluster at once, and one in `RANDOM_EACH` at random.

    Args:
        margins: how sure a model is of each row, `[n]`; nan: it could not be scored, which comes last.
        clusters: of each row, `[n]`, from 0.
        rng: of the draws.
    """
    margins, clusters = np.asarray(margins, np.float64), np.asarray(clusters, np.int64)
    n = len(margins)
    queues = _queues(margins, clusters)
    even = STRETCH / max(1, len(queues))
    cap, left = max(1, math.ceil(CAP * even)), set(range(n))
    chance = iter(rng.permutation(n).tolist())
    rows, by_chance, taken = np.zeros(n, np.int64), np.zeros(n, bool), np.zeros(len(queues), np.int64)
    for place in range(n):
        if place % STRETCH == 0:
            taken[:] = 0
        by_chance[place] = place % RANDOM_EACH == RANDOM_EACH - 1
        if by_chance[place]:
            rows[place] = next(row for row in chance if row in left)
        else:
            rows[place] = _least_certain(queues, taken, cap, left)
            taken[clusters[rows[place]]] += 1
        left.remove(int(rows[place]))
    return Drawn(rows, by_chance)


def by_likeness(values: ArrayLike, like: int) -> Drawn:
    """The nearest first, columns standardised; rows that are not finite come last.

    Args:
        values: what describes each row, `[n, D]`.
        like: the row that all are compared with.
    """
    x = _standardised(np.asarray(values, np.float64))
    distance = np.linalg.norm(x - x[like], axis=1)
    rows = np.argsort(np.where(np.isfinite(distance), distance, np.inf), kind="stable")
    return Drawn(rows.astype(np.int64), np.zeros(len(rows), bool))


def margins_of(scores: ArrayLike, several: bool) -> Numbers:
    """How sure a model is, `[n]` in [0, 1]: the best class above the second; several labels: the least sure of them.

    Args:
        scores: probabilities `[n, K]`.
        several: whether a clip may have several labels.
    """
    found = np.asarray(scores, np.float64)
    if several or found.shape[1] < 2:
        return np.asarray(np.abs(2 * found - 1).min(axis=1))
    ordered = np.sort(found, axis=1)
    return np.asarray(ordered[:, -1] - ordered[:, -2])


def clusters_of(values: ArrayLike, seed: int) -> Rows:
    """Clusters by k-means of what describes each row `[n, D]`, from 0; rows that are not finite are one more."""
    from sklearn.cluster import KMeans

    x = _standardised(np.asarray(values, np.float64))
    good = np.flatnonzero(np.isfinite(x).all(axis=1))
    k = min(MOST_CLUSTERS, max(1, round(math.sqrt(len(good) / 2))), len(np.unique(x[good], axis=0)))
    found = np.full(len(x), k, np.int64)
    if len(good):
        found[good] = KMeans(k, n_init=3, random_state=seed).fit_predict(x[good])
    return np.unique(found, return_inverse=True)[1].astype(np.int64)


def _queues(margins: Numbers, clusters: Rows) -> list[list[tuple[float, int]]]:
    """Of each cluster its rows with their margins, as a heap."""
    queues: list[list[tuple[float, int]]] = [[] for _ in range(int(clusters.max(initial=-1)) + 1)]
    for row, (margin, cluster) in enumerate(zip(margins.tolist(), clusters.tolist(), strict=True)):
        queues[cluster].append((math.inf if math.isnan(margin) else margin, row))
    for queue in queues:
        heapq.heapify(queue)
    return queues


def _least_certain(queues: Sequence[list[tuple[float, int]]], taken: Rows, cap: int, left: set[int]) -> int:
    """Take the row with the least margin, of a cluster below the cap where there is one."""
    for queue in queues:
        while queue and queue[0][1] not in left:
            heapq.heappop(queue)
    below = [queue for k, queue in enumerate(queues) if queue and taken[k] < cap]
    return heapq.heappop(min(below or [queue for queue in queues if queue]))[1]


def _standardised(x: Numbers) -> Numbers:
    good = np.isfinite(x).all(axis=1)
    if not good.any():
        return x
    spread = x[good].std(axis=0)
    return np.asarray((x - x[good].mean(axis=0)) / np.where(spread > 1e-12, spread, 1.0))
