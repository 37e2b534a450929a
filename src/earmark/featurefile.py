"""MFCCs of segments as one JSON file (`mapping`, `mfcc`, `labels`): written for others, and read into the cache."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from earmark.cache import ClipFeatures, FeatureStore
from earmark.clips import ClipTable
from earmark.cutting import cut
from earmark.errors import UserError
from earmark.features import MFCC, Features
from earmark.files import replacing
from earmark.probing import FEATURE_SUFFIX, probe_all
from earmark.recipe import Recipe

KEYS = ("mapping", "mfcc", "labels")
SEGMENT_SECONDS = 3.0
"""What one entry is about where the recipe does not cut segments."""


def write_feature_file(table: ClipTable, recipe: Recipe, out: Path, progress: bool = False) -> ClipFeatures:
    """Write the MFCCs of a table's clips, cut as the recipe says: a row of coefficients a frame.

    Args:
        table: labelled clips.
        recipe: its features have to be MFCCs.
        out: the JSON file.
        progress: show a bar while features are computed.

    Returns:
        The features; `reasons` tells which clips could not be used and are not in the file.

    Raises:
        UserError: features of another kind, a multi-label table, a recording that cannot be opened.
    """
    if not isinstance(recipe.features, MFCC) or table.multi_label:
        raise UserError(
            "earmark features",
            "this format holds MFCCs of clips with one label each",
            "Take such a recipe and table.",
        )
    infos, readable, _ = probe_all(table)
    clips = cut(readable, np.array([infos[path].duration for path in readable.paths()]), recipe.clips)
    store = FeatureStore(Features(recipe.features, recipe.audio.sample_rate), recipe.audio.resampler)
    features, targets = store.collect(clips, progress), clips.targets()
    with replacing(out) as file:
        file.write('{"mapping": ' + json.dumps(list(clips.classes)) + ', "mfcc": [')
        good = np.flatnonzero(features.good()).tolist()
        for place, i in enumerate(good):
            file.write((", " if place else "") + json.dumps(np.round(features[i], 5).tolist()))
        file.write('], "labels": ' + json.dumps([int(targets[i]) for i in good]) + "}\n")
    return features


def is_feature_file(path: Path) -> bool:
    """Whether a path is taken for such a file: by its name."""
    return path.suffix.lower() == FEATURE_SUFFIX


def read_feature_file(path: Path, recipe: Recipe) -> ClipTable:
    """Put the features of a file into the cache, as those of clips `<file>, i * 3 s, (i + 1) * 3 s`.

    Args:
        path: the JSON file.
        recipe: what the features are taken for; their number of coefficients and frames has to fit.

    Raises:
        UserError: not such a file, entries of unequal shape, labels without a name, features of another shape.
    """
    mapping, mfcc, labels = _read(path)
    store = FeatureStore(Features(recipe.features, recipe.audio.sample_rate), recipe.audio.resampler)
    seconds = recipe.clips.segment_seconds or SEGMENT_SECONDS
    wanted = store.features.shape(round(seconds * recipe.audio.sample_rate))[1:]
    if not isinstance(recipe.features, MFCC) or mfcc.shape[1:] != wanted[::-1]:
        raise UserError(
            path,
            f"found {mfcc.shape[1]} frames of {mfcc.shape[2]} coefficients, the recipe's features have {wanted[::-1]}",
            "Take the recipe that they were made for, or change its [features].",
        )
    n = len(mfcc)
    starts = np.arange(n) * seconds
    frame = pd.DataFrame({"file": path.name, "start": starts.round(6), "end": (starts + seconds).round(6)})
    frame["file"] = frame["file"].astype(object)
    frame["label"] = np.array(mapping, dtype=object)[labels]
    table = ClipTable(frame, path.parent, tuple(sorted(set(frame["label"]))), False)
    store.insert(table, path, list(mfcc))
    return table


def leaking(recipe: Recipe) -> Recipe:
    """The recipe with a split by segment: which segments are of one song is not known."""
    return dataclasses.replace(recipe, split=dataclasses.replace(recipe.split, protocol="segments"))


def _read(path: Path) -> tuple[list[str], NDArray[np.float32], NDArray[np.int64]]:
    try:
        values = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UserError(path, f"cannot be read: {error.strerror}", "Check the path.") from error
    except ValueError as error:
        raise UserError(path, f"this is not JSON: {error}", "Write it again.") from error
    missing = [key for key in KEYS if not isinstance(values, dict) or not isinstance(values.get(key), list)]
    if missing:
        raise UserError(path, f"found no list {missing[0]!r}, wanted {', '.join(KEYS)}", "Write it again.")
    try:
        mfcc = np.array(values["mfcc"], dtype=np.float32)
        labels = np.array(values["labels"], dtype=np.int64)
    except (ValueError, TypeError) as error:
        raise UserError(
            path, f"the entries have no common shape: {error}", "Leave the odd ones out."
        ) from error
    _check(path, values["mapping"], mfcc, labels)
    return [str(name) for name in values["mapping"]], mfcc, labels


def _check(path: Path, mapping: list[object], mfcc: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
    if mfcc.ndim != 3 or len(mfcc) != len(labels) or not len(mfcc):
        raise UserError(
            path, f"found features of shape {mfcc.shape} and {len(labels)} labels, wanted one label a segment"
        )
    if labels.min() < 0 or labels.max() >= len(mapping):
        raise UserError(
            path, f"found label {labels.max()}, mapping has {len(mapping)} names", "Correct the file."
        )
    if not np.isfinite(mfcc).all():
        raise UserError(path, "some features are no finite numbers", "Write it again.")
