"""Weights from made-up sounds: the sounds, what is learned from them, the file, and networks that begin with it."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from earmark.clips import ClipTable
from earmark.errors import UserError
from earmark.models import Classifier
from earmark.models.residual import PRETRAINED, Residual
from earmark.plan import sketch_spec
from earmark.recipe import read_recipe
from earmark.training import Options, train

sys.path.insert(0, str(Path(__file__).parent.parent))

from pretraining.learning import Pretraining, contrast, make_features
from pretraining.sounds import N_SAMPLES, RHYTHMS, SAMPLE_RATE, SOURCES, Sound, describe, draw_sound, record

REPOSITORY = Path(__file__).parent.parent

# -- sounds -------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32))
def test_any_sound_is_heard(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sound = draw_sound(rng)
    waveform = record(sound, rng)
    assert waveform.shape == (N_SAMPLES,)
    assert np.isfinite(waveform).all()
    assert 0 < np.abs(waveform).max() < 2
    assert len(describe(sound)) == len(describe(draw_sound(rng)))


def test_a_seed_means_the_same_sound() -> None:
    def made(seed: int) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        sound = draw_sound(rng)
        return [record(sound, rng), record(sound, rng)]

    for first, again in zip(made(3), made(3), strict=True):
        np.testing.assert_array_equal(first, again)
    assert not np.array_equal(*made(3))
    assert not np.array_equal(made(3)[0], made(4)[0])


def test_every_source_and_rhythm_is_drawn() -> None:
    drawn = [draw_sound(np.random.default_rng(seed)) for seed in range(300)]
    assert {one.source for one in drawn} == set(SOURCES)
    assert {one.rhythm for one in drawn} == set(RHYTHMS)


def plain(**changes: object) -> Sound:
    """A sound with nothing odd about it: no noise, tremolo, glide, vibrato or melody, one flat resonance."""
    sound = draw_sound(np.random.default_rng(0))
    still = {
        "tremolo_depth": 0.0,
        "glide": 0.0,
        "vibrato": 0.0,
        "melody": 0.0,
        "swing_db": 0.0,
        "tilt_db": 0.0,
    }
    flat = {
        "centres": np.array([[5000.0]]),
        "peaks_db": np.zeros((1, 1)),
        "octaves": np.ones(1),
        "noise_db": -60.0,
    }
    return replace(sound, **(still | flat | changes))  # type: ignore[arg-type]


def recordings(sound: Sound, n: int = 8) -> list[np.ndarray]:
    return [record(sound, np.random.default_rng(seed)) for seed in range(n)]


def test_a_tone_stands_at_its_pitch() -> None:
    """By the peak of the spectrum; pitches of recordings differ by a fifth of their logarithm."""
    tone = plain(source="tone", rhythm="continuous", pitch=400.0, rolloff=2.5, harmonics=np.ones(200))
    found = []
    for one in recordings(tone):
        spectrum = np.abs(np.fft.rfft(one * np.hanning(len(one))))
        spectrum[: 100 * N_SAMPLES // SAMPLE_RATE] = 0  # rumble of the background
        found.append(np.argmax(spectrum) * SAMPLE_RATE / N_SAMPLES)
    assert abs(np.log(found).mean() - math.log(400)) < 3 * 0.2 / math.sqrt(len(found))


def test_a_steady_rhythm_has_its_rate() -> None:
    """By the strongest lag of the level's autocorrelation."""
    knocks = plain(source="noise", rhythm="regular", rate=4.0, attack=0.002, sustain=0.0, decay=0.02)
    for one in recordings(knocks):
        level = np.abs(one)[: len(one) // 441 * 441].reshape(-1, 441).mean(axis=1)  # 50 a second
        level = level - level.mean()
        lags = np.correlate(level, level, "full")[len(level) - 1 :]
        lag = 5 + np.argmax(lags[5:40])
        times = 50 / lag * np.array([1, 2, 3])  # or a multiple, where the beat is not even
        assert (abs(np.log(times / 4.0)) < 0.15 * 3).any()


def test_a_tilted_noise_falls_by_its_slope() -> None:
    """Power of octave bands of white noise grows by 3 dB an octave; the tilt is beside that."""
    falling = plain(source="noise", rhythm="continuous", tilt_db=-6.0)
    slopes = []
    for one in recordings(falling):
        power = np.abs(np.fft.rfft(one)) ** 2
        hz = np.fft.rfftfreq(len(one), 1 / SAMPLE_RATE)
        levels = [10 * np.log10(power[(hz >= f) & (hz < 2 * f)].mean()) for f in (500, 1000, 2000)]
        slopes.append((levels[-1] - levels[0]) / 2)
    assert abs(np.mean(slopes) + 6.0) < 1.5


def test_nothing_is_said_of_what_is_not_heard() -> None:
    noise = describe(plain(source="noise", rhythm="continuous"))
    tone = describe(plain(source="tone", rhythm="regular"))
    assert np.isnan(noise).sum() > np.isnan(tone).sum()
    assert np.isfinite(tone[len(SOURCES) + len(RHYTHMS)]), "a tone has a pitch"
    assert np.isnan(noise[len(SOURCES) + len(RHYTHMS)]), "noise has none"


# -- learning -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def few() -> tuple[np.ndarray, np.ndarray]:
    """Features and descriptions of twelve sounds."""
    return make_features(12, 2, 0, 2)


def test_features_are_of_the_default_recipe(few: tuple[np.ndarray, np.ndarray]) -> None:
    features, descriptions = few
    assert features.shape[:3] == (12, 2, 64)
    assert len(descriptions) == 12
    assert -70.1 < features.min() < features.max() < 60


def test_the_contrast_is_small_where_partners_are_near() -> None:
    apart = torch.eye(4).repeat(2, 1)
    loss, right = contrast(apart)
    assert loss < 0.01 and right == 1
    loss, right = contrast(torch.eye(4)[[0, 1, 2, 3, 1, 2, 3, 0]])
    assert loss > 5 and right == 0


def test_learning_goes_on_and_repeats(few: tuple[np.ndarray, np.ndarray]) -> None:
    def learned(seed: int) -> tuple[list[float], dict[str, torch.Tensor]]:
        pretraining = Pretraining(*few, n_steps=12, seed=seed)
        return [described for _, described, _ in pretraining.steps()], pretraining.weights()

    (losses, weights), (again, same), (other, _) = learned(0), learned(0), learned(1)
    assert losses[-1] < losses[0]
    assert losses == again != other
    assert all(torch.equal(weights[name], same[name]) for name in weights)


def test_the_command_writes_what_a_network_can_begin_with(tmp_path: Path) -> None:
    options = (
        "--sounds",
        "4",
        "--recordings",
        "2",
        "--steps",
        "2",
        "--jobs",
        "1",
        "--kept",
        tmp_path / "kept.npz",
    )
    command = [sys.executable, "-m", "pretraining", *map(str, options), "-o", tmp_path / "w.safetensors"]
    for _ in range(2):  # the second time with the features kept
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)
        assert done.returncode == 0, done.stderr
    made, shipped = load_file(tmp_path / "w.safetensors"), load_file(PRETRAINED)
    assert {name: value.shape for name, value in made.items()} == {
        name: value.shape for name, value in shipped.items()
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (("--sounds", "1"), "argument --sounds: found 1, wanted 2 or more"),
        (("--steps", "0"), "argument --steps: found 0, wanted 1 or more"),
        (("--kept", "junk.npz"), "junk.npz: holds no sounds"),
        (("-o", "junk.npz/w.safetensors"), "cannot be written"),
    ],
)
def test_the_command_refuses_in_words_before_it_works(
    changes: tuple[str, str], words: str, tmp_path: Path
) -> None:
    (tmp_path / "junk.npz").write_text("junk")
    command = [sys.executable, "-m", "pretraining", "-o", "w.safetensors", *changes]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    assert done.returncode != 0
    assert words in done.stderr and "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["junk.npz"]


# -- networks that begin with them --------------------------------------------------------------------------


def test_the_file_holds_all_of_the_backbone_but_the_norm_of_its_bands() -> None:
    model = Classifier(sketch_spec(read_recipe("default"), 3))
    missing = model.backbone.state_dict().keys() - load_file(PRETRAINED).keys()
    assert {name.removeprefix("0.0.norm.") for name in missing if name.startswith("0.0.")} == {
        "weight", "bias", "running_mean", "running_var", "num_batches_tracked",
    }  # fmt: skip
    assert all(name.endswith("num_batches_tracked") for name in missing if not name.startswith("0.0."))
    assert all(value.isfinite().all() for value in load_file(PRETRAINED).values())


@pytest.mark.parametrize("n_mels", [64, 40])
def test_the_default_network_begins_with_them_and_its_head_at_random(n_mels: int) -> None:
    torch.manual_seed(0)
    model = Classifier(sketch_spec(read_recipe("default", [f"features.n_mels={n_mels}"]), 3))
    head = model.head.weight.clone()
    model.begin()
    learned = load_file(PRETRAINED)
    state = model.backbone.state_dict()
    assert all(torch.equal(state[name], value.float()) for name, value in learned.items())
    assert torch.equal(model.head.weight, head)


def test_without_the_setting_nothing_is_loaded() -> None:
    model = Classifier(sketch_spec(read_recipe("default", ["network.pretrained=false"]), 3))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.begin()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_training_begins_with_them(table: ClipTable, tmp_path: Path) -> None:
    """One step at a rate of next to nothing leaves them where they are."""
    changes = [
        "training.epochs=1",
        "training.min_steps=1",
        "training.learning_rate=1e-9",
        "training.average=0.0",
    ]
    recipe = read_recipe("default", changes)
    model = train(table, recipe, tmp_path / "run", Options(threads=1), lambda _: None).model()
    name = "4.body.3.weight"
    torch.testing.assert_close(
        model.backbone.state_dict()[name], load_file(PRETRAINED)[name].float(), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize(
    ("network", "channels", "words"),
    [
        (Residual(widths=(4, 8), pretrained=True), 1, r"found widths \[4, 8\], but .* want \[16, 32, 64, 128\]"),
        (Residual(stem_kernel=3, stem_stride=1, pretrained=True), 1, r"stem_kernel 3, stem_stride 1, .* want 5, 2"),
        (Residual(pretrained=True), 2, r"found 2 channels, but .* want 1"),
    ],
)  # fmt: skip
def test_a_network_that_they_do_not_fit_is_refused_in_words(
    network: Residual, channels: int, words: str
) -> None:
    with pytest.raises(UserError, match=words) as caught:
        network.build((channels, 64, 130))
    assert "network.pretrained = false" in str(caught.value)
