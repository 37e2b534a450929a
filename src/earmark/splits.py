"""Splits that keep what belongs together on one side; `leakage` proves it.

A unit is what must not be divided: clips that share a recording, a group, an artist or (where there are folds
enough) a fold, directly or through other clips.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from earmark.clips import RESERVED, ClipTable
from earmark.errors import UserError
from earmark.stratify import divide
from earmark.tables import did_you_mean, listed

if TYPE_CHECKING:
    import pandas as pd
    from scipy.sparse import csr_array

SPLITS = ("train", "valid", "test")
"""What the column `split` may say."""
SYNONYMS = {
    "train": "train", "training": "train",
    "valid": "valid", "validation": "valid", "validate": "valid", "val": "valid", "dev": "valid",
    "test": "test", "testing": "test",
}  # fmt: skip
"""Other words for splits, in lower case. `eval` is none: some corpora validate on it, others test."""

TOGETHER = ("file", "group", "artist")
"""Columns whose cells are never divided, ascending in width."""
WORDS = {"file": "recording", "group": "group", "artist": "artist", "fold": "fold"}
"""What a cell of such a column is called."""
_Fraction = Annotated[float, msgspec.Meta(gt=0, lt=1)]


@dataclass(frozen=True)
class SplitSettings:
    """Which clips train, validate and test, where the table has no column `split`."""

    test_fraction: _Fraction = 0.2
    """Share of all clips that is tested on."""
    valid_fraction: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.2
    """Share of the other clips that chooses the checkpoint; 0: none, the last is kept, and all that is not tested
    trains: clips that the table gives for validation too, unless they belong to something that is tested."""
    seed: int = 0
    """Another seed gives another split."""
    test_fold: str | None = None
    """Test on this value of the column `fold`."""
    test_group: str | None = None
    """Test on this value of the column `group`, and on what belongs to it."""
    protocol: Literal["grouped", "segments"] = "grouped"
    """`grouped` keeps recordings, groups and artists whole. `segments` divides clips at random, as some published
    protocols do: parts of one recording are on both sides, so it LEAKS."""
    partial_test: bool = False
    """A class may be missing from the test, as where each group is left out in turn and the tests are pooled."""
    learn_from: str | None = None
    """Learn (train and validate) from this value of the column `split` alone, and test on its `test`."""


def assign(table: ClipTable, settings: SplitSettings) -> ClipTable:
    """Give each clip its split: units stay whole, classes are spread evenly, a seed always gives the same.

    Args:
        table: clips; a column `split` is obeyed, but that its `valid` trains where nothing is to validate; if only
            `valid` is missing, a part of `train` becomes it.
        settings: how large the parts are, and which fold or group is tested on.

    Returns:
        The table with `split`: train, valid or test.

    Raises:
        UserError: no such fold or group, a split that is no split, or too few units to do as asked.
    """
    rng = np.random.default_rng(settings.seed)
    if settings.protocol == "segments":
        return table.with_column("split", _by_segment(table, settings, rng))
    if "split" in table.frame:
        splits = _given(table, settings)
    else:
        splits = np.full(len(table), "train", dtype=object)
        splits[_tested(table, settings, rng)] = "test"
    if "valid" in splits and not settings.valid_fraction:
        splits[_free_to_train(table, splits)] = "train"
    elif "valid" not in splits and settings.valid_fraction:
        rest = np.flatnonzero(splits == "train")
        asked = settings.test_fold is not None or settings.test_group is not None
        others = table.take(rest) if not asked else without_folds(table.take(rest))
        splits[rest[_held_out(others, settings.valid_fraction, rng, sides=("train", "valid"))]] = "valid"
    return table.with_column("split", splits)


def trained_after_all(given: ClipTable, assigned: ClipTable) -> NDArray[np.bool_]:
    """The clips given for validation that train, `[n]`, since nothing is to validate."""
    if "split" not in given.frame:
        return np.zeros(len(given), bool)
    trained: NDArray[np.bool_] = (_our_words(given) == "valid") & (
        assigned.frame["split"] == "train"
    ).to_numpy()
    return trained


def learnt_from(table: ClipTable, settings: SplitSettings) -> ClipTable:
    """The clips that `learn_from` leaves: those of that split, now to be divided, and those of `test`.

    Raises:
        UserError: the table has no column `split`, or no clip of that split.
    """
    if settings.learn_from is None:
        return table
    if "split" not in table.frame:
        raise UserError(
            "split.learn_from",
            f"found {settings.learn_from!r}, but the table has no column 'split'",
            "Leave it out.",
        )
    given = _given(table, settings)
    if settings.learn_from not in given or settings.learn_from == "test":
        raise UserError(
            "split.learn_from", f"found {settings.learn_from!r}, wanted train or valid, as the table has it"
        )
    kept = given != "test"
    kept &= given != settings.learn_from
    return table.with_column("split", np.where(given == "test", "test", "train")).take(~kept)


def without_folds(table: ClipTable) -> ClipTable:
    """The table without its column `fold`: where a fold is tested on, groups of the others validate."""
    return dataclasses.replace(table, frame=table.frame.drop(columns="fold", errors="ignore"))


def units(table: ClipTable, fold: bool = True) -> NDArray[np.object_]:
    """The unit of each clip, `[n]`: clips with the same name must be on the same side.

    Args:
        table: clips; an empty cell of `group`, `artist` or `fold` says nothing.
        fold: whether a fold must stay whole too.

    Returns:
        Names such as `group 'violin_3'`: the widest thing that the unit's first clip belongs to.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    columns = [name for name in (*TOGETHER, "fold") if name in table.frame and (fold or name != "fold")]
    clips, values, n_nodes = [], [], len(table)
    for name in columns:
        codes, filled = _codes(table, name)
        clips.append(filled)
        values.append(n_nodes + codes[filled])
        n_nodes += int(codes.max(initial=-1)) + 1
    edges = (np.concatenate(clips), np.concatenate(values))
    graph = coo_array((np.ones(len(edges[0]), np.int8), edges), shape=(n_nodes, n_nodes))
    component = connected_components(graph, directed=False)[1][: len(table)]
    _, first, which = np.unique(component, return_index=True, return_inverse=True)
    names: NDArray[np.object_] = np.empty(len(first), dtype=object)
    for name in columns:  # ascending in width
        for unit, cell in enumerate(table.frame[name].to_numpy()[first]):
            if cell != "":
                names[unit] = f"{WORDS[name]} {cell!r}"
    return names[which]


def crosstab(table: ClipTable) -> pd.DataFrame:
    """Clips by class and split: `[K, 3]` counts, columns train, valid and test."""
    import pandas as pd

    member = np.stack([table.frame["split"].to_numpy() == split for split in SPLITS], axis=1).astype(np.int64)
    counts = _memberships(table).T @ member
    return pd.DataFrame(
        counts, index=pd.Index(table.classes, dtype=object, name="class"), columns=list(SPLITS)
    )


def _by_segment(table: ClipTable, settings: SplitSettings, rng: np.random.Generator) -> NDArray[np.object_]:
    """A split of clips at random, whatever they belong to; a given `test` stays."""
    given = _given(table, settings) if "split" in table.frame else None
    if given is None:
        order = rng.permutation(len(table))
        tested = np.isin(np.arange(len(table)), order[: round(settings.test_fraction * len(table))])
    else:
        tested = given == "test"
    rest = rng.permutation(np.flatnonzero(~tested))
    splits = np.where(tested, "test", "train").astype(object)
    if given is None or "valid" not in given:
        n_valid = round(settings.valid_fraction * len(rest)) or int(settings.valid_fraction > 0)
        splits[rest[:n_valid]] = "valid"
    elif settings.valid_fraction:
        splits[given == "valid"] = "valid"
    return splits


# -- what is asked for --------------------------------------------------------------------------------------


def _given(table: ClipTable, settings: SplitSettings) -> NDArray[np.object_]:
    """The column `split` in our words."""
    for name in ("test_fold", "test_group"):
        if getattr(settings, name) is not None:
            raise UserError(
                f"split.{name}",
                f"found {getattr(settings, name)!r}, but the table has a column 'split', which is obeyed",
                "Delete or rename that column, or leave the setting out.",
            )
    cells = table.frame["split"]
    splits = _our_words(table)
    for row in np.flatnonzero([not isinstance(split, str) for split in splits])[:1]:
        raise UserError(
            f"column 'split', {table.frame['file'].iloc[row]!r}",
            f"found {cells.iloc[row]!r}, wanted train, valid or test",
            "Correct the column, or delete it to have the clips split.",
        )
    for split in ("train", "test"):
        if split not in splits:
            raise UserError(
                "column 'split'",
                f"no clip says {split!r}; found {listed(sorted(set(cells)))}",
                f"Mark whole groups as {split!r}, or delete the column to have the clips split.",
            )
    return splits


def _our_words(table: ClipTable) -> NDArray[np.object_]:
    """The column `split`, `[n]`, nan where a cell is no word for a split."""
    words: NDArray[np.object_] = (
        table.frame["split"].str.strip().str.casefold().map(SYNONYMS).to_numpy(dtype=object)
    )
    return words


def _free_to_train(table: ClipTable, splits: NDArray[np.object_]) -> NDArray[np.bool_]:
    """The validation clips that belong to nothing that is tested, `[n]`."""
    codes, _ = _factorized(units(table, fold=False))
    free: NDArray[np.bool_] = (splits == "valid") & ~np.isin(codes, codes[splits == "test"])
    return free


def _tested(table: ClipTable, settings: SplitSettings, rng: np.random.Generator) -> NDArray[np.bool_]:
    """The clips to test on, `[n]`."""
    if settings.test_fold is not None and settings.test_group is not None:
        raise UserError(
            "split.test_fold", "split.test_group is given too, wanted one of them", "Leave one out."
        )
    if settings.test_fold is not None:
        return _rows_with(table, "fold", settings.test_fold)
    if settings.test_group is not None:
        codes, _ = _factorized(units(table, fold=False))
        return np.isin(codes, codes[_rows_with(table, "group", settings.test_group)])
    return _held_out(table, settings.test_fraction, rng, sides=SPLITS)


def _rows_with(table: ClipTable, column: str, value: str) -> NDArray[np.bool_]:
    cells = table.column(column)
    if cells is None:
        raise UserError(
            f"split.test_{column}",
            f"found {value!r}, but the table has no column {column!r}"
            f"; it has {listed(list(map(str, table.frame)))}",
            f"Add the column {column!r}, or leave the setting out.",
        )
    found: NDArray[np.bool_] = cells == value
    known = sorted(set(cells) - {""}, key=lambda cell: (len(cell), cell))
    if not found.any() or len(known) < 2:
        raise UserError(
            f"split.test_{column}",
            f"found {value!r}, the table's {column}s are {listed(known, most=30)}",
            f"{did_you_mean(value, known)}Name one of at least two.",
        )
    return found


# -- holding whole units out --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Units:
    """The units of a table, and what is in them."""

    names: NDArray[np.object_]
    """`[U]`."""
    codes: NDArray[np.int64]
    """The unit of each clip, `[n]`."""
    counts: csr_array
    """Clips of each unit by class, `[U, K + 1]`; the last column counts all."""

    def first_of_class(self, k: int) -> str:
        """Name of the first unit that has a class."""
        return str(self.names[int(np.argmax(self.counts[:, [k]].toarray() > 0))])

    def n_of_classes(self) -> NDArray[np.int64]:
        """Number of units that have each class, `[K + 1]`."""
        return np.asarray((self.counts > 0).sum(axis=0))


def _units_of(table: ClipTable, fold: bool) -> _Units:
    from scipy.sparse import csr_array, hstack

    codes, names = _factorized(units(table, fold))
    n = len(table)
    member = csr_array((np.ones(n, np.int64), (codes, np.arange(n))), shape=(len(names), n))
    classes = hstack([_memberships(table), csr_array(np.ones((n, 1), np.int64))])
    return _Units(names, codes, csr_array(member @ classes))


def _held_out(
    table: ClipTable, fraction: float, rng: np.random.Generator, sides: Sequence[str]
) -> NDArray[np.bool_]:
    """Choose about a fraction of the clips, in whole units and evenly over the classes: `[n]`.

    Folds, where the table has them, stay whole if there are as many as sides, and two for every class.
    """
    found = _units_of(table, fold=True)
    if "fold" in table.frame and (len(found.names) < len(sides) or found.n_of_classes().min() < 2):
        found = _units_of(table, fold=False)
    if "test" in sides:
        _require_two_units_a_class(table, found)
    chosen = divide(found.counts, fraction, rng) if len(found.names) >= len(sides) else np.zeros(0, bool)
    if not chosen.any():
        raise UserError(
            "split",
            f"{', '.join(sides)} need whole recordings, groups or folds of their own; there are only "
            f"{len(found.names)} to divide: {', '.join(found.names[:6])}",
            f"Add recordings (of other groups): three of each class at least. {_alternatives(table)}",
        )
    held_out: NDArray[np.bool_] = chosen[found.codes]
    return held_out


def _require_two_units_a_class(table: ClipTable, found: _Units) -> None:
    short = np.flatnonzero(found.n_of_classes()[:-1] == 1)
    if not len(short):
        return
    names = [table.classes[k] for k in short]
    raise UserError(
        f"class {names[0]!r}",
        f"all its clips belong to {found.first_of_class(int(short[0]))}, which is on one side of any split"
        + (f"; it is the same with {listed(names[1:])}" if names[1:] else ""),
        f"Add recordings (of other groups), or leave it out. {_alternatives(table)}",
    )


def _alternatives(table: ClipTable) -> str:
    """What else the table could be grouped by, in words."""
    others = other_groupings(table)
    if not others:
        return ""
    also = f" (or {listed(others[1:])})" if others[1:] else ""
    known = "The figures then say how well known groups are recognised, not new ones."
    return f"Or group by another column: --group {others[0]}{also}. {known}"


def other_groupings(table: ClipTable) -> list[str]:
    """Columns that could be groups: fewer values than recordings, and three or more in every class."""
    rows, classes = _memberships(table).nonzero()
    found = []
    for name in table.frame.columns.difference([*RESERVED, *table.classes], sort=False):
        values, _ = _codes(table, str(name))
        pairs = np.unique(classes * len(table) + values[rows])
        n_values = np.bincount(pairs // max(len(table), 1), minlength=len(table.classes))
        if n_values.min(initial=3) >= 3 and values.max(initial=0) + 1 < table.frame["file"].nunique():
            found.append(str(name))
    return found


# -- counts -------------------------------------------------------------------------------------------------


def _memberships(table: ClipTable) -> csr_array:
    """Which classes each clip has, `[n, K]` of 1; unknown counts as not."""
    from scipy.sparse import csr_array

    targets = table.targets()
    if table.multi_label:
        return csr_array((targets == 1).astype(np.int64))
    n = len(table)
    return csr_array((np.ones(n, np.int64), (np.arange(n), targets)), shape=(n, len(table.classes)))


def _codes(table: ClipTable, name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers that stand for the cells of a column, `[n]`, and the rows whose cell is not empty."""
    cells = table.frame[name].to_numpy()
    return _factorized(cells)[0], np.flatnonzero(cells != "")


def _factorized(cells: NDArray[np.object_]) -> tuple[NDArray[np.int64], NDArray[np.object_]]:
    """Cells as numbers `[n]` from 0 in order of appearance, and what they stand for."""
    import pandas as pd

    codes, values = pd.factorize(cells)
    return codes, values
