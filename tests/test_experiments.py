"""Sweeps, cross-validation and comparisons: once each, whole, and honest about what chose what."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score

from earmark import findings
from earmark.clips import ClipTable, read_clips, write_clips
from earmark.errors import UserError
from earmark.evaluation import evaluate
from earmark.experiments import comparison, crossvalidation, sweep, trials
from earmark.experiments.crossvalidation import CrossValidation, cross_validate
from earmark.experiments.sweep import Over, read_over
from earmark.files import alone_in
from earmark.models import ModelSpec
from earmark.recipe import Recipe, read_recipe
from earmark.run import Run
from earmark.training import Options

ONE = Options(threads=1)
WIDTHS = Over("network.widths", ([4], [4, 8]))


@pytest.fixture
def grouped(table: ClipTable) -> ClipTable:
    """The tones with a group for every two of a class: six groups a class, and three folds of them."""
    number = np.arange(len(table)) % 12 // 2
    groups = [f"{label} {k}" for label, k in zip(table.frame["label"], number, strict=True)]
    return table.with_column("group", groups)


@pytest.fixture
def quick(tiny: Recipe) -> Recipe:
    return dataclasses.replace(tiny, training=dataclasses.replace(tiny.training, epochs=2))


def lines() -> tuple[list[str], Callable[[str], None]]:
    said: list[str] = []
    return said, said.append


# -- sweep --------------------------------------------------------------------------------------------------


def test_a_sweep_is_a_table_ordered_by_validation(table: ClipTable, quick: Recipe, tmp_path: Path) -> None:
    said, say = lines()
    overs = [WIDTHS, Over("training.learning_rate", (1e-3, 1e-2))]
    found = sweep.sweep(table, quick, overs, tmp_path / "s", ONE, say)
    rows = pd.read_csv(tmp_path / "s" / "sweep.csv")
    assert len(rows) == 4
    assert found.n_failed == 0
    assert set(rows["network.widths"]) == {"[4]", "[4, 8]"}
    assert rows["valid_macro_f1"].is_monotonic_decreasing
    for _, row in rows.iterrows():
        run = Run(tmp_path / "s" / "runs" / row["run"])
        assert str(list(run.recipe.network.widths)) == row["network.widths"]  # type: ignore[union-attr]
        assert row["test_accuracy"] == pytest.approx(run.metrics()["measures"][0]["clips"]["value"], abs=1e-5)
    for name in ("sweep.png", "sweep.svg"):
        assert (tmp_path / "s" / name).stat().st_size > 1000
    assert "would have been chosen by the test" in found.text
    assert "min left" in said[2]


def test_the_labels_of_the_test_choose_nothing(grouped: ClipTable, quick: Recipe, tmp_path: Path) -> None:
    """With the labels of the test exchanged, the test figures turn over; what validation says stays as it is."""
    number = np.arange(len(grouped)) % 12
    split = np.where(number < 2, "test", np.where(number < 4, "valid", "train"))
    true = grouped.with_column("split", split)
    label = grouped.frame["label"].to_numpy()
    exchanged = np.where(split == "test", np.where(label == "low", "high", "low"), label)
    false = true.with_column("label", exchanged)
    over = Over("training.learning_rate", (1e-5, 1e-2))
    figures = []
    for name, one in (("true", true), ("false", false)):
        sweep.sweep(one, quick, [over], tmp_path / name, ONE, str)
        figures.append(pd.read_csv(tmp_path / name / "sweep.csv"))
    chosen = [column for column in figures[0] if "test" not in column and column != "seconds"]
    pd.testing.assert_frame_equal(figures[0][chosen], figures[1][chosen])
    np.testing.assert_allclose(figures[0]["test_accuracy"], 1 - figures[1]["test_accuracy"], atol=1e-6)
    order = figures[0]["run"].tolist()
    for name, figure in zip(order, (0.0, 1.0), strict=True):  # the test says the contrary of validation
        run = Run(tmp_path / "true" / "runs" / name)
        values = run.metrics()
        values["measures"][0]["clips"]["value"] = figure
        (run.path / "metrics.json").write_text(json.dumps(values))
    sweep.sweep(true, quick, [over], tmp_path / "true", ONE, str)
    again = pd.read_csv(tmp_path / "true" / "sweep.csv")
    assert again["test_accuracy"].tolist() == [0.0, 1.0]
    assert again["run"].tolist() == order


def test_a_finished_run_is_not_trained_again_and_more_values_can_be_added(
    table: ClipTable, quick: Recipe, tmp_path: Path
) -> None:
    first = Over(WIDTHS.key, WIDTHS.values[:1])
    sweep.sweep(table, quick, [first], tmp_path / "s", ONE, str)
    (before,) = (tmp_path / "s" / "runs").iterdir()
    stamp = (before / "model" / "weights.safetensors").stat().st_mtime_ns
    said, say = lines()
    sweep.sweep(table, quick, [WIDTHS], tmp_path / "s", ONE, say)
    assert (before / "model" / "weights.safetensors").stat().st_mtime_ns == stamp
    assert sum("was done already" in line for line in said) == 1
    assert len(pd.read_csv(tmp_path / "s" / "sweep.csv")) == 2


def test_all_trainings_of_an_experiment_take_as_many_threads_as_the_first(
    table: ClipTable, quick: Recipe, tmp_path: Path
) -> None:
    """Else the table would depend on how busy the machine was, and on where it was broken off."""
    first = Over(WIDTHS.key, WIDTHS.values[1:])
    sweep.sweep(table, quick, [first], tmp_path / "s", Options(threads=5), str)
    sweep.sweep(table, quick, [WIDTHS], tmp_path / "s", Options(), str)
    runs = [Run(path) for path in (tmp_path / "s" / "runs").iterdir()]
    assert [run.facts.threads for run in runs] == [5, 5]


def test_a_setting_that_fails_is_a_row_with_its_reason(
    table: ClipTable, quick: Recipe, tmp_path: Path
) -> None:
    over = Over("training.learning_rate", (1e-3, "fast", 1e30))
    found = sweep.sweep(table, quick, [over], tmp_path / "s", ONE, str)
    rows = pd.read_csv(tmp_path / "s" / "sweep.csv").set_index("training.learning_rate")
    assert found.n_failed == 2
    assert rows["status"].tolist() == ["done", "failed", "failed"]
    assert "Expected float" in rows.loc['"fast"', "reason"]
    assert "wanted a finite number" in rows.loc["1e+30", "reason"]


def test_a_setting_that_needs_too_much_memory_is_a_row_too(
    table: ClipTable, quick: Recipe, tmp_path: Path
) -> None:
    over = Over("network.widths", ([4, 10**13], [4]))
    said, say = lines()
    found = sweep.sweep(table, quick, [over], tmp_path / "s", ONE, say)
    rows = pd.read_csv(tmp_path / "s" / "sweep.csv").set_index("network.widths")
    assert found.n_failed == 1
    assert rows.loc["[4]", "status"] == "done"
    assert "memory" in rows.loc["[4, 10000000000000]", "reason"]
    assert [line for line in said if line.startswith("[1 of 2]") and "failed: RuntimeError" in line]


def test_where_nothing_is_set_aside_the_sweep_does_so(
    table: ClipTable, quick: Recipe, tmp_path: Path
) -> None:
    none = dataclasses.replace(quick, split=dataclasses.replace(quick.split, valid_fraction=0.0))
    said, say = lines()
    sweep.sweep(table, none, [Over(WIDTHS.key, ([4],))], tmp_path / "s", ONE, say)
    assert said[0].startswith("20% of the clips")
    (run,) = (tmp_path / "s" / "runs").iterdir()
    assert (read_clips(run / "clips.csv").frame["split"] == "valid").sum() > 0

    given = table.with_column(
        "split", [("train", "train", "valid", "test")[i % 4] for i in range(len(table))]
    )
    sweep.sweep(given, none, [Over(WIDTHS.key, ([4],))], tmp_path / "given", ONE, say)
    (run,) = (tmp_path / "given" / "runs").iterdir()
    assert read_clips(run / "clips.csv").frame["split"].tolist() == given.frame["split"].tolist()


def test_what_cannot_be_swept_is_refused_and_nothing_is_made(
    table: ClipTable, quick: Recipe, tmp_path: Path
) -> None:
    place = tmp_path / "s"
    for overs, words in (
        ([], "no setting is named"),
        ([Over("network.width", (1,))], "Did you mean 'widths'"),
        ([Over("training.learning_rate", (), 1e-4, 1e-2)], "Add --trials"),
        ([Over("split.seed", (0, 1))], "not of the same clips.*earmark cv"),
        ([WIDTHS, Over("network.widths", ([8],))], "network.widths: it is named twice"),
    ):
        with pytest.raises(UserError, match=words):
            sweep.sweep(table, quick, overs, place, ONE, str)
    assert not place.exists()


def test_other_clips_and_another_recipe_are_not_mixed_in(
    table: ClipTable, quick: Recipe, tmp_path: Path
) -> None:
    place = tmp_path / "s"
    trials.begin(place, "sweep", {"clips": trials.fingerprint(table), "recipe": quick.to_toml()})
    with pytest.raises(UserError, match="begun with another clips"):
        sweep.sweep(table.take(np.arange(20)), quick, [WIDTHS], place, ONE, str)
    other = dataclasses.replace(quick, normalisation="global")
    with pytest.raises(UserError, match="begun with another recipe"):
        sweep.sweep(table, other, [WIDTHS], place, ONE, str)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(UserError, match="something else than an experiment"):
        sweep.sweep(table, quick, [WIDTHS], tmp_path / "mine", ONE, str)


def test_two_programs_do_not_work_on_one_experiment(table: ClipTable, quick: Recipe, tmp_path: Path) -> None:
    place = tmp_path / "s"
    trials.begin(place, "sweep", {"clips": trials.fingerprint(table), "recipe": quick.to_toml()})
    with alone_in(place, "busy"), pytest.raises(UserError, match="another program works on this experiment"):
        sweep.sweep(table, quick, [WIDTHS], place, ONE, str)
    assert not (place / "runs").exists()


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a.b=1,2.5,1e-3", (1, 2.5, 1e-3)),
        ("a.b=[1,2],[3]", ([1, 2], [3])),
        ("a.b=logmel, mfcc", ("logmel", "mfcc")),
        ('a.b="x,y",true', ("x,y", True)),
        ("a.b=0.001,1e-3,2,0.001", (0.001, 2)),
    ],
)
def test_values_are_toml_or_words(text: str, values: tuple[object, ...]) -> None:
    assert read_over(text) == Over("a.b", values)


def test_a_range_is_for_a_search() -> None:
    assert read_over("a=1e-4..1e-2") == Over("a", (), 1e-4, 1e-2)
    for text in ("a", "=1", "a=", "a=1,,2", "a=3..1", "a=--..1"):
        with pytest.raises(UserError, match="--over"):
            read_over(text)


def test_a_search_goes_on_where_it_was_broken_off(table: ClipTable, quick: Recipe, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    overs = [Over("training.learning_rate", (), 1e-4, 1e-1), WIDTHS]
    sweep.sweep(table, quick, overs, tmp_path / "whole", ONE, str, n_trials=3)
    sweep.sweep(table, quick, overs, tmp_path / "parts", ONE, str, n_trials=2)
    sweep.sweep(table, quick, overs, tmp_path / "parts", ONE, str, n_trials=3)
    whole, parts = (pd.read_csv(tmp_path / name / "sweep.csv") for name in ("whole", "parts"))
    assert len(whole) == 3
    pd.testing.assert_frame_equal(whole.drop(columns="seconds"), parts.drop(columns="seconds"))


def test_a_search_draws_whole_numbers_where_a_setting_wants_them_and_lists_each_once(
    table: ClipTable, quick: Recipe, tmp_path: Path
) -> None:
    pytest.importorskip("optuna")
    said, say = lines()
    over = read_over("training.batch_size=8..9")
    sweep.sweep(table, quick, [over], tmp_path / "s", ONE, say, n_trials=4)
    rows = pd.read_csv(tmp_path / "s" / "sweep.csv")
    assert set(rows["training.batch_size"]) <= {8, 9}
    assert set(rows["status"]) == {"done"}
    assert rows["training.batch_size"].is_unique
    assert any(line.startswith("[4 of 4]") for line in said)
    assert f"{4 - len(rows)} training" in said[-1]
    assert "drawn before" in said[-1]


def test_a_range_between_whole_numbers_is_not_whole_where_the_setting_is_not(quick: Recipe) -> None:
    optuna = pytest.importorskip("optuna")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [sweep._drawn(study.ask(), read_over("network.dropout=0..1"), quick) for _ in range(5)]
    assert all(0 < value < 1 for value in drawn)


# -- cross-validation ---------------------------------------------------------------------------------------


def test_every_clip_is_tested_once_by_a_network_that_never_heard_its_group(
    grouped: ClipTable, quick: Recipe, tmp_path: Path
) -> None:
    how = CrossValidation(folds=3, seeds=2)
    found = cross_validate(grouped, quick, how, tmp_path / "cv", ONE, str)
    scores = pd.read_csv(tmp_path / "cv" / "scores.csv")
    for _, one in scores.groupby("seed"):
        assert sorted(one["file"]) == sorted(grouped.frame["file"])
        assert accuracy_score(one["truth"], one["prediction"]) == pytest.approx(
            (one[["high", "low"]].idxmax(axis=1) == one["truth"]).mean()
        )
    commons = []
    for run in (tmp_path / "cv" / "runs").iterdir():
        clips = read_clips(run / "clips.csv").frame
        heard, tested = (
            set(clips[clips["split"].isin(names)]["group"]) for names in (["train", "valid"], ["test"])
        )
        assert heard
        assert heard.isdisjoint(tested)
        commonest = clips[clips["split"] != "test"]["label"].value_counts().sort_index().idxmax()
        commons.append((clips[clips["split"] == "test"]["label"] == commonest).mean())
    assert f"the majority {100 * np.mean(commons):.1f}" in found.text
    matrix = pd.read_csv(tmp_path / "cv" / "confusion.csv", index_col=0).to_numpy()
    assert matrix.sum() == 2 * len(grouped)
    assert f"{100 * accuracy_score(scores['truth'], scores['prediction']):.1f}" in found.text
    folds = pd.read_csv(tmp_path / "cv" / "folds.csv")
    assert folds["status"].tolist() == ["done"] * 6
    whole = f1_score(scores["truth"], scores["prediction"], average="macro")
    assert f"{100 * whole:.1f}" in found.text


def test_two_folds_called_0_and_1_are_no_class_of_a_table_of_many_labels(
    grouped: ClipTable, quick: Recipe, tmp_path: Path
) -> None:
    """And --seed is where the seeds begin."""
    high = grouped.frame["label"] == "high"
    frame = grouped.frame.drop(columns="label").assign(
        high=high.map({True: "1", False: "0"}), low=high.map({True: "0", False: "1"})
    )
    many = dataclasses.replace(grouped, frame=frame, multi_label=True, classes=("high", "low"))
    own = many.with_column("fold", [str(i // 2 % 2) for i in range(len(many))])
    seventh = dataclasses.replace(quick, training=dataclasses.replace(quick.training, seed=7))
    cross_validate(own, seventh, CrossValidation(), tmp_path / "cv", ONE, str)
    assert pd.read_csv(tmp_path / "cv" / "folds.csv")["status"].tolist() == ["done"] * 2
    scores = pd.read_csv(tmp_path / "cv" / "scores.csv")
    assert dict(zip(scores["file"], scores["fold"], strict=True)) == {
        file: int(fold) for file, fold in zip(own.frame["file"], own.frame["fold"], strict=True)
    }
    assert set(scores["seed"]) == {7}
    assert {Run(run).recipe.training.seed for run in (tmp_path / "cv" / "runs").iterdir()} == {7}


def test_folds_of_each_way(grouped: ClipTable) -> None:
    assert len(set(crossvalidation.divide(grouped, CrossValidation(by="each-group"), 0))) == 12
    own = grouped.with_column("fold", [str(i % 2) for i in range(len(grouped))])
    assert set(crossvalidation.divide(own, CrossValidation(), 0)) == {"0", "1"}
    made = crossvalidation.divide(own, CrossValidation(folds=4, by="groups"), 0)
    assert len(set(made)) == 4
    for _, folds in pd.Series(made).groupby(grouped.frame["group"].to_numpy()):
        assert folds.nunique() == 1


def test_folds_that_cannot_be_are_refused(grouped: ClipTable, quick: Recipe, tmp_path: Path) -> None:
    for how, words in (
        (CrossValidation(by="fold"), "no column 'fold'"),
        (CrossValidation(folds=13), "12 groups.*at most 12"),
        (CrossValidation(folds=1), "found 1, wanted two at least"),
    ):
        with pytest.raises(UserError, match=words):
            cross_validate(grouped, quick, how, tmp_path / "cv", ONE, str)
    by_label = grouped.with_column("fold", grouped.frame["label"])
    with pytest.raises(UserError, match="all clips of class 'high', 'low' are in one fold"):
        cross_validate(by_label, quick, CrossValidation(), tmp_path / "cv", ONE, str)
    assert not (tmp_path / "cv").exists()


def test_a_fold_that_lacks_a_class_is_tested_all_the_same(
    grouped: ClipTable, quick: Recipe, tmp_path: Path
) -> None:
    """Each group has one class: no test fold has both."""
    six = grouped.take(np.flatnonzero(grouped.frame["group"].str[-1].isin(list("012"))))
    cross_validate(six, quick, CrossValidation(by="each-group"), tmp_path / "cv", ONE, str)
    assert pd.read_csv(tmp_path / "cv" / "folds.csv")["status"].tolist() == ["done"] * 6


# -- broken off ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "name"),
    [(["sweep", "--over", "network.widths=[4],[4,8]"], "sweep.csv"), (["cv", "--folds", "2"], "folds.csv")],
)
def test_what_was_killed_goes_on_to_the_same_table(
    words: list[str], name: str, grouped: ClipTable, tiny_settings: tuple[str, ...], tmp_path: Path
) -> None:
    write_clips(grouped, tmp_path / "clips.csv")
    settings = [part for one in (*tiny_settings, "training.epochs=2") for part in ("--set", one)]

    def command(out: str) -> list[str]:
        first, *rest = words
        return [
            sys.executable, "-m", "earmark", first, str(tmp_path / "clips.csv"), *settings, "--threads", "1",
            *rest, "-o", str(tmp_path / out),
        ]  # fmt: skip

    process = subprocess.Popen(command("killed"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while not list((tmp_path / "killed").glob("runs/*/run.toml")) and time.monotonic() < until:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed" / name).exists(), "it was to be killed in its first training"
    for out in ("killed", "whole"):
        subprocess.run(command(out), check=True, capture_output=True)
    killed, whole = (pd.read_csv(tmp_path / out / name) for out in ("killed", "whole"))
    pd.testing.assert_frame_equal(killed.drop(columns="seconds"), whole.drop(columns="seconds"))


def test_a_run_says_what_it_is_once_all_of_its_beginning_is_there(
    table: ClipTable, quick: Recipe, tmp_path: Path
) -> None:
    """Broken off while that is written, it is begun anew: a folder in the way of each file stands for the kill."""
    one = [Over(WIDTHS.key, ([4],))]
    sweep.sweep(table, quick, one, tmp_path / "whole", ONE, str)
    (whole,) = (tmp_path / "whole" / "runs").iterdir()
    for name in ("config.toml", "clips.csv", "run.toml"):
        run = Run(tmp_path / name)
        (run.path / name).mkdir(parents=True)
        with pytest.raises(UserError, match="cannot be written"):
            run.write(Run(whole).facts, quick, table)
        assert not run.facts_path.is_file()
        place = tmp_path / f"sweep of {name}"
        shutil.copytree(run.path, place / "runs" / whole.name)
        shutil.copy(tmp_path / "whole" / trials.MARK, place / trials.MARK)
        assert sweep.sweep(table, quick, one, place, ONE, str).n_failed == 0


def test_a_run_whose_evaluation_was_broken_off_is_evaluated_again(
    table: ClipTable, quick: Recipe, tmp_path: Path
) -> None:
    """The figures were found, but the page could not be written: a folder of its name was in the way."""
    one = [Over(WIDTHS.key, ([4],))]
    sweep.sweep(table, quick, one, tmp_path / "s", ONE, str)
    (run,) = (tmp_path / "s" / "runs").iterdir()
    for name in ("metrics.json", "report.html", "MODEL_CARD.md"):
        (run / name).unlink()
    (run / "report.html").mkdir()
    with pytest.raises(UserError, match="report.html: cannot be written"):
        sweep.sweep(table, quick, one, tmp_path / "s", ONE, str)
    (run / "report.html").rmdir()
    sweep.sweep(table, quick, one, tmp_path / "s", ONE, str)
    assert (run / "report.html").is_file()
    assert (run / "MODEL_CARD.md").is_file()


# -- compare ------------------------------------------------------------------------------------------------


@pytest.fixture
def evaluated(trained: Path, tmp_path: Path) -> Path:
    """A copy of the trained run, evaluated."""
    run = Path(shutil.copytree(trained, tmp_path / "runs" / "good"))
    evaluate(run)
    return run


def worse(run: Path, name: str, wrong: int) -> Path:
    """A copy of a run whose first clips have got the other class's score."""
    other = Path(shutil.copytree(run, run.parent / name))
    rows = pd.read_csv(other / "scores.csv", dtype=str, keep_default_na=False)
    rows.loc[: wrong - 1, ["high", "low"]] = rows.loc[: wrong - 1, ["low", "high"]].to_numpy()
    rows.to_csv(other / "scores.csv", index=False)
    config = (other / "config.toml").read_text().replace("dropout = 0.2", "dropout = 0.4", 1)
    (other / "config.toml").write_text(config)
    values = Run(other).metrics()
    values["measures"][0]["clips"]["value"] -= wrong / len(rows)
    (other / "metrics.json").write_text(json.dumps(values))
    return other


def test_runs_are_sorted_and_their_difference_is_that_of_the_same_clips(
    evaluated: Path, tmp_path: Path
) -> None:
    other = worse(evaluated, "bad", wrong=2)
    rows = comparison.compare([other, evaluated])
    assert [row.run.path for row in rows] == [evaluated, other]
    gap, n = rows[1].difference, len(rows[0].scored.table)
    assert gap is not None and gap.low is not None and gap.high is not None
    assert gap.value == pytest.approx(-2 / n)
    assert gap.low < gap.value < gap.high <= 0
    assert rows[1].n_common == n
    text = comparison.describe(rows)
    assert "network.dropout" in text and "0.4" in text
    comparison.write(rows, tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "compare.csv")
    assert table["network.dropout"].tolist() == [0.2, 0.4]
    assert (tmp_path / "out" / "curves.svg").stat().st_size > 1000


def test_the_interval_of_a_difference_is_that_of_whole_groups_drawn_in_pairs(
    specs: dict[str, ModelSpec],
) -> None:
    """Against NumPy: draw groups with replacement, and take both networks' hits in the clips of those."""
    rng = np.random.default_rng(3)
    group = np.repeat([f"g{k:02}" for k in range(40)], 3)
    truth = np.arange(120) % 2
    hits = np.repeat(rng.random(40) < 0.8, 3), np.repeat(rng.random(40) < 0.6, 3)
    best, other = (
        judged(specs["conv2d"], group, truth, right, rows)
        for right, rows in zip(hits, (np.arange(120), rng.permutation(120)), strict=True)
    )
    n, found = comparison.paired(best, other, findings.statistics_of(best)[0][1])
    gaps = hits[1].astype(float) - hits[0]
    of_groups, of_clips = (
        np.quantile(rng.choice(values, (20_000, len(values))).mean(axis=1), [0.025, 0.975])
        for values in (gaps.reshape(40, 3).mean(axis=1), gaps)
    )
    assert n == 120
    assert found is not None
    assert found.value == pytest.approx(gaps.mean())
    assert [found.low, found.high] == pytest.approx(of_groups, abs=0.03)
    assert np.abs(of_clips - of_groups).min() > 0.06, "clips drawn one by one would be told from groups"


def judged(
    spec: ModelSpec, group: np.ndarray, truth: np.ndarray, right: np.ndarray, rows: np.ndarray
) -> findings.Scored:
    """Clips in some order, and scores that are right where it is said."""
    said = np.where(right, truth, 1 - truth)
    frame = pd.DataFrame({
        "file": [f"{i}.wav" for i in range(len(group))], "start": 0.0, "end": np.nan,
        "label": np.array(["a", "b"], dtype=object)[truth], "group": group,
    }).iloc[rows].reset_index(drop=True)  # fmt: skip
    nothing = ("",) * len(rows)
    spec = dataclasses.replace(spec, classes=("a", "b"))
    scores = np.eye(2, dtype=np.float32)[said[rows]] * 0.8 + 0.1
    table = ClipTable(frame, Path(), ("a", "b"), False)
    return findings.Scored(spec, table, truth[rows], scores, nothing, nothing)


def test_a_folder_of_runs_stands_for_its_runs(evaluated: Path) -> None:
    worse(evaluated, "bad", wrong=1)
    assert len(comparison.compare([evaluated.parent])) == 2
    assert len(comparison.compare([evaluated.parent, evaluated])) == 2


def test_runs_without_common_clips_have_no_difference(evaluated: Path) -> None:
    other = worse(evaluated, "bad", wrong=1)
    for name in ("clips.csv", "scores.csv"):
        rows = pd.read_csv(other / name, dtype=str, keep_default_na=False)
        rows["start"] = "0.25"
        rows.to_csv(other / name, index=False)
    row = comparison.compare([evaluated, other])[1]
    assert (row.n_common, row.difference) == (0, None)
    assert "no common clip" in comparison.describe(comparison.compare([evaluated, other]))


def test_what_cannot_be_compared_is_refused_in_words(evaluated: Path, trained: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="found 1 run, wanted two"):
        comparison.compare([evaluated])
    with pytest.raises(UserError, match="no such run"):
        comparison.compare([evaluated, tmp_path / "nowhere"])
    blank = Path(shutil.copytree(trained, tmp_path / "blank"))
    with pytest.raises(UserError, match="earmark evaluate"):
        comparison.compare([evaluated, blank])
    strange = worse(evaluated, "strange", wrong=1)
    for name, old, new in (
        ("model/model.toml", '"low"', '"deep"'), ("clips.csv", ",low", ",deep"), ("scores.csv", ",low", ",deep"),
    ):  # fmt: skip
        (strange / name).write_text((strange / name).read_text().replace(old, new))
    with pytest.raises(UserError, match="its classes are not those of.*'deep', 'low'"):
        comparison.compare([evaluated, strange])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    with pytest.raises(UserError, match="something else"):
        comparison.write(comparison.compare([evaluated, worse(evaluated, "bad", 1)]), tmp_path / "full")


def test_the_sweep_of_a_leaking_recipe_has_its_grouped_figure_beside_it(
    table: ClipTable, tiny_settings: tuple[str, ...], tmp_path: Path
) -> None:
    recipe = read_recipe("default", [*tiny_settings, "training.epochs=1", "split.protocol=segments"])
    found = sweep.sweep(table, recipe, [Over(WIDTHS.key, ([4],))], tmp_path / "s", ONE, str)
    assert "LEAKS" in found.text
    (run,) = (tmp_path / "s" / "runs").iterdir()
    assert Run(run).metrics()["leak"]["grouped"] is not None
