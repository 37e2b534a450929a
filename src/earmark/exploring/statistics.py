"""Numbers that describe each clip's sound, by name; or what a run's network makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from earmark.baselines import plain_features, statistics
from earmark.cache import FeatureStore
from earmark.clips import ClipTable
from earmark.dataset import as_features
from earmark.errors import UserError
from earmark.features import Features
from earmark.run import open_run

RATE = 22050
"""Rate in Hz at which clips are described."""


@dataclass(frozen=True, eq=False)
class Described:
    """What every clip is like."""

    names: tuple[str, ...]
    """Of the columns."""
    values: NDArray[np.float64]
    """`[n, D]`; rows of nan where a clip could not be used."""
    what: str
    """In words, for captions."""


def describe_sounds(table: ClipTable, progress: bool = False) -> Described:
    """Statistics of every clip's sound."""
    found = FeatureStore(Features(plain_features(RATE), RATE)).collect(table, progress)
    n = len(found[0].T) if len(found) else 0
    names = tuple(f"mfcc_{i}_{which}" for which in ("mean", "std") for i in range(n))
    values = np.full((len(table), len(names)), np.nan)
    good = np.flatnonzero(found.good())
    if len(good):
        values[good] = statistics([np.asarray(found[i]).T for i in good])
    return Described(names, values, "mean and standard deviation of 20 MFCC")


@torch.inference_mode()
def embed(table: ClipTable, path: Path, progress: bool = False) -> Described:
    """Embeddings of every clip by a run's network, the mean over its crops.

    Raises:
        UserError: no run, or one that knows no sound.
    """
    run = open_run(path)
    if not run.facts.knows_sound:
        raise UserError(path, "it was trained on features alone: no sound is known", "Name another run.")
    model = run.model()
    found = FeatureStore(model.features, model.spec.resampler).collect(table, progress)
    values = np.full((len(table), model.head.in_features), np.nan)
    for i in np.flatnonzero(found.good()):
        features = as_features(np.array(found[i])[None], model.one_dimensional)[0]
        values[i] = model.embed(model.crops(features)).double().mean(dim=0).numpy()
    names = tuple(f"embedding_{i}" for i in range(values.shape[1]))
    return Described(names, values, f"{values.shape[1]} numbers that the network of {path} makes of a clip")
