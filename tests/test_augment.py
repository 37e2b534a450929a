"""Augmentation against the sounds it stands for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from earmark.augment import (
    Augment,
    add_noise,
    augment_features,
    augment_waveforms,
    change_level,
    check_augment,
    freq_mixstyle,
    mix,
    random_filter,
    roll_time,
    shift_bands,
    spec_augment,
)
from earmark.errors import UserError
from earmark.features import MFCC, STFT, FeatureConfig, Features, LogMel, Waveform

RATE = 22050
MEL = Features(LogMel(n_fft=1024, n_mels=64, f_min=30.0), RATE)
OFF = Augment(gain_db=0, time_shift=0, band_shift=0, mixup=0, time_masks=0, frequency_masks=0)
EVERY: list[FeatureConfig] = [
    Waveform(),
    STFT(),
    STFT(scale="power"),
    STFT(scale="db"),
    STFT(scale="db", top_db=60.0),
    LogMel(n_mels=64),
    LogMel(n_mels=64, top_db=60.0),
    MFCC(n_mels=64),
    MFCC(n_mels=64, top_db=60.0),
]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(clips: int = 8, samples: int = RATE, level: float = 0.1) -> torch.Tensor:
    return torch.randn(clips, samples, generator=seeded(1)) * level


def one_hot(clips: int = 8, classes: int = 4) -> torch.Tensor:
    return torch.eye(classes)[torch.arange(clips) % classes]


def everything(
    x: torch.Tensor, config: Augment, features: Features, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    draws = seeded(seed)
    x, targets = augment_features(x, one_hot(len(x)), config, features, draws)
    return spec_augment(x, config, features, draws), targets


# Draws


@pytest.mark.parametrize("config", EVERY, ids=str)
def test_the_generator_decides_everything_and_the_batch_given_stays_as_it_is(config: FeatureConfig) -> None:
    features = Features(config, RATE)
    x = features(noise())
    before = x.clone()
    first, again, other = (everything(x, Augment(time_shift=0.3), features, seed) for seed in (0, 0, 1))
    assert torch.equal(x, before)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])
    assert first[0].shape == x.shape
    assert first[0].dtype == torch.float32
    assert torch.isfinite(first[0]).all()


@pytest.mark.parametrize("config", EVERY, ids=str)
def test_all_off_changes_nothing(config: FeatureConfig) -> None:
    features = Features(config, RATE)
    x = features(noise())
    out, targets = everything(x, OFF, features, 0)
    assert torch.equal(out, x)
    assert torch.equal(targets, one_hot())
    assert torch.equal(augment_waveforms(noise(), Augment(), seeded()), noise())


@pytest.mark.parametrize(
    "setting",
    [
        {"gain_db": 10},
        {"filter_db": 6},
        {"time_shift": 0.5},
        {"band_shift": 3},
        {"time_masks": 1},
        {"mixup": 1.0},
    ],
)
def test_every_clip_gets_a_draw_of_its_own(setting: dict[str, Any]) -> None:
    x = MEL(noise(1)).expand(32, 1, 64, -1) + torch.arange(32).view(-1, 1, 1, 1)
    config = replace(OFF, time_mask_seconds=0.5, **setting)
    changed = everything(x, config, MEL, 0)[0] - x
    assert len({tuple(clip.flatten().tolist()) for clip in changed}) >= 7


# Level


@pytest.mark.parametrize("config", EVERY, ids=str)
@pytest.mark.parametrize("gain_db", [-10.0, 10.0])
def test_gain_gives_the_features_of_the_louder_sound(config: FeatureConfig, gain_db: float) -> None:
    features = Features(config, RATE)
    waves = noise(3, level=0.2)
    expected = features(waves * 10 ** (gain_db / 20))
    changed = change_level(features(waves), torch.full((3, 1), gain_db), features)
    torch.testing.assert_close(changed, expected, rtol=1e-3, atol=0.02)


@pytest.mark.parametrize("config", EVERY, ids=str)
def test_silence_stays_silence_at_any_level(config: FeatureConfig) -> None:
    if isinstance(config, MFCC) or getattr(config, "top_db", None):
        pytest.skip("nothing in these features tells silence from a quiet sound")
    features = Features(config, RATE)
    silence = features(torch.zeros(2, 5000))
    changed = change_level(silence, torch.tensor([[-10.0], [10.0]]), features)
    torch.testing.assert_close(changed, silence, rtol=0, atol=1e-3)


def test_near_the_floor_gain_follows_the_floor() -> None:
    quiet = noise(2, level=2e-4)
    changed = change_level(MEL(quiet), torch.full((2, 1), 10.0), MEL)
    torch.testing.assert_close(changed, MEL(quiet * 10**0.5), rtol=0, atol=0.02)


@pytest.mark.parametrize(
    "config", [LogMel(n_fft=512, n_mels=20), STFT(n_fft=64), STFT(n_fft=64, scale="db")], ids=str
)
def test_a_gain_for_each_row_is_the_gain_of_that_row(config: FeatureConfig) -> None:
    features = Features(config, RATE)
    x = features(noise(3))
    gains = torch.linspace(-9, 9, 3 * x.shape[2]).view(3, -1)
    changed = change_level(x, gains, features)
    for row in range(x.shape[2]):
        alone = change_level(x, gains[:, row : row + 1], features)
        torch.testing.assert_close(changed[:, :, row], alone[:, :, row])


def test_a_random_filter_is_smooth_and_fills_its_range() -> None:
    curves = random_filter(6.0, torch.zeros(4000, 1, 41, 2), seeded())
    assert curves.shape == (4000, 41)
    assert float(curves.min()) == pytest.approx(-6, abs=0.05)
    assert float(curves.max()) == pytest.approx(6, abs=0.05)
    assert float(curves.mean()) == pytest.approx(0, abs=0.1)
    bends = curves.diff(n=2, dim=1).abs() > 1e-3
    assert (bends.any(dim=0).nonzero()[:, 0] + 1).tolist() == [10, 20, 30]  # straight from knot to knot


def test_a_filter_is_passed_over_where_rows_are_no_frequencies() -> None:
    for config in (MFCC(n_mels=64), Waveform()):
        features = Features(config, RATE)
        x = features(noise())
        assert torch.equal(
            augment_features(x, one_hot(), replace(OFF, filter_db=6), features, seeded())[0], x
        )


def test_gains_fill_their_range_on_both_sides() -> None:
    x = torch.zeros(4000, 1, 64, 1)
    gains = augment_features(x, one_hot(4000), replace(OFF, gain_db=10), MEL, seeded())[0][:, 0, 0, 0]
    assert float(gains.min()) == pytest.approx(-10, abs=0.05)
    assert float(gains.max()) == pytest.approx(10, abs=0.05)
    assert float(gains.mean()) == pytest.approx(0, abs=0.5)


# Time and bands


def test_a_roll_moves_each_clip_by_its_own_frames_and_loses_none() -> None:
    x = torch.randn(3, 1, 5, 11)
    rolled = roll_time(x, torch.tensor([0, 2, -3]))
    for clip, frames in enumerate((0, 2, -3)):
        assert torch.equal(rolled[clip], x[clip].roll(frames, dims=-1))
    assert torch.equal(roll_time(x[:, 0, :1], torch.tensor([1, 1, 1])), x[:, 0, :1].roll(1, dims=-1))


def test_time_shifts_stay_within_their_fraction() -> None:
    x = torch.arange(100.0).expand(3000, 1, 4, 100)
    first = augment_features(x, one_hot(3000), replace(OFF, time_shift=0.1), MEL, seeded())[0][:, 0, 0, 50]
    assert set(first.tolist()) == set(range(40, 61))


def test_bands_shift_up_and_down_and_the_edge_fills_the_gap() -> None:
    x = (
        torch.arange(5.0)[None, None, :, None].expand(3, 2, 5, 4)
        + torch.arange(2.0)[None, :, None, None] * 10
    )
    shifted = shift_bands(x, torch.tensor([2, 0, -1]))
    assert shifted[0, 0, :, 0].tolist() == [0, 0, 0, 1, 2]
    assert shifted[1].equal(x[1])
    assert shifted[2, 1, :, 3].tolist() == [11, 12, 13, 14, 14]


def test_a_shift_of_bands_is_a_change_of_pitch(tone: Callable[..., np.ndarray]) -> None:
    centres = MEL.frequencies()
    assert centres is not None
    low, high = (MEL(torch.from_numpy(tone(centres[band], level=0.5))[None]) for band in (20, 23))
    shifted = shift_bands(low, torch.tensor([3]))
    assert shifted.mean(-1).argmax() == high.mean(-1).argmax() == 23


def test_bands_shift_by_every_step_up_to_the_limit_and_only_in_log_mels() -> None:
    x = torch.arange(64.0)[None, None, :, None].expand(2000, 1, 64, 2)
    out = augment_features(x, one_hot(2000), replace(OFF, band_shift=3), MEL, seeded())[0]
    assert set((out[:, 0, 30, 0] - 30).tolist()) == {-3, -2, -1, 0, 1, 2, 3}
    for config in (MFCC(n_mels=64), STFT()):
        features = Features(config, RATE)
        x = features(noise())
        assert torch.equal(
            augment_features(x, one_hot(), replace(OFF, band_shift=3), features, seeded())[0], x
        )


# Mixup


def test_mixup_mixes_inputs_and_targets_by_the_same_weights() -> None:
    x = one_hot()[:, None, :, None].expand(8, 1, 4, 3).contiguous()
    mixed, targets = augment_features(x, one_hot(), replace(OFF, mixup=1.0), MEL, seeded())
    torch.testing.assert_close(mixed[:, 0, :, 0], targets)
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(8))
    assert not torch.equal(targets, one_hot())


@pytest.mark.parametrize("a", [0.3, 1.0, 5.0])
def test_mixing_weights_follow_the_beta_distribution(a: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    clips = 20000
    targets = torch.arange(float(clips))[:, None]
    ramp = torch.cat([targets, torch.ones_like(targets)], dim=1)
    draws = seeded(3)
    _, mixed = augment_features(torch.zeros(clips, 1, 64, 1), ramp, replace(OFF, mixup=a), MEL, draws)
    again = seeded(3)
    torch._standard_gamma(torch.full((2, clips), a, dtype=torch.float64), generator=again)
    partner = torch.randperm(clips, generator=again)
    weight = ((mixed[:, 0] - partner) / (targets[:, 0] - partner))[partner != targets[:, 0]]
    assert stats.kstest(weight.clamp(0, 1).double().numpy(), "beta", args=(a, a)).statistic < 0.02


def test_the_smallest_mixup_still_gives_weights() -> None:
    config = replace(OFF, mixup=0.001)
    x, targets = augment_features(torch.randn(5000, 1, 64, 1), one_hot(5000), config, MEL, seeded())
    assert torch.isfinite(x).all()
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(5000))


def test_unknown_targets_stay_unknown_in_every_mix() -> None:
    targets = torch.tensor([[1.0, float("nan")], [0.0, 1.0]])
    mixed = mix(targets, torch.tensor([1, 0]), torch.tensor([0.7, 1.0]))
    assert mixed[:, 0].tolist() == pytest.approx([0.7, 0.0])
    assert mixed[:, 1].isnan().all()


# Masks


def test_masks_are_the_clips_mean_and_no_longer_than_asked() -> None:
    x = torch.randn(500, 1, 64, 130, generator=seeded())
    config = replace(OFF, time_masks=1, time_mask_seconds=0.2, frequency_masks=1, frequency_mask_bands=6)
    masked = spec_augment(x, config, MEL, seeded())
    mean = x.mean(dim=(1, 2, 3), keepdim=True).expand(x.shape)
    blank = masked != x
    assert torch.equal(masked[blank], mean[blank])
    frames = blank[:, 0].all(dim=1).sum(dim=1)
    bands = blank[:, 0].all(dim=2).sum(dim=1)
    assert set(frames.tolist()) == set(range(round(0.2 * RATE / 512) + 1))
    assert set(bands.tolist()) == set(range(7))
    assert blank[:, 0].all(dim=1).any(dim=0).all()  # every frame and every band is masked in some clip
    assert blank[:, 0].all(dim=2).any(dim=0).all()


def test_several_masks_may_lie_apart_and_at_least_half_of_a_short_crop_is_left_by_each() -> None:
    x = torch.randn(300, 1, 64, 8)
    masked = spec_augment(x, replace(OFF, time_masks=1, time_mask_seconds=9.0), MEL, seeded())
    assert int((masked != x)[:, 0, 0].sum(dim=1).max()) == 4
    two = spec_augment(
        torch.randn(300, 1, 64, 100), replace(OFF, time_masks=2, time_mask_seconds=0.2), MEL, seeded()
    )
    edges = (two[:, 0, 0].diff() == 0).diff().sum(dim=1)
    assert int(edges.max()) >= 3


@pytest.mark.parametrize("config", [MFCC(n_mels=64), Waveform()], ids=str)
def test_rows_that_are_no_frequencies_are_not_masked(config: FeatureConfig) -> None:
    features = Features(config, RATE)
    x = features(noise())
    assert torch.equal(spec_augment(x, replace(OFF, frequency_masks=2), features, seeded()), x)


def test_stretches_of_a_waveform_are_masked_by_its_seconds() -> None:
    features = Features(Waveform(), RATE)
    waves = features(noise())
    masked = spec_augment(waves, replace(OFF, time_masks=1, time_mask_seconds=0.2), features, seeded())
    assert 0.1 * RATE < int((masked != waves).sum(dim=-1).max()) <= 0.2 * RATE


# Waveforms


def test_noise_comes_at_the_ratio_asked_for() -> None:
    waves = torch.cat([noise(3, 5 * RATE, 0.3), noise(3, 5 * RATE, 0.01)])
    out = augment_waveforms(waves, Augment(noise_snr_db=(20.0, 20.0)), seeded())
    ratio = 10 * torch.log10(waves.square().mean(dim=1) / (out - waves).square().mean(dim=1))
    torch.testing.assert_close(ratio, torch.full((6,), 20.0), rtol=0, atol=0.1)


def test_noise_ratios_and_gains_fill_their_ranges() -> None:
    waves = noise(2000, 500)
    added = augment_waveforms(waves, Augment(noise_snr_db=(5.0, 25.0)), seeded()) - waves
    ratio = 10 * torch.log10(waves.square().mean(dim=1) / added.square().mean(dim=1))
    assert (float(ratio.min()), float(ratio.max())) == pytest.approx((5, 25), abs=0.6)
    louder = augment_waveforms(waves, Augment(waveform_gain_db=6.0), seeded()) / waves
    gains = 20 * torch.log10(louder[:, 0])
    assert (float(gains.min()), float(gains.max())) == pytest.approx((-6, 6), abs=0.1)


def test_a_silent_clip_gets_no_noise() -> None:
    assert not augment_waveforms(torch.zeros(2, 100), Augment(noise_snr_db=(0.0, 10.0)), seeded()).any()


def test_only_settings_on_waveforms_bypass_the_cache() -> None:
    assert not Augment().on_waveforms
    assert Augment(waveform_gain_db=3).on_waveforms
    assert Augment(noise_snr_db=(10.0, 20.0)).on_waveforms


# Settings


@pytest.mark.parametrize(
    ("config", "features", "where", "found"),
    [
        (Augment(gain_db=-1), LogMel(), "augment.gain_db", "found -1, wanted"),
        (Augment(time_shift=1.5), LogMel(), "augment.time_shift", "found 1.5, wanted"),
        (Augment(mixup=-0.1), LogMel(), "augment.mixup", "found -0.1"),
        (Augment(noise_snr_db=(20.0, 10.0)), LogMel(), "augment.noise_snr_db", r"found \[20.0, 10.0\]"),
        (
            Augment(feature_noise_snr_db=(50.0, 5.0)),
            LogMel(),
            "augment.feature_noise_snr_db",
            r"found \[50.0, 5.0\]",
        ),
        (replace(OFF, feature_noise=0.5), MFCC(), "augment.feature_noise", "found 0.5, but MFCC rows"),
        (Augment(), MFCC(), "augment.band_shift", "found 3, but MFCC features have no mel bands"),
        (Augment(band_shift=0), Waveform(), "augment.frequency_masks", "found 1, but Waveform rows"),
        (
            replace(OFF, filter_db=6.0),
            MFCC(),
            "augment.filter_db",
            "found 6, but MFCC rows are no frequencies",
        ),
        (
            replace(OFF, freq_mixstyle=0.5),
            Waveform(),
            "augment.freq_mixstyle",
            "found 0.5, but a waveform",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(
    config: Augment, features: FeatureConfig, where: str, found: str
) -> None:
    with pytest.raises(UserError, match=found) as refused:
        check_augment(config, features)
    assert refused.value.where == where
    assert refused.value.remedy


def test_settings_that_fit_are_taken_and_come_from_toml() -> None:
    check_augment(Augment(noise_snr_db=(10.0, 20.0)), LogMel())
    check_augment(Augment(band_shift=0), STFT())
    check_augment(OFF, MFCC())
    loaded = msgspec.convert({"mixup": 0.2, "noise_snr_db": [10, 20]}, Augment, strict=True)
    assert loaded == Augment(mixup=0.2, noise_snr_db=(10.0, 20.0))
    with pytest.raises(msgspec.ValidationError, match="band_shift"):
        msgspec.convert({"band_shift": -1}, Augment, strict=True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("config", EVERY, ids=str)
def test_augmentation_runs_where_the_batch_is(config: FeatureConfig) -> None:
    features = Features(config, RATE).cuda()
    x, targets = features(noise().cuda()), one_hot().cuda()
    draws = torch.Generator("cuda").manual_seed(0)
    x, targets = augment_features(x, targets, Augment(), features, draws)
    assert add_noise(x, Augment(feature_noise=1.0), features, draws).is_cuda
    assert spec_augment(x, Augment(), features, draws).is_cuda
    assert targets.is_cuda
    assert augment_waveforms(noise().cuda(), Augment(noise_snr_db=(10.0, 20.0)), draws).is_cuda


# Noise in features

NOISY = replace(OFF, feature_noise=1.0, feature_noise_snr_db=(20.0, 20.0))
SCALES: list[FeatureConfig] = [STFT(n_fft=512), STFT(n_fft=512, scale="power"), STFT(n_fft=512, scale="db")]


@pytest.mark.parametrize("snr_db", [30.0, 10.0, -10.0])
def test_noise_in_features_has_the_power_asked_for(snr_db: float) -> None:
    features = Features(STFT(n_fft=512, scale="power"), RATE)
    clean = features(noise(6))
    noisy = add_noise(clean, replace(NOISY, feature_noise_snr_db=(snr_db, snr_db)), features, seeded())
    added = (noisy - clean).mean(dim=(1, 2, 3)) / clean.mean(dim=(1, 2, 3))
    torch.testing.assert_close(10 * added.log10(), torch.full((6,), -snr_db), rtol=0, atol=0.15)


@pytest.mark.parametrize("config", [MEL.config, STFT(n_fft=512, scale="db")], ids=str)
def test_noise_in_features_spreads_as_the_features_of_noise(config: FeatureConfig) -> None:
    features = Features(config, RATE)
    real = features(noise(20, 4 * RATE))
    drowned = replace(NOISY, feature_noise_snr_db=(-40.0, -40.0))
    ours = add_noise(features(noise(20, 4 * RATE)), drowned, features, seeded())
    wanted, found = (x[..., 4:-4].std(dim=3).mean(dim=(0, 1))[2:-2] for x in (real, ours))
    torch.testing.assert_close(found, wanted, rtol=0.3, atol=0)
    assert float((found / wanted).mean()) == pytest.approx(1, abs=0.2)


def test_every_noise_has_a_smooth_colour_of_its_own_within_bounds() -> None:
    clips = MEL(noise(1, 10 * RATE)).expand(200, 1, 64, -1)
    drowned = replace(NOISY, feature_noise_snr_db=(-30.0, -30.0))
    colours = add_noise(clips, drowned, MEL, seeded()).mean(dim=(1, 3))
    spread = colours.amax(dim=1) - colours.amin(dim=1)
    assert 20 < float(spread.max()) < 2 * 12 + 3
    assert (
        float(colours.diff(dim=1).abs().max()) < 24 / 15.75 + 3
    )  # the lowest bands of one bin have a low mean
    assert len({tuple(one.tolist()) for one in colours}) == 200


def test_noise_is_the_same_whatever_scale_the_features_have() -> None:
    noisy = []
    for config in SCALES:
        features = Features(config, RATE)
        x = add_noise(features(noise()), NOISY, features, seeded())
        noisy.append({"magnitude": x.square(), "power": x, "db": 10 ** (x / 10)}[config.scale])  # type: ignore[union-attr]
    torch.testing.assert_close(noisy[0], noisy[1], rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(noisy[2], noisy[1], rtol=1e-3, atol=1e-5)


def test_noise_in_features_takes_its_share_of_clips_and_leaves_digital_silence() -> None:
    waves = noise(40, 2 * RATE)
    waves[:, RATE:] = 0
    waves[7] = 0
    clean = MEL(waves)
    noisy = add_noise(clean, replace(NOISY, feature_noise=0.25), MEL, seeded())
    changed = (noisy != clean).any(dim=2)[:, 0]
    assert 9 <= int(changed.any(dim=1).sum()) <= 10  # the one that is silent throughout may be chosen
    assert not changed[7].any()
    assert not changed[:, 46:].any()
    assert torch.isfinite(add_noise(clean, NOISY, MEL, seeded())).all()


def test_noise_in_features_keeps_what_is_cut_below_the_peak() -> None:
    features = Features(LogMel(n_mels=64, top_db=30.0), RATE)
    noisy = add_noise(
        features(noise()), replace(NOISY, feature_noise_snr_db=(40.0, 60.0)), features, seeded()
    )
    depth = noisy.amax(dim=(1, 2, 3)) - noisy.amin(dim=(1, 2, 3))
    assert float(depth.max()) <= 30.001


@pytest.mark.parametrize("config", [MFCC(n_mels=64), Waveform()], ids=str)
def test_noise_is_passed_over_where_rows_are_no_frequencies(config: FeatureConfig) -> None:
    features = Features(config, RATE)
    x = features(noise())
    assert add_noise(x, NOISY, features, seeded()) is x


def test_noise_in_features_is_drawn_from_the_generator_and_spares_the_batch_given() -> None:
    x = MEL(noise())
    before = x.clone()
    first, again, other = (add_noise(x, NOISY, MEL, seeded(seed)) for seed in (0, 0, 1))
    assert torch.equal(x, before)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert add_noise(x, OFF, MEL, seeded()) is x


# Freq-MixStyle


def test_freq_mixstyle_changes_the_mean_and_deviation_of_rows_and_nothing_else() -> None:
    x = MEL(noise())
    new = freq_mixstyle(x, 1.0, seeded())

    def moments(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return values.mean(dim=3, keepdim=True), values.std(dim=3, keepdim=True, correction=0)

    (mean, spread), (new_mean, new_spread) = moments(x), moments(new)
    torch.testing.assert_close((new - new_mean) / new_spread, (x - mean) / spread, rtol=1e-3, atol=1e-3)
    for ours, theirs in ((new_mean, mean), (new_spread, spread)):
        assert (ours >= theirs.amin(dim=0) - 1e-3).all()
        assert (ours <= theirs.amax(dim=0) + 1e-3).all()
    assert (new - x).abs().amax(dim=(1, 2, 3)).gt(0.1).sum() >= 4


def test_freq_mixstyle_takes_about_its_share_of_clips_and_is_drawn_from_the_generator() -> None:
    x = torch.randn(2000, 1, 4, 5, generator=seeded(2))
    new = freq_mixstyle(x, 0.25, seeded())
    changed = (new - x).abs().amax(dim=(1, 2, 3)) > 1e-4
    assert 0.15 < changed.float().mean() < 0.27  # some weights are almost 1
    assert torch.equal(new, freq_mixstyle(x, 0.25, seeded()))
    assert freq_mixstyle(x, 0.0, seeded()) is x


def test_freq_mixstyle_leaves_waveforms_and_survives_silence() -> None:
    waveforms = noise()[:, None]
    assert freq_mixstyle(waveforms, 1.0, seeded()) is waveforms
    x = MEL(noise())
    x[::2] = MEL.floor[:, None]
    assert torch.isfinite(freq_mixstyle(x, 1.0, seeded())).all()
