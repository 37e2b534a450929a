"""What a training will work on: the clips that can be used, their split, and the model that fits them."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from earmark import audio, leakage, splits
from earmark.augment import check_augment
from earmark.cache import ClipFeatures, FeatureStore
from earmark.clips import ClipTable
from earmark.cutting import Cutting, cut
from earmark.errors import UserError
from earmark.features import FeatureConfig, Features, Waveform
from earmark.losses import choose_loss
from earmark.models import Classifier, ModelSpec, Summary, Task, summarise
from earmark.models.crops import Cropping
from earmark.optimisation import check_training
from earmark.probing import probe_all, require_some
from earmark.recipe import Recipe, Training, read_recipe, recipe_names
from earmark.run import open_run
from earmark.splits import SplitSettings
from earmark.tables import counted, listed

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
    check_training(recipe.training)
    choose_loss(recipe.training.loss, choose_task(table, recipe.task))
    chosen = splits.learnt_from(table, recipe.split)
    infos, readable, unread = probe_all(chosen)
    durations = np.array([infos[path].duration for path in readable.paths()])
    given = cut(readable, durations, recipe.clips, recipe.split.seed)
    clips = splits.assign(given, recipe.split)
    spec = fit_spec(clips, infos, recipe)
    store = FeatureStore(Features(spec.features, spec.sample_rate), spec.resampler)
    features = store.collect(clips, progress)
    good, reasons = features.good(), np.array(features.reasons, dtype=object)
    usable = require_some(clips, good, reasons)
    features = features.take(np.flatnonzero(good))
    moved = splits.trained_after_all(given, clips)[good]
    usable, n_moved = _new_to_the_test(usable, moved, features.sounds)
    _require_valid(usable, recipe.training)
    unusable = _together(unread, clips.take(~good).with_column("reason", reasons[~good]))
    warnings = _warnings(usable, features.sounds, recipe, given="split" in table.frame)
    return Plan(usable, features, spec, unusable, (*_moved_words(n_moved), *warnings))


def settled(recipe: Recipe) -> Recipe:
    """The recipe of a run whose clips are cut and divided already, for going on with them as they are."""
    keep = recipe.split
    split = SplitSettings(
        valid_fraction=keep.valid_fraction,
        protocol=keep.protocol,
        seed=keep.seed,
        partial_test=keep.partial_test,
    )
    return dataclasses.replace(recipe, clips=Cutting(), split=split)


def fit_spec(table: ClipTable, infos: Mapping[Path, audio.AudioInfo], recipe: Recipe) -> ModelSpec:
    """The model that a recipe asks for, fitted to the rate and the lengths of the training clips.

    Args:
        table: clips with their `split`.
        infos: what is known of each recording.
        recipe: the settings.
    """
    known = [infos[path] for path in table.paths()]
    rows = np.flatnonzero(table.frame["split"].to_numpy(str) == "train")
    rates = np.array([info.sample_rate for info in known])[rows]
    ends = table.frame["end"].to_numpy(float)
    ends = np.where(np.isnan(ends), [info.duration for info in known], ends)
    seconds = (ends - table.frame["start"].to_numpy(float))[rows]
    rate = (
        common_rate(rates, recipe.audio.sample_rate) if recipe.audio.lower_rate else recipe.audio.sample_rate
    )
    clip_seconds = recipe.audio.clip_seconds or usual_length(seconds)
    return ModelSpec(
        classes=table.classes,
        task=choose_task(table, recipe.task),
        sample_rate=rate,
        clip_seconds=clip_seconds,
        cropping=_cropping(recipe, clip_seconds),
        features=at_rate(recipe.features, recipe.audio.sample_rate, rate),
        network=recipe.network,
        normalisation=recipe.normalisation,
        resampler=recipe.audio.resampler,
    )


def sketch_spec(recipe: Recipe, n_classes: int | None = None) -> ModelSpec:
    """The model that a recipe asks for before any clip is known: its own rate, and clips of 5 s if it says nothing.

    Args:
        recipe: the settings.
        n_classes: none: 2 of a binary recipe, 10 of others.

    Raises:
        UserError: a binary recipe with other than two classes, or fewer than one.
    """
    task: Task = "single-label" if recipe.task == "auto" else recipe.task
    n = n_classes if n_classes is not None else 2 if task == "binary" else 10
    least = 1 if task == "multi-label" else 2
    if n < least or (task == "binary" and n > 2):
        wanted = "2" if task == "binary" else f"at least {least}"
        raise UserError("--classes", f"found {n} for the task {task!r}, wanted {wanted}", "Change it.")
    clip_seconds = recipe.audio.clip_seconds or 5.0
    return ModelSpec(
        classes=tuple(f"class {i + 1}" for i in range(n)),
        task=task,
        sample_rate=recipe.audio.sample_rate,
        clip_seconds=clip_seconds,
        cropping=_cropping(recipe, clip_seconds),
        features=recipe.features,
        network=recipe.network,
        normalisation=recipe.normalisation,
        resampler=recipe.audio.resampler,
    )


def summarise_source(source: str, n_classes: int | None = None) -> Summary:
    """The layers of a recipe's network, by name or file, or of a run's.

    Raises:
        UserError: no such recipe or run; a number of classes that cannot be, or one given for a run.
    """
    if source in recipe_names() or not Path(source).is_dir():
        return summarise(Classifier(sketch_spec(read_recipe(source), n_classes)))
    if n_classes is not None:
        raise UserError("--classes", f"found {n_classes} beside a run, which has its own", "Leave it out.")
    return summarise(open_run(source).model())


def choose_task(table: ClipTable, task: str) -> Task:
    """The task that `auto` means for a table; a named one has to fit it.

    Raises:
        UserError: binary with other than two classes; multi-label where clips have a label, or the other way round.
    """
    if table.multi_label != (task == "multi-label") and task != "auto":
        holds = "has a column a class" if table.multi_label else "has one label a clip"
        raise UserError("task", f"found {task!r}, but the table {holds}", 'Set task = "auto".')
    if task == "binary" and len(table.classes) != 2:
        raise UserError(
            "task",
            f"found 'binary' and {len(table.classes)} classes ({listed(table.classes)}), wanted two",
            'Set task = "auto", or leave classes out.',
        )
    if task == "binary":
        return "binary"
    return "multi-label" if table.multi_label else "single-label"


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


def _warnings(table: ClipTable, sounds: Sequence[str], recipe: Recipe, given: bool) -> tuple[str, ...]:
    """What is wrong with a split but does not stop it; a leak stops it unless it is the protocol."""
    found = (*leakage.check_classes(table, recipe.split.partial_test), *_unjudged(table, recipe.training))
    if recipe.split.protocol == "segments":
        return (
            *found,
            "the split is by segment, as published: parts of one recording are on both sides; LEAKS",
        )
    return (*found, *leakage.audit(table, sounds, given), *leakage.check_grouping(table))


def _unjudged(table: ClipTable, recipe: Training) -> tuple[str, ...]:
    """A warning where validation clips should choose the epoch, and there are none."""
    if recipe.monitor == "none" or (table.frame["split"] == "valid").any():
        return ()
    return (
        f"no clip is in the split 'valid', so that training.monitor = {recipe.monitor!r} chooses nothing: the last "
        "epoch is kept; --set split.valid_fraction=0.2 sets some aside",
    )


def _new_to_the_test(
    table: ClipTable, moved: NDArray[np.bool_], sounds: Sequence[str]
) -> tuple[ClipTable, int]:
    """Put those back into `valid` that would train, `[n]`, though a tested clip has the same sound; how many train."""
    split, heard = table.frame["split"].to_numpy(), np.array(sounds, dtype=object)
    known = moved & np.isin(heard.astype(str), list({*heard[split == "test"]} - {""}))
    return table.with_column("split", np.where(known, "valid", split)), int((moved & ~known).sum())


def _moved_words(n: int) -> tuple[str, ...]:
    """A warning where clips train that the table gives for validation."""
    if not n:
        return ()
    return (
        f"{counted(n, 'clip')} that the table gives for validation {'trains' if n == 1 else 'train'}: the recipe has "
        "split.valid_fraction = 0; --set split.valid_fraction=0.2 has the table's own split obeyed",
    )


def _together(one: ClipTable, other: ClipTable) -> ClipTable:
    frame = pd.concat([one.frame, other.frame], ignore_index=True)
    text = frame.columns.difference(["start", "end"], sort=False)
    frame[text] = frame[text].fillna("")
    return dataclasses.replace(one, frame=frame)


def _require_valid(table: ClipTable, recipe: Training) -> None:
    if recipe.schedule == "plateau" and not (table.frame["split"] == "valid").any():
        raise UserError(
            "training.schedule",
            "found 'plateau', which goes by the validation loss, but no clip is in the split 'valid'",
            "Give some clips to that split, with split.valid_fraction above 0, or take another schedule.",
        )
