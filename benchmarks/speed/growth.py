"""How work grows: what ten and a hundred times as many files, hours, clips and classes take, for each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.bench import Bench
from benchmarks.speed.measuring import Case, Comparison, Figure, Row, Side, measure, timed
from benchmarks.speed.predicting import write_model
from benchmarks.speed.sounds import write_corpus, write_sound
from benchmarks.speed.tables import write_table
from earmark.cache import FeatureStore
from earmark.clips import read_clips
from earmark.devices import using_threads
from earmark.features import Features, LogMel
from earmark.layouts import import_folder
from earmark.prediction import load, write_predictions
from earmark.splits import SplitSettings, assign

TIMES = (1, 10, 100)
LEAST = {"clips": 500, "seconds": 3}
"""Fewer make no sense."""


def rows(bench: Bench) -> Iterator[Row]:
    """Files, hours, clips, classes."""
    folder, seconds = bench.empty_folder("growth"), bench.count(360, 6)
    for one in (
        Grown("files", "import of a folder of WAV files of 3 s, log-mel into an empty cache", 10,
              lambda n: features_of(folder, n)),
        Grown("seconds", "prediction of one file", 36, lambda n: prediction_of(folder, n)),
        Grown("clips", "a table read, checked and divided", 2000, lambda n: table_of(folder, n)),
        Grown("classes", f"prediction of {seconds} s, and the tables of scores", 10,
              lambda n: classes_of(folder, n, seconds)),
    ):  # fmt: skip
        yield from measure(one.case(bench), bench)


@dataclass(frozen=True)
class Grown:
    """Work of a size that is done once, ten times and a hundred times."""

    unit: str
    """What there is more of."""
    what: str
    first: int
    """The least number of them."""
    work: Callable[[int], Callable[[], object]]
    """Makes ready for so many of them, and gives the work that is timed."""

    def case(self, bench: Bench) -> Case:
        """The sizes as sides; figures are times for each unit of work."""
        first = self.first if self.unit == "classes" else bench.count(self.first, LEAST.get(self.unit, 2))
        sides: dict[str, Side] = {
            f"{first * times:,} {self.unit}": timed(self.work(first * times)) for times in TIMES
        }
        once, *more = sides
        comparisons = tuple(
            Comparison(
                name, once, Figure(f"x the time for each of the {self.unit}", "seconds", "ours/theirs", times)
            )
            for name, times in zip(more, TIMES[1:], strict=True)
        )
        return Case(self.what, sides, comparisons, bench.at_most(3))


def features_of(folder: Path, n: int) -> Callable[[], object]:
    """Features of n files, into a store that is empty each time."""
    corpus = write_corpus(folder / f"files {n}", n, 3.0, 22050)
    calls = iter(range(1000))

    def work() -> None:
        table = import_folder(corpus).table
        FeatureStore(Features(LogMel(), 22050), folder=folder / f"cache {n} {next(calls)}").collect(table)

    return work


def prediction_of(folder: Path, seconds: int) -> Callable[[], object]:
    """A file of so many seconds."""
    sound = write_sound(folder / f"{seconds}.wav", seconds, 22050)
    predictor = load(write_model(folder / "model"))

    def work() -> None:
        with using_threads(1):
            list(predictor.recordings([sound]))

    return work


def table_of(folder: Path, n: int) -> Callable[[], object]:
    """A table of n clips."""
    path = write_table(folder / f"{n}.csv", n)
    return lambda: assign(read_clips(path), SplitSettings())


def classes_of(folder: Path, n: int, seconds: int) -> Callable[[], object]:
    """A file scored for n classes, its tables written."""
    sound = write_sound(folder / f"classes {n}.wav", seconds, 22050)
    predictor = load(write_model(folder / f"model of {n}", n_classes=n))

    def work() -> None:
        with using_threads(1):
            write_predictions(predictor.recordings([sound]), predictor.model.spec, folder / f"out {n}.csv")

    return work
