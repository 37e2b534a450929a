"""Labels that exist already -> answers of an annotator, or known answers (gold), of the clips of a project."""

from __future__ import annotations

import json
import re
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlparse

import numpy as np
from sqlalchemy import select, update

from earmark.clips import ClipTable, join
from earmark.errors import UserError
from earmark.exploring.corpus import read_corpus
from earmark.labelling import queue
from earmark.labelling.exporting import FORMATS, Mark
from earmark.labelling.project import Project
from earmark.labelling.questions import Answer, Question
from earmark.labelling.schema import answers, clips, latest
from earmark.labelling.votes import KnownClip, check_positive
from earmark.layouts import LAYOUTS
from earmark.layouts.listing import Source
from earmark.tables import counted, did_you_mean, listed

COVERED = 0.5
"""Share of a clip that a label must cover to be said of it, unless a label is of just this clip."""
AT_ONCE = 200
"""Answers that are written in one transaction, so that those who label meanwhile need not wait long."""
_NEAR = 0.0015  # seconds


@dataclass(frozen=True)
class How:
    """How labels are imported."""

    form: str = "auto"
    """One of `FORMATS`, or "auto", which tells them by their names."""
    name: str = ""
    """Whose answers they are; empty: the name of the file."""
    gold: bool = False
    """Whether they are known answers, which annotators are tested on."""
    positive: tuple[str, ...] | None = None
    """Levels: the one that a class that is there has; None: the first."""


@dataclass(frozen=True)
class ImportedLabels:
    """What became of the labels."""

    name: str
    """The annotator; empty: they are gold."""
    written: int
    """Clips that have an answer now."""
    same: int
    """Clips that had the same answer already."""
    left_out: dict[str, int]
    """Why -> how many rows or labels are no answers."""


def import_labels(project: Project, path: Path, how: How) -> ImportedLabels:
    """Read labels, check all of them, and write them down; broken off, it may be begun again.

    Args:
        project: its clips are what answers are about; others are left out, counted.
        path: a clip table or a Label Studio JSON; a folder of Raven or Audacity labels.
        how: in which form, as whose answers.

    Raises:
        UserError: no such file, no such form, or nothing in it is about the project's clips.
    """
    if how.positive is not None:
        check_positive(project.question, how.positive)
    form = _form_of(path, how.form)
    left_out: Counter[str] = Counter()
    known = project.said().clips
    if form == "clips":
        found = _of_table(project, known, path, how, left_out)
    else:
        found = _of_marks(project.question, known, _READERS[form](path), how, left_out)
    if not found:
        why = ", ".join(f"{n} {reason}" for reason, n in left_out.items())
        raise UserError(path, f"nothing in it answers the question: {why or 'it is empty'}", _REMEDY)
    checked = {i: project.question.check(answer, known[i].seconds) for i, answer in found.items()}
    by_id = {known[i].id: answer for i, answer in checked.items()}
    if how.gold:
        return ImportedLabels("", *_write_gold(project, by_id), dict(left_out))
    annotator = project.enter(how.name or path.resolve().name)
    return ImportedLabels(annotator.name, *_write_answers(project, annotator.id, by_id), dict(left_out))


_REMEDY = "Labels are joined with clips by file, start and end, or where they cover half of a clip."


def _form_of(path: Path, form: str) -> str:
    if form in FORMATS:
        return form
    if form != "auto":
        known = ("auto", *FORMATS)
        raise UserError(
            "--format", f"found {form!r}, wanted one of {listed(known)}", did_you_mean(form, known)
        )
    if not path.exists():
        raise UserError(path, "there is no such file or folder", "Check the path.")
    if path.is_dir():
        names = [text.name.lower() for text in Source(path).texts]
        if not names:
            raise UserError(path, "there is neither a selection table nor a label track in it", _NAME_IT)
        return "raven" if any(name.endswith(".selections.txt") for name in names) else "audacity"
    return "labelstudio" if path.suffix.lower() == ".json" else "clips"


_NAME_IT = "Name a folder of .txt files as Raven or Audacity write them."

# -- what is written ----------------------------------------------------------------------------------------


def _write_gold(project: Project, found: dict[int, Answer]) -> tuple[int, int]:
    with project.store.writing() as connection:
        for clip_id, answer in found.items():
            connection.execute(update(clips).where(clips.c.id == clip_id).values(gold=queue.as_text(answer)))
    return len(found), 0


def _write_answers(project: Project, annotator_id: int, found: dict[int, Answer]) -> tuple[int, int]:
    """Written, and left as they were because the annotator says the same already."""
    with project.store.reading() as connection:
        rows = connection.execute(
            select(answers.c.clip_id, answers.c.answer, answers.c.comment)
            .join(latest, latest.c.answer_id == answers.c.id)
            .where(latest.c.annotator_id == annotator_id)
        )
        said = {row.clip_id: queue.as_answer(row.answer, row.comment) for row in rows}
    new = [(clip_id, answer) for clip_id, answer in found.items() if said.get(clip_id) != answer]
    for i in range(0, len(new), AT_ONCE):
        with project.store.writing() as connection:
            for clip_id, answer in new[i : i + AT_ONCE]:
                token = uuid.uuid4().hex
                queue.hand_in(connection, (clip_id, annotator_id), answer, token, project.clock())
    return len(new), len(found) - len(new)


# -- a clip table -------------------------------------------------------------------------------------------


def _of_table(
    project: Project, known: tuple[KnownClip, ...], path: Path, how: How, left_out: Counter[str]
) -> dict[int, Answer]:
    """Row of the clip -> answer, from a table whose rows are joined by file, start and end."""
    corpus = read_corpus(path)
    table = corpus.table
    _check_classes(project.question, table.classes, path)
    rows = join(table, _as_table(project, known))
    left_out["rows about no clip of the project"] += int((rows < 0).sum())
    found: dict[int, Answer] = {}
    for row in np.flatnonzero(rows >= 0):
        if table.multi_label:
            marks = {name: str(table.frame[name].iloc[row]) for name in table.classes}
            labels = {name for name, mark in marks.items() if mark in ("1", "1.0")}
            complete = all(marks.get(name, "") != "" for name in project.question.classes)
        else:
            labels = {cell} if (cell := str(table.frame["label"].iloc[row]).strip()) else set()
            complete = bool(labels)
        answer = _answer(project.question, labels, how.positive) if complete else None
        if answer is None:
            left_out["rows that leave the question open"] += 1
        else:
            found[int(rows[row])] = answer
    return found


def _check_classes(question: Question, classes: Iterable[str], path: Path) -> None:
    strange = [name for name in classes if name not in question.classes]
    if strange and question.kind != "yes-no":
        raise UserError(
            path,
            f"its classes {listed(strange)} are not among those asked for: {listed(question.classes)}",
            did_you_mean(strange[0], question.classes).strip() or "Rename them in the file.",
        )


def _as_table(project: Project, known: tuple[KnownClip, ...]) -> ClipTable:
    import pandas as pd

    frame = pd.DataFrame(
        {
            "file": pd.Series([clip.file for clip in known], dtype=object),
            "start": [clip.start for clip in known],
            "end": [float("nan") if clip.end is None else clip.end for clip in known],
        }
    )
    return ClipTable(frame, project.root, (), False)


def _answer(question: Question, labels: set[str], positive: tuple[str, ...] | None) -> Answer | None:
    """The answer that labels of a whole clip make; None: none."""
    if question.kind == "one":
        return {"label": next(iter(labels))} if len(labels) == 1 else None
    if question.kind == "tags":
        return {"tags": sorted(labels)}
    if question.kind == "yes-no":
        return {"answer": "yes" if question.classes[0] in labels else "no"}
    if question.kind == "levels":
        there = (positive or question.levels)[0]
        last = question.levels[-1]
        return {"levels": {name: there if name in labels else last for name in question.classes}}
    return None


# -- labels of excerpts -------------------------------------------------------------------------------------


def _of_marks(
    question: Question,
    known: tuple[KnownClip, ...],
    marks: list[Mark],
    how: How,
    left_out: Counter[str],
) -> dict[int, Answer]:
    """Row of the clip -> answer, for the clips of all recordings that have labels."""
    _check_classes(question, sorted({mark.label for mark in marks}), Path("labels"))
    by_file: dict[str, list[Mark]] = defaultdict(list)
    files = {clip.file for clip in known}
    names = _names_of(files)
    for mark in marks:
        by_file[names.get(mark.file) or names.get(PurePosixPath(mark.file).name, mark.file)].append(mark)
    left_out["labels of recordings that are not in the project"] += sum(
        len(of_file) for file, of_file in by_file.items() if file not in files
    )
    found: dict[int, Answer] = {}
    for i, clip in enumerate(known):
        if clip.file not in by_file:
            continue
        answer = _of_clip(question, clip, by_file[clip.file], how)
        if answer is None:
            left_out["clips that no one label covers"] += 1
        else:
            found[i] = answer
    return found


def _names_of(files: set[str]) -> dict[str, str]:
    """What a recording may be called, with or without its folder and ending -> the recording it can only be."""
    found: dict[str, set[str]] = defaultdict(set)
    for file in files:
        path = PurePosixPath(file)
        for name in (path.name, path.stem, path.with_suffix("").as_posix()):
            found[name].add(file)
    only = {name: next(iter(those)) for name, those in found.items() if len(those) == 1}
    return {**only, **{file: file for file in files}}


def _of_clip(question: Question, clip: KnownClip, marks: list[Mark], how: How) -> Answer | None:
    end = clip.start + clip.seconds
    here = [(mark, min(mark.end, end) - max(mark.start, clip.start)) for mark in marks]
    here = [(mark, seconds) for mark, seconds in here if seconds > 1e-3]
    if question.kind == "regions":
        return {"regions": [_region(mark, clip) for mark, _ in here]}
    exact = [mark for mark, _ in here if abs(mark.start - clip.start) < _NEAR and abs(mark.end - end) < _NEAR]
    if exact:
        return _answer(question, {mark.label for mark in exact}, how.positive)
    labels = {mark.label for mark, seconds in here if seconds >= COVERED * clip.seconds - 1e-3}
    return _answer(question, labels, how.positive)


def _region(mark: Mark, clip: KnownClip) -> dict[str, object]:
    """A label as a region of a clip, cut at its borders."""
    start = max(mark.start - clip.start, 0.0)
    end = min(mark.end - clip.start, clip.seconds)
    return {"start": start, "end": end, "f_min": mark.f_min, "f_max": mark.f_max, "label": mark.label}


def _read_raven(path: Path) -> list[Mark]:
    return _read_layout("raven", path)


def _read_audacity(path: Path) -> list[Mark]:
    return _read_layout("audacity", path)


def _read_layout(name: str, path: Path) -> list[Mark]:
    """What `earmark import` would read from a folder of recordings with labels beside them."""
    if not path.is_dir():
        raise UserError(path, "is not there, or is a file; wanted a folder of label files", _NAME_IT)
    frame = LAYOUTS[name].lists(Source(path)).text.frame
    low, high = (frame[column] if column in frame else [""] * len(frame) for column in ("low_hz", "high_hz"))
    columns = frame["file"], frame["start"], frame["end"], low, high, frame["label"]
    return [
        Mark(file, float(start), float(end), _hertz(f_min), _hertz(f_max), label, "")
        for file, start, end, f_min, f_max, label in zip(*columns, strict=True)
    ]


def _hertz(cell: object) -> float | None:
    try:
        return float(str(cell))
    except ValueError:
        return None


def _read_label_studio(path: Path) -> list[Mark]:
    """Regions with labels, and choices of whole recordings, of an exported JSON."""
    try:
        tasks = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UserError(path, f"cannot be read: {error.strerror or error}", "Check the path.") from error
    except ValueError as error:
        raise UserError(path, f"is not JSON: {error}", "Export it from Label Studio as JSON.") from error
    if not isinstance(tasks, list) or not all(isinstance(task, dict) and "data" in task for task in tasks):
        raise UserError(path, "is not a list of tasks with data", "Export it from Label Studio as JSON.")
    return [mark for task in tasks for mark in _marks_of_task(task)]


def _marks_of_task(task: dict[str, object]) -> list[Mark]:
    file = _file_of(task["data"])
    found = []
    annotations = task.get("annotations")
    for annotation in annotations if isinstance(annotations, list) else []:
        for result in annotation.get("result", []):
            value = result.get("value", {})
            start, end = float(value.get("start", 0.0)), float(value.get("end", float("inf")))
            for label in [*value.get("labels", []), *value.get("choices", [])]:
                found.append(Mark(file, start, end, None, None, str(label), ""))
    return found


def _file_of(data: object) -> str:
    """The recording of a task: our own `file`, else the path behind `?d=`, else that of the address."""
    cells = data if isinstance(data, dict) else {}
    if isinstance(cells.get("file"), str):
        return str(cells["file"])
    said = str(cells.get("audio") or next(iter(cells.values()), ""))
    address = urlparse(said)
    local = parse_qs(address.query).get("d")
    return local[0] if local else re.sub(r"^/?data/upload/(\d+/)?([0-9a-f]{8}-)?", "", unquote(address.path))


_READERS = {"raven": _read_raven, "audacity": _read_audacity, "labelstudio": _read_label_studio}


def describe(found: ImportedLabels) -> str:
    """What became of the labels, in words."""
    whose = f"answers of {found.name!r}" if found.name else "gold"
    lines = [f"{counted(found.written, 'clip')} labelled as {whose}"]
    lines += [f"{counted(found.same, 'clip')} had the same answer already"] if found.same else []
    left = [f"{n} {why}" for why, n in found.left_out.items() if n]
    return "\n".join([*lines, *([f"left out: {', '.join(left)}"] if left else [])])
