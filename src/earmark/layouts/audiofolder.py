"""Hugging Face's audiofolder: metadata.csv or metadata.jsonl, folders of splits with folders of classes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from earmark.clips import clips_from
from earmark.errors import UserError
from earmark.layouts.folder import with_our_columns
from earmark.layouts.listing import Layout, Listing, Source, all_left_out, not_so, text_lines, unlisted
from earmark.splits import SYNONYMS
from earmark.tables import TextTable, listed, read_text_table

_NAMES = ("metadata.csv", "metadata.jsonl")


def _split_of(file: PurePosixPath) -> str:
    """The split that the first folder of a path names, or ''."""
    return SYNONYMS.get(file.parts[0].casefold(), "") if len(file.parts) > 1 else ""


def _table_in(folder: Path) -> Path | None:
    there = [folder / name for name in _NAMES if (folder / name).is_file()]
    if len(there) > 1:
        raise UserError(folder, f"both {listed(_NAMES)} are in it, wanted one", "Delete one of them.")
    return there[0] if there else None


def _split_folders(source: Source) -> list[str]:
    if not source.path.is_dir():
        return []
    folders = [entry.name for entry in sorted(source.path.iterdir()) if entry.is_dir()]
    return [name for name in folders if name.casefold() in SYNONYMS]


def _fits(source: Source) -> bool:
    if (source.path / "metadata.jsonl").is_file():
        return True
    splits = _split_folders(source)
    top = source.path / "metadata.csv"
    if top.is_file():
        return len(splits) > 1 and "file_name" in read_text_table(top).columns
    if any(_table_in(source.path / name) for name in splits):
        return True
    if len(splits) < 2:
        return False
    below = [file for file in source.files if len(file.parts) > 1]
    return all(file.parts[0] in splits for file in below) and any(len(file.parts) > 2 for file in below)


def _lists(source: Source) -> Listing:
    left_out: Counter[str] = Counter()
    top = _table_in(source.path)
    tables = [top] if top else [t for name in _split_folders(source) if (t := _table_in(source.path / name))]
    texts = [_described(source, path) for path in tables]
    if top is None:
        described = {PurePosixPath(path.parent.relative_to(source.path).as_posix()) for path in tables}
        texts += _folders(source, described)
    if not texts:
        wanted = f"none of {listed(_NAMES)} in it, and no folders such as train/dog and test/dog"
        raise not_so(source, "audiofolder", wanted)
    text = texts[0] if len(texts) == 1 else _joined(texts, source)
    left_out["without a label"] = unlisted(source, text.frame["file"].tolist())
    return Listing(text, all_left_out(source, left_out, own=len(tables)))


AUDIOFOLDER = Layout(
    "audiofolder: metadata.jsonl, or folders train and test with metadata.csv, metadata.jsonl or a folder a class",
    fits=_fits,
    lists=_lists,
)


def _described(source: Source, path: Path) -> TextTable:
    """The rows of one metadata file; the folder of a split gives its rows the split."""
    text = _read_jsonl(path, source.how.multi_label) if path.suffix == ".jsonl" else read_text_table(path)
    text = with_our_columns(text)
    here = PurePosixPath(path.parent.relative_to(source.path).as_posix())
    text.refuse(text.frame["file"] == "", "file", "names no file", "Every row names its sound file.")
    files = [here / file for file in text.frame["file"]]
    frame = text.frame.assign(file=pd.Series([file.as_posix() for file in files], dtype=object))
    splits = [_split_of(file) for file in files]
    if "split" not in frame and any(splits):
        text.refuse([not split for split in splits], "file", "lies in no folder of a split", "Move the file.")
        frame = frame.assign(split=pd.Series(splits, dtype=object))
    text = replace(text, frame=frame)
    if not source.how.multi_label:
        clips_from(text, source.path)  # complains while the lines are known
    return text


def _read_jsonl(path: Path, multi_label: bool) -> TextTable:
    """JSON Lines as a table of text; what a row does not say is empty."""
    lines, rows = [], []
    for number, line in text_lines(path):
        place = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(
                place, f"is not valid JSON: {error.msg} (column {error.colno})", "Write one object a line."
            ) from error
        if not isinstance(row, dict):
            raise UserError(
                place, f"found {line.strip()[:40]!r}, wanted an object", "Write one object a line."
            )
        lines.append(number)
        rows.append({key: _cell(place, key, value, multi_label) for key, value in row.items()})
    if not rows:
        raise UserError(path, "has no rows", "Add one object a clip, with file_name and label.")
    frame = pd.DataFrame(rows, dtype=object).fillna("")
    return TextTable(frame, str(path), np.array(lines, np.int64))


def _cell(place: str, key: str, value: object, multi_label: bool) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if key.casefold() == "label" and isinstance(value, list | dict):
        if multi_label and isinstance(value, list) and all(isinstance(word, str) for word in value):
            return ",".join(value)
        raise UserError(
            place, f"label is {json.dumps(value)[:60]}, wanted one word", "Lists of words need --multi-label."
        )
    return json.dumps(value, ensure_ascii=False)


def _folders(source: Source, described: set[PurePosixPath]) -> Iterator[TextTable]:
    """The rows of the folders of classes in folders of splits that have no metadata of their own."""
    rows = [
        (file.as_posix(), file.parts[1], _split_of(file))
        for file in source.files
        if _split_of(file) and len(file.parts) > 2 and PurePosixPath(file.parts[0]) not in described
    ]
    if rows:
        frame = pd.DataFrame(rows, columns=["file", "label", "split"], dtype=object)
        yield TextTable(frame, str(source.path))


def _joined(texts: list[TextTable], source: Source) -> TextTable:
    frame = pd.concat([text.frame for text in texts], ignore_index=True).fillna("").astype(object)
    return TextTable(frame, str(source.path))
