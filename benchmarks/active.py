"""Active labelling, simulated: how many labels reach 95 % of what all labels reach, asked for by margin and at random.

    EARMARK_DATA=FOLDER python -m benchmarks.active --docs docs/labelling.md

FOLDER holds fsdd and esc10. A quarter of the clips, in whole groups where there are enough of them, is held out. The
simulation begins with `FIRST` clips at random; then a logistic regression on the statistics that `earmark.describing`
computes learns from what is labelled, the next `BATCH` clips are taken by `earmark.labelling.ordering` (or at random),
and so on until all are labelled. Nothing is heard but the pool until the held-out clips are scored.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark.baselines import RUNGS
from earmark.canvas import BLUE, GREY, INK, ORANGE, new_figure, to_bytes
from earmark.describing import describe_sounds
from earmark.errors import UserError
from earmark.files import replacing
from earmark.labelling import ordering
from earmark.layouts import import_folder
from earmark.splits import units
from earmark.tables import aligned

SETS = {"fsdd": 8000, "esc10": 22050}
"""Corpora, and the rate in Hz that they are heard at."""
FIRST, BATCH = 20, 5
SHARE = 0.95
HELD_OUT = 4
"""One part in so many is held out."""
BEGIN, END = "<!-- active: begin -->", "<!-- active: end -->"

Numbers = NDArray[np.float64]
Rows = NDArray[np.int64]
WAYS = ("margin", "random")


@dataclass(frozen=True, eq=False)
class Corpus:
    """Clips as statistics `[n, D]`, with classes `[n]` and groups `[n]`."""

    name: str
    values: Numbers
    targets: Rows
    groups: NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class Curve:
    """Accuracy on the held-out clips by number of labels, a row a seed."""

    labels: Rows
    """`[m]`."""
    accuracy: Numbers
    """`[seeds, m]`; the last column is with all labels."""

    def reached(self, accuracy: Numbers) -> float:
        """Labels from which on one curve `[m]` is at `SHARE` of its last value, for the first time."""
        return float(self.labels[int((accuracy >= SHARE * accuracy[-1]).argmax())])


def main() -> int:
    """Simulate, print the table, and put it and its picture into a page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--docs", type=Path, help="page to put the table into; the picture goes beside it")
    parser.add_argument("-o", "--out", type=Path, help="CSV to write the curves to")
    args = parser.parse_args()
    data = Path(
        os.environ.get("EARMARK_DATA") or parser.error("EARMARK_DATA must name the folder of the corpora")
    )
    curves: dict[str, dict[str, Curve]] = {}
    for name in SETS:
        corpus = read(name, data)
        curves[name] = {way: simulate(corpus, way, args.seeds) for way in WAYS}
        print(aligned(table({name: curves[name]})), flush=True)
    if args.out:
        write_csv(args.out, curves)
    if args.docs:
        picture = args.docs.parent / "pictures" / "active.png"
        with replacing(picture, "wb") as file:
            file.write(draw(curves))
        put_into(args.docs, markdown(table(curves), args.seeds))
    return 0


def read(name: str, data: Path) -> Corpus:
    """A corpus, described."""
    table = import_folder(data / name).table
    described = describe_sounds(table, SETS[name])
    good = np.isfinite(described.values).all(axis=1)
    return Corpus(name, described.values[good], table.targets()[good].astype(np.int64), units(table)[good])


def simulate(corpus: Corpus, way: str, seeds: int) -> Curve:
    """One curve a seed; the same seed begins and is tested alike, whichever way clips are chosen."""
    clusters = ordering.clusters_of(corpus.values, seed=0)
    found = [_one(corpus, clusters, way, seed) for seed in range(seeds)]
    shortest = min(len(labels) for labels, _ in found)
    # Held-out parts differ by some clips: all curves have the same steps, and end with all labels.
    rows = [np.append(accuracy[: shortest - 1], accuracy[-1]) for _, accuracy in found]
    labels = found[0][0][: shortest - 1]
    return Curve(np.append(labels, round(np.mean([last[-1] for last, _ in found]))), np.array(rows))


def _one(corpus: Corpus, clusters: Rows, way: str, seed: int) -> tuple[Rows, Numbers]:
    pool, test = _divide(corpus, seed)
    rng = np.random.default_rng([seed, 1])
    left = rng.permutation(pool)
    known, left = left[:FIRST], left[FIRST:]
    labels, accuracy = [], []
    while True:
        scores = _learn(corpus, known, np.concatenate([test, left]))
        labels.append(len(known))
        accuracy.append(float((scores[: len(test)].argmax(axis=1) == corpus.targets[test]).mean()))
        if not len(left):
            return np.array(labels), np.array(accuracy)
        chosen = np.arange(min(BATCH, len(left)))  # they lie in random order
        if way == "margin":
            margins = ordering.margins_of(scores[len(test) :], several=False)
            chosen = ordering.by_margin(margins, clusters[left], rng).rows[:BATCH]
        known, left = np.append(known, left[chosen]), np.delete(left, chosen)


def _divide(corpus: Corpus, seed: int) -> tuple[Rows, Rows]:
    """Rows to label and rows held out: whole groups where there are at least four times as many as parts.

    Seeds hold out one part after the other, then divide anew.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    if len(set(corpus.groups)) >= 4 * HELD_OUT:
        divided = StratifiedGroupKFold(HELD_OUT, shuffle=True, random_state=seed // HELD_OUT).split(
            corpus.values, corpus.targets, corpus.groups
        )
    else:
        divided = StratifiedKFold(HELD_OUT, shuffle=True, random_state=seed // HELD_OUT).split(
            corpus.values, corpus.targets
        )
    pool, test = list(divided)[seed % HELD_OUT]
    return pool.astype(np.int64), test.astype(np.int64)


def _learn(corpus: Corpus, known: Rows, asked: Rows) -> Numbers:
    """Probabilities of the classes `[m, K]` of the rows asked."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), RUNGS["logistic regression"](len(known), 0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(corpus.values[known], corpus.targets[known])
    scores = np.zeros((len(asked), int(corpus.targets.max()) + 1))
    scores[:, model.classes_] = model.predict_proba(corpus.values[asked])
    return scores


# -- what is written ----------------------------------------------------------------------------------------


def table(curves: Mapping[str, Mapping[str, Curve]]) -> list[tuple[str, ...]]:
    """A header and a row a corpus: labels needed each way, on the mean curve and by seed."""
    rows = [
        (
            "set",
            "labels in all",
            "accuracy with all",
            "by margin",
            "at random",
            "fewer",
            "by seed: fewer (range)",
        )
    ]
    for name, of_set in curves.items():
        margin, chance = (of_set[way] for way in WAYS)
        needed = [one.reached(one.accuracy.mean(axis=0)) for one in (margin, chance)]
        pairs = zip(margin.accuracy, chance.accuracy, strict=True)
        fewer = [1 - margin.reached(ours) / chance.reached(theirs) for ours, theirs in pairs]
        rows.append(
            (
                name,
                f"{chance.labels[-1]}",
                f"{100 * chance.accuracy[:, -1].mean():.1f} %",
                f"{needed[0]:.0f}",
                f"{needed[1]:.0f}",
                f"{100 * (1 - needed[0] / needed[1]):.0f} %",
                f"{100 * np.median(fewer):.0f} % ({100 * min(fewer):.0f} to {100 * max(fewer):.0f} %)",
            )
        )
    return rows


def markdown(rows: Sequence[tuple[str, ...]], seeds: int) -> str:
    """The table for a page, and what it was made by."""
    head, *body = rows
    lines = [head, tuple("---" if i == 0 else "--:" for i in range(len(head))), *body]
    made = f"{seeds} seeds; `EARMARK_DATA=FOLDER python -m benchmarks.active --docs docs/labelling.md`"
    return "\n".join([*(f"| {' | '.join(row)} |" for row in lines), "", made])


def draw(curves: Mapping[str, Mapping[str, Curve]]) -> bytes:
    """Mean accuracy by number of labels, with the spread of the seeds."""
    figure, first = new_figure(9.0, 3.8, "")
    first.remove()
    for place, (name, of_set) in enumerate(curves.items(), 1):
        axes = figure.add_subplot(1, len(curves), place)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=9, color=GREY)
        for way, colour, dash, words in (
            ("margin", BLUE, "-", "by margin"),
            ("random", ORANGE, "--", "at random"),
        ):
            one = of_set[way]
            mean = 100 * one.accuracy.mean(axis=0)
            low, high = 100 * np.quantile(one.accuracy, [0.1, 0.9], axis=0)
            axes.fill_between(one.labels, low, high, color=colour, alpha=0.15, linewidth=0)
            axes.plot(one.labels, mean, color=colour, linestyle=dash, label=words)
            n = one.reached(one.accuracy.mean(axis=0))
            axes.plot([n], [mean[int((one.labels == n).argmax())]], "o", color=colour, markersize=6)
        goal = 100 * SHARE * of_set["random"].accuracy[:, -1].mean()
        axes.axhline(goal, color=INK, linewidth=0.8, linestyle=":")
        axes.text(
            one.labels[-1],
            goal - 1.0,
            f"{100 * SHARE:.0f} % of all labels' accuracy",
            ha="right",
            va="top",
            fontsize=8,
            color=INK,
        )
        axes.set_title(name, loc="left", fontsize=11, color=INK)
        axes.set_xlabel("clips labelled")
        axes.set_ylabel("accuracy on held-out clips (%)")
        axes.legend(frameon=False, fontsize=9, loc="lower right")
    return to_bytes(figure, "png")


def write_csv(path: Path, curves: Mapping[str, Mapping[str, Curve]]) -> None:
    """A row a set, way, seed and number of labels."""
    with replacing(path, newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["set", "way", "seed", "labels", "accuracy"])
        for name, of_set in curves.items():
            for way, curve in of_set.items():
                for seed, row in enumerate(curve.accuracy):
                    for n, accuracy in zip(curve.labels, row, strict=True):
                        writer.writerow([name, way, seed, n, f"{accuracy:.6f}"])


def put_into(page: Path, text: str) -> None:
    """Put the table between its marks in a page."""
    before = page.read_text("utf-8")
    if BEGIN not in before or END not in before:
        raise UserError(page, f"found no {BEGIN} and {END}", "Put both where the table belongs.")
    head, rest = before.split(BEGIN)
    with replacing(page) as file:
        file.write(f"{head}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    sys.exit(main())
