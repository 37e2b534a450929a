"""What every comparison is handed: how much work, how often, and a folder to work in."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Bench:
    """One run of the benchmark."""

    folder: Path
    """A temporary folder: sounds, caches and models go here."""
    scale: float = 1.0
    """Share of the full work; goals are judged at 1 only."""
    rounds: int = 5
    """Times that every side of a comparison is timed; figures are medians."""
    keras: Path | None = None
    """The Python of an environment with TensorFlow; none: nothing is compared with Keras."""

    @property
    def is_full(self) -> bool:
        """Whether the work is that of the goals."""
        return self.scale >= 1

    def amount(self, full: float, least: float) -> float:
        """So much of the full work (seconds, hours), at least `least`."""
        return max(least, full * self.scale)

    def count(self, full: int, least: int = 1) -> int:
        """So many of the full number of things, at least `least`."""
        return max(least, round(full * self.scale))

    def at_most(self, rounds: int) -> int:
        """Rounds of slow work."""
        return min(self.rounds, rounds)

    def empty_folder(self, name: str) -> Path:
        """A folder of this name with nothing in it."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder


N_CORES = os.cpu_count() or 1
