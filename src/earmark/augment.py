"""What training does to sounds so that no two epochs hear the same; draws from the generator given."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from msgspec import Meta
from torch import Tensor

from earmark import settings
from earmark.errors import UserError
from earmark.features import (
    AMIN,
    LN_PER_DB,
    MFCC,
    STFT,
    FeatureConfig,
    Features,
    Framing,
    LogMel,
    Waveform,
    sounding,
)

FILTER_KNOTS = 5
NOISE_COLOUR_DB = 12.0
"""How far the noise of one row is above or below an even spectrum at most."""
MIXSTYLE_BETA = 0.3
MIXSTYLE_LEAST = 1e-3
"""A row's deviation below which it counts as even, and is not stretched to another's: its last bits are no sound."""


@dataclass(frozen=True, kw_only=True)
class Augment:
    """What is done to a training batch. 0 or absent switches a thing off."""

    gain_db: Annotated[float, Meta(ge=0)] = 10.0
    """Level: each clip's features become those of the clip made louder or softer, up to this many dB."""
    filter_db: Annotated[float, Meta(ge=0)] = 0.0
    """Colour: each clip's STFT or log-mel goes through a smooth filter of its own, up to this many dB either way."""
    time_shift: Annotated[float, Meta(ge=0, le=1)] = 0.1
    """Each crop is rolled forward or backward, up to this fraction of its length; ends join up."""
    band_shift: Annotated[int, Meta(ge=0)] = 3
    """Pitch: each log-mel is moved up or down, up to this many mel bands; the edge band fills the gap."""
    mixup: Annotated[float, Meta(ge=0)] = 0.3
    """Each clip and its targets are mixed with another's, by a weight from Beta(mixup, mixup)."""
    time_masks: Annotated[int, Meta(ge=0)] = 1
    """Number of stretches of time that are blanked out, by the clip's mean, after the normalisation."""
    time_mask_seconds: Annotated[float, Meta(ge=0)] = 0.2
    """Longest such stretch, in seconds; never more than half of a crop."""
    frequency_masks: Annotated[int, Meta(ge=0)] = 1
    """Number of bands of frequency that are blanked out in an STFT or log-mel."""
    frequency_mask_bands: Annotated[int, Meta(ge=0)] = 6
    """Widest such band, in rows (mel bands or bins); never more than half of them."""
    freq_mixstyle: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """Share of clips whose rows get a mix of their own and another clip's mean and deviation over time."""
    feature_noise: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """Share of clips that the network hears in steady noise, each of its own colour; of an STFT or log-mel."""
    feature_noise_snr_db: tuple[float, float] = (5.0, 50.0)
    """How far that noise lies below the clip, in dB (least, most)."""
    waveform_gain_db: Annotated[float, Meta(ge=0)] = 0.0
    """Level of the waveform before the features, up to this many dB louder or softer; bypasses the cache."""
    noise_snr_db: tuple[float, float] | None = None
    """White noise in the waveform, this many dB (least, most) below the clip; bypasses the cache."""

    @property
    def on_waveforms(self) -> bool:
        """Whether waveforms change, so that features cached from them will not do."""
        return self.waveform_gain_db > 0 or self.noise_snr_db is not None


def check_augment(config: Augment, features: FeatureConfig) -> None:
    """Refuses settings that cannot be, or that mean nothing for these features.

    Raises:
        UserError: a value outside its range; a shift of mel bands, a filter, noise, frequency masks or Freq-MixStyle
            where rows are none.
    """
    settings.check(config, "augment")
    for name in ("noise_snr_db", "feature_noise_snr_db"):
        bounds = getattr(config, name)
        if bounds is not None and not bounds[0] <= bounds[1]:
            problem = f"found {list(bounds)}, wanted [least, most]"
            raise UserError(f"augment.{name}", problem, "Swap the two.")
    if config.band_shift and not _has_mel_bands(features):
        problem = (
            f"found {config.band_shift}, but {type(features).__name__} features have no mel bands to shift"
        )
        raise UserError("augment.band_shift", problem, "Set band_shift = 0.")
    for name in ("frequency_masks", "filter_db", "feature_noise"):
        value = getattr(config, name)
        if value and not _has_frequencies(features):
            problem = f"found {value:g}, but {type(features).__name__} rows are no frequencies"
            raise UserError(f"augment.{name}", problem, f"Set {name} = 0.")
    if config.freq_mixstyle and isinstance(features, Waveform):
        problem = f"found {config.freq_mixstyle:g}, but a waveform has no rows to mix"
        raise UserError("augment.freq_mixstyle", problem, "Set freq_mixstyle = 0.")


def _has_mel_bands(features: FeatureConfig) -> bool:
    return isinstance(features, LogMel) and not isinstance(features, MFCC)


def _has_frequencies(features: FeatureConfig) -> bool:
    """Whether rows are frequencies, in their order."""
    return isinstance(features, STFT) or _has_mel_bands(features)


def augment_waveforms(waveforms: Tensor, config: Augment, generator: torch.Generator) -> Tensor:
    """Gain, then white noise.

    Args:
        waveforms: `[B, T]`.
        config: what to do.
        generator: on the batch's device; so below.

    Returns:
        New waveforms `[B, T]`. A silent clip gets no noise.
    """
    if config.waveform_gain_db:
        gain = _between(-config.waveform_gain_db, config.waveform_gain_db, waveforms, generator)
        waveforms = waveforms * _amplitude(gain)
    if config.noise_snr_db is not None:
        snr = _between(*config.noise_snr_db, waveforms, generator)
        level = waveforms.square().mean(dim=1, keepdim=True).sqrt() * _amplitude(-snr)
        noise = torch.randn(
            waveforms.shape, generator=generator, device=waveforms.device, dtype=waveforms.dtype
        )
        waveforms = waveforms + level * noise
    return waveforms


def augment_features(
    x: Tensor, targets: Tensor, config: Augment, features: Features, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Gain and filter, shift in time, shift of mel bands and mixup, in this order, before the normalisation.

    Args:
        x: features `[B, C, F, N]`, of waveforms `[B, 1, T]`.
        targets: `[B, n_classes]`, one-hot, soft or 0 and 1; nan (unknown) stays nan in every mix.
        config: what to do; what means nothing for these features is left out.
        features: what made x.
        generator: on the batch's device.

    Returns:
        New features and targets of the same shapes.
    """
    gain_db = _gains(x, config, features, generator)
    if gain_db is not None:
        x = change_level(x, gain_db, features)
    if config.time_shift:
        most = round(config.time_shift * x.shape[-1])
        x = roll_time(x, _integers(-most, most, x, generator))
    if config.band_shift and _has_mel_bands(features.config):
        x = shift_bands(x, _integers(-config.band_shift, config.band_shift, x, generator))
    if config.mixup:
        weight = _beta(config.mixup, x, generator)
        partner = torch.randperm(len(x), generator=generator, device=x.device)
        x, targets = mix(x, partner, weight), mix(targets, partner, weight)
    return x, targets


def _gains(x: Tensor, config: Augment, features: Features, generator: torch.Generator) -> Tensor | None:
    """Decibels that each clip is made louder by, `[B, 1]`, or each of its rows, `[B, F]`; None: by none."""
    gain_db = None
    if config.gain_db:
        gain_db = _between(-config.gain_db, config.gain_db, x, generator)
    if config.filter_db and _has_frequencies(features.config):
        curve = random_filter(config.filter_db, x, generator)
        gain_db = curve if gain_db is None else gain_db + curve
    return gain_db


def random_filter(most_db: float, x: Tensor, generator: torch.Generator) -> Tensor:
    """A gain for every row of each clip of `[B, C, F, N]`, in dB: `[B, F]`.

    Straight lines between `FILTER_KNOTS` gains, even over the rows and each uniform in +-most_db, as the linear type
    of FilterAugment (Nam et al., 2022), whose knots are at random: other microphones, rooms and instruments.
    """
    at_knots = torch.rand(len(x), 1, FILTER_KNOTS, generator=generator, device=x.device, dtype=x.dtype)
    gains = torch.nn.functional.interpolate(at_knots, x.shape[2], mode="linear", align_corners=True)
    return most_db * (2 * gains[:, 0] - 1)


def change_level(x: Tensor, gain_db: Tensor, features: Features) -> Tensor:
    """Features of the same clips gain_db louder: `[B, 1]`, or `[B, F]` for each row of an STFT or log-mel.

    Exact where features tell power: decibels above the fixed floor are `10 log10(p + 1e-7)`, so p is scaled
    and silence stays silence; with top_db the peak moves, and with it the floor. Of MFCCs only coefficient
    0, the mean of the log-mel, moves: what the floor does to quiet bands is not known any more.
    """
    gain_db = gain_db.unflatten(1, (1, -1, 1)) if x.dim() == 4 else gain_db[..., None]
    config = features.config
    if isinstance(config, Waveform) or (isinstance(config, STFT) and config.scale == "magnitude"):
        return x * _amplitude(gain_db)
    gain = torch.exp(gain_db * LN_PER_DB)
    if isinstance(config, STFT) and config.scale == "power":
        return x * gain
    if isinstance(config, MFCC):
        first = torch.arange(config.n_mfcc, device=x.device)[:, None] == 0
        return x + gain_db * math.sqrt(config.n_mels) * first
    if config.top_db is not None:
        return torch.maximum(x + gain_db, features.floor[:, None])
    power = torch.exp(x * LN_PER_DB).mul_(gain).add_(AMIN * (1 - gain))
    return power.clamp_min_(AMIN).log10_().mul_(10)


def roll_time(x: Tensor, frames: Tensor) -> Tensor:
    """Rolls each clip of `[B, ..., N]` by its own number of frames `[B]`.

    Rolled and not padded: an event near an end is not lost, and no perfect silence gives the shift away.
    """
    n = x.shape[-1]
    source = (torch.arange(n, device=x.device) - frames[:, None]) % n
    return x.gather(-1, source.view(len(x), *[1] * (x.dim() - 2), n).expand(x.shape))


def shift_bands(x: Tensor, bands: Tensor) -> Tensor:
    """Moves each clip of `[B, C, F, N]` up (or, negative, down) by its own number of rows `[B]`.

    The gap takes the outermost row there was: a band-limited recording has the floor there already, a noisy
    one its noise. The floor itself would be a hole that no recording has.
    """
    b, c, f, n = x.shape
    source = (torch.arange(f, device=x.device) - bands[:, None]).clamp(0, f - 1)
    rows = torch.arange(b * c, device=x.device)[:, None] * f + source.repeat_interleave(c, dim=0)
    return x.reshape(b * c * f, n).index_select(0, rows.flatten()).view(b, c, f, n)


def mix(values: Tensor, partner: Tensor, weight: Tensor) -> Tensor:
    """`weight * values + (1 - weight) * values[partner]`, weight and partner `[B]` (Zhang et al., 2018).

    Decibels are mixed as they are: the usual mixup of inputs, a cross-fade and not the sum of two sounds.
    """
    return torch.lerp(values[partner], values, weight.to(values.dtype).view(-1, *[1] * (values.dim() - 1)))


def add_noise(x: Tensor, config: Augment, features: Features, generator: torch.Generator) -> Tensor:
    """Puts some clips into steady noise, as of wind, traffic or a cheap microphone, without leaving the features.

    Powers add. The noise has a smooth spectrum (`random_filter`), its mean power over the rows as far below the clip's
    as was drawn; around it each number spreads as the power of noise in its band does, a chi-square by Wilson
    and Hilferty (1931), one frame knowing nothing of the next. Digital silence stays silent.

    Args:
        x: features `[B, C, F, N]`, of waveforms `[B, 1, T]`, not normalised.
        config: which share of the clips, and how loud.
        features: what made x; rows of waveforms and MFCCs are no frequencies and stay.
        generator: on the batch's device.

    Returns:
        New features of the same shape; x itself where no clip is to be changed.
    """
    count = round(config.feature_noise * len(x))
    framing = features.config
    if not count or not _has_frequencies(framing) or isinstance(framing, Waveform):
        return x
    chosen = torch.randperm(len(x), generator=generator, device=x.device)[:count]
    clean = x[chosen]
    power = _power(clean, framing)

    # As loud as was drawn, where there is sound.
    there = sounding(clean, features.floor)
    level = (power * there).sum(dim=(1, 2, 3)) / (there.sum(dim=(1, 2, 3)) * x.shape[2]).clamp_min(1)
    snr_db = _between(*config.feature_noise_snr_db, clean, generator)
    colour = torch.exp(random_filter(NOISE_COLOUR_DB, clean, generator) * LN_PER_DB)
    colour = colour / colour.mean(dim=1, keepdim=True) * level[:, None] * torch.exp(-snr_db * LN_PER_DB)

    # From frame to frame by chance.
    n = _bins(framing, features.sample_rate, x.device)[:, None]
    normal = torch.randn(clean.shape, generator=generator, device=x.device, dtype=x.dtype)
    spread = (normal / (3 * n.sqrt()) + (1 - 1 / (9 * n))).clamp_min_(0) ** 3
    noisy = _from_power(power + colour[:, None, :, None] * spread, framing)
    return x.index_copy(0, chosen, torch.where(there, noisy, clean))


def _power(x: Tensor, config: Framing) -> Tensor:
    """Power of an STFT or log-mel `[B, C, F, N]`, with what was added to it before the logarithm."""
    if isinstance(config, STFT) and config.scale != "db":
        return x if config.scale == "power" else x.square()
    return torch.exp(x * LN_PER_DB)


def _from_power(power: Tensor, config: Framing) -> Tensor:
    """The STFT or log-mel `[B, C, F, N]` that has this power; with top_db cut below the peak it has now."""
    if isinstance(config, STFT) and config.scale != "db":
        return power if config.scale == "power" else power.sqrt()
    decibels = power.log10().mul_(10)
    if config.top_db is not None:
        return decibels.maximum(decibels.amax(dim=(1, 2, 3), keepdim=True) - config.top_db)
    return decibels


@functools.cache
def _bins(config: Framing, sample_rate: int, device: torch.device) -> Tensor:
    """How many bins that know nothing of each other each row is a mean of, `[F]`, 1 or more.

    Powers of noise in two bins correlate as the squared spectrum of the squared window, by how far they are apart.
    """
    if not isinstance(config, LogMel):
        return torch.ones(config.n_fft // 2 + 1, device=device)
    from scipy.linalg import matmul_toeplitz

    window = np.hanning((config.win_length or config.n_fft) + 1)[:-1]
    correlation = np.abs(np.fft.rfft(window**2, config.n_fft)) ** 2
    filters = config.filters(sample_rate)
    together = matmul_toeplitz(correlation / correlation[0], filters.T).T
    bins = filters.sum(axis=1) ** 2 / np.maximum((filters * together).sum(axis=1), 1e-30)
    return torch.from_numpy(bins.clip(min=1)).to(device, torch.float32)


def freq_mixstyle(x: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Gives some clips another colour: each row's mean and deviation over time are mixed with another clip's.

    MixStyle (Zhou et al., 2021) by frequency, as Schmid et al. (2022) have it against foreign microphones.

    Args:
        x: normalised features `[B, C, F, N]`; waveforms `[B, 1, T]` stay as they are.
        share: of clips, in [0, 1]; weights are from Beta(0.3, 0.3).
        generator: on the batch's device.
    """
    if not share or x.dim() < 4:
        return x
    mean, spread = x.mean(dim=3, keepdim=True), x.std(dim=3, keepdim=True, correction=0)
    partner = torch.randperm(len(x), generator=generator, device=x.device)
    weight = _beta(MIXSTYLE_BETA, x, generator)
    chosen = torch.rand(len(x), generator=generator, device=x.device) < share
    weight = torch.where(chosen, weight, 1.0)
    new_mean, new_spread = (mix(values, partner, weight) for values in (mean, spread))
    return (x - mean) * (new_spread / spread.clamp_min(MIXSTYLE_LEAST)) + new_mean


def spec_augment(x: Tensor, config: Augment, features: Features, generator: torch.Generator) -> Tensor:
    """Blanks stretches of time and bands of frequency by each clip's mean (Park et al., 2019).

    Args:
        x: normalised features `[B, C, F, N]`, of waveforms `[B, 1, T]`.
        config: how many, how long and how wide at most.
        features: what made x; rows of waveforms and MFCCs are no frequencies and stay.
        generator: on the batch's device.

    Returns:
        New features of the same shape; x itself where nothing is to be blanked.
    """
    blanks: list[Tensor] = []
    longest = min(round(config.time_mask_seconds * features.frame_rate), x.shape[-1] // 2)
    if config.time_masks and longest:
        spans = _spans(config.time_masks, longest, x.shape[-1], x, generator)
        blanks.append(spans.view(len(x), *[1] * (x.dim() - 2), -1))
    widest = min(config.frequency_mask_bands, x.shape[-2] // 2)
    if config.frequency_masks and widest and _has_frequencies(features.config):
        blanks.append(_spans(config.frequency_masks, widest, x.shape[-2], x, generator)[:, None, :, None])
    if not blanks:
        return x
    blank = functools.reduce(torch.logical_or, blanks)
    return torch.where(blank, x.mean(dim=tuple(range(1, x.dim())), keepdim=True), x)


def _spans(count: int, longest: int, n: int, x: Tensor, generator: torch.Generator) -> Tensor:
    """Union of count spans per clip, each 0 to longest of n long: bool `[B, n]`."""
    length, place = torch.rand(2, len(x), count, 1, generator=generator, device=x.device)
    length = (length * (longest + 1)).floor()
    start = (place * (n - length + 1)).floor()
    position = torch.arange(n, device=x.device)
    spans: Tensor = (position >= start) & (position < start + length)
    return spans.any(dim=1)


def _between(low: float, high: float, x: Tensor, generator: torch.Generator) -> Tensor:
    """A uniform number for each clip of x: `[B, 1]`."""
    return low + (high - low) * torch.rand(len(x), 1, generator=generator, device=x.device, dtype=x.dtype)


def _integers(low: int, high: int, x: Tensor, generator: torch.Generator) -> Tensor:
    """A uniform integer, both ends included, for each clip of x: `[B]`."""
    return torch.randint(low, high + 1, (len(x),), generator=generator, device=x.device)


def _beta(a: float, x: Tensor, generator: torch.Generator) -> Tensor:
    """A number from Beta(a, a) for each clip of x, by two gammas: `[B]`.

    torch's own Beta takes no generator. In float64, since a small a gives gammas that float32 rounds to 0.
    """
    shape = torch.full((2, len(x)), a, dtype=torch.float64, device=x.device)
    gammas: Tensor = torch._standard_gamma(shape, generator=generator)
    return gammas[0] / gammas.sum(dim=0).clamp_min(1e-300)


def _amplitude(gain_db: Tensor) -> Tensor:
    """The factor that makes a waveform gain_db louder."""
    return torch.exp(gain_db * (LN_PER_DB / 2))
