"""How right the default recipe is on recordings never heard: real corpora, several seeds, baselines beside.

    EARMARK_DATA=FOLDER python benchmarks/accuracy.py -o accuracy.csv [--seeds 2] [--jobs 2] [--only fsdd]

FOLDER holds the sets that docs/accuracy.md names. Each corpus is divided into folds of whole groups, and each fold is
tested by a model that heard the others; figures are over all folds together. Runs go to --runs; what is there already
is not trained again, so that a broken-off benchmark goes on. The table is written after each corpus.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, train_test_split

from earmark import intervals, layouts, metrics
from earmark.clips import ClipTable, regrouped
from earmark.evaluation import evaluate
from earmark.files import replacing
from earmark.prediction import load
from earmark.recipe import Recipe, read_recipe
from earmark.run import Run
from earmark.splits import units
from earmark.timelines import heard_segments, read_timeline, share_right
from earmark.training import Options, Say, resume, train

N_FOLDS = 5
"""Of corpora that have none of their own."""


@dataclass(frozen=True)
class Corpus:
    """A set of recordings and how it is tested."""

    name: str
    protocol: str
    """What is kept whole, in words."""
    table: Callable[[Path], ClipTable]
    """From the data folder; its column `fold` says what is tested together, its `split` a given division."""


@dataclass(frozen=True)
class Job:
    """One training: a corpus, the fold tested, a seed, and whether groups are torn on purpose."""

    corpus: Corpus
    fold: str
    """Empty: the division that the corpus gives."""
    seed: int
    leaking: bool
    recipe: str
    changes: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of the run's folder."""
        return f"{self.corpus.name}-{self.fold or 'given'}-{self.seed}{'-leaking' if self.leaking else ''}"


def main() -> None:
    """Run what is asked for and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, default=Path("accuracy.csv"))
    parser.add_argument("--runs", type=Path, default=Path("runs/accuracy"))
    parser.add_argument("--only", action="append", default=[], help="a corpus; may be given again")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=1, help="trainings at once, one thread each")
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--set", action="append", default=[], dest="changes", metavar="KEY=VALUE")
    parser.add_argument("--no-leaking", action="store_true", help="leave the leaking twins out")
    args = parser.parse_args()
    data = Path(
        os.environ.get("EARMARK_DATA") or parser.error("EARMARK_DATA must name the folder of the corpora")
    )
    rows = []
    with ProcessPoolExecutor(args.jobs, get_context("spawn"), leave_with_the_parent) as pool:
        for corpus in CORPORA:
            if args.only and corpus.name not in args.only:
                continue
            jobs = list(jobs_of(corpus, data, args))
            found = list(pool.map(run_job, jobs, [data] * len(jobs), [args.runs] * len(jobs)))
            rows.append(row(corpus, jobs, found))
            print(*rows[-1].values(), sep="  ", flush=True)
            with replacing(args.out, "w") as file:
                writer = csv.DictWriter(file, list(rows[0]), restval="", extrasaction="ignore")
                writer.writeheader()
                writer.writerows(rows)


def jobs_of(corpus: Corpus, data: Path, args: argparse.Namespace) -> Iterator[Job]:
    """Every fold with every seed; and, where groups can be torn, one test of as many clips drawn at random."""
    table = corpus.table(data)
    folds = sorted(set(table.frame["fold"])) if "fold" in table.frame else [""]
    for seed in range(args.seeds):
        for fold in folds:
            yield Job(corpus, fold, seed, False, args.recipe, tuple(args.changes))
    if not args.no_leaking and len(set(units(table, fold=False))) < len(table):
        yield Job(corpus, folds[0], 0, True, args.recipe, tuple(args.changes))


def leave_with_the_parent() -> None:
    """Let this worker end when the benchmark is killed, and not train on for nobody."""
    parent = parent_process()
    if parent is not None:
        ended = [parent.sentinel]
        threading.Thread(target=lambda: wait(ended) and os._exit(1), daemon=True).start()


# -- one training -------------------------------------------------------------------------------------------


def run_job(job: Job, data: Path, runs: Path) -> pd.DataFrame:
    """Train and evaluate one job unless that is done; the scores of its test clips and what was found beside.

    Returns:
        A row a test clip: truth, best, group, file. `attrs` hold seconds, baselines and the timeline's share.
    """
    place = runs / f"{job.name}.json"
    if not place.exists():
        found = fresh(job, data, runs)
        place.parent.mkdir(parents=True, exist_ok=True)
        with replacing(place, "w") as file:
            json.dump(found, file)
    kept = json.loads(place.read_text("utf-8"))
    frame = pd.DataFrame(kept.pop("clips"))
    frame.attrs.update(kept)
    return frame


def fresh(job: Job, data: Path, runs: Path) -> dict[str, object]:
    """What `run_job` keeps of a training."""
    run = Run(runs / job.name)
    table = divided(job.corpus.table(data), job)
    started = time.perf_counter()
    if not run.is_trained:
        begin_or_resume(run, table, recipe_of(job), lambda line: None)
    seconds = time.perf_counter() - started
    found = evaluate(run.path)
    scored = found.scored
    timeline = data / "timelines" / f"{job.corpus.name}_fold{job.fold}_60s.csv"
    return {
        "seconds": seconds,
        "n_train": int((run.clips().frame["split"] != "test").sum()),
        "clips": {
            "truth": scored.targets.tolist(),
            "best": scored.scores.argmax(axis=1).tolist(),
            "group": units(scored.table, fold=False).tolist(),
            "file": scored.table.frame["file"].tolist(),
        },
        "baselines": {one.name: one.measures[0].clips.value for one in found.baselines},
        "chosen": next((one.name for one in found.baselines if one.kind == "chosen"), ""),
        "timeline": seconds_right(run, timeline) if timeline.exists() and not job.leaking else None,
    }


def begin_or_resume(run: Run, table: ClipTable, recipe: Recipe, say: Say) -> None:
    """Train on one thread, or go on with what a benchmark left that was broken off."""
    options = Options(threads=1)
    if run.facts_path.exists():
        resume(run.path, options, say)
    else:
        train(table, recipe, run.path, options, say)


def divided(table: ClipTable, job: Job) -> ClipTable:
    """The table with its test clips named; leaking, as many clips at random."""
    frame = table.frame
    tested = (frame["split"] if "split" in frame else frame["fold"]) == (job.fold or "test")
    if not job.leaking:
        kept = frame["split"].to_numpy() if "split" in frame else np.where(tested, "test", "train")
        return dataclasses.replace(table, frame=frame.drop(columns="fold", errors="ignore")).with_column(
            "split", kept
        )
    _, drawn = train_test_split(
        np.arange(len(table)), test_size=int(tested.sum()), stratify=frame["label"], random_state=job.seed
    )
    split = np.where(np.isin(np.arange(len(table)), drawn), "test", "train")
    torn = frame.drop(columns=["group", "artist", "fold", "split"], errors="ignore")
    return dataclasses.replace(table, frame=torn).with_column("split", split)


def recipe_of(job: Job) -> Recipe:
    """The recipe with the job's seed."""
    return read_recipe(job.recipe, [f"training.seed={job.seed}", f"split.seed={job.seed}", *job.changes])


def seconds_right(run: Run, timeline: Path) -> float:
    """Share of the seconds of a labelled recording that were given the right class."""
    classifier = load(run.path)
    recording = next(iter(classifier.recordings([timeline.with_suffix(".flac")])))
    return share_right(heard_segments(recording), read_timeline(timeline))


# -- the table ----------------------------------------------------------------------------------------------


def row(corpus: Corpus, jobs: list[Job], found: list[pd.DataFrame]) -> dict[str, object]:
    """A line of the table: figures over all folds together, the mean over seeds, an interval over groups."""
    honest = [frame for job, frame in zip(jobs, found, strict=True) if not job.leaking]
    leaking = [frame for job, frame in zip(jobs, found, strict=True) if job.leaking]
    together, n = pd.concat(honest), len(honest[0]) and sum(len(f) for f in honest)
    accuracy, leaks = right(together), right(pd.concat(leaking)) if leaking else None
    seeds = sorted({job.seed for job in jobs})
    by_seed = [
        right(pd.concat([f for j, f in zip(jobs, found, strict=True) if j.seed == seed and not j.leaking]))
        for seed in seeds
    ]
    interval = intervals.bootstrap(
        metrics.accuracy, counts(together), groups=together["group"].to_numpy(), recordings=together["file"].to_numpy()
    )  # fmt: skip
    chosen = [f.attrs.get("chosen", "") for f in honest]  # by no test label; a training, a choice
    timelines = [f.attrs["timeline"] for f in honest if f.attrs["timeline"] is not None]
    return {
        "corpus": corpus.name,
        "protocol": corpus.protocol,
        "test clips": n // len(seeds),
        "groups": together["group"].nunique(),
        "seeds": len(seeds),
        "accuracy": percent(accuracy),
        "interval": f"{percent(interval.low)}-{percent(interval.high)}",
        "by seed": " ".join(map(percent, by_seed)),
        "leaking": percent(leaks),
        "gap": percent(None if leaks is None else leaks - accuracy),
        **{name: percent(over_folds(honest, [name] * len(honest))) for name in honest[0].attrs["baselines"]},
        "best baseline": ", ".join(f"{name} {n}" for name, n in Counter(chosen).most_common() if name),
        "of the best baseline": percent(over_folds(honest, chosen)),
        "timeline seconds": percent(float(np.mean(timelines)) if timelines else None),
        "seconds a training": round(float(np.median([f.attrs["seconds"] for f in honest]))),
    }


def counts(frame: pd.DataFrame) -> metrics.Counts:
    """Hits and misses of the clips, as the bootstrap takes them."""
    n = int(max(frame["truth"].max(), frame["best"].max())) + 1
    return metrics.count(frame["truth"].to_numpy(), np.eye(n, dtype=np.float32)[frame["best"].to_numpy()])


def right(frame: pd.DataFrame) -> float:
    """Share of clips given the right class."""
    return float((frame["truth"] == frame["best"]).mean())


def over_folds(frames: list[pd.DataFrame], names: list[str]) -> float | None:
    """Accuracy of the baseline that is named for each fold, over all folds: the mean, a clip counting as a clip."""
    values = [frame.attrs["baselines"].get(name) for frame, name in zip(frames, names, strict=True)]
    if any(value is None for value in values):
        return None
    return float(np.average(values, weights=[len(frame) for frame in frames]))


def percent(share: float | None) -> str:
    """A share as per cent."""
    return "" if share is None else f"{100 * share:.1f}"


# -- the corpora --------------------------------------------------------------------------------------------


def folded(table: ClipTable) -> ClipTable:
    """With folds of whole groups, classes spread evenly."""
    labels, groups = table.frame["label"].to_numpy(str), units(table, fold=False).astype(str)
    folds = np.zeros(len(table), np.int64)
    divider = StratifiedGroupKFold(N_FOLDS, shuffle=True, random_state=0)
    for i, (_, tested) in enumerate(divider.split(labels, labels, groups)):
        folds[tested] = i + 1
    return table.with_column("fold", folds.astype(str))


def esc10(data: Path) -> ClipTable:
    """ESC-10, with its folds."""
    return layouts.import_folder(data / "esc10", layout="metadata").table


def fsdd(data: Path) -> ClipTable:
    """Spoken digits; a fold a speaker."""
    table = layouts.import_folder(data / "fsdd", layout="metadata").table
    return table.with_column("fold", table.frame["group"])


def instruments(data: Path) -> ClipTable:
    """Instrument notes; whole pitches together."""
    return folded(
        regrouped(layouts.import_folder(data / "instruments_cc0", layout="metadata").table, "pitch")
    )


def nsynth_like(data: Path) -> ClipTable:
    """Notes of instrument families, divided by instrument as given; its own `valid`, of two classes only, left out."""
    table = layouts.import_folder(data / "nsynth_like", layout="nsynth").table
    return table.take(table.frame["split"].to_numpy() != "valid")


def drums(data: Path) -> ClipTable:
    """Drum hits and loops; no groups are known."""
    return folded(layouts.import_folder(data / "drums_cc0", layout="metadata").table)


CORPORA = (
    Corpus("esc10", "its three folds", esc10),
    Corpus("fsdd", "one speaker left out", fsdd),
    Corpus("instruments_cc0", "5 folds of whole pitches", instruments),
    Corpus("nsynth_like", "its own test instruments", nsynth_like),
    Corpus("drums_cc0", "5 folds of files", drums),
)


if __name__ == "__main__":
    main()
