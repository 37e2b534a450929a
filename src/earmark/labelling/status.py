"""How far labelling is, who did what, how far people agree: in words, for a terminal."""

from __future__ import annotations

from sqlalchemy import func, select

from earmark.labelling import schema
from earmark.labelling.agreement import AgreementReport
from earmark.labelling.project import Project
from earmark.labelling.votes import Said
from earmark.tables import aligned, counted

MOST_LINES = 30
"""Pairs of annotators, or disagreements, that are listed."""


def describe(project: Project) -> str:
    """The state of a project as text."""
    said, question = project.said(), project.question
    parts = [_head(project, said), _people(project, said)]
    report = project.agreement()
    parts += [_alphas(report), _pairs(report), _gold(report)]
    contested = project.disagreements()
    if contested:
        parts.append(f"{counted(len(contested), 'clip')} that annotators differ about and nobody has settled")
    asked = f"{question.kind} of {', '.join(question.classes)}"
    levels = f", as {', '.join(question.levels)}" if question.levels else ""
    return "\n\n".join([f"asked: {asked}{levels}", *(part for part in parts if part)])


def _head(project: Project, said: Said) -> str:
    progress = project.progress(-1)
    n_gold = sum(clip.gold is not None for clip in said.clips)
    with project.store.reading() as connection:
        lost = connection.execute(
            select(schema.unusable.c.reason, func.count())
            .group_by(schema.unusable.c.reason)
            .order_by(schema.unusable.c.reason)
        )
        unusable = ", ".join(f"{n} {reason}" for reason, n in lost)
    lines = [
        f"{progress.everybody} of {counted(progress.total, 'clip')} done, {project.settings.overlap} answers each"
    ]
    lines += [f"{counted(n_gold, 'gold clip')}"] if n_gold else []
    lines += [f"could not be used: {unusable}"] if unusable else []
    there = any((project.root / clip.file).exists() for clip in said.clips)
    lines += [f"sounds: {project.root}{'' if there else ' (not there: name the folder by --root)'}"]
    return "\n".join(lines)


def _people(project: Project, said: Said) -> str:
    rows = [("annotator", "clips", "skipped")]
    for column, name in enumerate(said.names):
        theirs = [of_clip[column] for of_clip in said.answers.values() if column in of_clip]
        skipped = sum("skip" in answer for answer in theirs)
        rows.append((name, str(len(theirs)), str(skipped)))
    counts = [("class", "answers")]
    counts += [(name, str(n)) for name, n in project.progress(-1).per_class.items()]
    return f"{aligned(rows)}\n\n{aligned(counts)}" if len(rows) > 1 else "nobody has answered yet"


def _alphas(report: AgreementReport) -> str:
    rows = [
        (one.element, "not defined" if one.alpha is None else f"{one.alpha:.3f}", str(one.n_clips))
        for one in report.alphas
        if one.n_clips
    ]
    return aligned([("Krippendorff's alpha", "", "clips"), *rows]) if rows else ""


def _pairs(report: AgreementReport) -> str:
    rows = [
        (
            f"{one.first} and {one.second}",
            one.element,
            "not defined" if one.kappa is None else f"{one.kappa:.3f}",
            f"{one.same} of {one.n_clips} the same",
        )
        for one in report.kappas
    ]
    if not rows:
        return ""
    more = [f"and {len(rows) - MOST_LINES} more"] if len(rows) > MOST_LINES else []
    return "\n".join([aligned([("Cohen's kappa", "", "", ""), *rows[:MOST_LINES]]), *more])


def _gold(report: AgreementReport) -> str:
    rows = [(one.name, f"{one.right} of {one.asked}") for one in report.gold]
    return aligned([("right on gold", ""), *rows]) if rows else ""
