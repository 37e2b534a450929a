"""A recording that is longer than a clip: scored as `predict` does, and explained at the moments that decided."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark import audio
from earmark.errors import UserError
from earmark.explaining.explanation import Options
from earmark.explaining.scoring import class_named
from earmark.models import Classifier, ModelSpec
from earmark.prediction import ClipScores, Predictor

N_MOMENTS = 4
"""Clips of a recording that are explained."""


@dataclass(frozen=True, eq=False)
class Song:
    """A recording's scores over time."""

    file: str
    clips: tuple[ClipScores, ...]
    """From start to end."""
    classes: tuple[str, ...]
    target: int
    """Place of the class that is explained."""
    moments: tuple[tuple[float, float], ...]
    """Start and end of the clips that spoke most for it, by time."""

    def scores(self) -> NDArray[np.float32]:
        """Score of the explained class by clip; NaN where there is none."""
        return np.array([np.nan if one.scores is None else one.scores[self.target] for one in self.clips])


def is_longer(file: Path, spec: ModelSpec) -> bool:
    """Whether `predict` cuts a file into several clips."""
    return audio.probe(file).duration > spec.clip_seconds + 1e-3


def listen(model: Classifier, file: Path, options: Options) -> Song:
    """Score a recording clip by clip, in bounded memory, and choose its moments.

    Raises:
        UserError: nothing in it has scores.
    """
    options.say(f"listening to {file}")
    recording = next(iter(Predictor(model).recordings([file])))
    mean = recording.scores()
    if mean is None:
        raise audio.AudioError(file, recording.reason)
    target = (
        int(mean.argmax()) if options.target is None else class_named(model.spec, options.target, "--class")
    )
    moments = choose_moments(recording.clips, target)
    if not moments:
        raise UserError(file, "no clip of it has scores", "Choose another recording.")
    return Song(str(file), recording.clips, model.spec.classes, target, moments)


def choose_moments(clips: Iterable[ClipScores], target: int) -> tuple[tuple[float, float], ...]:
    """Start and end of the clips that speak most for a class, by time; none is half of another's sound again."""
    known = [(float(one.scores[target]), one.start, one.end) for one in clips if one.scores is not None]
    chosen: list[tuple[float, float]] = []
    for _, start, end in sorted(known, key=lambda one: -one[0]):
        again = any(2 * (min(end, e) - max(start, s)) > end - start for s, e in chosen)
        if not again and len(chosen) < N_MOMENTS:
            chosen.append((start, end))
    return tuple(sorted(chosen))
