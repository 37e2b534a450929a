"""How a process that is earmark's alone runs: as a guest on the machine, and to a quick end."""

from __future__ import annotations

import atexit
import gc
import os


def settle() -> None:
    """Call once, before torch is imported.

    Threads that wait sleep: those that spin starve whoever shares the machine. And as the process ends, Python does
    not look for garbage among all that the libraries made, which takes torch's half a second.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    atexit.register(gc.freeze)
