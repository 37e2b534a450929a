"""A folder of recordings -> features on disk -> back in memory, in a fresh process, as a person's script does it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from benchmarks.speed.bench import Bench
from benchmarks.speed.measuring import Case, Comparison, Goal, Row, Side, Took, measure
from benchmarks.speed.processes import CHILDREN, python
from benchmarks.speed.sounds import write_corpus


def rows(bench: Bench) -> Iterator[Row]:
    """200 files of 30 s, cut into segments of 3 s."""
    folder, n, seconds = bench.empty_folder("pipeline"), bench.count(200, 10), bench.amount(30, 3)
    corpus = write_corpus(folder / "corpus", n, seconds, 22050)
    cache = folder / "cache"
    ours = python(CHILDREN / "our_features.py", corpus, "3", env={"EARMARK_CACHE": str(cache)})

    def without_cache() -> Took:
        shutil.rmtree(cache, ignore_errors=True)
        return ours()

    sides: dict[str, Side] = {
        "earmark's cache": without_cache,
        "librosa and JSON": python(CHILDREN / "usual_features.py", corpus, folder / "mfcc.json", "3"),
    }
    us, usual = sides
    what = f"{n} WAV files of {seconds:.0f} s -> MFCC of 3-s segments on disk -> read back, whole process"
    comparisons = (Comparison(us, usual, goal=Goal(5, 10)),)
    yield from measure(Case(what, sides, comparisons, bench.at_most(3), warm=False), bench)
    shutil.rmtree(folder)
