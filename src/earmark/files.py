"""Files appear whole or not at all: written to a neighbour, then renamed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
        with suppress(OSError):  # a folder that cannot be written to has told its reason already
            neighbour.unlink(missing_ok=True)


@contextmanager
def alone_in(folder: Path, otherwise: str) -> Iterator[None]:
    """Keep other programs that ask so from working in a folder, as long as the block lasts.

    Args:
        folder: made where it is missing; the file `.lock` in it is locked, and the lock goes when the program does.
        otherwise: what to say where another program has it.

    Raises:
        UserError: another program has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        if not _locked(lock.fileno()):
            raise UserError(folder, otherwise, "Wait for its end.")
        yield


def _locked(descriptor: int) -> bool:
    """Take the lock of an open file, where the system has such locks; it goes when the program does."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def check_place(path: Path, overwrite: bool, begins: bytes) -> None:
    """Refuse to write over what is there: anything unless asked, and even then what is not a file of this kind.

    Args:
        path: the file to write.
        overwrite: whether a file of this kind may be written over.
        begins: the first bytes of a file of this kind.

    Raises:
        UserError: something is there that must not be written over.
    """
    if not path.name:
        raise UserError(f"{str(path)!r}", "this is no name of a file", "Name the file to write.")
    if not os.path.lexists(path):
        return
    if not overwrite:
        raise UserError(path, "this exists already", "Choose another -o, or write over it by --force.")
    if path.is_dir() or not _begins(path, begins):
        raise UserError(
            path,
            "this is not a file that earmark wrote, so that --force does not touch it",
            "Choose another -o.",
        )


def check_folder(folder: Path, page: str, begins: bytes, kind: str) -> None:
    """Refuse to write into a folder that holds something else than an earlier result of this kind.

    Args:
        folder: the folder to write.
        page: name of the page that marks such a folder.
        begins: its first bytes.
        kind: what the folder should hold, in words: `an exploration`.

    Raises:
        UserError: something else is there.
    """
    if not folder.name and str(folder) != ".":
        raise UserError(f"-o {folder}", "this is no name of a folder", "Name the folder to make.")
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise UserError(folder, "this is a file, wanted a folder to write to", "Choose another -o.")
    if not os.path.lexists(folder / page) and any(folder.iterdir()):
        raise UserError(folder, f"this holds something else than {kind}", "Choose another -o.")
    check_place(folder / page, True, begins)


def _begins(path: Path, begins: bytes) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(len(begins) + 3)
    except OSError:
        return False
    return head.removeprefix(b"\xef\xbb\xbf").startswith(begins) or not head


def cannot_write(path: Path, error: OSError) -> UserError:
    """The error of a file that could not be written, in words."""
    return UserError(
        path,
        f"cannot be written: {error.strerror or error}",
        "Free some space or choose another place.",
    )
