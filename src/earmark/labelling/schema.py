"""The tables of a labelling project in SQLite or PostgreSQL, and how older ones become these.

Answers are only ever added. `latest` points at the one that counts of each annotator and clip, `clips.answered`
counts the annotators who are done with a clip; both follow from the answers and are kept so that the queue is quick.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

from sqlalchemy import (
    Column,
    Connection,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    inspect,
    select,
    text,
)
from sqlalchemy.types import TypeDecorator

from earmark.errors import UserError

VERSION = 2
"""Of the tables below; kept among the facts. A change of them is a step in `MIGRATIONS`."""

tables = MetaData()


class FileName(TypeDecorator[str]):
    r"""Names of files as text, with bytes that are no UTF-8 as `\xff` and a backslash doubled."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: object) -> str | None:
        """From a name, with surrogates for such bytes."""
        if value is None:
            return None
        doubled = value.replace("\\", "\\\\").encode("utf-8", "surrogateescape")
        return doubled.decode("utf-8", "backslashreplace")

    def process_result_value(self, value: str | None, dialect: object) -> str | None:
        """Back to the name."""
        if value is None or "\\" not in value:
            return value
        parts = value.split("\\\\")
        return "\\".join(_unescaped(part) for part in parts)


def _unescaped(part: str) -> str:
    head, *rest = part.split("\\x")
    raw = head.encode("utf-8")
    for piece in rest:
        raw += bytes([int(piece[:2], 16)]) + piece[2:].encode("utf-8")
    return raw.decode("utf-8", "surrogateescape")


facts = Table("facts", tables, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))
"""What is known of the project: `version`, `id`, `question`, `settings`, `root`, `source`; JSON but for the version."""

clips = Table(
    "clips",
    tables,
    Column("id", Integer, primary_key=True),
    Column("file", FileName, nullable=False),
    Column("start", Double, nullable=False),
    Column("end", Double),  # none: the end of the file, as in the clip table
    Column("seconds", Double, nullable=False),
    Column("known", Text, nullable=False),  # the other columns of the clip table, JSON
    Column("gold", Text),  # the known answer, JSON
    Column("place", Integer, nullable=False),  # in the queue
    Column("answered", Integer, nullable=False, default=0),  # annotators who are done with it
    Column("drawn", Text, nullable=False, server_default="random"),  # how it came to its place
    Column("suggestion", Text),  # what the run would say, and how surely, JSON
    Index("clips_in_order", "answered", "place"),
)

unusable = Table(
    "unusable",
    tables,
    Column("id", Integer, primary_key=True),
    Column("file", FileName, nullable=False),
    Column("reason", Text, nullable=False),
    Column("words", Text, nullable=False),
)

annotators = Table(
    "annotators",
    tables,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("key", Text, nullable=False, unique=True),  # the name without regard to case
    Column("entered", Double, nullable=False),
)

answers = Table(
    "answers",
    tables,
    Column("id", Integer, primary_key=True),
    Column("clip_id", ForeignKey("clips.id"), nullable=False),
    Column("annotator_id", ForeignKey("annotators.id"), nullable=False),
    Column("answer", Text, nullable=False),  # JSON, without the comment
    Column("comment", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("settles", Integer, nullable=False),  # 1: it settles a disagreement
    Column("written", Double, nullable=False),  # seconds since 1970
    UniqueConstraint("annotator_id", "token"),
    Index("answers_of_a_clip", "clip_id"),
)

latest = Table(
    "latest",
    tables,
    Column("annotator_id", ForeignKey("annotators.id"), primary_key=True),
    Column("clip_id", ForeignKey("clips.id"), primary_key=True),
    Column("answer_id", ForeignKey("answers.id"), nullable=False),
    Index("latest_of_a_clip", "clip_id"),
)

leases = Table(
    "leases",
    tables,
    Column("annotator_id", ForeignKey("annotators.id"), primary_key=True),
    Column("clip_id", ForeignKey("clips.id"), primary_key=True),
    Column("given", Double, nullable=False),
    Column("expires", Double, nullable=False),
    Index("leases_of_a_clip", "clip_id"),
)


def _to_2(connection: Connection) -> None:
    """Version 1 knew of no suggestions, and had no number of its own."""
    connection.execute(text("ALTER TABLE clips ADD COLUMN drawn TEXT NOT NULL DEFAULT 'random'"))
    connection.execute(text("ALTER TABLE clips ADD COLUMN suggestion TEXT"))
    connection.execute(facts.insert().values(key="id", value=json.dumps(uuid.uuid4().hex)))


MIGRATIONS: dict[int, Callable[[Connection], None]] = {1: _to_2}
"""Version -> what makes the next one of it."""


def version_of(connection: Connection, where: str) -> int | None:
    """The version of the tables there; None where there are no tables.

    Raises:
        UserError: there are tables of something else.
    """
    found = inspect(connection).get_table_names()
    if not found:
        return None
    if "facts" not in found or "answers" not in found:
        raise UserError(where, "this database holds something else than labels", "Name another one by --db.")
    return int(connection.scalar(select(facts.c.value).where(facts.c.key == "version")) or 0)


def create(connection: Connection) -> None:
    """Make the tables, in an empty database."""
    tables.create_all(connection)
    connection.execute(facts.insert().values(key="version", value=str(VERSION)))


def migrate(connection: Connection, where: str) -> None:
    """Bring the tables to this version, all steps or none.

    Raises:
        UserError: they are of a later earmark.
    """
    version = version_of(connection, where)
    assert version is not None
    if version > VERSION:
        raise UserError(
            where,
            f"its tables are of version {version}, this earmark knows {VERSION} and earlier",
            "Open it with the earmark that wrote it, or a later one.",
        )
    for step in range(version, VERSION):
        MIGRATIONS[step](connection)
    if version < VERSION:
        connection.execute(
            text("UPDATE facts SET value = :value WHERE key = 'version'"), {"value": str(VERSION)}
        )
