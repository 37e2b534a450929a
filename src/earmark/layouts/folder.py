"""Folders that people make: one a class, or one that describes itself by metadata.csv."""

from __future__ import annotations

import os
from dataclasses import replace

from earmark.clips import RESERVED
from earmark.errors import UserError
from earmark.layouts.listing import Layout, Listing, Source, all_left_out, listing, not_so
from earmark.splits import SYNONYMS
from earmark.tables import TextTable, did_you_mean, listed, read_text_table

FILE_COLUMNS = ("file", "path", "file_name", "filename")
"""Columns of metadata.csv that may name the sound file, the first one counts."""


def _lists_metadata(source: Source) -> Listing:
    path = source.path / "metadata.csv"
    if not path.is_file():
        raise not_so(source, "metadata", "there is no metadata.csv in it")
    text = with_our_columns(read_text_table(path))
    named = {os.path.normpath(source.path / file) for file in text.frame["file"]}
    others = sum(os.path.normpath(file) not in named for file in source.scan.files)
    return Listing(text, all_left_out(source, {"not in metadata.csv": others}, own=1))


def _lists_folders(source: Source) -> Listing:
    """The folders in the folders of the classes say no more than what may serve as a group."""
    labelled = [file for file in source.files if len(file.parts) > 1]
    if not labelled:
        raise _no_classes(source)
    _check_not_splits(source, {file.parts[0] for file in labelled})
    columns = {"file": [file.as_posix() for file in labelled], "label": [file.parts[0] for file in labelled]}
    subfolders = ["/".join(file.parts[1:-1]) for file in labelled]
    if any(subfolders):
        columns["subfolder"] = subfolders
    beside = len(source.files) - len(labelled)
    return listing(source, columns, {"beside the folders of the classes": beside})


METADATA = Layout(
    "metadata.csv says it: a row a clip",
    fits=lambda source: (source.path / "metadata.csv").is_file(),
    lists=_lists_metadata,
)
FOLDER = Layout("a folder a class", fits=lambda source: True, lists=_lists_folders)


def with_our_columns(text: TextTable) -> TextTable:
    """A table whose columns that we know have our names, whatever their case."""
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


def _no_classes(source: Source) -> UserError:
    if source.files:
        problem = f"{len(source.files)} sound files lie directly in it, so that nothing says their class"
    else:
        others = ", ".join(f"{n} {why}" for why, n in source.scan.left_out.items())
        problem = f"there is no sound file in it{f' (left out: {others})' if others else ''}"
    return UserError(
        source.path,
        problem,
        "Put the recordings of each class into a folder named after it, or add metadata.csv (path,label).",
    )


def _check_not_splits(source: Source, names: set[str]) -> None:
    if len(names) > 1 and all(name.casefold() in SYNONYMS for name in names):
        raise UserError(
            source.path,
            f"its folders are named {listed(sorted(names))}: these are splits, wanted classes",
            "Put a folder a class into each, add metadata.csv with columns path,label,split, "
            "or name the folder of one split.",
        )
