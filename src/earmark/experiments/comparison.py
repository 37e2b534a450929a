"""Runs beside each other: figures, paired differences, the settings that differ, and their learning curves."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from earmark import findings, intervals, runcharts, settings
from earmark.clips import format_seconds
from earmark.errors import UserError
from earmark.evaluation import read_scored
from earmark.files import replacing
from earmark.findings import Scored
from earmark.intervals import Interval
from earmark.models import KINDS
from earmark.report import percent, points, span
from earmark.run import Run, open_run
from earmark.splits import units
from earmark.tables import aligned, counted, listed

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Row:
    """One run of a comparison."""

    run: Run
    scored: Scored
    leak: str
    figure: Interval
    """The first figure on all its own test clips."""
    difference: Interval | None
    """To the best run, on the clips that both were tested on; none of the best itself, and without such clips."""
    n_common: int
    settings: Mapping[str, str]
    """Those that differ between the runs, as TOML has them."""


def compare(paths: Sequence[Path]) -> tuple[Row, ...]:
    """Runs with their figures, the best first.

    Args:
        paths: run folders, two or more; a folder that is no run but holds some (`runs/`) stands for those.

    Raises:
        UserError: fewer than two runs, one that was not evaluated, or runs with different classes.
    """
    runs = [open_run(path) for path in _expanded(paths)]
    if len(runs) < 2:
        raise UserError(
            "earmark compare", f"found {counted(len(runs), 'run')}, wanted two at least", "Name more."
        )
    scored = [read_scored(run) for run in runs]
    for run, one in zip(runs, scored, strict=True):
        _check_same_classes(runs[0], scored[0], run, one)
    differing = settings_that_differ(runs)
    statistic = findings.statistics_of(scored[0])[0][1]
    found = [
        (run, one, Interval(**run.metrics()["measures"][0]["clips"]))
        for run, one in zip(runs, scored, strict=True)
    ]
    found.sort(key=lambda entry: -(entry[2].value or 0.0))
    best = found[0][1]
    rows = []
    for run, one, figure in found:
        n, difference = (0, None) if one is best else paired(best, one, statistic)
        rows.append(
            Row(run, one, run.metrics()["leak"]["status"], figure, difference, n, differing[run.path])
        )
    return tuple(rows)


def _expanded(paths: Sequence[Path]) -> list[Path]:
    """The runs, each once; a folder of runs is taken for what is in it."""
    found: list[Path] = []
    for path in paths:
        inner = []
        if path.is_dir() and not (path / "run.toml").is_file():
            inner = sorted(p.parent for p in [*path.glob("*/run.toml"), *path.glob("runs/*/run.toml")])
        found += inner or [path]
    return list(dict.fromkeys(found))


def _check_same_classes(first: Run, its: Scored, run: Run, one: Scored) -> None:
    ours, theirs = set(its.spec.classes), set(one.spec.classes)
    if ours != theirs or its.targets.ndim != one.targets.ndim:
        only = listed(sorted(ours ^ theirs)) or "one is multi-label"
        raise UserError(
            run.path,
            f"its classes are not those of {first.path}: {only}",
            "Compare runs that know the same classes.",
        )


def paired(best: Scored, other: Scored, statistic: findings.Statistic) -> tuple[int, Interval | None]:
    """Clips that both were tested on, and other minus best there, whole groups resampled in pairs."""
    place = {key: i for i, key in enumerate(_keys(best))}
    pairs = [(place[key], i) for i, key in enumerate(_keys(other)) if key in place]
    ours, theirs = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    a, b = _rows_of(best, ours), _rows_of(other, theirs, best.spec.classes)
    known = ~(np.isnan(a.scores).any(axis=1) | np.isnan(b.scores).any(axis=1))
    same = np.array([x == y for x, y in zip(a.targets.tolist(), b.targets.tolist(), strict=True)], dtype=bool)
    if a.targets.ndim == 2:
        same = np.ones(len(a.targets), dtype=bool)
    rows = np.flatnonzero(known & same)
    if not len(rows):
        return 0, None
    a, b = _rows_of(a, rows), _rows_of(b, rows)
    groups, files = units(a.table, fold=False), a.table.frame["file"].to_numpy()
    return len(rows), intervals.bootstrap(
        lambda x, y: statistic(x) - statistic(y),
        findings.counts_of(b),
        findings.counts_of(a),
        groups=groups,
        recordings=files,
    )


def _keys(scored: Scored) -> list[tuple[Path, str, str]]:
    frame = scored.table.frame
    return [
        (path, format_seconds(start), format_seconds(end))
        for path, start, end in zip(scored.table.paths(), frame["start"], frame["end"], strict=True)
    ]


def _rows_of(scored: Scored, rows: np.ndarray, classes: tuple[str, ...] | None = None) -> Scored:
    """Some of the clips; with classes, their columns in that order."""
    order = [scored.spec.classes.index(name) for name in classes or scored.spec.classes]
    targets = scored.targets[rows]
    targets = np.argsort(order)[targets] if targets.ndim == 1 else targets[:, order]
    return dataclasses.replace(
        scored,
        spec=dataclasses.replace(scored.spec, classes=tuple(scored.spec.classes[i] for i in order)),
        table=scored.table.take(rows),
        targets=targets,
        scores=scored.scores[rows][:, order],
        reasons=tuple(scored.reasons[i] for i in rows),
        sounds=tuple(scored.sounds[i] for i in rows),
    )


def settings_that_differ(runs: Sequence[Run]) -> dict[Path, dict[str, str]]:
    """Of each run the settings that are not the same in all, as TOML; `(none)` where there is no such setting."""
    flat = {run.path: dict(_flat(settings.table(run.recipe, KINDS))) for run in runs}
    keys = list(dict.fromkeys(key for one in flat.values() for key in one if not key.startswith("about.")))
    differing = [key for key in keys if len({one.get(key, "(none)") for one in flat.values()}) > 1]
    return {path: {key: one.get(key, "(none)") for key in differing} for path, one in flat.items()}


def _flat(values: Mapping[str, object], before: str = "") -> list[tuple[str, str]]:
    found = []
    for key, value in values.items():
        name = f"{before}{key}"
        found += (
            _flat(value, f"{name}.") if isinstance(value, Mapping) else [(name, settings.write_value(value))]
        )
    return found


# -- told ---------------------------------------------------------------------------------------------------


def describe(rows: Sequence[Row]) -> str:
    """The comparison for a terminal."""
    name = rows[0].run.metrics()["measures"][0]["name"]
    keys = list(rows[0].settings)
    table = [("run", name, "95 % interval", "to the best, on common clips", "clips", "")]
    for row in rows:
        ahead = "the best" if row is rows[0] else "no common clip"
        ahead = ahead if row.difference is None else points(row.difference)
        clips = f"{row.n_common or len(row.scored.table):,}"
        mark = {"no": "", "possible": "may leak", "leaks": "LEAKS"}[row.leak]
        table.append((str(row.run.path), percent(row.figure.value), span(row.figure), ahead, clips, mark))
    lines = [aligned(table)]
    if keys:
        lines += ["", "settings that differ:", aligned(
            [("run", *keys), *((str(row.run.path), *row.settings.values()) for row in rows)]
        )]  # fmt: skip
    else:
        lines += ["", "all settings are the same"]
    if any(row.difference is not None and row.n_common < len(row.scored.table) for row in rows[1:]):
        lines += ["", "note: not all were tested on the same clips; a difference is that of the common ones"]
    if any(row.leak == "leaks" for row in rows) and any(row.leak != "leaks" for row in rows):
        lines += ["", "note: figures that leak are not to be held against those that do not"]
    return "\n".join(lines)


def write(rows: Sequence[Row], folder: Path) -> None:
    """Write `compare.csv`, `curves.png|svg` and `figures.png|svg`.

    Raises:
        UserError: the folder holds something else.
    """
    if (
        folder.exists()
        and (not folder.is_dir() or any(folder.iterdir()))
        and not (folder / "compare.csv").is_file()
    ):
        raise UserError(folder, "this holds something else than a comparison", "Choose another -o.")
    name = rows[0].run.metrics()["measures"][0]["name"]
    records = []
    for row in rows:
        one: dict[str, object] = {"run": str(row.run.path), "leak": row.leak}
        for measure in row.run.metrics()["measures"]:
            key, found = measure["name"].replace(" ", "_"), measure["clips"]
            one |= {key: found["value"], f"{key}_low": found["low"], f"{key}_high": found["high"]}
        gap = row.difference
        one |= {
            "difference": gap and gap.value, "difference_low": gap and gap.low, "difference_high": gap and gap.high,
            "common_clips": row.n_common or None,
        }  # fmt: skip
        records.append(one | dict(row.settings))
    with replacing(folder / "compare.csv", newline="", errors="surrogateescape") as file:
        pd.DataFrame(records).to_csv(file, index=False, float_format="%.6g")
    histories = [(row.run.path.name, row.run.history()) for row in rows]
    bars = [(row.run.path.name, None, row.figure) for row in rows]
    for format in ("png", "svg"):
        with replacing(folder / f"curves.{format}", "wb") as file:
            file.write(runcharts.curves(histories, format=format))
        with replacing(folder / f"figures.{format}", "wb") as file:
            title = f"{name.capitalize()} of each run on its own test clips"
            file.write(runcharts.figures(bars, name, title=title, format=format))
