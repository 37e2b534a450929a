"""Features against librosa, scipy and physics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import scipy.fft
import scipy.signal
import soundfile
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

import earmark.features
from earmark.errors import UserError
from earmark.features import (
    FEATURES,
    MFCC,
    STFT,
    FeatureConfig,
    Features,
    LogMel,
    Waveform,
    check_features,
)

Tone = Callable[..., np.ndarray]
RATE = 22050
EVERY: list[FeatureConfig] = [
    Waveform(),
    STFT(),
    STFT(scale="power", n_fft=512, win_length=400, hop_length=160),
    STFT(scale="db"),
    STFT(scale="db", top_db=80.0, center=False),
    LogMel(n_fft=1024, n_mels=64, f_min=30.0),
    LogMel(top_db=80.0),
    LogMel(center=False, pad_end=700, mel_scale="htk", f_max=8000.0, n_mels=40),
    MFCC(n_mfcc=13),
    MFCC(n_mfcc=13, top_db=80.0),
]


def features_of(wave: np.ndarray, config: FeatureConfig, rate: int = RATE) -> np.ndarray:
    """Features `[F, N]` of one waveform `[T]`."""
    return np.asarray(Features(config, rate)(torch.from_numpy(wave)[None])[0, 0])


def fixed_floor(power: np.ndarray) -> np.ndarray:
    return 10 * np.log10(power + 1e-7)


@pytest.fixture
def sound(tone: Tone) -> np.ndarray:
    """1.3 s of a chord in noise that swells, as music does; no whole number of hops."""
    chord = tone(220, 1.3) + tone(1760, 1.3, level=0.1) + tone(6000, 1.3, level=0.02, noise=0.01)
    return (chord * np.linspace(0.2, 1, len(chord))).astype(np.float32)


# Against librosa


@pytest.mark.parametrize("n_fft", [512, 1024, 2048, 1001])
@pytest.mark.parametrize(("win_length", "hop_length"), [(None, 512), (400, 160), (401, 97)])
@pytest.mark.parametrize("center", [True, False])
def test_stft_magnitudes_equal_librosas(
    sound: np.ndarray, n_fft: int, win_length: int | None, hop_length: int, center: bool
) -> None:
    librosa = pytest.importorskip("librosa")
    if not center and win_length:
        pytest.skip("uncentred frames are win_length long here, n_fft long in librosa")
    config = STFT(n_fft=n_fft, win_length=win_length, hop_length=hop_length, center=center)
    ours = features_of(sound, config)
    other = np.abs(
        librosa.stft(sound, n_fft=n_fft, win_length=win_length, hop_length=hop_length, center=center)
    )
    np.testing.assert_allclose(ours, other, rtol=5e-4, atol=1e-6 * other.max())


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100])
@pytest.mark.parametrize("n_mels", [1, 13, 40, 64])
@pytest.mark.parametrize(("f_min", "f_max"), [(0.0, None), (30.0, None), (300.0, 3400.0), (1500.0, 3999.0)])
@pytest.mark.parametrize("mel_scale", ["slaney", "htk"])
def test_mel_filters_equal_librosas(
    rate: int, n_mels: int, f_min: float, f_max: float | None, mel_scale: Any
) -> None:
    librosa = pytest.importorskip("librosa")
    config = LogMel(n_mels=n_mels, f_min=f_min, f_max=f_max, mel_scale=mel_scale)
    htk = mel_scale == "htk"
    other = librosa.filters.mel(
        sr=rate,
        n_fft=2048,
        n_mels=n_mels,
        fmin=f_min,
        fmax=f_max,
        htk=htk,
        norm=None if htk else "slaney",
        dtype=np.float64,
    )
    np.testing.assert_allclose(config.filters(rate), other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n_fft", [1024, 2048])
@pytest.mark.parametrize("n_mels", [13, 40, 64, 96])
def test_log_mel_and_mfcc_equal_librosas_with_either_floor(
    sound: np.ndarray, n_fft: int, n_mels: int
) -> None:
    librosa = pytest.importorskip("librosa")
    power = librosa.feature.melspectrogram(
        y=sound, sr=RATE, n_fft=n_fft, hop_length=512, n_mels=n_mels, fmin=30
    )
    mel = LogMel(n_fft=n_fft, n_mels=n_mels, f_min=30.0)
    mfcc = MFCC(n_fft=n_fft, n_mels=n_mels, f_min=30.0, n_mfcc=13)
    top = librosa.power_to_db(power, top_db=80)
    for config, other in [
        (mel, fixed_floor(power)),
        (replace(mel, top_db=80.0), top),
        (mfcc, librosa.feature.mfcc(S=fixed_floor(power), n_mfcc=13)),
        (replace(mfcc, top_db=80.0), librosa.feature.mfcc(S=top, n_mfcc=13)),
    ]:
        np.testing.assert_allclose(features_of(sound, config), other, rtol=0, atol=5e-4)


@pytest.mark.parametrize("frequency", [50, 3000, 9000])
@pytest.mark.parametrize("noise", [1e-5, 1e-3])
def test_log_mels_far_below_a_loud_tone_equal_librosas(tone: Tone, frequency: float, noise: float) -> None:
    """90 dB below the tone a transform in single precision would err by some hundredths of a decibel."""
    librosa = pytest.importorskip("librosa")
    loud = tone(frequency, 1.0, level=0.9)
    wave = (loud + noise * np.random.default_rng(0).standard_normal(len(loud))).astype(np.float32)
    expected = fixed_floor(librosa.feature.melspectrogram(y=wave, sr=RATE, n_mels=40))
    np.testing.assert_allclose(features_of(wave, LogMel(n_mels=40)), expected, rtol=0, atol=5e-4)


@pytest.mark.parametrize("n_fft", [512, 1024, 2048, 1001, 1009])
@pytest.mark.parametrize("level", [3e-6, 3e-5, 3e-4])
def test_clips_of_loud_and_quiet_frames_equal_librosas(tone: Tone, n_fft: int, level: float) -> None:
    """A chord, a chord far above some noise, noise alone, silence: 1 s of each, and a batch of two such clips."""
    librosa = pytest.importorskip("librosa")
    noise = np.random.default_rng(0).standard_normal(RATE)
    chord = tone(220, 1.0, level=0.7) + tone(3300, 1.0, level=0.1)
    wave = np.concatenate([chord, chord + level * noise, level * noise, 0 * noise]).astype(np.float32)
    waves = np.stack([wave, 0.01 * wave[::-1]]).astype(np.float32)
    for config in (LogMel(n_fft=n_fft, n_mels=40), MFCC(n_fft=n_fft, n_mels=40, n_mfcc=13)):
        for top_db in (None, 80.0):
            ours = Features(replace(config, top_db=top_db), RATE)(torch.from_numpy(waves))[:, 0].numpy()
            for found, one in zip(ours, waves, strict=True):
                power = librosa.feature.melspectrogram(y=one, sr=RATE, n_fft=n_fft, hop_length=512, n_mels=40)
                other = fixed_floor(power) if top_db is None else librosa.power_to_db(power, top_db=top_db)
                if isinstance(config, MFCC):
                    other = librosa.feature.mfcc(S=other, n_mfcc=13)
                np.testing.assert_allclose(found, other, rtol=0, atol=5e-4)


class Transforms(TorchDispatchMode):
    """Counts the frames that go through a Fourier transform in either precision."""

    def __init__(self) -> None:
        super().__init__()
        self.frames = {torch.float32: 0, torch.float64: 0}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._fft_r2c.default:
            self.frames[args[0].dtype] += args[0].numel() // args[0].shape[-1]
        return func(*args, **(kwargs or {}))


def test_only_frames_in_which_rounding_could_show_are_transformed_in_double_precision(tone: Tone) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE)
    wave = np.concatenate([noise, tone(440, 1.0, level=0.7) + 1e-4 * noise]).astype(np.float32)
    features = Features(LogMel(n_mels=40), RATE)
    with Transforms() as done:
        features(torch.from_numpy(wave)[None])
    assert done.frames[torch.float32] == features.n_frames(len(wave)) == 87
    assert 41 <= done.frames[torch.float64] <= 46


def test_hard_frames_of_a_long_sound_are_transformed_once(
    tone: Tone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of 10 frames: where most of one needed double precision, the next begins with it."""
    librosa = pytest.importorskip("librosa")
    monkeypatch.setitem(earmark.features.BLOCK, "cpu", 10 * 2048)
    noise = 0.1 * np.random.default_rng(0).standard_normal(4 * RATE)
    wave = (tone(440, 4.0, level=0.7) + 1e-4 * noise).astype(np.float32)
    wave[2 * RATE :] = noise[2 * RATE :]
    features = Features(LogMel(n_mels=40), RATE)
    with Transforms() as done:
        found = features(torch.from_numpy(wave)[None])[0, 0]
    n = features.n_frames(len(wave))
    assert n < sum(done.frames.values()) <= n + 20
    assert 86 <= done.frames[torch.float64] <= 106
    expected = fixed_floor(librosa.feature.melspectrogram(y=wave, sr=RATE, n_mels=40))
    np.testing.assert_allclose(found, expected, rtol=0, atol=5e-4)


@pytest.mark.parametrize("n_clips", [1, 3])
@pytest.mark.parametrize("per_block", [10, 30, 1000])
def test_hard_frames_here_and_there_are_put_together_and_transformed_again(
    tone: Tone, monkeypatch: pytest.MonkeyPatch, per_block: int, n_clips: int
) -> None:
    """A quarter of the frames, in more and in fewer blocks than frames are put aside for, of clips alike and not."""
    librosa = pytest.importorskip("librosa")
    monkeypatch.setitem(earmark.features.BLOCK, "cpu", per_block * 2048)
    noise = 0.1 * np.random.default_rng(0).standard_normal((n_clips, 4 * RATE))
    waves = noise.copy()
    for start in range(RATE // 4, 4 * RATE, RATE):  # bursts of 0.2 s, in which the noise is far down
        waves[:, start : start + RATE // 5] = tone(440, 0.2, level=0.7) + 1e-4 * noise[:, : RATE // 5]
    waves = waves.astype(np.float32)
    features = Features(LogMel(n_mels=40), RATE)
    with Transforms() as done:
        found = features(torch.from_numpy(waves))[:, 0]
    n = n_clips * features.n_frames(4 * RATE)
    assert 0.1 * n < done.frames[torch.float64] < 0.3 * n
    assert done.frames[torch.float32] >= 0.9 * n
    expected = [fixed_floor(librosa.feature.melspectrogram(y=wave, sr=RATE, n_mels=40)) for wave in waves]
    np.testing.assert_allclose(found, expected, rtol=0, atol=5e-4)


def test_gradients_of_hard_frames_are_those_of_double_precision(
    tone: Tone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of half a second of noise, then of a tone with noise far below it: one part of its frames is hard."""
    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE // 2)
    wave = torch.from_numpy(np.append(noise, tone(440, 0.2, level=0.7) + 1e-4 * noise[: RATE // 5]))
    single, double = wave.float()[None].requires_grad_(), wave.double()[None].requires_grad_()
    Features(LogMel(n_mels=40), RATE).double()(double).sum().backward()
    assert double.grad is not None
    for per_block in (4, 1000):
        monkeypatch.setitem(earmark.features.BLOCK, "cpu", per_block * 2048)
        single.grad = None
        with Transforms() as done:
            Features(LogMel(n_mels=40), RATE)(single).sum().backward()
        assert 0 < done.frames[torch.float64] < done.frames[torch.float32]
        assert (single.grad - double.grad).norm() < 3e-3 * double.grad.norm()


def test_log_mels_and_mfccs_of_real_recordings_equal_librosas(real_data: Path) -> None:
    librosa = pytest.importorskip("librosa")
    recordings = sorted(path for path in real_data.rglob("*") if path.suffix in (".wav", ".flac", ".ogg"))
    errors = []
    for path in recordings[:: max(1, len(recordings) // 60)]:
        wave, rate = soundfile.read(path, dtype="float32", always_2d=True, frames=400_000)
        wave = np.ascontiguousarray(wave[:, 0])
        if len(wave) < 2048:
            continue
        mel = fixed_floor(librosa.feature.melspectrogram(y=wave, sr=rate, n_mels=40))
        mfcc = librosa.feature.mfcc(S=mel, n_mfcc=13)
        errors.append(np.abs(features_of(wave, LogMel(n_mels=40), rate) - mel).ravel())
        assert errors[-1].max() < 1e-3, path.name  # a lone tone's rounding gathers in a few bins
        assert np.abs(features_of(wave, MFCC(n_mels=40, n_mfcc=13), rate) - mfcc).max() < 5e-4, path.name
    assert (np.concatenate(errors) > 5e-4).mean() < 1e-5


def test_the_settings_of_librosa_mfcc_itself_are_reproduced(sound: np.ndarray) -> None:
    librosa = pytest.importorskip("librosa")
    other = librosa.feature.mfcc(y=sound, sr=RATE)
    np.testing.assert_allclose(features_of(sound, MFCC(top_db=80.0)), other, rtol=0, atol=5e-4)


def test_stft_in_decibels_with_top_db_equals_librosas_power_to_db(sound: np.ndarray) -> None:
    librosa = pytest.importorskip("librosa")
    other = librosa.power_to_db(np.abs(librosa.stft(sound)) ** 2, top_db=60)
    np.testing.assert_allclose(features_of(sound, STFT(scale="db", top_db=60.0)), other, rtol=0, atol=5e-4)


def test_uncentred_frames_are_win_length_long_and_padded_to_n_fft() -> None:
    wave = np.random.default_rng(0).standard_normal(1600).astype(np.float32)
    config = STFT(n_fft=512, win_length=400, hop_length=160, center=False, pad_end=80, scale="power")
    padded = np.append(wave, np.zeros(80))
    frames = np.stack([padded[i : i + 400] for i in range(0, 1680 - 399, 160)])
    expected = np.abs(np.fft.rfft(frames * scipy.signal.get_window("hann", 400), 512)) ** 2
    ours = features_of(wave, config, 16000)
    assert ours.shape == (257, 9)
    np.testing.assert_allclose(ours.T, expected, rtol=5e-4, atol=1e-4)


def test_mfcc_is_scipys_orthonormal_dct_of_the_log_mel(sound: np.ndarray) -> None:
    mel = features_of(sound, LogMel(n_mels=64)).astype(np.float64)
    expected = scipy.fft.dct(mel, type=2, norm="ortho", axis=0)[:20]
    np.testing.assert_allclose(features_of(sound, MFCC(n_mels=64)), expected, rtol=0, atol=5e-4)


@pytest.mark.parametrize("config", [STFT(), STFT(scale="db"), LogMel(), MFCC(top_db=80.0)], ids=repr)
def test_no_clips_have_no_features(config: STFT | LogMel) -> None:
    features = Features(config, RATE)
    assert features(torch.zeros(0, RATE)).shape == (0, *features.shape(RATE))


def test_float32_agrees_with_float64(sound: np.ndarray) -> None:
    for config in EVERY[1:]:
        exact = Features(config, RATE).double()(torch.from_numpy(sound)[None].double())
        assert exact.dtype == torch.float64
        peak = float(exact.abs().max())
        np.testing.assert_allclose(features_of(sound, config), exact[0, 0], rtol=5e-4, atol=1e-5 * peak)


# Physics


@pytest.mark.parametrize("config", EVERY, ids=str)
def test_silence_gives_the_floor(config: FeatureConfig) -> None:
    features = Features(config, RATE)
    silence = features(torch.zeros(2, 5000))
    torch.testing.assert_close(silence, features.floor[:, None].expand(silence.shape), rtol=2e-6, atol=5e-4)


def test_the_fixed_floor_is_minus_70_db_and_librosas_minus_100() -> None:
    assert Features(LogMel(), RATE).floor.tolist() == pytest.approx([-70] * 128, abs=1e-5)
    assert Features(LogMel(top_db=80.0), RATE).floor.tolist() == pytest.approx([-100] * 128, abs=1e-5)
    mfcc = Features(MFCC(n_mels=64), RATE).floor
    assert mfcc.tolist() == pytest.approx([-560] + [0] * 19, abs=1e-4)


@pytest.mark.parametrize("frequency", [100.0, 440.0, 3000.0, 9000.0])
def test_a_tone_lights_the_band_it_falls_in(tone: Tone, frequency: float) -> None:
    for config in (LogMel(n_mels=64), STFT(scale="db"), LogMel(n_mels=64, mel_scale="htk")):
        features = Features(config, RATE)
        centres = features.frequencies()
        assert centres is not None
        brightest = features_of(tone(frequency), config).mean(axis=1).argmax()
        spacing = np.diff(centres)[max(brightest - 1, 0)]
        assert abs(centres[brightest] - frequency) <= spacing


def test_a_full_scale_tone_has_the_magnitude_of_the_windows_sum_halved(tone: Tone) -> None:
    wave = tone(RATE / 2048 * 100, level=1.0)
    assert features_of(wave, STFT())[100, 10] == pytest.approx(512, rel=1e-4)


def test_a_click_lights_all_bands_in_one_frame() -> None:
    wave = np.zeros(8192, dtype=np.float32)
    wave[4096] = 1
    mel = features_of(wave, LogMel(n_mels=64, n_fft=512, hop_length=512, win_length=512))
    assert (mel[:, 8] > -60).all()
    assert np.allclose(np.delete(mel, 8, axis=1), -70, atol=0.01)


def test_parseval_the_power_of_all_bins_is_that_of_the_windowed_frames(sound: np.ndarray) -> None:
    power = features_of(sound, STFT(n_fft=1024, hop_length=1024, center=False, scale="power")).astype(float)
    both_sides = 2 * power.sum(axis=0) - power[0] - power[-1]
    window = scipy.signal.get_window("hann", 1024)
    frames = sound[: power.shape[1] * 1024].reshape(-1, 1024) * window
    np.testing.assert_allclose(both_sides / 1024, (frames**2).sum(axis=1), rtol=1e-4)


def test_twice_the_amplitude_raises_the_log_mel_by_6_db(sound: np.ndarray) -> None:
    quiet, loud = (features_of(gain * sound, LogMel(n_mels=64, top_db=200.0)) for gain in (1, 2))
    np.testing.assert_allclose(loud - quiet, 20 * np.log10(2), atol=1e-3)
    quiet, loud = (features_of(gain * sound, MFCC(n_mels=64, top_db=200.0)) for gain in (1, 2))
    np.testing.assert_allclose((loud - quiet)[0], 20 * np.log10(2) * 8, atol=5e-3)
    np.testing.assert_allclose((loud - quiet)[1:], 0, atol=5e-3)


def test_powers_of_unrelated_noises_add_up() -> None:
    a, b = np.random.default_rng(0).standard_normal((2, 20 * RATE)).astype(np.float32) * 0.1
    config = STFT(scale="power", n_fft=512)
    mean = [features_of(wave, config).mean() for wave in (a, b, a + b)]
    assert mean[2] == pytest.approx(mean[0] + mean[1], rel=0.02)


def test_top_db_is_below_each_clips_own_peak_and_never_the_batchs(tone: Tone) -> None:
    loud, quiet = tone(440, level=0.9), tone(440, level=0.001)
    config = LogMel(n_mels=64, top_db=30.0)
    batch = Features(config, RATE)(torch.from_numpy(np.stack([loud, quiet])))
    np.testing.assert_allclose(batch[1, 0], features_of(quiet, config), atol=1e-4)
    assert float(batch[1].max() - batch[1].min()) == pytest.approx(30, abs=1e-4)


# Shapes, batches, memory


@settings(max_examples=200)
@given(
    n_samples=st.integers(0, 4000),
    n_fft=st.integers(2, 600),
    hop=st.integers(1, 700),
    window=st.floats(0, 1),
    center=st.booleans(),
    pad_end=st.integers(0, 300),
    kind=st.sampled_from(["magnitude", "mel", "mfcc"]),
    top_db=st.sampled_from([None, 40.0]),
)
def test_shapes_are_foretold(
    n_samples: int,
    n_fft: int,
    hop: int,
    window: float,
    center: bool,
    pad_end: int,
    kind: str,
    top_db: float | None,
) -> None:
    framing: dict[str, Any] = {
        "n_fft": n_fft,
        "win_length": max(1, round(window * n_fft)),
        "hop_length": hop,
        "center": center,
        "pad_end": pad_end,
    }
    if kind == "magnitude":
        config: FeatureConfig = STFT(**framing)
    elif kind == "mel":
        config = LogMel(**framing, n_mels=2, top_db=top_db)
    else:
        config = MFCC(**framing, n_mels=3, n_mfcc=2, top_db=top_db)
    assume(n_fft >= 64 or kind == "magnitude")
    features = Features(config, 8000)
    out = features(torch.zeros(2, n_samples))
    assert tuple(out.shape) == (2, *features.shape(n_samples))
    assert out.shape[-1] == features.n_frames(n_samples) >= 1
    assert torch.isfinite(out).all()


@pytest.mark.parametrize("config", EVERY, ids=str)
def test_a_batch_equals_its_clips_one_by_one_whatever_the_blocks(
    config: FeatureConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    waves = torch.randn(5, 20000, generator=torch.Generator().manual_seed(0)) * 0.1
    features = Features(config, RATE)
    batch = features(waves)
    for per_block in (1, 7, 40, 100):
        monkeypatch.setitem(earmark.features.BLOCK, "cpu", per_block * 1024)
        torch.testing.assert_close(features(waves), batch, rtol=1e-4, atol=1e-4)
    for wave, expected in zip(waves, batch, strict=True):
        torch.testing.assert_close(features(wave[None])[0], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("config", EVERY, ids=str)
def test_the_same_waveform_gives_the_same_bits(config: FeatureConfig) -> None:
    waves = torch.randn(3, 30000) * 0.1
    assert torch.equal(Features(config, RATE)(waves), Features(config, RATE)(waves))


def test_frames_and_seconds_agree() -> None:
    features = Features(LogMel(hop_length=441), RATE)
    assert features.frame_rate == 50
    assert features.frames_in(2.0) == features.n_frames(44100) == 101
    assert Features(Waveform(), RATE).frames_in(1.0) == RATE
    assert Features(Waveform(), RATE).shape(10) == (1, 10)
    assert Features(Waveform(), RATE).frame_rate == RATE


def test_a_clip_shorter_than_a_frame_is_padded_with_zeros_to_one() -> None:
    wave = np.ones(100, dtype=np.float32)
    config = STFT(n_fft=512, center=False)
    padded = np.append(wave, np.zeros(412, dtype=np.float32))
    assert features_of(wave, config).shape == (257, 1)
    np.testing.assert_array_equal(features_of(wave, config), features_of(padded, config))


class LargestTensor(TorchDispatchMode):
    """Remembers the size of the largest tensor that any operation made: no view, not in place."""

    numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor) and func._schema.returns[0].alias_info is None:
            self.numbers = max(self.numbers, out.numel())
        return out


@pytest.mark.parametrize("config", [LogMel(n_mels=40), MFCC(n_mels=40)], ids=str)
def test_long_recordings_need_no_more_memory_than_their_features(config: FeatureConfig) -> None:
    features = Features(config, 8000)
    waveform = torch.zeros(1, 8000 * 60 * 60)
    with torch.inference_mode(), LargestTensor() as largest:
        out = features(waveform)
    assert largest.numbers <= max(out.numel(), 2 * earmark.features.BLOCK["cpu"])


# Gradients, weights, precision, export


@pytest.mark.parametrize("config", EVERY, ids=str)
def test_gradients_reach_the_waveform_and_match_finite_differences(config: FeatureConfig) -> None:
    if not isinstance(config, Waveform):
        small = {"n_fft": 64, "win_length": None, "hop_length": 24, "pad_end": 5}
        few = {"n_mels": 6, "f_max": None} if isinstance(config, LogMel) else {}
        config = replace(config, **small, **few, **({"n_mfcc": 4} if isinstance(config, MFCC) else {}))
    features = Features(config, 8000).double()
    wave = torch.randn(2, 150, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert torch.autograd.gradcheck(features, (wave.requires_grad_(),), atol=1e-4)


@pytest.mark.parametrize("config", EVERY, ids=str)
def test_gradients_of_silence_and_of_many_blocks_are_finite(
    config: FeatureConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(earmark.features.BLOCK, "cpu", 4096)
    wave = torch.randn(2, 9000)
    wave[1] = 0
    Features(config, RATE)(wave.requires_grad_()).sum().backward()
    assert wave.grad is not None
    assert torch.isfinite(wave.grad).all()
    assert (wave.grad[0] != 0).any()


@pytest.mark.parametrize("config", EVERY, ids=str)
def test_weights_files_hold_no_filter_banks(config: FeatureConfig) -> None:
    assert Features(config, RATE).state_dict() == {}


@pytest.mark.parametrize("config", EVERY[1:], ids=str)
def test_autocast_and_half_precision_waveforms_do_not_coarsen_features(
    config: FeatureConfig, sound: np.ndarray
) -> None:
    features = Features(config, RATE)
    wave = torch.from_numpy(sound)[None]
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(features(wave), features(wave.float()))
        inside = features(wave)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, features(wave))
    assert features(wave.half()).dtype == torch.float32


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("config", EVERY, ids=str)
def test_cuda_gives_what_the_cpu_gives(config: FeatureConfig) -> None:
    waves = torch.randn(4, 50000, generator=torch.Generator().manual_seed(0)) * 0.1
    features = Features(config, RATE)
    expected = features(waves)
    torch.testing.assert_close(features.cuda()(waves.cuda()).cpu(), expected, rtol=5e-4, atol=5e-4)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("config", EVERY, ids=str)
def test_onnx_export_gives_the_same_features_at_any_batch_size(config: FeatureConfig) -> None:
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package)
    runtime = pytest.importorskip("onnxruntime")
    features = Features(config, RATE).eval()
    waves = torch.randn(5, 8000, generator=torch.Generator().manual_seed(0)) * 0.1
    batch = ({0: torch.export.Dim("batch")},)
    program = torch.onnx.export(
        features, (waves[:2],), dynamo=True, opset_version=18, dynamic_shapes=batch, verbose=False
    )
    assert program is not None
    session = runtime.InferenceSession(program.model_proto.SerializeToString())
    (out,) = session.run(None, {session.get_inputs()[0].name: waves.numpy()})
    np.testing.assert_allclose(out, features(waves), rtol=1e-4, atol=2e-3)


# Settings


@pytest.mark.parametrize(
    ("config", "where", "found"),
    [
        (LogMel(hop_length=0), "features.hop_length", "found 0, wanted `int` >= 1"),
        (LogMel(n_fft=1), "features.n_fft", "found 1, wanted `int` >= 2"),
        (STFT(win_length=0), "features.win_length", "found 0, wanted `int` >= 1"),
        (STFT(n_fft=512, win_length=513), "features.win_length", r"found 513, wanted at most n_fft \(512\)"),
        (STFT(pad_end=-1), "features.pad_end", "found -1"),
        (STFT(scale="loud"), "features.scale", "found 'loud'"),  # type: ignore[arg-type]
        (STFT(top_db=80.0), "features.top_db", 'found 80.0 with scale "magnitude", wanted scale "db"'),
        (LogMel(top_db=0.0), "features.top_db", "found 0.0"),
        (LogMel(n_mels=0), "features.n_mels", "found 0"),
        (LogMel(n_mels=800), "features.n_mels", "found 800, .*hold none.*bins are 10.8 Hz apart"),
        (LogMel(f_max=11026.0), "features.f_max", "found 11026 Hz, wanted at most .* 11025 Hz"),
        (LogMel(f_max=float("nan")), "features.f_max", "found nan"),
        (LogMel(f_min=-1.0), "features.f_min", "found -1.0"),
        (LogMel(f_min=11025.0), "features.f_min", r"found 11025 Hz, wanted less than f_max \(11025 Hz\)"),
        (LogMel(f_min=500.0, f_max=500.0), "features.f_min", "found 500 Hz"),
        (MFCC(n_mfcc=41, n_mels=40), "features.n_mfcc", r"found 41, wanted at most n_mels \(40\)"),
        (MFCC(n_mfcc=0), "features.n_mfcc", "found 0"),
    ],
)
def test_impossible_settings_are_refused_by_name(config: FeatureConfig, where: str, found: str) -> None:
    with pytest.raises(UserError, match=found) as refused:
        Features(config, RATE)
    assert refused.value.where == where
    assert refused.value.remedy


def test_a_sample_rate_of_0_is_refused() -> None:
    with pytest.raises(UserError, match="sample_rate: found 0"):
        check_features(Waveform(), 0)


@pytest.mark.parametrize("kind", FEATURES)
def test_toml_tables_become_configs_and_bounds_hold_there_too(kind: str) -> None:
    assert msgspec.convert({}, FEATURES[kind], strict=True) == FEATURES[kind]()
    if kind != "waveform":
        assert msgspec.convert({"n_fft": 512, "center": False}, FEATURES[kind], strict=True).n_fft == 512  # type: ignore[union-attr]
        with pytest.raises(msgspec.ValidationError, match="hop_length"):
            msgspec.convert({"hop_length": 0}, FEATURES[kind], strict=True)
