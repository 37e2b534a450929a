"""A shelf of files made once: bounded, shared by programs, and kept in memory where the disk takes nothing."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from earmark.errors import UserError
from earmark.files import replacing

MOST_BYTES = 2 * 10**9
_NEW_SECONDS = 600
"""Files used so lately are not thrown away: somebody may be listening to them."""
_IN_MEMORY = 8

Parts = dict[str, bytes]


class Shelf:
    """Sets of files by key: `<key>.<part>`; the last part of a set says that it is whole.

    Args:
        folder: made where it is missing.
        parts: names of the parts, in the order in which they are written.
        most_bytes: above it, those not used for longest are thrown away.
    """

    def __init__(self, folder: Path, parts: tuple[str, ...], most_bytes: int = MOST_BYTES) -> None:
        self.folder, self.parts, self.most_bytes = folder, parts, most_bytes
        self._locks: dict[str, tuple[threading.Lock, int]] = {}
        self._guard = threading.Lock()
        self._memory: OrderedDict[str, Parts] = OrderedDict()
        self._bytes: int | None = None

    def get(self, key: str, part: str, make: Callable[[], Parts]) -> Path | bytes:
        """One part of a set, made now where it is not there; a file, or bytes where none can be written."""
        with self._alone(key):
            path = self._path(key, part)
            if path.exists() and self._path(key, self.parts[-1]).exists():
                with suppress(OSError):
                    os.utime(self._path(key, self.parts[-1]))
                return path
            if key in self._memory:
                return self._memory[key][part]
            made = make()
            try:
                self._put(key, made)
            except (UserError, OSError):
                self._remember(key, made)
                return made[part]
            return path

    def _path(self, key: str, part: str) -> Path:
        return self.folder / f"{key}.{part}"

    def _put(self, key: str, made: Parts) -> None:
        for part in self.parts:
            with replacing(self._path(key, part), "wb") as file:
                file.write(made[part])
        with self._guard:
            if self._bytes is None:
                self._bytes = sum(size for _, _, size in self._sets())
            else:
                self._bytes += sum(map(len, made.values()))
            if self._bytes > self.most_bytes:
                self._bytes = self._tidy()

    def _remember(self, key: str, made: Parts) -> None:
        with self._guard:
            self._memory[key] = made
            while len(self._memory) > _IN_MEMORY:
                self._memory.popitem(last=False)

    def _tidy(self) -> int:
        """Throw away what was not used for longest, down to four fifths; the bytes that are left."""
        found = sorted(self._sets())
        left = sum(size for _, _, size in found)
        for used, key, size in found:
            if left <= 0.8 * self.most_bytes or used > time.time() - _NEW_SECONDS:
                break
            for part in reversed(self.parts):
                with suppress(OSError):
                    self._path(key, part).unlink()
            left -= size
        return left

    def _sets(self) -> Iterator[tuple[float, str, int]]:
        """When each set was last used, its key and its bytes."""
        sizes: dict[str, int] = {}
        used: dict[str, float] = {}
        with suppress(OSError), os.scandir(self.folder) as entries:
            for entry in entries:
                key = entry.name.split(".")[0]
                with suppress(OSError):
                    stat = entry.stat()
                    sizes[key] = sizes.get(key, 0) + stat.st_size
                    used[key] = max(used.get(key, 0.0), stat.st_mtime)
        for key, size in sizes.items():
            if key:
                yield used[key], key, size

    @contextmanager
    def _alone(self, key: str) -> Iterator[None]:
        """One at a time for a key, so that nothing is made twice."""
        with self._guard:
            lock, waiting = self._locks.get(key, (threading.Lock(), 0))
            self._locks[key] = (lock, waiting + 1)
        try:
            with lock:
                yield
        finally:
            with self._guard:
                lock, waiting = self._locks[key]
                if waiting == 1:
                    del self._locks[key]
                else:
                    self._locks[key] = (lock, waiting - 1)
