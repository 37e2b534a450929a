from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR, ReduceLROnPlateau

from earmark.errors import UserError
from earmark.features import LogMel
from earmark.models import Classifier, ModelSpec
from earmark.models.crops import Cropping
from earmark.models.stages import Shape, Stages
from earmark.optimisation import OPTIMIZERS, SCHEDULES, Descent, check_training, initialise, one_cycle
from earmark.recipe import Training

STEP_TABLE = {"step_epochs": (2, 3), "step_rates": (5e-5, 3e-5)}


@dataclasses.dataclass(frozen=True)
class Penalised:
    """Two layers, the first with an L2 penalty on its weight."""

    def build(self, shape: Shape) -> Stages:
        first = nn.Linear(shape[1] * shape[2], 4)
        pool = nn.Sequential(nn.Flatten(), first, nn.Tanh())
        return Stages(nn.Identity(), pool, 4, l2=((first.weight, 0.05),))


@pytest.fixture
def model() -> Classifier:
    torch.manual_seed(0)
    features = LogMel(n_fft=64, hop_length=32, n_mels=3)
    return Classifier(ModelSpec(("a", "b"), "single-label", 1000, 0.1, Cropping(0.1), features, Penalised()))


def loss_of(model: Classifier) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(6, *model.features.shape(100), generator=generator)
    return nn.functional.cross_entropy(model.classify(x), torch.tensor([0, 1] * 3))


def moved(model: Classifier, recipe: Training, n: int = 5) -> list[torch.Tensor]:
    """The weights after some steps."""
    descent = Descent(model, recipe, 1, n)
    for _ in range(n):
        descent.step(loss_of(model))
    return [weight.detach().clone() for weight in model.parameters()]


def rates(recipe: Training, n_epochs: int, losses: list[float] | None = None) -> list[float]:
    """The rate of each epoch, from 0."""
    losses = losses or [1.0] * n_epochs
    return [SCHEDULES[recipe.schedule](recipe, n / n_epochs, losses[:n]) for n in range(n_epochs)]


# -- optimisers ---------------------------------------------------------------------------------------------


def adam(w: torch.Tensor, g: torch.Tensor, memory: dict, t: int) -> torch.Tensor:
    memory["m"] = 0.9 * memory.get("m", 0) + 0.1 * g
    memory["v"] = 0.999 * memory.get("v", 0) + 0.001 * g**2
    return w - 1e-2 * (memory["m"] / (1 - 0.9**t)) / ((memory["v"] / (1 - 0.999**t)).sqrt() + 1e-8)


def sgd(w: torch.Tensor, g: torch.Tensor, memory: dict, t: int) -> torch.Tensor:
    memory["m"] = 0.9 * memory.get("m", 0) + g
    return w - 1e-2 * memory["m"]


def rmsprop(w: torch.Tensor, g: torch.Tensor, memory: dict, t: int) -> torch.Tensor:
    memory["v"] = 0.9 * memory.get("v", 0) + 0.1 * g**2
    memory["m"] = 0.9 * memory.get("m", 0) + g / (memory["v"].sqrt() + 1e-8)
    return w - 1e-2 * memory["m"]


BY_HAND: dict[str, Callable[..., torch.Tensor]] = {
    "adam": adam,
    "adamw": adam,
    "sgd": sgd,
    "rmsprop": rmsprop,
}


def with_momentum(name: str) -> float:
    return 0.9 if name in ("sgd", "rmsprop") else 0.0


@pytest.mark.parametrize("l2", ["no l2", "l2"])
@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_an_optimiser_moves_weights_as_its_formula_says(model: Classifier, name: str, l2: str) -> None:
    """The formulas of the papers, in float64, on the loss with `l2 * sum(w^2)` added as Keras adds it."""
    if l2 == "no l2":
        model.l2 = ()
    ours = copy.deepcopy(model)
    theirs = copy.deepcopy(model).double()
    theirs.l2 = tuple((theirs.pool[1].weight, strength) for _, strength in model.l2)
    memory: list[dict] = [{} for _ in theirs.parameters()]
    for t in range(1, 6):
        theirs.zero_grad()
        x = torch.randn(6, *model.features.shape(100), generator=torch.Generator().manual_seed(1)).double()
        loss = nn.functional.cross_entropy(theirs.classify(x), torch.tensor([0, 1] * 3))
        (loss + sum(l2 * weight.square().sum() for weight, l2 in theirs.l2)).backward()
        with torch.no_grad():
            for weight, kept in zip(theirs.parameters(), memory, strict=True):
                weight.copy_(BY_HAND[name](weight, weight.grad, kept, t))
    recipe = Training(
        optimizer=name,
        momentum=with_momentum(name),
        learning_rate=1e-2,
        weight_decay=0.0,
        schedule="constant",
    )
    for one, other in zip(moved(ours, recipe), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, other.float(), rtol=1e-4, atol=1e-6)


def test_l2_is_clipped_with_the_rest_of_the_gradient(model: Classifier) -> None:
    recipe = Training(optimizer="sgd", learning_rate=1.0, schedule="constant", clip_norm=1e-3)
    before = [weight.detach().clone() for weight in model.parameters()]
    model.l2 = tuple((weight, 1e3) for weight, _ in model.l2)
    after = moved(model, recipe, 1)
    way = math.sqrt(sum(float((a - b).square().sum()) for a, b in zip(after, before, strict=True)))
    assert way == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "decay", "shrunk"),
    [("adamw", None, 1e-2), ("adamw", 0.5, 0.5), ("sgd", None, 0.0), ("sgd", 0.5, 0.5), ("adam", None, 0.0)],
)
def test_weights_decay_and_biases_do_not(
    model: Classifier, name: str, decay: float | None, shrunk: float
) -> None:
    """Without a gradient a step leaves w (1 - rate * decay)."""
    model.l2 = ()
    before = [weight.detach().clone() for weight in model.parameters()]
    recipe = Training(optimizer=name, learning_rate=0.1, weight_decay=decay, schedule="constant")
    descent = Descent(model, recipe, 1, 1)
    descent.step(0.0 * loss_of(model))
    for old, new in zip(before, model.parameters(), strict=True):
        left = 1 - 0.1 * shrunk if old.dim() > 1 else 1.0
        torch.testing.assert_close(new.detach(), left * old)


def test_a_frozen_weight_stays_where_it_is_whatever_its_l2(model: Classifier) -> None:
    weight = model.l2[0][0].requires_grad_(False)
    before = weight.clone()
    moved(model, Training(optimizer="sgd", learning_rate=0.1))
    assert torch.equal(weight, before)


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_the_fused_arithmetic_is_used_where_torch_has_it(model: Classifier, name: str) -> None:
    descent = Descent(model, Training(optimizer=name), 1, 1)
    assert descent.optimizer.defaults["fused"]


# -- schedules ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("warm_up", [0.1, 0.25, 0.5])
def test_one_cycle_is_that_of_torch(warm_up: float) -> None:
    steps = 2000
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = OneCycleLR(optimizer, 1.0, steps + 1, pct_start=warm_up, cycle_momentum=False)
    expected = []
    for _ in range(steps):
        expected.append(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()
    ours = [one_cycle(step / steps, warm_up) for step in range(steps)]
    np.testing.assert_allclose(ours, expected, atol=6e-3)


@pytest.mark.parametrize("steps", [1, 2, 3, 7])
def test_one_cycle_takes_a_handful_of_steps(steps: int) -> None:
    found = [one_cycle(step / steps, 0.25) for step in range(steps + 1)]
    assert all(0 < rate <= 1 for rate in found)
    assert found[-1] == pytest.approx(4e-6)


def test_cosine_is_that_of_torch() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.3)
    theirs = CosineAnnealingLR(optimizer, 50)
    expected = []
    for _ in range(50):
        expected.append(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()
    np.testing.assert_allclose(rates(Training(schedule="cosine", learning_rate=0.3), 50), expected, rtol=1e-9)


def test_a_table_of_steps_changes_the_rate_after_its_epochs() -> None:
    recipe = Training(schedule="steps", learning_rate=1e-4, step_epochs=(25, 100), step_rates=(5e-5, 3e-5))
    assert rates(recipe, 200) == [1e-4] * 25 + [5e-5] * 75 + [3e-5] * 100


@pytest.mark.parametrize(("decay", "start"), [(0.1, 10), (0.01, 10), (0.1, 0)])
def test_exponential_is_keras_learning_rate_scheduler(decay: float, start: int) -> None:
    """`lr if epoch < start else lr * exp(-decay)`, called with the rate of the epoch before, epochs from 0."""
    rate, expected = 0.01, []
    for epoch in range(30):
        rate = rate if epoch < start else rate * math.exp(-decay)
        expected.append(rate)
    recipe = Training(schedule="exponential", learning_rate=0.01, decay=decay, decay_from=start)
    np.testing.assert_allclose(rates(recipe, 30), expected, rtol=1e-12)


@pytest.mark.parametrize("patience", [1, 2, 5])
def test_plateau_is_that_of_torch(patience: int) -> None:
    losses = np.random.default_rng(0).random(60).round(1).tolist()
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    # torch counts the epochs that are forgiven, we count those that are waited for
    theirs = ReduceLROnPlateau(optimizer, factor=0.7, patience=patience - 1, threshold=0, eps=0)
    expected = []
    for loss in losses:
        expected.append(optimizer.param_groups[0]["lr"])
        theirs.step(loss)
    recipe = Training(schedule="plateau", learning_rate=1.0, plateau_factor=0.7, plateau_patience=patience)
    np.testing.assert_allclose(rates(recipe, 60, losses), expected, rtol=1e-12)
    assert expected[-1] < 1


@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
def test_every_step_has_the_rate_of_its_schedule(model: Classifier, schedule: str) -> None:
    recipe = Training(schedule=schedule, learning_rate=0.01, plateau_patience=1, decay_from=1, **STEP_TABLE)
    descent, losses, seen = Descent(model, recipe, 4, 3), [0.9, 0.8, 0.85, 0.7], []
    for loss in losses:
        for _ in range(3):
            seen.append(descent.rate)
            descent.step(loss_of(model))
        descent.end_epoch(loss)
    expected = [SCHEDULES[schedule](recipe, n / 12, losses[: n // 3]) for n in range(12)]
    assert seen == expected
    assert {group["lr"] for group in descent.optimizer.param_groups} == {descent.rate}


@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_a_descent_goes_on_from_its_state_as_if_unbroken(model: Classifier, name: str, schedule: str) -> None:
    recipe = Training(
        optimizer=name,
        momentum=with_momentum(name),
        schedule=schedule,
        plateau_patience=1,
        decay_from=1,
        **STEP_TABLE,
    )
    whole, broken = copy.deepcopy(model), copy.deepcopy(model)
    losses = [0.9, 0.95, 0.8, 0.7]

    def epochs(model: Classifier, descent: Descent, losses: list[float]) -> None:
        for loss in losses:
            for _ in range(2):
                descent.step(loss_of(model))
            descent.end_epoch(loss)

    epochs(whole, Descent(whole, recipe, 4, 2), losses)
    first = Descent(broken, recipe, 4, 2)
    epochs(broken, first, losses[:2])
    second = Descent(broken, recipe, 4, 2)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert second.rate == first.rate
    epochs(broken, second, losses[2:])
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), broken.parameters(), strict=True))


# -- settings that cannot be --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"step_epochs": (25, 100), "step_rates": (5e-5,)},
            r"training\.step_rates: found 1 rates \[5e-05\] for 2 step_epochs \[25, 100\]\. Write one rate for each",
        ),
        (
            {"step_epochs": (100, 25), "step_rates": (5e-5, 3e-5)},
            r"training\.step_epochs: found \[100, 25\], wanted numbers that go up",
        ),
        (
            {"step_epochs": (25, 25), "step_rates": (5e-5, 3e-5)},
            r"found \[25, 25\], wanted numbers that go up",
        ),
        ({"schedule": "steps"}, r"training\.step_epochs: found none, but the schedule 'steps'.*For example"),
        (
            {"momentum": 0.9},
            r"training\.momentum: found 0\.9, but the optimizer 'adamw' keeps.*take sgd or rmsprop",
        ),
        ({"patience": 5, "monitor": "none"}, r"training\.patience: found 5, but monitor = 'none'"),
        ({"momentum": 1.0, "optimizer": "sgd"}, r"training\.momentum: found 1\.0"),
        ({"learning_rate": -1.0}, r"training\.learning_rate: found -1\.0"),
        ({"learning_rate": math.inf}, r"training\.learning_rate: found inf, wanted a finite number"),
        ({"optimizer": "lion"}, r"training\.optimizer: found 'lion'"),
        ({"plateau_factor": 1.5}, r"training\.plateau_factor: found 1\.5"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_words(changes: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        check_training(dataclasses.replace(Training(), **changes))


def test_settings_that_can_be_pass() -> None:
    check_training(Training())
    check_training(Training(optimizer="sgd", momentum=0.9, schedule="steps", **STEP_TABLE))


# -- the first weights --------------------------------------------------------------------------------------


def layers() -> nn.Module:
    torch.manual_seed(0)
    return nn.ModuleDict(
        {
            "dense": nn.Linear(300, 200),
            "conv1d": nn.Conv1d(32, 48, 15),
            "conv2d": nn.Conv2d(16, 32, (3, 5)),
            "norm": nn.BatchNorm2d(4),
            "lstm": nn.LSTM(40, 30, num_layers=2, bidirectional=True),
            "gru": nn.GRU(40, 30),
        }
    )


FANS = {"dense": (300, 200), "conv1d": (32 * 15, 48 * 15), "conv2d": (16 * 15, 32 * 15)}


@pytest.mark.parametrize("name", FANS)
def test_glorot_is_uniform_within_the_fans_that_keras_counts(name: str) -> None:
    found = layers()
    initialise(found, "glorot")
    weight, (fan_in, fan_out) = found[name].weight.detach(), FANS[name]
    limit = math.sqrt(6 / (fan_in + fan_out))
    assert 0.99 * limit < weight.abs().max() <= limit
    assert weight.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.02)
    assert weight.mean().abs() < 0.03 * limit
    assert not found[name].bias.any()


def test_glorot_of_recurrent_layers_is_that_of_keras() -> None:
    found = layers()
    initialise(found, "glorot")
    for name, n_gates in (("lstm", 4), ("gru", 3)):
        layer = found[name]
        limit = math.sqrt(6 / (40 + n_gates * 30))
        assert 0.97 * limit < layer.weight_ih_l0.abs().max() <= limit
        recurrent = layer.weight_hh_l0.detach()
        torch.testing.assert_close(recurrent.T @ recurrent, torch.eye(30), rtol=0, atol=1e-5)
    for ending in ("l0", "l1", "l0_reverse", "l1_reverse"):
        bias = getattr(found["lstm"], f"bias_ih_{ending}") + getattr(found["lstm"], f"bias_hh_{ending}")
        assert bias.view(4, 30).tolist() == [[0.0] * 30, [1.0] * 30, [0.0] * 30, [0.0] * 30]
    assert not found["gru"].bias_ih_l0.any() and not found["gru"].bias_hh_l0.any()


@pytest.mark.parametrize("name", FANS)
def test_normal_weights_have_the_deviation_of_their_fan_in(name: str) -> None:
    found = layers()
    initialise(found, "normal")
    assert found[name].weight.std().item() == pytest.approx(FANS[name][0] ** -0.5, rel=0.03)
    assert found[name].weight.abs().max() > 3 * FANS[name][0] ** -0.5
    assert not found[name].bias.any()


def test_default_weights_are_those_of_torch_and_norms_are_left_alone() -> None:
    plain, found = layers(), layers()
    initialise(found, "default")
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), found.parameters(), strict=True))
    for kind in ("glorot", "normal"):
        initialise(found, kind)
        assert (found["norm"].weight == 1).all() and (found["norm"].bias == 0).all()


@pytest.mark.parametrize("kind", ["glorot", "normal"])
def test_the_first_weights_follow_the_seed(kind: str) -> None:
    first, again = layers(), layers()
    for found in (first, again):
        torch.manual_seed(5)
        initialise(found, kind)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
