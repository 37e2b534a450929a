"""Labels -> files: a clip table that trains at once, Raven and Audacity tables, Label Studio JSON."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from earmark import audio
from earmark.clips import RESERVED, ClipTable, format_seconds, write_clips
from earmark.errors import UserError
from earmark.files import check_place, replacing
from earmark.labelling.consensus import Rule
from earmark.labelling.project import Project
from earmark.labelling.questions import Question
from earmark.labelling.verdicts import Verdict, verdicts
from earmark.labelling.votes import NO_YES
from earmark.tables import counted, did_you_mean, listed

FORMATS = ("clips", "raven", "audacity", "labelstudio")
RULE_FILE = "labels.json"
"""In a folder of exported labels: what was asked and by which rule answers became labels."""
CONSENSUS = "consensus"
"""The column of exported tables that says what a label stands on."""
_SELECTION = (
    "Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)",
    "Begin File", "Annotation", "Consensus",
)  # fmt: skip


@dataclass(frozen=True)
class How:
    """How labels are exported."""

    form: str = "clips"
    """One of `FORMATS`."""
    rule: Rule = "majority"
    """How several answers become one."""
    positive: tuple[str, ...] | None = None
    """Levels that mean that a class is there; None: all but the last level."""
    force: bool = False
    """Whether an earlier export may be written over."""


@dataclass(frozen=True)
class Exported:
    """What was written, and what was not."""

    rows: int
    """Clips, or labels, written."""
    per_class: dict[str, int]
    unanswered: int
    """Clips that nobody has said anything of."""
    skipped: int
    """Clips that were skipped by all who heard them, or answered `unsure`."""
    tied: int
    """Clips where answers are as many for one thing as for another (of several classes: for every class)."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mark:
    """A stretch of a recording with a label: what formats of excerpts hold."""

    file: str
    start: float
    end: float
    f_min: float | None
    f_max: float | None
    label: str
    by: str


def export(project: Project, out: Path, how: How) -> Exported:
    """Write the labels of a project.

    Args:
        project: whose.
        out: the file to write; for Raven and Audacity a folder.
        how: in which form, by which rule.

    Raises:
        UserError: no such form, rule or level, nothing to write, or something else in its place.
    """
    if how.form not in FORMATS:
        raise UserError(
            "--format",
            f"found {how.form!r}, wanted one of {listed(FORMATS)}",
            did_you_mean(how.form, FORMATS),
        )
    _check_out(out, how)
    said, positive = project.said(), positive_of(project.question, how.positive)
    found = verdicts(said, project.question, how.rule, positive)
    known = [one for one in found if one.known]
    notes: list[str] = []
    if not known:
        raise UserError(
            project.store.where, f"none of its {len(said.clips)} clips has a label yet", "Label some first."
        )
    if how.form == "clips":
        notes = _write_table(project, known, out)
        rows = len(known)
    else:
        marks = [mark for one in known for mark in _marks(one, project.question)]
        _WRITERS[how.form](project, known, marks, out, _rule_of(project.question, how, positive))
        rows = len(marks)
    skipped = sum(one.by == "skipped" for one in found)
    unanswered = len(said.clips) - len(found)
    tied = len(found) - len(known) - skipped
    return Exported(rows, _per_class(known, project.question), unanswered, skipped, tied, tuple(notes))


def positive_of(question: Question, positive: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The levels that mean that a class is there: those given, else all but the last; None where none are asked."""
    if question.kind == "levels" and positive is None:
        return question.levels[:-1]
    return positive


def describe(found: Exported, how: How, out: Path) -> str:
    """What was written, in words: a line a class, then what is not in it."""
    what = "clips" if how.form == "clips" else "labels"
    lines = [f"{name}: {n}" for name, n in found.per_class.items()]
    left = [
        f"{counted(n, 'clip')} {why}"
        for n, why in (
            (found.unanswered, "that nobody has answered"),
            (found.skipped, "skipped or unsure"),
            (found.tied, "undecided, as many for one as for another"),
        )
        if n
    ]
    lines += [f"left out: {', '.join(left)}"] if left else []
    return "\n".join([*lines, *found.notes, f"wrote {found.rows} {what} by {how.rule} to {out}"])


def _check_out(out: Path, how: How) -> None:
    if how.form in ("clips", "labelstudio"):
        check_place(out, how.force, b"file," if how.form == "clips" else b"[")
        return
    if not os.path.lexists(out):
        return
    if not out.is_dir():
        raise UserError(out, "this is a file, wanted a folder to write to", "Choose another -o.")
    ours = (out / RULE_FILE).is_file()
    if any(out.iterdir()) and not (ours and how.force):
        problem = "labels were exported here already" if ours else "this holds something else than labels"
        raise UserError(out, problem, "Choose another -o, or write over an earlier export by --force.")


def _rule_of(question: Question, how: How, positive: tuple[str, ...] | None) -> dict[str, object]:
    return {
        "kind": question.kind,
        "classes": list(question.classes),
        "levels": list(question.levels),
        "positive": None if positive is None else list(positive),
        "consensus": how.rule,
    }


def _per_class(known: Iterable[Verdict], question: Question) -> dict[str, int]:
    counts = Counter(label for one in known for label in _labels(one, question))
    return {name: counts[name] for name in question.classes}


def _labels(verdict: Verdict, question: Question) -> list[str]:
    """The classes that a clip has."""
    if question.kind == "one":
        return [label for label in verdict.says.values() if label is not None]
    return [name for name, category in verdict.says.items() if category == NO_YES[1]]


# -- a clip table -------------------------------------------------------------------------------------------


def _write_table(project: Project, known: list[Verdict], out: Path) -> list[str]:
    """Single-label where one of N was asked, else a column of 1, 0 and empty (unknown) a class."""
    columns: dict[str, list[object]] = {
        "file": [one.clip.file for one in known],
        "start": [one.clip.start for one in known],
        "end": [float("nan") if one.clip.end is None else one.clip.end for one in known],
    }
    single = project.question.kind == "one"
    marks = {NO_YES[0]: "0", NO_YES[1]: "1", None: ""}
    names = ("label",) if single else project.question.classes
    for name in names:
        cells = [one.says[name] for one in known]
        columns[name] = list(cells) if single else [marks[cell] for cell in cells]
    carried, notes = _carried(known, {*columns, CONSENSUS}, single)
    columns |= carried
    columns[CONSENSUS] = [one.by for one in known]
    if any(one.comments for one in known):
        columns["comment"] = [" | ".join(one.comments) for one in known]
    frame = pd.DataFrame(columns, dtype=object).astype({"start": float, "end": float})
    classes = tuple(sorted(set(frame["label"]))) if single else project.question.classes
    write_clips(ClipTable(frame, project.root, classes, not single), out)
    return notes


def _carried(
    known: list[Verdict], taken: set[str], single: bool
) -> tuple[dict[str, list[object]], list[str]]:
    """The columns of the table that the project began with, but for those that would be taken for labels."""
    names = [name for name in known[0].clip.known if name not in taken and name != "comment"]
    cells = {name: [one.clip.known.get(name, "") for one in known] for name in names}
    if single:
        return {name: list(values) for name, values in cells.items()}, []
    odd = [
        name
        for name, values in cells.items()
        if name == "label" or (name not in RESERVED and set(values) & {"0", "1", "0.0", "1.0"})
    ]
    notes = [f"note: columns {listed(odd)} are left out: they would be taken for classes"] if odd else []
    return {name: list(values) for name, values in cells.items() if name not in odd}, notes


# -- formats of excerpts ------------------------------------------------------------------------------------


def _marks(verdict: Verdict, question: Question) -> list[Mark]:
    """The labels of one clip, in seconds of its recording."""
    clip = verdict.clip
    if question.kind == "regions":
        return [
            Mark(
                clip.file,
                round(clip.start + r.start, 6),
                round(clip.start + r.end, 6),
                r.f_min,
                r.f_max,
                r.label,
                verdict.by,
            )
            for r in verdict.regions
        ]
    end = round(clip.start + clip.seconds, 6)
    return [
        Mark(clip.file, clip.start, end, None, None, label, verdict.by)
        for label in _labels(verdict, question)
    ]


def _by_file(marks: Iterable[Mark]) -> dict[str, list[Mark]]:
    found: dict[str, list[Mark]] = defaultdict(list)
    for mark in marks:
        found[mark.file].append(mark)
    return {file: sorted(of_file, key=lambda one: (one.start, one.end)) for file, of_file in found.items()}


def _write_raven(
    project: Project, known: list[Verdict], marks: list[Mark], out: Path, rule: Mapping[str, object]
) -> None:
    """A selection table a recording that has labels, in folders as the recordings are; no frequencies mean all."""
    for file, of_file in _by_file(marks).items():
        top = _nyquist(project.root / file)
        rows = [
            (
                number,
                "Spectrogram 1",
                1,
                format_seconds(mark.start) or "0",
                format_seconds(mark.end),
                f"{mark.f_min or 0.0:g}",
                f"{top if mark.f_max is None else mark.f_max:g}",
                PurePosixPath(file).name,
                mark.label,
                mark.by,
            )
            for number, mark in enumerate(of_file, 1)
        ]
        lines = ["\t".join(map(str, row)) for row in (_SELECTION, *rows)]
        _write_beside(out, file, ".Table.1.selections.txt", lines)
    _write_rule(out, rule)


def _write_audacity(
    project: Project, known: list[Verdict], marks: list[Mark], out: Path, rule: Mapping[str, object]
) -> None:
    """A label track a recording; a line with the frequencies below a label that has some."""
    for file, of_file in _by_file(marks).items():
        lines = []
        for mark in of_file:
            lines.append(f"{mark.start:.6f}\t{mark.end:.6f}\t{mark.label}")
            if mark.f_min is not None or mark.f_max is not None:
                top = _nyquist(project.root / file) if mark.f_max is None else mark.f_max
                lines.append(f"\\\t{mark.f_min or 0.0:.6f}\t{top:.6f}")
        _write_beside(out, file, ".txt", lines)
    _write_rule(out, rule)


def _write_label_studio(
    project: Project, known: list[Verdict], marks: list[Mark], out: Path, rule: Mapping[str, object]
) -> None:
    """A task a recording, its labels as regions in time; the rule stands among the data of each."""
    by_file = _by_file(marks)
    tasks = []
    for file in dict.fromkeys(one.clip.file for one in known):
        results = [
            {
                "from_name": "label",
                "to_name": "audio",
                "type": "labels",
                "value": {"start": mark.start, "end": mark.end, "channel": 0, "labels": [mark.label]},
            }
            for mark in by_file.get(file, [])
        ]
        data = {"audio": f"/data/local-files/?d={file}", "file": file, **rule}
        tasks.append({"data": data, "annotations": [{"result": results}]})
    with replacing(out) as written:
        json.dump(tasks, written, indent=1)
        written.write("\n")


_WRITERS = {"raven": _write_raven, "audacity": _write_audacity, "labelstudio": _write_label_studio}


def _write_beside(out: Path, file: str, ending: str, lines: list[str]) -> None:
    """Write the labels of a recording where it would lie under `out`."""
    name = PurePosixPath(file)
    path = out / name.parent / f"{name.stem}{ending}"
    with replacing(path, errors="surrogateescape", newline="") as written:
        written.write("".join(f"{line}\n" for line in lines))


def _write_rule(out: Path, rule: Mapping[str, object]) -> None:
    with replacing(out / RULE_FILE) as written:
        json.dump(rule, written, indent=1)
        written.write("\n")


def _nyquist(path: Path) -> float:
    """The highest frequency of a recording in Hz; 24 kHz where it is gone."""
    try:
        return audio.probe(path).sample_rate / 2
    except audio.AudioError:
        return 24_000.0
