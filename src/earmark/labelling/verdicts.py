"""What stands of every clip in the end: settled, known, or by a rule of consensus; and where people differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from earmark.labelling.consensus import Rule, check_rule, consensus
from earmark.labelling.questions import Answer, Question
from earmark.labelling.regions import Region, together
from earmark.labelling.votes import KnownClip, Said, counts_of, elements, place_of

SETTLED, GOLD = "settled", "gold"


@dataclass(frozen=True)
class Verdict:
    """What stands of one clip."""

    clip: KnownClip
    says: dict[str, str | None]
    """Element -> its category (see `votes.elements`); None: unknown, or several are as good."""
    by: str
    """What it stands on: "settled", "gold", or the rule and of how many: "majority of 3"."""
    regions: tuple[Region, ...] = ()
    """Where regions were asked for."""
    comments: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """Whether anything is known."""
        return any(category is not None for category in self.says.values())


def verdicts(
    said: Said, question: Question, rule: Rule = "majority", positive: tuple[str, ...] | None = None
) -> list[Verdict]:
    """What stands of every clip that anything was said of.

    Args:
        said: all that counts.
        question: what was asked.
        rule: how several answers become one; settled and gold clips need none.
        positive: levels that mean that a class is there, decided before the votes are counted; None: levels stay.

    Raises:
        UserError: no such rule or level.
    """
    check_rule(rule)
    asked = elements(question, positive)
    choices = {one.name: consensus(counts_of(said, question, one), rule).choice for one in asked}
    found = []
    for row, clip in enumerate(said.clips):
        answers = said.answers.get(row, {})
        sure = said.settled.get(row) or clip.gold
        if sure is not None:
            by = SETTLED if row in said.settled else GOLD
            places = {one.name: place_of(question, one, sure) for one in asked}
            told = [sure]
        elif answers:
            told = [answer for answer in answers.values() if "skip" not in answer]
            by = f"{rule} of {len(told)}" if told else "skipped"
            places = {one.name: int(choices[one.name][row]) for one in asked}
        else:
            continue
        says = {one.name: one.categories[k] if (k := places[one.name]) >= 0 else None for one in asked}
        drawn = tuple(together([_regions(answer) for answer in told])) if question.kind == "regions" else ()
        comments = tuple(str(answer["comment"]) for answer in answers.values() if "comment" in answer)
        found.append(Verdict(clip, says, by, drawn, comments))
    return found


def contested(said: Said, question: Question) -> list[tuple[int, float]]:
    """Rows of clips that annotators differ about and that are neither settled nor gold, the worst first.

    With each goes the share of the annotators who say what most say, on the element that they differ about most.
    """
    shares = np.ones(len(said.clips))
    for element in elements(question):
        votes = counts_of(said, question, element).sum(axis=1)
        total = votes.sum(axis=1)
        shares = np.minimum(shares, np.where(total > 0, votes.max(axis=1) / np.maximum(total, 1), 1.0))
    sure = said.settled.keys() | {i for i, clip in enumerate(said.clips) if clip.gold is not None}
    rows = [int(i) for i in np.argsort(shares, kind="stable") if shares[i] < 1 and i not in sure]
    return [(row, float(shares[row])) for row in rows]


def _regions(answer: Answer) -> list[Region]:
    return [Region(**region) for region in answer.get("regions", ())]  # type: ignore[attr-defined]
