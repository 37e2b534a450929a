"""What a layout is: how it is recognised in a folder, and the rows that it makes of what it finds there."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import pandas as pd

from earmark import audio
from earmark.errors import UserError
from earmark.tables import TextTable, did_you_mean, listed


@dataclass(frozen=True)
class How:
    """What a person says beyond the name of the layout; each layout takes what it needs."""

    multi_label: bool = False
    """Whether a label `a,b` means both a and b, and equal excerpts with other labels are one clip."""
    without: tuple[str, ...] = ()
    """Classes to leave out."""
    classes: tuple[str, ...] = ()
    """Names of the classes, where the corpus has none (npz)."""
    sample_rate: int = 400
    """Rate of the waveforms in Hz, where the corpus does not say it (npz)."""
    sounds: Path | None = None
    """Folder to write sound to, where the corpus holds none as files (npz); None is beside the corpus."""
    force: bool = False
    """Whether sound that was written before may be written over."""


@dataclass(frozen=True)
class Source:
    """A folder (npz: a file) to import, looked through once for all layouts."""

    path: Path
    """The folder."""
    how: How = How()
    """What is asked for beside."""

    @cached_property
    def scan(self) -> audio.Scan:
        """The recordings in the folder, and what else is in it; UserError where it is no folder."""
        return audio.scan(self.path)

    @cached_property
    def files(self) -> tuple[PurePosixPath, ...]:
        """The recordings, relative to the folder."""
        return tuple(PurePosixPath(file.relative_to(self.path).as_posix()) for file in self.scan.files)

    @cached_property
    def texts(self) -> tuple[PurePosixPath, ...]:
        """The `.txt` files, relative to the folder."""
        found = []
        for folder, folders, names in os.walk(self.path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            here = Path(folder).relative_to(self.path)
            found += [
                PurePosixPath((here / name).as_posix())
                for name in sorted(names)
                if name.lower().endswith(".txt") and not name.startswith(".")
            ]
        return tuple(found)

    @cached_property
    def by_stem(self) -> dict[PurePosixPath, PurePosixPath]:
        """Path without its ending -> recording, the first where there are several."""
        return {file.with_suffix(""): file for file in reversed(self.files)}


@dataclass(frozen=True)
class Listing:
    """What a layout says of a folder, before any sound is opened."""

    text: TextTable
    """One row a clip: `file` relative to the root, `label` or columns of 0 and 1, what else is known."""
    left_out: dict[str, int]
    """Why -> how many files (or rows of the corpus's own tables) are no clips."""
    notes: tuple[str, ...] = ()
    """What a careful person would point out."""
    root: Path | None = None
    """The folder that `file` is relative to; None is the one that is imported."""


@dataclass(frozen=True)
class Layout:
    """One way in which corpora lie on disk."""

    summary: str
    """What it is, for a list."""
    fits: Callable[[Source], bool]
    """Whether a folder is laid out so beyond doubt."""
    lists: Callable[[Source], Listing]
    """The rows of a folder that is said to be laid out so; UserError where it is not."""


def listing(
    source: Source,
    columns: Mapping[str, Sequence[str]],
    left_out: Mapping[str, int],
    own: int = 0,
    notes: Sequence[str] = (),
) -> Listing:
    """Rows made of columns, and what of the folder is in none of them.

    Args:
        source: the folder.
        columns: name -> cells `[n]`, `file` among them.
        left_out: why -> how many recordings or rows are no clips, beside what the scan left out.
        own: how many files that are not audio were read as tables of the corpus.
        notes: see `Listing`.
    """
    text = TextTable(pd.DataFrame(dict(columns), dtype=object), str(source.path))
    return Listing(text, all_left_out(source, left_out, own), tuple(notes))


def all_left_out(source: Source, left_out: Mapping[str, int], own: int) -> dict[str, int]:
    """What the scan left out, but for `own` tables that were read, and what the layout leaves out."""
    counts = Counter(source.scan.left_out)
    counts["not audio"] -= own
    counts.update(left_out)
    return {why: n for why, n in counts.items() if n > 0}


def unlisted(source: Source, files: Sequence[str]) -> int:
    """How many recordings of the folder are not among `files`."""
    named = {os.path.normpath(file) for file in files}
    return sum(os.path.normpath(file) not in named for file in source.files)


def not_so(source: Source, layout: str, wanted: str) -> UserError:
    """The error of a folder that is not laid out as the person said."""
    return UserError(
        source.path,
        f"is not laid out as {layout!r} says: {wanted}",
        "Name the folder that holds it, or leave the layout out to have it recognised.",
    )


def require_columns(text: TextTable, names: Sequence[str]) -> None:
    """Refuse a table that lacks a column."""
    for name in names:
        if name not in text.columns:
            raise UserError(
                f"{text.where}, header",
                f"no column {name!r}; found {listed(text.columns)}",
                f"{did_you_mean(name, text.columns)}Take the table as the corpus brings it.",
            )


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file that are not empty, each with its number from 1; UTF-8.

    Raises:
        UserError: the file cannot be read, or is no text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise UserError(path, f"cannot be read: {error.strerror or error}", "Check the path.") from error
    if "\0" in text:
        raise UserError(path, "is not text in UTF-8: it holds zero bytes", "Save it as UTF-8 text.")
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line.rstrip("\r")


def read_split_lists(lists: Mapping[str, Path]) -> dict[str, tuple[str, str]]:
    """Lists of file names, one a line, one list a split.

    Args:
        lists: split -> text file.

    Returns:
        File name -> its split, and where it stands ("file, line 3").

    Raises:
        UserError: a name stands in two splits.
    """
    found: dict[str, tuple[str, str]] = {}
    for split, path in lists.items():
        for number, line in text_lines(path):
            name, place = line.strip(), f"{path}, line {number}"
            if name in found and found[name][0] != split:
                raise UserError(
                    place,
                    f"{name!r} is in {found[name][1]} already",
                    "What is tested must not be trained on: take the lists as the corpus brings them.",
                )
            found[name] = (split, place)
    return found
