"""What was imported, in words: a line a class, what could not be used, and what to know before training."""

from __future__ import annotations

import itertools
import shlex
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark import audio
from earmark.clips import ClipTable
from earmark.splits import SPLITS, SYNONYMS, other_groupings, units
from earmark.tables import listed

_SHOWN_FILES = 3


@dataclass(frozen=True)
class Imported:
    """The clips of a folder, and what is none."""

    table: ClipTable
    """The clips that can be used."""
    seconds: NDArray[np.float64]
    """Length of each clip, `[n]`."""
    unusable: list[audio.AudioError]
    """Files, or excerpts of them, that cannot be used."""
    left_out: dict[str, int]
    """Why -> how many files (or rows of the corpus's own tables) are no clips."""
    layout: str
    """A key of `LAYOUTS`."""
    notes: tuple[str, ...] = ()
    """What the layout points out."""


def describe(imported: Imported) -> str:
    """What was imported, for a terminal: a line a class, then what was not, and what to know."""
    rows = _class_rows(imported)
    lines = [f"layout: {imported.layout}", "", *_aligned(rows)]
    if imported.unusable:
        lines += ["", f"could not be used: {len(imported.unusable)}", *_unusable_lines(imported)]
    if imported.left_out:
        lines += ["", f"left out: {', '.join(f'{n} {why}' for why, n in imported.left_out.items())}"]
    notes = [*imported.notes, *_notes(imported.table)]
    return "\n".join([*lines, *([""] if notes else []), *notes])


def _class_rows(imported: Imported) -> list[tuple[str, ...]]:
    table = imported.table
    files, groups = table.frame["file"].to_numpy(), units(table, fold=False)
    rows: list[tuple[str, ...]] = [("class", "files", "clips", "minutes", "groups")]
    for name, mask in [*_members(table), ("all", np.ones(len(table), bool))]:
        minutes = f"{imported.seconds[mask].sum() / 60:.1f}"
        rows.append((name, str(len(set(files[mask]))), str(mask.sum()), minutes, str(len(set(groups[mask])))))
    return rows


def _members(table: ClipTable) -> list[tuple[str, NDArray[np.bool_]]]:
    """Each class, and which clips have it, `[n]`."""
    targets = table.targets()
    return [
        (name, targets[:, k] == 1 if table.multi_label else targets == k)
        for k, name in enumerate(table.classes)
    ]


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]


def _unusable_lines(imported: Imported) -> list[str]:
    root = imported.table.root
    by_reason: dict[str, list[str]] = {}
    for error in imported.unusable:
        name = error.path.relative_to(root) if error.path.is_relative_to(root) else error.path
        by_reason.setdefault(error.reason, []).append(str(name))
    return [
        f"  {len(files)} {audio.REASONS[reason]}: {listed(files, _SHOWN_FILES)}"
        for reason, files in sorted(by_reason.items(), key=lambda item: -len(item[1]))
    ]


def _notes(table: ClipTable) -> list[str]:
    """What a careful person would point out before training."""
    notes = []
    if len(table.classes) < 2 and not table.multi_label:
        notes.append("note: one class only; training needs at least two")
    if table.column("group") is None and table.column("artist") is None:
        notes.append(
            "note: each recording is a group of its own; if several are of one song, player or place, "
            "say so in a column group of metadata.csv"
        )
    notes += [*_absent_from_splits(table), *_groups_in_two_splits(table)]
    groups = units(table, fold=False)
    n_groups = {name: len(set(groups[mask])) for name, mask in _members(table)}
    unheard = [name for name, n in n_groups.items() if n == 0]
    if unheard:
        notes.append(f"note: no clip of {listed(unheard)} can be used")
    alone = [name for name, n in n_groups.items() if n == 1]
    if alone:
        others = other_groupings(table)
        remedy = f"; --group {others[0]} would group otherwise" if others else ""
        notes.append(f"note: one group a class, on one side of any split: {listed(alone)}{remedy}")
    return notes


def _absent_from_splits(table: ClipTable) -> list[str]:
    """A note for the classes that are learnt but never tested, or the other way round."""
    splits, notes = _splits(table), []
    for split in ("train", "test"):
        absent = [
            name for name, mask in _members(table) if mask.any() and not (mask & (splits == split)).any()
        ]
        if absent and split in splits:
            remedy = " ".join(f"--without {shlex.quote(name)}" for name in absent[:_SHOWN_FILES])
            notes.append(f"note: split {split} has no clip of {listed(absent)}; leave out by: {remedy}")
    return notes


def _groups_in_two_splits(table: ClipTable) -> list[str]:
    """A note where the corpus's own splits divide groups."""
    groups, splits = table.column("group"), _splits(table)
    if groups is None:
        return []
    members = {split: set(groups[splits == split]) - {""} for split in SPLITS}
    return [
        f"note: {len(shared)} groups are both in {one} and in {other}: {listed(sorted(shared), _SHOWN_FILES)}"
        for one, other in itertools.combinations(SPLITS, 2)
        if (shared := members[one] & members[other])
    ]


def _splits(table: ClipTable) -> NDArray[np.object_]:
    """The splits that the corpus gives, in our words, `[n]`; empty where it gives none."""
    cells = table.column("split")
    if cells is None:
        return np.full(len(table), "", dtype=object)
    return np.array([SYNONYMS.get(cell.strip().casefold(), "") for cell in cells], dtype=object)
