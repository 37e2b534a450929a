"""Sound files -> mono waveforms at 22,050 Hz: whole, and excerpts from the middle of a long file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import librosa
import numpy as np
import soundfile

from benchmarks.speed.bench import Bench
from benchmarks.speed.measuring import NO_GOAL, THE_TIME, Case, Comparison, Goal, Row, Side, measure, timed
from benchmarks.speed.sounds import write_sound
from earmark import audio

RATE = 22050
GOALS = {"mp3": Goal(1.5, 1.6), "flac": Goal(1.5, 1.6), "wav": Goal(None, 2.9), "ogg": NO_GOAL}
"""Against librosa.load of whole files."""


def rows(bench: Bench) -> Iterator[Row]:
    """All formats."""
    folder, seconds = bench.empty_folder("loading"), bench.amount(30, 2)
    long = round(bench.amount(300, 4))
    for ending, goal in GOALS.items():
        whole = write_sound(folder / f"whole.{ending}", seconds, 44100, channels=2)
        what = f"{ending.upper()}, {seconds:.0f} s of stereo at 44,100 Hz, whole"
        yield from measure(case(what, whole, 0.0, None, goal, bench), bench)
        part = write_sound(folder / f"long.{ending}", long, 44100, channels=2)
        start, end = long // 2, long // 2 + min(3, long // 4)
        what = f"{ending.upper()}, {end - start:.0f} s from {start:.0f} s on in a file of {long:.0f} s"
        yield from measure(case(what, part, start, end, NO_GOAL, bench), bench)


def case(what: str, path: Path, start: float, end: float | None, goal: Goal, bench: Bench) -> Case:
    """One file, one excerpt."""
    length = None if end is None else end - start
    theirs, _ = librosa.load(path, sr=RATE, offset=start, duration=length)
    np.testing.assert_allclose(
        audio.read(path, RATE, start, end), theirs, atol=2e-2
    )  # the same piece of sound

    def plain() -> None:
        rate = soundfile.info(path).samplerate
        stop = None if end is None else round(end * rate)
        soundfile.read(path, start=round(start * rate), stop=stop, dtype="float32")

    times = 1 if end is None else bench.count(10)  # excerpts take milliseconds
    sides: dict[str, Side] = {
        "earmark.audio.read": timed(lambda: audio.read(path, RATE, start, end), times),
        "librosa.load": timed(lambda: librosa.load(path, sr=RATE, offset=start, duration=length), times),
        "soundfile.read (decoding alone)": timed(plain, times),
    }
    ours, librosas, decoding = sides
    comparisons = (Comparison(ours, librosas, goal=goal), Comparison(ours, decoding, THE_TIME))
    return Case(what, sides, comparisons, bench.rounds)
