"""A folder of sound, or a clip table, becomes a labelling project: cut, checked, written to an empty database."""

from __future__ import annotations

import json
import os
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection

from earmark import audio
from earmark.clips import KEY, ClipTable, clips_from, read_clips
from earmark.errors import UserError
from earmark.labelling import schema
from earmark.layouts import usable_clips
from earmark.recording import printable
from earmark.tables import TextTable

_ROWS = 2000


@dataclass(frozen=True, eq=False)
class Found:
    """The clips of a folder or table that can be labelled."""

    table: ClipTable
    seconds: NDArray[np.float64]
    """How long each is, `[n]`."""
    unusable: list[audio.AudioError]
    """Files, or excerpts, that cannot be labelled, with the reason."""


def find_clips(source: Path, root: Path | None, clip_seconds: float | None, progress: bool = False) -> Found:
    """Look through a folder or a clip table.

    Args:
        source: either.
        root: folder that a table's files are relative to; None: as imported.
        clip_seconds: length to cut to; None: whole, or as the table has them.
        progress: show a bar on stderr.

    Raises:
        UserError: there is no sound, none that can be used, or a file outside the root.
    """
    table = _of_folder(source) if source.is_dir() else read_clips(source, root, labels=False)
    _check_inside(table, source)
    cut, seconds, unusable = usable_clips(table, clip_seconds, progress)
    if not len(cut):
        first = f"The first: {unusable[0]}" if unusable else ""
        raise UserError(source, f"none of its {len(table)} clips can be used", first)
    return Found(cut, seconds, unusable)


def is_inside(root: Path, file: str) -> bool:
    """Whether a file named relative to a root lies under it, as it is written."""
    inside = os.path.normpath(os.path.join(root, file))
    return inside.startswith(os.path.join(os.path.normpath(root), ""))


def write(connection: Connection, found: Found, facts: dict[str, object], seed: int) -> None:
    """Make the tables and fill them, the queue in an order drawn at random."""
    schema.create(connection)
    rows = [{"key": key, "value": json.dumps(value)} for key, value in facts.items()]
    connection.execute(schema.facts.insert(), rows)
    add_clips(connection, found, 0, seed)
    if found.unusable:
        lost = [
            {"file": _relative(error.path, found.table.root), "reason": error.reason, "words": _plain(error)}
            for error in found.unusable
        ]
        connection.execute(schema.unusable.insert(), lost)


def add_clips(connection: Connection, found: Found, first: int, seed: int) -> None:
    """Write clips into the queue from place `first` on, in an order drawn at random."""
    frame = found.table.frame
    others = frame.drop(columns=list(KEY))
    known = others.to_dict("records") if len(others.columns) else [{}] * len(frame)
    places = list(range(first, first + len(frame)))
    random.Random(seed).shuffle(places)
    rows = [
        {
            "file": file,
            "start": start,
            "end": None if end != end else end,
            "seconds": seconds,
            "known": json.dumps(cells),
            "place": place,
            "answered": 0,
        }
        for file, start, end, seconds, cells, place in zip(
            frame["file"],
            frame["start"].tolist(),
            frame["end"].tolist(),
            found.seconds.tolist(),
            known,
            places,
            strict=True,
        )
    ]
    for i in range(0, len(rows), _ROWS):
        connection.execute(schema.clips.insert(), rows[i : i + _ROWS])


def _of_folder(folder: Path) -> ClipTable:
    files = audio.scan(folder).files
    if not files:
        raise UserError(folder, "there is no sound file in it", "Name the folder of the recordings.")
    names = [file.relative_to(folder).as_posix() for file in files]
    text = TextTable(pd.DataFrame({"file": names}, dtype=object), str(folder))
    return clips_from(text, folder, labels=False)


def _check_inside(table: ClipTable, source: Path) -> None:
    for file in table.frame["file"]:
        if not is_inside(table.root, file):
            raise UserError(
                source,
                f"{printable(file)!r} lies outside the folder of the sounds ({table.root})",
                "Name the folder that holds them all by --root, and the files relative to it.",
            )


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _plain(error: audio.AudioError) -> str:
    return str(error).encode("utf-8", "backslashreplace").decode("utf-8")
