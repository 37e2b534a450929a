"""The folder of an exploration: page, pictures, tables; it takes the place of an earlier one, whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from earmark import files
from earmark.clips import KEY
from earmark.exploring import counting, pictures, ranking
from earmark.exploring.page import BEGINS, render
from earmark.files import cannot_write, replacing
from earmark.tables import RowWriter

if TYPE_CHECKING:
    from earmark.exploring.exploration import Exploration

PAGE = "explore.html"


def check_folder(out: Path) -> None:
    """Refuse a folder that holds something else than an exploration.

    Raises:
        UserError: something else is there.
    """
    files.check_folder(out, PAGE, BEGINS.encode(), "an exploration")


def write_folder(out: Path, found: Exploration) -> None:
    """Write everything beside its place, then move it there, the page last.

    Raises:
        UserError: it cannot be written.
    """
    fresh = not out.exists()
    part = out / f".{os.getpid()}.part"
    try:
        for name, frame in tables(found):
            _write_table(part / "tables" / f"{name}.csv", frame)
        drawn = pictures.draw(found)
        for name, data in pictures.files(found, drawn):
            with replacing(part / "pictures" / name, "wb") as file:
                file.write(data)
        with replacing(part / PAGE) as file:
            file.write(render(found, drawn))
        for name in ("tables", "pictures"):
            _swap(part / name, out / name, part / f"old-{name}")
        (part / PAGE).replace(out / PAGE)
    except OSError as error:
        raise cannot_write(out, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
        if fresh and not (out / PAGE).exists():
            shutil.rmtree(out, ignore_errors=True)


def tables(found: Exploration) -> Iterator[tuple[str, pd.DataFrame]]:
    """The tables by name."""
    counts = found.counts
    yield "clips", counting.frame_of_clips(found.corpus, found.heard)
    yield "classes", counting.frame_of(counts.classes, "class", counts.split_names)
    yield "splits", counting.frame_of(counts.splits, "split")
    yield "groups", counting.frame_of(counts.groups, "group", counts.split_names)
    yield "distributions", counting.distributions(found.corpus, found.heard)
    yield "formats", counting.formats(found.corpus, found.heard)
    yield "duplicates", counting.frame_of_twins(found.corpus, found.twins)
    yield "unusable", _unusable(found)
    yield "ranking", ranking.frame_of(found.ranking)
    yield "map", _map(found)


def _swap(new: Path, place: Path, old: Path) -> None:
    """Put a folder in the place of another one, which goes away with the rest of what is old."""
    if place.exists():
        place.replace(old)
    new.replace(place)


def _unusable(found: Exploration) -> pd.DataFrame:
    rows = [
        [*counting.place_of(found.corpus, i), found.corpus.labels[i], found.heard.measures[i].reason, words]
        for i, words in counting.unusable(found.corpus, found.heard)
    ]
    return pd.DataFrame(rows, columns=[*KEY, "label", "reason", "words"])


def _map(found: Exploration) -> pd.DataFrame:
    rows = [
        [*counting.place_of(found.corpus, i), found.corpus.labels[i], round(x, 6), round(y, 6)]
        for i, (x, y) in zip(found.map.rows.tolist(), found.map.places.tolist(), strict=True)
    ]
    return pd.DataFrame(rows, columns=[*KEY, "label", "x", "y"])


def _write_table(path: Path, frame: pd.DataFrame) -> None:
    with replacing(path, newline="", errors="surrogateescape") as file:
        writer = RowWriter(file)
        writer.writerow(list(frame))
        writer.writerows(
            ["" if cell != cell else cell for cell in row] for row in frame.itertuples(index=False, name=None)
        )
