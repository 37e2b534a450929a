"""Targets and scores become numbers: checked first, then scikit-learn's arithmetic.

Single-label targets are int `[n]`, multi-label ones float `[n, K]` of 0, 1 and nan (unknown, left out).
Scores are float `[n, K]` in [0, 1]; a row of nan is a clip without scores: it is counted and left out.
Undefined numbers are None, never nan, so that `dataclasses.asdict` of every result is JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Averages:
    """Precision, recall and F1 averaged over the classes that the test clips hold, each in [0, 1]."""

    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class ClassMetrics:
    """The numbers of one class; a class that no test clip has gets None for all but its counts."""

    name: str
    support: int
    """Scored clips that have the class."""
    predicted: int
    """Scored clips that were given the class."""
    precision: float | None
    recall: float | None
    f1: float | None
    average_precision: float | None
    auroc: float | None
    """Area under the ROC curve, one class against the rest; None without clips on both sides."""
    threshold: float | None = None
    """Multi-label: the score from which the class is given."""


@dataclass(frozen=True)
class SingleLabelMetrics:
    """What a single-label (or binary) classifier did; shares in [0, 1]."""

    n_clips: int
    n_without_scores: int
    accuracy: float
    balanced_accuracy: float
    top2_accuracy: float | None
    """None for two classes, where it is always 1."""
    macro: Averages
    weighted: Averages
    mean_average_precision: float | None
    mean_auroc: float | None
    per_class: tuple[ClassMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Clips `[K, K]`: rows are true classes, columns predicted ones."""
    absent: tuple[str, ...]
    """Classes that no scored clip has; no average counts them."""


@dataclass(frozen=True)
class MultiLabelMetrics:
    """What a multi-label classifier did at its thresholds; shares in [0, 1]."""

    n_clips: int
    n_without_scores: int
    n_unknown: int
    """Labels of scored clips that nobody knows, left out."""
    macro: Averages
    micro: Averages
    mean_average_precision: float | None
    mean_auroc: float | None
    subset_accuracy: float | None
    """Clips with every class right, of those whose classes are all known."""
    per_class: tuple[ClassMetrics, ...]
    absent: tuple[str, ...]


@dataclass(frozen=True)
class Counts:
    """Clips right, true and predicted a class: what accuracy, precision, recall and F1 are made of."""

    hits: NDArray[np.floating]
    """`[..., K]`: have the class and were given it."""
    support: NDArray[np.floating]
    """`[..., K]`: have the class."""
    predicted: NDArray[np.floating]
    """`[..., K]`: were given the class."""
    n: NDArray[np.floating]
    """`[...]`: clips with scores."""

    def map(self, function: Callable[[NDArray[np.floating]], Floats]) -> Counts:
        """The same counts after `function` on each array (sum, selection, weighting of the first axis)."""
        return Counts(function(self.hits), function(self.support), function(self.predicted), function(self.n))

    def total(self) -> Counts:
        """The sum over the first axis, that of the clips."""
        return self.map(lambda x: np.asarray(x.sum(axis=0), dtype=np.float64))


@dataclass(frozen=True)
class RecordingScores:
    """Clips gathered into their recordings, in the order of first appearance."""

    recordings: NDArray[np.generic]
    """`[R]` as given."""
    scores: Floats
    """`[R, K]`: mean of the clips that have scores; nan where none has."""
    first: NDArray[np.int64]
    """`[R]`: the first clip of each; takes targets and groups along: `targets[first]`."""
    index: NDArray[np.int64]
    """`[n]`: the recording of each clip."""

    def agree(self, targets: NDArray[np.generic]) -> NDArray[np.bool_]:
        """Whether all clips of a recording have the same target, `[R]`; where not, it has no single truth."""
        own, leading = targets.astype(np.float64), targets.astype(np.float64)[self.first][self.index]
        same = (own == leading) | (np.isnan(own) & np.isnan(leading))
        if same.ndim == 2:
            same = same.all(axis=1)
        odd = np.bincount(self.index, weights=~same, minlength=len(self.first))
        return np.asarray(odd == 0)


@dataclass(frozen=True)
class Confusion:
    """One kind of mistake: `clips` clips of `truth`, a `share` of that class, were taken for `prediction`."""

    truth: str
    prediction: str
    clips: int
    share: float


def single_label(targets: ArrayLike, scores: ArrayLike, classes: Sequence[str]) -> SingleLabelMetrics:
    """All numbers of a single-label classifier, clip by clip or recording by recording.

    Args:
        targets: int `[n]`, indices into `classes`.
        scores: float `[n, K]` in [0, 1]; rows of nan are clips without scores.
        classes: K names.

    Raises:
        ValueError: shapes, targets or scores are not as said, or no clip has scores.
    """
    truth, given = validate_scores(targets, scores, classes)
    if truth.ndim != 1:
        raise ValueError(f"targets of shape {truth.shape}: single-label targets are `[n]`")
    scored = ~np.isnan(given).any(axis=1)
    t, s, k = truth[scored].astype(np.int64), given[scored], len(classes)
    counts = count(t, s).total()
    confusion = np.bincount(t * k + s.argmax(axis=1), minlength=k * k).reshape(k, k)
    per_class = _per_class(np.eye(k)[t], s, counts, classes)
    return SingleLabelMetrics(
        n_clips=len(t),
        n_without_scores=int((~scored).sum()),
        accuracy=float(accuracy(counts)),
        balanced_accuracy=float(balanced_accuracy(counts)),
        top2_accuracy=_top2(t, s) if k > 2 else None,
        macro=_averages(counts, _present(counts)),
        weighted=_averages(counts, counts.support.astype(np.float64)),
        mean_average_precision=_mean([c.average_precision for c in per_class]),
        mean_auroc=_mean([c.auroc for c in per_class]),
        per_class=per_class,
        confusion=tuple(tuple(int(v) for v in row) for row in confusion),
        absent=tuple(c.name for c in per_class if not c.support),
    )


def multi_label(
    targets: ArrayLike, scores: ArrayLike, classes: Sequence[str], thresholds: ArrayLike = 0.5
) -> MultiLabelMetrics:
    """All numbers of a multi-label classifier.

    Args:
        targets: float `[n, K]`: 0, 1 or nan for unknown.
        scores: float `[n, K]` in [0, 1]; rows of nan are clips without scores.
        classes: K names.
        thresholds: the score from which a class is given; one number or `[K]`.

    Raises:
        ValueError: shapes, targets or scores are not as said, or no clip has scores.
    """
    truth, given = validate_scores(targets, scores, classes)
    if truth.ndim != 2:
        raise ValueError(f"targets of shape {truth.shape}: multi-label targets are `[n, K]`")
    scored = ~np.isnan(given).any(axis=1)
    t, s = truth[scored].astype(np.float64), given[scored]
    limits = np.broadcast_to(np.asarray(thresholds, dtype=np.float64), (len(classes),))
    counts = count(t, s, limits).total()
    per_class = _per_class(t, s, counts, classes, limits)
    whole = ~np.isnan(t).any(axis=1)
    return MultiLabelMetrics(
        n_clips=len(t),
        n_without_scores=int((~scored).sum()),
        n_unknown=int(np.isnan(t).sum()),
        macro=_averages(counts, _present(counts)),
        micro=_averages(counts.map(lambda x: x.sum(keepdims=True)), np.ones(1)),
        mean_average_precision=_mean([c.average_precision for c in per_class]),
        mean_auroc=_mean([c.auroc for c in per_class]),
        subset_accuracy=float(((s >= limits) == t)[whole].all(axis=1).mean()) if whole.any() else None,
        per_class=per_class,
        absent=tuple(c.name for c in per_class if not c.support),
    )


def validate_scores(
    targets: ArrayLike, scores: ArrayLike, classes: Sequence[str]
) -> tuple[NDArray[np.generic], Floats]:
    """Targets and scores as arrays, after every check that the rest of this room relies on.

    Raises:
        ValueError: what was found against what was wanted.
    """
    truth, given, k = np.asarray(targets), np.asarray(scores, dtype=np.float64), len(classes)
    if k == 0 or len(set(classes)) != k:
        raise ValueError(f"classes {list(classes)!r}: one or more different names are wanted")
    if given.ndim != 2 or given.shape[1] != k:
        raise ValueError(f"scores of shape {given.shape}: `[n, {k}]` is wanted, one column a class")
    if len(truth) != len(given):
        raise ValueError(f"{len(truth)} targets for {len(given)} rows of scores: one each is wanted")
    missing = np.isnan(given)
    if (missing.any(axis=1) & ~missing.all(axis=1)).any():
        row = int(np.flatnonzero(missing.any(axis=1) & ~missing.all(axis=1))[0])
        raise ValueError(f"scores, row {row}: nan in some classes only; a clip without scores is nan in all")
    if missing.all():
        raise ValueError(f"scores: none of {len(given)} clips has scores")
    low, high = np.nanmin(given), np.nanmax(given)
    if low < -1e-4 or high > 1 + 1e-4:
        raise ValueError(f"scores from {low:g} to {high:g}: softmax or sigmoid scores in [0, 1] are wanted")
    _validate_targets(truth, k)
    return truth, given


def _validate_targets(truth: NDArray[np.generic], k: int) -> None:
    if truth.ndim == 1:
        if truth.dtype.kind not in "iu":
            raise ValueError(f"targets of type {truth.dtype}: indices of classes are whole numbers")
        if truth.min() < 0 or truth.max() >= k:
            raise ValueError(f"targets from {truth.min()} to {truth.max()}: 0 to {k - 1} are wanted")
    elif truth.ndim == 2 and truth.shape[1] == k:
        values = truth.astype(np.float64)
        if not np.all((values == 0) | (values == 1) | np.isnan(values)):
            raise ValueError("targets: only 0, 1 and nan (unknown) are wanted")
    else:
        raise ValueError(f"targets of shape {truth.shape}: `[n]` or `[n, {k}]` is wanted")


def count(targets: NDArray[np.generic], scores: NDArray[np.floating], thresholds: ArrayLike = 0.5) -> Counts:
    """Checked targets and scores as counts a clip, `[n, K]`, for the statistics and `bootstrap`.

    Clips without scores stay in as rows of nothing, so that rows and groups keep in step.
    """
    scored = ~np.isnan(scores).any(axis=1)
    columns = np.arange(scores.shape[1])
    if targets.ndim == 1:
        best = np.where(np.isnan(scores), -1.0, scores).argmax(axis=1)
        true, predicted = targets[:, None] == columns, best[:, None] == columns
    else:
        known = ~np.isnan(targets.astype(np.float64))
        true, predicted = targets == 1, known & (scores >= np.asarray(thresholds))
    true, predicted = true & scored[:, None], predicted & scored[:, None]
    return Counts(*(x.astype(np.float32) for x in (true & predicted, true, predicted, scored)))


def accuracy(counts: Counts) -> Floats:
    """Share of the clips that were given their class (single-label), `[...]`."""
    return _ratio(counts.hits.sum(axis=-1), counts.n)


def balanced_accuracy(counts: Counts) -> Floats:
    """Mean recall of the classes that are there, `[...]`."""
    return _weighted_mean(_ratio(counts.hits, counts.support), _present(counts))


def macro_f1(counts: Counts) -> Floats:
    """Mean F1 of the classes that are there, `[...]`."""
    return _weighted_mean(_f1(counts), _present(counts))


def micro_f1(counts: Counts) -> Floats:
    """F1 of all labels together, `[...]`."""
    return _f1(counts.map(lambda x: x.sum(axis=-1)))


def by_recording(scores: ArrayLike, recordings: ArrayLike) -> RecordingScores:
    """The mean of the clips' scores of each recording.

    Args:
        scores: float `[n, K]`; rows of nan (clips without scores) are left out of the mean.
        recordings: `[n]`, the recording of each clip.
    """
    given, names = np.asarray(scores, dtype=np.float64), np.asarray(recordings)
    if given.ndim != 2 or len(given) != len(names):
        raise ValueError(f"scores of shape {given.shape} for {len(names)} recordings: one row each is wanted")
    _, first, index = np.unique(names, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))  # from sorted by name to order of appearance
    first, index = np.sort(first), rank[index]
    scored = ~np.isnan(given).any(axis=1)
    sums = np.zeros((len(first), given.shape[1]))
    np.add.at(sums, index[scored], given[scored])
    n = np.bincount(index[scored], minlength=len(first)).astype(np.float64)
    means = np.divide(sums, n[:, None], out=np.full_like(sums, np.nan), where=n[:, None] > 0)
    return RecordingScores(names[first], means, first, index)


def confusions(matrix: ArrayLike, classes: Sequence[str], most: int = 5) -> tuple[Confusion, ...]:
    """The commonest mistakes of a confusion matrix `[K, K]`, the commonest first."""
    cells = np.array(matrix, dtype=np.int64)
    support = cells.sum(axis=1)
    np.fill_diagonal(cells, 0)
    worst = np.argsort(-cells, axis=None, kind="stable")[:most]
    pairs = [divmod(int(i), len(classes)) for i in worst]
    return tuple(
        Confusion(classes[t], classes[p], int(cells[t, p]), float(cells[t, p] / support[t]))
        for t, p in pairs
        if cells[t, p]
    )


def _per_class(
    truth: Floats, scores: Floats, counts: Counts, classes: Sequence[str], thresholds: Floats | None = None
) -> tuple[ClassMetrics, ...]:
    """The numbers of each class, from 0/1/nan targets `[n, K]` and the counts `[K]` of all clips."""
    rates = (_ratio(counts.hits, counts.predicted), _ratio(counts.hits, counts.support), _f1(counts))
    rows = []
    for k, name in enumerate(classes):
        known = ~np.isnan(truth[:, k])
        there = int(counts.support[k]) > 0
        precision, recall, f1 = (float(r[k]) if there else None for r in rates)
        rows.append(
            ClassMetrics(
                name=name,
                support=int(counts.support[k]),
                predicted=int(counts.predicted[k]),
                precision=precision,
                recall=recall,
                f1=f1,
                average_precision=_average_precision(truth[known, k], scores[known, k]),
                auroc=_auroc(truth[known, k], scores[known, k]),
                threshold=None if thresholds is None else float(thresholds[k]),
            )
        )
    return tuple(rows)


def _average_precision(truth: Floats, scores: Floats) -> float | None:
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(truth, scores)) if truth.any() else None


def _auroc(truth: Floats, scores: Floats) -> float | None:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(truth, scores)) if truth.any() and not truth.all() else None


def _top2(targets: NDArray[np.int64], scores: Floats) -> float:
    """Share of clips with their class among the two best; equal scores rank by column, as in argmax."""
    own = scores[np.arange(len(targets)), targets][:, None]
    earlier = np.arange(scores.shape[1]) < targets[:, None]
    return float((((scores > own) | ((scores == own) & earlier)).sum(axis=1) < 2).mean())


def _averages(counts: Counts, weights: Floats) -> Averages:
    rates = (_ratio(counts.hits, counts.predicted), _ratio(counts.hits, counts.support), _f1(counts))
    return Averages(*(_number(_weighted_mean(rate, weights)) for rate in rates))


def _f1(counts: Counts) -> Floats:
    return _ratio(2.0 * counts.hits, counts.support.astype(np.float64) + counts.predicted)


def _ratio(part: ArrayLike, whole: ArrayLike) -> Floats:
    """`part / whole`, and 0 where there is nothing to divide by (zero_division=0)."""
    top, bottom = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    return np.divide(top, bottom, out=np.zeros(np.broadcast(top, bottom).shape), where=bottom > 0)


def _present(counts: Counts) -> Floats:
    return (counts.support > 0).astype(np.float64)


def _weighted_mean(values: Floats, weights: Floats) -> Floats:
    """Mean over the last axis; nan where all weights are 0."""
    total = np.asarray(weights.sum(axis=-1))
    nothing = np.full(total.shape, np.nan)
    return np.asarray(np.divide((values * weights).sum(axis=-1), total, out=nothing, where=total > 0))


def _number(value: Floats) -> float | None:
    return float(value) if np.isfinite(value) else None


def _mean(values: Sequence[float | None]) -> float | None:
    there = [v for v in values if v is not None]
    return float(np.mean(there)) if there else None
