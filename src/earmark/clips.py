"""The clip table: one row a clip, known by `file,start,end`; read and checked by line, joined, written.

Cells are text, and no word of them means "missing": a class may be called `None`, `NA` or `007`. Columns of
text have dtype object, so that file names that are not UTF-8 live on as surrogates.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from earmark.errors import UserError
from earmark.files import replacing
from earmark.tables import RowWriter, TextTable, did_you_mean, listed, read_text_table

KEY = ("file", "start", "end")
"""What a clip is known by; `start` and `end` in seconds, an `end` of nan is the end of the file."""
RESERVED = (*KEY, "reason", "label", "group", "artist", "split", "fold")
"""Columns with a meaning of their own; no class may have such a name."""
TOLERANCE_SECONDS = 0.001
"""Clips of one file whose starts and ends differ by no more than this are the same clip."""
LONGEST_SECONDS = 5e6
"""No recording is longer than this (58 days)."""

_STRAY_SHARE = 0.1
_NOT_IN_A_NAME = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, eq=False)
class ClipTable:
    """Clips of recordings under a root folder, with what is known of them."""

    frame: pd.DataFrame
    """Columns `file` (text), `start`, `end` (float64 seconds), then others as text; index 0 to n - 1."""
    root: Path
    """The folder that `file` is relative to."""
    classes: tuple[str, ...]
    """Names of the classes, sorted (single-label) or in the order of their columns (multi-label)."""
    multi_label: bool
    """Whether each class has a column of `1`, `0`, empty (unknown); else the column `label` names it."""

    def __len__(self) -> int:
        return len(self.frame)

    def paths(self) -> list[Path]:
        """The sound file of each clip, `[n]`."""
        return [self.root / file for file in self.frame["file"]]

    def column(self, name: str) -> NDArray[np.object_] | None:
        """The cells of a column, `[n]`; None where the table has no such column."""
        return self.frame[name].to_numpy() if name in self.frame else None

    def with_column(self, name: str, values: Iterable[str]) -> ClipTable:
        """A table with one column of text, `[n]`, added or replaced."""
        column = pd.Series(list(values), index=self.frame.index, name=name, dtype=object)
        others = self.frame.drop(columns=name, errors="ignore")
        return replace(self, frame=pd.concat([others, column], axis=1))

    def take(self, rows: ArrayLike) -> ClipTable:
        """The clips of a mask `[n]` or of indices `[m]`, in that order; the classes stay what they were."""
        rows = np.asarray(rows)
        chosen = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
        return replace(self, frame=self.frame.iloc[chosen].reset_index(drop=True))

    def targets(self, classes: Sequence[str] | None = None) -> NDArray[np.int64] | NDArray[np.float32]:
        """What a classifier should say of each clip.

        Args:
            classes: names in the order of the scores, `[K]`; the table's own if None.

        Returns:
            Single-label: int64 `[n]`, places in `classes`. Multi-label: float32 `[n, K]` of 0, 1 and nan
            (unknown, or a class that the table has no column for).

        Raises:
            UserError: the table has a class that is not among `classes`.
        """
        classes = self.classes if classes is None else tuple(classes)
        for name in self.classes:
            if name not in classes:
                raise UserError(
                    f"class {name!r}",
                    f"is in the table but not among the {len(classes)} classes wanted: {listed(classes)}",
                    f"{did_you_mean(name, classes)}Rename the class or leave its clips out.",
                )
        if self.multi_label:
            return self._marks(classes)
        places = {name: place for place, name in enumerate(classes)}
        return self.frame["label"].map(places).to_numpy().astype(np.int64)

    def _marks(self, classes: tuple[str, ...]) -> NDArray[np.float32]:
        marks = np.full((len(self), len(classes)), np.nan, np.float32)
        for place, name in enumerate(classes):
            if name in self.classes:
                marks[:, place] = self.frame[name].map({"0": 0.0, "1": 1.0})
        return marks


def read_clips(path: str | Path, root: str | Path | None = None, labels: bool = True) -> ClipTable:
    """Read a clip table and check every row of it.

    Args:
        path: CSV with a header; delimiter comma, semicolon or tab; UTF-8, with or without a byte order mark.
        root: folder that `file` is relative to; if None, what `<path>.root` says, else the table's folder.
        labels: whether clips must be labelled; if not, columns other than the key are only carried along.

    Raises:
        UserError: naming table, line, column and value.
    """
    path = Path(path)
    if root is not None and not Path(root).is_dir():
        raise UserError(f"--root {root}", "there is no such folder", "Check the path.")
    return clips_from(read_text_table(path), _root_of(path) if root is None else Path(root), labels)


def write_clips(table: ClipTable, path: str | Path) -> None:
    """Write a clip table, and beside it `<path>.root` with the folder that its files are relative to.

    The root is written relative to the table's folder where it lies in it, so that both can move together.
    """
    path, frame = Path(path), table.frame
    columns = [
        list(map(format_seconds, frame[name])) if name in KEY[1:] else frame[name].to_list() for name in frame
    ]
    with replacing(_root_file(path), errors="surrogateescape") as file:
        file.write(_root_seen_from(path, table.root) + "\n")
    with replacing(path, errors="surrogateescape", newline="") as file:
        writer = RowWriter(file)
        writer.writerow(list(frame))
        writer.writerows(zip(*columns, strict=True))


def join(left: ClipTable, right: ClipTable) -> NDArray[np.int64]:
    """Find the clips of one table in another: the same file, start and end each within 1 ms.

    Returns:
        int64 `[len(left)]`: row of `right`, the nearest where several would do; -1 where there is none.
    """
    near = round(TOLERANCE_SECONDS * 1e6)
    left_place, right_place, left_end, right_end = _places(left.frame, right.frame)
    order = np.argsort(right_place, kind="stable")
    first = np.searchsorted(right_place[order], left_place - near, "left")
    last = np.searchsorted(right_place[order], left_place + near, "right")
    found = np.full(len(left), -1, np.int64)
    distance = np.full(len(left), 2 * near + 1, np.int64)
    for step in range(int((last - first).max(initial=0))):
        rows = np.flatnonzero(first + step < last)
        other = order[first[rows] + step]
        off_start = np.abs(right_place[other] - left_place[rows])
        off_end = np.abs(right_end[other] - left_end[rows])
        better = (off_end <= near) & (off_start + off_end < distance[rows])
        found[rows[better]] = other[better]
        distance[rows[better]] = (off_start + off_end)[better]
    return found


def regrouped(table: ClipTable, column: str | None) -> ClipTable:
    """The table with another of its columns as `group`; None leaves it as it is.

    A column `group` that it has already is kept as `given_group`, so that it is not forgotten.

    Raises:
        UserError: there is no such column.
    """
    if column is None:
        return table
    values = table.column(column)
    if values is None:
        names = [str(name) for name in table.frame.columns]
        raise UserError(
            f"--group {column}",
            "the table has no such column",
            f"{did_you_mean(column, names)}Columns: {listed(names)}.",
        )
    kept = table
    if column != "group" and "group" in table.frame:
        known = "given_group" in table.frame  # from an earlier time: that one was the table's own
        frame = table.frame
        frame = frame.drop(columns="group") if known else frame.rename(columns={"group": "given_group"})
        kept = replace(table, frame=frame)
    return kept.with_column("group", [str(value) for value in values])


def require_classes(table: ClipTable) -> None:
    """Refuse a table that no classifier can be trained and tested on.

    Raises:
        UserError: fewer than two classes (multi-label: none); or a class with fewer than two clips that have
            it, or, multi-label, fewer than two that have it not.
    """
    if len(table.classes) < (1 if table.multi_label else 2):
        raise UserError(
            "classes",
            f"found {len(table.classes)} ({listed(table.classes)}), training needs at least two",
            "Add sounds of another class, for instance of everything else.",
        )
    targets = table.targets()
    for place, name in enumerate(table.classes):
        if not table.multi_label:
            _require_two(name, "of", int((targets == place).sum()))
        else:
            _require_two(name, "of", int((targets[:, place] == 1).sum()))
            _require_two(name, "without", int((targets[:, place] == 0).sum()))


def _require_two(name: str, which: str, count: int) -> None:
    if count < 2:
        raise UserError(
            f"class {name!r}",
            f"found {count} clip{'' if count == 1 else 's'} {which} it, training needs at least two",
            "One is learnt from and another tested on: add clips, or leave the class out.",
        )


# -- from text to clips, checked ----------------------------------------------------------------------------


def clips_from(text: TextTable, root: Path, labels: bool = True) -> ClipTable:
    """Make a clip table of text: numbers are read, rows checked, classes found.

    Args:
        text: a table with at least `file`, and `label` or columns of 0 and 1.
        root: folder that `file` is relative to.
        labels: whether the clips must be labelled.

    Raises:
        UserError: naming place, column and value.
    """
    _check_columns(text)
    start, end = _seconds(text, "start", empty=0.0), _seconds(text, "end", empty=np.nan)
    key = pd.DataFrame({"file": text.frame["file"].astype(object), "start": start, "end": end})
    frame = pd.concat([key, text.frame.drop(columns=list(KEY), errors="ignore")], axis=1)
    multi_label = labels and "label" not in frame
    text = replace(text, frame=_with_plain_marks(frame) if multi_label else frame)
    classes = validate_clips(text, labels)
    return ClipTable(text.frame, Path(os.path.abspath(root)), classes, multi_label)


def validate_clips(text: TextTable, labels: bool = True) -> tuple[str, ...]:
    """Check every row of a table whose `start` and `end` are numbers of seconds.

    Returns:
        The classes; none if `labels` is False.

    Raises:
        UserError: no file, an excerpt of no length, a clip twice, a class that cannot be one.
    """
    frame = text.frame
    unnamed = (frame["file"] == "") | frame["file"].str.contains("\0", regex=False)
    text.refuse(unnamed, "file", "names no file", "Every clip names its sound file.")
    _check_ends(text)
    _check_twice(text)
    if not labels:
        return ()
    classes = _labels_in(text) if "label" in frame else _class_columns(text)
    for name in classes:
        _check_class_name(name, text)
    _check_alike(classes, text)
    return classes


def _check_columns(text: TextTable) -> None:
    for name in text.columns:
        plain = name.casefold()
        if name not in RESERVED and plain in RESERVED:
            found = f"found column {name!r}, wanted {plain!r}"
            raise UserError(f"{text.where}, header", found, "Rename the column.")
    if "file" not in text.columns:
        raise UserError(
            f"{text.where}, header",
            f"no column 'file', which names the sound file of each clip; found {listed(text.columns)}",
            f"{did_you_mean('file', text.columns)}Rename or add the column.",
        )


def _seconds(text: TextTable, name: str, empty: float) -> NDArray[np.float64]:
    if name not in text.frame:
        return np.full(len(text.frame), empty)
    column = text.frame[name]
    if column.dtype != object:
        return column.to_numpy(np.float64).round(6)
    cells = column.str.strip()
    blank = (cells == "").to_numpy()
    cells = cells.str.replace(",", ".", regex=False) if text.decimal_comma else cells
    numbers = pd.to_numeric(cells.where(~blank, "0").astype(object), errors="coerce").to_numpy(np.float64)
    possible = (numbers >= 0) & (numbers < LONGEST_SECONDS)
    text.refuse(
        ~possible, name, f"is not a number of seconds from 0 to {LONGEST_SECONDS:,.0f}", "Write it like 1.25."
    )
    return np.where(blank, empty, numbers.round(6))


def _check_ends(text: TextTable) -> None:
    rows = np.flatnonzero(text.frame["end"] <= text.frame["start"])
    if len(rows):
        row = int(rows[0])
        _, start, end = _key_words(text.frame, row)
        raise UserError(text.place(row), f"end ({end}) must come after start ({start})", "Correct the row.")


def _check_twice(text: TextTable) -> None:
    place, _, end, _ = _places(text.frame, text.frame[:0])
    key = pd.DataFrame({"place": np.rint(place / 1000), "end": np.rint(end / 1000)})
    rows = np.flatnonzero(key.duplicated())
    if len(rows):
        row = int(rows[0])
        first = int(np.argmax((key == key.iloc[row]).all(axis=1)))
        clip = "the clip {!r} from {} s to {}".format(*_key_words(text.frame, row))
        raise UserError(
            text.place(row),
            f"{clip} is in the table already ({text.place(first)})",
            "Delete one of the two rows: a clip has one row.",
        )


def _key_words(frame: pd.DataFrame, row: int) -> tuple[str, str, str]:
    start, end = (format_seconds(frame[name].iloc[row]) for name in ("start", "end"))
    return frame["file"].iloc[row], start, end or "its end"


def _labels_in(text: TextTable) -> tuple[str, ...]:
    names = sorted(set(text.frame["label"]))
    blank = [name for name in names if not name.strip()]
    if blank:
        text.refuse(text.frame["label"].isin(blank), "label", "is empty", "Label the clip or delete its row.")
    return tuple(names)


def _class_columns(text: TextTable) -> tuple[str, ...]:
    """The columns that hold only 0, 1 or empty, and not only empty."""
    classes = []
    for name in (name for name in text.columns if name not in RESERVED):
        marks = text.frame[name].isin(["0", "1"])
        stray = ~marks & (text.frame[name] != "")
        # A slip of the pen must not turn a class into a column that is only carried along.
        if marks.any() and stray.sum() <= _STRAY_SHARE * marks.sum():
            text.refuse(stray, name, "is neither 0, 1 nor empty as the others are", "Correct the row.")
            classes.append(name)
    if not classes:
        raise UserError(
            f"{text.where}, header",
            f"no column 'label', and none of only 0, 1 or empty; found {listed(text.columns)}",
            f"{did_you_mean('label', text.columns)}The column 'label' names the class of each clip.",
        )
    return tuple(classes)


def _with_plain_marks(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns of `0.0`, `1.0` and empty, as programs write marks beside unknown ones, as whole numbers."""
    plain = {"0.0": "0", "1.0": "1"}
    for name in frame.columns:
        if name not in RESERVED and set(frame[name]) <= {"0.0", "1.0", "0", "1", ""}:
            frame = frame.assign(**{str(name): frame[name].replace(plain).astype(object)})
    return frame


def _check_class_name(name: str, text: TextTable) -> None:
    if name in RESERVED:
        problem = f"is a word of the clip table ({listed(RESERVED)}) and cannot name a class"
    elif _NOT_IN_A_NAME.search(name):
        problem = "holds a line break, another control character or bytes that are not UTF-8"
    else:
        return
    raise UserError(_place_of_class(name, text), f"class {name!r} {problem}", "Rename the class.")


def _check_alike(classes: tuple[str, ...], text: TextTable) -> None:
    seen: dict[str, str] = {}
    for name in classes:
        other = seen.setdefault(unicodedata.normalize("NFC", name).casefold().strip(), name)
        if other != name:
            raise UserError(
                _place_of_class(name, text),
                f"class {name!r} differs only by case, outer space or the coding of accents "
                f"from {other!r} ({_place_of_class(other, text)})",
                "Write both the same way, or give them names that differ in more.",
            )


def _place_of_class(name: str, text: TextTable) -> str:
    if "label" not in text.frame:
        return f"{text.where}, header"
    return text.place(int(np.argmax(text.frame["label"] == name)))


# -- keys as numbers, and as text ---------------------------------------------------------------------------


def _places(left: pd.DataFrame, right: pd.DataFrame) -> tuple[NDArray[np.int64], ...]:
    """Where the clips of two tables start on one time line of all files, and where they end in their file.

    Returns:
        int64 microseconds: places `[n]`, `[m]`, ends `[n]`, `[m]` (the end of the file is negative).
    """
    both = pd.concat([left[list(KEY)], right[list(KEY)]], ignore_index=True)
    files = pd.factorize(both["file"].to_numpy())[0]
    start = np.rint(both["start"].to_numpy() * 1e6).astype(np.int64)
    end = np.rint(both["end"].fillna(-1.0).to_numpy() * 1e6).astype(np.int64)
    place = files * (start.max(initial=0) + 1_000_000) + start
    return place[: len(left)], place[len(left) :], end[: len(left)], end[len(left) :]


def format_seconds(seconds: float) -> str:
    """Seconds as tables hold them: up to 6 decimals; nan is empty."""
    return "" if seconds != seconds else f"{seconds:.6f}".rstrip("0").rstrip(".")


# -- the folder that files are relative to ------------------------------------------------------------------


def _root_file(path: Path) -> Path:
    return path.with_name(path.name + ".root")


def _root_of(path: Path) -> Path:
    try:
        said = _root_file(path).read_text("utf-8", "surrogateescape")
    except OSError:
        said = ""
    return path.parent / said.strip("\r\n")


def _root_seen_from(path: Path, root: Path) -> str:
    folder, root = Path(os.path.abspath(path)).parent, Path(os.path.abspath(root))
    return root.relative_to(folder).as_posix() if root.is_relative_to(folder) else str(root)
