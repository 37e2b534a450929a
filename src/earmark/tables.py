"""CSV file -> cells of text, each row with the line it begins on, so that a complaint can name its place."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from earmark.errors import UserError

if TYPE_CHECKING:
    from _csv import Reader

_BLOCK_ROWS = 512  # fewer than the objects that set the garbage collector off


@dataclass(frozen=True, eq=False)
class TextTable:
    """A table as text, and where each row of it stands."""

    frame: pd.DataFrame
    """Cells of dtype object (text); numbers may be float64 already. Index 0 to n - 1."""
    where: str
    """The file or folder that it comes from."""
    lines: NDArray[np.int64] | None = None
    """Line that each row begins on, `[n]`, from 1; None where the rows come from no file."""
    decimal_comma: bool = False
    """Whether numbers may be written `1,5`."""

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return [str(name) for name in self.frame]

    def place(self, row: int) -> str:
        """A row in words, for messages: by its line, else by its file."""
        if self.lines is not None:
            return f"{self.where}, line {self.lines[row]}"
        return f"{self.where}, {self.frame['file'].iloc[row]!r}"

    def refuse(self, wrong: ArrayLike, column: str, problem: str, remedy: str) -> None:
        """Raise a `UserError` that quotes the first row that is wrong, `[n]`, if any is."""
        rows = np.flatnonzero(wrong)
        if len(rows):
            row = int(rows[0])
            more = f" (so do {len(rows) - 1} more rows)" if len(rows) > 1 else ""
            raise UserError(
                self.place(row), f"{column} ({self.frame[column].iloc[row]!r}) {problem}{more}", remedy
            )


def read_text_table(path: Path) -> TextTable:
    """Read the cells of a CSV file as they stand; rows without any text are skipped.

    Args:
        path: delimiter comma, semicolon or tab; UTF-8 with or without a byte order mark, bytes that are not
            UTF-8 become surrogates; UTF-16 with a mark.

    Raises:
        UserError: no such file, not text, no header, no rows, a ragged row, columns of no or the same name.
    """
    try:
        encoding = _encoding_of(path)
        with path.open(encoding=encoding, errors="surrogateescape", newline="") as file:
            delimiter = _delimiter_of(file.read(1 << 16))
        with path.open(encoding=encoding, errors="surrogateescape", newline="") as file:
            frame, lines = _cells(_records(csv.reader(file, delimiter=delimiter, strict=True), path), path)
    except OSError as error:
        raise UserError(path, f"cannot be read: {error.strerror or error}", "Check the path.") from error
    except UnicodeError as error:
        raise UserError(path, f"is not the text that it begins as: {error}", "Save it as UTF-8.") from error
    return TextTable(_with_named_columns(frame, path), str(path), lines, decimal_comma=delimiter == ";")


def _encoding_of(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(4)
    if head == b"PK\x03\x04":
        raise UserError(path, "is a spreadsheet or an archive, wanted text", "Save it as CSV (UTF-8).")
    return "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _delimiter_of(text: str) -> str:
    """The delimiter that cuts the first row into most fields."""

    def fields(delimiter: str) -> int:
        rows = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
        return len(next((row for row in rows if any(row)), []))

    return max(",;\t", key=fields)


def _records(reader: Reader, path: Path) -> Iterator[tuple[int, list[str]]]:
    """The line that each row begins on, and its fields."""
    before = 0
    try:
        for fields in reader:
            if any(fields):
                yield before + 1, fields
            before = reader.line_num
    except csv.Error as error:
        raise UserError(
            f"{path}, line {before + 1}",
            f"the row that begins here cannot be read: {error}",
            'Look for a quotation mark that is not closed; inside quotes it is written twice ("").',
        ) from error


def _cells(records: Iterator[tuple[int, list[str]]], path: Path) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    header = [name.strip() for name in next(records, (0, []))[1]]
    if not header:
        raise UserError(path, "is empty, wanted a header line and rows", "A table begins: file,label")
    lines: list[NDArray[np.int64]] = []
    blocks: list[NDArray[np.object_]] = []
    # Arrays of objects, not lists: the garbage collector would walk a million rows again and again.
    while block := list(islice(records, _BLOCK_ROWS)):
        _check_widths(block, header, path)
        lines.append(np.array([line for line, _ in block], np.int64))
        blocks.append(np.array([fields for _, fields in block], dtype=object).T)
    if not blocks:
        raise UserError(path, f"has a header ({listed(header)}) but no rows", "Add one row a clip.")
    return pd.DataFrame(np.concatenate(blocks, axis=1).T, columns=header, dtype=object), np.concatenate(lines)


def _check_widths(block: list[tuple[int, list[str]]], header: list[str], path: Path) -> None:
    for line, fields in block:
        if len(fields) != len(header):
            raise UserError(
                f"{path}, line {line}",
                f"found {len(fields)} fields, the header has {len(header)}: {listed(header)}",
                'Fill in what is missing; put a value that holds the delimiter into quotes: "a,b".',
            )


def _with_named_columns(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The columns, each with a name of its own; one without name and text is left out."""
    empty = [name == "" and (frame.iloc[:, place] == "").all() for place, name in enumerate(frame)]
    frame = frame.loc[:, ~np.array(empty, dtype=bool)]
    names = list(frame)
    for place, name in enumerate(names):
        if name == "" or name in names[:place]:
            raise UserError(
                f"{path}, header",
                f"column {place + 1} {'is a second ' + repr(name) if name else 'has no name'}",
                "Give it a name of its own, or delete the column.",
            )
    return frame


def listed(names: Sequence[str], most: int = 12) -> str:
    """Names in quotes, for messages: the first `most`, and how many more there are."""
    shown = ", ".join(map(repr, names[:most]))
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown or "none"


def did_you_mean(name: str, choices: Sequence[str]) -> str:
    """A sentence with a space behind it that suggests the choice nearest to a misspelt name, or nothing."""
    folded = {choice.casefold().strip(): choice for choice in choices}
    near = difflib.get_close_matches(name.casefold().strip(), folded, n=1)
    return f"Did you mean {folded[near[0]]!r}? " if near else ""


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Lines of text with the cells of all rows, as many in each, beneath each other."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


class RowWriter:
    """Writes rows of CSV, each in quotes where it has a lone carriage return, which readers take for a row's end.

    Args:
        file: a text file opened with newline="".
    """

    def __init__(self, file: IO[str]) -> None:
        self._plain = csv.writer(file, lineterminator="\n")
        self._quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)

    def writerow(self, row: Sequence[object]) -> None:
        """Write one row."""
        odd = any(isinstance(cell, str) and "\r" in cell for cell in row)
        (self._quoted if odd else self._plain).writerow(row)

    def writerows(self, rows: Iterable[Sequence[object]]) -> None:
        """Write rows."""
        for row in rows:
            self.writerow(row)


def counted(n: int, noun: str) -> str:
    """A number of things: `1 file`, `2 files`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
