"""How right trained models are when their test clips come through other microphones, rooms and noise.

    EARMARK_DATA=FOLDER python benchmarks/accuracy.py --runs runs/accuracy
    EARMARK_DATA=FOLDER python -m benchmarks.robustness --runs runs/accuracy -o robustness.csv [--only fsdd] [--seeds 1]

Takes the runs that benchmarks/accuracy.py left and trains nothing. Each test clip is disturbed in ways that training
does not copy, by draws that depend on its name alone, so that all models hear the same.
"""

from __future__ import annotations

import argparse
import csv
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import signal

from benchmarks.accuracy import CORPORA, jobs_of
from earmark import audio
from earmark.files import replacing
from earmark.run import Run

Sound = NDArray[np.float64]
Disturbance = Callable[[Sound, int, np.random.Generator], Sound]

EQUALISER_DB = 9.0
EQUALISER_HZ = (0, 100, 300, 1000, 3000, 6000)
TELEPHONE_HZ = (300, 3400)
REVERBERATION_S = 0.4


def main() -> None:
    """Hear every test clip in every way and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, default=Path("robustness.csv"))
    parser.add_argument("--runs", type=Path, default=Path("runs/accuracy"))
    parser.add_argument("--only", action="append", default=[], help="a corpus; may be given again")
    parser.add_argument("--seeds", type=int, default=1)
    args = parser.parse_args(namespace=argparse.Namespace(no_leaking=True, recipe="default", changes=[]))
    data = Path(
        os.environ.get("EARMARK_DATA") or parser.error("EARMARK_DATA must name the folder of the corpora")
    )
    torch.set_num_threads(1)
    rows = []
    for corpus in CORPORA:
        if args.only and corpus.name not in args.only:
            continue
        runs = [Run(args.runs / job.name) for job in jobs_of(corpus, data, args)]
        missing = [str(run.path) for run in runs if not run.is_trained]
        if missing:
            parser.error(f"{missing[0]} is no trained run: benchmarks/accuracy.py makes it")
        heard = [clip for run in runs for clip in right(run)]
        shares = {name: f"{100 * np.mean([clip[name] for clip in heard]):.1f}" for name in DISTURBANCES}
        rows.append({"corpus": corpus.name, "clips": len(heard) // args.seeds, "seeds": args.seeds, **shares})
        print(*rows[-1].values(), sep="  ", flush=True)
        with replacing(args.out, "w") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def right(run: Run) -> Iterator[dict[str, bool]]:
    """Of each test clip of a run, whether it is told right, by how it was disturbed."""
    model = run.model().eval()
    clips = run.clips()
    test = clips.take(clips.column("split") == "test")
    for path, file, label in zip(test.paths(), test.frame["file"], test.frame["label"], strict=True):
        sound = audio.read(path, model.spec.sample_rate).astype(np.float64)
        found = {}
        for name, disturb in DISTURBANCES.items():
            draws = np.random.default_rng(zlib.crc32(f"{name} {file}".encode()))
            changed = disturb(sound, model.spec.sample_rate, draws)
            waveform = torch.from_numpy(changed / max(1.0, np.abs(changed).max())).float()
            with torch.inference_mode():
                best = int(model.scores(waveform[None])[0].argmax())
            found[name] = model.spec.classes[best] == label
        yield found


# -- ways to disturb a sound --------------------------------------------------------------------------------


def as_recorded(sound: Sound, rate: int, draws: np.random.Generator) -> Sound:
    """Nothing."""
    return sound


def equaliser(sound: Sound, rate: int, draws: np.random.Generator) -> Sound:
    """Another microphone: a linear-phase filter, straight between gains at a few frequencies."""
    edges = [*(hz for hz in EQUALISER_HZ if hz < rate / 2), rate / 2]
    gains = 10 ** (draws.uniform(-EQUALISER_DB, EQUALISER_DB, len(edges)) / 20)
    taps = signal.firwin2(1025, edges, gains, fs=rate)
    middle: Sound = signal.fftconvolve(sound, taps)[512 : 512 + len(sound)]
    return middle


def telephone(sound: Sound, rate: int, draws: np.random.Generator) -> Sound:
    """The band of a telephone, Butterworth, 24 dB an octave."""
    high = min(TELEPHONE_HZ[1], 0.475 * rate)
    bands = signal.butter(4, (TELEPHONE_HZ[0], high), "bandpass", fs=rate, output="sos")
    passed: Sound = signal.sosfilt(bands, sound)
    return passed


def room(sound: Sound, rate: int, draws: np.random.Generator) -> Sound:
    """A lively room, from so far that direct and reflected sound are alike loud: noise that dies away by 60 dB."""
    n = round(REVERBERATION_S * rate)
    tail = draws.standard_normal(n) * 10 ** (-3 * np.arange(n) / n)
    response = tail / np.sqrt(np.square(tail).sum())
    response[0] += 1
    return np.asarray(signal.fftconvolve(sound, response)[: len(sound)])


def pink_noise(snr_db: float) -> Disturbance:
    """Steady noise of 3 dB less an octave, this far below the mean power of the clip."""

    def disturb(sound: Sound, rate: int, draws: np.random.Generator) -> Sound:
        n = len(sound)
        hz = np.maximum(np.fft.rfftfreq(n, 1 / rate), 20.0)
        noise = np.fft.irfft(np.fft.rfft(draws.standard_normal(n)) / np.sqrt(hz), n)
        power = np.square(sound).mean() / np.square(noise).mean() * 10 ** (-snr_db / 10)
        return np.asarray(sound + np.sqrt(power) * noise)

    return disturb


DISTURBANCES: dict[str, Disturbance] = {
    "as recorded": as_recorded,
    "equaliser": equaliser,
    "telephone": telephone,
    "room": room,
    "noise 20 dB below": pink_noise(20.0),
    "noise 10 dB below": pink_noise(10.0),
}


if __name__ == "__main__":
    main()
