"""What took long once is kept: bytes by a key of all that they depend on, in one SQLite file of the cache."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from earmark.cache import cache_folder
from earmark.errors import UserError

FORMAT = 1
"""Raised whenever the arithmetic or a drawing changes: what another format left is not met."""
_AT_ONCE = 500


class Memo:
    """Bytes by key; nothing in it cannot be made again.

    Args:
        folder: the cache; none: `cache.cache_folder()`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.path = (folder or cache_folder()) / "explored.db"

    def find(self, keys: Iterable[str]) -> dict[str, bytes]:
        """What is known of some keys."""
        wanted = list(dict.fromkeys(keys))
        found: dict[str, bytes] = {}
        with self._open() as file:
            for first in range(0, len(wanted), _AT_ONCE):
                some = wanted[first : first + _AT_ONCE]
                marks = ",".join("?" * len(some))
                found.update(file.execute(f"SELECT key, value FROM kept WHERE key IN ({marks})", some))
        return found

    def keep(self, items: dict[str, bytes]) -> None:
        """Remember all of these or, when broken off, none."""
        with self._open() as file, file:
            file.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?)", items.items())

    def once(self, key: str, make: Callable[[], bytes]) -> bytes:
        """What is known of a key; made now, and kept, where nothing is."""
        found = self.find([key]).get(key)
        if found is None:
            found = make()
            self.keep({key: found})
        return found

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.closing(sqlite3.connect(self.path, timeout=60)) as file:
                file.execute("PRAGMA journal_mode=WAL")
                file.execute(
                    "CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID"
                )
                yield file
        except (sqlite3.DatabaseError, OSError) as error:
            raise UserError(
                self.path,
                f"what was measured cannot be kept here: {error}",
                "Free some space or make the folder writable, or name another one by the variable EARMARK_CACHE.",
            ) from error


def key_of(*parts: object) -> str:
    """A key of everything that a result depends on; arrays by their bytes."""
    digest = hashlib.blake2b(str(FORMAT).encode(), digest_size=16)
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogateescape")
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()
