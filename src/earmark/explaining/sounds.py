"""What a mask keeps of a recording, and the rest, at the recording's own rate; together they are the recording."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from earmark import audio
from earmark.errors import UserError
from earmark.explaining.asking import Heard

LONGEST = 30.0
"""Seconds of a clip that is explained as a whole."""


@dataclass(frozen=True, eq=False)
class Excerpt:
    """A clip as it was recorded, mixed down to mono."""

    file: str
    """As it was named."""
    start: float
    end: float
    """Seconds."""
    waveform: NDArray[np.float32]
    """`[T]` at `sample_rate`."""
    sample_rate: int
    """The recording's own, in Hz."""
    truth: str | None = None
    """Its true label, where it is known."""

    def at(self, rate: int, resampler: str) -> NDArray[np.float32]:
        """As a model hears it: resampled just as for prediction."""
        return audio.resample(self.waveform, self.sample_rate, rate, resampler)


def read_excerpt(
    path: Path, start: float | None, end: float | None, name: str = "", truth: str | None = None
) -> Excerpt:
    """Read a clip at the recording's own rate.

    Args:
        path: the sound file.
        start: seconds; none: the beginning.
        end: seconds; none: the end of the file.
        name: what to call the file; empty: its path.
        truth: its true label.

    Raises:
        UserError: the times are upside down, the clip is too long, silent, or cannot be read.
    """
    first = start or 0.0
    if end is not None and end <= first:
        raise UserError("--end", f"found {end:g} s, wanted a time after --start ({first:g} s)", "Check both.")
    rate = audio.probe(path).sample_rate
    waveform = audio.read(path, None, first, min(end or np.inf, first + LONGEST + 1))
    seconds = len(waveform) / rate
    if seconds > LONGEST + 0.01:
        raise UserError(
            path,
            f"the clip is longer than {LONGEST:g} s",
            "Name a shorter one by --start and --end; without them a whole recording is explained by its moments.",
        )
    return Excerpt(name or str(path), first, first + seconds, waveform, rate, truth)


@dataclass(frozen=True, eq=False)
class Parts:
    """What a mask keeps, and the rest; they sum to the recording. What the model cannot hear is in the rest."""

    kept: NDArray[np.float32]
    removed: NDArray[np.float32]
    """`[T]` at the recording's rate."""


def part(excerpt: Excerpt, heard: Heard, mask: Tensor) -> Parts:
    """Cut a clip in two by a mask `[F, N]` on the spectrum that the model's rate allows."""
    kept = heard.spectrum.keep(mask[None])[0].cpu().numpy()
    wide = audio.resample(kept, heard.spectrum.sample_rate, excerpt.sample_rate)
    whole = np.zeros_like(excerpt.waveform)
    n = min(len(whole), len(wide))  # resampling there and back may be a sample off
    whole[:n] = wide[:n]
    return Parts(whole, excerpt.waveform - whole)
