"""Losses: logits and soft targets -> what training makes small; unknown targets do not count."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from earmark.errors import UserError
from earmark.models import Task
from earmark.settings import suggestion

FITTING: dict[Task, tuple[str, ...]] = {
    "single-label": ("cross-entropy", "mean-squared-error"),
    "binary": ("binary-cross-entropy", "mean-squared-error"),
    "multi-label": ("binary-cross-entropy", "mean-squared-error"),
}
"""The losses that fit a task; `auto` is the first."""


def choose_loss(loss: str, task: Task) -> str:
    """The loss that `auto` means for a task; a named one has to fit it.

    Raises:
        UserError: the loss does not fit the task.
    """
    if loss == "auto":
        return FITTING[task][0]
    if loss not in FITTING[task]:
        raise UserError(
            "training.loss",
            f"found {loss!r}, which does not fit the task {task!r}",
            suggestion(loss, ("auto", *FITTING[task])),
        )
    return loss


class Criterion(nn.Module):
    """The loss over known targets, classes weighted by their counts.

    Args:
        task: what the logits mean.
        targets: `[n, n_classes]` of the training clips, for the classes' counts.
        balance: weight of a class, `none`, `sqrt` (1 / sqrt(count)) or `balanced` (1 / count).
        smoothing: share of each target spread evenly: over all classes, or over a label's yes and no.
        loss: `auto`, `cross-entropy`, `binary-cross-entropy`, or `mean-squared-error` of the probabilities.

    Shape: logits `[B, n_outputs]`, targets `[B, n_classes]` in [0, 1] or NaN -> scalar.
    """

    weights: torch.Tensor

    def __init__(
        self, task: Task, targets: NDArray[np.float32], balance: str, smoothing: float, loss: str = "auto"
    ) -> None:
        super().__init__()
        self.task = task
        self.smoothing = smoothing
        self.squared = choose_loss(loss, task) == "mean-squared-error"
        power = {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}[balance]
        weights = _of_labels(targets, power) if task == "multi-label" else _of_classes(targets, power)
        self.register_buffer("weights", torch.from_numpy(weights))

    def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Mean loss of the batch."""
        if self.task == "multi-label":
            return self._labels(logits, targets)
        if self.task == "binary":
            # One logit is two classes: the softmax of (0, x) is (1 - sigmoid(x), sigmoid(x)).
            logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
        return self._classes(logits, targets)

    def _classes(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if not self.squared:
            return nn.functional.cross_entropy(logits, targets, self.weights, label_smoothing=self.smoothing)
        smooth = targets + self.smoothing * (1 / targets.shape[1] - targets)
        each = (logits.softmax(dim=1) - smooth).square().mean(dim=1)
        return (each * (targets @ self.weights)).mean()

    def _labels(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        known = ~targets.isnan()
        targets = targets.nan_to_num()
        targets = targets + self.smoothing * (0.5 - targets)
        if self.squared:
            each = (1 + (self.weights - 1) * targets) * (logits.sigmoid() - targets).square()
        else:
            each = nn.functional.binary_cross_entropy_with_logits(
                logits, targets, pos_weight=self.weights, reduction="none"
            )
        return (each * known).sum() / known.sum().clamp(min=1)


def loss_of_scores(scores: NDArray[np.floating], targets: NDArray[np.float32], loss: str) -> float:
    """Mean loss of scores `[n, n_classes]` against targets of the same shape (NaN: unknown), all weighing the same.

    Args:
        scores: probabilities; binary: of both classes.
        targets: 0, 1 or NaN.
        loss: as `choose_loss` gives it.
    """
    p = np.clip(scores.astype(np.float64), 1e-7, 1 - 1e-7)
    if loss == "mean-squared-error":
        return float(np.nanmean((scores.astype(np.float64) - targets) ** 2))
    if loss == "cross-entropy":
        return float(-(targets * np.log(p)).sum(axis=1).mean())
    return float(np.nanmean(-(targets * np.log(p) + (1 - targets) * np.log(1 - p))))


def _of_classes(targets: NDArray[np.float32], power: float) -> NDArray[np.float32]:
    """Weight of a clip of each class, `[n_classes]`; their mean over the clips is 1."""
    count = targets.sum(axis=0)
    weights = (count.sum() / len(count) / np.maximum(count, 1)) ** power
    return np.asarray(weights * (count.sum() / (weights * count).sum()), np.float32)


def _of_labels(targets: NDArray[np.float32], power: float) -> NDArray[np.float32]:
    """Weight of a label's presence against its absence, `[n_classes]`."""
    there, absent = np.nansum(targets, axis=0), np.nansum(1 - targets, axis=0)
    return np.asarray((np.maximum(absent, 1) / np.maximum(there, 1)) ** power, np.float32)
