from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from earmark import training
from earmark.clips import ClipTable
from earmark.errors import UserError
from earmark.plan import make_plan
from earmark.recipe import Recipe, Training, read_recipe
from earmark.run import Run, open_run
from earmark.training import Options, count_epochs, follow, judge, resume, train

QUIET: Callable[[str], None] = lambda line: None  # noqa: E731
ONE = Options(threads=1)


def weights(run: Run) -> dict[str, torch.Tensor]:
    return run.model().state_dict()


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_tones_are_learnt(table: ClipTable, tmp_path: Path) -> None:
    recipe = read_recipe(
        "default",
        ["training.epochs=30", "training.min_steps=1", "training.batch_size=4", "network.widths=[8, 16]"],
    )
    run = train(table, recipe, tmp_path / "run", ONE, QUIET)
    history = run.history()
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    assert history["valid_accuracy"].max() == 1.0
    assert run.is_trained


def test_a_run_holds_what_it_was_made_of(table: ClipTable, tiny: Recipe, tmp_path: Path) -> None:
    run = train(table, tiny, tmp_path / "run", dataclasses.replace(ONE, command="earmark train x"), QUIET)
    again = open_run(run.path)
    assert again.recipe == tiny
    assert again.facts.command == "earmark train x"
    assert again.facts.protocol == "grouped"
    assert set(again.clips().column("split")) == {"train", "valid", "test"}  # type: ignore[arg-type]
    assert again.clips().root == table.root
    assert len(again.history()) == 6
    assert again.model().spec.classes == ("high", "low")


def test_the_same_seed_gives_the_same_weights_and_another_does_not(
    table: ClipTable, tiny: Recipe, tmp_path: Path
) -> None:
    other = dataclasses.replace(tiny, training=dataclasses.replace(tiny.training, seed=1))
    first, again, third = (
        weights(train(table, recipe, tmp_path / str(i), ONE, QUIET))
        for i, recipe in enumerate((tiny, tiny, other))
    )
    assert same(first, again)
    assert not same(first, third)


@pytest.mark.parametrize("schedule", ["one-cycle", "constant"])
@pytest.mark.parametrize("stop_after", [1, 4])
def test_a_resumed_run_ends_bit_equal_to_an_uninterrupted_one(
    table: ClipTable,
    tiny: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stop_after: int,
    schedule: str,
) -> None:
    recipe = dataclasses.replace(tiny, training=dataclasses.replace(tiny.training, schedule=schedule))
    whole = train(table, recipe, tmp_path / "whole", ONE, QUIET)

    original, saved = training.save_state, []

    def interrupt(run: Run, state: object) -> None:
        original(run, state)  # type: ignore[arg-type]
        saved.append(state)
        if len(saved) == stop_after:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "save_state", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(table, recipe, tmp_path / "broken", ONE, QUIET)
    with pytest.raises(UserError, match="has not come to its end.*--resume"):
        open_run(tmp_path / "broken")
    resumed = resume(tmp_path / "broken", ONE, QUIET)

    assert same(weights(resumed), weights(whole))
    columns = [name for name in whole.history().columns if name != "seconds"]
    assert resumed.history()[columns].equals(whole.history()[columns])


def test_a_run_that_was_killed_before_its_first_epoch_starts_again(
    table: ClipTable, tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(table, tiny, tmp_path / "whole", ONE, QUIET)
    with monkeypatch.context() as patch:
        patch.setattr(training, "score_clips", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train(table, tiny, tmp_path / "broken", ONE, QUIET)
    assert same(weights(resume(tmp_path / "broken", ONE, QUIET)), weights(whole))


def test_resume_refuses_a_finished_run_and_changed_recordings(
    table: ClipTable, tiny: Recipe, tmp_path: Path, tone: Callable[..., np.ndarray]
) -> None:
    run = train(table, tiny, tmp_path / "run", ONE, QUIET)
    with pytest.raises(UserError, match="come to its end already"):
        resume(run.path, ONE, QUIET)
    shutil.rmtree(run.model_path)
    soundfile.write(table.paths()[3], tone(999), 22050)
    with pytest.raises(UserError, match="not those that the training was begun with"):
        resume(run.path, ONE, QUIET)


def test_an_existing_run_is_never_overwritten(table: ClipTable, tiny: Recipe, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("keep")
    with pytest.raises(UserError, match="this exists already.*Choose another -o"):
        train(table, tiny, tmp_path / "run", ONE, QUIET)
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["mine.txt"]


def test_the_person_is_told_the_split_the_work_and_what_was_left_out(
    table: ClipTable, tiny: Recipe, tmp_path: Path
) -> None:
    (table.root / "low" / "low_03.wav").write_bytes(b"RIFF")
    lines: list[str] = []
    run = train(table, tiny, tmp_path / "run", ONE, lines.append)
    told = "\n".join(lines)
    assert "train" in told and "valid" in told and "test" in told
    assert "left out" in told
    assert "6 epochs of 2 steps on 1 threads, about" in told
    assert "low_03.wav" in run.unusable_path.read_text()
    assert "low_03" not in run.clips_path.read_text()


def test_a_loss_that_is_no_number_stops_in_words(table: ClipTable, tiny: Recipe, tmp_path: Path) -> None:
    recipe = dataclasses.replace(
        tiny, training=dataclasses.replace(tiny.training, learning_rate=1e30, clip_norm=None)
    )
    with pytest.raises(UserError, match=r"the loss of epoch \d+ is nan.*Lower the rate"):
        train(table, recipe, tmp_path / "run", ONE, QUIET)


def test_early_stopping_stops_after_its_patience(table: ClipTable, tiny: Recipe, tmp_path: Path) -> None:
    changed = dataclasses.replace(tiny.training, epochs=40, max_steps=None, patience=2, learning_rate=1e-12)
    run = train(table, dataclasses.replace(tiny, training=changed), tmp_path / "run", ONE, QUIET)
    assert len(run.history()) < 40


def test_the_test_split_chooses_nothing(table: ClipTable, tiny: Recipe, tmp_path: Path) -> None:
    """With the labels of the test clips exchanged, training gives the same weights."""
    plan = make_plan(table, tiny)
    given = plan.table
    test = given.frame["split"] == "test"
    swapped = given.frame["label"].map({"low": "high", "high": "low"}).where(test, given.frame["label"])
    first = train(given, tiny, tmp_path / "a", ONE, QUIET)
    second = train(given.with_column("label", swapped), tiny, tmp_path / "b", ONE, QUIET)
    assert same(weights(first), weights(second))
    assert first.facts.protocol == "given"


def test_a_device_that_is_not_there_is_refused_in_words(
    table: ClipTable, tiny: Recipe, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="--device warp: it cannot be used here"):
        train(table, tiny, tmp_path / "run", Options(device="warp"), QUIET)
    assert not (tmp_path / "run").exists()


def test_bfloat16_trains_too(table: ClipTable, tiny: Recipe, tmp_path: Path) -> None:
    recipe = dataclasses.replace(tiny, training=dataclasses.replace(tiny.training, precision="bfloat16"))
    run = train(table, recipe, tmp_path / "run", ONE, QUIET)
    assert np.isfinite(run.history()["loss"]).all()


@pytest.mark.parametrize(
    ("n_batches", "epochs"), [(5, 160), (1, 600), (2, 300), (94, 48), (10_000, 1), (28, 160)]
)
def test_epochs_stay_within_the_bounds_of_steps(n_batches: int, epochs: int) -> None:
    assert count_epochs(Training(epochs=160, min_steps=600, max_steps=4500), n_batches) == epochs


def test_the_average_follows_the_weights() -> None:
    average, model = torch.nn.Linear(1, 1, bias=False), torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(average.weight)
    torch.nn.init.ones_(model.weight)
    follow(average, model, 0.995, step=10_000)
    torch.testing.assert_close(average.weight.item(), 0.005, rtol=1e-4, atol=0)
    follow(average, model, 0.0, step=0)
    assert average.weight.item() == 1.0


def test_validation_figures_are_worked_out_by_hand() -> None:
    scores = np.array([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2]], np.float32)
    targets = np.eye(2, dtype=np.float32)[[0, 1, 1]]
    loss, accuracy, f1 = judge(scores, targets, multi=False)
    np.testing.assert_allclose(loss, -np.log([0.9, 0.6, 0.2]).mean(), rtol=1e-5)
    np.testing.assert_allclose([accuracy, f1], [2 / 3, 2 / 3], rtol=1e-6)
    assert all(np.isnan(judge(scores[:0], targets[:0], multi=False)))
