"""A labelling project: who is there, what is next, what was said; the one door to the labels for page and commands.

Every method is one transaction: safe in threads and between processes, and what it wrote is on disk when it returns.
"""

from __future__ import annotations

import json
import os
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import msgspec
from sqlalchemy import Connection, func, select, update
from sqlalchemy.exc import IntegrityError

from earmark.errors import UserError
from earmark.labelling import beginning, queue, schema, verdicts, votes
from earmark.labelling.agreement import AgreementReport, agreement
from earmark.labelling.questions import Question
from earmark.labelling.queue import Written
from earmark.labelling.schema import annotators, answers, clips, latest
from earmark.labelling.store import Store, locate
from earmark.labelling.tasks import (
    Annotator,
    Disagreement,
    LabelClip,
    Progress,
    Settings,
    Task,
    checked_name,
    named_in,
)
from earmark.labelling.votes import Said

__all__ = [
    "Annotator",
    "LabelClip",
    "Progress",
    "Project",
    "Settings",
    "Task",
    "Written",
    "begin",
    "find_project",
    "open_project",
]

LONGEST_TOKEN = 100


class Project:
    """Labels in a database, and the folder of their sounds.

    Args:
        store: of a project that has begun.
        root: folder that files are relative to from now on; None: as it was.
        clock: seconds since 1970.

    Raises:
        UserError: the database holds no project, or the folder is gone.
    """

    def __init__(
        self, store: Store, root: str | Path | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.store, self.clock = store, clock
        if not store.exists():
            raise UserError(store.where, "there are no labels here", "Begin: earmark label FOLDER --ask A,B")
        store.upgrade()
        with store.reading() as connection:
            rows = connection.execute(select(schema.facts)).all()
            facts: dict[str, str] = {row.key: row.value for row in rows}
        self.question = msgspec.json.decode(facts["question"], type=Question)
        self.settings = msgspec.json.decode(facts["settings"], type=Settings)
        self.id, self.source = (str(json.loads(facts[key])) for key in ("id", "source"))
        self.root = self._root(root, str(json.loads(facts["root"])))

    @property
    def name(self) -> str:
        """The folder's or the table's name, for a title."""
        return self.source

    # -- people ---------------------------------------------------------------------------------------------

    def enter(self, name: str) -> Annotator:
        """The annotator of a name, whom nobody else is; case makes no difference.

        Raises:
            UserError: a name without visible characters, or with more than `LONGEST_NAME`.
        """
        name = checked_name(name)
        key = name.casefold()
        known = select(annotators.c.id, annotators.c.name).where(annotators.c.key == key)
        with self.store.reading() as connection:
            found = connection.execute(known).first()
        if found is None:
            with self.store.writing() as connection:
                found = connection.execute(known).first()
                if found is None:
                    row = {"name": name, "key": key, "entered": self.clock()}
                    connection.execute(annotators.insert().values(row))
                    found = connection.execute(known).first()
        assert found is not None
        return Annotator(found.id, found.name)

    # -- the queue ------------------------------------------------------------------------------------------

    def next(self, annotator_id: int, n: int = 2) -> list[Task]:
        """The clips that an annotator has, and new ones, up to `n` together; they are leased."""
        with self.store.writing(durable=False) as connection:
            ids = queue.lease(connection, annotator_id, n, self._rules(), self.clock())
            return [Task(self._clip(connection, clip_id)) for clip_id in ids]

    def touch(self, annotator_id: int, clip_id: int) -> None:
        """Let the lease of a clip that an annotator has go on."""
        with self.store.writing(durable=False) as connection:
            queue.touch(connection, annotator_id, clip_id, self._rules(), self.clock())

    def submit(self, annotator_id: int, clip_id: int, answer: object, token: str) -> Written:
        """Write an answer down; it is on the disk when this returns.

        A second answer of one annotator takes the place of the first, which is kept in the history. A second
        call with the same token writes nothing and gives the first one's answer.

        Raises:
            UserError: no answer to the question, no such clip or annotator, or it cannot be written.
        """
        return self._write(annotator_id, clip_id, answer, token, settles=False)

    def settle(self, clip_id: int, annotator_id: int, answer: object, token: str | None = None) -> Written:
        """Write down the answer that counts for everybody; what each had said is kept."""
        return self._write(annotator_id, clip_id, answer, token or uuid.uuid4().hex, settles=True)

    def undo(self, annotator_id: int, before: int | None = None) -> Task | None:
        """Go back through one's own history.

        Args:
            annotator_id: whose.
            before: clip that is being shown: the clip that was answered before it is wanted. None, or a clip
                that was not answered yet: the clip answered last.

        Returns:
            The clip with the answer given then; changing it is a new `submit` (or `settle`). None: there is none.
        """
        with self.store.reading() as connection:
            found = queue.before(connection, annotator_id, before)
            if found is None:
                return None
            clip_id, answer, settles = found
            return Task(self._clip(connection, clip_id), answer, settles)

    def clip(self, clip_id: int) -> LabelClip:
        """A clip by its number.

        Raises:
            UserError: there is none, or its file is said to lie outside the root.
        """
        with self.store.reading() as connection:
            return self._clip(connection, clip_id)

    def progress(self, annotator_id: int) -> Progress:
        """How far this annotator is, and everybody."""
        done = (clips.c.answered >= self.settings.overlap) & clips.c.gold.is_(None)
        counting = latest.join(answers, answers.c.id == latest.c.answer_id)
        said = select(answers.c.answer, func.count()).select_from(counting).group_by(answers.c.answer)
        with self.store.reading() as connection:
            mine = connection.scalar(
                select(func.count()).select_from(latest).where(latest.c.annotator_id == annotator_id)
            )
            total = connection.scalar(select(func.count()).select_from(clips).where(clips.c.gold.is_(None)))
            everybody = connection.scalar(select(func.count()).select_from(clips).where(done))
            counts = connection.execute(said).all()
        per_class = dict.fromkeys(self.question.classes, 0)
        for answer, n in counts:
            for name in named_in(self.question, json.loads(answer)):
                per_class[name] += n
        return Progress(mine or 0, everybody or 0, total or 0, per_class)

    # -- what was said --------------------------------------------------------------------------------------

    def said(self) -> Said:
        """All that counts of what was said."""
        with self.store.reading() as connection:
            return votes.read(connection)

    def disagreements(self) -> list[Disagreement]:
        """The clips that annotators differ about and nobody has settled, the worst first."""
        with self.store.reading() as connection:
            said = votes.read(connection)
            return [
                Disagreement(
                    self._clip(connection, said.clips[row].id),
                    tuple((said.names[column], one) for column, one in sorted(said.answers[row].items())),
                    share,
                )
                for row, share in verdicts.contested(said, self.question)
            ]

    def agreement(self) -> AgreementReport:
        """How far annotators agree, and how they do on gold clips."""
        return agreement(self.said(), self.question)

    # -- the project itself ---------------------------------------------------------------------------------

    def change(self, progress: bool = False, **settings: object) -> None:
        """Change settings, from now on and for everybody: `change(overlap=2)`.

        Clips that nobody has answered are put into a new order where order, run, seed or the clip to compare with
        change. With `progress`, bars are shown while sounds are heard.

        Raises:
            UserError: no such setting, or an order that cannot be made.
        """
        before, after = asdict(self.settings), {**asdict(self.settings), **settings}
        changed = Settings(**after)
        if any(before[key] != after[key] for key in ("order", "run", "seed", "like")):
            self._arrange(changed, progress)
        with self.store.writing() as connection:
            _set_fact(connection, "settings", asdict(changed))
        self.settings = changed

    def suggestion(self, clip_id: int) -> dict[str, object] | None:
        """What the run would say of a clip: `{"answer": ..., "score": 0 to 1}`; None where there is nothing."""
        with self.store.reading() as connection:
            said = connection.scalar(select(clips.c.suggestion).where(clips.c.id == clip_id))
        return None if said is None else dict(json.loads(said))

    def _arrange(self, settings: Settings, progress: bool) -> None:
        """Put the clips that nobody has answered into a new order, behind those that somebody has."""
        from earmark.labelling import arranging

        said = self.said()
        begun = [clip.id for row, clip in enumerate(said.clips) if row in said.answers]
        rest = [c for row, c in enumerate(said.clips) if row not in said.answers and c.gold is None]
        found = arranging.arrange(rest, self.root, self.question, settings, progress)
        with self.store.writing() as connection:
            queue.rearrange(connection, begun, found)

    def close(self) -> None:
        """Let go of the database."""
        self.store.close()

    def _rules(self) -> queue.Rules:
        one = self.settings
        return queue.Rules(one.overlap, one.gold_share, one.lease_seconds, one.seed)

    def _write(self, annotator_id: int, clip_id: int, answer: object, token: str, settles: bool) -> Written:
        if not 1 <= len(token) <= LONGEST_TOKEN or not token.isascii() or not token.isprintable():
            raise UserError("token", f"wanted 1 to {LONGEST_TOKEN} plain characters, found {token[:20]!r}")
        with self.store.reading() as connection:
            seconds = self._clip(connection, clip_id).seconds
        checked = self.question.check(answer, seconds)
        with self.store.writing() as connection:
            if connection.scalar(select(annotators.c.id).where(annotators.c.id == annotator_id)) is None:
                raise UserError("annotator", f"there is none of number {annotator_id}", "Enter a name again.")
            place = clip_id, annotator_id
            return queue.hand_in(connection, place, checked, token, self.clock(), settles)

    def _clip(self, connection: Connection, clip_id: int) -> LabelClip:
        known = clips.c.id, clips.c.file, clips.c.start, clips.c.end, clips.c.seconds
        row = connection.execute(select(*known).where(clips.c.id == clip_id)).first()
        if row is None:
            raise UserError("clip", f"there is none of number {clip_id}", "Load the page again.")
        if not beginning.is_inside(self.root, row.file):
            raise UserError("clip", f"file {row.file!r} lies outside {self.root}", "Correct its name.")
        return LabelClip(row.id, row.file, row.start, row.end, row.seconds, self.root / row.file)

    def _root(self, given: str | Path | None, known: str) -> Path:
        """The folder of the sounds: as given (and remembered), else as it was, seen from the database."""
        base = self.store.folder or Path("/")
        if given is None:
            return Path(os.path.normpath(base / known))
        root = Path(os.path.abspath(given))
        if not root.is_dir():
            raise UserError(f"--root {given}", "there is no such folder", "Check the path.")
        self._check_holds(root)
        with self.store.writing() as connection:
            _set_fact(connection, "root", root_seen_from(self.store, root))
        return root

    def _check_holds(self, root: Path) -> None:
        """Refuse a folder that has none of the files."""
        with self.store.reading() as connection:
            files = list(connection.scalars(select(clips.c.file).distinct().order_by(clips.c.file)))
        if not any((root / file).exists() for file in files):
            raise UserError(
                f"--root {root}",
                f"none of the {len(files)} files of the project is in it, such as {files[0]!r}",
                "Name the folder that the files are relative to.",
            )


def begin(
    source: str | Path,
    question: Question,
    settings: Settings | None = None,
    db: str | None = None,
    clip_seconds: float | None = None,
    root: str | Path | None = None,
    progress: bool = False,
) -> Project:
    """Begin a project of a folder of sound or of a clip table.

    Args:
        source: either; a table's own columns are carried along.
        question: what is asked of every clip.
        settings: how it is labelled.
        db: database; None: `labels.sqlite` in the folder, or beside the table.
        clip_seconds: length to cut recordings to; None: whole, or as the table has them.
        root: folder that a table's files are relative to; None: as imported.
        progress: show a bar while files are opened.

    Raises:
        UserError: no sound, a project there already, or a database that cannot be written.
    """
    source, settings = Path(source), settings or Settings()
    store = Store(locate(source if db is None else db))
    if store.exists():
        raise UserError(
            store.where, "labelling has begun here already", "Go on with it, or name another --db."
        )
    found = beginning.find_clips(source, None if root is None else Path(root), clip_seconds, progress)
    facts: dict[str, object] = {
        "question": asdict(question),
        "settings": asdict(settings),
        "root": root_seen_from(store, found.table.root),
        "source": source.resolve().name,
        "id": uuid.uuid4().hex,
    }
    try:
        with store.writing() as connection:
            beginning.write(connection, found, facts, settings.seed)
    except IntegrityError as error:  # pragma: no cover  # somebody else began in the same moment
        raise UserError(store.where, "labelling has just begun here", "Go on with it.") from error
    project = Project(store)
    if settings.order != "random" or settings.run is not None:
        try:
            project._arrange(settings, progress)
        except BaseException:
            store.clear()
            raise
    return project


def find_project(source: str | Path, db: str | None = None) -> Project | None:
    """The project that has begun for a folder, a table or in a database; None where none has."""
    store = Store(locate(source if db is None else db))
    if store.exists():
        return Project(store)
    store.close()
    return None


def open_project(named: str | Path, root: str | Path | None = None) -> Project:
    """Open a project.

    Args:
        named: its folder, its table, its SQLite file, or the address of its database.
        root: folder that files are relative to from now on; None: as it was.

    Raises:
        UserError: there is none, or no file of it is under `root`.
    """
    if not re.match(r"\w[\w+]*://", str(named)) and not Path(named).exists():
        raise UserError(str(named), "there is no such file or folder", "Check the path.")
    return Project(Store(locate(named)), root)


def root_seen_from(store: Store, root: Path) -> str:
    """A root as the database keeps it: relative to its own folder where it lies in it, so that both can move."""
    root, folder = Path(os.path.abspath(root)), store.folder
    if folder is not None and root.is_relative_to(folder):
        return root.relative_to(folder).as_posix()
    return str(root)


def _set_fact(connection: Connection, key: str, value: object) -> None:
    facts = schema.facts
    connection.execute(update(facts).where(facts.c.key == key).values(value=json.dumps(value)))
