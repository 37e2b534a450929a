"""All that counts of what was said, and answers taken apart: a label, or every class's yes or no, or its level."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from earmark.errors import UserError
from earmark.labelling.questions import Answer, Question
from earmark.labelling.queue import as_answer
from earmark.labelling.schema import annotators, answers, clips, latest
from earmark.tables import did_you_mean, listed


@dataclass(frozen=True)
class KnownClip:
    """A clip, and what is known of it."""

    id: int
    file: str
    start: float
    end: float | None
    seconds: float
    known: dict[str, str]
    """The other columns of the table that it came from."""
    gold: Answer | None


@dataclass(frozen=True)
class Said:
    """What everybody says of every clip, the latest of each."""

    clips: tuple[KnownClip, ...]
    """In the order of their numbers."""
    names: tuple[str, ...]
    """Of the annotators who said anything."""
    answers: dict[int, dict[int, Answer]]
    """Row of the clip -> place of the annotator -> answer, with its comment."""
    settled: dict[int, Answer]
    """Row of the clip -> the answer that counts for everybody."""


@dataclass(frozen=True)
class Element:
    """One thing that an answer says, as one of some categories."""

    name: str
    """Of the class, or "label" where one of N is asked for."""
    categories: tuple[str, ...]
    """What may be said; "no" and "yes" for a class that is there or not."""
    ordered: bool = False
    """Whether neighbouring categories are less of a disagreement than others."""
    positive: frozenset[str] = frozenset()
    """Levels that mean "yes"."""


NO_YES = ("no", "yes")


def read(connection: Connection) -> Said:
    """Everything that counts, from the database."""
    rows = connection.execute(select(clips).order_by(clips.c.id)).all()
    known = tuple(
        KnownClip(
            row.id,
            row.file,
            row.start,
            row.end,
            row.seconds,
            json.loads(row.known),
            None if row.gold is None else json.loads(row.gold),
        )
        for row in rows
    )
    place = {clip.id: i for i, clip in enumerate(known)}
    counted = (
        select(answers.c.clip_id, answers.c.annotator_id, answers.c.answer, answers.c.comment)
        .join(latest, latest.c.answer_id == answers.c.id)
        .order_by(answers.c.id)
    )
    said = connection.execute(counted).all()
    people = {row.annotator_id for row in said}
    who = connection.execute(select(annotators.c.id, annotators.c.name).order_by(annotators.c.id)).all()
    columns = {row.id: i for i, row in enumerate([row for row in who if row.id in people])}
    found: dict[int, dict[int, Answer]] = defaultdict(dict)
    for row in said:
        found[place[row.clip_id]][columns[row.annotator_id]] = as_answer(row.answer, row.comment)
    names = tuple(row.name for row in who if row.id in columns)
    return Said(known, names, dict(found), _settled(connection, place))


def _settled(connection: Connection, place: dict[int, int]) -> dict[int, Answer]:
    last = select(func.max(answers.c.id)).where(answers.c.settles == 1).group_by(answers.c.clip_id)
    rows = connection.execute(select(answers).where(answers.c.id.in_(last))).all()
    return {place[row.clip_id]: as_answer(row.answer, row.comment) for row in rows}


def elements(question: Question, positive: tuple[str, ...] | None = None) -> tuple[Element, ...]:
    """What answers to a question say.

    Args:
        question: the question.
        positive: levels that mean that a class is there; None: levels stay levels.

    Raises:
        UserError: no such level, or no question of levels.
    """
    if positive is not None:
        check_positive(question, positive)
    if question.kind == "one":
        return (Element("label", question.classes),)
    if question.kind == "levels" and positive is None:
        return tuple(Element(name, question.levels, ordered=True) for name in question.classes)
    chosen = frozenset(positive or ())
    return tuple(Element(name, NO_YES, positive=chosen) for name in question.classes)


def check_positive(question: Question, positive: tuple[str, ...]) -> None:
    """Refuse levels that are not asked for, or all of them."""
    if question.kind != "levels":
        raise UserError("--positive", f"levels are not what was asked for ({question.kind})", "Leave it out.")
    for level in positive:
        if level not in question.levels:
            raise UserError(
                "--positive",
                f"found {level!r}, wanted some of {listed(question.levels)}",
                did_you_mean(level, question.levels),
            )
    if not 0 < len(set(positive)) < len(question.levels):
        raise UserError(
            "--positive", f"found {listed(positive)}, wanted some of the levels, not all", "Leave one out."
        )


def place_of(question: Question, element: Element, answer: Answer) -> int:
    """Which of an element's categories an answer says; -1: it says nothing of it."""
    if "skip" in answer:
        return -1
    if question.kind == "one":
        return element.categories.index(str(answer["label"]))
    if question.kind == "yes-no":
        return {"no": 0, "yes": 1}.get(str(answer["answer"]), -1)
    if question.kind == "levels":
        level = str(answer["levels"][element.name])  # type: ignore[index]
        return int(level in element.positive) if element.positive else element.categories.index(level)
    if question.kind == "tags":
        return int(element.name in answer["tags"])  # type: ignore[operator]
    return int(any(region["label"] == element.name for region in answer["regions"]))  # type: ignore[attr-defined]


def counts_of(said: Said, question: Question, element: Element) -> NDArray[np.int64]:
    """How often each annotator says each category of each clip: 0 or 1, `[n, A, K]`."""
    counts = np.zeros((len(said.clips), len(said.names), len(element.categories)), np.int64)
    for row, of_clip in said.answers.items():
        for column, answer in of_clip.items():
            place = place_of(question, element, answer)
            if place >= 0:
                counts[row, column, place] = 1
    return counts
