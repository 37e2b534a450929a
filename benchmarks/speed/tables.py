"""A clip table of a million rows: read, checked, divided into splits, and the division audited."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.speed.bench import Bench
from benchmarks.speed.measuring import (
    MEGABYTES,
    SECONDS,
    THE_MEMORY,
    THE_TIME,
    Case,
    Comparison,
    Goal,
    Row,
    Side,
    measure,
)  # fmt: skip
from benchmarks.speed.processes import CHILDREN, python


def rows(bench: Bench) -> Iterator[Row]:
    """Time and memory of the whole process."""
    n = bench.count(1_000_000, 1000)
    path = write_table(bench.empty_folder("tables") / "clips.csv", n)
    read = "import sys, pandas; pandas.read_csv(sys.argv[1])"
    sides: dict[str, Side] = {
        "read, checked, divided, audited": python(CHILDREN / "read_table.py", path),
        "pandas.read_csv, nothing checked": python("-c", read, path),
    }
    ours, plain = sides
    comparisons = (
        Comparison(ours, plain, SECONDS, Goal(20)),
        Comparison(ours, plain, MEGABYTES, Goal(2000)),
        Comparison(ours, plain, THE_TIME),
        Comparison(ours, plain, THE_MEMORY),
    )
    what = f"clip table of {n:,} rows, whole process"
    yield from measure(Case(what, sides, comparisons, bench.at_most(3), warm=False), bench)


def write_table(path: Path, n: int) -> Path:
    """A table of n clips (500 or more): ten a recording, five recordings a group, up to 50 classes."""
    rows = np.arange(n)
    frame = pd.DataFrame(
        {
            "file": [f"folder {i // 1000}/recording {i // 10}.wav" for i in rows],
            "start": rows % 10 * 3.0,
            "end": rows % 10 * 3.0 + 3.0,
            "label": [f"class {i // 50 % min(50, n // 250)}" for i in rows],
            "group": [f"singer {i // 50}" for i in rows],
        }
    )
    frame.to_csv(path, index=False)
    return path
