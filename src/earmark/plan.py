"""What a training will work on: the clips that can be used, their split, and the model that fits them."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark import audio, splits
from earmark.augment import check_augment
from earmark.cache import ClipFeatures, FeatureStore
from earmark.clips import ClipTable
from earmark.errors import UserError
from earmark.features import FeatureConfig, Features, Waveform
from earmark.models import ModelSpec
from earmark.models.crops import Cropping
from earmark.recipe import Recipe

MAX_CLIP_SECONDS = 10.0
"""What one score is about at most, where the recipe does not say: longer clips are scored as a mean anyway."""


@dataclass(frozen=True)
class Plan:
    """All that stands fast before the first step."""

    table: ClipTable
    """The clips that can be used, with their `split`."""
    features: ClipFeatures
    """Their features, in the table's order."""
    spec: ModelSpec
    """The model to train."""
    unusable: ClipTable
    """The clips that cannot be used, with a column `reason`."""
    warnings: tuple[str, ...]
    """What the person should know."""

    @property
    def sounds(self) -> str:
        """One hash of all that will be heard: another one means other recordings."""
        return hashlib.blake2b("".join(self.features.sounds).encode(), digest_size=16).hexdigest()

    def rows(self, split: str) -> NDArray[np.int64]:
        """Indices of the clips of a split (train, valid or test)."""
        return np.flatnonzero(self.table.frame["split"].to_numpy(str) == split)


def make_plan(table: ClipTable, recipe: Recipe, progress: bool = False) -> Plan:
    """Probe the recordings, split the clips, choose the model's rate and lengths, and compute the features.

    Args:
        table: labelled clips; a `split` column is obeyed.
        recipe: the settings.
        progress: show a bar while features are computed.

    Raises:
        UserError: clips that cannot be split as asked, a leak between the splits, nothing usable, a class
            that is missing from the training or test split.
    """
    check_augment(recipe.augment, recipe.features)
    found = _probe(table.paths())
    reasons = np.array(
        [one.reason if isinstance(one, audio.AudioError) else "" for one in found], dtype=object
    )
    readable = splits.assign(_require_some(table, reasons == "", reasons), recipe.split)
    infos = [one for one in found if isinstance(one, audio.AudioInfo)]
    spec = fit_spec(readable, infos, recipe)
    features = FeatureStore(Features(spec.features, spec.sample_rate), spec.resampler).collect(
        readable, progress
    )
    good = features.good()
    reasons[np.flatnonzero(reasons == "")] = features.reasons
    usable = _require_some(readable, good, np.array(features.reasons, dtype=object))
    features = features.take(np.flatnonzero(good))
    splits.audit(usable, features.sounds)
    warnings = (*splits.check_classes(usable), *splits.check_grouping(usable))
    bad = np.flatnonzero(reasons != "")
    return Plan(usable, features, spec, table.take(bad).with_column("reason", reasons[bad]), warnings)


def fit_spec(table: ClipTable, infos: Sequence[audio.AudioInfo], recipe: Recipe) -> ModelSpec:
    """The model that a recipe asks for, fitted to the rate and the lengths of the training clips.

    Args:
        table: clips with their `split`.
        infos: what is known of the recording of each clip.
        recipe: the settings.
    """
    rows = np.flatnonzero(table.frame["split"].to_numpy(str) == "train")
    rates = np.array([info.sample_rate for info in infos])[rows]
    ends = table.frame["end"].to_numpy(float)
    ends = np.where(np.isnan(ends), [info.duration for info in infos], ends)
    seconds = (ends - table.frame["start"].to_numpy(float))[rows]
    rate = (
        common_rate(rates, recipe.audio.sample_rate) if recipe.audio.lower_rate else recipe.audio.sample_rate
    )
    clip_seconds = recipe.audio.clip_seconds or usual_length(seconds)
    return ModelSpec(
        classes=table.classes,
        task="multi-label" if table.multi_label else "single-label",
        sample_rate=rate,
        clip_seconds=clip_seconds,
        cropping=_cropping(recipe, clip_seconds),
        features=at_rate(recipe.features, recipe.audio.sample_rate, rate),
        network=recipe.network,
        normalisation=recipe.normalisation,
        resampler=recipe.audio.resampler,
    )


def common_rate(rates: NDArray[np.int64], highest: int) -> int:
    """The rate to train at: `highest`, or the files' median where that is lower (Hz)."""
    return min(highest, int(np.percentile(rates, 50, method="higher")))


def usual_length(seconds: NDArray[np.float64]) -> float:
    """What nine of ten clips last at most, in seconds to the hundredth above; never over `MAX_CLIP_SECONDS`."""
    long = float(np.quantile(seconds, 0.9))
    return float(np.clip(np.ceil(long * 100 - 0.5) / 100, 0.05, MAX_CLIP_SECONDS))


def at_rate(config: FeatureConfig, from_rate: int, rate: int) -> FeatureConfig:
    """The same features at a lower rate: frames and hops keep their duration, bands stay below Nyquist."""
    if rate == from_rate or isinstance(config, Waveform):
        return config
    lengths = {
        name: max(1, round(value * rate / from_rate))
        for name in ("n_fft", "win_length", "hop_length", "pad_end")
        if (value := getattr(config, name)) is not None and value > 0
    }
    lengths["n_fft"] += lengths["n_fft"] % 2
    f_max = getattr(config, "f_max", None)
    limits = {"f_max": min(f_max, rate / 2)} if f_max is not None else {}
    return dataclasses.replace(config, **lengths, **limits)


def _cropping(recipe: Recipe, clip_seconds: float) -> Cropping:
    longest = min(recipe.audio.crop_seconds or clip_seconds, clip_seconds)
    shortest = recipe.audio.crop_min_seconds
    return Cropping(longest, shortest if shortest and shortest < longest else None, recipe.audio.max_crops)


def _probe(paths: Sequence[Path]) -> list[audio.AudioInfo | audio.AudioError]:
    """What the header of each recording says, or why it cannot be used."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        distinct = list(dict.fromkeys(paths))
        known = dict(zip(distinct, pool.map(_info, distinct), strict=True))
    return [known[path] for path in paths]


def _info(path: Path) -> audio.AudioInfo | audio.AudioError:
    try:
        return audio.probe(path)
    except audio.AudioError as error:
        return error


def _require_some(table: ClipTable, good: NDArray[np.bool_], reasons: NDArray[np.object_]) -> ClipTable:
    if not good.any():
        names, counts = np.unique(reasons.astype(str), return_counts=True)
        why = ", ".join(f"{count} x {audio.REASONS[name]}" for name, count in zip(names, counts, strict=True))
        raise UserError(
            table.root, f"none of {len(table)} clips can be used: {why}", "Check the root of the table."
        )
    return table.take(good)
