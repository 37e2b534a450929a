"""Where the arithmetic runs: the device that a person names, and the threads on a CPU."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from earmark.errors import UserError


def choose_device(name: str = "auto") -> str:
    """The device that `auto` means here (a GPU where there is one); a named one is tried.

    Raises:
        UserError: torch does not know it, or cannot use it here.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UserError(f"--device {name}", "torch has no such device here", "Try --device cpu.") from error
    return name


@contextmanager
def using_threads(number: int | None) -> Iterator[None]:
    """Run a block with so many threads; None leaves them as they are."""
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees, for its next tensors, instead of giving it back each time.

    glibc gives large blocks back as soon as they are freed, and whoever writes to new ones first waits for the system
    to clear their pages: 40 % of the time of a training with long waveforms, a quarter of that of features. Other C
    libraries are left as they are.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    m_trim_threshold, m_mmap_max = -1, -4  # malloc.h
    mallopt(m_mmap_max, 0)
    mallopt(m_trim_threshold, -1)
