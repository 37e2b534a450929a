from __future__ import annotations

import copy
import math
from pathlib import Path

import pytest
import torch

from earmark.checkpoints import Epoch, State, load_checkpoint, record, restore
from earmark.errors import UserError
from earmark.models import Classifier, ModelSpec
from earmark.optimisation import Descent
from earmark.recipe import Training
from earmark.run import Run

RECIPE = Training(optimizer="adam", schedule="plateau", plateau_patience=1)


def begin(spec: ModelSpec, monitor: str | None, seed: int = 0) -> State:
    torch.manual_seed(seed)
    model = Classifier(spec)
    generators = (torch.Generator().manual_seed(seed), torch.Generator().manual_seed(seed + 1))
    return State(model, copy.deepcopy(model), Descent(model, RECIPE, 9, 1), generators, monitor)


def epoch(number: int, valid_loss: float, valid_macro_f1: float) -> Epoch:
    return Epoch(number, number, 0.1, 1e-3, 0.5, valid_loss, 0.5, valid_macro_f1, 0.5)


def best_of(run: Run, spec: ModelSpec, monitor: str | None, figures: list[tuple[float, float]]) -> list[int]:
    """The best epoch after each."""
    state, found = begin(spec, monitor), []
    for number, (loss, f1) in enumerate(figures, start=1):
        record(run, state, epoch(number, loss, f1))
        found.append(state.best_epoch)
    return found


@pytest.fixture
def spec(specs: dict[str, ModelSpec]) -> ModelSpec:
    return specs["residual"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    return Run(tmp_path / "run")


@pytest.mark.parametrize(
    ("monitor", "best"), [("macro_f1", [1, 1, 3, 4, 4]), ("loss", [1, 2, 2, 2, 2]), (None, [1, 2, 3, 4, 5])]
)
def test_the_best_epoch_is_that_of_the_monitored_figure(
    run: Run, spec: ModelSpec, monitor: str | None, best: list[int]
) -> None:
    """Between equal F1 the loss decides; without validation clips the last epoch is the best."""
    figures = [(0.9, 0.6), (0.5, 0.5), (0.9, 0.7), (0.8, 0.7), (0.85, 0.7)]
    assert best_of(run, spec, monitor, figures if monitor else [(math.nan, math.nan)] * 5) == best


def test_the_weights_of_the_best_epoch_are_kept(run: Run, spec: ModelSpec) -> None:
    state = begin(spec, "loss")
    for number, loss in enumerate((0.5, 0.3, 0.4), start=1):
        torch.nn.init.constant_(state.average.head.bias, number)
        record(run, state, epoch(number, loss, 0.5))
    kept = load_checkpoint(run, "best.pt")["average"]
    assert kept["head.bias"].tolist() == [2.0] * 3


def test_a_restored_state_is_the_one_that_was_saved(run: Run, spec: ModelSpec) -> None:
    state = begin(spec, "macro_f1")
    x = torch.randn(4, *state.model.features.shape(33075))
    for number in (1, 2, 3):
        state.descent.step(state.model.classify(x).square().mean())
        state.descent.end_epoch(0.5 + number / 10)
        record(run, state, epoch(number, 0.5 + number / 10, 0.5))
    torch.rand(7)
    torch.rand(3, generator=state.generators[1])
    record(run, state, epoch(4, 0.9, 0.4))
    other = begin(spec, "macro_f1", seed=1)
    restore(run, other)
    expected = torch.rand(5), *(torch.rand(5, generator=generator) for generator in state.generators)
    restore(run, other)
    found = torch.rand(5), *(torch.rand(5, generator=generator) for generator in other.generators)
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))
    assert (other.history, other.best, other.best_epoch) == (state.history, state.best, 1)
    assert other.descent.rate == state.descent.rate == RECIPE.learning_rate / 4
    assert (other.descent.n_steps, other.descent.valid_losses) == (3, [0.6, 0.7, 0.8])
    for part in ("model", "average"):
        ours, theirs = getattr(other, part).state_dict(), getattr(state, part).state_dict()
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    moments = [
        [value for kept in each.descent.optimizer.state.values() for value in kept.values()]
        for each in (other, state)
    ]
    assert len(moments[0]) > 0
    assert all(torch.equal(a, b) for a, b in zip(*moments, strict=True))


def test_without_a_checkpoint_the_state_stays_as_it_is(run: Run, spec: ModelSpec) -> None:
    state = begin(spec, "loss")
    restore(run, state)
    assert state.history == [] and state.descent.n_steps == 0


def test_a_damaged_checkpoint_is_refused_in_words(run: Run) -> None:
    (run.checkpoints_path / "last.pt").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(UserError, match=r"last\.pt: the checkpoint cannot be read.*Train again"):
        load_checkpoint(run, "last.pt")
