"""Folders as people and corpora lay them out -> clip table, with what could not be used and why."""

from __future__ import annotations

import math
import os
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from earmark import audio
from earmark.clips import RESERVED, ClipTable, clips_from, regrouped, validate_clips
from earmark.errors import UserError
from earmark.splits import SYNONYMS, other_groupings, units
from earmark.tables import TextTable, did_you_mean, listed, read_text_table

FILE_COLUMNS = ("file", "path", "file_name", "filename")
"""Columns of metadata.csv that may name the sound file, the first one counts."""

_FIRST_SECONDS = 0.1
_SHOWN_FILES = 3


@dataclass(frozen=True)
class Listing:
    """What a layout says of a folder, before any sound is opened."""

    text: TextTable
    """One row a clip: `file` relative to the folder, `label` or columns of 0 and 1, what else is known."""
    left_out: dict[str, int]
    """Why -> how many files of the folder are no clips."""


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
    """Why -> how many files of the folder are no clips."""
    layout: str
    """A key of `LAYOUTS`."""


def import_folder(
    folder: str | Path,
    layout: str = "auto",
    group_column: str | None = None,
    clip_seconds: float | None = None,
    progress: bool = False,
) -> Imported:
    """Make a clip table of a folder of sound.

    Args:
        folder: a folder for each class, or a folder with `metadata.csv`.
        layout: a key of `LAYOUTS`, or "auto".
        group_column: take this column for `group`.
        clip_seconds: cut recordings into clips of this length, as prediction does; None leaves them whole.
        progress: show a bar on stderr while the files are opened.

    Raises:
        UserError: the folder is laid out in no such way, its table has a bad row, or no file can be used.
    """
    folder = Path(folder)
    if clip_seconds is not None and not (math.isfinite(clip_seconds) and clip_seconds >= 0.01):
        raise UserError("clip length", f"found {clip_seconds:g} s, wanted 0.01 s or more", "For example 5.")
    layout, listing = _listing(folder, layout)
    table = regrouped(clips_from(listing.text, folder), group_column)
    found = _probe(table, progress)
    rows, unusable = _usable(table, found)
    if not rows:
        _raise_none_usable(folder, unusable)
    table = table.take(np.array(rows))
    known = {file: info.duration for file, info in found.items() if isinstance(info, audio.AudioInfo)}
    durations = np.array([known[file] for file in table.frame["file"]], np.float64)
    if clip_seconds is not None:
        table, durations = _cut(table, durations, clip_seconds)
    start, end = table.frame["start"].to_numpy(), table.frame["end"].to_numpy()
    seconds = np.fmin(end, durations) - start
    return Imported(table, seconds, unusable, listing.left_out, layout)


# -- layouts ------------------------------------------------------------------------------------------------


def _metadata(folder: Path) -> Listing | None:
    """A folder with `metadata.csv`: a row a clip, the sound file in one of `FILE_COLUMNS`."""
    path = folder / "metadata.csv"
    if not path.is_file():
        return None
    text = _with_our_columns(read_text_table(path))
    scan = audio.scan(folder)
    named = {os.path.normpath(folder / file) for file in text.frame["file"]}
    left_out = Counter(scan.left_out)
    left_out["not audio"] -= 1  # metadata.csv itself
    left_out["not in metadata.csv"] = sum(os.path.normpath(file) not in named for file in scan.files)
    return Listing(text, {why: n for why, n in left_out.items() if n > 0})


def _folder(folder: Path) -> Listing | None:
    """A folder for each class; the folders in them say no more than what may serve as a group."""
    scan = audio.scan(folder)
    files = [file.relative_to(folder) for file in scan.files]
    labelled = [file for file in files if len(file.parts) > 1]
    if not labelled:
        _raise_no_classes(folder, len(files), scan.left_out)
    _check_not_splits(folder, {file.parts[0] for file in labelled})
    columns = {"file": [file.as_posix() for file in labelled], "label": [file.parts[0] for file in labelled]}
    subfolders = ["/".join(file.parts[1:-1]) for file in labelled]
    if any(subfolders):
        columns["subfolder"] = subfolders
    left_out = dict(scan.left_out)
    if len(labelled) < len(files):
        left_out["beside the folders of the classes"] = len(files) - len(labelled)
    return Listing(TextTable(pd.DataFrame(columns, dtype=object), str(folder)), left_out)


LAYOUTS: dict[str, Callable[[Path], Listing | None]] = {"metadata": _metadata, "folder": _folder}
"""Name -> function that lists a folder, or gives None where it is laid out otherwise; the first to fit."""


def _listing(folder: Path, layout: str) -> tuple[str, Listing]:
    if layout != "auto" and layout not in LAYOUTS:
        known = ["auto", *LAYOUTS]
        raise UserError(
            "layout", f"found {layout!r}, wanted one of {listed(known)}", did_you_mean(layout, known).strip()
        )
    for name in LAYOUTS if layout == "auto" else [layout]:
        listing = LAYOUTS[name](folder)
        if listing is not None:
            return name, listing
    raise UserError(
        folder, f"is not laid out as {layout!r} says", "Leave the layout out to have it recognised."
    )


def _with_our_columns(text: TextTable) -> TextTable:
    """The columns that we know under our names, whatever their case."""
    plain = {name: name.casefold().replace(" ", "_") for name in text.columns}
    files = [name for word in FILE_COLUMNS for name in text.columns if plain[name] == word]
    if not files:
        raise UserError(
            f"{text.where}, header",
            f"no column names the sound files; wanted one of {listed(FILE_COLUMNS)}"
            f", found {listed(text.columns)}",
            f"{did_you_mean('path', text.columns)}Rename or add the column.",
        )
    ours = {name: word for name, word in plain.items() if word in RESERVED and word not in plain}
    names = {**ours, files[0]: "file"}
    return replace(text, frame=text.frame.rename(columns=names))


def _raise_no_classes(folder: Path, n_files: int, left_out: dict[str, int]) -> None:
    if n_files:
        problem = f"{n_files} sound files lie directly in it, so that nothing says their class"
    else:
        others = ", ".join(f"{n} {why}" for why, n in left_out.items())
        problem = f"there is no sound file in it{f' (left out: {others})' if others else ''}"
    raise UserError(
        folder,
        problem,
        "Put the recordings of each class into a folder named after it, or add metadata.csv (path,label).",
    )


def _check_not_splits(folder: Path, names: set[str]) -> None:
    if len(names) > 1 and all(name.casefold() in SYNONYMS for name in names):
        raise UserError(
            folder,
            f"its folders are named {listed(sorted(names))}: these are splits, wanted classes",
            "Add metadata.csv with columns path,label,split, or name the folder of one split.",
        )


# -- what can be used ---------------------------------------------------------------------------------------


def _probe(table: ClipTable, progress: bool) -> dict[str, audio.AudioInfo | audio.AudioError]:
    """What the header and the first frames of each file say."""
    from tqdm import tqdm

    files = list(dict.fromkeys(table.frame["file"]))
    with ThreadPoolExecutor(min(8, 2 * (os.cpu_count() or 1))) as pool:
        found = pool.map(_probe_one, [table.root / file for file in files])
        shown = tqdm(found, "opening files", len(files), disable=not progress, file=sys.stderr, unit="file")
        return dict(zip(files, shown, strict=True))


def _probe_one(path: Path) -> audio.AudioInfo | audio.AudioError:
    try:
        info = audio.probe(path)
    except audio.AudioError as error:
        return error
    try:
        audio.read(path, end=_FIRST_SECONDS)
    except audio.AudioError as error:
        if error.reason != "silent" or info.duration <= _FIRST_SECONDS:
            return error
    return info


def _usable(
    table: ClipTable, found: dict[str, audio.AudioInfo | audio.AudioError]
) -> tuple[list[int], list[audio.AudioError]]:
    """Rows that can be used; and each file that cannot, and each excerpt beyond the end of its file."""
    rows, outside = [], []
    for row, (file, start) in enumerate(zip(table.frame["file"], table.frame["start"], strict=True)):
        info = found[file]
        if isinstance(info, audio.AudioError):
            continue
        if start >= info.duration and info.exact:
            detail = f"it starts at {start:.2f} s, the file has {info.duration:.2f} s"
            outside.append(audio.AudioError(table.root / file, "outside", detail))
        else:
            rows.append(row)
    return rows, [info for info in found.values() if isinstance(info, audio.AudioError)] + outside


def _raise_none_usable(folder: Path, unusable: list[audio.AudioError]) -> None:
    reasons = Counter(audio.REASONS[error.reason] for error in unusable)
    raise UserError(
        folder,
        f"none of its clips can be used: {'; '.join(f'{n} x {why}' for why, n in reasons.items())}",
        f"The first: {unusable[0]}",
    )


def _cut(
    table: ClipTable, durations: NDArray[np.float64], clip_seconds: float
) -> tuple[ClipTable, NDArray[np.float64]]:
    """The clips cut into shorter ones, and the durations of their files."""
    frame = table.frame
    spans = [
        _spans(start, end, duration, clip_seconds)
        for start, end, duration in zip(frame["start"], frame["end"], durations, strict=True)
    ]
    rows = np.repeat(np.arange(len(table)), [len(of_clip) for of_clip in spans])
    keys = np.array([span for of_clip in spans for span in of_clip]).round(6)
    cut = table.take(rows)
    cut = replace(cut, frame=cut.frame.assign(start=keys[:, 0], end=keys[:, 1]))
    validate_clips(TextTable(cut.frame, str(table.root)))
    return cut, durations[rows]


def _spans(start: float, end: float, duration: float, clip_seconds: float) -> list[tuple[float, float]]:
    """Cut as `audio.slide` does: a rest under half a length becomes a whole clip that ends at the end."""
    stop = duration if math.isnan(end) else min(end, duration)
    n_whole = int((stop - start) / clip_seconds + 1e-6)
    if n_whole == 0:
        return [(start, end)]
    spans = [(start + i * clip_seconds, start + (i + 1) * clip_seconds) for i in range(n_whole)]
    rest = stop - start - n_whole * clip_seconds
    if rest > 0.001:
        spans.append((stop - clip_seconds if 2 * rest < clip_seconds else stop - rest, end))
    return spans


# -- in words -----------------------------------------------------------------------------------------------


def describe(imported: Imported) -> str:
    """What was imported, for a terminal: a line a class, then what was not, and what to know."""
    rows = _class_rows(imported)
    lines = [f"layout: {imported.layout}", "", *_aligned(rows)]
    if imported.unusable:
        lines += ["", f"could not be used: {len(imported.unusable)}", *_unusable_lines(imported)]
    if imported.left_out:
        lines += ["", f"left out: {', '.join(f'{n} {why}' for why, n in imported.left_out.items())}"]
    notes = _notes(imported.table)
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
