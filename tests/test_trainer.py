"""One epoch after another: what learns in which."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from earmark.clips import ClipTable
from earmark.plan import make_plan
from earmark.recipe import read_recipe
from earmark.run import RunFacts, create_run
from earmark.trainer import Trainer
from earmark.training import make_trainer

N_EPOCHS = 4


def trainer_of(table: ClipTable, folder: Path, *changes: str) -> Trainer:
    """The default recipe for `N_EPOCHS` epochs, at its full rate."""
    always = (
        f"training.epochs={N_EPOCHS}",
        "training.min_steps=1",
        "training.schedule=constant",
        "training.batch_size=8",
    )
    recipe = read_recipe("default", [*always, *changes])
    plan = make_plan(table, recipe)
    run = create_run(folder)
    run.write(RunFacts(sounds=plan.sounds), recipe, plan.table)
    return make_trainer(run, plan)


def moved(trainer: Trainer) -> set[str]:
    """The stages whose weights one epoch moves; `running` with them where the backbone's norms took notice."""
    model = trainer.state.model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for _ in trainer.epoch():
        pass
    after = model.state_dict()
    names = {name for name, value in after.items() if not torch.equal(value, before[name])}
    weights = dict(model.named_parameters())
    stages = {name.split(".")[0] for name in names if name in weights}
    running = {"running" for name in names if name.startswith("backbone") and "running_mean" in name}
    return stages | running


@pytest.mark.parametrize(("freeze", "n_frozen"), [(0.24, 0), (0.25, 1), (0.99, 3)])
def test_a_pretrained_backbone_rests_for_its_share_of_whole_epochs(
    table: ClipTable, tmp_path: Path, freeze: float, n_frozen: int
) -> None:
    trainer = trainer_of(table, tmp_path / "run", f"training.freeze={freeze}")
    found = [moved(trainer) for _ in range(N_EPOCHS)]
    beside = {"head", "statistics", "running"}
    assert found == [beside] * n_frozen + [beside | {"backbone"}] * (N_EPOCHS - n_frozen)


def test_a_backbone_with_random_weights_learns_from_the_first_step(table: ClipTable, tmp_path: Path) -> None:
    changes = "training.freeze=0.5", "network.pretrained=false"
    assert "backbone" in moved(trainer_of(table, tmp_path / "run", *changes))
