"""The reference recipes on real recordings: leaking and grouped figures, ours and a linear model beside them.

    EARMARK_DATA=FOLDER python benchmarks/reference.py -o results.csv

FOLDER holds the sets that docs/reference-systems.md names. Runs go to --runs (default: runs/reference); what is
trained already is not trained again. The table is written after each recipe.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from earmark import audio, layouts, protocols
from earmark.clips import ClipTable, regrouped
from earmark.errors import UserError
from earmark.evaluation import evaluate
from earmark.findings import Evaluation
from earmark.intervals import Interval
from earmark.layouts.listing import How
from earmark.recipe import read_recipe
from earmark.run import Run
from earmark.training import Options

COLUMNS = ("recipe", "set", "clips", "as published (leaks)", "with whole groups", "linear model", "seconds")
PAIR = ("helicopter", "sea_waves")
EXCERPT_STARTS = (0.0, 2.0)


@dataclass(frozen=True)
class Task:
    """A set of clips and the recipes that are run on it, the default recipe last."""

    name: str
    recipes: tuple[str, ...]
    changes: tuple[str, ...] = ()


TASKS = (
    Task(
        "esc10",
        (*(f"gtzan-mfcc-mlp-{i}" for i in range(1, 7)), "gtzan-mfcc-cnn", "mfcc-lstm", "crnn", "default"),
    ),
    Task("instruments", ("instrument-mfcc-cnn", "default")),
    Task("sax", ("sax-mel-cnn", "default")),
    Task(
        "nsynth_like", ("nsynth-waveform-gap", "nsynth-waveform-cnn", "default"), ("split.learn_from=train",)
    ),
    Task("npz", ("lowrate-conv1d", "lowrate-mlp")),
    Task("excerpts", ("lowrate-conv1d", "lowrate-mlp", "default")),
)


def main() -> None:
    """Run what is asked for and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, default=Path("reference.csv"))
    parser.add_argument("--runs", type=Path, default=Path("runs/reference"))
    parser.add_argument("--only", action="append", default=[], help="a task or recipe; may be given again")
    parser.add_argument("--set", action="append", default=[], dest="changes", metavar="KEY=VALUE")
    args = parser.parse_args()
    data = Path(
        os.environ.get("EARMARK_DATA") or parser.error("EARMARK_DATA must name the folder of the corpora")
    )
    rows = []
    for task, recipe in chosen(args.only):
        table = table_of(task.name, data, args.runs)
        rows.append(row(task, recipe, table, args.runs / task.name / recipe, [*task.changes, *args.changes]))
        print(*rows[-1], sep="  ", flush=True)
        with args.out.open("w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *rows])


def chosen(only: list[str]) -> Iterator[tuple[Task, str]]:
    """The tasks and recipes that are asked for; all where none is."""
    for task in TASKS:
        for recipe in task.recipes:
            if not only or task.name in only or recipe in only:
                yield task, recipe


def row(task: Task, name: str, table: ClipTable, path: Path, changes: list[str]) -> tuple[object, ...]:
    """Train (unless that is done) and evaluate one recipe."""
    started = time.perf_counter()
    try:
        found = evaluated(table, name, path, changes)
    except UserError as error:
        return name, task.name, len(table), f"failed: {error}", "", "", ""
    leaks = found.leak.status == "leaks"
    twin = evaluate(Run(path).twin_path) if leaks and Run(Run(path).twin_path).is_trained else None
    honest = twin or (None if leaks else found)
    cheap = {one.name: one for one in honest.baselines} if honest else {}
    linear = cheap["logistic regression"].measures[0].clips if honest else None
    clips = len(Run(path).clips())
    published = said(found.measures[0].clips) if leaks else ""
    return (
        name, task.name, clips, published, said(honest and honest.measures[0].clips), said(linear),
        round(time.perf_counter() - started),
    )  # fmt: skip


def evaluated(table: ClipTable, name: str, path: Path, changes: list[str]) -> Evaluation:
    """The evaluation of a run, trained first where it is not there."""
    if not Run(path).is_trained:
        options = Options(threads=1, command="benchmarks/reference.py")
        if Run(path).facts_path.exists():  # of a benchmark that was broken off
            protocols.resume(path, options, print)
        else:
            protocols.train(table, read_recipe(name, changes), path, options, print)
    return evaluate(path)


def said(interval: Interval | None) -> str:
    """An accuracy with its interval, in per cent."""
    if interval is None or interval.value is None:
        return ""
    between = (
        ""
        if interval.low is None or interval.high is None
        else f" ({100 * interval.low:.0f}-{100 * interval.high:.0f})"
    )
    return f"{100 * interval.value:.1f}{between}"


def table_of(name: str, data: Path, runs: Path) -> ClipTable:
    """The clip table of a task."""
    if name == "npz":
        how = How(classes=PAIR, force=True)
        return layouts.import_folder(npz(data / "esc10", runs / "npz-data"), layout="npz", how=how).table
    if name == "excerpts":
        return excerpts(data / "esc10")
    if name in ("instruments", "sax"):
        table = regrouped(layouts.import_folder(data / "instruments_cc0", layout="metadata").table, "pitch")
        return sax_or_not(table) if name == "sax" else table
    if name == "nsynth_like":
        return layouts.import_folder(data / name, layout="nsynth").table
    return layouts.import_folder(data / name, layout="metadata").table


def sax_or_not(table: ClipTable) -> ClipTable:
    """Two classes: saxophone, and all other instruments."""
    labels = ["sax" if label == "alto_saxophone" else "not sax" for label in table.frame["label"]]
    relabelled = table.with_column("label", labels)
    return ClipTable(relabelled.frame, table.root, ("not sax", "sax"), False)


def excerpts(esc10: Path) -> ClipTable:
    """The excerpts that `npz` holds as a clip table, which names their recordings: two of 3 s a recording."""
    table = layouts.import_folder(esc10, layout="metadata").table
    chosen = table.frame[table.frame["label"].isin(PAIR)]
    starts = np.repeat(EXCERPT_STARTS, len(chosen))
    frame = pd.concat([chosen] * len(EXCERPT_STARTS), ignore_index=True)
    return ClipTable(frame.assign(start=starts, end=starts + 3.0), table.root, PAIR, False)


def npz(esc10: Path, folder: Path) -> Path:
    """System C's arrays of two of ESC-10's classes: two excerpts of 3 s a clip, fold 3 as the test."""
    table = layouts.import_folder(esc10, layout="metadata").table
    parts: dict[str, list[np.ndarray]] = {"train": [], "test": []}
    for label in PAIR:
        for i in np.flatnonzero(table.frame["label"].to_numpy(str) == label):
            part = "test" if table.frame["fold"][i] == "3" else "train"
            for start in EXCERPT_STARTS:
                try:
                    parts[part].append(audio.read(table.paths()[i], 400, start, start + 3.0)[:1200])
                except audio.AudioError:
                    parts[part].append(np.zeros(1200, np.float32))
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "genres.npz", **{name: np.stack(waves) for name, waves in parts.items()})
    return folder / "genres.npz"


if __name__ == "__main__":
    main()
