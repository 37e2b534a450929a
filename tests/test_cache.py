from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from earmark import audio, cache
from earmark.cache import FeatureStore
from earmark.clips import ClipTable
from earmark.errors import UserError
from earmark.features import MFCC, Features, LogMel

Tone = Callable[..., np.ndarray]


def clip_table(root: Path, rows: list[tuple[str, float, float]]) -> ClipTable:
    frame = pd.DataFrame(rows, columns=["file", "start", "end"]).assign(label="x")
    return ClipTable(frame, root, ("x",), False)


def store(**settings: object) -> FeatureStore:
    return FeatureStore(Features(LogMel(n_fft=256, hop_length=128, n_mels=16, **settings), 8000))  # type: ignore[arg-type]


@pytest.fixture
def sounds(tmp_path: Path, tone: Tone) -> ClipTable:
    for i in range(5):
        soundfile.write(tmp_path / f"{i}.wav", tone(200 * (i + 1), 1.0, 8000, noise=0.01, seed=i), 8000)
    nan = float("nan")
    return clip_table(tmp_path, [(f"{i}.wav", 0.0, nan) for i in range(5)] + [("0.wav", 0.25, 0.5)])


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were decoded, in order."""
    seen: list[Path] = []
    original = audio.read_spans

    def watch(path: Path, *args: object, **kwargs: object) -> object:
        seen.append(Path(path))
        return original(path, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(audio, "read_spans", watch)
    return seen


def test_cached_features_are_those_of_the_clip(sounds: ClipTable) -> None:
    own = store()
    found = own.collect(sounds)
    for i, (path, start, end) in enumerate(
        zip(sounds.paths(), sounds.frame["start"], sounds.frame["end"], strict=True)
    ):
        wave = audio.read(path, 8000, start, None if np.isnan(end) else end)
        expected = own.features(torch.from_numpy(wave)[None])[0, 0].T.numpy()
        np.testing.assert_array_equal(found[i], expected)


@pytest.mark.parametrize("samples", [1, 4000, 2**21])
def test_clips_of_one_recording_are_transformed_together_or_not_to_the_same_end(
    tmp_path: Path, tone: Tone, monkeypatch: pytest.MonkeyPatch, samples: int
) -> None:
    """Of one length and another, out of order, with a silent one and one beyond the end between them."""
    monkeypatch.setattr(cache, "BATCH_SAMPLES", samples)
    wave = tone(300, 3.0, 8000, noise=0.01)
    wave[8000:12000] = 0
    soundfile.write(tmp_path / "a.wav", wave, 8000, "FLOAT")
    spans = [
        (0, 0.25),
        (0.25, 0.5),
        (0.5, 0.75),
        (1, 1.25),
        (9, 9.25),
        (2, 2.25),
        (1.75, 2),
        (2, 3),
        (2.25, 2.5),
    ]
    own = store()
    found = own.collect(clip_table(tmp_path, [("a.wav", *span) for span in spans]))
    assert found.reasons == ["", "", "", "silent", "outside", "", "", "", ""]
    for features, (start, end) in zip(found, spans, strict=True):
        if len(features):
            piece = wave[int(8000 * start) : int(8000 * end)].astype(np.float32)
            expected = own.features(torch.from_numpy(piece)[None])[0, 0].T.numpy()
            np.testing.assert_allclose(features, expected, rtol=0, atol=5e-4)


def test_a_second_start_reads_no_audio(sounds: ClipTable, decoded: list[Path]) -> None:
    first = store().collect(sounds)
    assert len(decoded) == 5
    second = store().collect(sounds)
    assert len(decoded) == 5
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert first.sounds == second.sounds


def test_only_what_is_new_is_computed(sounds: ClipTable, decoded: list[Path]) -> None:
    store().collect(sounds.take(np.array([0, 1, 5])))
    assert len(decoded) == 2
    store().collect(sounds)
    assert [path.name for path in decoded[2:]] == ["2.wav", "3.wav", "4.wav"]


@pytest.mark.parametrize(
    "other",
    [
        FeatureStore(Features(LogMel(n_fft=256, hop_length=128, n_mels=16, f_min=50.0), 8000)),
        FeatureStore(Features(LogMel(n_fft=256, hop_length=128, n_mels=16), 7000)),
        FeatureStore(Features(LogMel(n_fft=256, hop_length=128, n_mels=16), 8000), "fourier"),
        FeatureStore(Features(MFCC(n_fft=256, hop_length=128, n_mels=16, n_mfcc=16), 8000)),
    ],
)
def test_a_changed_setting_never_meets_an_old_entry(other: FeatureStore) -> None:
    assert other.key != store().key


def test_a_changed_file_is_read_again(sounds: ClipTable, decoded: list[Path], tone: Tone) -> None:
    before = np.array(store().collect(sounds)[0])
    soundfile.write(sounds.root / "0.wav", tone(3000, 1.0, 8000), 8000)
    os.utime(sounds.root / "0.wav", ns=(1, 1))
    after = store().collect(sounds)[0]
    assert decoded[5:] == [sounds.root / "0.wav"]
    assert not np.array_equal(before, after)


def test_a_copy_under_another_name_is_not_computed_again(sounds: ClipTable, decoded: list[Path]) -> None:
    store().collect(sounds)
    (sounds.root / "copy.wav").write_bytes((sounds.root / "1.wav").read_bytes())
    found = store().collect(clip_table(sounds.root, [("copy.wav", 0.0, float("nan"))]))
    assert len(decoded) == 5
    assert found.good().all()


def test_clips_that_sound_the_same_share_a_hash_whatever_their_format(sounds: ClipTable) -> None:
    wave, rate = soundfile.read(sounds.root / "1.wav")
    soundfile.write(sounds.root / "same.flac", wave, rate)
    nan = float("nan")
    found = store().collect(
        clip_table(sounds.root, [("1.wav", 0, nan), ("same.flac", 0, nan), ("2.wav", 0, nan)])
    )
    assert found.sounds[0] == found.sounds[1] != found.sounds[2]


def test_a_clip_that_cannot_be_used_has_a_reason_and_no_frames(sounds: ClipTable) -> None:
    (sounds.root / "text.wav").write_text("no sound at all, only words " * 9)
    soundfile.write(sounds.root / "silent.wav", np.zeros(8000), 8000)
    nan = float("nan")
    rows = [
        ("text.wav", 0.0, nan),
        ("gone.wav", 0.0, nan),
        ("silent.wav", 0.0, nan),
        ("0.wav", 9.0, 10.0),
        ("0.wav", 0, nan),
    ]
    for _ in range(2):  # computed, then remembered
        found = store().collect(clip_table(sounds.root, rows))
        assert found.reasons == ["not_audio", "missing", "silent", "outside", ""]
        assert [len(one) for one in found][:4] == [0, 0, 0, 0]
        assert found.good().tolist() == [False, False, False, False, True]


def test_an_interrupted_write_leaves_nothing_wrong(
    sounds: ClipTable, monkeypatch: pytest.MonkeyPatch, decoded: list[Path]
) -> None:
    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", broken)
        with pytest.raises(KeyboardInterrupt):
            store().collect(sounds)
    assert not list(cache.cache_folder().rglob("*.npy"))
    assert not list(cache.cache_folder().rglob("*.part"))
    assert store().collect(sounds).good().all()
    assert len(decoded) == 10


def test_a_shard_that_was_lost_or_cut_is_computed_again(sounds: ClipTable, decoded: list[Path]) -> None:
    expected = [np.array(one) for one in store().collect(sounds)]
    (shard,) = cache.cache_folder().rglob("*.npy")
    shard.write_bytes(shard.read_bytes()[:300])
    assert all(np.array_equal(a, b) for a, b in zip(store().collect(sounds), expected, strict=True))
    for one in cache.cache_folder().rglob("*.npy"):
        one.unlink()
    assert all(np.array_equal(a, b) for a, b in zip(store().collect(sounds), expected, strict=True))
    assert len(decoded) == 15


def test_many_shards_make_one_table(sounds: ClipTable, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [np.array(one) for one in store().collect(sounds)]
    monkeypatch.setattr(cache, "SHARD_BYTES", 1)
    monkeypatch.setenv("EARMARK_CACHE", str(sounds.root / "other"))
    found = store().collect(sounds)
    assert len(list((sounds.root / "other").rglob("*.npy"))) == 6
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def test_two_programs_may_fill_one_store_at_once(sounds: ClipTable) -> None:
    results: list[object] = []

    def collect() -> None:
        try:
            results.append(store().collect(sounds).good().all())
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=collect) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 6
    assert store().collect(sounds).good().all()


def test_a_cache_that_cannot_be_written_is_said_in_words(
    sounds: ClipTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    (sounds.root / "file").write_text("in the way")
    monkeypatch.setenv("EARMARK_CACHE", str(sounds.root / "file" / "below"))
    with pytest.raises(UserError, match="features cannot be kept here.*EARMARK_CACHE"):
        store().collect(sounds)


def test_a_full_disk_is_said_in_words(sounds: ClipTable, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(UserError, match="No space left on device.*Free some space"):
        store().collect(sounds)


def test_a_foreign_index_is_said_in_words(sounds: ClipTable) -> None:
    cache.cache_folder().mkdir(parents=True)
    (cache.cache_folder() / "index.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(UserError, match="features cannot be kept here"):
        store().collect(sounds)
