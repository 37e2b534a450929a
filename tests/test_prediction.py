from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

import earmark
from earmark import audio
from earmark.cache import FeatureStore
from earmark.clips import ClipTable, read_clips
from earmark.errors import UserError
from earmark.prediction import (
    PredictOptions,
    Predictor,
    describe,
    find_files,
    labels_of,
    load,
    predict_files,
    recordings_path,
    score_clips,
)

Tone = Callable[..., np.ndarray]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def predictor(trained: Path) -> Predictor:
    return load(trained)


@pytest.fixture
def song(tmp_path: Path, tone: Tone) -> Path:
    """Three seconds low, then three seconds high, stereo, at another rate than the model's."""
    wave = np.concatenate([tone(f, 3.0, 44100, 0.3, noise=0.02) for f in (300, 2500)])
    soundfile.write(tmp_path / "song.flac", np.stack([wave, wave], axis=1), 44100)
    return tmp_path / "song.flac"


def test_a_song_is_heard_from_start_to_end(predictor: Predictor, song: Path) -> None:
    frame = predictor.predict(song)
    assert list(frame.columns) == ["file", "start", "end", "reason", "high", "low"]
    assert frame["start"].tolist() == pytest.approx([0, 1, 2, 3, 4, 5])
    assert frame["end"].iloc[-1] == pytest.approx(6.0)
    assert frame[["high", "low"]].sum(axis=1).tolist() == pytest.approx([1.0] * 6, abs=1e-5)
    assert not frame["high"].is_monotonic_decreasing
    assert frame["high"][:3].max() < frame["high"][3:].min()


def test_the_package_itself_loads_a_run(trained: Path, song: Path) -> None:
    pd.testing.assert_frame_equal(earmark.load(str(trained)).predict(str(song)), load(trained).predict(song))


def test_training_and_prediction_hear_the_same(predictor: Predictor, song: Path) -> None:
    """Scores of a stretch of a song equal those of the same stretch in a clip table."""
    frame = predictor.predict(song)
    rows = pd.DataFrame(
        {"file": [song.name] * 6, "start": frame["start"], "end": frame["end"], "label": "low"}
    )
    model = predictor.model
    clips = FeatureStore(model.features).collect(ClipTable(rows, song.parent, ("high", "low"), False))
    np.testing.assert_allclose(score_clips(model, clips), frame[["high", "low"]], atol=2e-5)


def test_clips_that_overlap_start_a_hop_apart(trained: Path, song: Path) -> None:
    starts = load(trained, hop_seconds=0.5).predict(song)["start"]
    assert starts.diff().dropna().tolist() == pytest.approx([0.5] * 10)


@pytest.mark.parametrize("hop", [0.0, -1.0, 99.0])
def test_a_hop_that_skips_or_stands_still_is_refused(trained: Path, hop: float) -> None:
    with pytest.raises(UserError, match=r"hop: found .* s, wanted more than 0 and at most a clip \(1 s\)"):
        load(trained, hop_seconds=hop)


@pytest.mark.parametrize("seconds", [0.05, 0.7, 1.0, 1.2, 1.7])
def test_a_recording_of_any_length_gets_scores(
    predictor: Predictor, tmp_path: Path, tone: Tone, seconds: float
) -> None:
    soundfile.write(tmp_path / "a.wav", tone(300, seconds, 8000), 8000)
    frame = predictor.predict(tmp_path / "a.wav")
    assert frame["start"].iloc[0] == 0
    assert frame["end"].max() == pytest.approx(seconds)
    assert frame["low"].notna().all()


def test_a_bad_file_is_one_row_with_its_reason(predictor: Predictor, song: Path, tmp_path: Path) -> None:
    (tmp_path / "words.wav").write_text("nothing to hear here " * 10)
    (tmp_path / "empty.mp3").write_bytes(b"")
    frame = predictor.predict([tmp_path / "words.wav", song, tmp_path / "empty.mp3"])
    assert frame["reason"].tolist() == ["not_audio", *[""] * 6, "empty"]
    assert frame.loc[[0, 7], ["high", "low"]].isna().all(axis=None)


def test_silence_inside_a_song_has_no_scores_and_the_rest_has(
    predictor: Predictor, tmp_path: Path, tone: Tone
) -> None:
    wave = tone(300, 4.0, 8000)
    wave[8000:16000] = 0
    soundfile.write(tmp_path / "gap.wav", wave, 8000)
    (found,) = predictor.recordings([tmp_path / "gap.wav"])
    assert [clip.reason for clip in found.clips] == ["", "silent", "", ""]
    assert (found.n_clips, found.reason, found.duration) == (3, "", 4.0)


def test_a_file_that_breaks_off_keeps_the_scores_of_what_came_before(
    predictor: Predictor, tmp_path: Path, tone: Tone
) -> None:
    soundfile.write(tmp_path / "whole.flac", tone(300, 6.0, 8000, noise=0.1), 8000)
    data = (tmp_path / "whole.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(data[: len(data) * 2 // 3])
    heard: list[float] = []
    (found,) = predictor.recordings([tmp_path / "cut.flac"], heard.append)
    assert found.reason == "truncated"
    assert found.n_clips >= 2 and found.clips[-1].scores is None
    assert 2 < found.duration < 5
    assert sum(heard) == pytest.approx(found.duration)


def test_a_table_of_any_recording_can_be_read_again(trained: Path, tmp_path: Path, tone: Tone) -> None:
    """A rest of less than 1 ms would give two clips that tables take for one."""
    soundfile.write(tmp_path / "a.wav", tone(300, 2.0005, 8000), 8000)
    predict_files(trained, [tmp_path / "a.wav"], tmp_path / "out.csv")
    assert len(read_clips(tmp_path / "out.csv", labels=False)) == 2


def test_a_recording_has_the_mean_of_its_clips(predictor: Predictor, song: Path) -> None:
    (found,) = predictor.recordings([song])
    expected = predictor.predict(song)[["high", "low"]].mean()
    np.testing.assert_allclose(found.scores(), expected, atol=1e-5)


def test_two_tables_are_written(trained: Path, song: Path, tmp_path: Path) -> None:
    (tmp_path / "words.wav").write_text("nothing to hear here " * 10)
    out = tmp_path / "tables" / "out.csv"
    tally = predict_files(trained, [song, tmp_path / "words.wav"], out)
    assert (tally.n_files, tally.n_clips, tally.n_unusable) == (2, 6, 1)
    clips = rows_of(out)
    files = rows_of(recordings_path(out))
    assert [row["end"] for row in clips] == ["1", "2", "3", "4", "5", "6", "0"]
    assert files[0]["file"] == str(song)
    assert (files[0]["duration"], files[0]["n_clips"], files[0]["reason"]) == ("6", "6", "")
    empty = {"duration": "0", "label": "", "score": "", "n_clips": "0", "reason": "not_audio"}
    assert files[1] == {"file": str(tmp_path / "words.wav")} | empty
    assert "1 could not be used" in describe(tally, out)


def test_existing_tables_are_not_overwritten_unless_asked(trained: Path, song: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.write_text("mine")
    with pytest.raises(UserError, match="this exists already"):
        predict_files(trained, [song], out)
    with pytest.raises(UserError, match="not a file that earmark wrote"):
        predict_files(trained, [song], out, PredictOptions(overwrite=True))
    assert out.read_text() == "mine"
    out.unlink()
    predict_files(trained, [song], out)
    predict_files(trained, [song], out, PredictOptions(overwrite=True))
    assert out.read_text().startswith("file,start,end")


def test_a_recording_is_never_written_over(trained: Path, song: Path) -> None:
    before = song.read_bytes()
    with pytest.raises(UserError, match="not a file that earmark wrote"):
        predict_files(trained, [song], song, PredictOptions(overwrite=True))
    assert song.read_bytes() == before


def test_work_that_is_broken_off_at_once_leaves_no_tables(
    trained: Path, song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audio, "slide", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        predict_files(trained, [song], tmp_path / "out.csv")
    assert not list(tmp_path.glob("*out*"))


def test_a_name_of_nothing_is_a_row_beside_the_others(trained: Path, song: Path, tmp_path: Path) -> None:
    tally = predict_files(trained, [song, tmp_path / "gone.wav"], tmp_path / "out.csv")
    assert tally.unusable == ((str(tmp_path / "gone.wav"), "missing"),)
    assert rows_of(recordings_path(tmp_path / "out.csv"))[1]["reason"] == "missing"
    assert "gone.wav" in describe(tally, tmp_path / "out.csv")
    with pytest.raises(UserError, match="found an empty name"):
        find_files([""])


def test_a_carriage_return_in_a_name_survives_the_tables(trained: Path, song: Path, tmp_path: Path) -> None:
    odd = song.rename(tmp_path / "od\rd.flac")
    predict_files(trained, [odd], tmp_path / "out.csv")
    assert {row["file"] for row in rows_of(tmp_path / "out.csv")} == {str(odd)}


def test_work_that_is_broken_off_leaves_what_was_finished(
    trained: Path, song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, calls = audio.slide, []

    def slide(path: Path, *args: object) -> object:
        calls.append(path)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(path, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(audio, "slide", slide)
    files = [song, *(Path(song.with_name(f"{i}.flac")) for i in range(3))]
    for copy in files[1:]:
        copy.write_bytes(song.read_bytes())
    with pytest.raises(KeyboardInterrupt):
        predict_files(trained, files, tmp_path / "out.csv")
    rows = rows_of(tmp_path / "out.recordings.csv")
    assert [row["file"] for row in rows] == [str(song), str(files[1])]
    assert len(rows_of(tmp_path / "out.csv")) == 12


def test_what_is_named_is_found(tmp_path: Path, song: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    assert find_files([tmp_path, song]) == [song]
    assert find_files([tmp_path / "notes.txt"]) == [tmp_path / "notes.txt"]
    with pytest.raises(UserError, match="no such file or folder"):
        find_files([tmp_path / "gone.wav"])
    (tmp_path / "none").mkdir()
    with pytest.raises(UserError, match="there are no sound files in this folder"):
        find_files([tmp_path / "none"])


def test_labels_of_a_multi_label_model_are_those_over_their_threshold(predictor: Predictor) -> None:
    import dataclasses

    spec = dataclasses.replace(predictor.model.spec, task="multi-label")
    assert labels_of(np.array([0.6, 0.7]), spec) == "high|low"
    assert labels_of(np.array([0.6, 0.7]), dataclasses.replace(spec, thresholds=(0.5, 0.8))) == "high"
    assert labels_of(np.array([0.1, 0.2]), spec) == ""
    assert labels_of(np.array([0.1, 0.2]), predictor.model.spec) == "low"
