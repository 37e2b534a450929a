"""What is asked of every clip, and which answers are answers to it: JSON in, checked and in one form out."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from earmark.clips import RESERVED
from earmark.errors import UserError
from earmark.tables import did_you_mean, listed

Kind = Literal["one", "tags", "levels", "yes-no", "regions"]
Answer = dict[str, object]
"""An answer as JSON has it; see `Question.check`."""

SKIPS = ("unsure", "silent", "cut off", "other")
"""Why a clip may be skipped."""
OPEN_SKIPS = ("unsure", "other")
"""Skips after which somebody else is asked; the others say something of the clip itself."""
YES_NO = ("yes", "no", "unsure")
MOST_CLASSES = 200
MOST_REGIONS = 500
LONGEST_COMMENT = 2000
LONGEST_CLASS = 100
HIGHEST_HZ = 1e6
_FEWEST: Mapping[Kind, int] = {"one": 2, "tags": 1, "levels": 1, "yes-no": 1, "regions": 1}
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class Question:
    """What is asked of every clip.

    Raises:
        UserError: classes or levels that cannot be asked for.
    """

    kind: Kind
    """One of the classes, any of them, a level for each, yes or no to one, or regions drawn."""
    classes: tuple[str, ...]
    """What is asked for; `yes-no`: exactly one."""
    levels: tuple[str, ...] = ()
    """`levels`: in order, the strongest first, such as foreground, background, none."""

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise UserError("question", f"found kind {self.kind!r}, wanted one of {listed(get_args(Kind))}")
        _check_number(self)
        _check_names("class", self.classes, taken=RESERVED)
        _check_names("level", self.levels)

    def check(self, answer: object, seconds: float | None = None) -> Answer:
        """Check an answer and bring it into one form.

        `one`: `{"label": c}`; `tags`: `{"tags": [c, ...]}` in the order of the classes; `levels`: `{"levels":
        {c: level}}` for every class; `yes-no`: `{"answer": "yes" | "no" | "unsure"}`; `regions`: `{"regions":
        [{"start", "end", "f_min", "f_max", "label"}]}` in seconds from the clip's start and Hz (or null), in the
        order of time; each may be `{"skip": reason}` instead, and may carry a `"comment"`.

        Args:
            answer: what came in as JSON.
            seconds: how long the clip is, for regions; None: not known.

        Raises:
            UserError: it is no answer to this question, and why.
        """
        if not isinstance(answer, dict) or not all(isinstance(key, str) for key in answer):
            raise _wrong(answer, "an object")
        given = dict(answer)
        comment = _comment(given.pop("comment", ""))
        if "skip" in given:
            said = _only(given, "skip")
            found: Answer = {"skip": _choice(said, SKIPS, "skip")}
        else:
            found = _CHECKS[self.kind](self, given, seconds)
        return {**found, "comment": comment} if comment else found


def question_of(classes: tuple[str, ...], levels: tuple[str, ...] = (), kind: Kind | None = None) -> Question:
    """The question that these classes and levels mean where no kind is said: levels, yes-no for one, else one of N."""
    if kind is None:
        kind = "levels" if levels else "yes-no" if len(classes) == 1 else "one"
    return Question(kind, classes, levels)


# -- the answers of each kind -------------------------------------------------------------------------------


def _one(question: Question, given: Answer, seconds: float | None) -> Answer:
    return {"label": _choice(_only(given, "label"), question.classes, "label")}


def _tags(question: Question, given: Answer, seconds: float | None) -> Answer:
    tags = _only(given, "tags")
    if not isinstance(tags, list) or len(tags) > len(question.classes):
        raise _wrong(tags, f"a list of at most {len(question.classes)} classes")
    chosen = {_choice(tag, question.classes, "tag") for tag in tags}
    return {"tags": [name for name in question.classes if name in chosen]}


def _levels(question: Question, given: Answer, seconds: float | None) -> Answer:
    levels = _only(given, "levels")
    if not isinstance(levels, dict):
        raise _wrong(levels, "an object of a level for each class")
    for name in levels:
        _choice(name, question.classes, "class")
    missing = [name for name in question.classes if name not in levels]
    if missing:
        raise UserError("answer", f"no level for {listed(missing)}", "Every class wants a level.")
    return {"levels": {name: _choice(levels[name], question.levels, name) for name in question.classes}}


def _yes_no(question: Question, given: Answer, seconds: float | None) -> Answer:
    return {"answer": _choice(_only(given, "answer"), YES_NO, "answer")}


def _regions(question: Question, given: Answer, seconds: float | None) -> Answer:
    regions = _only(given, "regions")
    if not isinstance(regions, list) or len(regions) > MOST_REGIONS:
        raise _wrong(regions, f"a list of at most {MOST_REGIONS} regions")
    found = [_region(question, region, seconds) for region in regions]
    return {"regions": sorted(found, key=lambda one: (one["start"], one["end"], str(one["label"])))}


def _region(question: Question, region: object, seconds: float | None) -> dict[str, float | str | None]:
    if not isinstance(region, dict) or not {"start", "end", "label"} <= set(region):
        raise _wrong(region, "a region with start, end and label")
    unknown = set(region) - {"start", "end", "f_min", "f_max", "label"}
    if unknown:
        raise UserError("region", f"found {listed(sorted(map(str, unknown)))}, which no region has")
    start, end = _number(region["start"], "start"), _number(region["end"], "end")
    if seconds is not None:
        end = min(end, seconds) if end <= seconds + 0.05 else end
        if end > seconds:
            raise UserError("region", f"it ends at {end:g} s, the clip has {seconds:g} s", "Draw it again.")
    if end <= start:
        raise UserError("region", f"its end ({end:g} s) must come after its start ({start:g} s)")
    low, high = _hertz(region.get("f_min"), "f_min"), _hertz(region.get("f_max"), "f_max")
    if low is not None and high is not None and high <= low:
        raise UserError("region", f"f_max ({high:g} Hz) must lie above f_min ({low:g} Hz)")
    label = _choice(region["label"], question.classes, "label")
    return {"start": round(start, 6), "end": round(end, 6), "f_min": low, "f_max": high, "label": label}


_CHECKS: dict[Kind, Callable[[Question, Answer, float | None], Answer]] = {
    "one": _one,
    "tags": _tags,
    "levels": _levels,
    "yes-no": _yes_no,
    "regions": _regions,
}

# -- the parts of answers -----------------------------------------------------------------------------------


def _only(given: Answer, key: str) -> object:
    if set(given) != {key}:
        raise UserError("answer", f"found {listed(sorted(given))}, wanted {key!r} (or 'skip')")
    return given[key]


def _choice(value: object, choices: tuple[str, ...], what: str) -> str:
    if isinstance(value, str) and value in choices:
        return value
    near = did_you_mean(value, choices) if isinstance(value, str) else ""
    raise UserError("answer", f"{what} {_shown(value)} is not one of {listed(choices)}", near.strip())


def _number(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise UserError("region", f"{what} {_shown(value)} is not a number of seconds from 0 on")
    return float(value)


def _hertz(value: object, what: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= HIGHEST_HZ:
        raise UserError("region", f"{what} {_shown(value)} is not a frequency in Hz, nor null")
    return round(float(value), 3)


def _comment(text: object) -> str:
    if not isinstance(text, str):
        raise UserError("comment", f"found {_shown(text)}, wanted text")
    text = _CONTROL.sub("", text.replace("\r\n", "\n")).strip()
    if len(text) > LONGEST_COMMENT:
        raise UserError(
            "comment", f"it has {len(text):,} characters, at most {LONGEST_COMMENT:,} are kept", "Shorten it."
        )
    return text


def _wrong(value: object, wanted: str) -> UserError:
    return UserError("answer", f"found {_shown(value)}, wanted {wanted}")


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# -- the question itself ------------------------------------------------------------------------------------


def _check_number(question: Question) -> None:
    n, fewest = len(question.classes), _FEWEST[question.kind]
    if question.kind == "yes-no" and n != 1:
        raise UserError("question", f"yes or no is asked of one class, found {n}", "Ask for tags instead.")
    if not fewest <= n <= MOST_CLASSES:
        raise UserError(
            "question", f"found {n} classes, wanted {fewest} to {MOST_CLASSES}", "Name them: --ask A,B"
        )
    if question.kind == "levels" and len(question.levels) < 2:
        raise UserError(
            "question",
            f"found {len(question.levels)} levels, wanted two or more",
            "For instance: --levels foreground,background,none",
        )
    if question.kind != "levels" and question.levels:
        raise UserError("question", f"levels are asked of kind 'levels', not of {question.kind!r}")


def _check_names(what: str, names: tuple[str, ...], taken: tuple[str, ...] = ()) -> None:
    seen: dict[str, str] = {}
    for name in names:
        if not name.strip() or name != name.strip() or len(name) > LONGEST_CLASS or not name.isprintable():
            raise UserError(
                "question",
                f"{what} {_shown(name)} cannot be a name: wanted 1 to {LONGEST_CLASS} visible characters, "
                "no space around them",
            )
        if name in taken:
            raise UserError("question", f"{what} {name!r} is a word of the clip table", "Name it otherwise.")
        plain = unicodedata.normalize("NFC", name).casefold()
        if plain in seen:
            raise UserError(
                "question", f"{what} {name!r} is there twice or differs only by case from {seen[plain]!r}"
            )
        seen[plain] = name
