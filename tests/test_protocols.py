from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from earmark import protocols, training
from earmark.clips import ClipTable
from earmark.cutting import Cutting
from earmark.errors import UserError
from earmark.evaluation import describe, evaluate
from earmark.leakage import audit
from earmark.recipe import Recipe
from earmark.run import Run, open_run
from earmark.splits import SplitSettings, assign, learnt_from
from earmark.training import Options

QUIET: Callable[[str], None] = lambda line: None  # noqa: E731
ONE = Options(threads=1)


@pytest.fixture
def leaky(tiny: Recipe) -> Recipe:
    """Segments of a third of a second, divided at random."""
    return dataclasses.replace(
        tiny, clips=Cutting(segment_seconds=0.33), split=SplitSettings(protocol="segments", test_fraction=0.3)
    )


def sides(run: Run) -> int:
    """The most splits that parts of one recording are in."""
    return int(run.clips().frame.groupby("file")["split"].nunique().max())


def test_a_split_by_segment_divides_recordings_and_its_twin_does_not(
    table: ClipTable, leaky: Recipe, tmp_path: Path
) -> None:
    lines: list[str] = []
    run = protocols.train(table, leaky, tmp_path / "run", ONE, lines.append)
    twin = open_run(run.twin_path)
    assert sides(run) > 1 and sides(twin) == 1
    assert len(twin.clips()) == len(run.clips()) == 3 * len(table)
    assert "LEAKS" in "\n".join(lines)
    assert twin.facts.protocol == "grouped"


def test_the_report_says_leaks_and_gives_the_grouped_figure_and_the_gap(
    table: ClipTable, leaky: Recipe, tmp_path: Path
) -> None:
    run = protocols.train(table, leaky, tmp_path / "run", ONE, QUIET)
    found = evaluate(run.path)
    assert found.leak.status == "leaks"
    assert found.leak.grouped is not None
    twin = json.loads((run.twin_path / "metrics.json").read_text())
    assert found.leak.grouped.value == twin["measures"][0]["clips"]["value"]
    page = found.report_path.read_text()
    assert "LEAKS" in page and "With whole groups" in page and "gap" in page
    assert "LEAKS" in describe(found) and "with whole groups" in describe(found)


def test_a_twin_that_was_broken_off_goes_on(
    table: ClipTable, leaky: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training.train(table, leaky, tmp_path / "run", ONE, QUIET)
    assert not Run(tmp_path / "run" / "grouped").is_trained
    run = protocols.resume(tmp_path / "run", ONE, QUIET)
    assert Run(run.twin_path).is_trained
    with pytest.raises(UserError, match="come to its end already"):
        protocols.resume(tmp_path / "run", ONE, QUIET)


def test_a_twin_may_be_left_out(table: ClipTable, leaky: Recipe, tmp_path: Path) -> None:
    run = protocols.train(table, leaky, tmp_path / "run", ONE, QUIET, twin=False)
    assert not run.twin_path.exists()
    assert "Do not quote" in evaluate(run.path).report_path.read_text()


def test_where_no_grouped_split_is_possible_it_is_said(
    table: ClipTable, leaky: Recipe, tmp_path: Path
) -> None:
    one_player = table.with_column("group", table.frame["label"])
    lines: list[str] = []
    run = protocols.train(one_player, leaky, tmp_path / "run", ONE, lines.append)
    assert run.is_trained and not Run(run.twin_path).is_trained
    assert "there is no such figure" in "\n".join(lines)


def test_a_grouped_recipe_has_no_twin(table: ClipTable, tiny: Recipe, tmp_path: Path) -> None:
    run = protocols.train(table, tiny, tmp_path / "run", ONE, QUIET)
    assert not run.twin_path.exists()


def test_a_cut_and_divided_run_resumes_as_it_was(
    table: ClipTable, leaky: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = training.train(table, leaky, tmp_path / "whole", ONE, QUIET)
    with monkeypatch.context() as patch:
        patch.setattr(training, "score_clips", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            training.train(table, leaky, tmp_path / "broken", ONE, QUIET)
    resumed = training.resume(tmp_path / "broken", ONE, QUIET)
    pd.testing.assert_frame_equal(resumed.clips().frame, whole.clips().frame)
    a, b = whole.model().state_dict(), resumed.model().state_dict()
    assert all((a[name] == b[name]).all() for name in a)


# -- splits by segment --------------------------------------------------------------------------------------


def clips(n: int, **columns: list[str]) -> ClipTable:
    frame = pd.DataFrame({"file": [f"{i}.wav" for i in range(n)], "start": 0.0, "end": np.nan})
    frame["label"] = ["a", "b"] * (n // 2)
    return ClipTable(frame.assign(**columns), Path("x"), ("a", "b"), False)


def test_the_shares_are_those_that_were_asked() -> None:
    split = assign(
        clips(1000), SplitSettings(protocol="segments", test_fraction=0.3, valid_fraction=0.2)
    ).column("split")
    assert [(split == name).sum() for name in ("train", "valid", "test")] == [560, 140, 300]


def test_learning_from_one_given_split_leaves_the_other_out() -> None:
    given = clips(12, split=["train"] * 4 + ["valid"] * 4 + ["test"] * 4)
    settings = SplitSettings(protocol="segments", learn_from="valid", valid_fraction=0.25)
    left = learnt_from(given, settings)
    assert left.frame["file"].tolist() == [f"{i}.wav" for i in range(4, 12)]
    split = assign(left, settings).column("split")
    assert [(split == name).sum() for name in ("train", "valid", "test")] == [3, 1, 4]


@pytest.mark.parametrize(
    ("table", "words"),
    [(clips(4), "has no column 'split'"), (clips(4, split=["train"] * 2 + ["test"] * 2), "found 'valid'")],
)
def test_learning_from_a_split_that_is_not_there_is_refused(table: ClipTable, words: str) -> None:
    with pytest.raises(UserError, match=words):
        learnt_from(table, SplitSettings(learn_from="valid"))


def test_a_corpus_whose_valid_and_test_share_a_group_is_warned_of_and_training_must_not() -> None:
    given = clips(
        6, split=["train", "train", "valid", "valid", "test", "test"], group=["p", "p", "q", "r", "q", "s"]
    )
    (warning,) = audit(given, given=True)
    assert "group 'q'" in warning
    with pytest.raises(UserError, match="group 'q'"):
        audit(given)
    leaking = given.with_column("group", ["p", "p", "q", "r", "p", "s"])
    with pytest.raises(UserError, match="group 'p'"):
        audit(leaking, given=True)


def test_silence_is_cut_and_windows_are_drawn_on_the_way(
    tmp_path: Path, tiny: Recipe, tone: Callable[..., np.ndarray]
) -> None:
    for label, f in (("low", 300), ("high", 3000)):
        (tmp_path / "c" / label).mkdir(parents=True)
        for i in range(6):
            wave = np.concatenate(
                [tone(f + i, 0.6, 8000, noise=0.01, seed=i), np.full(8000, 1e-4, np.float32)]
            )
            soundfile.write(tmp_path / "c" / label / f"{i}.wav", wave, 8000)
    from earmark.layouts import import_folder

    cutting = Cutting(windows=60, window_seconds=0.25, silence_threshold=0.05)
    recipe = dataclasses.replace(tiny, clips=cutting, split=SplitSettings(protocol="segments"))
    run = training.train(import_folder(tmp_path / "c").table, recipe, tmp_path / "run", ONE, QUIET)
    frame = run.clips().frame
    assert len(frame) == 60
    assert frame["end"].max() < 0.75
    assert run.model().spec.clip_seconds == 0.25
