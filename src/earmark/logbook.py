"""What a training tells while it goes on: a bar, `steps.csv`, and TensorBoard's events where they are wanted."""

from __future__ import annotations

import io
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from earmark.checkpoints import Epoch
from earmark.errors import UserError
from earmark.files import cannot_write, replacing
from earmark.models import Classifier, Task
from earmark.run import Run

SCALARS = ("loss", "accuracy", "valid_loss", "valid_accuracy", "valid_macro_f1", "learning_rate")
HEADER = "step,epoch,loss,seconds\n"
MOST_HISTOGRAMS = 50
"""Epochs whose weights TensorBoard is shown, at most about: to sort them takes longer than a small epoch."""


class Logbook:
    """Takes down each step and each epoch; nothing in it decides anything."""

    def __init__(self, run: Run, task: Task, n_steps: int, done: int, bar: Any, writer: Any) -> None:
        self.place, self.task = run.steps_path, task
        self.bar, self.writer, self.n_steps_in_all = bar, writer, n_steps
        self.n_steps = done
        with replacing(self.place, newline="") as file:
            file.writelines([HEADER, *_rows_until(run, done)])
        self.begin()

    def begin(self) -> None:
        """An epoch begins."""
        self._losses: list[torch.Tensor] = []
        self._hits: list[torch.Tensor] = []
        self._times = [time.perf_counter()]

    def step(self, loss: torch.Tensor, logits: torch.Tensor, targets: torch.Tensor) -> None:
        """One optimiser step is done; nothing is fetched from the device before the epoch's end.

        Args:
            loss: of the batch.
            logits: `[B, n_outputs]` of the batch.
            targets: `[B, n_classes]`, NaN where unknown, soft where clips were mixed.
        """
        self._losses.append(loss.detach())
        self._hits.append(share_right(logits.detach(), targets, self.task))
        self._times.append(time.perf_counter())
        self.bar.update()

    def mean_loss(self) -> float:
        """Mean over the epoch's batches."""
        return float(torch.stack(self._losses).mean())

    def mean_accuracy(self) -> float:
        """Mean over the epoch's batches."""
        return float(torch.stack(self._hits).nanmean())

    def epoch(self, row: Epoch, model: Classifier) -> None:
        """One epoch is done: write its steps, and tell the bar and TensorBoard."""
        seconds = [after - before for before, after in zip(self._times, self._times[1:], strict=False)]
        losses = torch.stack(self._losses).tolist()
        try:
            with self.place.open("a", newline="") as file:
                for i, (loss, took) in enumerate(zip(losses, seconds, strict=True), start=self.n_steps + 1):
                    file.write(f"{i},{row.epoch},{loss:.6g},{took:.6g}\n")
        except OSError as error:
            raise cannot_write(self.place, error) from error
        self.n_steps = row.step
        judged = "accuracy" if np.isnan(row.valid_macro_f1) else "valid macro-F1"
        figure = row.accuracy if np.isnan(row.valid_macro_f1) else row.valid_macro_f1
        self.bar.set_postfix_str(f"loss {row.loss:.3f}, {judged} {figure:.3f}")
        if self.writer is not None:
            for name in SCALARS:
                self.writer.add_scalar(name, getattr(row, name), row.epoch)
            share = MOST_HISTOGRAMS / self.n_steps_in_all
            is_shown = int(row.step * share) > int((row.step - len(losses)) * share) or row.epoch == 1
            for name, weights in model.named_parameters() if is_shown else ():
                self.writer.add_histogram(f"weights/{name}", weights.detach().cpu(), row.epoch)


def share_right(logits: torch.Tensor, targets: torch.Tensor, task: Task) -> torch.Tensor:
    """Share of the clips `[B, n_outputs]` whose top class has the largest target; multi-label: of known labels."""
    if task == "single-label":
        return (logits.argmax(dim=1) == targets.argmax(dim=1)).float().mean()
    if task == "binary":
        return ((logits[:, 0] > 0) == (targets[:, 1] > 0.5)).float().mean()
    known = ~targets.isnan()
    return (((logits > 0) == (targets > 0.5)) & known).sum() / known.sum()


@contextmanager
def logbook(run: Run, model: Classifier, n_steps: int, done: int, options: Any) -> Iterator[Logbook]:
    """A logbook of a training of `n_steps` steps, of which `done` are behind it.

    Args:
        run: where `steps.csv` and `tb/` go.
        model: what TensorBoard draws as a graph.
        n_steps: in all.
        done: from the checkpoint.
        options: `progress` and `tensorboard`.

    Raises:
        UserError: TensorBoard is wanted and not installed.
    """
    from tqdm import tqdm

    writer = open_writer(run) if options.tensorboard else None
    with tqdm(
        total=n_steps, initial=done, desc="training", unit="step", disable=not options.progress, leave=False
    ) as bar:
        try:
            if writer is not None and not done:
                add_graph(writer, model)
            yield Logbook(run, model.spec.task, n_steps, done, bar, writer)
        finally:
            if writer is not None:
                writer.close()


def _rows_until(run: Run, done: int) -> list[str]:
    """The rows of an earlier part of this training, up to its checkpoint; what went beyond is done again."""
    if not done or not run.steps_path.is_file():
        return []
    lines = run.steps_path.read_text().splitlines(keepends=True)[1:]
    whole = [line for line in lines if line.endswith("\n")]  # the last one may have been broken off
    return [line for line in whole if int(line.split(",")[0]) <= done]


# -- TensorBoard --------------------------------------------------------------------------------------------


def open_writer(run: Run) -> Any:
    """A writer of TensorBoard's events into `tb/`.

    Raises:
        UserError: it is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UserError(
            "--tensorboard", "the package tensorboard is not installed", "pip install 'earmark[tensorboard]'"
        ) from error
    return SummaryWriter(str(run.tensorboard_path))


class _OfFeatures(nn.Module):
    """A classifier from its features on: what there is to see in a graph."""

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.model.classify(features)


def add_graph(writer: Any, model: Classifier) -> None:
    """Draw the network, from features to logits; TensorBoard draws it by torch's tracer, which is deprecated."""
    shape = model.features.shape(round(model.spec.cropping.seconds * model.spec.sample_rate))
    training, device = model.training, next(model.parameters()).device
    model.eval()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        writer.add_graph(_OfFeatures(model), torch.zeros(1, *shape, device=device))
    model.train(training)


def add_picture(run: Run, name: str, png: bytes) -> None:
    """Show a picture in TensorBoard beside the training, where the training was shown there."""
    if not run.tensorboard_path.is_dir():
        return
    from matplotlib import image

    writer = open_writer(run)
    writer.add_image(name, image.imread(io.BytesIO(png)), dataformats="HWC")
    writer.close()
