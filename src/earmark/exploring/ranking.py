"""Which feature or column tells the label best, held out by whole groups.

Every column is asked alone: a shallow tree (numbers) or a table of values (words) learns from four fifths of the
groups and is asked about the rest, five times. The figure is balanced accuracy, the mean over classes of the share
of their clips that is recognised; with several labels a clip, the mean over classes of that of yes and no.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from earmark.exploring.corpus import Corpus
from earmark.exploring.memo import Memo, key_of
from earmark.stratify import divide

Kind = Literal["metadata", "file", "level", "sound"]
KINDS: dict[Kind, str] = {
    "metadata": "column of the table",
    "file": "property of the file",
    "level": "level of the sound",
    "sound": "statistic of the sound",
}
N_FOLDS = 5
MOST_CLIPS = 3000
"""Of a larger corpus as many are drawn, evenly over the classes."""
MOST_TASKS = 12
"""Classes that are asked for where clips have several labels, the commonest first."""
N_RANDOM = 20
_FEW_VALUES = 10
_TREES = 100


@dataclass(frozen=True, eq=False)
class Column:
    """One column that may tell the label."""

    name: str
    kind: Kind
    values: NDArray[np.generic]
    """`[n]`: float64 with nan, or text."""


@dataclass(frozen=True)
class Rank:
    """How well a column, alone, tells the label of clips of other groups."""

    name: str
    kind: Kind
    score: float
    """Balanced accuracy in [0, 1], held out by whole groups."""
    unseen: float = 0.0
    """Words: share of clips whose value occurs in no group that was learnt from."""


@dataclass(frozen=True)
class Ranking:
    """What tells the label, the best first."""

    ranks: tuple[Rank, ...]
    together: tuple[Rank, ...]
    """All columns of a kind together, by a forest of trees."""
    chance: float
    """What guessing reaches."""
    luck: float
    """What the luckiest of `N_RANDOM` columns of random numbers reached."""
    n_clips: int
    n_groups: int
    n_classes: int
    left_out: tuple[str, ...] = ()
    """Classes with one group alone: they cannot be learnt and asked."""
    why_not: str = ""
    """Why there is no ranking."""


@dataclass(frozen=True, eq=False)
class _Task:
    """Rows of the clips that are asked, and what the answer is, in [0, n_classes)."""

    rows: NDArray[np.int64]
    targets: NDArray[np.int64]
    n_classes: int


def rank(corpus: Corpus, columns: Sequence[Column], seed: int = 0, progress: bool = False) -> Ranking:
    """Ask every column how well it tells the label.

    Args:
        corpus: clips that could be used.
        columns: what is known of them, `[n]` each.
        seed: of folds and random numbers.
        progress: show a bar with the time left.
    """
    from tqdm import tqdm

    rng = np.random.default_rng(seed)
    tasks, left_out = _tasks(corpus, rng)
    if not tasks:
        return Ranking((), (), 0.0, 0.0, 0, 0, 0, left_out, _why_not(corpus))
    folds = _folds(corpus, rng)
    with tqdm(columns, desc="ranking", unit="column", disable=not progress, leave=False) as bar:
        ranks = [_rank(column, tasks, folds) for column in bar]
    rows = np.unique(np.concatenate([task.rows for task in tasks]))
    return Ranking(
        tuple(sorted(ranks, key=lambda one: (-one.score, one.name))),
        tuple(
            _together(columns, kind, tasks, folds, seed)
            for kind in KINDS
            if any(c.kind == kind for c in columns)
        ),
        float(np.mean([1 / task.n_classes for task in tasks])),
        _luck(corpus, tasks, folds, rng),
        len(rows),
        len(set(corpus.units[rows])),
        len(tasks) if corpus.table.multi_label else tasks[0].n_classes,
        left_out,
    )


def rank_once(
    memo: Memo, corpus: Corpus, columns: Sequence[Column], seed: int = 0, progress: bool = False
) -> Ranking:
    """What `rank` finds, kept for the next time that the same is asked."""
    asked: list[object] = [
        corpus.members.tobytes(),
        *corpus.units,
        corpus.classes,
        corpus.table.multi_label,
        seed,
    ]
    if corpus.table.multi_label:
        asked.append(corpus.table.targets().tobytes())
    for column in columns:
        values = column.values
        cells = [values.tobytes()] if values.dtype.kind == "f" else list(values)
        asked += [column.name, column.kind, *cells]
    kept = memo.once(
        key_of("ranking", *asked), lambda: msgspec.json.encode(rank(corpus, columns, seed, progress))
    )
    return msgspec.json.decode(kept, type=Ranking)


def metadata_columns(corpus: Corpus) -> list[Column]:
    """The table's own columns: numbers where all cells are some and there are many, else words."""
    found = []
    for name in corpus.metadata:
        cells = corpus.table.frame[name]
        numbers = pd.to_numeric(cells.where(cells != "").astype(object), errors="coerce").to_numpy(np.float64)
        numeric = bool((np.isfinite(numbers) | (cells == "").to_numpy()).all())
        if numeric and len(np.unique(numbers[np.isfinite(numbers)])) > _FEW_VALUES:
            found.append(Column(name, "metadata", numbers))
        elif cells.nunique() > 1:
            found.append(Column(name, "metadata", cells.to_numpy().astype(str)))
    return found


def frame_of(ranking: Ranking) -> pd.DataFrame:
    """The ranking as a table, what is together first."""
    rows = [(f"all {KINDS[one.kind]} columns together", one) for one in ranking.together]
    rows += [(one.name, one) for one in ranking.ranks]
    columns = ["column", "kind", "balanced_accuracy", "chance", "unseen"]
    cells = [
        [name, o.kind, round(o.score, 6), round(ranking.chance, 6), round(o.unseen, 6)] for name, o in rows
    ]
    return pd.DataFrame(cells, columns=columns)


# -- what is asked -------------------------------------------------------------------------------------------


def _tasks(corpus: Corpus, rng: np.random.Generator) -> tuple[list[_Task], tuple[str, ...]]:
    """What is asked of which clips, and the classes that are left out."""
    if corpus.table.multi_label:
        return _tasks_a_class(corpus, rng)
    groups = [len(set(corpus.units[corpus.members[:, k]])) for k in range(len(corpus.classes))]
    kept = [k for k, n in enumerate(groups) if n > 1]
    left_out = tuple(corpus.classes[k] for k, n in enumerate(groups) if n == 1)
    if len(kept) < 2:
        return [], left_out
    place = np.full(len(corpus.classes) + 1, -1)
    place[kept] = np.arange(len(kept))
    targets = place[corpus.first_class]
    rows = _drawn(targets, rng)
    return [_Task(rows, targets[rows], len(kept))], left_out


def _tasks_a_class(corpus: Corpus, rng: np.random.Generator) -> tuple[list[_Task], tuple[str, ...]]:
    """A yes-or-no task for each class that has, and has not, two groups."""
    marks, units, tasks, left_out = corpus.table.targets(), corpus.units, {}, []
    for k, name in enumerate(corpus.classes):
        targets = np.nan_to_num(marks[:, k], nan=-1).astype(np.int64)
        if min(len(set(units[targets == one])) for one in (0, 1)) < 2:
            left_out.append(name)
        else:
            rows = _drawn(targets, rng)
            tasks[name] = _Task(rows, targets[rows], 2)
    commonest = sorted(tasks, key=lambda name: -int(tasks[name].targets.sum()))[:MOST_TASKS]
    return [tasks[name] for name in commonest], tuple(left_out)


def _drawn(targets: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows with a target, at most `MOST_CLIPS`, evenly over the classes."""
    order = rng.permutation(np.flatnonzero(targets >= 0))
    if len(order) <= MOST_CLIPS:
        return np.sort(order)
    turn = pd.Series(targets[order]).groupby(targets[order]).cumcount().to_numpy()
    return np.sort(order[np.argsort(turn, kind="stable")][:MOST_CLIPS])


def _why_not(corpus: Corpus) -> str:
    if not corpus.classes:
        return "no clip is labelled"
    if len(corpus.classes) == 1 and not corpus.table.multi_label:
        return "there is one class alone"
    return f"fewer than two classes have clips of two groups ({corpus.grouped_by}) that can be held out"


def _folds(corpus: Corpus, rng: np.random.Generator) -> NDArray[np.int64]:
    """The fold of each clip, `[n]`: whole units, classes spread evenly."""
    codes, names = pd.factorize(corpus.units)
    shape = (len(names), len(corpus))
    member = csr_array((np.ones(len(corpus), np.int64), (codes, np.arange(len(corpus)))), shape=shape)
    counted = np.concatenate([corpus.members, np.ones((len(corpus), 1), bool)], axis=1).astype(np.int64)
    counts = csr_array(member @ counted)
    fold, left = np.zeros(len(names), np.int64), np.arange(len(names))
    for number in range(N_FOLDS - 1, 0, -1):
        if len(left) > number:
            chosen = divide(csr_array(counts[left]), 1 / (number + 1), rng)
            fold[left[chosen]] = number
            left = left[~chosen]
    return fold[codes]


# -- the answers ---------------------------------------------------------------------------------------------


def _rank(column: Column, tasks: Sequence[_Task], folds: NDArray[np.int64]) -> Rank:
    scores, unseen = [], []
    for task in tasks:
        values, fold = column.values[task.rows], folds[task.rows]
        predicted = np.zeros(len(values), np.int64)
        strange = np.zeros(len(values), bool)
        for number in np.unique(fold):
            asked = fold == number
            if asked.all():
                continue
            if values.dtype.kind == "f":
                predicted[asked] = _by_tree(values, task, asked)
            else:
                predicted[asked], strange[asked] = _by_value(values, task, asked)
        scores.append(balanced_accuracy(task.targets, predicted))
        unseen.append(strange.mean())
    return Rank(column.name, column.kind, float(np.mean(scores)), float(np.mean(unseen)))


def balanced_accuracy(targets: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Mean over the classes that occur of the share of their clips that is right."""
    return float(np.mean([(predicted[targets == k] == k).mean() for k in np.unique(targets)]))


def _by_tree(values: NDArray[np.generic], task: _Task, asked: NDArray[np.bool_]) -> NDArray[np.int64]:
    """What a tree of few leaves, learnt from the other clips, says of the clips asked."""
    from sklearn.tree import DecisionTreeClassifier

    x = _numbers(values)
    leaves = max(4, 2 * task.n_classes)
    model = DecisionTreeClassifier(
        max_leaf_nodes=leaves, min_samples_leaf=3, class_weight="balanced", random_state=0
    )
    model.fit(x[~asked, None], task.targets[~asked])
    return np.asarray(model.predict(x[asked, None]), np.int64)


def _by_value(
    values: NDArray[np.generic], task: _Task, asked: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The likeliest class of each value among the other clips (classes weigh alike), and which were never met.

    A value that was never met gets class 0: over all classes this is right as often as guessing.
    """
    codes, _ = pd.factorize(values)
    table = np.zeros((codes.max(initial=0) + 1, task.n_classes))
    np.add.at(table, (codes[~asked], task.targets[~asked]), 1)
    met = table.sum(axis=1) > 0
    best = (table / np.maximum(table.sum(axis=0), 1)).argmax(axis=1)
    return best[codes[asked]], ~met[codes[asked]]


def _together(
    columns: Sequence[Column], kind: Kind, tasks: Sequence[_Task], folds: NDArray[np.int64], seed: int
) -> Rank:
    """All columns of one kind, by extremely randomised trees (Geurts et al., 2006)."""
    from sklearn.ensemble import ExtraTreesClassifier

    values = [column.values for column in columns if column.kind == kind]
    rng, scores = np.random.default_rng(seed), []
    for task in tasks:
        own, fold = [v[task.rows] for v in values], folds[task.rows]
        predicted = np.zeros(len(fold), np.int64)
        for number in np.unique(fold):
            asked = fold == number
            if not asked.all():
                x = np.stack(
                    [_numbers(v) if v.dtype.kind == "f" else _codes(v, asked, rng) for v in own], axis=1
                )
                model = ExtraTreesClassifier(
                    _TREES, class_weight="balanced", min_samples_leaf=2, random_state=seed
                )
                predicted[asked] = model.fit(x[~asked], task.targets[~asked]).predict(x[asked])
        scores.append(balanced_accuracy(task.targets, predicted))
    return Rank(f"{len(values)} columns", kind, float(np.mean(scores)))


def _codes(
    values: NDArray[np.generic], asked: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Words as numbers in random order, since the order of a table may tell the label; -1 where it was never met."""
    codes, names = pd.factorize(values)
    met = np.isin(codes, codes[~asked])
    return np.where(met, rng.permutation(len(names))[codes], -1).astype(np.float64)


def _luck(
    corpus: Corpus, tasks: Sequence[_Task], folds: NDArray[np.int64], rng: np.random.Generator
) -> float:
    """The best of `N_RANDOM` columns that are the same throughout a unit and else random."""
    codes, names = pd.factorize(corpus.units)
    columns = [Column("", "metadata", rng.standard_normal(len(names))[codes]) for _ in range(N_RANDOM)]
    return max(_rank(column, tasks, folds).score for column in columns)


def _numbers(values: NDArray[np.generic]) -> NDArray[np.float64]:
    """Numbers, the median where there is none."""
    x = values.astype(np.float64)
    known = np.isfinite(x)
    return np.where(known, x, np.median(x[known]) if known.any() else 0.0)
