"""Run + clip table -> scores, metrics with intervals, and a report page."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from earmark import audio, baselines, explaining, findings, intervals, leakage, logbook
from earmark.cache import FeatureStore
from earmark.clips import ClipTable, format_seconds
from earmark.errors import UserError
from earmark.featurefile import read_feature_file
from earmark.files import replacing
from earmark.findings import Evaluation, Scored, truth_of
from earmark.modelcard import write_card
from earmark.page import Drawing, drawings, grouped_by, tell
from earmark.prediction import labels_of, score_clips
from earmark.report import Baseline, BaselineKind, ExplainedClip, Leak, Report, percent, span, write_report
from earmark.run import Run, open_run
from earmark.tables import RowWriter, aligned, counted

MOST_LEARNT = 2000
"""Training clips that are scored, to be shown beside the test clips."""


@dataclass(frozen=True)
class Extent:
    """What an evaluation tells beyond its figures."""

    report: bool = True
    """Plain models beside the network, the page and its pictures; one trial of many goes without."""
    explain: int = 0
    """How many of the surest wrong clips the page explains; each takes some seconds."""


def evaluate(
    path: Path,
    table: ClipTable | None = None,
    out: Path | None = None,
    progress: bool = False,
    extent: Extent = Extent(),
) -> Evaluation:
    """Score a run and write `scores.csv`, `metrics.json` and `report.html`.

    Args:
        path: the run folder.
        table: labelled clips; none: the run's own test split.
        out: folder for the results; none: the run.
        progress: show a bar while features are computed.
        extent: what is told beyond the figures.

    Raises:
        UserError: not a run, classes that the model does not know, no clip that can be scored.
    """
    run = open_run(path)
    own = run.clips()
    train = own.take(own.column("split") == "train")
    chosen = own.take(own.column("split") == "test") if table is None else table
    folder = out or run.path
    _check_folder(folder, run)
    scored = score_table(run, chosen, progress)
    notes = [*run.facts.warnings]
    learnt = own.take(own.column("split") != "test")
    rivals = _baselines(scored, learnt, notes, progress) if extent.report else ()
    found = Evaluation(
        scored=scored,
        clips=findings.figures(scored.targets, scored.scores, scored.spec),
        recordings=findings.recording_figures(scored),
        measures=findings.measures(scored),
        baselines=rivals,
        leak=_leak(run, scored, train, table is None),
        notes=tuple(notes),
        learnt=score_table(run, _some(train), progress)
        if table is None and len(train) and extent.report
        else None,
        folder=folder,
    )
    _write_scores(found)
    _write_predictions(found)
    if extent.report:
        _write_report(run, own, found, explaining.for_report(run, scored, extent.explain), table is None)
    _write_metrics(found)  # the last one: where it is, all is
    return found


def _write_report(
    run: Run, own: ClipTable, found: Evaluation, explained: tuple[ExplainedClip, ...], own_test: bool
) -> None:
    """The page; of the run's own test clips also the model card and the pictures."""
    report = tell(run, own, found, own_test, explained)
    write_report(found.report_path, report)
    if own_test:
        write_card(found.folder / "MODEL_CARD.md", run, found, report)
        _write_pictures(found.folder / "pictures", report, drawings(run, found))
    if own_test and report.confusion is not None:
        logbook.add_picture(run, "confusion", report.confusion.data)


def _check_folder(folder: Path, run: Run) -> None:
    """Refuse a folder that holds something else than an evaluation."""
    if folder == run.path or not folder.exists() or (folder / "metrics.json").is_file():
        return
    if not folder.is_dir() or any(folder.iterdir()):
        raise UserError(folder, "this holds something else than an evaluation", "Choose another -o.")


def score_table(run: Run, table: ClipTable, progress: bool = False) -> Scored:
    """Score the clips of a table by a run's model."""
    model = run.model()
    targets = table.targets(model.spec.classes)
    if not run.facts.knows_sound:
        for path in set(table.paths()):
            read_feature_file(path, run.recipe)  # in case the cache has been emptied
    clips = FeatureStore(model.features, model.spec.resampler).collect(table, progress)
    if not clips.good().any():
        why = sorted({audio.REASONS[reason] for reason in clips.reasons})
        raise UserError(
            table.root, f"none of {len(table)} clips can be scored: {'; '.join(why)}", "Check the root."
        )
    return Scored(
        model.spec, table, targets, score_clips(model, clips), tuple(clips.reasons), tuple(clips.sounds)
    )


def _some(train: ClipTable) -> ClipTable:
    """At most `MOST_LEARNT` training clips, drawn with a fixed seed."""
    if len(train) <= MOST_LEARNT:
        return train
    rows = np.random.default_rng(0).choice(len(train), MOST_LEARNT, replace=False)
    return train.take(np.sort(rows))


def read_scored(run: Run) -> Scored:
    """The run's own test clips with the scores that an evaluation wrote down.

    Raises:
        UserError: it was not evaluated, or its scores are of other clips than its own test split.
    """
    import pandas as pd

    own, spec = run.clips(), run.spec()
    table = own.take(own.column("split") == "test")
    place = run.path / "scores.csv"
    if not place.is_file():
        raise UserError(place, "no such file", f"Write it by: earmark evaluate {run.path}")
    rows = pd.read_csv(place, dtype=str, keep_default_na=False, encoding_errors="surrogateescape")
    keys = list(rows.iloc[:, :3].itertuples(index=False, name=None))
    columns = (table.frame["file"], table.frame["start"], table.frame["end"])
    wanted = [(name, format_seconds(a), format_seconds(b)) for name, a, b in zip(*columns, strict=True)]
    if keys != wanted or tuple(rows.columns[4:]) != spec.classes:
        raise UserError(
            place, "these are not the scores of the run's test clips", f"Again: earmark evaluate {run.path}"
        )
    scores = rows.iloc[:, 4:].replace("", "nan").to_numpy(np.float32)
    reasons = tuple(rows["reason"])
    return Scored(spec, table, table.targets(spec.classes), scores, reasons, ("",) * len(rows))


def describe(found: Evaluation) -> str:
    """The headline figures, baselines and warnings, for a terminal."""
    rows = [("", "figure", "95 % interval")]
    for measure in found.measures:
        rows.append((measure.name, percent(measure.clips.value), span(measure.clips)))
        if measure.recordings is not None:
            rows.append(
                ("  of whole recordings", percent(measure.recordings.value), span(measure.recordings))
            )
    first = found.measures[0].name
    for rival in found.baselines:
        value = next(m.clips for m in rival.measures if m.name == first)
        rows.append((f"{first} of {rival.title}", percent(value.value), span(value)))
    if found.leak.grouped is not None:
        rows.append(
            (f"{first} with whole groups", percent(found.leak.grouped.value), span(found.leak.grouped))
        )
    mark = {"no": "", "possible": found.leak.why, "leaks": f"LEAKS: {found.leak.why}"}[found.leak.status]
    notes = [found.measures[0].clips.note, *found.notes, mark]
    without = (
        f"{counted(found.n_unusable, 'clip')} without scores: see the column reason"
        if found.n_unusable
        else ""
    )
    return "\n".join([aligned(rows), *(f"note: {note}" for note in [*notes, without] if note)])


# -- what is beside the network ------------------------------------------------------------------------------


def _baselines(scored: Scored, learnt: ClipTable, notes: list[str], progress: bool) -> tuple[Baseline, ...]:
    """The majority, cheap models trained on the run's training and validation clips, and the mean with the best."""
    targets = learnt.targets(scored.spec.classes)
    majority = baselines.majority_scores(targets, len(scored.table), len(scored.spec.classes))
    found = [findings.rival("the majority", "the commonest class, always", scored, majority)]
    try:
        rungs, what = baselines.ladder_of_clips(learnt, targets, scored.table, scored.spec, progress)
    except UserError as error:
        notes.append(f"the plain models were not measured: {error}")
        return tuple(found)
    if len(learnt) > baselines.MOST_LEARNT:
        notes.append(f"the plain models learnt from {baselines.MOST_LEARNT:,} of {len(learnt):,} clips")
    first = found[0].measures[0].name
    for rung in rungs:
        words = f"on {what}; {first} {percent(rung.merit)} on training groups held out"
        kind: BaselineKind = "chosen" if rung.chosen else "rival"
        found.append(findings.rival(rung.name, words, scored, rung.scores, kind))
    chosen = next(rung for rung in rungs if rung.chosen)
    both = (scored.scores + chosen.scores) / 2
    words = f"of the network's scores and those of {chosen.name}, the best on training groups held out"
    found.append(findings.rival("the mean of both", words, scored, both, "mean"))
    return tuple(found)


def _leak(run: Run, scored: Scored, train: ClipTable, own_test: bool) -> Leak:
    """Whether test clips have near relatives in training."""
    if run.facts.protocol == "segments":
        why = "the split is by segment: parts of one recording are on both sides"
        if not run.facts.knows_sound:
            why = "no song names are known: parts of one song may be on both sides"
        return Leak("leaks", why, _twins_figure(run) if own_test else None)
    if not own_test:
        shared = _shared(run, scored, train)
        if shared:
            return Leak(
                "leaks",
                f"{shared} of the {len(scored.table)} clips are, or belong to, clips that it trained on",
            )
    known = leakage.check_grouping(run.clips())
    if known:
        return Leak("possible", known[0])
    if {"group", "artist"} & set(train.frame.columns):
        return Leak("no", f"whole {grouped_by(train)}s are on one side")
    return Leak(
        "possible", "only recordings are known to be on one side: give a column group (song, player, place)"
    )


def _twins_figure(run: Run) -> intervals.Interval | None:
    """The first figure of the run's grouped twin, if there is one."""
    if not Run(run.twin_path).is_trained:
        return None
    return evaluate(run.twin_path).measures[0].clips


def _shared(run: Run, scored: Scored, train: ClipTable) -> int:
    """Clips that share a group or a sound with the training clips."""
    model = run.model()
    known = set(FeatureStore(model.features, model.spec.resampler).collect(train).sounds) - {""}
    together = [sound in known for sound in scored.sounds]
    for name in ("group", "artist"):
        mine, theirs = scored.table.column(name), train.column(name)
        if mine is not None and theirs is not None:
            together = [a or (b != "" and b in set(theirs)) for a, b in zip(together, mine, strict=True)]
    return sum(together)


# -- files --------------------------------------------------------------------------------------------------


def _write_scores(found: Evaluation) -> None:
    scored = found.scored
    keys = zip(
        scored.table.frame["file"], scored.table.frame["start"], scored.table.frame["end"], strict=True
    )
    with replacing(found.folder / "scores.csv", newline="", errors="surrogateescape") as file:
        writer = RowWriter(file)
        writer.writerow(["file", "start", "end", "reason", *scored.spec.classes])
        for (name, start, end), reason, scores in zip(keys, scored.reasons, scored.scores, strict=True):
            cells = [""] * len(scores) if reason else [f"{score:.6f}" for score in scores]
            writer.writerow([name, format_seconds(start), format_seconds(end), reason, *cells])


def _write_predictions(found: Evaluation) -> None:
    """A row a clip: its key, truth, prediction and a score a class (system E's table)."""
    scored, rows = found.scored, []
    for i, reason in enumerate(scored.reasons):
        key = scored.table.frame.iloc[i]
        said = "" if reason else labels_of(scored.scores[i], scored.spec)
        cells = [""] * len(scored.spec.classes) if reason else [f"{score:.6f}" for score in scored.scores[i]]
        place = [key["file"], format_seconds(key["start"]), format_seconds(key["end"])]
        rows.append([*place, truth_of(scored, i), said, reason, *cells])
    with replacing(found.folder / "predictions.csv", newline="", errors="surrogateescape") as file:
        writer = RowWriter(file)
        writer.writerow(["file", "start", "end", "truth", "prediction", "reason", *scored.spec.classes])
        writer.writerows(rows)


def _write_pictures(folder: Path, report: Report, drawn: dict[str, Drawing]) -> None:
    """The report's pictures as PNG, as they stand in it, and as SVG."""
    for name, one in drawn.items():
        with replacing(folder / f"{name}.png", "wb") as file:
            file.write(getattr(report, name).data)
        with replacing(folder / f"{name}.svg", "wb") as file:
            file.write(one.draw("svg"))


def _write_metrics(found: Evaluation) -> None:
    values = {
        "clips": dataclasses.asdict(found.clips),
        "recordings": None if found.recordings is None else dataclasses.asdict(found.recordings),
        "measures": [dataclasses.asdict(one) for one in found.measures],
        "baselines": [dataclasses.asdict(one) for one in found.baselines],
        "leak": dataclasses.asdict(found.leak),
        "notes": found.notes,
        "classes": found.scored.spec.classes,
    }
    with replacing(found.folder / "metrics.json") as file:
        json.dump(values, file, indent=1, ensure_ascii=False, allow_nan=False)
