"""Labels out and in: tables that train at once, formats that come back as they went, words for what does not fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from earmark.cli import main
from earmark.clips import read_clips
from earmark.errors import UserError
from earmark.labelling import exporting, importing, status
from earmark.labelling.exporting import export
from earmark.labelling.importing import import_labels
from earmark.labelling.project import Project, Settings, begin, open_project
from earmark.labelling.questions import Answer, Question
from earmark.layouts import import_folder
from earmark.recipe import read_recipe
from earmark.training import Options, train

ONE = Question("one", ("low", "high"))
TAGS = Question("tags", ("low", "high"))
LEVELS = Question("levels", ("low", "high"), ("foreground", "background", "none"))
YES_NO = Question("yes-no", ("low",))
REGIONS = Question("regions", ("low", "high"))


def truth(question: Question, file: str) -> Answer:
    """The answer about a tone of the `corpus`, whose folder says what it is."""
    name = file.split("/")[0]
    return {
        "one": {"label": name},
        "tags": {"tags": [name]},
        "levels": {"levels": {one: "background" if one == name else "none" for one in ("low", "high")}},
        "yes-no": {"answer": "yes" if name == "low" else "no"},
        "regions": {"regions": [{"start": 0.2, "end": 0.7, "f_min": 100, "f_max": None, "label": name}]},
    }[question.kind]


@pytest.fixture
def labelled(corpus: Path) -> Callable[..., Project]:
    """The tones of `corpus`, labelled by one who knows."""

    def make(question: Question, n: int = 24, **settings: object) -> Project:
        project = begin(corpus, question, Settings(**settings))  # type: ignore[arg-type]
        ada = project.enter("Ada").id
        for task in project.next(ada, n):
            project.submit(ada, task.clip.id, truth(question, task.clip.file), str(task.clip.id))
        return project

    return make


# ---- tables that train ----


@pytest.mark.parametrize("question", [ONE, TAGS, LEVELS, YES_NO], ids=lambda one: one.kind)
def test_the_exported_table_trains_at_once(
    labelled: Callable[..., Project], question: Question, tmp_path: Path, tiny_settings: tuple[str, ...]
) -> None:
    project = labelled(question)
    found = export(project, tmp_path / "clips.csv", exporting.How())
    assert (found.rows, found.unanswered, found.tied) == (24, 0, 0)
    assert found.per_class == dict.fromkeys(question.classes, 12)
    table = read_clips(tmp_path / "clips.csv")
    assert table.multi_label == (question.kind != "one")
    assert set(table.classes) == set(question.classes)
    assert set(table.frame["consensus"]) == {"majority of 1"}
    run = train(table, read_recipe("default", tiny_settings), tmp_path / "run", Options(threads=1), str)
    assert run.is_trained


def test_the_positive_levels_decide_what_a_label_is(labelled: Callable[..., Project], tmp_path: Path) -> None:
    project = labelled(LEVELS)
    assert export(project, tmp_path / "a.csv", exporting.How()).per_class == {"low": 12, "high": 12}
    how = exporting.How(positive=("foreground",))
    assert export(project, tmp_path / "b.csv", how).per_class == {"low": 0, "high": 0}


def test_regions_become_columns_of_what_is_there(labelled: Callable[..., Project], tmp_path: Path) -> None:
    export(labelled(REGIONS), tmp_path / "clips.csv", exporting.How())
    table = read_clips(tmp_path / "clips.csv")
    assert table.targets(("low", "high")).sum(axis=0).tolist() == [12, 12]


def test_ties_are_left_out_of_one_label_and_unknown_among_several(
    labelled: Callable[..., Project], tmp_path: Path
) -> None:
    for question, one, other in (
        (ONE, {"label": "low"}, {"label": "high"}),
        (TAGS, {"tags": ["low"]}, {"tags": ["low", "high"]}),
    ):
        folder = tmp_path / question.kind
        project = begin(
            tmp_path / "corpus", question, Settings(overlap=2), str(tmp_path / f"{question.kind}.sqlite")
        )
        for name, answer in (("Ada", one), ("Bob", other)):
            project.submit(project.enter(name).id, 1, answer, "x")
            project.submit(project.enter(name).id, 2, one, "y")
            project.submit(project.enter(name).id, 3, {"skip": "silent"}, "z")
        found = export(project, folder / "clips.csv", exporting.How())
        lines = (folder / "clips.csv").read_text().splitlines()
        assert (found.skipped, found.unanswered) == (1, 21)
        if question is ONE:
            assert (found.rows, found.tied) == (1, 1)
            assert lines[1].endswith(",low,majority of 2")
        else:
            assert found.rows == 2
            assert lines[1].endswith(",1,,majority of 2"), "high is unknown"
            assert lines[2].endswith(",1,0,majority of 2")


@pytest.fixture(autouse=True)
def _corpus(corpus: Path) -> None:
    """Every test has the tones."""


def test_columns_of_the_table_are_carried_along_but_not_as_classes(corpus: Path, tmp_path: Path) -> None:
    rows = ["file,group,checked,label"] + [f"low/low_{i:02}.wav,g{i},1,old" for i in range(4)]
    (corpus / "clips.csv").write_text("\n".join(rows) + "\n")
    project = begin(corpus / "clips.csv", TAGS)
    project.submit(project.enter("Ada").id, 1, {"tags": ["low"], "comment": "hum"}, "x")
    found = export(project, tmp_path / "out.csv", exporting.How())
    table = read_clips(tmp_path / "out.csv")
    assert table.classes == ("low", "high")
    assert table.frame.iloc[0][["group", "consensus", "comment"]].tolist() == ["g0", "majority of 1", "hum"]
    assert found.notes == ("note: columns 'checked', 'label' are left out: they would be taken for classes",)


def test_the_rule_stands_with_the_labels(labelled: Callable[..., Project], tmp_path: Path) -> None:
    project = labelled(ONE)
    project.settle(1, 1, {"label": "high"})
    export(project, tmp_path / "clips.csv", exporting.How(rule="dawid-skene"))
    frame = read_clips(tmp_path / "clips.csv").frame
    assert frame["consensus"].tolist() == ["settled"] + ["dawid-skene of 1"] * 23
    export(project, tmp_path / "raven", exporting.How("raven", rule="dawid-skene"))
    assert json.loads((tmp_path / "raven" / "labels.json").read_text())["consensus"] == "dawid-skene"
    export(project, tmp_path / "tasks.json", exporting.How("labelstudio"))
    assert json.loads((tmp_path / "tasks.json").read_text())[0]["data"]["consensus"] == "majority"


def test_an_export_takes_only_the_place_of_an_export(
    labelled: Callable[..., Project], tmp_path: Path
) -> None:
    project = labelled(ONE)
    for form, name in (("clips", "x.csv"), ("raven", "x"), ("audacity", "y"), ("labelstudio", "x.json")):
        out = tmp_path / name
        export(project, out, exporting.How(form))
        with pytest.raises(UserError, match="exists already|exported here already"):
            export(project, out, exporting.How(form))
        export(project, out, exporting.How(form, force=True))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "novel.txt").write_text("once")
    (tmp_path / "mine.csv").write_text("once")
    for form, name in (("raven", "mine"), ("clips", "mine.csv"), ("raven", "mine.csv")):
        with pytest.raises(UserError, match="something else|not a file that earmark wrote|wanted a folder"):
            export(project, tmp_path / name, exporting.How(form, force=True))


def test_nothing_labelled_is_nothing_to_export(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none of its 24 clips has a label yet"):
        export(begin(corpus, ONE), tmp_path / "clips.csv", exporting.How())


# ---- there and back ----


@pytest.mark.parametrize("form", ["clips", "raven", "audacity", "labelstudio"])
@pytest.mark.parametrize("question", [ONE, TAGS, LEVELS, YES_NO], ids=lambda one: one.kind)
def test_labels_come_back_as_they_went(
    labelled: Callable[..., Project], form: str, question: Question, tmp_path: Path
) -> None:
    project = labelled(question)
    out = tmp_path / ("out.csv" if form == "clips" else "out")
    export(project, out, exporting.How(form))
    levels = ("background",) if question is LEVELS else None
    told = form if form == "labelstudio" else "auto"
    found = import_labels(project, out, importing.How(told, "Bob", positive=levels))
    said = project.said()
    n_known = 12 if question is YES_NO and form != "clips" else 24
    assert (found.name, found.written) == ("Bob", n_known), "recordings without a label are in no track"
    both = [of_clip for of_clip in said.answers.values() if len(of_clip) == 2]
    assert len(both) == n_known
    assert all(of_clip[0] == of_clip[1] for of_clip in both)


@pytest.mark.parametrize("form", ["raven", "audacity"])
def test_regions_come_back_with_their_times(
    labelled: Callable[..., Project], form: str, tmp_path: Path
) -> None:
    project = labelled(REGIONS)
    export(project, tmp_path / "out", exporting.How(form))
    import_labels(project, tmp_path / "out", importing.How(form, "Bob"))
    for of_clip in project.said().answers.values():
        (ours,), (theirs,) = (of_clip[i]["regions"] for i in (0, 1))  # type: ignore[misc]
        assert (theirs["start"], theirs["end"], theirs["label"]) == (
            ours["start"],
            ours["end"],
            ours["label"],
        )
        if form == "raven":
            assert (theirs["f_min"], theirs["f_max"]) == (100.0, 11025.0), "no upper frequency is all of them"


@pytest.mark.parametrize("form", ["raven", "audacity"])
def test_exported_tables_beside_the_sounds_are_read_by_import(
    labelled: Callable[..., Project], form: str, corpus: Path
) -> None:
    project = labelled(ONE)
    project.close()
    export(project, corpus.parent / "out", exporting.How(form))
    for path in (corpus.parent / "out").rglob("*.txt"):
        path.rename(corpus / path.relative_to(corpus.parent / "out"))
    table = import_folder(corpus, form).table
    assert len(table) == 24
    assert all(row.file.startswith(row.label) for row in table.frame.itertuples())


def test_a_second_import_of_the_same_writes_nothing(labelled: Callable[..., Project], tmp_path: Path) -> None:
    project = labelled(ONE)
    export(project, tmp_path / "clips.csv", exporting.How())
    for written, same in ((24, 0), (0, 24)):
        found = import_labels(project, tmp_path / "clips.csv", importing.How())
        assert (found.name, found.written, found.same) == ("clips.csv", written, same)


def test_gold_is_taken_out_of_the_queue(labelled: Callable[..., Project], tmp_path: Path) -> None:
    project = labelled(ONE, n=4)
    export(project, tmp_path / "known.csv", exporting.How())
    import_labels(project, tmp_path / "known.csv", importing.How(gold=True))
    assert project.progress(1).total == 20
    assert [(one.name, one.right, one.asked) for one in project.agreement().gold] == [("Ada", 4, 4)]


def test_an_annotation_in_seconds_is_said_of_the_clips_that_it_covers(corpus: Path, tmp_path: Path) -> None:
    project = begin(corpus, REGIONS, clip_seconds=0.5, db=str(tmp_path / "r.sqlite"))
    tags = begin(corpus, TAGS, clip_seconds=0.5, db=str(tmp_path / "t.sqlite"))
    (tmp_path / "tracks" / "low").mkdir(parents=True)
    (tmp_path / "tracks" / "low" / "low_00.txt").write_text("0.2\t0.9\thigh\n0.6\t0.7\tlow\n")
    for one in (project, tags):
        import_labels(one, tmp_path / "tracks", importing.How("audacity", "Ada"))
    regions = [of_clip[0]["regions"] for of_clip in project.said().answers.values()]
    assert [[(r["start"], round(r["end"], 6), r["label"]) for r in found] for found in regions] == [  # type: ignore[attr-defined]
        [(0.2, 0.5, "high")],
        [(0.0, 0.4, "high"), (0.1, 0.2, "low")],
    ]
    assert [of_clip[0] for of_clip in tags.said().answers.values()] == [{"tags": ["high"]}] * 2


def test_label_studio_names_files_in_its_own_ways(corpus: Path, tmp_path: Path) -> None:
    project = begin(corpus, ONE)
    addresses = (
        "/data/upload/3/0a1b2c3d-low_00.wav",
        "/data/local-files/?d=high/high_01.wav",
        "s3://b/low_02.wav",
    )
    result = [{"type": "choices", "value": {"choices": ["low"]}}]
    tasks = [{"data": {"audio": one}, "annotations": [{"result": result}]} for one in addresses]
    (tmp_path / "x.json").write_text(json.dumps(tasks))
    assert import_labels(project, tmp_path / "x.json", importing.How()).written == 3


@pytest.mark.parametrize(
    ("text", "form", "words"),
    [
        ("file,label\nlow/low_00.wav,bass\n", "clips", "its classes 'bass' are not among those asked for"),
        ("file,label\nelse.wav,low\n", "clips", "nothing in it answers the question: 1 rows about no clip"),
        ("{}", "labelstudio", "is not a list of tasks"),
        ("x", "labelstudio", "is not JSON"),
        ("x", "cassette", "found 'cassette', wanted one of 'auto', 'clips'"),
        ("x", "raven", "is a file; wanted a folder of label files"),
    ],
)
def test_labels_that_do_not_fit_are_told(
    corpus: Path, tmp_path: Path, text: str, form: str, words: str
) -> None:
    project = begin(corpus, ONE)
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(UserError, match=words):
        import_labels(project, tmp_path / "x.csv", importing.How(form))
    assert project.said().answers == {}


# ---- from the command line ----


def test_the_road_from_answers_to_a_table(
    labelled: Callable[..., Project], tmp_path: Path, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labelled(LEVELS).close()
    out = tmp_path / "clips.csv"
    assert main(["labels", "status", str(corpus)]) == 0
    said = capsys.readouterr().out
    assert "asked: levels of low, high, as foreground, background, none" in said
    assert "24 of 24 clips done" in said
    assert main(["labels", "export", str(corpus), "-o", str(out), "--positive", "foreground,background"]) == 0
    assert f"wrote 24 clips by majority to {out}" in capsys.readouterr().out
    rows = out.read_text().splitlines()
    out.write_text("\n".join([*rows[:5], "else.wav,0,1,1,0,x"]) + "\n")
    assert main(["labels", "import", str(corpus), str(out), "--as", "Bob", "--positive", "background"]) == 3
    assert "left out: 1 rows about no clip of the project" in capsys.readouterr().out
    assert main(["labels", "status", str(corpus)]) == 0
    assert "Bob        4      0" in capsys.readouterr().out
    assert main(["labels", "export", str(corpus), "-o", str(out)]) == 1
    assert main(["labels", "status", str(tmp_path / "nowhere")]) == 1


def test_a_moved_folder_is_re_rooted(
    labelled: Callable[..., Project], corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labelled(ONE).close()
    (corpus / "labels.sqlite").rename(tmp_path / "labels.sqlite")
    corpus.rename(tmp_path / "moved")
    assert main(["labels", "status", str(tmp_path / "labels.sqlite")]) == 0
    assert "not there: name the folder by --root" in capsys.readouterr().out
    out = tmp_path / "clips.csv"
    moved = ["--root", str(tmp_path / "moved")]
    assert main(["labels", "export", str(tmp_path / "labels.sqlite"), "-o", str(out), *moved]) == 0
    assert all(path.is_file() for path in read_clips(out).paths())
    assert open_project(tmp_path / "labels.sqlite").root == tmp_path / "moved", "and it is remembered"


# ---- with a run ----


def suggested_right(project: Project, clip: int) -> int:
    """Whether the run is right about a clip."""
    suggested = project.suggestion(clip)
    return int(suggested is not None and suggested["answer"] == truth(ONE, project.clip(clip).file))


def test_the_interval_is_that_of_wilson() -> None:
    """Worked by hand: 8 of 10, z = 1.96."""
    assert status.RunEstimate(8, 10).interval() == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert status.RunEstimate(0, 5).interval()[0] == pytest.approx(0.0)


def test_a_run_orders_the_queue_and_suggests(trained: Path, corpus: Path) -> None:
    project = begin(corpus, ONE, Settings(order="uncertain", run=str(trained), suggest=True))
    with project.store.reading() as connection:
        rows = connection.exec_driver_sql("SELECT id, place, drawn FROM clips ORDER BY place").all()
    assert [row.place for row in rows] == list(range(24))
    assert [i for i, row in enumerate(rows) if row.drawn == "random"] == [9, 19]
    suggested = {i: project.suggestion(i) for i in range(1, 25)}
    right = [s["answer"] == truth(ONE, project.clip(i).file) for i, s in suggested.items() if s]
    assert np.mean(right) > 0.9
    scores = [s["score"] for s in suggested.values() if s]
    assert min(scores) >= 0.5
    ada = project.enter("Ada").id
    assert status.estimate_run(project, project.said()).asked == 0
    for row in rows[8:11]:  # the second of them was drawn at random
        project.submit(ada, row.id, truth(ONE, project.clip(row.id).file), str(row.id))
    found = status.estimate_run(project, project.said())
    assert found.asked == 1
    assert found.right == suggested_right(project, rows[9].id)
    first = project.next(ada, 1)[0].clip
    project.submit(ada, first.id, truth(ONE, first.file), "x")
    project.change(order="similar", like="high/high_03.wav")
    heard = [task.clip.file for task in project.next(ada, 8)]
    assert heard[0] == "high/high_03.wav"
    assert sum(file.startswith("high") for file in heard) >= 7
    assert project.undo(ada) is not None


def test_likeness_needs_no_run(corpus: Path) -> None:
    project = begin(corpus, ONE, Settings(order="similar", like="low/low_05.wav"))
    heard = [task.clip.file for task in project.next(project.enter("Ada").id, 11)]
    assert heard[0] == "low/low_05.wav"
    assert all(file.startswith("low") for file in heard)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"order": "uncertain"}, "no run is named"),
        ({"order": "similar"}, "no clip is named"),
        ({"order": "similar", "like": "low_05"}, "none of the 24 clips that are still open is called so"),
        ({"run": "nowhere"}, "nowhere"),
    ],
)
def test_an_order_that_cannot_be_made_begins_nothing(
    corpus: Path, settings: dict[str, str], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        begin(corpus, ONE, Settings(**settings))  # type: ignore[arg-type]
    assert not (corpus / "labels.sqlite").exists()


def test_a_run_of_other_classes_suggests_nothing(trained: Path, corpus: Path) -> None:
    other = Question("one", ("reed", "brass"))
    project = begin(corpus, other, Settings(run=str(trained)))
    assert project.suggestion(1) is None
    with pytest.raises(UserError, match="it can suggest no answer of kind 'one' about 'reed', 'brass'"):
        project.change(suggest=True, seed=1)
