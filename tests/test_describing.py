"""The statistics against librosa's, which takes any spectrum, and against sounds whose shape is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
import torch

from earmark.clips import ClipTable
from earmark.describing import (
    N_MFCC,
    SHAPES,
    describe_sounds,
    names_of_statistics,
    plain_features,
    shape_of_frames,
    statistics,
)
from earmark.features import Features
from earmark.layouts import import_folder
from earmark.recipe import read_recipe

RATE = 22050
MEL = Features(plain_features(RATE), RATE)
FREQUENCIES = MEL.frequencies()
assert FREQUENCIES is not None


def decibels(wave: np.ndarray) -> np.ndarray:
    """Log-mel frames `[N, F]`."""
    return MEL(torch.from_numpy(wave.astype(np.float32))[None])[0, 0].T.double().numpy()


def described(wave: np.ndarray) -> dict[str, float]:
    frames = decibels(wave)
    values = statistics(frames, FREQUENCIES, len(wave) / RATE)
    return dict(zip(names_of_statistics(), values.tolist(), strict=True))


@pytest.fixture
def noisy(tone: Callable[..., np.ndarray]) -> np.ndarray:
    return tone(700, seconds=1.0, noise=0.1) + tone(2500, seconds=1.0, level=0.2)


def test_there_are_about_170_and_each_has_a_name_of_its_own() -> None:
    names = names_of_statistics()
    assert 150 < len(names) == len(set(names)) < 190


def test_the_frames_are_those_of_the_default_recipe() -> None:
    assert plain_features(RATE) == read_recipe("default", []).features


def test_spectral_shape_is_librosas(noisy: np.ndarray) -> None:
    frames = decibels(noisy)
    power = 10 ** (frames.T / 10)
    found = dict(zip(SHAPES, shape_of_frames(frames, FREQUENCIES).T, strict=True))
    centroid = librosa.feature.spectral_centroid(S=power, freq=FREQUENCIES)[0]
    bandwidth = librosa.feature.spectral_bandwidth(S=power, freq=FREQUENCIES)[0]
    rolloff = librosa.feature.spectral_rolloff(S=power, freq=FREQUENCIES, roll_percent=0.85)[0]
    flatness = librosa.feature.spectral_flatness(S=power, amin=1e-10, power=1.0)[0]
    np.testing.assert_allclose(found["centroid"], centroid, rtol=1e-6)
    np.testing.assert_allclose(found["bandwidth"], bandwidth, rtol=1e-6)
    np.testing.assert_allclose(found["rolloff"], rolloff)
    np.testing.assert_allclose(found["flatness"], flatness, rtol=1e-6)


def test_mfcc_are_librosas(noisy: np.ndarray) -> None:
    frames, found = decibels(noisy), described(noisy)
    mfcc = librosa.feature.mfcc(S=frames.T, n_mfcc=N_MFCC)
    for i in range(N_MFCC):
        assert found[f"mfcc_{i}_mean"] == pytest.approx(mfcc[i].mean(), abs=1e-6)
        assert found[f"mfcc_{i}_std"] == pytest.approx(mfcc[i].std(), abs=1e-6)


def test_a_high_tone_is_brighter_and_noise_is_flatter(tone: Callable[..., np.ndarray]) -> None:
    low, high, hiss = tone(300), tone(4000), tone(300, level=0, noise=0.3)
    assert described(high)["centroid_mean"] > 3 * described(low)["centroid_mean"]
    assert described(hiss)["flatness_mean"] > 5 * described(low)["flatness_mean"]


def test_twice_as_loud_is_six_decibels_more(tone: Callable[..., np.ndarray]) -> None:
    soft, loud = (described(tone(440, level=level)) for level in (0.2, 0.4))
    assert loud["level_mean"] - soft["level_mean"] == pytest.approx(6.02, abs=0.1)
    assert loud["centroid_mean"] == pytest.approx(soft["centroid_mean"], rel=1e-3)


def test_time_is_told(tone: Callable[..., np.ndarray]) -> None:
    wave = tone(440, seconds=2.0)
    fading = wave * np.linspace(1, 0.01, len(wave))
    beating = wave * (1 + 0.9 * np.sin(2 * np.pi * 4 * np.arange(len(wave)) / RATE))
    assert described(fading)["peak_place"] < 0.2 < 0.8 < described(fading[::-1])["peak_place"]
    assert described(beating)["ripple_rate"] == pytest.approx(4, abs=0.5)
    assert described(wave)["log_seconds"] == pytest.approx(np.log(2))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_frames_silence_and_a_click_give_finite_numbers(n: int) -> None:
    for frames in (np.full((n, 64), -70.0), np.random.default_rng(0).normal(-40, 9, (n, 64))):
        assert np.isfinite(statistics(frames, FREQUENCIES, 0.1)).all()


@pytest.mark.parametrize("rate", [400, 2000, 8000, 16000, 44100])
def test_every_rate_has_its_frames(rate: int) -> None:
    features = Features(plain_features(rate), rate)
    assert features(torch.zeros(1, rate)).shape[2] >= 40


def test_clips_that_cannot_be_used_have_rows_of_nan(table: ClipTable) -> None:
    table.paths()[1].unlink()
    found = describe_sounds(table, RATE)
    assert found.values.shape == (len(table), len(found.names))
    assert np.isnan(found.values[1]).all()
    assert np.isfinite(np.delete(found.values, 1, axis=0)).all()


def test_statistics_do_not_depend_on_the_other_clips(table: ClipTable, tmp_path: Path) -> None:
    (tmp_path / "one" / "a").mkdir(parents=True)
    wave, rate = soundfile.read(table.paths()[3])
    soundfile.write(tmp_path / "one" / "a" / "x.wav", wave, rate)
    alone = describe_sounds(import_folder(tmp_path / "one").table, RATE)
    np.testing.assert_array_equal(alone.values[0], describe_sounds(table, RATE).values[3])
