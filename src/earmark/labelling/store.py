"""A database of labels: opened, read and written in transactions, its own words for what goes wrong.

SQLite beside the data (WAL, every commit synced to the disk), or PostgreSQL. A writer has the database to itself
until its transaction ends, on both: the answer to "who gets which clip" is one at a time.
"""

from __future__ import annotations

import os
import random
import re
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, TimeoutError

from earmark.errors import UserError
from earmark.labelling import schema

NAME = "labels.sqlite"
BUSY_SECONDS = 15.0
"""How long one waits for another writer before it is an error."""
_PAUSE_SECONDS = 0.02
_LOCK = 0x6561726D61726B
"""Key of the lock that PostgreSQL's writers take: "earmark"."""


class Unavailable(UserError):
    """The database or its disk does not do what it should; nothing was written, and trying again may help."""


class Store:
    """The database of one labelling project.

    Args:
        url: where it is; see `locate`.

    Raises:
        UserError: no driver for it, or it cannot be opened.
    """

    def __init__(self, url: URL) -> None:
        self.url = url
        self.where = _shown(url)
        self._engine = _engine(url, self.where)
        self._file: tuple[int, int] | None = None
        self._turn = threading.Lock()  # threads wait here for each other, where it costs nothing
        weakref.finalize(self, self._engine.dispose)

    @property
    def folder(self) -> Path | None:
        """The folder that the database lies in; none: it is no file."""
        return Path(self.url.database or ".").absolute().parent if _is_sqlite(self.url) else None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database."""
        self._check_there()
        with self._words(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self, durable: bool = True) -> Iterator[Connection]:
        """A transaction that has the database to itself; it is on the disk when the block has ended well.

        Args:
            durable: whether it must outlive a failure of power; leases need not. Killed programs lose neither.
        """
        self._check_there()
        with self._words(), self._turn, self._engine.connect() as connection:
            connection = connection.execution_options(writing=True, durable=durable)
            with connection.begin():
                if not _is_sqlite(self.url):
                    if not durable:
                        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
                    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                yield connection

    def exists(self) -> bool:
        """Whether a project is there.

        Raises:
            UserError: the database cannot be opened, or holds something else.
        """
        if _is_sqlite(self.url) and not os.path.lexists(str(self.url.database)):
            return False
        with self.reading() as connection:
            return schema.version_of(connection, self.where) is not None

    def upgrade(self) -> None:
        """Bring tables of an older earmark up to this one's."""
        with self.reading() as connection:
            current = schema.version_of(connection, self.where) == schema.VERSION
        if not current:
            with self.writing() as connection:
                schema.migrate(connection, self.where)

    def clear(self) -> None:
        """Take all tables away again, and the file of SQLite."""
        with self.writing() as connection:
            schema.tables.drop_all(connection)
        self.close()
        if _is_sqlite(self.url):
            for ending in ("", "-wal", "-shm"):
                Path(f"{self.url.database}{ending}").unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    def _check_there(self) -> None:
        """Refuse to write into a file that was moved or deleted while it was open, where nobody would find it."""
        if not _is_sqlite(self.url):
            return
        try:
            status = os.stat(str(self.url.database))
            now = status.st_dev, status.st_ino
        except OSError:
            now = None
        if self._file not in (None, now):
            self._engine.dispose()
        if now is None and self._file is not None:
            raise Unavailable(
                self.where,
                "the file of the labels has gone while it was open",
                "Put its folder back (or plug in its disk) and try again.",
            )
        self._file = now

    @contextmanager
    def _words(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, sqlite3.Error, TimeoutError) as error:
            raise in_words(error, self.where) from error


def locate(named: str | Path) -> URL:
    """Where the labels are, by what a person names.

    Args:
        named: a folder of sound or a table (the labels lie in or beside it as `labels.sqlite`), the SQLite file
            itself, or `sqlite:///...`, `postgresql://...`.

    Raises:
        UserError: no such kind of database.
    """
    said = str(named)
    if re.match(r"\w[\w+]*://", said):
        return _url_of(said)
    path = Path(named)
    if path.is_dir():
        path = path / NAME
    elif path.suffix.lower() in (".csv", ".tsv", ".txt"):
        path = path.parent / NAME
    return URL.create("sqlite", database=str(path))


def in_words(error: Exception, where: str) -> Unavailable:
    """What a database says, as something to act upon."""
    cause = getattr(error, "orig", None) or error
    said = str(cause).strip() or type(cause).__name__
    line = said.splitlines()[0].rpartition("FATAL:")[2].strip()
    for pattern, problem, remedy in _WORDS:
        if re.search(pattern, said, re.IGNORECASE):
            return Unavailable(where, problem.format(line), remedy)
    return Unavailable(where, f"the database says: {line}", "Nothing was written; try again.")


_WORDS = (
    (
        "database is locked|lock timeout|deadlock",
        f"another program has kept the labels locked for {BUSY_SECONDS:g} s",
        "Close what has them open (a database browser, a backup) and try again.",
    ),
    (
        "disk is full|no space left|disk full|disk I/O",
        "the disk is full or fails: {}",
        "Free some space and try again; nothing was written.",
    ),
    (
        "readonly|read-only|permission denied",
        "the labels cannot be written: {}",
        "Allow writing there, or keep the labels elsewhere by --db.",
    ),
    (
        "unable to open",
        "the labels cannot be opened or made there",
        "Check that the folder exists and may be written to, or keep the labels elsewhere by --db.",
    ),
    (
        "not a database|malformed",
        "this is no SQLite database, or it is damaged: {}",
        "Take a copy from a backup, or name another one by --db.",
    ),
    ("does not exist", "{}", "Make it first (createdb), or correct the address."),
    ("authentication|password", "{}", "Check user and password in the address."),
    (
        "connection|could not translate|timeout expired|closed the|shutting down|starting up",
        "the database server cannot be reached: {}",
        "Check that it runs and that the address is right; then try again.",
    ),
)


def _engine(url: URL, where: str) -> Engine:
    try:
        if _is_sqlite(url):
            engine = sqlalchemy.create_engine(url, connect_args={"timeout": BUSY_SECONDS}, max_overflow=64)
            event.listen(engine, "connect", _on_connect)
            event.listen(engine, "begin", _on_begin)
            return engine
        options = f"-c lock_timeout={BUSY_SECONDS:.0f}s -c synchronous_commit=on"
        arguments = {"connect_timeout": 10, "options": options}
        return sqlalchemy.create_engine(url, connect_args=arguments, pool_pre_ping=True, max_overflow=32)
    except ModuleNotFoundError as error:
        raise UserError(
            where, "PostgreSQL needs the package psycopg", "Install it: pip install 'earmark[postgres]'"
        ) from error


def _on_connect(connection: object, record: object) -> None:
    connection.isolation_level = None  # type: ignore[attr-defined]  # transactions begin where we say
    cursor = connection.cursor()  # type: ignore[attr-defined]
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _on_begin(connection: Connection) -> None:
    if not connection.get_execution_options().get("writing", False):
        connection.exec_driver_sql("BEGIN")
        return
    durable = connection.get_execution_options()["durable"]
    cursor, began = connection.connection.cursor(), time.monotonic()
    cursor.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
    cursor.execute("PRAGMA busy_timeout = 0")
    while True:
        try:
            cursor.execute("BEGIN IMMEDIATE")
            break
        except sqlite3.OperationalError as error:
            waited = time.monotonic() - began
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or waited > BUSY_SECONDS:
                raise
            # SQLite tries ever more rarely, so that of many writers one may starve: who waits longer tries oftener.
            time.sleep(random.uniform(0.5, 1.0) * _PAUSE_SECONDS / (1 + 20 * waited))
    cursor.execute(f"PRAGMA busy_timeout = {round(BUSY_SECONDS * 1000)}")
    cursor.close()


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _url_of(said: str) -> URL:
    try:
        url = make_url(said)
        backend = url.get_backend_name()
    except (ArgumentError, ValueError) as error:
        raise UserError("--db", f"found {_without_password(said)!r}, wanted an address", _EXAMPLE) from error
    if backend == "postgres":
        url, backend = url.set(drivername="postgresql"), "postgresql"
    if backend not in ("sqlite", "postgresql") or not url.database:
        raise UserError("--db", f"found {_without_password(said)!r}, wanted SQLite or PostgreSQL", _EXAMPLE)
    return url.set(drivername="postgresql+psycopg" if backend == "postgresql" else "sqlite")


_EXAMPLE = "For instance: postgresql://user@host/labels, or the path of a file."


def _without_password(said: str) -> str:
    return re.sub(r"(://[^:/@]*:)[^@]*(?=@)|([?&]password=)[^&]*", r"\1\2***", said)


def _shown(url: URL) -> str:
    """The address for messages: a path, or a URL without its password."""
    if _is_sqlite(url):
        return str(url.database)
    return _without_password(url.set(drivername="postgresql").render_as_string(hide_password=True))
