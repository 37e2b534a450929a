"""Training as `earmark.training` does it, an epoch at a time, on noise held in memory: what there is to be timed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks.speed.measuring import Side, Took, timed
from earmark.cache import ClipFeatures
from earmark.checkpoints import State
from earmark.clips import ClipTable
from earmark.dataset import TrainingBatches
from earmark.devices import using_threads
from earmark.losses import Criterion
from earmark.models import Classifier, ModelSpec
from earmark.models.conv1d import Conv1d
from earmark.models.conv2d import Conv2d
from earmark.optimisation import Descent, initialise
from earmark.plan import Plan, sketch_spec
from earmark.recipe import Recipe, read_recipe
from earmark.trainer import Trainer
from earmark.training import choose_threads

N_EPOCHS = 1000
"""More than are timed."""


@dataclass(frozen=True)
class Work:
    """A recipe's network and so many clips to train it with."""

    recipe: Recipe
    spec: ModelSpec
    n_clips: int

    def epochs(self, threads: int) -> Side:
        """A side that trains one epoch more each time."""
        epoch = Epochs(self)

        def side() -> Took:
            with using_threads(threads):
                return timed(epoch)()

        return side

    def chosen_threads(self) -> int:
        """The threads that training would choose now."""
        frame = pd.DataFrame({"file": "", "start": 0.0, "end": np.nan, "split": ["train"] * self.n_clips})
        table = ClipTable(frame, Path(), self.spec.classes, False)
        plan = Plan(table, ClipFeatures([], {}, 1), self.spec, table.take([]), ())
        most = torch.get_num_threads()
        return choose_threads(plan, self.recipe.training, tuple(sorted({1, most // 2 or 1, most})))[0]


class Epochs:
    """A model that trains one epoch at each call: batches, forward, loss, backward, optimiser, average."""

    def __init__(self, work: Work) -> None:
        recipe, spec, n = work.recipe, work.spec, work.n_clips
        torch.manual_seed(0)
        model = Classifier(spec)
        initialise(model, recipe.training.initialisation)
        shape = model.features.shape(round(spec.cropping.seconds * spec.sample_rate))
        rng = np.random.default_rng(0)
        n_rows = 1 if model.one_dimensional else shape[1]
        clips = list(rng.standard_normal((n, shape[-1], n_rows), dtype=np.float32))
        targets = np.eye(len(spec.classes), dtype=np.float32)[np.arange(n) % len(spec.classes)]
        model.normalisation.fit(clip.T[None] if n_rows > 1 else clip.T for clip in clips)
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        generators = torch.Generator().manual_seed(0), torch.Generator().manual_seed(1)
        settings = recipe.training
        batches = TrainingBatches(
            clips, targets, model.features, spec.cropping, settings.batch_size, generators[0]
        )
        criterion = Criterion(
            spec.task, targets, settings.class_balance, settings.label_smoothing, settings.loss
        )
        descent = Descent(model, settings, N_EPOCHS, batches.n_batches)
        state = State(model, Classifier(spec), descent, generators, None)
        self.trainer = Trainer(state, settings, recipe.augment, batches, model.features, criterion)

    def __call__(self) -> None:
        """One epoch."""
        losses = [loss.detach() for loss, _, _ in self.trainer.epoch()]
        assert torch.stack(losses).isfinite().all()


def work_of(recipe: Recipe, seconds: float, n_classes: int | None = None) -> Work:
    """So many batches of a recipe that an epoch takes about `seconds` here (4 to 300)."""
    spec = sketch_spec(recipe, n_classes)
    size = recipe.training.batch_size
    trial = Epochs(Work(recipe, spec, size))
    with using_threads(1):
        trial()
        started = time.perf_counter()
        trial()
    n_batches = int(np.clip(seconds / (time.perf_counter() - started), 4, 300))
    return Work(recipe, spec, n_batches * size)


def without_dropout(name: str, *changes: str) -> Recipe:
    """A recipe in batches of 32, as it stands but for dropout."""
    convolutional = isinstance(read_recipe(name).network, Conv1d | Conv2d)
    dropouts = ["dropout", "hidden_dropout"] if convolutional else ["dropout"]
    zeros = [f"network.{one}=0.0" for one in dropouts]
    return read_recipe(name, [*zeros, "training.batch_size=32", *changes])
