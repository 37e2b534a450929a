"""What a network has to beat: the commonest class, and a linear model on statistics of the features."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from earmark.cache import ClipFeatures, FeatureStore
from earmark.clips import ClipTable
from earmark.errors import UserError
from earmark.features import MFCC, Features
from earmark.models import ModelSpec
from earmark.probing import knows_sound

Scores = NDArray[np.float64]

MOST_STEPS = 1000
"""Of the solver; a model that has not converged by then is taken as it is, without a word."""


def majority_scores(train_targets: ArrayLike, n: int, n_classes: int) -> Scores:
    """The same scores for every clip: how common each class is in training.

    Its best class is the majority class (of equals the first).

    Args:
        train_targets: int `[m]`, or float `[m, K]` of 0, 1 and nan (unknown).
        n: clips to score.
        n_classes: K.

    Returns:
        `[n, K]` in [0, 1].
    """
    shares = [
        float(column[~np.isnan(column)].mean()) if (~np.isnan(column)).any() else 0.0
        for column in _indicators(train_targets, n_classes).T
    ]
    return np.tile(np.array(shares), (n, 1))


def statistics(features: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Mean and standard deviation over time of each clip's features.

    Args:
        features: a clip's features `[F, N]` each (an MFCC's, say); N may differ.

    Returns:
        `[n, 2 F]`: F means, then F standard deviations.

    Raises:
        ValueError: a clip has no frames, or another number of rows than the first.
    """
    rows = []
    for i, clip in enumerate(features):
        if clip.ndim != 2 or clip.shape[1] == 0 or clip.shape[0] != features[0].shape[0]:
            wanted = f"[{features[0].shape[0]}, N]" if features[0].ndim == 2 else "[F, N]"
            raise ValueError(
                f"features of clip {i} have shape {clip.shape}: `{wanted}` with frames is wanted"
            )
        rows.append(np.concatenate([clip.mean(axis=1, dtype=np.float64), clip.std(axis=1, dtype=np.float64)]))
    return np.array(rows, dtype=np.float32) if rows else np.zeros((0, 0), dtype=np.float32)


def linear_scores(
    train_x: ArrayLike, train_y: ArrayLike, test_x: ArrayLike, n_classes: int, seed: int = 0
) -> Scores:
    """Scores of a logistic regression on standardised features.

    Args:
        train_x: float `[m, D]`; clips with values that are not finite are left out.
        train_y: int `[m]`, or float `[m, K]` of 0, 1 and nan (then one model a class).
        test_x: float `[n, D]`; clips with values that are not finite get rows of nan.
        n_classes: K. A class without training clips scores 0.
        seed: for solvers that draw.

    Returns:
        `[n, K]` in [0, 1]; single-label rows add up to 1.

    Raises:
        ValueError: shapes that do not fit, or no clip to learn from.
    """
    x, y, queries = _validate_tables(train_x, train_y, test_x)
    scores = np.full((len(queries), n_classes), np.nan)
    usable = np.isfinite(queries).all(axis=1)
    if usable.any() and y.ndim == 1:
        labels, columns = _fit_predict(x, y.astype(np.int64), queries[usable], seed)
        scores[usable] = 0.0
        scores[np.ix_(usable, labels)] = columns
    elif usable.any():
        for k in range(n_classes):
            known = ~np.isnan(y[:, k])
            scores[usable, k] = _one_class(x[known], y[known, k], queries[usable], seed)
    return scores


def linear_on_mfcc(
    learnt: ClipTable, targets: NDArray[np.generic], asked: ClipTable, spec: ModelSpec, progress: bool = False
) -> Scores:
    """Scores of a linear model on statistics of 20 MFCC, at a model's rate: what a network has to beat.

    Where no sound is known, of the features that are.

    Args:
        learnt: the clips to train on.
        targets: their targets, `[m]` or `[m, K]`.
        asked: the clips to score.
        spec: tells the rate and the number of classes.
        progress: show a bar while features are computed.

    Returns:
        `[n, K]` in [0, 1]; a row of nan where a clip could not be used.

    Raises:
        UserError: none of the clips to train on can be read any more.
    """
    features = plain_features(spec.sample_rate) if knows_sound(learnt) else spec.features
    store = FeatureStore(Features(features, spec.sample_rate), spec.resampler)
    known, wanted = store.collect(learnt, progress), store.collect(asked, progress)
    if not known.good().any():
        raise UserError(learnt.root, "the training recordings are not there any more", "Put them back.")
    scores = np.full((len(asked), len(spec.classes)), np.nan)
    if wanted.good().any():
        scores[wanted.good()] = linear_scores(
            _clip_statistics(known), targets[known.good()], _clip_statistics(wanted), len(spec.classes)
        )
    return scores


def plain_features(sample_rate: int) -> MFCC:
    """20 MFCC of 40 mel bands in frames of 46 ms, half of it apart."""
    n_fft = 2 * max(64, round(0.0232 * sample_rate))
    return MFCC(n_fft=n_fft, hop_length=n_fft // 2, n_mels=40, n_mfcc=20)


def _clip_statistics(clips: ClipFeatures) -> NDArray[np.float32]:
    return statistics([np.asarray(clips[i]).T for i in np.flatnonzero(clips.good())])


def _validate_tables(
    train_x: ArrayLike, train_y: ArrayLike, test_x: ArrayLike
) -> tuple[Scores, Scores, Scores]:
    """The tables as float64, without the training clips that have values that are not finite."""
    x, y, queries = (np.asarray(table, dtype=np.float64) for table in (train_x, train_y, test_x))
    if x.ndim != 2 or queries.ndim != 2 or x.shape[1] != queries.shape[1] or len(x) != len(y):
        raise ValueError(
            f"train_x {x.shape}, train_y {y.shape} and test_x {queries.shape}: "
            "`[m, D]`, m targets and `[n, D]` are wanted"
        )
    finite = np.isfinite(x).all(axis=1)
    if not finite.any():
        raise ValueError(f"train_x: none of {len(x)} clips has only finite values")
    return x[finite], y[finite], queries


def _one_class(x: Scores, y: Scores, queries: Scores, seed: int) -> Scores | float:
    """Scores of one class of a multi-label table; 0 where nobody knows it."""
    if not len(x):
        return 0.0
    labels, columns = _fit_predict(x, y.astype(np.int64), queries, seed)
    return np.asarray(columns[:, labels == 1].sum(axis=1))


def _fit_predict(
    x: Scores, y: NDArray[np.int64], queries: Scores, seed: int
) -> tuple[NDArray[np.int64], Scores]:
    """The classes that training holds, and their probabilities `[n, n_labels]`."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    labels = np.unique(y)
    if len(labels) == 1:
        return labels, np.ones((len(queries), 1))
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=MOST_STEPS, random_state=seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x, y)
    return labels, np.asarray(model.predict_proba(queries), dtype=np.float64)


def _indicators(targets: ArrayLike, n_classes: int) -> Scores:
    """Targets as 0, 1 and nan, `[m, K]`."""
    given = np.asarray(targets)
    return np.eye(n_classes)[given] if given.ndim == 1 else given.astype(np.float64)
