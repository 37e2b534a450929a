"""Waveforms -> features, on one core: against librosa, and against the Fourier transforms alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import librosa
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.speed.bench import Bench
from benchmarks.speed.measuring import (
    DIFFERENCE,
    NO_GOAL,
    THE_TIME,
    Case,
    Comparison,
    Goal,
    Row,
    Side,
    measure,
    timed,
)  # fmt: skip
from benchmarks.speed.sounds import phrase
from earmark.devices import using_threads
from earmark.features import MFCC, Features, LogMel

RATE, N_FFT, HOP = 22050, 2048, 512
WINDOW = torch.hann_window(N_FFT, dtype=torch.float64)
Wave = NDArray[np.float32]


def rows(bench: Bench) -> Iterator[Row]:
    """MFCC of segments and log-mel of whole clips."""
    clip = phrase(RATE)
    segments = [clip[i * 66150 : (i + 1) * 66150] for i in range(10)] * bench.count(4)
    with using_threads(1):
        mfcc = Features(MFCC(n_mfcc=13, top_db=80.0), RATE)
        what = f"MFCC of {len(segments)} segments of 3 s"
        goals = Goal(4, 5.5), Goal(None, 1.35)
        yield from of_features(what, mfcc, segments, librosa_mfcc, "librosa.feature.mfcc", goals, bench)
        logmel = Features(LogMel(top_db=80.0), RATE)
        n = bench.count(4)
        for what, wave, goals in (
            (f"log-mel of {n} clips of 30 s", clip, (Goal(2.5, 3), NO_GOAL)),
            (f"log-mel of {n} clips of 30 s, 40 dB less noise", phrase(RATE, noise=1e-4), (NO_GOAL, NO_GOAL)),
        ):
            name = "librosa.feature.melspectrogram"
            yield from of_features(what, logmel, [wave] * n, librosa_logmel, name, goals, bench)


def of_features(
    what: str,
    features: Features,
    waves: list[Wave],
    theirs: Callable[[Wave], Wave],
    name: str,
    goals: tuple[Goal, Goal],
    bench: Bench,
) -> Iterator[Row]:
    """One kind of features, and how far the results are apart."""

    @torch.inference_mode()
    def ours(wave: Wave) -> Wave:
        found: Wave = features(torch.from_numpy(wave)[None])[0, 0].numpy()
        return found

    sides: dict[str, Side] = {
        "earmark.features": timed(lambda: [ours(wave) for wave in waves]),
        name: timed(lambda: [theirs(wave) for wave in waves]),
        "torch.fft.rfft of the frames alone": timed(lambda: [transform(wave) for wave in waves]),
        "window and rfft in double precision alone": timed(lambda: [exactly(wave) for wave in waves]),
    }
    us, librosas, alone, exact = sides
    comparisons = (
        Comparison(us, librosas, goal=goals[0]),
        Comparison(us, alone, THE_TIME, goals[1]),
        Comparison(us, exact, THE_TIME),
    )
    yield from measure(Case(what, sides, comparisons, bench.rounds), bench)
    apart = max(float(np.abs(ours(wave) - theirs(wave)).max()) for wave in waves[:10])
    row = Row(f"{what}: largest difference", us, librosas, DIFFERENCE, apart, goal=Goal(5e-4))
    yield dataclasses.replace(row, is_judged=bench.is_full)


def librosa_mfcc(wave: Wave) -> Wave:
    """13 coefficients."""
    return librosa.feature.mfcc(y=wave, sr=RATE, n_mfcc=13, n_fft=N_FFT, hop_length=HOP)


def librosa_logmel(wave: Wave) -> Wave:
    """128 bands in decibels."""
    mel = librosa.feature.melspectrogram(y=wave, sr=RATE, n_fft=N_FFT, hop_length=HOP)
    return librosa.power_to_db(mel)  # type: ignore[no-any-return]


@torch.inference_mode()
def transform(wave: Wave) -> torch.Tensor:
    """The Fourier transforms of the same frames, and nothing else."""
    padded = torch.nn.functional.pad(torch.from_numpy(wave), (N_FFT // 2, N_FFT // 2))
    spectrum: torch.Tensor = torch.fft.rfft(padded.unfold(0, N_FFT, HOP))
    return spectrum


@torch.inference_mode()
def exactly(wave: Wave) -> list[torch.Tensor]:
    """The transforms of the windowed frames as librosa makes them, in double precision, some at a time."""
    padded = torch.nn.functional.pad(torch.from_numpy(wave).double(), (N_FFT // 2, N_FFT // 2))
    frames = padded.unfold(0, N_FFT, HOP).split(256)
    return [torch.fft.rfft(some * WINDOW) for some in frames]
