"""A figure and how far it may be trusted: percentile intervals from resampling whole groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from earmark.metrics import Counts, Floats

FEW_GROUPS = 10
"""With fewer test groups than this, intervals are taken over recordings and called too narrow."""


Statistic = Callable[..., Floats]
"""From one or more `Counts` of shape `[..., K]` to numbers `[...]`."""


@dataclass(frozen=True)
class Interval:
    """A number and its percentile interval from resampling whole groups (Efron, 1979)."""

    value: float | None
    low: float | None = None
    high: float | None = None
    level: float = 0.95
    unit: str = "groups"
    """What was resampled: groups or recordings."""
    n_units: int = 0
    n_resamples: int = 0
    note: str = ""
    """Why the interval deserves less trust than it looks, or is missing."""


def bootstrap(
    statistic: Statistic,
    *counts: Counts,
    groups: ArrayLike,
    recordings: ArrayLike | None = None,
    n: int = 1000,
    seed: int = 0,
) -> Interval:
    """A statistic with its 95 % percentile interval, from resampling whole groups with replacement.

    Two `counts` of the same clips give the interval of a difference, pair by pair:
    `bootstrap(lambda a, b: macro_f1(a) - macro_f1(b), network, baseline, groups=groups)`.

    Args:
        statistic: from as many `Counts` as are given, `[..., K]`, to `[...]`, such as `macro_f1`.
        counts: what `count` gave; clips that lack scores in any of them are left out.
        groups: `[n]`, the group of each clip.
        recordings: `[n]`, the recording of each clip (by default the rows are recordings), resampled where
            there are fewer than `FEW_GROUPS` groups.
        n: resamples.
        seed: the same seed gives the same resamples.
    """
    rows = len(counts[0].n)
    if any(len(c.n) != rows for c in counts) or len(np.asarray(groups)) != rows:
        raise ValueError(
            f"counts of {[len(c.n) for c in counts]} clips, {len(np.asarray(groups))} groups: equal?"
        )
    kept = np.logical_and.reduce([c.n > 0 for c in counts])
    if not kept.any():
        raise ValueError(f"counts: none of {rows} clips has scores everywhere")
    index, unit, note = _units(
        np.asarray(groups)[kept], (np.arange(rows) if recordings is None else np.asarray(recordings))[kept]
    )
    order = np.argsort(index, kind="stable")
    starts = np.flatnonzero(np.diff(index[order], prepend=-1))
    sums = [
        c.map(lambda x: np.add.reduceat(x[kept][order], starts, axis=0, dtype=np.float64)) for c in counts
    ]
    value = float(statistic(*(s.total() for s in sums)))
    generator = np.random.default_rng(seed)
    draws = np.concatenate(
        [
            statistic(*(s.map(lambda x, w=w: w @ x) for s in sums))  # type: ignore[misc]
            for w in _resamples(len(starts), n, generator)
        ]
    )
    return _interval(
        value if np.isfinite(value) else None, draws[np.isfinite(draws)], unit, len(starts), note
    )


def _units(
    groups: NDArray[np.generic], recordings: NDArray[np.generic]
) -> tuple[NDArray[np.int64], str, str]:
    """The unit to resample of each clip, its name, and what must be said about it."""
    n_groups, n_recordings = len(np.unique(groups)), len(np.unique(recordings))
    if n_groups >= FEW_GROUPS:
        return np.unique(groups, return_inverse=True)[1], "groups", ""
    few = f"only {n_groups} test group{'s' if n_groups > 1 else ''}: "
    if n_recordings <= n_groups:
        return np.unique(groups, return_inverse=True)[1], "groups", f"{few}the interval is too narrow"
    note = f"{few}{n_recordings} recordings were resampled instead, and the interval is too narrow"
    return np.unique(recordings, return_inverse=True)[1], "recordings", note


def _resamples(n_units: int, n: int, generator: np.random.Generator) -> Iterator[Floats]:
    """How often each unit was drawn, `[b, n_units]`, in blocks of bounded memory."""
    block = max(1, min(n, 4_000_000 // n_units))
    for start in range(0, n, block):
        b = min(block, n - start)
        drawn = generator.integers(n_units, size=(b, n_units)) + n_units * np.arange(b)[:, None]
        yield np.bincount(drawn.ravel(), minlength=b * n_units).reshape(b, n_units).astype(np.float64)


def _interval(value: float | None, draws: Floats, unit: str, n_units: int, note: str) -> Interval:
    if n_units < 2 or not len(draws):
        return Interval(
            value, unit=unit, n_units=n_units, note=f"one {unit[:-1]} alone: no interval can be given"
        )
    low, high = (float(v) for v in np.percentile(draws, [2.5, 97.5]))
    if high - low < 1e-12:
        alike = (
            f"all resamples agree, but {n_units} {unit} may well not show an error rate of {3 / n_units:.0%}"
        )
        note = f"{note}; {alike}" if note else alike  # the rule of three (Hanley & Lippman-Hand, 1983)
    return Interval(value, low, high, unit=unit, n_units=n_units, n_resamples=len(draws), note=note)
