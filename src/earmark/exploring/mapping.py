"""Clips as points in two dimensions, near each other where they sound alike."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.describing import Described
from earmark.exploring.memo import Memo, key_of

MOST_TSNE = 3000
"""Clips up to which t-SNE is drawn; beyond, the two first principal components."""
FEWEST_TSNE = 10
N_COMPONENTS = 50


@dataclass(frozen=True, eq=False)
class Map:
    """Where each clip lies."""

    rows: NDArray[np.int64]
    """Clips that have a place, `[m]`."""
    places: NDArray[np.float64]
    """`[m, 2]`, in [-1, 1]."""
    method: str
    """How they came there, in words."""


def lay_out(described: Described, memo: Memo, seed: int = 0) -> Map:
    """Lay the clips out by what describes them.

    Columns are standardised and reduced to `N_COMPONENTS` principal components; up to `MOST_TSNE` clips are then
    laid out by t-SNE (van der Maaten & Hinton, 2008).
    """
    rows = np.flatnonzero(np.isfinite(described.values).all(axis=1))
    x = _standardised(described.values[rows]) if len(rows) > 1 else np.zeros((0, 0))
    if not x.shape[1]:
        return Map(rows, np.zeros((len(rows), 2)), "too few clips that differ")
    components, shares = _components(x)
    if not FEWEST_TSNE <= len(rows) <= MOST_TSNE:
        said = f"the two first principal components, {100 * shares[:2].sum():.0f} % of the variance"
        return Map(rows, _scaled(components[:, :2]), said)
    kept = memo.once(key_of("t-SNE", components.round(4).tobytes(), seed), lambda: _tsne(components, seed))
    said = "t-SNE: neighbours are alike, distances between far groups say nothing"
    return Map(rows, _scaled(np.load(io.BytesIO(kept))), said)


def _standardised(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns of mean 0 and spread 1; those that are all the same are left out."""
    spread = x.std(axis=0)
    return np.asarray((x - x.mean(axis=0))[:, spread > 1e-12] / spread[spread > 1e-12])


def _components(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Principal components `[n, 2 ...]` and their shares of the variance; signs are fixed."""
    from sklearn.decomposition import PCA

    n = min(N_COMPONENTS, *x.shape)
    model = PCA(n, svd_solver="full")
    found = model.fit_transform(x)
    found = found * np.sign(model.components_[np.arange(n), np.abs(model.components_).argmax(axis=1)])
    if n == 1:
        found = np.concatenate([found, np.zeros_like(found)], axis=1)
    return found, model.explained_variance_ratio_


def _tsne(components: NDArray[np.float64], seed: int) -> bytes:
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(components) - 1) / 3)
    model = TSNE(2, perplexity=perplexity, init="pca", random_state=seed)
    buffer = io.BytesIO()
    np.save(buffer, model.fit_transform(components.astype(np.float32)))
    return buffer.getvalue()


def _scaled(places: NDArray[np.generic]) -> NDArray[np.float64]:
    """Into [-1, 1], both axes by the same factor."""
    centred = np.asarray(places, np.float64) - (places.max(axis=0) + places.min(axis=0)) / 2
    return np.asarray(centred / max(float(np.abs(centred).max()), 1e-12))
