"""What an evaluation found, told as a page: which clips can be heard, which words say what the split was."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import torch

from earmark import __version__, audio, closeups, drawing, findings, metrics, runcharts, splits
from earmark.canvas import Format
from earmark.clips import ClipTable, read_clips
from earmark.findings import Evaluation
from earmark.metrics import MultiLabelMetrics, SingleLabelMetrics
from earmark.report import Average, ExplainedClip, Picture, Report, SplitCount, Unreadable
from earmark.run import Run


def tell(
    run: Run, own: ClipTable, found: Evaluation, own_test: bool, explained: tuple[ExplainedClip, ...] = ()
) -> Report:
    """The report of an evaluation.

    Args:
        run: the run.
        own: all clips of the run, with their split.
        found: what was found.
        own_test: whether the run's own test split was scored.
        explained: clips with what convinced the network of them.
    """
    n_epochs = len(run.history())
    drawn = {name: Picture(one.draw("png"), one.alt) for name, one in drawings(run, found).items()}
    single = isinstance(found.clips, SingleLabelMetrics)
    matrix = found.clips.confusion if isinstance(found.clips, SingleLabelMetrics) else ()
    classes = found.scored.spec.classes
    return Report(
        run=run.path.resolve().name,
        made=f"{datetime.now():%Y-%m-%d %H:%M}",
        command=f"earmark evaluate {run.path}" + ("" if own_test else f" ... -o {found.folder}"),
        measures=found.measures,
        leak=found.leak,
        grouped_by=grouped_by(own),
        chosen_by=_chosen_by(run, n_epochs),
        splits=_split_counts(own) if own_test else (_split_count("these clips", found.scored.table),),
        baselines=found.baselines,
        per_class=found.clips.per_class,
        averages=_averages(found.clips),
        absent=found.clips.absent,
        confusions=metrics.confusions(matrix, classes) if single else (),
        confusion=drawn.get("confusion"),
        classes=classes,
        cells=closeups.cells(found.scored) if single else (),
        history=drawn.get("history"),
        steps=drawn.get("steps"),
        on_training=() if found.learnt is None else findings.plain_measures(found.learnt),
        both_sides=drawn.get("both_sides"),
        boundaries=closeups.boundary_pictures(found.scored),
        warnings=found.notes,
        unreadable=_unreadable(run, found, own_test),
        wrong=tuple(closeups.wrong_clips(found.scored)),
        right=tuple(closeups.right_clips(found.scored)),
        explained=explained,
        versions=(
            ("earmark", __version__),
            ("torch", torch.__version__),
            ("python", platform.python_version()),
        ),
    )


def _chosen_by(run: Run, n_epochs: int) -> str:
    """What chose the epoch, in words."""
    monitor, best = run.recipe.training.monitor, run.best_epoch
    if monitor == "none" or run.history()["valid_loss"].isna().all():
        return f"nothing, the last epoch is kept: {best} of {n_epochs}"
    return f"best validation {monitor.replace('_f1', ' F1')}: epoch {best} of {n_epochs}"


def grouped_by(table: ClipTable) -> str:
    """What a split of the table keeps whole, in words."""
    names = [name for name in ("group", "artist") if name in table.frame]
    return " and ".join(names) or "recording"


@dataclass(frozen=True)
class Drawing:
    """A picture that can be drawn in either format, and the words for those who do not see it."""

    draw: Callable[[Format], bytes]
    alt: str


def drawings(run: Run, found: Evaluation) -> dict[str, Drawing]:
    """The pictures of a report by name, as far as there is something to draw."""
    every = (_confusion(found), _history(run), _steps(run), _both_sides(found))
    names = ("confusion", "history", "steps", "both_sides")
    return {name: one for name, one in zip(names, every, strict=True) if one is not None}


def _confusion(found: Evaluation) -> Drawing | None:
    if not isinstance(found.clips, SingleLabelMetrics):
        return None
    matrix, classes = found.clips.confusion, found.scored.spec.classes
    worst = metrics.confusions(matrix, classes, most=3)
    said = (
        "; ".join(f"{one.clips} of {one.truth} taken for {one.prediction}" for one in worst) or "no mistakes"
    )
    return Drawing(
        lambda format: drawing.confusion(matrix, classes, format=format),
        f"confusion matrix of {len(classes)} classes: {said}",
    )


def _history(run: Run) -> Drawing | None:
    rows, best = run.history(), run.best_epoch
    if not len(rows):
        return None
    return Drawing(
        lambda format: drawing.history(rows, chosen=best, format=format),
        f"loss and validation figures over {len(rows)} epochs; kept: {best}",
    )


def _split_counts(table: ClipTable) -> tuple[SplitCount, ...]:
    split = table.column("split")
    return tuple(_split_count(name, table.take(split == name)) for name in ("train", "valid", "test"))


def _split_count(name: str, table: ClipTable) -> SplitCount:
    return SplitCount(
        name, len(table), table.frame["file"].nunique(), len(set(splits.units(table, fold=False)))
    )


def _unreadable(run: Run, found: Evaluation, own_test: bool) -> tuple[Unreadable, ...]:
    rows = [_row(found.scored.table, i, why) for i, why in enumerate(found.scored.reasons) if why]
    if own_test and run.unusable_path.exists():
        left_out = read_clips(run.unusable_path, labels=False)
        rows += [_row(left_out, i, str(why)) for i, why in enumerate(left_out.frame["reason"])]
    return tuple(Unreadable(*row[:3], audio.REASONS.get(row[3], row[3])) for row in rows)


def _averages(found: SingleLabelMetrics | MultiLabelMetrics) -> tuple[Average, ...]:
    """The lines beneath the classes, as in scikit-learn's classification report."""
    lines = [("mean of the classes (macro)", found.macro)]
    if isinstance(found, SingleLabelMetrics):
        lines.append(("weighted by clips", found.weighted))
    else:
        lines.append(("all labels together (micro)", found.micro))
    return tuple(Average(name, one.precision, one.recall, one.f1) for name, one in lines)


def _steps(run: Run) -> Drawing | None:
    frame = run.steps()
    if frame is None or not len(frame):
        return None
    median = frame["seconds"].median()
    return Drawing(
        lambda format: runcharts.steps(frame, format=format),
        f"loss of {len(frame):,} minibatches, half of them within {median:.3g} s",
    )


def _both_sides(found: Evaluation) -> Drawing | None:
    if found.learnt is None:
        return None
    train, test = (closeups.true_class_scores(one) for one in (found.learnt, found.scored))
    middle = [f"{np.nanmedian(values):.2f}" for values in (train, test)]
    return Drawing(
        lambda format: runcharts.both_sides(train, test, format=format),
        f"scores of the true class; the median is {middle[0]} in training and {middle[1]} in the test",
    )


def _row(table: ClipTable, i: int, reason: str) -> tuple[str, float, float | None, str]:
    row = table.frame.iloc[i]
    return str(row["file"]), float(row["start"]), None if np.isnan(row["end"]) else float(row["end"]), reason
