from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from earmark.baselines import RUNGS
from earmark.clips import ClipTable, read_clips
from earmark.errors import UserError
from earmark.evaluation import describe, evaluate
from earmark.findings import Scored, measures
from earmark.recipe import Recipe
from earmark.run import open_run
from earmark.training import Options, train

Tone = Callable[..., np.ndarray]


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of the trained run, to be written to."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_test_split_is_scored_and_nothing_else(run: Path) -> None:
    evaluate(run)
    clips = open_run(run).clips()
    test = clips.frame[clips.frame["split"] == "test"]
    rows = rows_of(run / "scores.csv")
    assert [row["file"] for row in rows] == test["file"].tolist()
    assert list(rows[0]) == ["file", "start", "end", "reason", "high", "low"]
    assert all(float(row["high"]) + float(row["low"]) == pytest.approx(1, abs=1e-5) for row in rows)


def test_the_figures_follow_from_the_scores(run: Path) -> None:
    found = evaluate(run)
    truth = {row["file"]: row["file"].split("/")[0] for row in rows_of(run / "scores.csv")}
    right = [
        max(("high", "low"), key=lambda c: float(row[c])) == truth[row["file"]]
        for row in rows_of(run / "scores.csv")
    ]
    values = json.loads((run / "metrics.json").read_text())
    assert values["clips"]["accuracy"] == pytest.approx(np.mean(right))
    assert found.measures[0].clips.value == pytest.approx(np.mean(right))
    rivals = {one["name"]: one["kind"] for one in values["baselines"]}
    assert list(rivals) == ["the majority", *RUNGS, "the mean of both"]
    assert sorted(rivals.values()).count("chosen") == 1
    assert np.sum(values["clips"]["confusion"]) == len(right)


def test_the_labels_of_the_test_choose_no_baseline(run: Path, tmp_path: Path) -> None:
    own = open_run(run).clips()
    test = own.take(own.column("split") == "test")
    turned = test.with_column("label", test.column("label")[::-1])
    assert (turned.targets() != test.targets()).any()
    found = [evaluate(run, table, tmp_path / name) for name, table in (("own", test), ("turned", turned))]
    said = [[(one.name, one.kind, one.what) for one in each.baselines] for each in found]
    assert said[0] == said[1]
    assert found[0].baselines[1].measures != found[1].baselines[1].measures
    chosen = next(one for one in found[0].baselines if one.kind == "chosen")
    assert f"of {chosen.name} (chosen)" in describe(found[0])


def test_a_report_is_written_and_stands_alone(run: Path) -> None:
    found = evaluate(run)
    page = found.report_path.read_text()
    assert "accuracy" in page and "data:image/" in page
    assert 'src="http' not in page
    assert "nly recordings are known" in page
    assert "accuracy" in describe(found)


def test_other_clips_are_scored_into_a_folder_of_their_own(run: Path, tmp_path: Path, tone: Tone) -> None:
    for name, f in (("a", 310), ("b", 2600), ("c", 320), ("d", 2700)):
        soundfile.write(tmp_path / f"{name}.wav", tone(f, 2.0, 16000, 0.3, noise=0.02, seed=9), 16000)
    (tmp_path / "more.csv").write_text(
        "file,label\na.wav,low\nb.wav,high\nc.wav,low\nd.wav,high\ngone.wav,low\n"
    )
    found = evaluate(run, read_clips(tmp_path / "more.csv"), tmp_path / "results")
    rows = rows_of(tmp_path / "results" / "scores.csv")
    assert [row["reason"] for row in rows] == ["", "", "", "", "missing"]
    assert rows[4]["high"] == ""
    assert found.n_unusable == 1
    assert "gone.wav" in (tmp_path / "results" / "report.html").read_text()
    assert not (run / "report.html").exists()
    assert found.leak.status == "possible"


def test_clips_that_were_trained_on_are_called_a_leak(run: Path, tmp_path: Path) -> None:
    clips = open_run(run).clips()
    train_clips = clips.take(clips.column("split") == "train")
    found = evaluate(run, train_clips, tmp_path / "results")
    assert found.leak.status == "leaks"
    assert "LEAKS" in found.report_path.read_text()


def test_a_class_that_the_model_does_not_know_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text("file,label\na.wav,lo\nb.wav,high\n")
    with pytest.raises(UserError, match="class 'lo'.*not among the 2 classes wanted.*Did you mean 'low'"):
        evaluate(run, read_clips(tmp_path / "more.csv"), tmp_path / "results")


def test_nothing_that_can_be_scored_is_an_error(run: Path, tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text("file,label\na.wav,low\nb.wav,high\n")
    with pytest.raises(UserError, match="none of 2 clips can be scored"):
        evaluate(run, read_clips(tmp_path / "more.csv"), tmp_path / "results")


def test_recordings_of_several_clips_have_figures_of_their_own(
    table: ClipTable, tiny: Recipe, tmp_path: Path
) -> None:
    halves = [table.frame.assign(start=a, end=b) for a, b in ((0.0, 0.5), (0.5, 1.0))]
    cut = ClipTable(pd.concat(halves, ignore_index=True), table.root, table.classes, False)
    run = train(cut, tiny, tmp_path / "run", Options(threads=1), str)
    found = evaluate(run.path)
    assert found.recordings is not None
    assert found.recordings.n_clips * 2 == found.clips.n_clips
    assert found.measures[0].recordings is not None
    assert "of whole recordings" in describe(found)


def test_a_multi_label_table_goes_all_the_way(corpus: Path, tiny: Recipe, tmp_path: Path, tone: Tone) -> None:
    rows = ["file,low,high"]
    for i in range(20):
        low, high = i % 2, (i // 2) % 2
        wave = low * tone(300 + i, noise=0.0, level=0.2) + high * tone(3000 + i, level=0.2)
        soundfile.write(tmp_path / f"{i}.wav", wave + tone(noise=0.01, level=0, seed=i), 22050)
        rows.append(f"{i}.wav,{low},{'' if i == 7 else high}")
    (tmp_path / "clips.csv").write_text("\n".join(rows) + "\n")
    run = train(read_clips(tmp_path / "clips.csv"), tiny, tmp_path / "run", Options(threads=1), str)
    found = evaluate(run.path)
    assert found.measures[0].name == "macro F1"
    assert run.model().spec.task == "multi-label"
    assert "macro F1" in found.report_path.read_text()


def test_intervals_resample_whole_groups(specs: dict[str, object], tmp_path: Path) -> None:
    """Twelve groups that are each all right or all wrong: the interval is as wide as twelve coins give."""
    right = np.repeat([1, 0], 60)
    frame = pd.DataFrame(
        {"file": [f"{i}.wav" for i in range(120)], "start": 0.0, "end": np.nan, "label": "high"}
    )
    frame["group"] = [f"g{i // 10}" for i in range(120)]
    table = ClipTable(frame, tmp_path, ("high", "low", "middle"), False)
    scores = np.zeros((120, 3), np.float32)
    scores[np.arange(120), 1 - right] = 1
    spec = specs["residual"]
    scored = Scored(spec, table, np.zeros(120, np.int64), scores, ("",) * 120, ("",) * 120)  # type: ignore[arg-type]
    interval = measures(scored)[0].clips
    assert (interval.value, interval.unit) == (0.5, "groups")
    assert interval.low is not None and interval.high is not None
    assert 0.45 < interval.high - interval.low < 0.7


def test_recordings_that_were_moved_are_found_by_their_new_root(run: Path, tmp_path: Path) -> None:
    own = open_run(run)
    shutil.copytree(own.clips().root, tmp_path / "moved")
    own.move_root(tmp_path / "moved")
    assert open_run(run).clips().root == tmp_path / "moved"
    assert evaluate(run).n_unusable == 0
    with pytest.raises(UserError, match="there is no such folder"):
        own.move_root(tmp_path / "nowhere")


def test_a_folder_that_holds_something_else_is_left_alone(run: Path, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "scores.csv").write_text("my own scores")
    with pytest.raises(UserError, match="holds something else than an evaluation"):
        evaluate(run, open_run(run).clips(), tmp_path / "mine")
    assert (tmp_path / "mine" / "scores.csv").read_text() == "my own scores"


def test_a_row_a_clip_tells_truth_and_prediction(run: Path) -> None:
    evaluate(run)
    scores, rows = rows_of(run / "scores.csv"), rows_of(run / "predictions.csv")
    assert list(rows[0]) == ["file", "start", "end", "truth", "prediction", "reason", "high", "low"]
    for row, score in zip(rows, scores, strict=True):
        assert row["truth"] == row["file"].split("/")[0]
        assert row["prediction"] == max(("high", "low"), key=lambda name: float(row[name]))
        assert row["high"] == score["high"]
