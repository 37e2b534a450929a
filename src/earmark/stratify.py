"""Counts of units by class -> which units to hold out, so that every class gives about the same share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def divide(counts: csr_array, fraction: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Choose units so that of every class about the same fraction is chosen.

    The arithmetic is that of scikit-learn's StratifiedGroupKFold: units in order of their weight, each put
    where the shares of the classes then differ least. Before that, units with equal counts are dealt out in
    bulk (a million recordings need no million steps), and each class gets a unit on both sides if it can.

    Args:
        counts: clips of each unit by class, `[U, K + 1]`; the last column counts all.
        fraction: share to choose, in (0, 1).
        rng: breaks ties.

    Returns:
        bool `[U]`.
    """
    side = _dealt_in_bulk(counts, fraction, rng)
    free = rng.permutation(np.flatnonzero(side < 0))
    totals = np.maximum(counts.sum(axis=0), 1)
    shares = counts[free].toarray() / totals
    sums = np.stack([counts[side == here].sum(axis=0) / totals for here in (0, 1)])
    put = _on_both_sides(shares, sums, fraction)
    gap = sums[1] / fraction - sums[0] / (1 - fraction)
    for unit in np.argsort(-shares.max(axis=1, initial=0), kind="stable"):
        if put[unit] < 0:
            into, out = gap + shares[unit] / fraction, gap - shares[unit] / (1 - fraction)
            put[unit] = np.abs(into).mean() < np.abs(out).mean()
            gap = into if put[unit] else out
    side[free] = put
    return np.asarray(side == 1)


def _dealt_in_bulk(counts: csr_array, fraction: float, rng: np.random.Generator) -> NDArray[np.int8]:
    """Deal units with equal counts out as far as whole numbers go: 1 chosen, 0 not, -1 left over, `[U]`."""
    keys = rng.integers(1, 2**40, counts.shape[1])
    _, which, sizes = np.unique(counts @ keys, return_inverse=True, return_counts=True)
    shuffled = rng.permutation(len(which))
    order = shuffled[np.argsort(which[shuffled], kind="stable")]
    place = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    n_chosen = np.floor(sizes * fraction + 1e-9)[which[order]]
    n_others = np.floor(sizes * (1 - fraction) + 1e-9)[which[order]]
    side = np.empty(len(order), np.int8)
    side[order] = np.select([place < n_chosen, place < n_chosen + n_others], [1, 0], -1)
    return side


def _on_both_sides(
    shares: NDArray[np.float64], sums: NDArray[np.float64], fraction: float
) -> NDArray[np.int8]:
    """Give each class a unit on both sides, the rarest class first; one that has a single unit is not chosen.

    Args:
        shares: of each class in each unit that is free, `[L, K + 1]`.
        sums: what each side has already, `[2, K + 1]`; brought up to date in place.
        fraction: share to choose; units far above it are not taken for that if there are others.

    Returns:
        1 chosen, 0 not, -1 still free, `[L]`.
    """
    put = np.full(len(shares), -1, np.int8)
    for k in np.argsort((shares > 0).sum(axis=0) + 2 * (sums > 0).sum(axis=0), kind="stable"):
        for here in (1, 0):
            able = np.flatnonzero((shares[:, k] > 0) & (put < 0))
            if sums[here, k] > 0 or len(able) <= (here == 1 and sums[0, k] == 0):
                continue
            fitting = able[shares[able, k] <= 2 * fraction] if here else able
            unit = fitting[0] if len(fitting) else able[np.argmin(shares[able, k])]
            put[unit] = here
            sums[here] += shares[unit]
    return put
