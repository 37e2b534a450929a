"""What an evaluation found: clips with their scores, and the figures that follow from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark import intervals, metrics, splits
from earmark.clips import ClipTable
from earmark.metrics import MultiLabelMetrics, SingleLabelMetrics
from earmark.models import ModelSpec
from earmark.report import Baseline, BaselineKind, Leak, Measure

Statistic = Callable[[metrics.Counts], NDArray[np.float64]]


@dataclass(frozen=True)
class Scored:
    """Clips with what the model says of them."""

    spec: ModelSpec
    """The model."""
    table: ClipTable
    """The clips, with their truth."""
    targets: NDArray[np.int64] | NDArray[np.float32]
    """`[n]`, or `[n, n_classes]` in a multi-label table."""
    scores: NDArray[np.float32]
    """`[n, n_classes]`; a row of NaN where there is none."""
    reasons: tuple[str, ...]
    """Why a clip has no scores; empty for the others."""
    sounds: tuple[str, ...]
    """Hash of each clip's waveform."""


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found."""

    scored: Scored
    """The clips and their scores."""
    clips: SingleLabelMetrics | MultiLabelMetrics
    """Figures over clips."""
    recordings: SingleLabelMetrics | MultiLabelMetrics | None
    """Figures over recordings (mean of their clips' scores); none where each recording is one clip."""
    measures: tuple[Measure, ...]
    """The headline figures with their intervals."""
    baselines: tuple[Baseline, ...]
    """What something plain reaches on the same clips."""
    leak: Leak
    """Whether what was tested on is also in training."""
    notes: tuple[str, ...]
    """What the reader should know."""
    learnt: Scored | None
    """Clips that the network was trained on, scored too; none where other clips than the run's test were scored."""
    folder: Path
    """Where `scores.csv`, `metrics.json` and `report.html` are."""

    @property
    def report_path(self) -> Path:
        """The page."""
        return self.folder / "report.html"

    @property
    def n_unusable(self) -> int:
        """Clips without scores."""
        return sum(map(bool, self.scored.reasons))


def figures(
    targets: NDArray[np.int64] | NDArray[np.float32], scores: NDArray[np.floating], spec: ModelSpec
) -> SingleLabelMetrics | MultiLabelMetrics:
    """All figures of scores `[n, n_classes]` against targets `[n]` or `[n, n_classes]`."""
    if targets.ndim == 1:
        return metrics.single_label(targets, scores, spec.classes)
    return metrics.multi_label(targets, scores, spec.classes, spec.thresholds or 0.5)


def recording_figures(scored: Scored) -> SingleLabelMetrics | MultiLabelMetrics | None:
    """Figures over recordings whose clips all have the same truth."""
    found = metrics.by_recording(scored.scores, scored.table.frame["file"])
    if len(found.recordings) == len(scored.table):
        return None
    one_truth = found.agree(scored.targets)
    if not (one_truth & ~np.isnan(found.scores[:, 0])).any():
        return None
    return figures(scored.targets[found.first][one_truth], found.scores[one_truth], scored.spec)


def statistics_of(scored: Scored) -> tuple[tuple[str, Statistic, str], ...]:
    """The headline figures: name, function of counts, and meaning; the first one decides."""
    if scored.targets.ndim == 2:
        return (
            ("macro F1", metrics.macro_f1, "F1 a class, each class counting the same"),
            ("micro F1", metrics.micro_f1, "F1 of all labels together"),
        )
    return (
        ("accuracy", metrics.accuracy, "share of test clips that were given the right class"),
        ("macro F1", metrics.macro_f1, "F1 a class, each class counting the same"),
        ("balanced accuracy", metrics.balanced_accuracy, "share right a class, each class counting the same"),
    )


def counts_of(scored: Scored, scores: NDArray[np.floating] | None = None) -> metrics.Counts:
    """Hits and misses of each clip by the network's scores, or by others."""
    given = scored.scores if scores is None else scores
    return metrics.count(scored.targets, given, scored.spec.thresholds or 0.5)


def measures(scored: Scored) -> tuple[Measure, ...]:
    """The headline figures over clips, and over recordings where those have several, with intervals."""
    groups, files = splits.units(scored.table, fold=False), scored.table.frame["file"].to_numpy()
    over_clips = counts_of(scored)
    by_file = metrics.by_recording(scored.scores, files)
    rows = np.flatnonzero(by_file.agree(scored.targets))
    whole = len(by_file.recordings) < len(scored.table) and not np.isnan(by_file.scores[rows]).all()
    over_files = metrics.count(
        scored.targets[by_file.first][rows], by_file.scores[rows], scored.spec.thresholds or 0.5
    )
    return tuple(
        Measure(
            name,
            intervals.bootstrap(statistic, over_clips, groups=groups, recordings=files),
            intervals.bootstrap(statistic, over_files, groups=groups[by_file.first][rows]) if whole else None,
            meaning,
        )
        for name, statistic, meaning in statistics_of(scored)
    )


def plain_measures(scored: Scored) -> tuple[Measure, ...]:
    """The headline figures over clips, without intervals."""
    counts = counts_of(scored)
    total = counts.map(lambda x: x.sum(axis=0))
    return tuple(
        Measure(name, intervals.Interval(float(statistic(total))), None, meaning)
        for name, statistic, meaning in statistics_of(scored)
    )


def rival(
    name: str, what: str, scored: Scored, scores: NDArray[np.floating], kind: BaselineKind = "rival"
) -> Baseline:
    """The headline figures of other scores `[n, n_classes]` of the same clips, and how far the network is ahead."""
    scores = np.where(np.isnan(scored.scores[:, :1]), np.nan, scores)
    groups, files = splits.units(scored.table, fold=False), scored.table.frame["file"].to_numpy()
    theirs, ours = counts_of(scored, scores), counts_of(scored)
    found = tuple(
        Measure(each, intervals.bootstrap(statistic, theirs, groups=groups, recordings=files), None, meaning)
        for each, statistic, meaning in statistics_of(scored)
    )
    first = statistics_of(scored)[0][1]
    difference = intervals.bootstrap(
        lambda a, b: first(a) - first(b), ours, theirs, groups=groups, recordings=files
    )
    return Baseline(name, found, difference, what, kind)


def truth_of(scored: Scored, i: int) -> str:
    """The true label of a clip; several, joined by `|`, in a multi-label table."""
    target = scored.targets[i]
    if scored.targets.ndim == 1:
        return scored.spec.classes[int(target)]
    return "|".join(name for name, value in zip(scored.spec.classes, target, strict=True) if value == 1)
