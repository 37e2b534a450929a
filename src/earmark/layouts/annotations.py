"""Label files beside sounds: Raven selection tables and Audacity label tracks, an excerpt a row."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
import pandas as pd

from earmark.clips import clips_from
from earmark.errors import UserError
from earmark.layouts.listing import Layout, Listing, Source, all_left_out, not_so, text_lines, unlisted
from earmark.tables import TextTable, did_you_mean, listed, read_text_table

# -- Raven --------------------------------------------------------------------------------------------------

_BEGIN, _END, _OFFSET = "begin time (s)", "end time (s)", "file offset (s)"
_ANNOTATIONS = ("annotation", "species", "common name", "label")
_FILES = ("begin file", "begin path")
_FREQUENCIES = {"low freq (hz)": "low_hz", "high freq (hz)": "high_hz"}


def _first_line(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            return file.readline(1 << 16)
    except OSError:
        return ""


def _is_selection_table(path: Path) -> bool:
    fields = [field.strip(' "').casefold() for field in _first_line(path).split("\t")]
    return _BEGIN in fields and _END in fields


def _selection_tables(source: Source) -> list[PurePosixPath]:
    return [
        text
        for text in source.texts
        if text.name.lower().endswith(".selections.txt") or _is_selection_table(source.path / text)
    ]


def _lists_raven(source: Source) -> Listing:
    tables = _selection_tables(source)
    if not tables:
        raise not_so(source, "raven", "no selection table in it, such as song.Table.1.selections.txt")
    left_out: Counter[str] = Counter()
    frames = [_selections(source, table, left_out) for table in tables]
    return _excerpts(source, frames, left_out, own=len(tables), what="selection table")


def _selections(source: Source, table: PurePosixPath, left_out: Counter[str]) -> pd.DataFrame:
    """The rows of one selection table, checked."""
    text = read_text_table(source.path / table)
    text = replace(text, frame=text.frame.rename(columns=str.casefold))
    annotation = _column(text, _ANNOTATIONS)
    for name in (_BEGIN, _END):
        _column(text, (name,))
    frame, begin, end = text.frame, _number(text, _BEGIN), _number(text, _END)
    start = _number(text, _OFFSET) if _OFFSET in frame else begin
    rows = pd.DataFrame(
        {"file": _sounds_of(source, table, text), "start": start, "end": start + (end - begin)}
    )
    rows["label"] = frame[annotation].str.strip().astype(object)
    for theirs, ours in _FREQUENCIES.items():
        if theirs in frame:
            rows[ours] = frame[theirs]
    # Raven writes a row for each view of a selection: one of them says it all.
    views = {"selection", "view"} <= set(frame)
    seen = frame.duplicated("selection") if views else pd.Series(False, index=frame.index)
    return _labelled(replace(text, frame=rows), ~seen, source, left_out, "selections without annotation")


def _column(text: TextTable, names: tuple[str, ...]) -> str:
    """The first of these columns that a table has."""
    for name in names:
        if name in text.columns:
            return name
    raise UserError(
        f"{text.where}, header",
        f"no column {' or '.join(map(repr, names))}; found {listed(text.columns)}",
        f"{did_you_mean(names[0], text.columns)}Export the selection table from Raven with this column.",
    )


def _number(text: TextTable, name: str) -> pd.Series[float]:
    numbers = pd.to_numeric(text.frame[name].str.strip(), errors="coerce")
    text.refuse(~(numbers >= 0), name, "is not a number of seconds", "Correct the row.")
    return numbers.astype(float)


def _sounds_of(source: Source, table: PurePosixPath, text: TextTable) -> list[str]:
    """The recording of each row: by `Begin File` where there is one, else by the name of the table."""
    columns = [name for name in _FILES if name in text.columns]
    if not columns:
        stem = table.name.removesuffix(table.suffix)
        for ending in (".selections", *(f".table.{n}" for n in range(1, 100))):
            if stem.lower().endswith(ending):
                stem = stem[: -len(ending)]
        return [_find(source, table, stem)] * len(text.frame)
    names = [PureWindowsPath(cell.strip()).name for cell in text.frame[columns[0]]]
    text.refuse([name == "" for name in names], columns[0], "names no file", "Correct the row.")
    if len(set(names)) > 1 and _OFFSET not in text.columns:
        raise UserError(
            f"{text.where}, header",
            f"its rows are of {len(set(names))} files and there is no column 'File Offset (s)', so that the times "
            "may count from the start of the first file",
            "Export it from Raven with the column 'File Offset (s)', or one table a file.",
        )
    places = {name: _find(source, table, name) for name in set(names)}
    return [places[name] for name in names]


def _find(source: Source, table: PurePosixPath, name: str) -> str:
    """The recording of this name, or stem: beside the table, else the only one; where none is, beside it."""

    def named(file: PurePosixPath) -> bool:
        return name in (file.name, file.with_suffix("").name)

    beside = [file for file in source.files if file.parent == table.parent and named(file)]
    found = beside or [file for file in source.files if named(file)]
    if len(found) > 1:
        raise UserError(
            source.path / table,
            f"{name!r} may be any of {listed([file.as_posix() for file in found])}",
            "Put the table beside its recording, or rename one of them.",
        )
    return (found[0] if found else table.parent / name).as_posix()


RAVEN = Layout(
    "Raven selection tables beside the recordings: an excerpt a selection",
    fits=lambda source: _fits(source, len(_selection_tables(source))),
    lists=_lists_raven,
)

# -- Audacity -----------------------------------------------------------------------------------------------


def _seconds(text: str) -> float | None:
    """Seconds as Audacity writes them, with a point or, in some countries, a comma; None for other text."""
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return None


def _is_label_line(line: str) -> bool:
    fields = line.split("\t")
    return len(fields) >= 2 and None not in (_seconds(fields[0]), _seconds(fields[1]))


def _label_tracks(source: Source) -> dict[PurePosixPath, PurePosixPath]:
    """Label track -> the recording of the same stem; one that is not there has no ending."""
    return {
        text: source.by_stem.get(text.with_suffix(""), text.with_suffix(""))
        for text in source.texts
        if _is_label_line(_first_line(source.path / text))
    }


def _lists_audacity(source: Source) -> Listing:
    tracks = _label_tracks(source)
    if not tracks:
        raise not_so(source, "audacity", "no .txt with lines of start, end and label between tabs in it")
    left_out: Counter[str] = Counter()
    frames = [_labels(source, text, sound, left_out) for text, sound in tracks.items()]
    return _excerpts(source, frames, left_out, own=len(tracks), what="label track")


def _labels(
    source: Source, track: PurePosixPath, sound: PurePosixPath, left_out: Counter[str]
) -> pd.DataFrame:
    """The labels of one track, checked."""
    path, rows, lines = source.path / track, [], []
    for number, line in text_lines(path):
        if line.startswith("\\"):  # the frequencies of the label above it
            continue
        if not _is_label_line(line):
            raise UserError(
                f"{path}, line {number}",
                f"found {line[:60]!r}, wanted start, end and label with tabs between them",
                "Export the labels from Audacity again.",
            )
        start, end, *label = line.split("\t")
        rows.append((sound.as_posix(), _seconds(start), _seconds(end), "\t".join(label).strip()))
        lines.append(number)
    frame = pd.DataFrame(rows, columns=["file", "start", "end", "label"])
    text = TextTable(frame, str(path), np.array(lines, np.int64))
    text.refuse(
        ~((frame["start"] >= 0) & (frame["end"] >= 0)), "start", "lies before the recording", "Correct it."
    )
    points = frame["start"] == frame["end"]
    left_out["labels of a point in time"] += int(points.sum())
    return _labelled(text, ~points, source, left_out, "labels without a word")


def _n_labelled(source: Source) -> int:
    return sum(text.with_suffix("") in source.by_stem for text in _label_tracks(source))


AUDACITY = Layout(
    "Audacity label tracks: a .txt of start, end and label beside the recording of the same name",
    fits=lambda source: _fits(source, _n_labelled(source)),
    lists=_lists_audacity,
)

# -- both ---------------------------------------------------------------------------------------------------


def _fits(source: Source, n_labelled: int) -> bool:
    """Whether labels beside `n_labelled` recordings are what the folder is about: one may lie about by chance."""
    folders = {file.parts[0] for file in source.files if len(file.parts) > 1}
    return n_labelled > 0 and bool(source.files) and (len(folders) < 2 or 2 * n_labelled >= len(source.files))


def _labelled(
    text: TextTable, kept: pd.Series[bool], source: Source, left_out: Counter[str], why: str
) -> pd.DataFrame:
    """The rows to keep that have a label, each once, checked while their lines are known."""
    frame = text.frame
    left_out[why] += int((kept & (frame["label"] == "")).sum())
    kept = kept & (frame["label"] != "") & ~frame.duplicated(["file", "start", "end", "label"])
    assert text.lines is not None
    rows = replace(text, frame=frame[kept].reset_index(drop=True), lines=text.lines[kept.to_numpy()])
    if len(rows.frame) and not source.how.multi_label:
        clips_from(rows, source.path)
    return rows.frame


def _excerpts(
    source: Source, frames: list[pd.DataFrame], left_out: Counter[str], own: int, what: str
) -> Listing:
    frame = pd.concat(frames, ignore_index=True)
    texts = frame.columns.difference(["start", "end"])
    frame = frame.assign(**{str(name): frame[name].fillna("").astype(object) for name in texts})
    left_out[f"without a {what}"] = unlisted(source, frame["file"].tolist())
    return Listing(TextTable(frame, str(source.path)), all_left_out(source, left_out, own))
