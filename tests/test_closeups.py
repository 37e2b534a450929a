from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from earmark.clips import ClipTable
from earmark.closeups import (
    MOST_CLASSES,
    boundary,
    boundary_pictures,
    cells,
    right_clips,
    true_class_scores,
    wrong_clips,
)
from earmark.evaluation import evaluate
from earmark.features import MFCC
from earmark.findings import Scored
from earmark.models import ModelSpec
from earmark.models.crops import Cropping
from earmark.models.dense import Dense
from earmark.report import MOST_RIGHT, MOST_SOUNDS

NAN = float("nan")


def spec(classes: tuple[str, ...], task: str = "single-label") -> ModelSpec:
    return ModelSpec(
        classes=classes,
        task=task,  # type: ignore[arg-type]
        sample_rate=8000,
        clip_seconds=1.0,
        cropping=Cropping(1.0),
        features=MFCC(),
        network=Dense((4,)),
        thresholds=(0.3, 0.5, 0.5) if task == "multi-label" else None,
    )


def scored(
    root: Path, targets: object, scores: object, task: str = "single-label", missing: tuple[int, ...] = ()
) -> Scored:
    values = np.asarray(scores, dtype=np.float32)
    for i in range(len(values)):
        if i not in missing:
            soundfile.write(root / f"{i}.wav", np.sin(np.arange(8000) / (3 + i)) * 0.3, 8000)
    frame = pd.DataFrame({"file": [f"{i}.wav" for i in range(len(values))], "start": 0.0, "end": NAN})
    reasons = tuple("missing" if i in missing else "" for i in range(len(values)))
    for i in missing:
        values[i] = np.nan
    names = ("a", "b", "c")[: values.shape[1]]
    return Scored(
        spec(names, task),
        ClipTable(frame, root, names, task == "multi-label"),
        np.asarray(targets),
        values,
        reasons,
        ("",) * len(values),
    )


SCORES = [
    [0.95, 0.03, 0.02],
    [0.5, 0.45, 0.05],
    [0.4, 0.5, 0.1],
    [0.02, 0.9, 0.08],
    [0.6, 0.3, 0.1],
    [0.1] * 3,
]
TARGETS = [0, 0, 0, 1, 2, 1]


@pytest.fixture
def few(tmp_path: Path) -> Scored:
    return scored(tmp_path, TARGETS, SCORES, missing=(5,))


def test_wrong_and_right_clips_part_the_clips_with_scores(few: Scored) -> None:
    wrong, right = list(wrong_clips(few)), list(right_clips(few))
    assert [(c.file, c.truth, c.prediction) for c in wrong] == [("4.wav", "c", "a"), ("2.wav", "a", "b")]
    assert [c.file for c in right] == ["0.wav", "3.wav", "1.wav"], "each class's surest come first"
    assert all(c.mp3 for c in [*wrong, *right])


def test_only_so_many_wrong_clips_have_their_sound(tmp_path: Path) -> None:
    most = MOST_SOUNDS - MOST_RIGHT
    n = most + 3
    many = scored(tmp_path, np.zeros(n, int), np.tile([0.2, 0.8], (n, 1)))
    assert [c.mp3 is not None for c in wrong_clips(many)] == [True] * most + [False] * 3


def test_cells_hold_every_clip_with_scores_once(few: Scored) -> None:
    found = cells(few)
    assert {(c.truth, c.prediction): c.count for c in found} == {(0, 0): 2, (0, 1): 1, (1, 1): 1, (2, 0): 1}
    assert sorted(file for c in found for file, _, _ in c.clips) == [f"{i}.wav" for i in range(5)]


def test_the_rows_about_a_boundary(few: Scored) -> None:
    rows = dict(boundary(few, 0))
    assert rows == {"above 0.9": [0], "just given": [1, 4], "just not given": [2], "below 0.1": [3]}


def test_a_threshold_is_the_boundary_of_a_multi_label_class(tmp_path: Path) -> None:
    targets = np.array([[1, 0, 0], [0, 1, 0], [1, 1, np.nan]], dtype=np.float32)
    values = [[0.35, 0.2, 0.2], [0.25, 0.9, 0.2], [0.95, 0.6, 0.5]]
    found = scored(tmp_path, targets, values, "multi-label")
    rows = dict(boundary(found, 0))
    assert rows["just given"] == [0]
    assert rows["just not given"] == [1]
    assert sorted(true_class_scores(found).tolist()) == pytest.approx([0.35, 0.6, 0.9, 0.95])


def test_a_picture_for_each_of_the_commonest_classes(few: Scored) -> None:
    pictures = boundary_pictures(few)
    assert [p.alt.split("score of ")[1][0] for p in pictures] == ["a", "b", "c"]
    assert "just given: 2" in pictures[0].alt
    assert len(pictures) <= MOST_CLASSES


def test_sounds_that_are_gone_leave_their_pictures_out(few: Scored) -> None:
    for path in few.table.paths():
        Path(path).unlink(missing_ok=True)
    assert boundary_pictures(few) == ()
    assert all(c.mp3 is None for c in right_clips(few))


def test_the_scores_of_true_classes(few: Scored) -> None:
    np.testing.assert_allclose(true_class_scores(few), [0.95, 0.5, 0.4, 0.9, 0.1, NAN], atol=1e-6)


def test_an_evaluation_has_its_training_clips_beside_it(trained: Path, tmp_path: Path) -> None:
    found = evaluate(Path(shutil.copytree(trained, tmp_path / "run")))
    assert found.learnt is not None
    assert set(found.learnt.table.frame["file"]).isdisjoint(found.scored.table.frame["file"])
    page = found.report_path.read_text()
    for words in ("on its own training clips", "What it got right", "About the boundary", 'href="#cell-0-0"'):
        assert words in page
    names = {path.name for path in (tmp_path / "run" / "pictures").iterdir()}
    assert names == {
        f"{n}.{f}" for n in ("confusion", "history", "steps", "both_sides") for f in ("png", "svg")
    }
    other = evaluate(tmp_path / "run", found.scored.table, tmp_path / "other")
    assert other.learnt is None
