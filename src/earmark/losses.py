"""Losses: logits and soft targets -> what training makes small; unknown targets do not count."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from earmark.models import Task


class Criterion(nn.Module):
    """The loss: cross-entropy, or binary cross-entropy over known targets; classes weighted by their counts.

    Args:
        task: what the logits mean.
        targets: `[n, n_classes]` of the training clips, for the classes' counts.
        balance: weight of a class, `none`, `sqrt` (1 / sqrt(count)) or `balanced` (1 / count).
        smoothing: share of each target spread evenly over all classes.

    Shape: logits `[B, n_outputs]`, targets `[B, n_classes]` in [0, 1] or NaN -> scalar.
    """

    def __init__(self, task: Task, targets: NDArray[np.float32], balance: str, smoothing: float) -> None:
        super().__init__()
        self.task = task
        self.smoothing = smoothing
        positive, negative = np.nansum(targets, axis=0), np.nansum(1 - targets, axis=0)
        if self.task == "multi-label":
            weights = negative / np.maximum(positive, 1)
        else:
            weights = positive.sum() / len(positive) / np.maximum(positive, 1)
        power = {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}[balance]
        weights = weights**power
        if self.task != "multi-label":
            weights *= positive.sum() / (weights * positive).sum()
        self.register_buffer("weights", torch.from_numpy(weights.astype(np.float32)))

    def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Mean loss of the batch."""
        weights: torch.Tensor = self.weights  # type: ignore[assignment]
        if self.task == "single-label":
            return nn.functional.cross_entropy(logits, targets, weights, label_smoothing=self.smoothing)
        if self.task == "binary":
            each = (targets * weights).sum(dim=1)
            loss = nn.functional.binary_cross_entropy_with_logits(
                logits[:, 0], targets[:, 1], reduction="none"
            )
            return (loss * each).mean()
        known = ~targets.isnan()
        loss = nn.functional.binary_cross_entropy_with_logits(
            logits, targets.nan_to_num(), pos_weight=weights, reduction="none"
        )
        return (loss * known).sum() / known.sum().clamp(min=1)
