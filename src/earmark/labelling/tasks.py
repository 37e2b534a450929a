"""What an annotator is given and told: settings of a project, clips, progress; and what a name may be."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from earmark.errors import UserError
from earmark.labelling.questions import Answer, Question

Order = Literal["random", "balanced", "uncertain", "similar"]
LONGEST_NAME = 100


@dataclass(frozen=True)
class Settings:
    """How a project is labelled; all of it can be changed later (see `Project.change`)."""

    overlap: int = 1
    """How many annotators each clip wants."""
    order: Order = "random"
    """Of the queue."""
    gold_share: float = 0.1
    """Share of gold clips among those given out, as long as there are any."""
    seed: int = 0
    """Of the order and of the draws."""
    lease_seconds: float = 600.0
    """How long a clip stays with an annotator who does nothing."""
    run: str | None = None
    """Run folder whose scores order the queue, or are suggested."""
    suggest: bool = False
    """Whether the run's suggestion is shown: it biases."""
    like: str | None = None
    """`similar`: the clip that the others are compared with, as FILE or FILE@START."""

    def __post_init__(self) -> None:
        if not 1 <= self.overlap <= 100:
            raise UserError("overlap", f"found {self.overlap}, wanted 1 to 100 annotators a clip")
        if not 0 <= self.gold_share <= 0.9:
            raise UserError("gold share", f"found {self.gold_share:g}, wanted 0 to 0.9")
        if not 1 <= self.lease_seconds <= 1e6:
            raise UserError("lease", f"found {self.lease_seconds:g} s, wanted 1 s to 1,000,000 s")


@dataclass(frozen=True)
class Annotator:
    """Somebody who labels."""

    id: int
    name: str


@dataclass(frozen=True)
class LabelClip:
    """A clip to label."""

    id: int
    file: str
    """Relative to the project's root."""
    start: float
    end: float | None
    """In seconds from the file's start; None is the end of the file."""
    seconds: float
    """How long it is."""
    path: Path
    """The sound file; it lies under the root."""


@dataclass(frozen=True)
class Task:
    """A clip for an annotator."""

    clip: LabelClip
    answer: Answer | None = None
    """What they had answered before, when going back."""
    settle: bool = False
    """Whether the answer settles a disagreement (see `Project.settle`)."""


@dataclass(frozen=True)
class Disagreement:
    """A clip that annotators differ about."""

    clip: LabelClip
    answers: tuple[tuple[str, Answer], ...]
    """Who said what."""
    share: float
    """Of the annotators who say what most say, on the element that they differ about most; in (0, 1)."""


@dataclass(frozen=True)
class Progress:
    """How far it is."""

    mine: int
    """Clips that this annotator has answered, skips and gold included."""
    everybody: int
    """Clips that are done."""
    total: int
    """Clips to be done; gold is not counted."""
    per_class: dict[str, int]
    """Answers that count and name the class (for levels: above the last one), in the question's order."""


def checked_name(name: str) -> str:
    """The name of an annotator in one form.

    Raises:
        UserError: it has no visible character, or too many.
    """
    plain = " ".join(unicodedata.normalize("NFC", name).split())
    if not plain or not plain.isprintable():
        raise UserError("name", f"found {name[:40]!a}, wanted visible characters", "Type a name.")
    if len(plain) > LONGEST_NAME:
        raise UserError(
            "name", f"it has {len(plain):,} characters, wanted at most {LONGEST_NAME}", "Type a shorter one."
        )
    return plain


def named_in(question: Question, answer: Answer) -> list[str]:
    """The classes that an answer says are there, each once; levels: all above the last level."""
    if "label" in answer:
        return [str(answer["label"])]
    if isinstance(answer.get("tags"), list):
        return list(answer["tags"])  # type: ignore[call-overload, no-any-return]
    if isinstance(levels := answer.get("levels"), dict):
        return [name for name, level in levels.items() if level != question.levels[-1]]
    if isinstance(regions := answer.get("regions"), list):
        return sorted({region["label"] for region in regions})
    return list(question.classes) if answer.get("answer") == "yes" else []
