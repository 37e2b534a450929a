"""Waveforms in one .npz: arrays `train` and `test`, the first half of each one class, the second half the other."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from earmark import audio
from earmark.errors import UserError
from earmark.files import cannot_write
from earmark.layouts.listing import How, Layout, Listing, Source
from earmark.tables import TextTable, listed

SECONDS = 3
"""Length of each excerpt."""
_SPLITS = ("train", "test")


def _fits(source: Source) -> bool:
    return source.path.suffix.lower() == ".npz" and source.path.is_file()


def _lists(source: Source) -> Listing:
    """Writes one WAV an array and class, whose excerpts are the rows of the array."""
    if not source.path.is_file():
        raise UserError(
            source.path, "a file was wanted, there is none of this name", "Name the .npz file itself."
        )
    classes = _two_classes(source.how)
    halves = [
        _Half(split, place, label, rows)
        for split, both in _read(source.path, source.how.sample_rate).items()
        for place, (label, rows) in enumerate(zip(classes, np.split(both, 2), strict=True))
    ]
    folder = source.how.sounds or source.path.with_name(f"{source.path.stem}-sounds")
    _write(folder, halves, source.how)
    note = (
        "note: nothing says which excerpts are of one song: what is tested on may be known from training, and a "
        "part of train that validates is"
    )
    return Listing(_table(halves, source.path), {}, (note,), root=folder)


NPZ = Layout(
    "npz: arrays train and test of 3-s excerpts, the first half of each one class (needs --classes)",
    fits=_fits,
    lists=_lists,
)


@dataclass(frozen=True)
class _Half:
    """What one array holds of one class."""

    split: str
    place: int
    label: str
    rows: NDArray[np.floating]

    @property
    def file(self) -> str:
        plain = re.sub(r"[^\w-]", "_", self.label)
        return f"{self.split}-{self.place}-{plain}.wav"


def _two_classes(how: How) -> tuple[str, str]:
    names = tuple(name.strip() for name in how.classes)
    if len(names) != 2 or names[0] == names[1] or not all(names):
        raise UserError(
            "--classes",
            f"found {listed(how.classes)}, wanted two names: that of the first half and that of the second",
            "For example --classes classical,rock",
        )
    return names[0], names[1]


def _read(path: Path, sample_rate: int) -> dict[str, NDArray[np.floating]]:
    """The arrays, `[2 n, SECONDS * sample_rate]` each."""
    try:
        with path.open("rb") as file:
            found = _arrays(path, np.load(file, allow_pickle=False))
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(
            path, f"cannot be read as .npz: {error}", "Copy or save it again, without objects."
        ) from error
    for name, rows in found.items():
        _check(path, name, rows, sample_rate)
    return found


def _arrays(path: Path, loaded: object) -> dict[str, NDArray[np.floating]]:
    if not isinstance(loaded, np.lib.npyio.NpzFile):
        raise UserError(path, "is a single array, wanted an .npz", "Save it by numpy.savez.")
    absent = [name for name in _SPLITS if name not in loaded.files]
    if absent:
        raise UserError(
            path, f"has no array {listed(absent)}; found {listed(loaded.files)}", "Rename the arrays."
        )
    return {name: loaded[name] for name in _SPLITS}


def _check(path: Path, name: str, rows: NDArray[np.generic], sample_rate: int) -> None:
    width = SECONDS * sample_rate
    where = f"{path}, array {name!r}"
    if rows.ndim != 2 or rows.shape[1] != width or rows.shape[0] < 2 or rows.shape[0] % 2:
        raise UserError(
            where,
            f"its shape is {rows.shape}, wanted (an even number, {width}): {SECONDS} s at {sample_rate} Hz",
            "Save excerpts as rows; another rate is given by --rate.",
        )
    if not np.issubdtype(rows.dtype, np.floating):
        raise UserError(
            where,
            f"its type is {rows.dtype}, wanted floating point from -1 to 1",
            "Scale and convert it first.",
        )


def _table(halves: list[_Half], path: Path) -> TextTable:
    frames = []
    for half in halves:
        start = SECONDS * np.arange(len(half.rows), dtype=np.float64)
        cells = {
            "file": half.file,
            "start": start,
            "end": start + SECONDS,
            "label": half.label,
            "split": half.split,
        }
        frames.append(pd.DataFrame(cells))
    frame = pd.concat(frames, ignore_index=True)
    texts = {name: frame[name].astype(object) for name in ("file", "label", "split")}
    return TextTable(frame.assign(**texts), str(path))


def _write(folder: Path, halves: list[_Half], how: How) -> None:
    """All files or none: written to a neighbour of the folder, then renamed."""
    if folder.exists() and not how.force:
        raise UserError(folder, "this exists already", "Move it away, or write over it by --force.")
    neighbour = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        neighbour.mkdir(parents=True)
        for half in halves:
            waveform = half.rows.astype(np.float32).reshape(-1)
            audio.write(neighbour / half.file, waveform, how.sample_rate, float32=True)
        if folder.is_dir():
            for half in halves:
                (neighbour / half.file).replace(folder / half.file)
        else:
            neighbour.replace(folder)
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        shutil.rmtree(neighbour, ignore_errors=True)
