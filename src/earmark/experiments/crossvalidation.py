"""Every clip is tested once by a network that never heard its group: folds, and the figures over all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from earmark import drawing, findings, intervals, metrics, runcharts
from earmark.clips import ClipTable, format_seconds
from earmark.errors import UserError
from earmark.evaluation import read_scored
from earmark.experiments.trials import BUSY, Outcome, Trial, begin, carry_out, fingerprint, with_split
from earmark.files import alone_in, replacing
from earmark.findings import Scored, truth_of
from earmark.intervals import Interval
from earmark.prediction import labels_of
from earmark.recipe import Recipe
from earmark.report import percent, span
from earmark.run import Run
from earmark.splits import SplitSettings, units
from earmark.tables import RowWriter, aligned, counted, listed
from earmark.training import Options, Say

By = Literal["auto", "groups", "each-group", "fold"]
"""`groups`: so many folds of whole groups; `each-group`: one group left out at a time; `fold`: the table's own."""


@dataclass(frozen=True)
class CrossValidation:
    """How clips are divided into folds."""

    folds: int = 5
    """Number of folds, where they are made of groups."""
    by: By = "auto"
    """`auto`: the table's column `fold` where it has one, else `groups`."""
    seeds: int = 1
    """Each fold is trained with so many seeds, from the recipe's on."""


@dataclass(frozen=True)
class Pooled:
    """What a cross-validation found."""

    folder: Path
    n_failed: int
    text: str
    """The table of folds and the figures over all, for a terminal."""


def cross_validate(
    table: ClipTable, recipe: Recipe, how: CrossValidation, folder: Path, options: Options, say: Say
) -> Pooled:
    """Train on all folds but one, for each fold and seed; test on that one; write the tables and the picture.

    Writes `folds.csv`, `scores.csv` (every clip once a seed), `confusion.csv`, `confusion.png|svg`, `folds.png|svg`.

    Args:
        table: labelled clips.
        recipe: the settings; its split gives way to the folds, but for `valid_fraction`.
        how: the folds.
        folder: a new place, or that of the same cross-validation, which then goes on.
        options: device, threads and the like.
        say: takes a line for the person who waits.

    Raises:
        UserError: no folds can be made, a class is in one fold alone, or no trial ended well.
    """
    folds = divide(table, how, recipe.split.seed)
    check_folds(table, folds)
    settled = dataclasses.asdict(how) | {"seeds": 0}
    facts = {"clips": fingerprint(table), "recipe": recipe.to_toml(), "way": str(sorted(settled.items()))}
    begin(folder, "cv", facts)
    names = sorted(set(folds), key=_natural)
    trials = list(trials_of(table, recipe, folds, names, how.seeds))
    say(f"{counted(len(names), 'fold')} of {counted(len(set(units(table, fold=False))), 'group')}"
        f"{f', {how.seeds} seeds' if how.seeds > 1 else ''}: {counted(len(trials), 'training')}")  # fmt: skip
    outcomes = []
    with alone_in(folder, BUSY):
        for outcome in carry_out(trials, len(trials), folder, options, say, tell_first):
            outcomes.append(outcome)
            _write_folds(folder, outcomes)
    if not any(one.run for one in outcomes):
        raise UserError(
            folder,
            f"no training ended well: {outcomes[0].reason.rstrip('.')}",
            "Change the recipe or the clips.",
        )
    return pool(folder, outcomes)


def divide(table: ClipTable, how: CrossValidation, seed: int) -> NDArray[np.object_]:
    """The fold of each clip `[n]`; what belongs together is in one.

    Raises:
        UserError: fewer than two folds, or fewer groups than folds.
    """
    by = how.by if how.by != "auto" else "fold" if "fold" in table.frame else "groups"
    if by == "fold":
        if "fold" not in table.frame or (table.frame["fold"] == "").any():
            raise UserError(
                "--by fold", "the table has no column 'fold' that is filled throughout", "Use --by groups."
            )
        return _at_least_two(table.frame["fold"].to_numpy())
    groups = units(table, fold=False)
    if by == "each-group":
        return _at_least_two(groups)
    n_groups = len(set(groups))
    if how.folds < 2:
        raise UserError("--folds", f"found {how.folds}, wanted two at least", "Take 5, for example.")
    if n_groups < how.folds:
        raise UserError(
            "--folds",
            f"found {how.folds}, but there are {counted(n_groups, 'group')}",
            f"Take at most {n_groups}.",
        )
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    found = np.empty(len(table), dtype=object)
    if table.multi_label:
        parts = GroupKFold(how.folds, shuffle=True, random_state=seed).split(groups, groups=groups)
    else:
        divider = StratifiedGroupKFold(how.folds, shuffle=True, random_state=seed)
        parts = divider.split(groups, table.targets(), groups)
    for i, (_, tested) in enumerate(parts, start=1):
        found[tested] = str(i)
    return _at_least_two(found)


def _at_least_two(folds: NDArray[np.object_]) -> NDArray[np.object_]:
    if len(set(folds)) < 2:
        raise UserError("cv", "found one fold alone, wanted two at least", "Give a column group or fold.")
    return folds


def check_folds(table: ClipTable, folds: NDArray[np.object_]) -> None:
    """Refuse folds of which one alone holds a class: without it nothing can be learnt of that class.

    Raises:
        UserError: it names the classes and the fold.
    """
    if table.multi_label:
        return
    labels = table.frame["label"].to_numpy()
    alone = {str(label): set(folds[labels == label]) for label in np.unique(labels)}
    alone = {label: of for label, of in alone.items() if len(of) == 1}
    if alone:
        raise UserError(
            f"fold {next(iter(alone.values())).pop()!r}",
            f"all clips of class {listed(list(alone))} are in one fold, so that nobody can learn "
            f"{'them' if len(alone) > 1 else 'it'} without that fold",
            "Take other folds (--by groups), other groups (--group), or leave the class out.",
        )


def trials_of(
    table: ClipTable, recipe: Recipe, folds: NDArray[np.object_], names: Sequence[str], seeds: int
) -> Iterator[Trial]:
    """A trial a fold and seed."""
    first = recipe.training.seed
    for seed in range(first, first + seeds):
        split = SplitSettings(valid_fraction=recipe.split.valid_fraction, seed=seed, partial_test=True)
        training = dataclasses.replace(recipe.training, seed=seed)
        own = dataclasses.replace(recipe, split=split, training=training)
        for k, name in enumerate(names, start=1):
            divided = with_split(table, ["test" if fold == name else "train" for fold in folds])
            yield Trial(
                f"fold-{k:0{len(str(len(names)))}}-seed-{seed}",
                divided,
                own,
                name,
            )


# -- over all folds -----------------------------------------------------------------------------------------


def pool(folder: Path, outcomes: Sequence[Outcome]) -> Pooled:
    """Figures, tables and pictures of all folds together."""
    by_seed: dict[int, list[Scored]] = {}
    for one in outcomes:
        if one.run is not None:
            scored = read_scored(one.run)
            table = scored.table.with_column("tested_fold", [one.trial.fold] * len(scored.table))
            by_seed.setdefault(one.trial.recipe.training.seed, []).append(
                dataclasses.replace(scored, table=table)
            )
    pooled = {seed: together(parts) for seed, parts in by_seed.items()}
    _write_scores(folder / "scores.csv", pooled)
    figures = pooled_measures(list(pooled.values()))
    lines = [_folds_text(outcomes), "", _figures_text(figures, outcomes, pooled)]
    rivals = _rivals_text(outcomes)
    lines += [rivals] if rivals else []
    first = next(iter(pooled.values()))
    if first.targets.ndim == 1:
        _write_confusion(folder, list(pooled.values()))
    _draw_folds(folder, outcomes)
    n_failed = sum(one.run is None for one in outcomes)
    if n_failed:
        lines.append(f"note: {counted(n_failed, 'training')} failed, and their clips are in no figure")
    return Pooled(folder, n_failed, "\n".join(lines))


def together(parts: Sequence[Scored]) -> Scored:
    """The clips of several folds as one."""
    frame = pd.concat([one.table.frame for one in parts], ignore_index=True)
    return dataclasses.replace(
        parts[0],
        table=dataclasses.replace(parts[0].table, frame=frame),
        targets=np.concatenate([one.targets for one in parts]),
        scores=np.concatenate([one.scores for one in parts]),
        reasons=tuple(reason for one in parts for reason in one.reasons),
        sounds=tuple(sound for one in parts for sound in one.sounds),
    )


def pooled_measures(seeds: Sequence[Scored]) -> list[tuple[str, Interval, list[float]]]:
    """Name, figure over all clips and seeds with its interval over groups, and the figure of each seed."""
    counts = [findings.counts_of(one) for one in seeds]
    every = metrics.Counts(
        *(
            np.concatenate([getattr(one, field.name) for one in counts])
            for field in dataclasses.fields(metrics.Counts)
        )
    )
    groups = np.concatenate([units(one.table, fold=False) for one in seeds])
    files = np.concatenate([one.table.frame["file"].to_numpy() for one in seeds])
    found = []
    for name, statistic, _ in findings.statistics_of(seeds[0]):
        interval = intervals.bootstrap(statistic, every, groups=groups, recordings=files)
        found.append((name, interval, [float(statistic(one.map(lambda x: x.sum(axis=0)))) for one in counts]))
    return found


def tell_first(run: Run) -> str:
    """The first figure of a run, for the person who waits."""
    measure = run.metrics()["measures"][0]
    return f"{measure['name']} {percent(measure['clips']['value'])}"


def _rows(outcomes: Sequence[Outcome]) -> Iterator[dict[str, object]]:
    for one in outcomes:
        split = one.trial.table.column("split")
        tested = one.trial.table.take(split == "test")
        row: dict[str, object] = {
            "run": one.trial.name,
            "fold": one.trial.fold,
            "seed": one.trial.recipe.training.seed,
            "clips": len(tested),
            "groups": len(set(units(tested, fold=False))),
        }
        if one.run is not None:
            row |= {m["name"]: m["clips"]["value"] for m in one.run.metrics()["measures"]}
            row["seconds"] = one.seconds
        yield row | {"status": "failed" if one.run is None else "done", "reason": one.reason}


def _write_folds(folder: Path, outcomes: Sequence[Outcome]) -> None:
    with replacing(folder / "folds.csv", newline="", errors="surrogateescape") as file:
        pd.DataFrame(list(_rows(outcomes))).to_csv(file, index=False, float_format="%.6g")


def _write_scores(path: Path, seeds: dict[int, Scored]) -> None:
    """Every clip once a seed, scored by a network that never heard its fold."""
    with replacing(path, newline="", errors="surrogateescape") as file:
        writer = RowWriter(file)
        classes = next(iter(seeds.values())).spec.classes
        writer.writerow(["seed", "fold", "file", "start", "end", "truth", "prediction", "reason", *classes])
        for seed, scored in seeds.items():
            for i, (reason, scores) in enumerate(zip(scored.reasons, scored.scores, strict=True)):
                row = scored.table.frame.iloc[i]
                said = "" if reason else labels_of(scores, scored.spec)
                cells = [""] * len(scores) if reason else [f"{score:.6f}" for score in scores]
                place = [row["file"], format_seconds(row["start"]), format_seconds(row["end"])]
                writer.writerow([seed, row["tested_fold"], *place, truth_of(scored, i), said, reason, *cells])


def _write_confusion(folder: Path, seeds: Sequence[Scored]) -> None:
    classes = seeds[0].spec.classes
    matrix = np.zeros((len(classes), len(classes)), np.int64)
    for one in seeds:
        known = ~np.isnan(one.scores).any(axis=1)
        np.add.at(matrix, (one.targets[known].astype(int), one.scores[known].argmax(axis=1)), 1)
    with replacing(folder / "confusion.csv", newline="", errors="surrogateescape") as file:
        pd.DataFrame(matrix, index=pd.Index(classes, name="true"), columns=list(classes)).to_csv(file)
    title = (
        "Confusion over all folds (numbers: clips)"
        if len(seeds) == 1
        else "Confusion over all folds and seeds"
    )
    for format in ("png", "svg"):
        with replacing(folder / f"confusion.{format}", "wb") as file:
            file.write(drawing.confusion(matrix, classes, title=title, format=format))


def _draw_folds(folder: Path, outcomes: Sequence[Outcome]) -> None:
    rows = []
    for one in outcomes:
        if one.run is not None:
            measure = one.run.metrics()["measures"][0]
            rows.append((one.trial.name, None, Interval(**measure["clips"])))
            name = measure["name"]
    for format in ("png", "svg"):
        with replacing(folder / f"folds.{format}", "wb") as file:
            title = f"{name.capitalize()} on each fold, tested by a network that never heard it"
            file.write(runcharts.figures(rows, name, title=title, format=format))


def _folds_text(outcomes: Sequence[Outcome]) -> str:
    rows = [("run", "fold", "clips", "groups", "figure", "95 % interval")]
    for one, row in zip(outcomes, _rows(outcomes), strict=True):
        head = (str(row["run"]), str(row["fold"]), f"{row['clips']:,}", f"{row['groups']:,}")
        if one.run is None:
            rows.append((*head, "failed", one.reason))
        else:
            value = Interval(**one.run.metrics()["measures"][0]["clips"])
            rows.append((*head, percent(value.value), span(value)))
    return aligned(rows)


def _figures_text(
    figures: Sequence[tuple[str, Interval, list[float]]],
    outcomes: Sequence[Outcome],
    seeds: dict[int, Scored],
) -> str:
    each = [one.run.metrics()["measures"] for one in outcomes if one.run is not None]
    rows = [("over all folds", "figure", "95 % interval", "mean of folds", "spread", "by seed")]
    for i, (name, interval, by_seed) in enumerate(figures):
        values = np.array([m[i]["clips"]["value"] for m in each], dtype=np.float64)
        spread = f"{100 * values.std(ddof=1):.1f} points" if len(values) > 1 else "–"
        told = " ".join(percent(value) for value in by_seed) if len(seeds) > 1 else ""
        rows.append(
            (name, percent(interval.value), span(interval), percent(float(values.mean())), spread, told)
        )
    note = figures[0][1].note
    return aligned(rows) + (f"\nnote: {note}" if note else "")


def _rivals_text(outcomes: Sequence[Outcome]) -> str:
    """What stands beside the network in each fold's report, as the mean of the folds of the first figure."""
    names = {
        "the majority": "the majority",
        "chosen": "the best plain model of each fold",
        "mean": "the mean of both",
    }
    found: dict[str, list[float]] = {}
    for one in outcomes:
        for rival in one.run.metrics()["baselines"] if one.run is not None else ():
            title = names.get(rival["kind"], names.get(rival["name"]))
            if title:
                found.setdefault(title, []).append(rival["measures"][0]["clips"]["value"])
                name = rival["measures"][0]["name"]
    if not found:
        return ""
    each = ", ".join(f"{title} {percent(float(np.mean(values)))}" for title, values in found.items())
    return f"beside it, mean of folds, {name}: {each}"


def _natural(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isdecimal() else (1 << 60, name)
