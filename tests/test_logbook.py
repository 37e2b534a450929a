from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from earmark import checkpoints, training
from earmark.clips import ClipTable
from earmark.evaluation import evaluate
from earmark.logbook import HEADER, MOST_HISTOGRAMS, share_right
from earmark.recipe import Recipe, read_recipe
from earmark.run import Run
from earmark.training import Options, resume, train

ONE = Options(threads=1)


def steps(run: Run) -> pd.DataFrame:
    return pd.read_csv(run.steps_path)


def test_every_step_has_a_row_and_they_average_to_the_epoch(
    table: ClipTable, tiny: Recipe, tmp_path: Path
) -> None:
    run = train(table, tiny, tmp_path / "run", ONE, str)
    found, history = steps(run), run.history()
    assert ",".join(found.columns) + "\n" == HEADER
    assert found["step"].tolist() == list(range(1, history["step"].iloc[-1] + 1))
    assert (found["seconds"] > 0).all()
    means = found.groupby("epoch")["loss"].mean().to_numpy()
    np.testing.assert_allclose(means, history["loss"], rtol=1e-4)
    assert history["accuracy"].between(0, 1).all()


def test_a_broken_off_training_loses_and_doubles_no_step(
    table: ClipTable, tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(table, tiny, tmp_path / "whole", ONE, str)

    def killed(run: Run, state: checkpoints.State, row: checkpoints.Epoch) -> None:
        if row.epoch == 4:  # its steps are written, its checkpoint is not
            raise KeyboardInterrupt
        checkpoints.record(run, state, row)

    with monkeypatch.context() as patch:
        patch.setattr(training, "record", killed)
        with pytest.raises(KeyboardInterrupt):
            train(table, tiny, tmp_path / "broken", ONE, str)
    assert steps(Run(tmp_path / "broken"))["epoch"].max() == 4
    again = resume(tmp_path / "broken", ONE, str)
    columns = ["step", "epoch", "loss"]
    pd.testing.assert_frame_equal(steps(again)[columns], steps(whole)[columns])


def test_the_share_of_right_clips_of_each_task() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0], [0.0, 1.0, 2.0], [0.0, 3.0, 1.0], [1.0, 0.0, 0.0]])
    mixed = torch.tensor([[0.7, 0.3, 0.0], [0.0, 0.6, 0.4], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert share_right(logits, mixed, "single-label") == 0.5
    two = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.2, 0.8]])
    assert share_right(torch.tensor([[-1.0], [2.0], [-2.0], [0.1]]), two, "binary") == 0.75
    labels = torch.tensor([[1.0, 0.0, torch.nan], [0.0, 0.0, 1.0]])
    found = share_right(torch.tensor([[1.0, 1.0, 1.0], [-1.0, -1.0, -1.0]]), labels, "multi-label")
    assert found == pytest.approx(3 / 5)  # the unknown label does not count


@pytest.mark.parametrize("recipe", ["default", "mfcc-lstm", "crnn", "lowrate-mlp"])
def test_tensorboard_holds_scalars_weights_the_graph_and_the_confusion(
    recipe: str, table: ClipTable, tiny: Recipe, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    settings = tiny if recipe == "default" else _short(recipe)
    run = train(table, settings, tmp_path / "run", dataclasses.replace(ONE, tensorboard=True), str)
    evaluate(run.path)
    events = EventAccumulator(str(run.tensorboard_path))
    events.Reload()
    tags = events.Tags()
    assert len(events.Scalars("loss")) == len(run.history())
    assert {"accuracy", "learning_rate"} <= set(tags["scalars"])
    assert {f"weights/{name}" for name, _ in run.model().named_parameters()} == set(tags["histograms"])
    name = next(iter(tags["histograms"]))
    assert 0 < len(events.Histograms(name)) <= min(len(run.history()), MOST_HISTOGRAMS + 1)
    assert tags["graph"]
    assert tags["images"] == ["confusion"]


def _short(name: str) -> Recipe:
    length = "clip" if name == "lowrate-mlp" else "crop"
    split = ["split.protocol=grouped", "split.test_fraction=0.2", "split.valid_fraction=0.2"]
    return read_recipe(
        name, ["training.epochs=1", "training.min_steps=1", f"audio.{length}_seconds=0.8", *split]
    )
