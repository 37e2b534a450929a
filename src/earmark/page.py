"""What an evaluation found, told as a page: which clips can be heard, which words say what the split was."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from datetime import datetime

import numpy as np
import torch

from earmark import __version__, audio, drawing, metrics, splits
from earmark.clips import ClipTable, read_clips
from earmark.findings import Evaluation, Scored, truth_of
from earmark.metrics import SingleLabelMetrics
from earmark.prediction import labels_of
from earmark.report import MOST_SOUNDS, Picture, Report, SplitCount, Unreadable, WrongClip
from earmark.run import Run

LONGEST_SOUND = 10.0
"""Seconds of a wrong clip that can be played in the report."""


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
        absent=found.clips.absent,
        confusions=metrics.confusions(matrix, classes) if single else (),
        confusion=_confusion_picture(matrix, classes) if single else None,
        history=Picture(
            drawing.history(history, chosen=best),
            f"loss and validation figures over {len(history)} epochs; kept: {best}",
        )
        if len(history)
        else None,
        warnings=found.notes,
        unreadable=_unreadable(run, found, own_test),
        wrong=tuple(_wrong(found)),
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


def _row(table: ClipTable, i: int, reason: str) -> tuple[str, float, float | None, str]:
    row = table.frame.iloc[i]
    return str(row["file"]), float(row["start"]), None if np.isnan(row["end"]) else float(row["end"]), reason


def _wrong(found: Evaluation) -> Iterable[WrongClip]:
    """Clips whose labels are not the true ones, the surest first; the first of them can be played."""
    scored = found.scored
    known = np.flatnonzero([not reason for reason in scored.reasons])
    truths = {int(i): truth_of(scored, int(i)) for i in known}
    said = {i: labels_of(scored.scores[i], scored.spec) for i in truths}
    wrong = sorted((i for i in truths if truths[i] != said[i]), key=lambda i: -float(scored.scores[i].max()))
    for place, i in enumerate(wrong):
        file, start, end, _ = _row(scored.table, i, "")
        mp3 = _sound(scored, i, start, end) if place < MOST_SOUNDS else None
        yield WrongClip(file, start, end, truths[i], said[i] or "none", float(scored.scores[i].max()), mp3)


def _sound(scored: Scored, i: int, start: float, end: float | None) -> bytes | None:
    """The clip as MP3, at most `LONGEST_SOUND` seconds of it."""
    until = start + LONGEST_SOUND if end is None else min(end, start + LONGEST_SOUND)
    path = scored.table.paths()[i]
    try:
        until = min(until, audio.probe(path).duration) if end is None else until
        return audio.encode_mp3(audio.read(path, 22050, start, until), 22050)
    except audio.AudioError:
        return None
