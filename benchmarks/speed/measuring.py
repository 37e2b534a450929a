"""Comparisons: sides are timed in rotation, several rounds in one run, and a figure is the median of the rounds.

Each round gives one figure of its own, ours against theirs a moment apart, so that a machine that slows down or is
shared with others moves both. The same figure by processor time stands beside it: that of a quiet machine is nearer it.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from benchmarks.speed.bench import Bench


@dataclass(frozen=True)
class Took:
    """What doing a piece of work once took."""

    seconds: float
    """On the clock."""
    cpu_seconds: float = math.nan
    """Of all processors together."""
    peak_mb: float = math.nan
    """The most memory of its process; known of processes only."""


Side = Callable[[], Took]
"""One of the things compared: does the work once."""


@dataclass(frozen=True)
class Figure:
    """What is compared, and which way."""

    unit: str
    of: Literal["seconds", "peak_mb"]
    form: Literal["theirs/ours", "ours/theirs", "ours"]
    per: float = 1.0
    """How many times theirs our work is: the figure is divided by it."""

    @property
    def is_better_higher(self) -> bool:
        """Whether more is better."""
        return self.form == "theirs/ours"

    @property
    def is_ratio(self) -> bool:
        """Whether it is a ratio of two sides."""
        return self.form != "ours"

    def value(self, ours: Took, theirs: Took, by_cpu: bool = False) -> float:
        """The figure of one round; `by_cpu` takes processor time for seconds."""
        of = "cpu_seconds" if by_cpu and self.of == "seconds" else self.of
        a, b = getattr(ours, of), getattr(theirs, of)
        if self.form == "theirs/ours":
            return float(b / a) if a else math.nan
        if self.form == "ours/theirs":
            return float(a / b / self.per) if b else math.nan
        return float(a)


AS_FAST = Figure("x as fast", "seconds", "theirs/ours")
THE_TIME = Figure("x the time", "seconds", "ours/theirs")
SECONDS = Figure("s", "seconds", "ours")
MEGABYTES = Figure("MB", "peak_mb", "ours")
THE_MEMORY = Figure("x the memory", "peak_mb", "ours/theirs")
DIFFERENCE = Figure("largest difference", "seconds", "ours")
"""Of results, not of times."""


@dataclass(frozen=True)
class Goal:
    """What is to be reached; none of a kind: not set."""

    at_least: float | None = None
    """The worst that will do."""
    wanted: float | None = None
    """What we want."""

    def verdict(self, value: float, higher: bool) -> str:
        """What a figure comes to: `met, as wanted`, `met`, `not met`, or nothing."""
        if self.wanted is not None and _reaches(value, self.wanted, higher):
            return "met, as wanted"
        if self.at_least is not None and _reaches(value, self.at_least, higher):
            return "met"
        return "" if self == Goal() else "not met"


def _reaches(value: float, goal: float, higher: bool) -> bool:
    return value >= goal if higher else value <= goal


NO_GOAL = Goal()


@dataclass(frozen=True)
class Comparison:
    """Two sides of a case, by name, and how they are compared."""

    ours: str
    theirs: str | tuple[str, ...]
    """Of several, the one with the least median is meant."""
    figure: Figure = AS_FAST
    goal: Goal = NO_GOAL


@dataclass(frozen=True)
class Case:
    """The same work done by several sides."""

    what: str
    """The work."""
    sides: Mapping[str, Side]
    comparisons: tuple[Comparison, ...]
    rounds: int
    warm: bool = True
    """Do everything once before, untimed, where there is more than one round."""


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    what: str
    ours: str
    theirs: str
    figure: Figure
    value: float | None = None
    """Median over the rounds; none: not measured, `note` says why."""
    low: float | None = None
    high: float | None = None
    by_cpu: float | None = None
    """The figure by processor time instead."""
    our_amount: float | None = None
    """Median of our seconds or MB."""
    their_amount: float | None = None
    goal: Goal = NO_GOAL
    rounds: int = 0
    note: str = ""
    is_judged: bool = True
    """Whether the work was that of the goal."""

    @property
    def verdict(self) -> str:
        """Whether the goal is met; empty where there is none."""
        if self.value is None or self.goal == NO_GOAL:
            return ""
        return self.goal.verdict(self.value, self.figure.is_better_higher) if self.is_judged else "not judged"


def timed(work: Callable[[], object], times: int = 1) -> Side:
    """A side that does `work` in this process, so many times if it is short; what it took is for once."""

    def side() -> Took:
        started, cpu = time.perf_counter(), time.process_time()
        for _ in range(times):
            work()
        return Took((time.perf_counter() - started) / times, (time.process_time() - cpu) / times)

    return side


def measure(case: Case, bench: Bench) -> Iterator[Row]:
    """Time all sides of a case in rotation; a row a comparison."""
    found = rotate(case.sides, case.rounds, case.warm)
    for one in case.comparisons:
        yield compare(case, one, found, bench)


def rotate(sides: Mapping[str, Side], rounds: int, warm: bool = True) -> dict[str, list[Took]]:
    """What each side took in each round; every round begins with another side."""
    names = list(sides)
    if warm and rounds > 1:
        for name in names:
            sides[name]()
    found: dict[str, list[Took]] = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            found[name].append(sides[name]())
    return found


def compare(case: Case, one: Comparison, found: Mapping[str, list[Took]], bench: Bench) -> Row:
    """The row of a comparison."""

    def amount(name: str) -> float:
        return float(statistics.median(getattr(took, one.figure.of) for took in found[name]))

    candidates = (one.theirs,) if isinstance(one.theirs, str) else one.theirs
    theirs = min(candidates, key=amount)
    pairs = list(zip(found[one.ours], found[theirs], strict=True))
    values = [one.figure.value(*pair) for pair in pairs]
    by_cpu = [one.figure.value(*pair, by_cpu=True) for pair in pairs]
    return Row(
        case.what, one.ours, theirs, one.figure,
        statistics.median(values), min(values), max(values),
        statistics.median(by_cpu) if one.figure.of == "seconds" else None,
        amount(one.ours), amount(theirs), one.goal, case.rounds, is_judged=bench.is_full,
    )  # fmt: skip


def skipped(what: str, ours: str, theirs: str, figure: Figure, goal: Goal, reason: str) -> Row:
    """The row of what could not be measured here."""
    return Row(what, ours, theirs, figure, goal=goal, note=reason)
