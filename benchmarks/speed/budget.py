"""How long a person waits for the default recipe: `earmark train` from sound files to a model, on all cores."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from benchmarks.speed.bench import Bench
from benchmarks.speed.measuring import SECONDS, Case, Comparison, Goal, Row, Side, measure
from benchmarks.speed.processes import earmark, python
from benchmarks.speed.sounds import write_corpus

GOALS = {300: Goal(180), 3000: Goal(1200)}
"""Training clips of 5 s, and the seconds that they may take on two cores."""
TRAIN_SHARE = 0.8
"""Of the clips; the default recipe tests the rest."""


def rows(bench: Bench) -> Iterator[Row]:
    """Both sizes, once each."""
    short = [] if bench.is_full else ["--set", "training.epochs=1", "--set", "training.min_steps=1"]
    for n, goal in GOALS.items():
        clips, seconds = bench.count(n, 24), bench.amount(5, 1)
        folder = bench.empty_folder("budget")
        corpus = write_corpus(folder / "corpus", round(clips / TRAIN_SHARE), seconds, 22050)
        train = earmark("train", corpus, "--no-evaluate", "-o", folder / "run", *short)
        sides: dict[str, Side] = {"earmark train": train, "import torch": python("-c", "import torch")}
        what = f"training on {clips:,} clips of {seconds:.0f} s by the default recipe, whole process"
        comparisons = (Comparison("earmark train", "import torch", SECONDS, goal),)
        yield from measure(Case(what, sides, comparisons, 1, warm=False), bench)
        shutil.rmtree(folder)
