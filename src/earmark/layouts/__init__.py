"""Folders as people and corpora lay them out -> clip table, with what could not be used and why."""

from __future__ import annotations

import math
import os
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from earmark import audio
from earmark.clips import RESERVED, ClipTable, clips_from, regrouped, validate_clips
from earmark.errors import UserError
from earmark.layouts.annotations import AUDACITY, RAVEN
from earmark.layouts.arrays import NPZ
from earmark.layouts.audiofolder import AUDIOFOLDER
from earmark.layouts.describing import Imported, describe
from earmark.layouts.environment import ESC_10, ESC_50, URBANSOUND8K
from earmark.layouts.folder import FILE_COLUMNS, FOLDER, METADATA
from earmark.layouts.listing import How, Layout, Listing, Source
from earmark.layouts.music import GTZAN, IRMAS, OPENMIC
from earmark.layouts.nsynth import NSYNTH
from earmark.layouts.speech import FSDD, SPEECH_COMMANDS
from earmark.tables import TextTable, did_you_mean, listed

__all__ = ["FILE_COLUMNS", "LAYOUTS", "How", "Imported", "describe", "import_folder", "usable_clips"]

LAYOUTS: dict[str, Layout] = {
    "npz": NPZ,
    "audiofolder": AUDIOFOLDER,
    "metadata": METADATA,
    "nsynth": NSYNTH,
    "gtzan": GTZAN,
    "irmas": IRMAS,
    "openmic": OPENMIC,
    "urbansound8k": URBANSOUND8K,
    "esc50": ESC_50,
    "esc10": ESC_10,
    "speechcommands": SPEECH_COMMANDS,
    "fsdd": FSDD,
    "raven": RAVEN,
    "audacity": AUDACITY,
    "folder": FOLDER,
}
"""Name -> layout; where none is named, the first that fits."""

_AS_IT_IS = How()
_FIRST_SECONDS = 0.1


def import_folder(
    folder: str | Path,
    layout: str = "auto",
    group_column: str | None = None,
    clip_seconds: float | None = None,
    progress: bool = False,
    how: How = _AS_IT_IS,
) -> Imported:
    """Make a clip table of a folder of sound.

    Args:
        folder: a folder for each class, a known corpus, a folder with tables or labels, or an .npz file.
        layout: a key of `LAYOUTS`, or "auto".
        group_column: take this column for `group`.
        clip_seconds: cut recordings into clips of this length, as prediction does; None leaves them whole.
        progress: show a bar on stderr while the files are opened.
        how: what single layouts need to know, which classes to leave out, whether labels are several.

    Raises:
        UserError: the folder is laid out in no such way, its table has a bad row, or no file can be used.
    """
    folder = Path(folder)
    _check_length(clip_seconds)
    name, listing = _listing(Source(folder, how), layout)
    listing = _adapted(listing, how)
    table = regrouped(clips_from(listing.text, listing.root or folder), group_column)
    table, seconds, unusable = usable_clips(table, clip_seconds, progress)
    if not len(table):
        raise _none_usable(folder, unusable)
    return Imported(table, seconds, unusable, listing.left_out, name, listing.notes)


def usable_clips(
    table: ClipTable, clip_seconds: float | None = None, progress: bool = False
) -> tuple[ClipTable, NDArray[np.float64], list[audio.AudioError]]:
    """Open every file of a table, and cut the clips that can be used.

    Args:
        table: clips, labelled or not.
        clip_seconds: length to cut to, as prediction does; None leaves them whole.
        progress: show a bar on stderr.

    Returns:
        The clips that can be used, how long each is in seconds `[n]`, and why the others cannot.

    Raises:
        UserError: no length to cut to.
    """
    _check_length(clip_seconds)
    found = _probe(table, progress)
    rows, unusable = _usable(table, found)
    table = table.take(np.array(rows, np.int64))
    known = {file: info.duration for file, info in found.items() if isinstance(info, audio.AudioInfo)}
    durations = np.array([known[file] for file in table.frame["file"]], np.float64)
    if clip_seconds is not None and rows:
        table, durations = _cut(table, durations, clip_seconds)
    start, end = table.frame["start"].to_numpy(), table.frame["end"].to_numpy()
    return table, np.fmin(end, durations) - start, unusable


def _check_length(clip_seconds: float | None) -> None:
    """Refuse a length that nothing can be cut to."""
    if clip_seconds is not None and not (math.isfinite(clip_seconds) and clip_seconds >= 0.01):
        raise UserError("clip length", f"found {clip_seconds:g} s, wanted 0.01 s or more", "For example 5.")


def _listing(source: Source, layout: str) -> tuple[str, Listing]:
    if layout != "auto" and layout not in LAYOUTS:
        known = ["auto", *LAYOUTS]
        raise UserError(
            "layout",
            f"found {layout!r}, wanted one of {listed(known, most=len(known))}",
            did_you_mean(layout, known).strip(),
        )
    name = layout if layout != "auto" else next(name for name, one in LAYOUTS.items() if one.fits(source))
    listing = LAYOUTS[name].lists(source)
    if not len(listing.text.frame):
        others = ", ".join(f"{n} {why}" for why, n in listing.left_out.items()) or "nothing"
        raise UserError(
            source.path, f"laid out as {name!r}, it holds no clip; left out: {others}", "Check the folder."
        )
    return name, listing


# -- what is asked for beside -------------------------------------------------------------------------------


def _adapted(listing: Listing, how: How) -> Listing:
    """Without the classes that are not wanted; with several labels a clip where that is."""
    if how.multi_label and "label" in listing.text.frame:
        listing = _with_marks(listing)
    for name in how.without:
        listing = _without(listing, name)
    return listing


def _without(listing: Listing, name: str) -> Listing:
    frame = listing.text.frame
    single = "label" in frame
    classes = sorted(set(frame["label"])) if single else [str(c) for c in frame if c not in RESERVED]
    if name not in classes:
        raise UserError(
            f"--without {name}",
            f"no such class; found {listed(classes)}",
            did_you_mean(name, classes).strip(),
        )
    if not single:
        return replace(listing, text=replace(listing.text, frame=frame.drop(columns=name)))
    kept = (frame["label"] != name).to_numpy()
    if not kept.any():
        raise UserError(f"--without {name}", "nothing else would be left", "Leave out fewer classes.")
    left_out = {**listing.left_out, f"of class {name!r}": int((~kept).sum())}
    return replace(listing, text=_rows(listing.text, kept), left_out=left_out)


def _with_marks(listing: Listing) -> Listing:
    """A column of 0 and 1 a class: a label `a,b` is two, and rows of one excerpt are one clip."""
    frame = listing.text.frame
    labels = [[name.strip() for name in label.split(",") if name.strip()] for label in frame["label"]]
    listing.text.refuse([not names for names in labels], "label", "is empty", "Label the clip.")
    classes = sorted({name for names in labels for name in names})
    others, notes = _carried(frame.drop(columns="label"), classes)
    _check_apart(classes, others, listing.text.where)
    key = [name for name in ("file", "start", "end") if name in frame]
    clip = frame.groupby(key, sort=False, dropna=False).ngroup().to_numpy()
    marks = np.zeros((int(clip.max()) + 1, len(classes)), np.int64)
    places = {name: place for place, name in enumerate(classes)}
    for row, names in zip(clip, labels, strict=True):
        marks[row, [places[name] for name in names]] = 1
    first = ~pd.Series(clip).duplicated().to_numpy()
    text = _rows(replace(listing.text, frame=others), first)
    columns = {name: pd.Series(marks[:, place].astype(str), dtype=object) for name, place in places.items()}
    frame = pd.concat([text.frame, pd.DataFrame(columns)], axis=1)
    return replace(listing, text=replace(text, frame=frame), notes=(*listing.notes, *notes))


def _check_apart(classes: list[str], others: pd.DataFrame, where: str) -> None:
    """Refuse a class that would have the name of a column."""
    for name in classes:
        if name in others or name in RESERVED:
            raise UserError(
                where, f"class {name!r} has the name of a column and cannot be one of several", "Rename it."
            )


def _carried(frame: pd.DataFrame, classes: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """The columns that are carried along: those of 0 and 1 would be taken for classes."""
    marks = [
        str(name)
        for name in frame
        if name not in RESERVED
        and 2 * frame[name].isin(["0", "1", "0.0", "1.0"]).sum() >= (frame[name] != "").sum()
    ]
    if not marks:
        return frame, []
    note = f"note: {listed(marks)} left out: columns of 0 and 1 beside {len(classes)} labels would be classes"
    return frame.drop(columns=marks), [note]


def _rows(text: TextTable, kept: NDArray[np.bool_]) -> TextTable:
    lines = None if text.lines is None else text.lines[kept]
    return replace(text, frame=text.frame[kept].reset_index(drop=True), lines=lines)


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


def _none_usable(folder: Path, unusable: list[audio.AudioError]) -> UserError:
    reasons = Counter(audio.REASONS[error.reason] for error in unusable)
    return UserError(
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
    validate_clips(TextTable(cut.frame, str(table.root)), labels=bool(table.classes))
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
