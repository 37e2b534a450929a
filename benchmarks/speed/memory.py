"""The most memory that `earmark predict` takes, over hours of sound in one file; and the time an hour takes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks.speed.bench import Bench
from benchmarks.speed.measuring import (
    MEGABYTES,
    THE_MEMORY,
    Case,
    Comparison,
    Figure,
    Goal,
    Row,
    Side,
    measure,
)  # fmt: skip
from benchmarks.speed.predicting import write_model
from benchmarks.speed.processes import earmark, python
from benchmarks.speed.sounds import write_sound

RATE = 8000


def rows(bench: Bench) -> Iterator[Row]:
    """WAV files of 1 and 10 hours and a FLAC file of 3 hours."""
    folder = bench.empty_folder("memory")
    model, hour = write_model(folder / "model"), bench.amount(3600, 6)
    short, middle, long = (said(hours * hour) for hours in (1, 3, 10))
    sides: dict[str, Side] = {
        f"WAV of {short}": predict(model, write_sound(folder / "1.wav", hour, RATE)),
        f"FLAC of {middle}": predict(model, write_sound(folder / "3.flac", 3 * hour, RATE)),
        f"WAV of {long}": predict(model, write_sound(folder / "10.wav", 10 * hour, RATE)),
        "import torch": python("-c", "import torch"),
    }
    one, three, ten, floor = sides
    comparisons = (
        Comparison(ten, one, MEGABYTES, Goal(600)),
        Comparison(
            ten, one, THE_MEMORY, Goal(None, 1.05)
        ),  # a 1-hour file's, and what varies between two runs
        Comparison(three, one, THE_MEMORY),
        Comparison(ten, floor, THE_MEMORY),
        Comparison(ten, one, Figure("x the time an hour of sound", "seconds", "ours/theirs", 10)),
    )
    what = "earmark predict of one file"
    yield from measure(Case(what, sides, comparisons, 1, warm=False), bench)
    shutil.rmtree(folder)


def predict(model: Path, sound: Path) -> Side:
    """A side that labels a file."""
    return earmark("predict", model, sound, "-o", f"{sound}.csv", "--force", "--threads", "1")


def said(seconds: float) -> str:
    """A duration in words."""
    return f"{seconds / 3600:.0f} h" if seconds >= 3600 else f"{seconds:.0f} s"
