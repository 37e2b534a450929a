"""Files appear whole or not at all: written to a neighbour, then renamed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from earmark.errors import UserError


@contextmanager
def replacing(path: Path, mode: str = "w", **options: Any) -> Iterator[IO[Any]]:
    """Open a file that takes the place of `path` once the block has ended well.

    Args:
        path: the file to write; its folder is made where it is missing.
        mode: "w" for text (UTF-8 unless `options` say more), "wb" for bytes.
        options: further arguments of `open`.

    Raises:
        UserError: it cannot be written (no space, no permission, a folder of that name).
    """
    if "b" not in mode:
        options.setdefault("encoding", "utf-8")
    neighbour = path.with_name(f".{path.name[-100:]}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with neighbour.open(mode, **options) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        neighbour.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        neighbour.unlink(missing_ok=True)


def cannot_write(path: Path, error: OSError) -> UserError:
    """The error of a file that could not be written, in words."""
    return UserError(
        path,
        f"cannot be written: {error.strerror or error}",
        "Free some space or choose another place.",
    )
