"""A clip table to look at: labelled, in part or not at all, with one label a clip or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark import splits
from earmark.clips import KEY, RESERVED, ClipTable, read_clips
from earmark.errors import UserError

_MARKS = {"0", "1", "0.0", "1.0", ""}
_STRAY_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class Corpus:
    """Clips, and what is said of each."""

    table: ClipTable
    """The clips; `classes` is empty where none is labelled."""

    def __len__(self) -> int:
        return len(self.table)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.table.classes

    def take(self, rows: NDArray[np.generic]) -> Corpus:
        """The clips of a mask or of indices; the classes stay what they were."""
        return Corpus(self.table.take(rows))

    @cached_property
    def members(self) -> NDArray[np.bool_]:
        """Which classes each clip is said to have, `[n, K]`."""
        if self.table.multi_label:
            return np.asarray(self.table.targets() == 1)
        labels = self.table.column("label")
        if labels is None or not self.classes:
            return np.zeros((len(self), len(self.classes)), bool)
        return np.stack([labels == name for name in self.classes], axis=1)

    @cached_property
    def first_class(self) -> NDArray[np.int64]:
        """Place of the first class that each clip has, `[n]`; -1 where it has none."""
        if not self.classes:
            return np.full(len(self), -1)
        return np.where(self.members.any(axis=1), self.members.argmax(axis=1), -1)

    @cached_property
    def labels(self) -> list[str]:
        """What each clip is said to be, in words: a label, several joined by ` + `, or nothing."""
        return [" + ".join(self.classes[k] for k in np.flatnonzero(row)) for row in self.members]

    @cached_property
    def units(self) -> NDArray[np.object_]:
        """What must not be divided, a name a clip, `[n]` (see `splits.units`)."""
        return splits.units(self.table, fold=False)

    @property
    def grouped_by(self) -> str:
        """What is kept whole, in words."""
        names = [name for name in ("group", "artist") if name in self.table.frame]
        return (
            f"by the column {' and '.join(names)}" if names else "whole recordings: no column group is known"
        )

    @property
    def metadata(self) -> list[str]:
        """Columns that say something else than key, label, group and reason."""
        known = {*KEY, "reason", "label", "group", "given_group", *self.classes}
        return [str(name) for name in self.table.frame if str(name) not in known]


def read_corpus(path: Path, root: Path | None = None) -> Corpus:
    """Read a clip table, whatever is labelled in it.

    Args:
        path: the table.
        root: folder that its files are relative to; none: as imported.

    Raises:
        UserError: a folder, no such file, or a table with a fault (see `clips.read_clips`).
    """
    if path.is_dir():
        raise UserError(
            path,
            "this is a folder, wanted a clip table",
            f"Make one of it: earmark import {path} -o clips.csv",
        )
    plain = read_clips(path, root, labels=False)
    labels = plain.column("label")
    if labels is None:
        return Corpus(read_clips(path, root) if _has_marks(plain) else plain)
    filled = [cell for cell in labels if cell.strip()]
    if len(filled) == len(labels):
        return Corpus(read_clips(path, root))
    return Corpus(replace(plain, classes=tuple(sorted(set(filled)))))


def _has_marks(table: ClipTable) -> bool:
    """Whether columns are classes: (nearly) nothing but 0, 1 and empty."""
    named = [name for name in Corpus(table).metadata if name not in RESERVED]
    return any(_are_marks(table.frame[name].tolist()) for name in named)


def _are_marks(cells: Sequence[str]) -> bool:
    marks = sum(cell in _MARKS and cell != "" for cell in cells)
    stray = sum(cell not in _MARKS for cell in cells)
    return marks > 0 and stray <= _STRAY_SHARE * marks
