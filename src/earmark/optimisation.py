"""What moves the weights: where they begin, the optimiser, and the learning rate of every step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from earmark import settings
from earmark.errors import UserError
from earmark.models import Classifier
from earmark.recipe import Training


class Descent:
    """Moves a model's weights down the slope of the loss, by the optimiser and the schedule of a recipe.

    Args:
        model: its `l2` names the weights that are held small, each with its factor.
        recipe: the settings.
        n_epochs: epochs in all.
        n_batches: steps an epoch.
    """

    def __init__(self, model: Classifier, recipe: Training, n_epochs: int, n_batches: int) -> None:
        self.model = model
        self.recipe = recipe
        self.n_steps_in_all = n_epochs * n_batches
        self.n_steps = 0
        """Steps that are done."""
        self.valid_losses: list[float] = []
        """Validation loss of each epoch that is done; NaN where there are no such clips."""
        self.optimizer = OPTIMIZERS[recipe.optimizer](_groups(model, recipe), recipe)
        device = next(model.parameters()).device.type
        self._scaler = torch.amp.GradScaler(device, enabled=recipe.precision == "float16")
        assert {id(weight) for weight, _ in model.l2} <= {id(weight) for weight in model.parameters()}
        self._set_rate()

    @property
    def rate(self) -> float:
        """Learning rate of the next step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def freezes(self, n_batches: int) -> bool:
        """Whether pretrained weights rest in the next `n_batches` steps, as in all that end within that share."""
        return self.n_steps + n_batches <= self.recipe.freeze * self.n_steps_in_all

    def step(self, loss: torch.Tensor) -> None:
        """Move the weights once: gradient, L2, clipping, optimiser; then the schedule."""
        self.optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()
        self._scaler.unscale_(self.optimizer)
        add_l2(self.model.l2)
        if self.recipe.clip_norm:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_norm)
        self._scaler.step(self.optimizer)
        self._scaler.update()
        self.n_steps += 1
        self._set_rate()

    def end_epoch(self, valid_loss: float) -> None:
        """Let the schedule know that an epoch is done, and the validation loss after it."""
        self.valid_losses.append(valid_loss)
        self._set_rate()

    def state_dict(self) -> dict[str, Any]:
        """All that changes, for a checkpoint."""
        return {
            "optimizer": self.optimizer.state_dict(),
            "n_steps": self.n_steps,
            "valid_losses": list(self.valid_losses),
            "scaler": self._scaler.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` gave."""
        self.optimizer.load_state_dict(state["optimizer"])
        self.n_steps = state["n_steps"]
        self.valid_losses = list(state["valid_losses"])
        self._scaler.load_state_dict(state["scaler"])
        self._set_rate()

    def _set_rate(self) -> None:
        share = self.n_steps / self.n_steps_in_all
        rate = SCHEDULES[self.recipe.schedule](self.recipe, share, self.valid_losses)
        for group in self.optimizer.param_groups:
            group["lr"] = rate


def check_training(recipe: Training) -> None:
    """Refuse settings that cannot be.

    Raises:
        UserError: a value outside its range; rates that do not match their epochs; a momentum or patience that is not
            used.
    """
    settings.check(recipe, "training")
    if math.isinf(recipe.learning_rate):
        raise UserError("training.learning_rate", "found inf, wanted a finite number", "Try 1e-3.")
    epochs, rates = list(recipe.step_epochs), list(recipe.step_rates)
    if len(epochs) != len(rates):
        problem = f"found {len(rates)} rates {rates} for {len(epochs)} step_epochs {epochs}"
        raise UserError("training.step_rates", problem, "Write one rate for each epoch.")
    if epochs != sorted(set(epochs)):
        raise UserError("training.step_epochs", f"found {epochs}, wanted numbers that go up", "Sort them.")
    if recipe.schedule == "steps" and not epochs:
        raise UserError(
            "training.step_epochs",
            "found none, but the schedule 'steps' changes the rate after given epochs",
            "For example step_epochs = [25, 100] and step_rates = [5e-5, 3e-5].",
        )
    if recipe.momentum and recipe.optimizer not in ("sgd", "rmsprop"):
        raise UserError(
            "training.momentum",
            f"found {recipe.momentum:g}, but the optimizer {recipe.optimizer!r} keeps averages of its own",
            "Set momentum = 0, or take sgd or rmsprop.",
        )
    if recipe.patience and recipe.monitor == "none":
        problem = f"found {recipe.patience}, but monitor = 'none' says that nothing is waited for"
        raise UserError("training.patience", problem, "Remove it, or let monitor be macro_f1 or loss.")


# -- the first weights --------------------------------------------------------------------------------------


def initialise(model: nn.Module, kind: str) -> None:
    """Draw the first weights, from torch's own generator; norms keep weight 1 and bias 0.

    Args:
        model: weights of its linear, convolutional and recurrent layers are drawn.
        kind: `default`: as torch draws them; `glorot` (Glorot and Bengio, 2010), as Keras draws them: uniform in
            ± sqrt(6 / (fan_in + fan_out)), recurrent weights orthogonal, biases 0 but 1 for an LSTM's forget gate;
            `normal`: normal with standard deviation 1 / sqrt(fan_in), biases 0.
    """
    if kind == "default":
        return
    for layer in model.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d | nn.RNNBase):
            for name, weight in layer.named_parameters(recurse=False):
                _draw(weight, name, kind)
        if isinstance(layer, nn.LSTM) and kind == "glorot":
            _open_forget_gates(layer)


def _draw(weight: nn.Parameter, name: str, kind: str) -> None:
    if name.startswith("bias"):
        nn.init.zeros_(weight)
    elif kind == "normal":
        nn.init.normal_(weight, std=weight[0].numel() ** -0.5)
    elif name.startswith("weight_hh"):
        nn.init.orthogonal_(weight)
    else:
        nn.init.xavier_uniform_(weight)


@torch.no_grad()
def _open_forget_gates(layer: nn.LSTM) -> None:
    """Gates stand in the order input, forget, cell, output; their bias is the sum of two."""
    for name, bias in layer.named_parameters():
        if name.startswith("bias_ih"):
            bias[layer.hidden_size : 2 * layer.hidden_size] = 1


# -- the optimisers -----------------------------------------------------------------------------------------

Groups = list[dict[str, Any]]

OPTIMIZERS: dict[str, Callable[[Groups, Training], torch.optim.Optimizer]] = {
    "adamw": lambda groups, recipe: torch.optim.AdamW(groups, recipe.learning_rate, fused=True),
    "adam": lambda groups, recipe: torch.optim.Adam(groups, recipe.learning_rate, fused=True),
    "sgd": lambda groups, recipe: torch.optim.SGD(
        groups, recipe.learning_rate, momentum=recipe.momentum, fused=True
    ),
    # As its author gave it (Hinton, 2012) and Keras has it; torch's own default is an alpha of 0.99.
    "rmsprop": lambda groups, recipe: torch.optim.RMSprop(
        groups, recipe.learning_rate, alpha=0.9, momentum=recipe.momentum
    ),
}
"""Optimisers by name; torch has no fused RMSprop."""


def _groups(model: nn.Module, recipe: Training) -> Groups:
    """Weights, which are decayed, and biases and norms, which are not."""
    decay = recipe.weight_decay
    if decay is None:
        decay = 1e-2 if recipe.optimizer == "adamw" else 0.0
    if not decay:  # one group is quicker than two
        return [{"params": [p for p in model.parameters() if p.requires_grad], "weight_decay": 0.0}]
    weights = [p for p in model.parameters() if p.requires_grad and p.dim() > 1]
    others = [p for p in model.parameters() if p.requires_grad and p.dim() <= 1]
    return [{"params": weights, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]


@torch.no_grad()
def add_l2(weights: Sequence[tuple[nn.Parameter, float]]) -> None:
    """Add to the gradients that of `l2 * sum(w^2)`, which is `2 * l2 * w`, for each (w, l2)."""
    for weight, l2 in weights:
        if weight.grad is not None:
            weight.grad.add_(weight, alpha=2 * l2)


# -- the schedules ------------------------------------------------------------------------------------------


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


def cosine(progress: float) -> float:
    """Share of the first rate at a point of training (Loshchilov and Hutter, 2017): down to 0 at its end."""
    return (1 + math.cos(math.pi * progress)) / 2


def steps(recipe: Training, epoch: int) -> float:
    """The rate of an epoch, from 0: the last of `step_rates` whose `step_epochs` are done."""
    done = [rate for after, rate in zip(recipe.step_epochs, recipe.step_rates, strict=True) if epoch >= after]
    return done[-1] if done else recipe.learning_rate


def exponential(recipe: Training, epoch: int) -> float:
    """The rate of an epoch, from 0: times `exp(-decay)` in each from `decay_from` on."""
    return recipe.learning_rate * math.exp(-recipe.decay * max(0, epoch - recipe.decay_from + 1))


def plateau(losses: Sequence[float], factor: float, patience: int) -> float:
    """Share of the first rate after epochs with these validation losses.

    It is multiplied by `factor` whenever `patience` epochs in a row were no better than the best before.
    """
    share, best, waited = 1.0, math.inf, 0
    for loss in losses:
        best, waited = (loss, 0) if loss < best else (best, waited + 1)
        if waited == patience:
            share, waited = share * factor, 0
    return share


SCHEDULES: dict[str, Callable[[Training, float, Sequence[float]], float]] = {
    "one-cycle": lambda recipe, progress, _: recipe.learning_rate * one_cycle(progress, recipe.warm_up),
    "constant": lambda recipe, progress, _: recipe.learning_rate,
    "cosine": lambda recipe, progress, _: recipe.learning_rate * cosine(progress),
    "steps": lambda recipe, _, losses: steps(recipe, len(losses)),
    "exponential": lambda recipe, _, losses: exponential(recipe, len(losses)),
    "plateau": lambda recipe, _, losses: (
        recipe.learning_rate * plateau(losses, recipe.plateau_factor, recipe.plateau_patience)
    ),
}
"""The learning rate by a recipe, the share of steps done, and the validation loss of each epoch done.

All that a rate depends on is in these three, so that a resumed training has the rates of an uninterrupted one.
"""
