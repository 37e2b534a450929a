"""One self-contained page that says how good a run is; a room of its own: evaluation measures, this tells.

The page opens offline: pictures and sounds are inside it, it loads nothing and runs no script. What it says
first: how good, how sure, better than something plain, and whether the split leaks.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from earmark.files import replacing
from earmark.intervals import Interval
from earmark.metrics import ClassMetrics, Confusion

MOST_SOUNDS = 40
"""Clips that can be listened to, right ones among them."""
MOST_RIGHT = 12
"""Right clips that can be listened to."""
MOST_BYTES = 15_000_000
"""The whole page, sounds and pictures included."""
MOST_PICTURE_BYTES = 3_000_000
MOST_ROWS = 300
"""Rows of a list of files; the rest is counted."""
MOST_SIDE = 40
"""Classes up to which the confusion matrix is a table to click in."""

Mark = Literal["plain", "good", "careful", "bad"]


@dataclass(frozen=True)
class Measure:
    """One figure of the network on the test split."""

    name: str
    """Such as "macro F1"; the same words in the baselines."""
    clips: Interval
    recordings: Interval | None = None
    """The same of whole recordings, their clips' scores averaged."""
    meaning: str = ""
    """In plain words, for the first screen."""


BaselineKind = Literal["rival", "chosen", "mean"]
"""`chosen`: the cheap model that is best on training groups held out; `mean`: of its scores and the network's."""


@dataclass(frozen=True)
class Baseline:
    """What something plain reaches on the same clips."""

    name: str
    measures: tuple[Measure, ...]
    difference: Interval | None = None
    """Network minus baseline in the report's first measure, clip by clip, resampled in pairs."""
    what: str = ""
    kind: BaselineKind = "rival"

    @property
    def title(self) -> str:
        """The name, marked where it is the chosen one."""
        return f"{self.name} (chosen)" if self.kind == "chosen" else self.name


@dataclass(frozen=True)
class SplitCount:
    """How much a split holds."""

    name: str
    clips: int
    recordings: int
    groups: int
    seconds: float | None = None


@dataclass(frozen=True)
class Leak:
    """Whether test clips have near relatives in training."""

    status: Literal["no", "possible", "leaks"]
    """possible: only recordings are known to be whole. leaks: the split is by segment."""
    why: str
    grouped: Interval | None = None
    """The first measure under a split that keeps groups whole."""


@dataclass(frozen=True)
class Picture:
    """A PNG or SVG and the words for those who do not see it."""

    data: bytes
    alt: str


@dataclass(frozen=True)
class Unreadable:
    """A clip without scores, and why."""

    file: str
    start: float | None
    end: float | None
    reason: str


@dataclass(frozen=True)
class HeardClip:
    """A clip that can be listened to; `score` is what the network gave to `prediction`."""

    file: str
    start: float | None
    end: float | None
    """Seconds; None is the end of the file."""
    truth: str
    prediction: str
    score: float
    mp3: bytes | None = None


@dataclass(frozen=True)
class ExplainedClip:
    """A clip with what convinced the network of it; sounds are MP3."""

    clip: HeardClip
    picture: Picture
    verdict: str
    """Whether the map is better than random ones, in words."""
    informative: bool
    kept: bytes
    removed: bytes


@dataclass(frozen=True)
class Cell:
    """One cell of a confusion matrix, by the places of its classes."""

    truth: int
    prediction: int
    count: int
    clips: tuple[tuple[str, float, float | None], ...]
    """File, start and end of its first clips."""


@dataclass(frozen=True)
class Average:
    """One line beneath the classes: a mean over them."""

    name: str
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class Report:
    """All that the page says; lists may be empty and what is None is left out."""

    run: str
    made: str
    """When, as it is to be read."""
    command: str
    """What made the page again."""
    measures: tuple[Measure, ...]
    """The first one decides: baselines, leak and verdict speak of it."""
    leak: Leak
    grouped_by: str = "recording"
    """What the split kept whole."""
    chosen_by: str = ""
    """What chose the epoch, such as "best validation macro F1: epoch 31 of 40"."""
    splits: tuple[SplitCount, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    per_class: tuple[ClassMetrics, ...] = ()
    averages: tuple[Average, ...] = ()
    absent: tuple[str, ...] = ()
    confusions: tuple[Confusion, ...] = ()
    confusion: Picture | None = None
    classes: tuple[str, ...] = ()
    """Names of the rows and columns of `cells`."""
    cells: tuple[Cell, ...] = ()
    history: Picture | None = None
    steps: Picture | None = None
    on_training: tuple[Measure, ...] = ()
    """The network's figures on clips that it was trained on."""
    both_sides: Picture | None = None
    """Scores of training and of test clips."""
    boundaries: tuple[Picture, ...] = ()
    """Of each class, waveforms of clips about its boundary."""
    warnings: tuple[str, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    wrong: tuple[HeardClip, ...] = ()
    right: tuple[HeardClip, ...] = ()
    explained: tuple[ExplainedClip, ...] = ()
    """The surest wrong clips, where explanations were asked for."""
    versions: tuple[tuple[str, str], ...] = ()
    """Pairs such as ("torch", "2.8.0")."""


@dataclass(frozen=True)
class Answer:
    """One of the four answers on the first screen: a mark, a word and a sentence."""

    question: str
    mark: Mark
    word: str
    sentence: str


def write_report(path: Path, report: Report) -> None:
    """Write the page to a neighbour and rename it.

    Raises:
        ValueError: the report has no measure.
        UserError: the file cannot be written.
    """
    page = render(report)
    with replacing(path) as file:
        file.write(page)


def render(report: Report) -> str:
    """The page; sounds of the surest mistakes are in it as far as `MOST_SOUNDS` and `MOST_BYTES` allow."""
    if not report.measures:
        raise ValueError("report.measures is empty: the first screen needs a figure")
    wrong = tuple(sorted(report.wrong, key=lambda clip: -clip.score))
    silent = _fill(report, wrong, {}, {})
    room = MOST_BYTES - len(silent.encode())
    right = _sounds(report.right, room // 4, MOST_RIGHT)
    room -= sum(map(len, right.values()))
    return _fill(report, wrong, _sounds(wrong[:MOST_ROWS], room, MOST_SOUNDS - len(right)), right)


def answers(report: Report) -> tuple[Answer, Answer, Answer, Answer]:
    """How good, how sure, better than something plain, does it leak: what the first screen says."""
    return _how_good(report), _how_sure(report), _better(report), _leaks(report)


def _how_good(report: Report) -> Answer:
    first, leaks = report.measures[0], report.leak.status == "leaks"
    others = [f"{m.name} {percent(m.clips.value)}" for m in report.measures[1:3]]
    if first.recordings is not None:
        others.append(f"{first.name} of whole recordings {percent(first.recordings.value)}")
    sentence = _sentence(first.meaning or f"{first.name} on the test split")
    if others:
        sentence += f" Also: {', '.join(others)}."
    word = percent(first.clips.value) + (" but LEAKS" if leaks else "")
    return Answer("How good is it?", "bad" if leaks else "plain", word, sentence)


def _how_sure(report: Report) -> Answer:
    interval, question = report.measures[0].clips, "How sure is that?"
    if interval.low is None or interval.high is None:
        return Answer(question, "bad", "Unknown", _sentence(interval.note or "no interval was computed"))
    mark: Mark = "careful" if interval.note or interval.high - interval.low > 0.2 else "good"
    said = f"95 % interval, {interval.n_resamples:,} resamples of {interval.n_units:,} {interval.unit}."
    return Answer(question, mark, span(interval), f"{said} {_sentence(interval.note)}".strip())


def _better(report: Report) -> Answer:
    first, question = report.measures[0], "Is it better than something plain?"
    plain = [b for b in report.baselines if b.kind != "mean"]
    rivals = [(value, b) for b in plain if (value := _value(b, first.name)) is not None]
    if not rivals or first.clips.value is None:
        return Answer(question, "careful", "Not known", "No baseline was measured.")
    value, best = _speaker(rivals)
    figures = f"{first.name} {percent(first.clips.value)} against {percent(value)}"
    gap = best.difference
    between = f" The difference is {points(gap)}." if gap is not None and gap.low is not None else ""
    mean = next((_value(b, first.name) for b in report.baselines if b.kind == "mean"), None)
    if mean is not None and best.kind == "chosen":
        between += f" The mean of its scores and those of {best.name} reaches {percent(mean)}."
    if first.clips.value <= value:
        return Answer(question, "bad", "No", f"The network does not beat {best.name}: {figures}.{between}")
    if gap is None or gap.low is None:
        sentence = f"The network is ahead of {best.name}: {figures}, but how sure that is was not measured."
        return Answer(question, "careful", "Perhaps", sentence)
    if gap.low <= 0:
        sentence = (
            f"The network is ahead of {best.name}, but not by more than chance may give: {figures}.{between}"
        )
        return Answer(question, "careful", "Not shown", sentence)
    other, luckier = max(rivals, key=lambda rival: rival[0])
    if other >= first.clips.value:
        between += f" But it does not beat {luckier.name}: {percent(other)}."
        return Answer(question, "careful", "Not shown", f"The network beats {best.name}: {figures}.{between}")
    return Answer(question, "good", "Yes", f"The network beats {best.name}: {figures}.{between}")


def _speaker(rivals: Sequence[tuple[float, Baseline]]) -> tuple[float, Baseline]:
    """The baseline that the network is held against: the one that was chosen without the test, else the best here.

    Of several the best on the test is partly the luckiest.
    """
    chosen = [rival for rival in rivals if rival[1].kind == "chosen"]
    return max(chosen or rivals, key=lambda rival: rival[0])


def _leaks(report: Report) -> Answer:
    leak, question = report.leak, "Does the test leak into training?"
    if leak.status == "no":
        return Answer(question, "good", "No", _sentence(leak.why))
    if leak.status == "possible":
        return Answer(question, "careful", "It may", _sentence(leak.why))
    return Answer(question, "bad", "LEAKS", f"{_sentence(leak.why)} {_grouped(report)}")


def _grouped(report: Report) -> str:
    """The honest figure beside the leaking one, and the gap."""
    first, grouped = report.measures[0], report.leak.grouped
    if grouped is None or grouped.value is None or first.clips.value is None:
        return "Do not quote these figures without the one of a split that keeps groups whole."
    gap = 100 * (first.clips.value - grouped.value)
    between = f" ({span(grouped)})" if grouped.low is not None else ""
    honest = f"With whole groups the {first.name} is {percent(grouped.value)}{between}"
    return f"{honest}; here it is {percent(first.clips.value)}, {gap:+.1f} points.".replace("-", "\u2212")


def _value(baseline: Baseline, name: str) -> float | None:
    return next((m.clips.value for m in baseline.measures if m.name == name), None)


def _sounds(clips: Sequence[HeardClip], room: int, most: int) -> dict[int, str]:
    """Data URIs of the first clips that have sound, at most so many, by row, in `room` bytes of page."""
    sounds: dict[int, str] = {}
    for row, clip in enumerate(clips):
        size = 4 * ((len(clip.mp3 or b"") + 2) // 3) + 500  # base64, and its place in the page
        if clip.mp3 and len(sounds) < most and size <= room:
            sounds[row] = _data_uri("audio/mpeg", clip.mp3)
            room -= size
    return sounds


def _fill(
    report: Report, wrong: Sequence[HeardClip], sounds: dict[int, str], right_sounds: dict[int, str]
) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=percent,
        span=span,
        points=points,
        clock=clock,
        picture=_picture,
        mp3=lambda data: _data_uri("audio/mpeg", data),
        amount=_amount,
        words=_sentence,
    )
    page = environment.get_template("report.html").render(
        report=report,
        answers=answers(report),
        wrong=wrong[:MOST_ROWS],
        sounds=sounds,
        right_sounds=right_sounds,
        matrix=_matrix(report),
        unreadable=report.unreadable[:MOST_ROWS],
        most_rows=MOST_ROWS,
    )
    return re.sub("[\ud800-\udfff]", "\ufffd", page)  # halves of characters in file names are not UTF-8


def _matrix(report: Report) -> list[list[Cell | None]]:
    """The confusion matrix as rows of cells; empty where there are too many classes for a table."""
    if not report.cells or len(report.classes) > MOST_SIDE:
        return []
    rows: list[list[Cell | None]] = [[None] * len(report.classes) for _ in report.classes]
    for cell in report.cells:
        rows[cell.truth][cell.prediction] = cell
    return rows


def percent(share: float | None) -> str:
    """A share in [0, 1] as "87.5 %"; what is not quite all or nothing is not rounded to it."""
    if share is None:
        return "\u2013"
    if 0.9995 <= share < 1:
        return "> 99.9\u202f%"
    return f"{'< 0.1' if 0 < share < 0.0005 else f'{100 * share:.1f}'}\u202f%"


def span(interval: Interval) -> str:
    """Both ends of an interval: "80.1–93.0 %"."""
    if interval.low is None or interval.high is None:
        return "\u2013"
    return f"{100 * interval.low:.1f}\u2013{100 * interval.high:.1f}\u202f%"


def points(difference: Interval) -> str:
    """A difference of shares in percentage points, with its interval."""
    if difference.value is None:
        return "\u2013"
    ends = (
        f" (95\u202f%: {100 * difference.low:+.1f} to {100 * difference.high:+.1f})"
        if difference.low is not None and difference.high is not None
        else ""
    )
    return f"{100 * difference.value:+.1f} points{ends}".replace("-", "\u2212")


def clock(seconds: float | None) -> str:
    """A time in a recording as "1:02.50"; None is its end."""
    if seconds is None or seconds != seconds:
        return "end"
    hundredths = round(100 * seconds)
    minutes, rest = divmod(hundredths, 6000)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest // 100:02}.{rest % 100:02}"
    return f"{hours}:{minutes:02}:{tail}" if hours else f"{minutes}:{tail}"


def _amount(seconds: float | None) -> str:
    """How long a split is, in the unit that suits it."""
    if seconds is None:
        return "\u2013"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _sentence(words: str) -> str:
    """With a capital and a full stop."""
    text = words.strip().rstrip(".")
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _picture(picture: Picture | None) -> str | None:
    """A data URI; None where there is no picture, or one too large for the page."""
    if picture is None or len(picture.data) > MOST_PICTURE_BYTES:
        return None
    return _data_uri("image/png" if picture.data.startswith(b"\x89PNG") else "image/svg+xml", picture.data)


def _data_uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
