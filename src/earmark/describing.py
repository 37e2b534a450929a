"""Numbers that describe a clip's sound: about 170 statistics of MFCC, log-mel bands, spectral shape and level.

All are computed from the cached log-mel frames, so that describing clips that a network was trained on costs
little. Spectral shape is that of the mel spectrum, in Hz (Peeters, 2004, has the definitions).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

from earmark.cache import ClipFeatures, FeatureStore
from earmark.clips import ClipTable
from earmark.features import AMIN, Features, LogMel

Numbers = NDArray[np.float64]

N_MFCC = 20
N_GROUPS = 16
"""Neighbouring mel bands are taken together, to so many."""
SHAPES = ("centroid", "bandwidth", "rolloff", "flatness", "slope", "flux", "level")
"""Of each frame: Hz, Hz, Hz (85 % of the power is below), 0 to 1, dB a band, dB, dB."""


@dataclass(frozen=True, eq=False)
class Described:
    """What every clip is like."""

    names: tuple[str, ...]
    """Of the columns."""
    values: Numbers
    """`[n, D]`; rows of nan where a clip could not be used."""
    what: str
    """In words, for captions."""


def plain_features(sample_rate: int) -> LogMel:
    """Log-mel bands in frames of 46 ms, half of it apart; at 22,050 Hz those of the default recipe."""
    n_fft = 2 * max(64, round(0.02322 * sample_rate))
    return LogMel(n_fft=n_fft, hop_length=n_fft // 2, n_mels=64 if sample_rate >= 8000 else 40, f_min=30.0)


def describe_sounds(
    table: ClipTable, sample_rate: int, resampler: str = "soxr", progress: bool = False
) -> Described:
    """Statistics of every clip's sound.

    Args:
        table: the clips.
        sample_rate: that they are heard at, in Hz.
        resampler: how they are brought there.
        progress: show a bar while features are computed.
    """
    features = Features(plain_features(sample_rate), sample_rate)
    found = FeatureStore(features, resampler).collect(table, progress)
    names, frequencies = names_of_statistics(), features.frequencies()
    assert frequencies is not None
    rows = np.full((len(table), len(names)), np.nan)
    for i in np.flatnonzero(found.good()):
        rows[i] = statistics(found[i], frequencies, len(found[i]) / features.frame_rate)
    return Described(names, rows, f"{len(names)} statistics of MFCC, mel bands and spectral shape")


def describe_features(clips: ClipFeatures) -> Described:
    """Mean and standard deviation over time of features of any kind: what there is where no sound is known."""
    names = tuple(f"row_{i}_{which}" for which in ("mean", "std") for i in range(clips.n_rows))
    rows = np.full((len(clips), len(names)), np.nan)
    for i in np.flatnonzero(clips.good()):
        frames = np.asarray(clips[i], dtype=np.float64)
        rows[i] = np.concatenate([frames.mean(axis=0), frames.std(axis=0)])
    return Described(names, rows, f"mean and standard deviation of {clips.n_rows} rows of features")


def names_of_statistics() -> tuple[str, ...]:
    """Names of the columns of `statistics`."""
    mfcc = [f"mfcc_{i}_{which}" for which in ("mean", "std", "step", "slope") for i in range(N_MFCC)]
    bands = [f"band_{i}_{which}" for which in ("mean", "std") for i in range(N_GROUPS)]
    shape = [f"{name}_{which}" for which in ("mean", "std", "p10", "p50", "p90", "step") for name in SHAPES]
    time = [
        "log_seconds",
        "peak_place",
        "loud_share",
        "middle",
        "crest",
        "level_slope",
        "ripple",
        "ripple_rate",
    ]
    return (*mfcc, *bands, *shape, *time)


def statistics(decibels: NDArray[np.floating], frequencies: Numbers, seconds: float) -> Numbers:
    """The statistics of one clip.

    Args:
        decibels: log-mel frames `[N, F]`, 10 log10(power + 1e-7).
        frequencies: of the bands, `[F]` in Hz.
        seconds: that the N frames last.

    Returns:
        `[D]`, finite, as `names_of_statistics` names them.
    """
    frames = np.asarray(decibels, dtype=np.float64)
    mfcc = dct(frames, axis=1, norm="ortho")[:, :N_MFCC]
    steps = np.diff(mfcc, axis=0) if len(mfcc) > 1 else np.zeros((1, N_MFCC))
    bands = np.stack([part.mean(axis=1) for part in np.array_split(frames, N_GROUPS, axis=1)], axis=1)
    shape = shape_of_frames(frames, frequencies)
    moves = np.abs(np.diff(shape, axis=0)).mean(axis=0) if len(shape) > 1 else np.zeros(len(SHAPES))
    return np.concatenate(
        [
            mfcc.mean(axis=0),
            mfcc.std(axis=0),
            np.abs(steps).mean(axis=0),
            _slopes(mfcc),
            bands.mean(axis=0),
            bands.std(axis=0),
            shape.mean(axis=0),
            shape.std(axis=0),
            *np.quantile(shape, [0.1, 0.5, 0.9], axis=0),
            moves,
            _over_time(shape[:, SHAPES.index("level")], seconds),
        ]
    )


def shape_of_frames(decibels: Numbers, frequencies: Numbers) -> Numbers:
    """Spectral shape of each frame, `[N, len(SHAPES)]`; see `SHAPES` for the units."""
    power = np.maximum(10 ** (decibels / 10), AMIN)
    total = power.sum(axis=1, keepdims=True)
    centroid = (power @ frequencies)[:, None] / total
    bandwidth = np.sqrt((power * (frequencies - centroid) ** 2).sum(axis=1, keepdims=True) / total)
    places = (np.cumsum(power, axis=1) >= 0.85 * total).argmax(axis=1)
    flatness = 10 ** (
        (decibels.mean(axis=1, keepdims=True) - 10 * np.log10(power.mean(axis=1, keepdims=True))) / 10
    )
    ramp = np.arange(decibels.shape[1]) - (decibels.shape[1] - 1) / 2
    slope = (decibels @ ramp / (ramp @ ramp))[:, None]
    rises = np.maximum(np.diff(decibels, axis=0, prepend=decibels[:1]), 0).mean(axis=1, keepdims=True)
    level = 10 * np.log10(total)
    return np.concatenate(
        [centroid, bandwidth, frequencies[places][:, None], flatness, slope, rises, level], axis=1
    )


def _slopes(values: Numbers) -> Numbers:
    """Change a frame of each column, by least squares."""
    ramp = np.arange(len(values)) - (len(values) - 1) / 2
    return np.asarray(ramp @ values / max(float(ramp @ ramp), 1.0))


def _over_time(level: Numbers, seconds: float) -> Numbers:
    """How a clip's level in dB `[N]` goes.

    Log of its seconds; place of its peak and of its middle, in [0, 1]; share within 10 dB of the peak; peak above the
    mean in dB; dB a frame; share of the level's strongest ripple among all, and how often a second that comes.
    """
    power, n = 10 ** (level / 10), len(level)
    middle = float((power @ np.arange(n)) / power.sum() / max(n - 1, 1))
    ripple = level - level.mean()
    spectrum = np.abs(np.fft.rfft(ripple * np.hanning(n)))[1:]
    beat = int(spectrum.argmax()) if len(spectrum) else 0
    share = float(spectrum[beat] / spectrum.sum()) if len(spectrum) and spectrum.sum() > 0 else 0.0
    return np.array(
        [
            np.log(seconds),
            float(level.argmax()) / max(n - 1, 1),
            float((level > level.max() - 10).mean()),
            middle,
            float(level.max() - 10 * np.log10(power.mean())),
            float(_slopes(level[:, None])[0]),
            share,
            (beat + 1) / seconds,
        ]
    )
