"""The settings of one training: read, validate, write. `recipes/` holds ours and those of published systems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from earmark import settings
from earmark.augment import Augment
from earmark.cutting import Cutting
from earmark.errors import UserError
from earmark.features import FeatureConfig
from earmark.models import KINDS, NetworkConfig
from earmark.normalisation import NormalisationKind
from earmark.splits import SplitSettings


@dataclass(frozen=True)
class About:
    """Where a recipe comes from; shown by `earmark recipes`."""

    summary: str = ""
    """One line: what it is for."""
    source: str = ""
    """Who published it; empty for ours."""
    protocol: str = ""
    """How the published figures were obtained."""
    reported: str = ""
    """What the authors reported."""


@dataclass(frozen=True)
class Audio:
    """What is read of a clip."""

    sample_rate: Annotated[int, Meta(ge=100, le=384000)] = 22050
    """Rate of the waveform in Hz."""
    lower_rate: bool = True
    """Lower the rate to the training files' common one where that is less: there is nothing above it to learn."""
    resampler: Literal["soxr", "fourier"] = "soxr"
    """How recordings are brought to the rate: `soxr` (HQ), or the Fourier method over the whole clip."""
    clip_seconds: Annotated[float, Meta(gt=0)] | None = None
    """What one score is about in a long recording, in seconds; none: what most training clips last, at most 10 s."""
    crop_seconds: Annotated[float, Meta(gt=0)] | None = None
    """Length of the crops that the network sees, in seconds; none, or more than `clip_seconds`: the whole clip."""
    crop_min_seconds: Annotated[float, Meta(gt=0)] | None = None
    """Length of the shortest crop in training, in seconds; none: all of one length."""
    max_crops: Annotated[int, Meta(ge=1)] = 16
    """The most crops that one clip's score is the mean of, each by the share of it that is no digital silence."""


@dataclass(frozen=True)
class Training:
    """How the weights are found."""

    epochs: Annotated[int, Meta(ge=1)] = 160
    """Passes over the training clips, within the bounds of `min_steps` and `max_steps`."""
    min_steps: Annotated[int, Meta(ge=1)] | None = None
    """The fewest optimiser steps in all; few clips get more passes."""
    max_steps: Annotated[int, Meta(ge=1)] | None = None
    """The most optimiser steps in all; many clips get fewer passes, at least one."""
    batch_size: Annotated[int, Meta(ge=1)] = 32
    """Clips a step."""
    optimizer: Literal["adamw", "adam", "sgd", "rmsprop"] = "adamw"
    """AdamW (Loshchilov and Hutter, 2019), Adam (Kingma and Ba, 2015), plain descent, RMSprop (Hinton, 2012)."""
    momentum: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Momentum of sgd and rmsprop."""
    learning_rate: Annotated[float, Meta(gt=0)] = 3e-3
    """Highest learning rate, the first one but for one-cycle."""
    weight_decay: Annotated[float, Meta(ge=0)] | None = None
    """Decay of the weights, not of biases and norms: adamw's own, for others added to the gradient; none: 0.01 for
    adamw, else 0."""
    schedule: Literal["one-cycle", "constant", "cosine", "steps", "exponential", "plateau"] = "one-cycle"
    """How the rate changes: `one-cycle` (Smith and Topin, 2018), up to `learning_rate` and down to almost nothing;
    `cosine`, down to 0 at the end; `steps`, a table by epoch; `exponential`, by epoch; `plateau`, lowered when the
    validation loss does not fall."""
    warm_up: Annotated[float, Meta(gt=0, lt=1)] = 0.25
    """Share of the steps that one-cycle goes up in."""
    freeze: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Share of the epochs, from the first on, in which a pretrained backbone rests while all else learns (Kumar et
    al., 2022): a head that is still random would spoil it. A backbone that begins with random weights never rests."""
    step_epochs: tuple[Annotated[int, Meta(ge=1)], ...] = ()
    """steps: after so many epochs the rate changes to ..."""
    step_rates: tuple[Annotated[float, Meta(gt=0)], ...] = ()
    """... these."""
    decay: Annotated[float, Meta(ge=0, le=100)] = 0.1
    """exponential: each epoch multiplies the rate by exp(-decay) ..."""
    decay_from: Annotated[int, Meta(ge=0)] = 10
    """... from this epoch on, counted from 0."""
    plateau_factor: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    """plateau: the rate is multiplied by this ..."""
    plateau_patience: Annotated[int, Meta(ge=1)] = 5
    """... after so many epochs without a better validation loss."""
    loss: Literal["auto", "cross-entropy", "binary-cross-entropy", "mean-squared-error"] = "auto"
    """What is made small; `auto`: the cross-entropy of the task; `mean-squared-error`: that of the probabilities."""
    initialisation: Literal["default", "glorot", "normal"] = "default"
    """The first weights: torch's; `glorot`, as Keras (uniform, biases 0); `normal`, deviation 1 / sqrt(fan_in)."""
    clip_norm: Annotated[float, Meta(gt=0)] | None = None
    """The largest norm of the gradient; none: any."""
    average: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Decay of the moving average of the weights that is scored and kept, a step; 0: the weights as they are."""
    class_balance: Literal["none", "sqrt", "balanced"] = "none"
    """Weight of a class in the loss: 1, or 1 / sqrt(count), or 1 / count (mean 1 over the clips)."""
    label_smoothing: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Share of each target spread evenly over all classes (multi-label: over yes and no)."""
    patience: Annotated[int, Meta(ge=1)] | None = None
    """Stop after so many epochs without a better `monitor`; none: run to the end."""
    monitor: Literal["macro_f1", "loss", "none"] = "macro_f1"
    """What of the validation clips chooses the checkpoint that is kept; `none`, or no such clips: the last one is."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Arithmetic of the network; bfloat16 is quick on processors with AMX and on GPUs, float16 on GPUs."""
    seed: Annotated[int, Meta(ge=0)] = 0
    """Seed of the initial weights and of everything drawn in training."""


@dataclass(frozen=True)
class Recipe:
    """All settings of one training."""

    features: FeatureConfig
    """Settings of the features; the key `kind` names which."""
    network: NetworkConfig
    """Settings of the network; the key `kind` names which."""
    task: Literal["auto", "single-label", "binary", "multi-label"] = "auto"
    """`auto`: multi-label for such a table, else single-label; `binary`: one sigmoid for the second of two classes."""
    about: About = field(default_factory=About)
    """Where the recipe comes from."""
    audio: Audio = field(default_factory=Audio)
    """What is read of a clip."""
    clips: Cutting = field(default_factory=Cutting)
    """How clips are cut before training."""
    normalisation: NormalisationKind = "none"
    """How features are normalised; fitted on the training split."""
    augment: Augment = field(default_factory=Augment)
    """What training does to the features."""
    training: Training = field(default_factory=Training)
    """How the weights are found."""
    split: SplitSettings = field(default_factory=SplitSettings)
    """Which clips train, validate and test."""

    def to_toml(self) -> str:
        """The recipe as TOML text; `read_recipe` gives the same recipe again."""
        return settings.write_toml(settings.table(self, KINDS))


def recipe_names() -> list[str]:
    """Names of the recipes that come with earmark, ours first."""
    folder = resources.files("earmark") / "recipes"
    names = sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))
    return sorted(names, key=lambda name: name != "default")


def read_recipe(name: str | Path = "default", changes: Iterable[str] = ()) -> Recipe:
    """Read a recipe by name or by the path of a TOML file, and make changes to it.

    Args:
        name: one of `recipe_names()`, or the path of a file (a name with a slash or ending in .toml).
        changes: assignments such as `training.epochs=20`, made after reading.

    Raises:
        UserError: no such recipe or file, an unknown setting, a wrong value; the near one is named.
    """
    values = settings.read_toml(recipe_path(name))
    for change in changes:
        values = settings.with_setting(values, change)
    return parse_recipe(values, str(name))


def parse_recipe(values: Mapping[str, object], where: str) -> Recipe:
    """Validate nested settings and make a recipe of them."""
    return settings.convert(Recipe, values, where, KINDS)


def recipe_path(name: str | Path) -> Path:
    """The file of a recipe, by its name or path."""
    text = str(name)
    if text in recipe_names():
        return Path(str(resources.files("earmark") / "recipes" / f"{text}.toml"))
    if isinstance(name, Path) or "/" in text or text.endswith(".toml"):
        return Path(name)
    raise UserError("recipe", f"there is no recipe {text!r}", settings.suggestion(text, recipe_names()))


def describe_all() -> str:
    """The recipes that come with earmark, a line each."""
    names = recipe_names()
    width = max(map(len, names))
    return "\n".join(f"{name:{width}}  {read_recipe(name).about.summary}" for name in names)
