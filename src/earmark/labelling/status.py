"""How far labelling is, who did what, how far people agree: in words, for a terminal."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from sqlalchemy import func, select

from earmark.labelling import schema
from earmark.labelling.agreement import AgreementReport
from earmark.labelling.exporting import positive_of
from earmark.labelling.project import Project
from earmark.labelling.verdicts import verdicts
from earmark.labelling.votes import Said, elements, place_of
from earmark.tables import aligned, counted

MOST_LINES = 30
"""Pairs of annotators, or disagreements, that are listed."""


def describe(project: Project) -> str:
    """The state of a project as text."""
    said, question = project.said(), project.question
    parts = [_head(project, said), _people(project, said)]
    report = project.agreement()
    parts += [_alphas(report), _pairs(report), _gold(report), _run(project, said)]
    contested = project.disagreements()
    if contested:
        parts.append(f"{counted(len(contested), 'clip')} that annotators differ about and nobody has settled")
    asked = f"{question.kind} of {', '.join(question.classes)}"
    levels = f", as {', '.join(question.levels)}" if question.levels else ""
    return "\n\n".join([f"asked: {asked}{levels}", *(part for part in parts if part)])


@dataclass(frozen=True)
class RunEstimate:
    """How often a run's suggestion is what people say, on clips that chance put into the queue."""

    right: int
    asked: int

    def interval(self) -> tuple[float, float]:
        """Of the share, 95 % (Wilson, 1927)."""
        n, p, z2 = self.asked, self.right / self.asked, 1.959964**2
        middle, half = p + z2 / (2 * n), math.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n * n)))
        return (middle - half) / (1 + z2 / n), (middle + half) / (1 + z2 / n)


def estimate_run(project: Project, said: Said) -> RunEstimate:
    """Hold a run against what stands of the clips that were drawn at random and that it had not been trained on.

    Clips that somebody had answered before they were put into an order are left out: the run may know them.
    """
    columns = schema.clips.c.id, schema.clips.c.suggestion
    drawn = select(*columns).where(
        schema.clips.c.drawn == "random",
        schema.clips.c.suggestion.is_not(None),
        schema.clips.c.gold.is_(None),
    )
    with project.store.reading() as connection:
        suggested = {row.id: json.loads(row.suggestion)["answer"] for row in connection.execute(drawn)}
    positive = positive_of(project.question, None)
    asked = elements(project.question, positive)
    right, n = 0, 0
    for one in verdicts(said, project.question, positive=positive):
        if one.clip.id in suggested and all(one.says.values()):
            guess = {e.name: place_of(project.question, e, suggested[one.clip.id]) for e in asked}
            right += all(e.categories.index(str(one.says[e.name])) == guess[e.name] for e in asked)
            n += 1
    return RunEstimate(right, n)


def _run(project: Project, said: Said) -> str:
    found = estimate_run(project, said)
    if not found.asked:
        return ""
    low, high = found.interval()
    return (
        f"the run {project.settings.run} is right on {found.right} of {found.asked} clips drawn at random: "
        f"{100 * found.right / found.asked:.0f} % (95 %: {100 * low:.0f} to {100 * high:.0f} %)"
    )


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
