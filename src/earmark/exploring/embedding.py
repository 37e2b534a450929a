"""What a run's network makes of each clip's sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from earmark.cache import FeatureStore
from earmark.clips import ClipTable
from earmark.dataset import as_features
from earmark.describing import Described
from earmark.errors import UserError
from earmark.run import open_run


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
        crops = model.crops(features)
        values[i] = crops.mean(model.embed(crops.values).double()).numpy()
    names = tuple(f"embedding_{i}" for i in range(values.shape[1]))
    return Described(names, values, f"{values.shape[1]} numbers that the network of {path} makes of a clip")
