"""What a network has to beat: the commonest class, and a ladder of cheap models on statistics of the sound.

Which rung speaks for the ladder is chosen by grouped cross-validation on the clips that it learns from; no test
label takes part.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from earmark import metrics
from earmark.cache import FeatureStore
from earmark.clips import ClipTable
from earmark.describing import Described, describe_features, describe_sounds
from earmark.errors import UserError
from earmark.features import Features
from earmark.models import ModelSpec
from earmark.probing import knows_sound
from earmark.splits import units

Scores = NDArray[np.float64]

N_FOLDS = 3
"""Of the cross-validation that chooses and calibrates."""
MOST_LEARNT = 5000
"""Clips that the ladder learns from; of more, so many are drawn with a fixed seed."""
TEMPERATURES = np.geomspace(0.05, 20, 80)
LEAST = 1e-3
"""Smallest probability of nearest neighbours and trees, so that it has a logarithm."""


@dataclass(frozen=True, eq=False)
class Rung:
    """One cheap model."""

    name: str
    scores: Scores
    """`[n, K]` in [0, 1]; rows of nan where a clip could not be used."""
    merit: float
    """Accuracy (macro F1 of many labels) on groups held out of the clips that it learnt from."""
    chosen: bool = False
    """Whether it has the highest merit, and speaks for the ladder."""


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


def describe_clips(table: ClipTable, spec: ModelSpec, progress: bool = False) -> Described:
    """What the ladder learns from: statistics of the sound at a model's rate, or of its features without sound."""
    if knows_sound(table):
        return describe_sounds(table, spec.sample_rate, spec.resampler, progress)
    store = FeatureStore(Features(spec.features, spec.sample_rate), spec.resampler)
    return describe_features(store.collect(table, progress))


def ladder_of_clips(
    learnt: ClipTable, targets: NDArray[np.generic], asked: ClipTable, spec: ModelSpec, progress: bool = False
) -> tuple[tuple[Rung, ...], str]:
    """Every rung's scores of some clips, and what they were learnt from, in words.

    Args:
        learnt: the clips to train on.
        targets: their targets, `[m]` or `[m, K]`.
        asked: the clips to score.
        spec: tells the rate and the number of classes.
        progress: show a bar while features are computed.

    Raises:
        UserError: none of the clips to train on can be read any more.
    """
    known, wanted = (describe_clips(table, spec, progress) for table in (learnt, asked))
    if not np.isfinite(known.values).all(axis=1).any():
        raise UserError(learnt.root, "the training recordings are not there any more", "Put them back.")
    groups = units(learnt, fold=False)
    return ladder(known.values, targets, groups, wanted.values, len(spec.classes)), known.what


def ladder(
    train_x: ArrayLike,
    train_y: ArrayLike,
    groups: ArrayLike,
    test_x: ArrayLike,
    n_classes: int,
    seed: int = 0,
) -> tuple[Rung, ...]:
    """Scores of each cheap model, the one that is best on held-out training groups marked.

    Args:
        train_x: float `[m, D]`; clips with values that are not finite are left out.
        train_y: int `[m]`, or float `[m, K]` of 0, 1 and nan (then one model a class).
        groups: of the training clips, `[m]`; what belongs together is held out together.
        test_x: float `[n, D]`; clips with values that are not finite get rows of nan.
        n_classes: K. A class without training clips scores 0.
        seed: for all that is drawn.

    Raises:
        ValueError: shapes that do not fit, or no clip to learn from.
    """
    x, y, own, queries = _validate(train_x, train_y, groups, test_x)
    rows = _some(y, MOST_LEARNT, seed)
    x, y, own = x[rows], y[rows], own[rows]
    usable = np.isfinite(queries).all(axis=1)
    folds = list(_folds(y, own, seed))
    found = []
    for name in RUNGS:
        held = [(test, _logits(name, x[train], y[train], x[test], n_classes, seed)) for train, test in folds]
        merit, temperature = _judge(held, y)
        scores = np.full((len(queries), n_classes), np.nan)
        if usable.any():
            logits = _logits(name, x, y, queries[usable], n_classes, seed)
            scores[usable] = _probabilities(logits, temperature, y.ndim == 2)
        found.append(Rung(name, scores, merit))
    best = max(range(len(found)), key=lambda i: found[i].merit)
    return tuple(Rung(one.name, one.scores, one.merit, i == best) for i, one in enumerate(found))


def _neighbours(m: int, seed: int) -> Any:
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(min(5, m), weights="distance")


def _regression(m: int, seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000, random_state=seed)


def _machine(m: int, seed: int) -> Any:
    from sklearn.svm import SVC

    return SVC(C=3.0, random_state=seed)


def _trees(m: int, seed: int) -> Any:
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier(200, random_state=seed)


RUNGS: dict[str, Callable[[int, int], Any]] = {
    "nearest neighbours": _neighbours,
    "logistic regression": _regression,
    "a support vector machine": _machine,
    "extra trees": _trees,
}
"""Each makes a scikit-learn classifier for m clips and a seed; columns are standardised before it."""


def _validate(
    train_x: ArrayLike, train_y: ArrayLike, groups: ArrayLike, test_x: ArrayLike
) -> tuple[Scores, Scores, NDArray[Any], Scores]:
    """The tables as float64, without the training clips that have values that are not finite."""
    x, y, queries = (np.asarray(table, dtype=np.float64) for table in (train_x, train_y, test_x))
    own = np.asarray(groups)
    fits = x.ndim == 2 == queries.ndim and x.shape[1] == queries.shape[1] and len(x) == len(y) == len(own)
    if not fits:
        raise ValueError(
            f"train_x {x.shape}, train_y {y.shape}, groups {own.shape} and test_x {queries.shape}: "
            "`[m, D]`, m targets, m groups and `[n, D]` are wanted"
        )
    finite = np.isfinite(x).all(axis=1)
    if not finite.any():
        raise ValueError(f"train_x: none of {len(x)} clips has only finite values")
    return x[finite], y[finite], own[finite], queries


def _some(y: Scores, most: int, seed: int) -> NDArray[np.int64]:
    """Rows of at most so many clips; a single-label class keeps its share, and at least one clip."""
    rng = np.random.default_rng(seed)
    if len(y) <= most:
        return np.arange(len(y))
    if y.ndim == 2:
        return np.sort(rng.choice(len(y), most, replace=False))
    chosen = [
        rng.permutation(rows)[: max(1, round(most * len(rows) / len(y)))]
        for rows in (np.flatnonzero(y == label) for label in np.unique(y))
    ]
    return np.sort(np.concatenate(chosen))


def _folds(
    y: Scores, groups: NDArray[Any], seed: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows to learn from and rows held out, whole groups; clips alone where there is but one group."""
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold

    n_groups = len(np.unique(groups))
    if n_groups < 2:
        n = min(N_FOLDS, len(y))
        return iter(KFold(n, shuffle=True, random_state=seed).split(y) if n > 1 else ())
    n = min(N_FOLDS, n_groups)
    few = y.ndim == 1 and np.unique(y, return_counts=True)[1].max() < n
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes with fewer clips than folds
        if y.ndim == 2 or few:
            return iter(list(GroupKFold(n).split(y, groups=groups)))
        divider = StratifiedGroupKFold(n, shuffle=True, random_state=seed)
        return iter(list(divider.split(y, y.astype(np.int64), groups)))


def _logits(name: str, x: Scores, y: Scores, queries: Scores, n_classes: int, seed: int) -> Scores:
    """What a rung says of clips `[n, K]`: logarithms of probabilities, or distances from a boundary.

    Minus infinity stands for a class that it never heard.
    """
    found = np.full((len(queries), n_classes), -np.inf)
    if y.ndim == 1:
        labels, columns = _fit(name, x, y.astype(np.int64), queries, seed)
        found[:, labels] = columns
        return found
    for k in range(n_classes):
        known = ~np.isnan(y[:, k])
        labels, columns = _fit(name, x[known], y[known, k].astype(np.int64), queries, seed)
        if len(labels) == 2:
            found[:, k] = columns[:, 1] - columns[:, 0]
        elif labels.tolist() == [1]:
            found[:, k] = np.inf
    return found


def _fit(
    name: str, x: Scores, y: NDArray[np.int64], queries: Scores, seed: int
) -> tuple[NDArray[np.int64], Scores]:
    """The classes that training holds, and how far each is from the others `[n, n_labels]`."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    labels = np.unique(y)
    if len(labels) < 2 or not len(queries):
        return labels, np.zeros((len(queries), len(labels)))
    model = make_pipeline(StandardScaler(), RUNGS[name](len(x), seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # as far as it came
        model.fit(x, y)
    if hasattr(model, "predict_proba"):
        return labels, np.log(np.maximum(model.predict_proba(queries), LEAST))
    distance = np.asarray(model.decision_function(queries), dtype=np.float64)
    return labels, np.stack([-distance / 2, distance / 2], axis=1) if distance.ndim == 1 else distance


def _judge(held: list[tuple[NDArray[np.int64], Scores]], y: Scores) -> tuple[float, float]:
    """Accuracy or macro F1 on held-out clips, and the temperature that makes their scores likeliest there.

    Of rare labels most are right where none is ever given, so their share would choose a model that hears nothing.
    """
    if not held:
        return 0.0, 1.0
    rows, logits = np.concatenate([r for r, _ in held]), np.concatenate([v for _, v in held])
    truth, several = y[rows], y.ndim == 2
    known = ~np.isnan(truth)
    statistic = metrics.macro_f1 if several else metrics.accuracy
    merit = float(statistic(metrics.count(truth, logits, 0.0).map(lambda x: x.sum(axis=0))))
    losses = []
    for temperature in TEMPERATURES:
        scores = np.clip(_probabilities(logits, temperature, several), 1e-6, 1 - 1e-6)
        if several:
            each = np.where(truth == 1, np.log(scores), np.log(1 - scores))[known]
        else:
            each = np.log(scores[np.arange(len(scores)), truth.astype(np.int64)])
        losses.append(-float(each.mean()) if each.size else 0.0)
    return float(np.nan_to_num(merit)), float(TEMPERATURES[int(np.argmin(losses))])


def _probabilities(logits: Scores, temperature: float, several: bool) -> Scores:
    """Softmax of logits `[n, K]`, or their sigmoids in a multi-label table, at a temperature."""
    from scipy.special import expit, softmax

    return np.asarray(expit(logits / temperature) if several else softmax(logits / temperature, axis=1))


def _indicators(targets: ArrayLike, n_classes: int) -> Scores:
    """Targets as 0, 1 and nan, `[m, K]`."""
    given = np.asarray(targets)
    return np.eye(n_classes)[given] if given.ndim == 1 else given.astype(np.float64)
