"""The queue of a project, put into an order; with a run, what it would say of each clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from earmark.clips import ClipTable, format_seconds
from earmark.errors import UserError
from earmark.labelling import ordering
from earmark.labelling.ordering import Drawn
from earmark.labelling.questions import Answer, Question
from earmark.labelling.tasks import Settings
from earmark.labelling.votes import KnownClip
from earmark.tables import did_you_mean, listed

if TYPE_CHECKING:
    from earmark.models.classifier import ModelSpec

STATISTICS_RATE = 22050
"""Rate that clips are heard at where no run says another, in Hz."""


@dataclass(frozen=True)
class Suggestion:
    """What a run would say of a clip."""

    answer: Answer
    score: float
    """How sure it is, in [0, 1]: of several classes, of the least sure."""


@dataclass(frozen=True, eq=False)
class Arrangement:
    """The order of some clips."""

    ids: list[int]
    """The clip that comes first, second, ..."""
    drawn: list[str]
    """How each came to its place: "random", or the name of the order."""
    suggestions: dict[int, Suggestion]
    """Clip -> what the run would say."""


def arrange(
    clips: Sequence[KnownClip], root: Path, question: Question, settings: Settings, progress: bool = False
) -> Arrangement:
    """Put clips into the order that the settings ask for.

    Args:
        clips: those to be asked about.
        root: folder of their files.
        question: what is asked.
        settings: order, run, clip to compare with, seed.
        progress: show bars while sounds are heard.

    Raises:
        UserError: an order that needs a run without one, a run that knows none of the classes, or no such clip.
    """
    table = _table(clips, root)
    rng = np.random.default_rng(settings.seed)
    heard = None if settings.run is None else _hear(table, Path(settings.run), progress)
    drawn = _drawn(clips, table, settings, heard, rng, progress)
    suggestions = {} if heard is None else _suggestions(clips, question, heard, settings.suggest)
    ids = [clips[row].id for row in drawn.rows]
    words: list[str] = ["random" if by_chance else settings.order for by_chance in drawn.by_chance]
    return Arrangement(ids, words, suggestions)


@dataclass(frozen=True, eq=False)
class _Heard:
    """What a run makes of the clips."""

    scores: NDArray[np.float32]
    """`[n, K]`, in its own order of classes; nan where it could not hear."""
    embeddings: NDArray[np.float64]
    spec: ModelSpec
    run: str


def _drawn(
    clips: Sequence[KnownClip],
    table: ClipTable,
    settings: Settings,
    heard: _Heard | None,
    rng: np.random.Generator,
    progress: bool,
) -> Drawn:
    if settings.order == "balanced":
        return ordering.balanced(_kinds(clips, heard), rng)
    if settings.order == "uncertain":
        if heard is None:
            raise UserError(
                "--order uncertain", "no run is named", "Name a run whose scores tell it: --run RUN"
            )
        several = heard.spec.task == "multi-label"
        clusters = ordering.clusters_of(heard.embeddings, settings.seed)
        return ordering.by_margin(ordering.margins_of(heard.scores, several), clusters, rng)
    if settings.order == "similar":
        like = _place_of(settings.like, clips)
        values = heard.embeddings if heard else _statistics(table, progress)
        return ordering.by_likeness(values, like)
    return ordering.at_random(len(clips), rng)


def _kinds(clips: Sequence[KnownClip], heard: _Heard | None) -> list[str]:
    """What to take in turn: the classes that a run gives, else groups, else recordings."""
    if heard is not None:
        return [heard.spec.classes[int(np.nan_to_num(row).argmax())] for row in heard.scores]
    return [clip.known.get("group") or clip.file for clip in clips]


def _place_of(like: str | None, clips: Sequence[KnownClip]) -> int:
    """The clip that a person named as FILE or FILE@START."""
    if not like:
        raise UserError("--order similar", "no clip is named", "Name one: --like FILE@START")
    names = [f"{clip.file}@{format_seconds(clip.start) or '0'}" for clip in clips]
    wanted = {like, *([f"{like}@0"] if like not in names else [])}
    found = [i for i, (name, clip) in enumerate(zip(names, clips, strict=True)) if name in wanted]
    found = found or [i for i, clip in enumerate(clips) if clip.file == like]
    if not found:
        raise UserError(
            f"--like {like}",
            f"none of the {len(clips)} clips that are still open is called so",
            did_you_mean(like, names) or f"They are called like {listed(names, most=2)}.",
        )
    return found[0]


def _table(clips: Sequence[KnownClip], root: Path) -> ClipTable:
    frame = pd.DataFrame(
        {
            "file": pd.Series([clip.file for clip in clips], dtype=object),
            "start": np.array([clip.start for clip in clips], np.float64),
            "end": np.array([np.nan if clip.end is None else clip.end for clip in clips], np.float64),
        }
    )
    return ClipTable(frame, root, (), False)


def _statistics(table: ClipTable, progress: bool) -> NDArray[np.float64]:
    from earmark.describing import describe_sounds

    return describe_sounds(table, STATISTICS_RATE, progress=progress).values


def _hear(table: ClipTable, path: Path, progress: bool) -> _Heard:
    from earmark.cache import FeatureStore
    from earmark.exploring.embedding import embed
    from earmark.prediction import score_clips
    from earmark.run import open_run

    embeddings = embed(table, path, progress).values
    model = open_run(path).model()
    features = FeatureStore(model.features, model.spec.resampler).collect(table, progress)
    return _Heard(score_clips(model, features), embeddings, model.spec, str(path))


def _suggestions(
    clips: Sequence[KnownClip], question: Question, heard: _Heard, wanted: bool
) -> dict[int, Suggestion]:
    """What the run would say of each clip that it could hear; none where its classes are others."""
    places = {name: heard.spec.classes.index(name) for name in question.classes if name in heard.spec.classes}
    if not places or question.kind == "regions":
        if wanted:
            raise UserError(
                heard.run,
                f"it knows {listed(heard.spec.classes)}, so that it can suggest no answer of kind "
                f"{question.kind!r} about {listed(question.classes)}",
                "Name another run, or leave suggestions out.",
            )
        return {}
    thresholds = heard.spec.thresholds or (0.5,) * len(heard.spec.classes)
    return {
        clip.id: _suggestion(question, places, row.astype(float), thresholds)
        for clip, row in zip(clips, heard.scores, strict=True)
        if np.isfinite(row).all()
    }


def _suggestion(
    question: Question, places: dict[str, int], scores: NDArray[np.float64], thresholds: Sequence[float]
) -> Suggestion:
    if question.kind == "one":
        label = max(places, key=lambda name: scores[places[name]])
        return Suggestion({"label": label}, float(scores[places[label]]))
    there = [name for name, place in places.items() if scores[place] >= thresholds[place]]
    sure = min(float(scores[place] if name in there else 1 - scores[place]) for name, place in places.items())
    if question.kind == "tags":
        return Suggestion({"tags": [name for name in question.classes if name in there]}, sure)
    if question.kind == "yes-no":
        return Suggestion({"answer": "yes" if there else "no"}, sure)
    first, last = question.levels[0], question.levels[-1]
    return Suggestion({"levels": {name: first if name in there else last for name in question.classes}}, sure)
