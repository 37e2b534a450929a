from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from earmark import checkpoints, training
from earmark.clips import ClipTable, read_clips
from earmark.errors import UserError
from earmark.evaluation import evaluate
from earmark.optimisation import OPTIMIZERS, SCHEDULES
from earmark.plan import make_plan
from earmark.recipe import Recipe, Training, read_recipe
from earmark.run import Run, open_run
from earmark.tables import counted
from earmark.trainer import follow
from earmark.training import Options, count_epochs, judge, resume, train

QUIET: Callable[[str], None] = lambda line: None  # noqa: E731
ONE = Options(threads=1)


def with_training(recipe: Recipe, **changes: object) -> Recipe:
    return dataclasses.replace(recipe, training=dataclasses.replace(recipe.training, **changes))


def weights(run: Run) -> dict[str, torch.Tensor]:
    return run.model().state_dict()


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_tones_are_learnt(table: ClipTable, tmp_path: Path) -> None:
    recipe = read_recipe(
        "default",
        [
            "training.epochs=30",
            "training.min_steps=1",
            "training.batch_size=4",
            "network.widths=[8, 16]",
            "network.pretrained=false",
            "split.valid_fraction=0.2",
        ],
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


def train_with_a_break(
    table: ClipTable, recipe: Recipe, place: Path, monkeypatch: pytest.MonkeyPatch, stop_after: int
) -> Run:
    """A training that was broken off after some epochs, and resumed."""
    original, saved = checkpoints.save_state, []

    def interrupt(run: Run, state: checkpoints.State) -> None:
        original(run, state)
        saved.append(state)
        if len(saved) == stop_after:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save_state", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(table, recipe, place, ONE, QUIET)
    with pytest.raises(UserError, match="has not come to its end.*--resume"):
        open_run(place)
    return resume(place, ONE, QUIET)


def assert_same_training(a: Run, b: Run) -> None:
    assert same(weights(a), weights(b))
    columns = [name for name in a.history().columns if name != "seconds"]
    assert a.history()[columns].equals(b.history()[columns])


SETTINGS = {
    "steps": {"step_epochs": (2, 4), "step_rates": (1e-3, 1e-4)},
    "exponential": {"decay_from": 1},
    "plateau": {"plateau_patience": 1, "learning_rate": 0.1},  # too fast to be better every time
}
"""What makes a schedule change the rate within six epochs."""


@pytest.mark.parametrize(
    ("optimizer", "schedule", "stop_after"),
    [
        ("adamw", "one-cycle", 1),
        *(("adamw", schedule, 4) for schedule in SCHEDULES),
        *((optimizer, "plateau", 3) for optimizer in OPTIMIZERS if optimizer != "adamw"),
    ],
)
def test_a_resumed_run_ends_bit_equal_to_an_uninterrupted_one(
    table: ClipTable,
    tiny: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    optimizer: str,
    schedule: str,
    stop_after: int,
) -> None:
    momentum = 0.9 if optimizer in ("sgd", "rmsprop") else 0.0
    recipe = with_training(
        tiny, optimizer=optimizer, momentum=momentum, schedule=schedule, **SETTINGS.get(schedule, {})
    )
    whole = train(table, recipe, tmp_path / "whole", ONE, QUIET)
    resumed = train_with_a_break(table, recipe, tmp_path / "broken", monkeypatch, stop_after)
    assert_same_training(resumed, whole)
    if schedule != "constant":
        assert whole.history()["learning_rate"].nunique() > 1


@pytest.mark.parametrize("stop_after", [1, 2])
def test_a_backbone_that_rests_goes_on_to(
    table: ClipTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_after: int
) -> None:
    """Broken off while it rests, and just when it begins to learn."""
    short = ("training.epochs=4", "training.min_steps=1", "training.freeze=0.5")
    recipe = read_recipe("default", short)
    whole = train(table, recipe, tmp_path / "whole", ONE, QUIET)
    resumed = train_with_a_break(table, recipe, tmp_path / "broken", monkeypatch, stop_after)
    assert_same_training(resumed, whole)


@pytest.mark.parametrize("epochs_left", [2, 1, 0])
def test_patience_goes_on_where_it_was_broken_off(
    table: ClipTable, tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epochs_left: int
) -> None:
    """Also when the break comes just as the patience is at its end."""
    recipe = with_training(tiny, epochs=40, max_steps=None, patience=2, learning_rate=1e-12)
    whole = train(table, recipe, tmp_path / "whole", ONE, QUIET)
    stop_after = len(whole.history()) - epochs_left
    assert 1 <= stop_after < 20
    resumed = train_with_a_break(table, recipe, tmp_path / "broken", monkeypatch, stop_after)
    assert_same_training(resumed, whole)


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


def test_given_validation_clips_train_where_nothing_validates_and_the_person_is_told(
    table: ClipTable, tiny: Recipe, tmp_path: Path
) -> None:
    given = table.with_column(
        "split", [("train", "train", "valid", "test")[i % 4] for i in range(len(table))]
    )
    none = dataclasses.replace(tiny, split=dataclasses.replace(tiny.split, valid_fraction=0.0))
    lines: list[str] = []
    run = train(given, none, tmp_path / "run", ONE, lines.append)
    n = len(table) // 4
    assert f"warning: {n} clips that the table gives for validation train: the recipe has" in "\n".join(lines)
    kept = run.clips().frame
    assert set(kept["split"]) == {"train", "test"}
    assert set(kept["file"][kept["split"] == "test"]) == set(given.frame["file"][3::4])

    one, same = given.paths()[3], given.paths()[2]
    shutil.copy(one, same)  # a sound in valid and test, as some published corpora have it
    plan = make_plan(given, none)
    assert plan.table.frame["split"].iloc[2] == "valid"
    assert plan.warnings[0].startswith(f"{counted(n - 1, 'clip')} that the table gives for validation train")


def test_the_person_is_told_the_split_the_work_and_what_was_left_out(
    table: ClipTable, tiny: Recipe, tmp_path: Path
) -> None:
    (table.root / "low" / "low_03.wav").write_bytes(b"RIFF")
    lines: list[str] = []
    run = train(table, tiny, tmp_path / "run", ONE, lines.append)
    told = "\n".join(lines)
    assert "train" in told and "valid" in told and "test" in told
    assert "left out" in told
    assert "6 epochs of 2 steps on 1 thread, about" in told
    assert "low_03.wav" in run.unusable_path.read_text()
    assert "low_03" not in run.clips_path.read_text()


def test_a_loss_that_is_no_number_stops_in_words(table: ClipTable, tiny: Recipe, tmp_path: Path) -> None:
    recipe = with_training(tiny, learning_rate=1e30, clip_norm=None)
    with pytest.raises(UserError, match=r"the loss of epoch \d+ is nan.*with a lower rate"):
        train(table, recipe, tmp_path / "run", ONE, QUIET)
    assert not (tmp_path / "run").exists()


def test_two_programs_do_not_train_into_one_run(
    table: ClipTable, tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(training, "score_clips", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train(table, tiny, tmp_path / "run", ONE, QUIET)
    with (
        Run(tmp_path / "run").in_use(),
        pytest.raises(UserError, match="another program trains into this run"),
    ):
        resume(tmp_path / "run", ONE, QUIET)
    assert resume(tmp_path / "run", ONE, QUIET).is_trained


def test_early_stopping_stops_after_its_patience(table: ClipTable, tiny: Recipe, tmp_path: Path) -> None:
    recipe = with_training(tiny, epochs=40, max_steps=None, patience=2, learning_rate=1e-12)
    lines: list[str] = []
    run = train(table, recipe, tmp_path / "run", ONE, lines.append)
    assert len(run.history()) < 40
    assert "stopped early: no better macro_f1 for 2 epochs" in lines


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
    with pytest.raises(UserError, match="--device warp: torch has no such device here"):
        train(table, tiny, tmp_path / "run", Options(device="warp"), QUIET)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_trains_too(
    table: ClipTable, tiny: Recipe, tmp_path: Path, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = set()
    convolve = torch.nn.functional.conv2d

    def conv2d(x: torch.Tensor, *args: object, **settings: object) -> torch.Tensor:
        out = convolve(x, *args, **settings)  # type: ignore[call-overload]
        seen.add(out.dtype if torch.is_grad_enabled() else None)
        return out  # type: ignore[no-any-return]

    monkeypatch.setattr(torch.nn.functional, "conv2d", conv2d)
    run = train(table, with_training(tiny, precision=precision), tmp_path / "run", ONE, QUIET)
    assert np.isfinite(run.history()["loss"]).all()
    assert getattr(torch, precision) in seen
    assert run.history()["loss"].iloc[-1] < run.history()["loss"].iloc[0]


def test_without_a_monitor_the_last_epoch_is_kept(table: ClipTable, tiny: Recipe, tmp_path: Path) -> None:
    run = train(table, with_training(tiny, monitor="none"), tmp_path / "run", ONE, QUIET)
    last = checkpoints.load_checkpoint(run, "last.pt")["average"]
    assert run.history()["valid_loss"].notna().all()
    assert run.best_epoch == len(run.history())
    assert same(weights(run), last)


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
    loss, accuracy, f1 = judge(scores, targets, "single-label")
    np.testing.assert_allclose(loss, -np.log([0.9, 0.6, 0.2]).mean(), rtol=1e-5)
    np.testing.assert_allclose([accuracy, f1], [2 / 3, 2 / 3], rtol=1e-6)
    assert all(np.isnan(judge(scores[:0], targets[:0], "single-label")))
    squared = judge(scores, targets, "single-label", "mean-squared-error")
    np.testing.assert_allclose(squared[0], (0.01 + 0.16 + 0.64) / 3, rtol=1e-5)


# -- tasks and losses ---------------------------------------------------------------------------------------


@pytest.fixture
def marks(table: ClipTable, tmp_path: Path) -> ClipTable:
    """The same tones with a column a class, one mark of them unknown."""
    rows = [f"{file},{int('low' in file)},{int('high' in file)}" for file in table.frame["file"]]
    rows[3] = rows[3][:-1]
    (tmp_path / "marks.csv").write_text("\n".join(["file,low,high", *rows]) + "\n")
    return read_clips(tmp_path / "marks.csv", table.root)


@pytest.mark.parametrize("loss", ["binary-cross-entropy", "mean-squared-error"])
def test_a_binary_run_goes_all_the_way(table: ClipTable, tiny: Recipe, tmp_path: Path, loss: str) -> None:
    """Mixup and class weights included; one sigmoid gives the scores of both classes."""
    recipe = with_training(
        dataclasses.replace(tiny, task="binary"), loss=loss, epochs=30, max_steps=120, learning_rate=1e-2
    )
    assert recipe.augment.mixup and recipe.training.class_balance == "sqrt"
    run = train(table, recipe, tmp_path / "run", ONE, QUIET)
    model = run.model()
    assert (model.spec.task, model.head.out_features) == ("binary", 1)
    found = evaluate(run.path)
    np.testing.assert_allclose(found.scored.scores.sum(axis=1), 1, rtol=1e-5)
    assert found.measures[0].name == "accuracy" and found.measures[0].clips.value == 1.0


@pytest.mark.parametrize("loss", ["binary-cross-entropy", "mean-squared-error"])
def test_a_multi_label_run_learns_by_either_loss(
    marks: ClipTable, tiny: Recipe, tmp_path: Path, loss: str
) -> None:
    recipe = with_training(tiny, loss=loss, epochs=60, max_steps=240, learning_rate=1e-2)
    history = train(marks, recipe, tmp_path / "run", ONE, QUIET).history()
    assert history["valid_accuracy"].max() == 1.0
    assert history["valid_loss"].notna().all()


def test_mean_squared_error_of_single_labels_is_learnt_too(
    table: ClipTable, tiny: Recipe, tmp_path: Path
) -> None:
    recipe = with_training(
        tiny, loss="mean-squared-error", epochs=30, max_steps=120, learning_rate=1e-2, label_smoothing=0.1
    )
    history = train(table, recipe, tmp_path / "run", ONE, QUIET).history()
    assert history["valid_accuracy"].max() == 1.0
    assert history["valid_loss"].max() <= 1


@pytest.mark.parametrize(
    ("task", "loss", "words"),
    [
        (
            "binary",
            "cross-entropy",
            "training.loss: found 'cross-entropy', which does not fit the task 'binary'",
        ),
        ("auto", "binary-cross-entropy", "does not fit the task 'single-label'"),
        (
            "multi-label",
            "auto",
            "task: found 'multi-label', but the table has one label a clip.*task = \"auto\"",
        ),
    ],
)
def test_a_task_or_a_loss_that_does_not_fit_is_refused_before_a_sound_is_read(
    table: ClipTable, tiny: Recipe, tmp_path: Path, task: str, loss: str, words: str
) -> None:
    recipe = with_training(dataclasses.replace(tiny, task=task), loss=loss)
    with pytest.raises(UserError, match=words):
        train(table, recipe, tmp_path / "run", ONE, QUIET)
    assert not (tmp_path / "run").exists() and not (tmp_path / "cache").exists()


@pytest.mark.parametrize("task", ["single-label", "binary"])
def test_a_multi_label_table_is_not_taken_for_single_labels(
    marks: ClipTable, tiny: Recipe, tmp_path: Path, task: str
) -> None:
    with pytest.raises(UserError, match=f"task: found '{task}', but the table has a column a class"):
        train(marks, dataclasses.replace(tiny, task=task), tmp_path / "run", ONE, QUIET)


def test_binary_with_three_classes_names_them(table: ClipTable, tiny: Recipe, tmp_path: Path) -> None:
    labels = table.frame["label"].to_list()
    three = table.with_column("label", ["middle", "middle", *labels[2:]])
    three = dataclasses.replace(three, classes=("high", "low", "middle"))
    with pytest.raises(
        UserError, match="task: found 'binary' and 3 classes .'high', 'low', 'middle'., wanted two"
    ):
        train(three, dataclasses.replace(tiny, task="binary"), tmp_path / "run", ONE, QUIET)


@pytest.fixture
def without_valid(table: ClipTable) -> ClipTable:
    """Tones whose split 'valid' is one silent file, which cannot be used."""
    soundfile.write(table.paths()[0], np.zeros(22050), 22050)
    return table.with_column("split", ["valid", *(["train", "test"] * len(table))[1 : len(table)]])


def test_a_plateau_needs_validation_clips(without_valid: ClipTable, tiny: Recipe, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match="'plateau', which goes by the validation loss, but no clip is in the"
    ):
        train(without_valid, with_training(tiny, schedule="plateau"), tmp_path / "run", ONE, QUIET)
    assert not (tmp_path / "run").exists()


def test_without_validation_clips_the_last_epoch_is_kept(
    without_valid: ClipTable, tiny: Recipe, tmp_path: Path
) -> None:
    run = train(without_valid, with_training(tiny, patience=1), tmp_path / "run", ONE, QUIET)
    assert run.history()["valid_loss"].isna().all()
    assert len(run.history()) == run.best_epoch == 6
    said = "no clip is in the split 'valid', so that training.monitor = 'macro_f1' chooses nothing"
    assert [one.startswith(said) for one in run.facts.warnings] == [True]


def test_an_epoch_that_nobody_should_choose_is_no_matter_for_a_warning(
    without_valid: ClipTable, tiny: Recipe
) -> None:
    assert make_plan(without_valid, with_training(tiny, monitor="none")).warnings == ()


def test_the_first_weights_are_drawn_as_the_recipe_says(
    table: ClipTable, tiny: Recipe, tmp_path: Path
) -> None:
    """At a rate of almost nothing they are what is kept; glorot and normal begin with biases of 0."""
    runs = {
        kind: weights(
            train(
                table,
                with_training(tiny, initialisation=kind, learning_rate=1e-12),
                tmp_path / kind,
                ONE,
                QUIET,
            )
        )
        for kind in ("default", "glorot", "normal")
    }
    assert runs["default"]["head.bias"].abs().max() > 1e-3
    for kind in ("glorot", "normal"):
        assert runs[kind]["head.bias"].abs().max() < 1e-6
        assert not torch.allclose(runs[kind]["head.weight"], runs["default"]["head.weight"])
