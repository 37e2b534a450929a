"""What an evaluation found, told as a page: which clips can be heard, which words say what the split was."""

from __future__ import annotations

import platform
from datetime import datetime

import numpy as np
import torch

from earmark import __version__, audio, closeups, drawing, findings, metrics, runcharts, splits
from earmark.clips import ClipTable, read_clips
from earmark.findings import Evaluation
from earmark.metrics import MultiLabelMetrics, SingleLabelMetrics
from earmark.report import Average, Picture, Report, SplitCount, Unreadable
from earmark.run import Run


def tell(run: Run, own: ClipTable, found: Evaluation, own_test: bool) -> Report:
    """The report of an evaluation.

    Args:
        run: the run.
        own: all clips of the run, with their split.
        found: what was found.
        own_test: whether the run's own test split was scored.
    """
    history = run.history()
    best = run.best_epoch
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
        chosen_by=_chosen_by(run, len(history)),
        splits=_split_counts(own) if own_test else (_split_count("these clips", found.scored.table),),
        baselines=found.baselines,
        per_class=found.clips.per_class,
        averages=_averages(found.clips),
        absent=found.clips.absent,
        confusions=metrics.confusions(matrix, classes) if single else (),
        confusion=_confusion_picture(matrix, classes) if single else None,
        classes=classes,
        cells=closeups.cells(found.scored) if single else (),
        history=Picture(
            drawing.history(history, chosen=best),
            f"loss and validation figures over {len(history)} epochs; kept: {best}",
        )
        if len(history)
        else None,
        steps=_steps_picture(run),
        on_training=() if found.learnt is None else findings.plain_measures(found.learnt),
        both_sides=_both_sides(found),
        boundaries=closeups.boundary_pictures(found.scored),
        warnings=found.notes,
        unreadable=_unreadable(run, found, own_test),
        wrong=tuple(closeups.wrong_clips(found.scored)),
        right=tuple(closeups.right_clips(found.scored)),
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


def _confusion_picture(matrix: tuple[tuple[int, ...], ...], classes: tuple[str, ...]) -> Picture:
    worst = metrics.confusions(matrix, classes, most=3)
    said = (
        "; ".join(f"{one.clips} of {one.truth} taken for {one.prediction}" for one in worst) or "no mistakes"
    )
    return Picture(drawing.confusion(matrix, classes), f"confusion matrix of {len(classes)} classes: {said}")


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


def _steps_picture(run: Run) -> Picture | None:
    frame = run.steps()
    if frame is None or not len(frame):
        return None
    median = frame["seconds"].median()
    return Picture(
        runcharts.steps(frame), f"loss of {len(frame):,} minibatches, half of them within {median:.3g} s"
    )


def _both_sides(found: Evaluation) -> Picture | None:
    if found.learnt is None:
        return None
    train, test = (closeups.true_class_scores(one) for one in (found.learnt, found.scored))
    middle = [f"{np.nanmedian(values):.2f}" for values in (train, test)]
    said = f"scores of the true class; the median is {middle[0]} in training and {middle[1]} in the test"
    return Picture(runcharts.both_sides(train, test), said)


def _row(table: ClipTable, i: int, reason: str) -> tuple[str, float, float | None, str]:
    row = table.frame.iloc[i]
    return str(row["file"]), float(row["start"]), None if np.isnan(row["end"]) else float(row["end"]), reason
