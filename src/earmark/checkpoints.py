"""What changes in training, and how it is kept so that a broken-off training can go on."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from earmark.errors import UserError
from earmark.files import replacing
from earmark.models import Classifier
from earmark.optimisation import Descent
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
    """Of its last step; where the rate changes with every step, of the one after."""
    loss: float
    """Mean over the batches, with augmentation."""
    valid_loss: float
    """Of the validation clips, without; NaN where there are none."""
    valid_accuracy: float
    """Share of validation clips whose top class is right (multi-label: of labels that are right)."""
    valid_macro_f1: float
    """Mean over the classes of F1 on the validation clips."""
    accuracy: float = float("nan")
    """Share of training clips that are right, as they are trained on: augmented, mixed clips by their larger part."""

    def merit(self, monitor: str | None) -> tuple[float, float]:
        """What makes an epoch better: the monitored figure, the loss between equals; without one, being later."""
        if monitor is None:
            return (float(self.epoch), 0.0)
        return (self.valid_macro_f1, -self.valid_loss) if monitor == "macro_f1" else (-self.valid_loss, 0.0)


@dataclass
class State:
    """All that changes in training; saved after each epoch."""

    model: Classifier
    average: Classifier
    descent: Descent
    generators: tuple[torch.Generator, ...]
    monitor: str | None
    """What chooses the best epoch; none without validation clips."""
    history: list[Epoch] = field(default_factory=list)
    best: tuple[float, float] = (-np.inf, -np.inf)
    best_epoch: int = 0


def record(run: Run, state: State, row: Epoch) -> None:
    """Keep one more epoch: `best.pt` if none was better, then all that is needed to go on."""
    state.history.append(row)
    merit = row.merit(state.monitor)
    if merit >= state.best:
        state.best, state.best_epoch = merit, row.epoch
        save_checkpoint(run, "best.pt", {"average": state.average.state_dict()})
    save_state(run, state)


def save_state(run: Run, state: State) -> None:
    """Write `checkpoints/last.pt` and `history.csv`."""
    import pandas as pd

    save_checkpoint(
        run,
        "last.pt",
        {
            "model": state.model.state_dict(),
            "average": state.average.state_dict(),
            "descent": state.descent.state_dict(),
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
    for name in ("model", "average", "descent"):
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
        buffer = io.BytesIO()  # torch's own writer turns a full disk into a crash
        torch.save(values, buffer)
        file.write(buffer.getbuffer())


def load_checkpoint(run: Run, name: str) -> dict[str, Any]:
    """Read a checkpoint; only tensors and plain values are ever unpickled."""
    place = run.checkpoints_path / name
    try:
        return torch.load(place, map_location="cpu", weights_only=True)  # type: ignore[no-any-return]
    except (OSError, RuntimeError, EOFError) as error:
        raise UserError(
            place, f"the checkpoint cannot be read: {error}", "Train again under another name."
        ) from error
