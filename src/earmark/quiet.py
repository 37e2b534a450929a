"""C libraries that decode sound: none of their notes reaches the terminal, no Ctrl-C gets lost in them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class _Quiet:
    """While anyone is inside, what C libraries print to C's `stderr` goes nowhere (mpg123 has no other way).

    Only C's pointer changes: Python's `sys.stderr` and descriptor 2, which other threads draw on, do not.
    """

    def __init__(self) -> None:
        self._stderr = _c_stderr()
        self._nowhere: int | None = None
        self._shown = self._stderr.value if self._stderr else None
        self._reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._reset)

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1 and self._stderr:
                self._nowhere = self._nowhere or _c_nowhere()
                self._stderr.value = self._nowhere or self._shown

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0 and self._stderr:
                self._stderr.value = self._shown

    def _reset(self) -> None:
        self._lock, self._inside = threading.Lock(), 0
        if self._stderr:
            self._stderr.value = self._shown


def _c_stderr() -> ctypes.c_void_p | None:
    """C's variable `stderr`, where it is one that may be set: glibc and macOS."""
    glibc = sys.platform == "linux" and "CS_GNU_LIBC_VERSION" in os.confstr_names
    name = "stderr" if glibc else "__stderrp" if sys.platform == "darwin" else ""
    try:
        return ctypes.c_void_p.in_dll(ctypes.CDLL(None), name) if name else None
    except ValueError:
        return None


def _c_nowhere() -> int | None:
    library = ctypes.CDLL(None)
    library.fopen.restype = ctypes.c_void_p
    stream: int | None = library.fopen(os.devnull.encode(), b"w")
    return stream


quiet = _Quiet()
"""`with quiet:` around every call into a decoder; cheap, and safe from many threads at once."""


@contextmanager
def unbroken() -> Iterator[None]:
    """Hold Ctrl-C back until a call into C that runs Python within has returned.

    A KeyboardInterrupt raised there would be forgotten, printed at best.
    """
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: held.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if held:
            handler(*held[0])
