"""Who is given which clip and what becomes of the answers, in SQLite and in PostgreSQL; nothing is ever lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile
import sqlalchemy
from sqlalchemy import func, select

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import annotators
from earmark.errors import UserError
from earmark.labelling import schema
from earmark.labelling.project import Project, Settings, begin, find_project, open_project
from earmark.labelling.questions import Question, question_of
from earmark.labelling.schema import answers
from earmark.labelling.store import Store, Unavailable, locate

RATE = 8000
ONE = Question("one", ("reed", "brass"))
LEVELS = Question("levels", ("sax", "voice"), ("foreground", "background", "none"))
REGIONS = Question("regions", ("call", "song"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four recordings of 10 s."""
    place = tmp_path / "recordings"
    (place / "more").mkdir(parents=True)
    for i, name in enumerate(("a.wav", "b.wav", "more/a.wav", "c d.wav")):
        noise = np.random.default_rng(i).normal(0, 0.1, 10 * RATE)
        soundfile.write(place / name, noise, RATE)
    return place


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def make(folder: Path, database: str) -> Callable[..., Project]:
    """A project of 8 clips of 5 s, with a clock that stands still."""

    def begun(question: Question = ONE, **settings: object) -> Project:
        project = begin(folder, question, Settings(**settings), database, clip_seconds=5.0)
        project.clock = Clock()
        return project

    return begun


def ids(project: Project, annotator: int, n: int = 2) -> list[int]:
    return [task.clip.id for task in project.next(annotator, n)]


def answer_all(project: Project, annotator: int, answer: dict[str, object]) -> list[int]:
    """Answer until nothing is left; the clips in their order."""
    found = []
    while tasks := project.next(annotator, 1):
        clip = tasks[0].clip.id
        project.submit(annotator, clip, answer, f"{annotator} {clip} {len(found)}")
        found.append(clip)
    return found


# ---- questions ----


@pytest.mark.parametrize(
    ("question", "given", "canonical"),
    [
        (ONE, {"label": "reed"}, {"label": "reed"}),
        (Question("tags", ("a", "b", "c")), {"tags": ["c", "a", "c"]}, {"tags": ["a", "c"]}),
        (Question("tags", ("a",)), {"tags": []}, {"tags": []}),
        (
            LEVELS,
            {"levels": {"voice": "none", "sax": "foreground"}},
            {"levels": {"sax": "foreground", "voice": "none"}},
        ),
        (Question("yes-no", ("a",)), {"answer": "unsure"}, {"answer": "unsure"}),
        (
            REGIONS,
            {
                "regions": [
                    {"start": 2, "end": 5.01, "label": "song"},
                    {"start": 0, "end": 1, "label": "call", "f_min": 5},
                ]
            },
            {
                "regions": [
                    {"start": 0.0, "end": 1.0, "f_min": 5.0, "f_max": None, "label": "call"},
                    {"start": 2.0, "end": 5.0, "f_min": None, "f_max": None, "label": "song"},
                ]
            },
        ),
        (ONE, {"skip": "cut off", "comment": " a\x00b\r\nc "}, {"skip": "cut off", "comment": "ab\nc"}),
    ],
)  # fmt: skip
def test_an_answer_comes_out_in_one_form(question: Question, given: object, canonical: object) -> None:
    assert question.check(given, seconds=5.0) == canonical


@pytest.mark.parametrize(
    ("question", "given", "words"),
    [
        (ONE, [], r"found \[\], wanted an object"),
        (ONE, {}, "found none, wanted 'label'"),
        (ONE, {"label": "Reed"}, "label 'Reed' is not one of 'reed', 'brass'. Did you mean 'reed'"),
        (ONE, {"label": "reed", "tags": []}, "found 'label', 'tags', wanted 'label'"),
        (ONE, {"label": ["reed"]}, r"label \['reed'\] is not one of"),
        (ONE, {"skip": "tired"}, "skip 'tired' is not one of 'unsure', 'silent', 'cut off', 'other'"),
        (ONE, {"label": "reed", "comment": "x" * 2001}, "has 2,001 characters, at most 2,000"),
        (ONE, {"label": "reed", "comment": 3}, "found 3, wanted text"),
        (Question("tags", ("a",)), {"tags": "a"}, "found 'a', wanted a list of at most 1"),
        (LEVELS, {"levels": {"sax": "none"}}, "no level for 'voice'"),
        (LEVELS, {"levels": {"sax": "none", "voice": "loud"}}, "voice 'loud' is not one of"),
        (LEVELS, {"levels": {"sax": "none", "voice": "none", "drum": "none"}}, "class 'drum'"),
        (REGIONS, {"regions": [{"start": 1, "end": 1, "label": "call"}]}, "must come after its start"),
        (REGIONS, {"regions": [{"start": 1, "end": 6, "label": "call"}]}, "ends at 6 s, the clip has 5 s"),
        (REGIONS, {"regions": [{"start": -1, "end": 2, "label": "call"}]}, "start -1 is not a number of seconds"),
        (REGIONS, {"regions": [{"start": float("nan"), "end": 2, "label": "call"}]}, "start nan is not"),
        (REGIONS, {"regions": [{"start": 0, "end": 2, "label": "call", "f_min": 9, "f_max": 8}]}, "f_max"),
        (REGIONS, {"regions": [{"start": 0, "end": 2, "label": "call", "x": 9}]}, "found 'x', which no region"),
        (REGIONS, {"regions": [{}] * 501}, "wanted a list of at most 500 regions"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_refused_in_words(question: Question, given: object, words: str) -> None:
    with pytest.raises(UserError, match=words):
        question.check(given, seconds=5.0)


@pytest.mark.parametrize(
    ("kind", "classes", "levels", "words"),
    [
        ("several", ("a",), (), "found kind 'several', wanted one of 'one', 'tags'"),
        ("one", ("a",), (), "found 1 classes, wanted 2 to 200"),
        ("yes-no", ("a", "b"), (), "yes or no is asked of one class, found 2"),
        ("levels", ("a",), ("x",), "found 1 levels, wanted two or more"),
        ("tags", ("a",), ("x", "y"), "levels are asked of kind 'levels', not of 'tags'"),
        ("tags", ("a", "A"), (), "class 'A' is there twice or differs only by case from 'a'"),
        ("tags", ("file",), (), "class 'file' is a word of the clip table"),
        ("tags", ("a\nb",), (), r"class 'a\\nb' cannot be a name"),
        ("tags", ("x" * 101,), (), "wanted 1 to 100 visible characters"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    kind: str, classes: tuple[str, ...], levels: tuple[str, ...], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        Question(kind, classes, levels)  # type: ignore[arg-type]


def test_the_kind_of_a_question_follows_from_what_is_asked() -> None:
    assert question_of(("a", "b")).kind == "one"
    assert question_of(("a",)).kind == "yes-no"
    assert question_of(("a", "b"), ("x", "y")).kind == "levels"


# ---- the queue ----


def test_a_folder_becomes_clips_that_can_be_found_again(make: Callable[..., Project], folder: Path) -> None:
    project = make()
    found = sorted((project.clip(i) for i in range(1, 9)), key=lambda clip: (clip.file, clip.start))
    assert [(clip.file, clip.start, clip.end) for clip in found[:2]] == [
        ("a.wav", 0.0, 5.0),
        ("a.wav", 5.0, 10.0),
    ]
    assert {clip.seconds for clip in found} == {5.0}
    assert all(clip.path.is_file() and clip.path.is_relative_to(folder) for clip in found)
    with pytest.raises(UserError, match="there is none of number 99"):
        project.clip(99)


def test_no_two_annotators_have_the_same_clip_unless_overlap_is_asked_for(
    make: Callable[..., Project],
) -> None:
    project = make()
    ada, bob = project.enter("Ada").id, project.enter("Bob").id
    first, second = ids(project, ada, 3), ids(project, bob, 3)
    assert not set(first) & set(second)
    assert ids(project, ada, 3) == first, "a reload shows the same clips in the same order"
    assert answer_all(project, ada, {"label": "reed"})[:3] == first
    assert answer_all(project, bob, {"label": "reed"}) == second, "what Bob holds was not given away"
    assert project.progress(ada).everybody == 8


def test_with_overlap_a_clip_wants_several_annotators_and_nobody_twice(make: Callable[..., Project]) -> None:
    project = make(overlap=2)
    people = [project.enter(name).id for name in ("Ada", "Bob", "Cleo")]
    heard = [answer_all(project, one, {"label": "reed"}) for one in people[:2]]
    assert [len(set(clips)) for clips in heard] == [8, 8]
    assert answer_all(project, people[2], {"label": "reed"}) == [], "two have answered each"
    project.change(overlap=3)
    assert len(answer_all(project, people[2], {"label": "reed"})) == 8


def test_a_clip_left_open_returns_to_the_queue(make: Callable[..., Project]) -> None:
    project = make(lease_seconds=60.0)
    clock = project.clock
    assert isinstance(clock, Clock)
    ada, bob = project.enter("Ada").id, project.enter("Bob").id
    left, kept = ids(project, ada)
    clock.now += 50
    project.touch(ada, kept)
    clock.now += 20
    heard = answer_all(project, bob, {"label": "brass"})
    assert left in heard
    assert kept not in heard, "its lease goes on"
    assert ids(project, ada) == [kept], "Bob has the other one"
    project.submit(ada, left, {"label": "reed"}, "late")
    assert len(project.said().answers[left - 1]) == 2, "an answer that comes late is kept all the same"


def test_a_late_touch_does_not_take_a_clip_back(make: Callable[..., Project]) -> None:
    project = make(lease_seconds=60.0)
    clock = project.clock
    assert isinstance(clock, Clock)
    ada, bob = project.enter("Ada").id, project.enter("Bob").id
    lost = ids(project, ada, 8)
    clock.now += 61
    mine = ids(project, bob, 1)
    project.touch(ada, mine[0])
    assert mine[0] in lost
    assert ids(project, bob, 1) == mine
    assert mine[0] not in ids(project, ada, 8)


def test_who_is_unsure_leaves_the_clip_to_others_but_silence_is_an_answer(
    make: Callable[..., Project],
) -> None:
    project = make()
    ada, bob = project.enter("Ada").id, project.enter("Bob").id
    unsure, silent = ids(project, ada)
    project.submit(ada, unsure, {"skip": "unsure"}, "1")
    project.submit(ada, silent, {"skip": "silent"}, "2")
    rest = answer_all(project, ada, {"label": "reed"})
    assert unsure not in rest
    assert project.progress(ada).everybody == 7
    assert ids(project, bob) == [unsure]


def test_undo_walks_back_through_ones_own_history(make: Callable[..., Project]) -> None:
    project = make()
    ada, bob = project.enter("Ada").id, project.enter("Bob").id
    assert project.undo(ada) is None
    a, b = ids(project, ada)
    for clip, label in ((a, "reed"), (b, "brass")):
        project.submit(ada, clip, {"label": label, "comment": "hm"}, str(clip))
    project.submit(bob, ids(project, bob, 1)[0], {"label": "reed"}, "x")
    shown = ids(project, ada, 1)[0]
    back = project.undo(ada, shown)
    assert back is not None
    assert (back.clip.id, back.answer) == (b, {"label": "brass", "comment": "hm"})
    further = project.undo(ada, b)
    assert further is not None
    assert further.clip.id == a
    assert project.undo(ada, a) is None
    assert project.submit(ada, a, {"label": "brass"}, "again").replaces
    latest = project.undo(ada)
    assert latest is not None
    assert (latest.clip.id, latest.answer) == (a, {"label": "brass"})


def test_history_is_kept_and_the_latest_counts(make: Callable[..., Project]) -> None:
    project = make()
    ada = project.enter("Ada").id
    clip = ids(project, ada, 1)[0]
    for i, label in enumerate(("reed", "brass", "reed")):
        project.submit(ada, clip, {"label": label}, str(i))
    with project.store.reading() as connection:
        rows = connection.execute(select(answers).order_by(answers.c.id)).all()
    assert [row.answer for row in rows] == ['{"label": "reed"}', '{"label": "brass"}', '{"label": "reed"}']
    assert project.progress(ada).per_class == {"reed": 1, "brass": 0}


def test_the_same_token_is_the_same_answer(make: Callable[..., Project]) -> None:
    project = make()
    ada = project.enter("Ada").id
    a, b = ids(project, ada)
    first = project.submit(ada, a, {"label": "reed"}, "t")
    again = project.submit(ada, a, {"label": "reed"}, "t")
    assert (again.id, again.repeated, first.repeated) == (first.id, True, False)
    with pytest.raises(UserError, match="'t' was that of an answer to clip"):
        project.submit(ada, b, {"label": "reed"}, "t")
    with pytest.raises(UserError, match="1 to 100 plain characters"):
        project.submit(ada, b, {"label": "reed"}, "ü")
    with pytest.raises(UserError, match="annotator: there is none of number 77"):
        project.submit(77, b, {"label": "reed"}, "u")


def test_a_name_is_one_annotator_however_it_is_typed(make: Callable[..., Project]) -> None:
    project = make()
    assert project.enter("  ADA\u00a0 L ").id == project.enter("ada l").id
    assert project.enter("A\u0308da").id == project.enter("Äda").id
    for name, words in (
        ("", "visible"),
        (" \n", "visible"),
        ("a\x00b", "visible"),
        ("x" * 10_000, "10,000 characters"),
    ):
        with pytest.raises(UserError, match=words):
            project.enter(name)


def test_gold_clips_are_mixed_in_for_everybody(make: Callable[..., Project]) -> None:
    project = make(gold_share=0.5, seed=3)
    with project.store.writing() as connection:
        connection.execute(
            schema.clips.update().where(schema.clips.c.id.in_([1, 2])).values(gold='{"label": "reed"}')
        )
    ada, bob = project.enter("Ada").id, project.enter("Bob").id
    heard = answer_all(project, ada, {"label": "reed"})
    assert set(heard[:7]) & {1, 2}, "not all of them last"
    assert len(heard) == len(set(heard)) >= 7
    assert project.progress(ada).total == 6
    answer_all(project, bob, {"label": "brass"})
    scores = {one.name: (one.right, one.asked) for one in project.agreement().gold}
    assert scores["Ada"][0] == scores["Ada"][1] > 0
    assert "Bob" not in scores or scores["Bob"][0] == 0


def test_a_settled_clip_leaves_the_disagreements_and_keeps_what_was_said(
    make: Callable[..., Project],
) -> None:
    project = make(overlap=2)
    ada, bob = project.enter("Ada").id, project.enter("Bob").id
    for one, label in ((ada, "reed"), (bob, "brass")):
        project.submit(one, 3, {"label": label}, "x")
        project.submit(one, 4, {"label": "reed"}, "y")
    (found,) = project.disagreements()
    assert (found.clip.id, found.share) == (3, 0.5)
    assert found.answers == (("Ada", {"label": "reed"}), ("Bob", {"label": "brass"}))
    project.settle(3, bob, {"label": "reed"})
    assert project.disagreements() == []
    assert project.said().answers[2] == {0: {"label": "reed"}, 1: {"label": "brass"}}
    back = project.undo(bob)
    assert back is not None
    assert back.settle


def test_many_threads_never_share_a_clip_nor_lose_an_answer(make: Callable[..., Project]) -> None:
    project = make()
    people = [project.enter(f"person {i}").id for i in range(8)]
    gate = threading.Barrier(8)

    def work(one: int) -> list[int]:
        gate.wait()
        return answer_all(project, one, {"label": "reed"})

    with ThreadPoolExecutor(8) as pool:
        heard = [clip for clips in pool.map(work, people) for clip in clips]
    assert sorted(heard) == list(range(1, 9))
    with project.store.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(answers)) == 8


# ---- begun, opened again, moved ----


def test_a_project_is_found_again_as_it_was(
    make: Callable[..., Project], database: str, folder: Path
) -> None:
    project = make(LEVELS, overlap=3)
    ada = project.enter("Ada").id
    project.submit(ada, 1, {"levels": {"sax": "none", "voice": "none"}}, "x")
    again = find_project(folder, database)
    assert again is not None
    assert (again.question, again.settings, again.id) == (LEVELS, project.settings, project.id)
    assert again.name == "recordings"
    assert again.progress(ada).mine == 1
    with pytest.raises(UserError, match="has begun here already"):
        begin(folder, ONE, db=database)


def test_labels_lie_beside_the_data_and_move_with_it(folder: Path, tmp_path: Path) -> None:
    begin(folder, ONE).close()
    assert (folder / "labels.sqlite").is_file()
    folder.rename(tmp_path / "moved")
    project = open_project(tmp_path / "moved")
    assert project.root == tmp_path / "moved"
    assert project.clip(1).path.is_file()


def test_a_moved_folder_is_named_once(folder: Path, tmp_path: Path) -> None:
    begin(folder, ONE, db=str(tmp_path / "elsewhere.sqlite")).close()
    folder.rename(tmp_path / "moved")
    with pytest.raises(UserError, match=r"none of the 4 files of the project is in it, such as 'a\.wav'"):
        open_project(tmp_path / "elsewhere.sqlite", tmp_path)
    open_project(tmp_path / "elsewhere.sqlite", tmp_path / "moved").close()
    assert open_project(tmp_path / "elsewhere.sqlite").clip(1).path.is_file()


def test_a_table_brings_its_clips_and_columns(folder: Path, database: str) -> None:
    (folder / "clips.csv").write_text("file,start,end,group\na.wav,0,2.5,x\nb.wav,1,,y\n", encoding="utf-8")
    project = begin(folder / "clips.csv", ONE, db=database)
    said = project.said().clips
    assert [(c.file, c.start, c.end, c.seconds, c.known) for c in said] == [
        ("a.wav", 0.0, 2.5, 2.5, {"group": "x"}),
        ("b.wav", 1.0, None, 9.0, {"group": "y"}),
    ]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("../other.wav", r"'\.\./other\.wav' lies outside the folder"),
        ("/etc/passwd", "'/etc/passwd' lies outside the folder"),
        ("gone.wav", "none of its 1 clips can be used"),
    ],
)
def test_a_table_of_other_files_is_refused(folder: Path, row: str, words: str) -> None:
    (folder / "clips.csv").write_text(f"file\n{row}\n", encoding="utf-8")
    with pytest.raises(UserError, match=words):
        begin(folder / "clips.csv", ONE)
    assert not (folder / "labels.sqlite").exists(), "nothing is left behind"


def test_files_that_cannot_be_heard_are_listed_with_the_reason(folder: Path, database: str) -> None:
    (folder / "empty.wav").write_bytes(b"")
    project = begin(folder, ONE, db=database)
    with project.store.reading() as connection:
        (lost,) = connection.execute(select(schema.unusable)).all()
    assert (lost.file, lost.reason) == ("empty.wav", "empty")
    assert project.progress(0).total == 4


def test_names_that_are_no_utf_8_live_on(folder: Path, database: str) -> None:
    names = [b"\xff\\x41.wav", b"\\\xfe.wav", b"a\\\\b\n'\"<script>.wav"]
    for name in names:
        shutil.copyfile(folder / "a.wav", os.path.join(os.fsencode(folder), name))
    project = begin(folder, ONE, db=database)
    found = {os.fsencode(clip.file) for clip in project.said().clips}
    assert set(names) <= found
    assert all(project.clip(i).path.is_file() for i in range(1, 8))


# ---- older tables, other databases, trouble ----


VERSION_1 = """
CREATE TABLE facts (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE clips (id INTEGER NOT NULL PRIMARY KEY, file TEXT NOT NULL, start DOUBLE NOT NULL, "end" DOUBLE,
  seconds DOUBLE NOT NULL, known TEXT NOT NULL, gold TEXT, place INTEGER NOT NULL, answered INTEGER NOT NULL);
CREATE TABLE unusable (id INTEGER NOT NULL PRIMARY KEY, file TEXT NOT NULL, reason TEXT NOT NULL, words TEXT NOT NULL);
CREATE TABLE annotators (id INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, key TEXT NOT NULL UNIQUE,
  entered DOUBLE NOT NULL);
CREATE TABLE answers (id INTEGER NOT NULL PRIMARY KEY, clip_id INTEGER NOT NULL, annotator_id INTEGER NOT NULL,
  answer TEXT NOT NULL, comment TEXT NOT NULL, token TEXT NOT NULL, settles INTEGER NOT NULL, written DOUBLE NOT NULL,
  UNIQUE (annotator_id, token));
CREATE TABLE latest (annotator_id INTEGER NOT NULL, clip_id INTEGER NOT NULL, answer_id INTEGER NOT NULL,
  PRIMARY KEY (annotator_id, clip_id));
CREATE TABLE leases (annotator_id INTEGER NOT NULL, clip_id INTEGER NOT NULL, given DOUBLE NOT NULL,
  expires DOUBLE NOT NULL, PRIMARY KEY (annotator_id, clip_id));
INSERT INTO facts VALUES ('version', '1'), ('root', '"."'), ('source', '"old"'),
  ('question', '{"kind": "one", "classes": ["reed", "brass"], "levels": []}'), ('settings', '{"overlap": 2}');
INSERT INTO clips VALUES (1, 'a.wav', 0, 5, 5, '{}', NULL, 0, 1), (2, 'b.wav', 0, NULL, 10, '{}', NULL, 1, 0);
INSERT INTO annotators VALUES (1, 'Ada', 'ada', 1.0);
INSERT INTO answers VALUES (1, 1, 1, '{"label": "brass"}', '', 's', 0, 2.0),
  (2, 1, 1, '{"label": "reed"}', 'hm', 't', 0, 3.0);
INSERT INTO latest VALUES (1, 1, 2);
"""  # fmt: skip
"""A database as the first tables were, with two answers."""


def test_tables_of_the_first_version_become_those_of_today(folder: Path, database: str) -> None:
    engine = sqlalchemy.create_engine(locate(database))
    with engine.begin() as connection:
        for statement in filter(str.strip, VERSION_1.split(";\n")):
            kind = "DOUBLE PRECISION" if engine.dialect.name == "postgresql" else "DOUBLE"
            connection.exec_driver_sql(statement.replace("DOUBLE", kind))
    engine.dispose()
    project = open_project(database, folder)
    (answer,) = project.said().answers[0].values()
    assert answer == {"label": "reed", "comment": "hm"}
    assert project.settings.overlap == 2
    assert project.suggestion(1) is None
    assert len(project.id) == 32
    ada = project.enter("ADA").id
    assert ids(project, ada) == [2]
    if locate(database).get_backend_name() == "sqlite":
        project.submit(ada, 2, {"label": "brass"}, "u")
    assert open_project(database).id == project.id, "and stay so"
    with project.store.reading() as connection:
        assert schema.version_of(connection, "") == schema.VERSION


def test_tables_of_a_later_earmark_are_refused_and_left_alone(
    make: Callable[..., Project], database: str
) -> None:
    project = make()
    with project.store.writing() as connection:
        connection.execute(schema.facts.update().where(schema.facts.c.key == "version").values(value="99"))
    with pytest.raises(UserError, match="tables are of version 99, this earmark knows"):
        open_project(database)


def test_a_database_of_something_else_is_refused(folder: Path, database: str) -> None:
    engine = sqlalchemy.create_engine(locate(database))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE photographs (id INTEGER)")
    engine.dispose()
    for use in (lambda: begin(folder, ONE, db=database), lambda: open_project(database)):
        with pytest.raises(UserError, match="holds something else than labels"):
            use()


def test_a_file_that_is_no_database_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_bytes(b"not a database, but long enough for a header of one" * 50)
    with pytest.raises(UserError, match="no SQLite database, or it is damaged"):
        begin(folder, ONE, db=str(tmp_path / "x.sqlite"))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("mysql://me@host/labels", "wanted SQLite or PostgreSQL"),
        ("postgresql://me:secret@host", r"postgresql://me:\*\*\*@host"),
        ("postgresql://me@localhost:1/labels", "cannot be reached"),
        (
            "postgresql://me@localhost:1/labels?password=secret",
            r"password=\*\*\*: the database server cannot",
        ),
    ],
)
def test_an_address_that_leads_nowhere_is_told_without_the_password(said: str, words: str) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(UserError, match=words) as told:
        open_project(said)
    assert "secret" not in str(told.value)


def test_a_database_that_was_not_made_is_told(postgres: str, folder: Path) -> None:
    with pytest.raises(Unavailable, match=r'database "other" does not exist. Make it first \(createdb\)'):
        begin(folder, ONE, db=locate(postgres).set(database="other").render_as_string(hide_password=False))


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file or folder"):
        open_project(tmp_path / "nowhere")
    with pytest.raises(UserError, match="there are no labels here"):
        open_project(tmp_path)
    assert list(tmp_path.iterdir()) == [], "looking makes nothing"


def test_a_locked_database_is_told_and_nothing_is_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("earmark.labelling.store.BUSY_SECONDS", 0.1)
    project = begin(folder, ONE)
    ada = project.enter("Ada").id
    other = sqlite3.connect(folder / "labels.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="another program has kept the labels locked"):
        project.submit(ada, 1, {"label": "reed"}, "t")
    assert project.progress(ada).mine == 0, "reading goes on"
    other.execute("ROLLBACK")
    other.close()
    assert not project.submit(ada, 1, {"label": "reed"}, "t").repeated


def test_labels_that_become_read_only_are_told_and_can_be_read_on(folder: Path) -> None:
    """SQLite says the same where the folder or its disk has become read-only."""
    project = begin(folder, ONE)
    ada = project.enter("Ada").id
    project.submit(ada, 1, {"label": "reed"}, "first")

    def read_only(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql("PRAGMA query_only = ON")

    sqlalchemy.event.listen(project.store._engine, "begin", read_only)
    with pytest.raises(Unavailable, match=r"the labels cannot be written: .*readonly.*\n?.*--db"):
        project.submit(ada, 2, {"label": "reed"}, "second")
    assert project.progress(ada).mine == 1
    sqlalchemy.event.remove(project.store._engine, "begin", read_only)
    project.close()
    again = open_project(folder)
    assert not again.submit(ada, 2, {"label": "reed"}, "second").repeated
    assert again.progress(ada).mine == 2


def test_a_full_disk_is_told_and_nothing_is_half_written(folder: Path) -> None:
    project = begin(folder, ONE)
    ada = project.enter("Ada").id

    def full(connection: sqlalchemy.Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    sqlalchemy.event.listen(project.store._engine, "begin", full)
    said = {"label": "reed", "comment": "x" * 1900}
    with pytest.raises(Unavailable, match="the disk is full"):  # noqa: PT012
        for i in range(10_000):
            project.submit(ada, 1, said, str(i))
    sqlalchemy.event.remove(project.store._engine, "begin", full)
    project.close()
    again = open_project(folder)
    with again.store.reading() as connection:
        written = connection.scalar(select(func.count()).select_from(answers))
    assert written == i
    assert again.progress(ada).mine == 1


def test_a_folder_that_goes_away_while_labelling_is_told_and_may_come_back(
    folder: Path, tmp_path: Path
) -> None:
    project = begin(folder, ONE)
    ada = project.enter("Ada").id
    folder.rename(tmp_path / "away")
    with pytest.raises(Unavailable, match="the file of the labels has gone while it was open"):
        project.submit(ada, 1, {"label": "reed"}, "t")
    (tmp_path / "away").rename(folder)
    project.submit(ada, 1, {"label": "reed"}, "t")
    assert open_project(folder).progress(ada).mine == 1


def test_every_commit_of_sqlite_is_synced_to_the_disk(folder: Path) -> None:
    project = begin(folder, ONE)
    project.next(project.enter("Ada").id)
    with project.store.writing() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_a_store_says_whether_anything_is_there(tmp_path: Path) -> None:
    store = Store(locate(tmp_path / "clips.csv"))
    assert store.where == str(tmp_path / "labels.sqlite")
    assert not store.exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"overlap": 0}, "1 to 100"), ({"gold_share": 1.0}, "0 to 0.9"), ({"lease_seconds": 0.0}, "1 s to")],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float], words: str) -> None:
    with pytest.raises(UserError, match=words):
        Settings(**settings)  # type: ignore[arg-type]


# ---- killed in the middle ----


def test_eight_annotators_killed_in_the_middle_lose_and_double_nothing(database: str, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    found = annotators.run(tmp_path / "work", database, n_clips=200, n_annotators=8)
    assert found.kills > 0
    assert (found.lost, found.doubled, found.unanswered) == (0, 0, 0)
    assert found.acknowledged == 200
