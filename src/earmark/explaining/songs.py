"""A recording that is longer than a clip: scored as `predict` does, and explained at the moments that decided."""

from __future__ import annotations

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
    known = [one for one in recording.clips if one.scores is not None]
    best = sorted(known, key=lambda one: -float(one.scores[target]))[:N_MOMENTS]  # type: ignore[index]
    moments = sorted((one.start, one.end) for one in best)
    if not moments:
        raise UserError(file, "no clip of it has scores", "Choose another recording.")
    return Song(str(file), recording.clips, model.spec.classes, target, tuple(moments))
