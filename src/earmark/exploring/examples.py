"""A clip of each class, seen five ways and heard: the one that lies nearest to the middle of its class."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from earmark import audio, charts
from earmark.canvas import Format
from earmark.describing import Described
from earmark.exploring.corpus import Corpus
from earmark.exploring.measuring import Listening
from earmark.exploring.memo import Memo, key_of
from earmark.features import MFCC, STFT, FeatureConfig, Features, LogMel

LONGEST_SECONDS = 10.0
"""Of a longer clip the first so many seconds are shown and played."""
MOST = 60
"""Classes of which a clip is shown; of more, the commonest."""
SOUND_RATE = 22050

_Maker = Callable[..., bytes]


@dataclass(frozen=True)
class View:
    """One way to look at a clip."""

    name: str
    """Short, for file names."""
    title: str
    settings: str
    """What it was computed with, in words."""
    png: bytes
    svg: bytes


@dataclass(frozen=True)
class Example:
    """One clip of a class."""

    label: str
    row: int
    seconds: float
    rate: int
    views: tuple[View, ...]
    mp3: bytes


def examples(
    corpus: Corpus, heard: Listening, described: Described, memo: Memo, progress: bool = False
) -> Iterator[Example]:
    """A clip of each class, the commonest class first; without classes, of all clips."""
    from tqdm import tqdm

    chosen = list(choose(corpus, heard.good(), described.values))
    for label, row in tqdm(chosen, desc="pictures", unit="clip", disable=not progress, leave=False):
        found = _example(corpus, heard, memo, label, row)
        if found is not None:
            yield found


def choose(corpus: Corpus, good: NDArray[np.bool_], values: NDArray[np.float64]) -> Iterator[tuple[str, int]]:
    """Each class and the row of its most ordinary clip, the commonest class first."""
    usable = good & np.isfinite(values).all(axis=1)
    if not usable.any():
        usable = good
    members = [(name, corpus.members[:, k]) for k, name in enumerate(corpus.classes)]
    for name, rows in sorted(members or [("", good)], key=lambda one: -int((one[1] & usable).sum()))[:MOST]:
        own = np.flatnonzero(rows & usable)
        if len(own):
            yield name, int(own[_nearest_to_middle(values[own], values[usable])])


def _nearest_to_middle(own: NDArray[np.float64], every: NDArray[np.float64]) -> int:
    """Place of the clip that is nearest to the median of its class, in units of the spread of all."""
    if not own.shape[1] or not np.isfinite(own).all():
        return 0
    spread = every.std(axis=0)
    scaled = (own - np.median(own, axis=0)) / np.where(spread > 1e-12, spread, 1.0)
    return int(np.argmin((scaled**2).sum(axis=1)))


def _example(corpus: Corpus, heard: Listening, memo: Memo, label: str, row: int) -> Example | None:
    start, end = (float(corpus.table.frame[name].iloc[row]) for name in ("start", "end"))
    until = start + LONGEST_SECONDS if end != end else min(end, start + LONGEST_SECONDS)
    key = key_of("example", heard.measures[row].sound, until - start)
    kept = memo.find([f"{key}/{name}" for name in _PARTS])
    if len(kept) < len(_PARTS):
        try:
            samples, rate = _read(corpus, heard, row, start, end)
        except audio.AudioError:  # gone since it was measured
            return None
        kept = {f"{key}/{name}": data for name, data in _made(samples, rate).items()}
        memo.keep(kept)
    parts = {name: kept[f"{key}/{name}"] for name in _PARTS}
    rate = heard.measures[row].sample_rate
    views = tuple(
        View(name, title, _settings(name, rate), parts[f"{name}.png"], parts[f"{name}.svg"])
        for name, title in _VIEWS.items()
    )
    return Example(label, row, min(heard.measures[row].duration, LONGEST_SECONDS), rate, views, parts["mp3"])


def _read(
    corpus: Corpus, heard: Listening, row: int, start: float, end: float
) -> tuple[NDArray[np.float32], int]:
    """The whole clip is checked as it was when it was measured, then cut."""
    rate = heard.measures[row].sample_rate
    whole = audio.read(corpus.table.paths()[row], None, start, None if end != end else end)
    return whole[: round(LONGEST_SECONDS * rate)], rate


_VIEWS = {
    "waveform": "Waveform",
    "spectrum": "FFT magnitude spectrum",
    "stft": "STFT",
    "logmel": "Log-mel spectrogram",
    "mfcc": "MFCC",
}
_PARTS = ("mp3", *(f"{name}.{form}" for name in _VIEWS for form in ("png", "svg")))


def _made(samples: NDArray[np.float32], rate: int) -> dict[str, bytes]:
    """Every picture of a clip, and its sound."""
    wave = samples.astype(np.float64)
    pictures: dict[str, _Maker] = {
        "waveform": partial(charts.waveform_view, wave, rate),
        "spectrum": partial(charts.spectrum_view, wave, rate),
        **{name: _spectrogram(samples, rate, name) for name in ("stft", "logmel", "mfcc")},
    }
    forms: Sequence[Format] = ("png", "svg")
    found = {f"{name}.{form}": draw(format=form) for name, draw in pictures.items() for form in forms}
    return found | {"mp3": audio.encode_mp3(audio.resample(samples, rate, SOUND_RATE), SOUND_RATE)}


def _spectrogram(samples: NDArray[np.float32], rate: int, name: str) -> _Maker:
    features = Features(config_of(name, rate), rate)
    with torch.inference_mode():
        values = features(torch.from_numpy(np.array(samples))[None])[0, 0].numpy()
    title = {"stft": "STFT in dB", "logmel": "Log-mel spectrogram", "mfcc": "MFCC"}[name]
    return partial(charts.spectrogram_view, values, len(samples) / rate, features.frequencies(), title=title)


def config_of(name: str, rate: int) -> FeatureConfig:
    """Settings of the views: frames of about 46 ms, a quarter of it apart."""
    n_fft = max(128, 2 ** round(np.log2(0.0464 * rate)))
    framing = {"n_fft": n_fft, "hop_length": n_fft // 4}
    if name == "stft":
        return STFT(**framing, scale="db")
    n_mels = 64 if rate >= 8000 else 20
    return LogMel(**framing, n_mels=n_mels) if name == "logmel" else MFCC(**framing, n_mels=n_mels, n_mfcc=13)


def _settings(name: str, rate: int) -> str:
    if name in ("waveform", "spectrum"):
        return f"{rate:,} Hz" + (", Hann window over the whole" if name == "spectrum" else "")
    config = config_of(name, rate)
    assert isinstance(config, STFT | LogMel)
    frames = f"n_fft {config.n_fft}, hop {config.hop_length}, {rate:,} Hz"
    bands = f"{config.n_mels} mel bands, " if isinstance(config, LogMel) else ""
    return f"{config.n_mfcc} coefficients, {bands}{frames}" if isinstance(config, MFCC) else bands + frames
