"""One epoch: batches -> augmented -> logits of the branches -> loss -> a step down its slope."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from earmark.augment import (
    Augment,
    add_noise,
    augment_features,
    augment_waveforms,
    freq_mixstyle,
    spec_augment,
)
from earmark.checkpoints import State
from earmark.dataset import TrainingBatches
from earmark.features import Features
from earmark.losses import Criterion
from earmark.models import Classifier
from earmark.recipe import Training
from earmark.teamwork import ALONE, Team

Step = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""What came of one step: the loss, logits `[n_branches, B, n_outputs]` and targets `[B, n_classes]`."""


@dataclass
class Trainer:
    """All that one step needs.

    Where several processes train together, each takes its share of every batch, and the gradients are their mean.
    """

    state: State
    """What the steps change."""
    recipe: Training
    augment: Augment
    """What is done to the training clips."""
    batches: TrainingBatches
    source: Features
    """What the batches are cropped from: the model's features, or waveforms where those are augmented."""
    criterion: Criterion
    team: Team = ALONE

    def __post_init__(self) -> None:
        _, self.draws = self.state.generators
        self._frozen: bool | None = None

    def epoch(self) -> Iterator[Step]:
        """Go through the training clips once."""
        model, descent = self.state.model, self.state.descent
        self._prepare(model.pretrained is not None and descent.freezes(self.batches.n_batches))
        precision: torch.dtype = getattr(torch, self.recipe.precision)
        model.train()
        for x, y in augmented(self.batches, self.source, model.features, self.augment, self.draws):
            # One step: forward, down the slope, and the average follows.
            with torch.autocast(self.draws.device.type, precision, enabled=precision != torch.float32):
                branches = self.branches(x)
            loss = mean_loss(self.criterion, branches, y)
            descent.step(loss)
            if self.recipe.average:
                follow(self.state.average, model, self.recipe.average, descent.n_steps)
            yield loss, branches, y

    def _prepare(self, frozen: bool) -> None:
        """Let the backbone learn or rest in the steps that follow."""
        if frozen == self._frozen:
            return
        self._frozen = frozen
        self.state.model.backbone.requires_grad_(not frozen)
        model = Branches(self.state.model, self.augment, self.draws)
        # DistributedDataParallel notes when it is made which gradients it is to wait for.
        self.branches: Callable[[torch.Tensor], torch.Tensor] = (
            DistributedDataParallel(model) if self.team.size > 1 else model
        )


def augmented(
    batches: TrainingBatches,
    source: Features,
    features: Features,
    augment: Augment,
    draws: torch.Generator,
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches of one epoch, augmented, on the device of `draws`: unnormalised features and their targets.

    Args:
        batches: crops of what `source` gives.
        source: the model's features, or waveforms where those are augmented.
        features: the model's.
        augment: what is done to them.
        draws: every draw comes from it.
    """
    for crops, targets in batches:
        x, y = crops.to(draws.device), targets.to(draws.device)
        if source is not features:
            x = features(augment_waveforms(x[:, 0], augment, draws))
        yield augment_features(x, y, augment, features, draws)


class Branches(nn.Module):
    """A model in training, from unnormalised features to the logits of each branch, the network's view disturbed.

    The branch on statistics hears the features themselves: masks would be to it what no recording has, and noise would
    hide from it what is quiet, by which it knows most.

    Shape: `[B, C, F, N]` -> `[n_branches, B, n_outputs]`.
    """

    def __init__(self, model: Classifier, augment: Augment, draws: torch.Generator) -> None:
        super().__init__()
        self.model, self.augment, self.draws = model, augment, draws

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of each branch."""
        model = self.model
        seen = model.normalisation(add_noise(x, self.augment, model.features, self.draws))
        seen = freq_mixstyle(seen, self.augment.freq_mixstyle, self.draws)
        seen = spec_augment(seen, self.augment, model.features, self.draws)
        return model.branches(model.pool(model.backbone(seen)), x)


def mean_loss(criterion: Criterion, branches: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean of the branches' losses: each learns as if it were alone, so that none leans on another's errors."""
    return torch.stack([criterion(logits.float(), targets) for logits in branches]).mean()


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    """Move the average of the weights toward the model's; the decay warms up so that the start is forgotten."""
    decay = min(decay, (1 + step) / (10 + step))
    ours, theirs = average.state_dict(), model.state_dict()
    floats = [name for name, value in ours.items() if value.is_floating_point()]
    torch._foreach_lerp_([ours[name] for name in floats], [theirs[name] for name in floats], 1 - decay)
    for name in ours.keys() - set(floats):
        ours[name].copy_(theirs[name])
