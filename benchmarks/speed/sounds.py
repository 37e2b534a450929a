"""Sounds that the benchmark makes for itself: notes with overtones, decay and a little noise."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

PHRASE_SECONDS = 30.0
NOTE_SECONDS = 0.25


@lru_cache(maxsize=8)
def phrase(rate: int, seed: int = 0, noise: float = 0.01) -> NDArray[np.float32]:
    """30 s of music of a kind, `[T]`, at most 0.9, in noise of this deviation."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(NOTE_SECONDS * rate)) / rate
    notes = [_note(110 * 2 ** (rng.integers(36) / 12), time, rate) for _ in range(120)]
    wave = np.concatenate(notes) + noise * rng.standard_normal(120 * len(time))
    return np.asarray(0.9 * wave / np.abs(wave).max(), np.float32)


def _note(frequency: float, time: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    overtones = np.arange(1, min(12, int(0.45 * rate / frequency)) + 1)[:, None]
    decay = np.exp(-time * (2 + overtones)) / overtones
    return np.asarray((decay * np.sin(2 * np.pi * overtones * frequency * time)).sum(axis=0))


def write_sound(path: Path, seconds: float, rate: int, channels: int = 1, seed: int = 0) -> Path:
    """Write so much of the phrase, again and again, by the ending of the path; in little memory."""
    one = phrase(rate, seed)
    frames = one if channels == 1 else np.stack([one, 0.7 * np.roll(one, rate // 100)], axis=1)
    left = round(seconds * rate)
    with soundfile.SoundFile(path, "w", rate, channels) as file:
        while left > 0:
            file.write(frames[:left])
            left -= len(frames)
    return path


def write_corpus(folder: Path, n_files: int, seconds: float, rate: int) -> Path:
    """A folder of ten classes with WAV files that all differ."""
    for i in range(n_files):
        place = folder / f"class {i % 10}"
        place.mkdir(parents=True, exist_ok=True)
        soundfile.write(
            place / f"{i}.wav", np.roll(phrase(rate, i % 4), 997 * i)[: round(seconds * rate)], rate
        )
    return folder
