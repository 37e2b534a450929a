"""What changes in training, and how it is kept so that a broken-off training can go on."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from earmark.errors import UserError
from earmark.files import replacing
from earmark.models import Classifier
from earmark.recipe import Training
from earmark.run import Run


@dataclass(frozen=True)
class Epoch:
    """One row of `history.csv`."""

    epoch: int
    """From 1."""
    step: int
    """Optimiser steps so far."""
    seconds: float
    """Time that the epoch took, scoring the validation clips included."""
    learning_rate: float
    """At the end of the epoch."""
    loss: float
    """Mean over the batches, with augmentation."""
    valid_loss: float
    """Of the validation clips, without; NaN where there are none."""
    valid_accuracy: float
    """Share of validation clips whose top class is right (multi-label: of labels that are right)."""
    valid_macro_f1: float
    """Mean over the classes of F1 on the validation clips."""


@dataclass
class State:
    """All that changes in training; saved after each epoch."""

    model: Classifier
    average: Classifier
    optimizer: torch.optim.Optimizer
    scheduler: LRScheduler
    generators: tuple[torch.Generator, ...]
    history: list[Epoch] = field(default_factory=list)
    best: tuple[float, float] = (-np.inf, -np.inf)
    best_epoch: int = 0


def begin(
    model: Classifier, recipe: Training, n_steps: int, generators: tuple[torch.Generator, ...]
) -> State:
    """The state before the first step."""
    optimizer = torch.optim.AdamW(_groups(model, recipe.weight_decay), lr=recipe.learning_rate, fused=True)
    return State(model, copy.deepcopy(model), optimizer, _scheduler(optimizer, recipe, n_steps), generators)


def save_state(run: Run, state: State) -> None:
    """Write `checkpoints/last.pt` and `history.csv`."""
    import pandas as pd

    save_checkpoint(
        run,
        "last.pt",
        {
            "model": state.model.state_dict(),
            "average": state.average.state_dict(),
            "optimizer": state.optimizer.state_dict(),
            "scheduler": state.scheduler.state_dict(),
            "generators": [generator.get_state() for generator in state.generators],
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "history": [vars(row) for row in state.history],
            "best": list(state.best),
            "best_epoch": state.best_epoch,
        },
    )
    with replacing(run.history_path, newline="") as file:
        pd.DataFrame([vars(row) for row in state.history]).to_csv(file, index=False, float_format="%.6g")


def restore(run: Run, state: State) -> None:
    """Take up the last checkpoint of the run, if there is one."""
    if not (run.checkpoints_path / "last.pt").is_file():
        return
    saved = load_checkpoint(run, "last.pt")
    for name in ("model", "average", "optimizer", "scheduler"):
        getattr(state, name).load_state_dict(saved[name])
    for generator, value in zip(state.generators, saved["generators"], strict=True):
        generator.set_state(value)
    torch.set_rng_state(saved["random"])
    if saved["random_cuda"]:
        torch.cuda.set_rng_state_all(saved["random_cuda"])
    state.history = [Epoch(**row) for row in saved["history"]]
    state.best = (saved["best"][0], saved["best"][1])
    state.best_epoch = saved["best_epoch"]


def save_checkpoint(run: Run, name: str, values: dict[str, Any]) -> None:
    """Write a checkpoint whole or not at all."""
    with replacing(run.checkpoints_path / name, "wb") as file:
        torch.save(values, file)


def load_checkpoint(run: Run, name: str) -> dict[str, Any]:
    """Read a checkpoint; only tensors and plain values are ever unpickled."""
    place = run.checkpoints_path / name
    try:
        return torch.load(place, map_location="cpu", weights_only=True)  # type: ignore[no-any-return]
    except (OSError, RuntimeError, EOFError) as error:
        raise UserError(
            place, f"the checkpoint cannot be read: {error}", "Train again under another name."
        ) from error


def _groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    weights = [p for p in model.parameters() if p.requires_grad and p.dim() > 1]
    others = [p for p in model.parameters() if p.requires_grad and p.dim() <= 1]
    return [{"params": weights, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def _scheduler(optimizer: torch.optim.Optimizer, recipe: Training, n_steps: int) -> LRScheduler:
    if recipe.schedule == "constant":
        return LambdaLR(optimizer, lambda step: 1.0)
    return LambdaLR(optimizer, lambda step: one_cycle(step / n_steps, recipe.warm_up))


def one_cycle(progress: float, warm_up: float) -> float:
    """Share of the highest rate at a point of training (Smith and Topin, 2018): up from 1/25, down to 4e-6.

    The same as torch's OneCycleLR, which does not take a handful of steps.

    Args:
        progress: share of the steps that are done, in [0, 1].
        warm_up: share of the steps that the rate goes up in.
    """
    if progress < warm_up:
        return 1 + (1 / 25 - 1) * (1 + math.cos(math.pi * progress / warm_up)) / 2
    return 4e-6 + (1 - 4e-6) * (1 + math.cos(math.pi * min(1.0, (progress - warm_up) / (1 - warm_up)))) / 2
