"""Proofs of a split: nothing is on two sides, and no class is missing from one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from earmark.clips import ClipTable, format_seconds
from earmark.errors import UserError
from earmark.splits import TOGETHER, WORDS, crosstab
from earmark.tables import listed


def audit(table: ClipTable, contents: Sequence[str | None] | None = None, given: bool = False) -> list[str]:
    """Prove that nothing is on two sides.

    Args:
        table: clips with their `split`.
        contents: a hash of each clip's sound, `[n]`; None or empty where it is not known.
        given: whether the corpus itself says what is valid and test; something in both is then a warning, since
            published corpora have it and training still knows nothing of the test.

    Returns:
        Warnings.

    Raises:
        UserError: a recording, group, artist or sound is in two splits; it is named, with a file from each.
    """
    cells = {WORDS[name] + " {!r}": table.frame[name].to_numpy() for name in TOGETHER if name in table.frame}
    if contents is not None:
        cells["the same sound"] = np.array([sound or "" for sound in contents], dtype=object)
    split, warnings = table.frame["split"].to_numpy(), []
    for words, of_clips in cells.items():
        if not given:
            _audit_one(table, of_clips, words)
            continue
        for other in ("valid", "test"):
            _audit_one(table.take(split != other), of_clips[split != other], words)
        try:
            _audit_one(table.take(split != "train"), of_clips[split != "train"], words)
        except UserError as error:
            warnings.append(f"{error.where}: {error.problem}; the table's own split has it so")
    return warnings


def check_classes(table: ClipTable, partial_test: bool = False) -> list[str]:
    """Look for classes that a split lacks.

    Args:
        table: clips with their `split`.
        partial_test: whether the test may lack some.

    Returns:
        A warning where a class is missing from `valid`, if that has any clip.

    Raises:
        UserError: a class is missing from `train` or from `test`.
    """
    counts = crosstab(table)
    for split, verb in (("train", "learnt"), *(() if partial_test else (("test", "tested"),))):
        missing = [str(name) for name in counts.index[counts[split] == 0]]
        if missing:
            raise UserError(
                f"split {split!r}",
                f"it has no clip of class {listed(missing)}, so that {'they' if missing[1:] else 'it'} "
                f"cannot be {verb}",
                "Add recordings (of other groups) of it, leave the class out, or choose another split.",
            )
    missing = [str(name) for name in counts.index[counts["valid"] == 0] if counts["valid"].any()]
    if not missing:
        return []
    known = f"what is found on validation clips says nothing of {'them' if missing[1:] else 'it'}"
    return [f"split 'valid' has no clip of class {listed(missing)}: {known}"]


def check_grouping(table: ClipTable) -> list[str]:
    """Look for groups that the table had before another column was taken for them (`given_group`).

    Returns:
        A warning where such groups are on both sides, as where each class comes from one player.
    """
    given, split = table.column("given_group"), table.column("split")
    if given is None or split is None:
        return []
    tested = set(given[split == "test"]) & set(given[split != "test"]) - {""}
    if not tested:
        return []
    return [
        f"{listed(sorted(tested))}, groups of the table before --group, are trained and tested on: "
        "the figures say how well known ones are recognised, not new ones"
    ]


def _audit_one(table: ClipTable, cells: NDArray[np.object_], words: str) -> None:
    """Refuse cells `[n]` that stand in two splits; empty ones say nothing."""
    import pandas as pd

    codes, _ = pd.factorize(cells)
    splits = table.frame["split"].to_numpy()
    first = np.zeros(codes.max(initial=-1) + 1, np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    rows = np.flatnonzero((splits != splits[first[codes]]) & (cells != ""))
    if not len(rows):
        return
    row, other = int(rows[0]), int(first[codes[rows[0]]])
    more = len(set(codes[rows])) - 1
    sides = " and in ".join(f"{splits[clip]} ({_clip_words(table, clip)})" for clip in (other, row))
    raise UserError(
        "split",
        f"{words.format(cells[row])} is in {sides}" + (f"; there are {more} more such cases" if more else ""),
        "What is tested must be new to the model: give both the same split or group, or delete one copy.",
    )


def _clip_words(table: ClipTable, row: int) -> str:
    start = table.frame["start"].iloc[row]
    return repr(table.frame["file"].iloc[row]) + (f" from {format_seconds(start)} s" if start else "")
