from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earmark import audio, cache, prediction
from earmark.baselines import RUNGS
from earmark.clips import ClipTable
from earmark.cutting import Cutting
from earmark.errors import UserError
from earmark.evaluation import evaluate
from earmark.explaining import explain
from earmark.featurefile import leaking, read_feature_file, write_feature_file
from earmark.features import MFCC
from earmark.models.residual import Residual
from earmark.recipe import Recipe, read_recipe
from earmark.training import Options, train

NO_FREQUENCIES = ("augment.band_shift=0", "augment.frequency_masks=0", "augment.feature_noise=0")
"""What is done to rows that are frequencies, which those of MFCCs are not."""


@pytest.fixture
def recipe() -> Recipe:
    small = read_recipe(
        "default",
        ["training.epochs=2", "training.min_steps=2", *NO_FREQUENCIES],
    )
    return dataclasses.replace(
        small,
        features=MFCC(n_fft=512, hop_length=256, n_mels=20, n_mfcc=13),
        network=Residual(widths=(4, 8)),
        clips=Cutting(segment_seconds=0.5),
        audio=dataclasses.replace(
            small.audio, sample_rate=8000, lower_rate=False, clip_seconds=0.5, crop_seconds=None
        ),
    )


@pytest.fixture
def written(table: ClipTable, recipe: Recipe, tmp_path: Path) -> Path:
    write_feature_file(table, recipe, tmp_path / "data.json")
    return tmp_path / "data.json"


def test_the_file_has_the_published_keys_and_every_segment(written: Path, table: ClipTable) -> None:
    values = json.loads(written.read_text())
    assert list(values) == ["mapping", "mfcc", "labels"]
    assert values["mapping"] == ["high", "low"]
    assert len(values["mfcc"]) == len(values["labels"]) == 2 * len(table)
    assert np.array(values["mfcc"]).shape[1:] == (16, 13)


def test_mfccs_are_those_of_librosa(table: ClipTable, written: Path) -> None:
    import librosa

    values = json.loads(written.read_text())
    wave = audio.read(table.paths()[0], 8000, 0.0, 0.5)
    mel = librosa.feature.melspectrogram(y=wave, sr=8000, n_fft=512, hop_length=256, n_mels=20)
    expected = librosa.feature.mfcc(S=10 * np.log10(mel + 1e-7), n_mfcc=13).T
    np.testing.assert_allclose(np.array(values["mfcc"][0]), expected, atol=5e-4)


def test_a_training_enters_after_the_features_and_says_that_it_leaks(
    written: Path, recipe: Recipe, tmp_path: Path
) -> None:
    table = read_feature_file(written, recipe)
    run = train(table, leaking(recipe), tmp_path / "run", Options(threads=1), str)
    assert run.facts.protocol == "segments"
    assert not run.facts.knows_sound
    found = evaluate(run.path)
    assert found.leak.status == "leaks" and "no song names are known" in found.leak.why
    assert "LEAKS" in found.report_path.read_text()
    assert [one.name for one in found.baselines] == ["the majority", *RUNGS, "the mean of both"]
    assert "rows of features" in found.baselines[1].what
    with pytest.raises(UserError, match="trained on features alone, so no sound is known"):
        prediction.load(run.path)
    with pytest.raises(UserError, match="trained on features alone, so no sound is known"):
        explain(run.path, tmp_path / "clip.wav", tmp_path / "explained")


def test_features_that_left_the_cache_are_read_again(
    written: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train(
        read_feature_file(written, recipe), leaking(recipe), tmp_path / "run", Options(threads=1), str
    )
    first = evaluate(run.path).measures[0].clips.value
    monkeypatch.setenv("EARMARK_CACHE", str(tmp_path / "another"))
    assert cache.cache_folder() == tmp_path / "another"
    assert evaluate(run.path).measures[0].clips.value == first


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda v: "no json", "this is not JSON"),
        (lambda v: {"mfcc": []}, "found no list 'mapping'"),
        (lambda v: v | {"labels": v["labels"][:-1]}, "wanted one label a segment"),
        (lambda v: v | {"labels": [9] * len(v["labels"])}, "found label 9, mapping has 2 names"),
        (lambda v: v | {"mfcc": [v["mfcc"][0][:3], *v["mfcc"][1:]]}, "no common shape"),
        (lambda v: v | {"mfcc": [row[:5] for row in v["mfcc"]]}, r"found 5 frames of 13 coefficients"),
        (lambda v: v | {"mfcc": [[[float("nan")] * 13] * 16] * len(v["labels"])}, "no finite numbers"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_words(
    written: Path, recipe: Recipe, change: Callable[[dict[str, list[object]]], object], words: str
) -> None:
    changed = change(json.loads(written.read_text()))
    written.write_text(changed if isinstance(changed, str) else json.dumps(changed))
    with pytest.raises(UserError, match=words):
        read_feature_file(written, recipe)


def test_only_mfccs_of_single_labels_go_into_the_file(table: ClipTable, tiny: Recipe, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds MFCCs of clips with one label each"):
        write_feature_file(table, tiny, tmp_path / "x.json")
    assert not (tmp_path / "x.json").exists()


def test_clips_that_cannot_be_used_are_not_in_the_file(
    table: ClipTable, recipe: Recipe, tmp_path: Path
) -> None:
    soundfile.write(table.paths()[0], np.zeros(22050), 22050)
    features = write_feature_file(table, recipe, tmp_path / "x.json")
    assert features.reasons.count("silent") == 2
    assert len(json.loads((tmp_path / "x.json").read_text())["mfcc"]) == 2 * len(table) - 2
