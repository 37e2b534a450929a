"""The known corpora, each made small: what every layout promises, then what is particular to one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from earmark import audio, cli, layouts
from earmark.cli.arguments import DONE, ERROR, SOME_UNUSABLE
from earmark.clips import ClipTable, read_clips, write_clips
from earmark.errors import UserError
from earmark.layouts import LAYOUTS, How, describe, import_folder
from earmark.layouts.environment import ESC10, ESC50
from earmark.leakage import audit
from earmark.splits import SPLITS, SplitSettings, assign

RATE = 8000
PAIR = How(classes=("classical", "rock"))


def sound(path: Path, seconds: float = 0.2) -> None:
    """A tone of its own for each path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frequency = 200 + sum(map(ord, path.name)) % 1000
    wave = 0.4 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * RATE)) / RATE)
    soundfile.write(path, wave.astype(np.float32), RATE)


def sounds(folder: Path, files: Iterable[str]) -> None:
    for file in files:
        sound(folder / file)


def text(path: Path, words: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(words, encoding="utf-8")


@dataclass
class Corpus:
    """A small corpus, and what import must say of it."""

    path: Path
    labels: dict[str, str]
    """The usable files (of excerpts: file@start) and their label; of several, with `+` between them."""
    columns: dict[str, list[str]] = field(default_factory=dict)
    """What else the table holds, in its order of rows."""
    absent: list[str] = field(default_factory=list)
    """Files that are named but not there."""
    left_out: dict[str, int] = field(default_factory=dict)
    how: How = field(default_factory=How)
    recognised: bool = True


# -- how each corpus is made --------------------------------------------------------------------------------


def make_audiofolder(folder: Path) -> Corpus:
    sounds(folder, ["train/a.wav", "train/b.wav", "test/c.wav", "test/loose.wav"])
    text(folder / "train/metadata.csv", "file_name,label,place\na.wav,dog,yard\nb.wav,cat,\ngone.wav,dog,\n")
    text(
        folder / "test/metadata.jsonl", '{"file_name": "c.wav", "label": "dog", "gain": 2, "note": null}\n\n'
    )
    return Corpus(
        folder,
        {"test/c.wav": "dog", "train/a.wav": "dog", "train/b.wav": "cat"},
        {"split": ["test", "train", "train"], "place": ["", "yard", ""], "gain": ["2", "", ""]},
        absent=["train/gone.wav"],
        left_out={"without a label": 1},
    )


def make_metadata(folder: Path) -> Corpus:
    sounds(folder, ["a.wav", "b.wav"])
    text(folder / "metadata.csv", "path,label\na.wav,x\nb.wav,y\nc.wav,y\n")
    return Corpus(folder, {"a.wav": "x", "b.wav": "y"}, absent=["c.wav"])


def note(name: str, family: str, **more: object) -> dict[str, object]:
    return {
        "note_str": name,
        "instrument_family_str": family,
        "instrument_str": name.rsplit("-", 2)[0],
        "instrument_source_str": "acoustic",
        "pitch": int(name.split("-")[1]),
        "velocity": 100,
        "qualities_str": [],
        **more,
    }


def make_nsynth(folder: Path) -> Corpus:
    parts = {
        "nsynth-train": [note("bass_a_000-040-100", "bass"), note("synth_lead_a_000-050-100", "synth_lead")],
        "nsynth-valid": [note("bass_b_000-041-100", "bass", qualities_str=["dark", "long_release"])],
        "nsynth-test": [note("bass_c_000-042-100", "bass"), note("bass_c_000-043-100", "bass")],
    }
    for name, notes in parts.items():
        text(folder / name / "examples.json", json.dumps({str(one["note_str"]): one for one in notes}))
        for one in notes:
            sound(folder / name / "audio" / f"{one['note_str']}.wav")
    (folder / "nsynth-test/audio/bass_c_000-043-100.wav").unlink()
    sound(folder / "nsynth-test/audio/bass_c_000-099-100.wav")
    return Corpus(
        folder,
        {
            "nsynth-train/audio/bass_a_000-040-100.wav": "bass",
            "nsynth-train/audio/synth_lead_a_000-050-100.wav": "synth_lead",
            "nsynth-valid/audio/bass_b_000-041-100.wav": "bass",
            "nsynth-test/audio/bass_c_000-042-100.wav": "bass",
        },
        {
            "split": ["train", "train", "valid", "test"],
            "group": ["bass_a_000", "synth_lead_a_000", "bass_b_000", "bass_c_000"],
            "pitch": ["40", "50", "41", "42"],
            "velocity": ["100"] * 4,
            "source": ["acoustic"] * 4,
            "qualities": ["", "", "dark;long_release", ""],
        },
        absent=["nsynth-test/audio/bass_c_000-043-100.wav"],
        left_out={"not in examples.json": 1},
    )


def make_gtzan(folder: Path) -> Corpus:
    files = [f"genres/{genre}/{genre}.{i:05}.wav" for genre in ("blues", "jazz") for i in range(3)]
    sounds(folder, files)
    text(folder / "train_filtered.txt", "blues/blues.00000.wav\njazz/jazz.00001.wav\n")
    text(folder / "valid_filtered.txt", "blues/blues.00001.wav\n")
    text(folder / "test_filtered.txt", "blues/blues.00002.wav\njazz/jazz.00054.wav\n")
    return Corpus(
        folder,
        {
            "genres/blues/blues.00000.wav": "blues",
            "genres/jazz/jazz.00001.wav": "jazz",
            "genres/blues/blues.00001.wav": "blues",
            "genres/blues/blues.00002.wav": "blues",
        },
        {"split": ["train", "train", "valid", "test"]},
        absent=["genres/jazz/jazz.00054.wav"],
        left_out={"in no fault-filtered list": 2},
    )


def make_irmas(folder: Path) -> Corpus:
    labels = {
        "cel/008__[cel][nod][cla]0058__1.wav": "cel",
        "cel/008__[cel][nod][cla]0058__2.wav": "cel",
        "cel/[cel][pop_roc]0059__1.wav": "cel",
        "voi/[voi][dru][jaz_blu]2240__3.wav": "voi",
    }
    sounds(folder, [*labels, "voi/[gac][dru][jaz_blu]2241__3.wav"])
    return Corpus(
        folder,
        labels,
        {
            "group": ["0058", "0058", "0059", "2240"],
            "drums": ["nod", "nod", "", "dru"],
            "genre": ["cla", "cla", "pop_roc", "jaz_blu"],
        },
        left_out={"in a folder of another instrument than the file's name says": 1},
    )


def make_openmic(folder: Path) -> Corpus:
    sounds(folder, ["audio/000/000046_3840.ogg", "audio/000/000135_483840.ogg", "audio/001/001000_0.ogg"])
    rows = [
        "000046_3840,clarinet,0.17,3", "000046_3840,flute,0.5,3", "000135_483840,flute,0.49,3",
        "000135_483840,flute,1.0,3", "001000_0,clarinet,1.0,3", "009999_0,flute,1.0,3", "000777_0,flute,1.0,3",
    ]  # fmt: skip
    head = "sample_key,instrument,relevance,num_responses\n"
    text(folder / "openmic-2018-aggregated-labels.csv", head + "\n".join(rows))
    text(folder / "partitions/split01_train.csv", "000046_3840\n000135_483840\n009999_0\n")
    text(folder / "partitions/split01_test.csv", "001000_0\n")
    return Corpus(
        folder,
        {
            "audio/000/000046_3840.ogg": "flute",
            "audio/000/000135_483840.ogg": "flute",
            "audio/001/001000_0.ogg": "clarinet",
        },
        {
            "split": ["train", "train", "test"],
            "group": ["000046", "000135", "001000"],
            "clarinet": ["0", "", "1"],
            "flute": ["1", "1", ""],
        },
        absent=["audio/009/009999_0.ogg"],
        left_out={"in no list of partitions": 1},
    )


def make_urbansound8k(folder: Path) -> Corpus:
    sounds(folder, ["audio/fold1/100-3-0-0.wav", "audio/fold2/101-1-0-1.wav", "audio/fold2/x.wav"])
    head = "slice_file_name,fsID,start,end,salience,fold,classID,class\n"
    rows = ["100-3-0-0.wav,100,0.5,0.6,1,1,3,dog_bark", "101-1-0-1.wav,101,7,8,2,2,1,car_horn"]
    rows.append("102-1-0-1.wav,102,7,8,2,2,1,car_horn")
    text(folder / "metadata/UrbanSound8K.csv", head + "\n".join(rows))
    return Corpus(
        folder,
        {"audio/fold1/100-3-0-0.wav": "dog_bark", "audio/fold2/101-1-0-1.wav": "car_horn"},
        {"group": ["100", "101"], "fold": ["1", "2"], "source_start": ["0.5", "7"], "salience": ["1", "2"]},
        absent=["audio/fold2/102-1-0-1.wav"],
        left_out={"not in metadata/UrbanSound8K.csv": 1},
    )


def make_esc50(folder: Path) -> Corpus:
    sounds(folder, ["audio/1-100032-A-0.wav", "audio/2-7-B-14.wav", "audio/2-8-B-14.wav"])
    head = "filename,fold,target,category,esc10,src_file,take\n"
    rows = ["1-100032-A-0.wav,1,0,dog,True,100032,A", "2-7-B-14.wav,2,14,chirping_birds,False,7,B"]
    text(folder / "meta/esc50.csv", head + "\n".join([*rows, "3-9-A-0.wav,3,0,dog,True,9,A"]))
    return Corpus(
        folder,
        {"audio/1-100032-A-0.wav": "dog", "audio/2-7-B-14.wav": "chirping_birds"},
        {"group": ["100032", "7"], "fold": ["1", "2"]},
        absent=["audio/3-9-A-0.wav"],
        left_out={"not in meta/esc50.csv": 1},
    )


def make_esc10(folder: Path) -> Corpus:
    labels = {"001 - Dog bark/1-30226-A.ogg": "Dog bark", "009 - Rooster/5-7-B.ogg": "Rooster"}
    sounds(folder, labels)
    return Corpus(folder, labels, {"group": ["30226", "7"], "fold": ["1", "5"], "take": ["A", "B"]})


def make_speechcommands(folder: Path) -> Corpus:
    labels = {
        "bed/aa_nohash_0.wav": "bed",
        "bed/bb_nohash_0.wav": "bed",
        "yes/aa_nohash_1.wav": "yes",
        "yes/cc_nohash_0.wav": "yes",
    }
    sounds(folder, [*labels, "_background_noise_/white.wav", "loose.wav"])
    text(folder / "validation_list.txt", "bed/bb_nohash_0.wav\nyes/gone_nohash_0.wav\n")
    text(folder / "testing_list.txt", "yes/cc_nohash_0.wav\n")
    return Corpus(
        folder,
        labels,
        {"split": ["train", "valid", "train", "test"], "group": ["aa", "bb", "aa", "cc"]},
        absent=["yes/gone_nohash_0.wav"],
        left_out={"in _background_noise_": 1, "beside or below the folders of the words": 1},
    )


def make_fsdd(folder: Path) -> Corpus:
    labels = {
        f"recordings/{digit}_{who}_0.wav": str(digit) for digit in (0, 7) for who in ("jackson", "theo")
    }
    sounds(folder, labels)
    return Corpus(folder, labels, {"group": ["jackson", "theo"] * 2, "take": ["0"] * 4})


def make_raven(folder: Path) -> Corpus:
    for name in ("dawn.wav", "dusk.wav", "noon.wav"):
        sound(folder / name, seconds=2.0)
    head = (
        "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tAnnotation\n"
    )
    text(
        folder / "dawn.Table.1.selections.txt",
        f"{head}1\tWaveform 1\t1\t0.5\t0.75\t100\t900\trobin\n1\tSpectrogram 1\t1\t0.5\t0.75\t100\t900\trobin\n"
        "2\tSpectrogram 1\t1\t1\t1.5\t200\t800\twren\n3\tSpectrogram 1\t1\t1.6\t1.7\t200\t800\t\n",
    )
    text(
        folder / "evening.selections.txt",
        "Begin Time (s)\tEnd Time (s)\tBegin File\tFile Offset (s)\tSpecies\n"
        "101\t101.5\tdusk.wav\t1\towl\n301\t302\tnight.wav\t0.25\towl\n",
    )
    return Corpus(
        folder,
        {"dawn.wav@0.5": "robin", "dawn.wav@1.0": "wren", "dusk.wav@1.0": "owl"},
        {"low_hz": ["100", "200", ""], "high_hz": ["900", "800", ""]},
        absent=["night.wav"],
        left_out={"selections without annotation": 1, "without a selection table": 1},
    )


def make_audacity(folder: Path) -> Corpus:
    sound(folder / "day/one.wav", seconds=2.0)
    sound(folder / "day/two.wav", seconds=2.0)
    text(
        folder / "day/one.txt",
        "0.500000\t1.000000\tdog\n\\\t200.0\t3000.0\n1,0\t1,5\tcat\n1.7\t1.7\there\n1.8\t1.9\t\n",
    )
    text(folder / "day/lost.txt", "0\t1\tdog\n")
    text(folder / "readme.txt", "Two recordings of a day.\n")
    return Corpus(
        folder,
        {"day/one.wav@0.5": "dog", "day/one.wav@1.0": "cat"},
        absent=["day/lost"],
        left_out={"labels of a point in time": 1, "labels without a word": 1, "without a label track": 1},
    )


def make_folder(folder: Path) -> Corpus:
    labels = {"a,b/1.wav": "a,b", "b/2.wav": "b"}
    sounds(folder, labels)
    return Corpus(folder, labels)


def arrays(n_train: int = 4, n_test: int = 2, width: int = 1200) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "train": rng.uniform(-1.5, 1.5, (n_train, width)).astype(np.float32),
        "test": rng.uniform(-1, 1, (n_test, width)).astype(np.float32),
    }


def make_npz(folder: Path) -> Corpus:
    folder.mkdir()
    np.savez(folder / "genres.npz", **arrays())
    labels = {
        "train-0-classical.wav@0.0": "classical",
        "train-0-classical.wav@3.0": "classical",
        "train-1-rock.wav@0.0": "rock",
        "train-1-rock.wav@3.0": "rock",
        "test-0-classical.wav@0.0": "classical",
        "test-1-rock.wav@0.0": "rock",
    }
    return Corpus(folder / "genres.npz", labels, {"split": ["train"] * 4 + ["test"] * 2}, how=PAIR)


MAKERS: dict[str, Callable[[Path], Corpus]] = {
    name.removeprefix("make_"): maker for name, maker in dict(globals()).items() if name.startswith("make_")
}


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def corpus_of(tmp_path: Path) -> Callable[[str], Corpus]:
    return lambda name: MAKERS[name](tmp_path / "in")


def labels_of(table: ClipTable) -> dict[str, str]:
    """File (of excerpts: file@start) -> label; several with `+` between them."""
    excerpts = table.frame["end"].notna()
    keys = [
        f"{file}@{start}" if excerpt else file
        for file, start, excerpt in zip(table.frame["file"], table.frame["start"], excerpts, strict=True)
    ]
    if not table.multi_label:
        return dict(zip(keys, table.frame["label"], strict=True))
    marks = table.targets() == 1
    return {
        key: "+".join(name for name, on in zip(table.classes, row, strict=True) if on)
        for key, row in zip(keys, marks, strict=True)
    }


# -- what every layout promises -----------------------------------------------------------------------------


def test_every_layout_is_made_here() -> None:
    assert set(MAKERS) == set(LAYOUTS)


def test_labels_columns_absent_and_left_out_files_are_as_the_corpus_says(
    layout: str, corpus_of: Callable[[str], Corpus]
) -> None:
    corpus = corpus_of(layout)
    found = import_folder(corpus.path, layout, how=corpus.how)
    assert labels_of(found.table) == corpus.labels
    for name, cells in corpus.columns.items():
        assert found.table.column(name).tolist() == cells, name
    root = found.table.root
    assert [error.path.relative_to(root).as_posix() for error in found.unusable] == corpus.absent
    assert {error.reason for error in found.unusable} <= {"missing"}
    assert corpus.left_out.items() <= found.left_out.items()
    assert set(found.left_out) <= {*corpus.left_out, "not audio"}
    assert found.seconds.min() > 0


def test_a_corpus_is_recognised_without_its_name(layout: str, corpus_of: Callable[[str], Corpus]) -> None:
    corpus = corpus_of(layout)
    assert import_folder(corpus.path, how=corpus.how).layout == layout


def test_the_table_is_read_back_as_it_was(
    layout: str, corpus_of: Callable[[str], Corpus], tmp_path: Path
) -> None:
    corpus = corpus_of(layout)
    table = import_folder(corpus.path, layout, how=corpus.how).table
    write_clips(table, tmp_path / "out" / "clips.csv")
    again = read_clips(tmp_path / "out" / "clips.csv")
    pd.testing.assert_frame_equal(again.frame, table.frame)
    assert (again.classes, again.multi_label) == (table.classes, table.multi_label)
    assert all(path.is_file() for path in again.paths())


def test_what_was_imported_is_told(layout: str, corpus_of: Callable[[str], Corpus]) -> None:
    corpus = corpus_of(layout)
    found = import_folder(corpus.path, layout, how=corpus.how)
    lines = describe(found).splitlines()
    assert lines[0] == f"layout: {layout}"
    for name in found.table.classes:
        assert any(line.startswith(f"{name} ") for line in lines), name
    for file in corpus.absent:
        assert file in describe(found)


@pytest.mark.parametrize("name", ["audiofolder", "nsynth", "gtzan", "openmic", "speechcommands", "npz"])
def test_a_given_split_is_kept_and_divides_no_group(name: str, corpus_of: Callable[[str], Corpus]) -> None:
    corpus = corpus_of(name)
    table = import_folder(corpus.path, name, how=corpus.how).table
    assert {"train", "test"} <= set(table.frame["split"]) <= set(SPLITS)
    audit(table)


def test_a_folder_of_something_else_is_refused_in_words(layout: str, tmp_path: Path) -> None:
    folder = tmp_path / "else"
    sounds(folder, ["one.wav", "two.wav"])
    with pytest.raises(UserError) as caught:
        import_folder(folder, layout, how=PAIR)
    assert str(folder) in str(caught.value)
    assert caught.value.remedy
    with pytest.raises(UserError):
        import_folder(tmp_path / "nowhere", layout, how=PAIR)


def test_the_names_of_the_layouts_are_in_the_help_and_in_their_page(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        cli.main(["import", "--help"])
    help_text = capsys.readouterr().out
    page = (Path(__file__).parent.parent / "docs" / "layouts.md").read_text(encoding="utf-8")
    for name, one in LAYOUTS.items():
        assert re.search(rf"\b{name}\b", help_text), name
        assert f"`{name}`" in page, name
        assert one.summary


def test_the_command_line_imports_a_corpus(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = make_nsynth(tmp_path / "in")
    out = tmp_path / "clips.csv"
    arguments = ["import", str(corpus.path), "-o", str(out), "--layout", "nsynth", "--without", "synth_lead"]
    assert cli.main(arguments) == SOME_UNUSABLE
    assert "1 of class 'synth_lead'" in capsys.readouterr().out
    assert read_clips(out).classes == ("bass",)


# -- beside the label ---------------------------------------------------------------------------------------


def test_folders_of_two_names_are_two_labels_where_that_is_wanted(tmp_path: Path) -> None:
    corpus = make_folder(tmp_path / "in")
    found = import_folder(corpus.path, how=How(multi_label=True)).table
    assert found.multi_label
    assert labels_of(found) == {"a,b/1.wav": "a+b", "b/2.wav": "b"}
    assert found.targets().tolist() == [[1, 1], [0, 1]]


def test_excerpts_with_two_labels_are_one_clip_where_that_is_wanted(tmp_path: Path) -> None:
    sound(tmp_path / "a.wav", seconds=2.0)
    text(tmp_path / "a.txt", "0\t1\trobin\n0\t1\twren\n1\t2\twren\n")
    with pytest.raises(
        UserError, match=r"a.txt, line 2: the clip 'a.wav' from 0 s to 1 is in the table already"
    ):
        import_folder(tmp_path, "audacity")
    found = import_folder(tmp_path, "audacity", how=How(multi_label=True)).table
    assert labels_of(found) == {"a.wav@0.0": "robin+wren", "a.wav@1.0": "wren"}


def test_a_corpus_of_marks_stays_as_it_is_with_several_labels(tmp_path: Path) -> None:
    corpus = make_openmic(tmp_path / "in")
    assert labels_of(import_folder(corpus.path, how=How(multi_label=True)).table) == corpus.labels


def test_columns_of_0_and_1_do_not_become_classes_beside_labels(tmp_path: Path) -> None:
    sounds(tmp_path, ["a.wav", "b.wav"])
    text(tmp_path / "metadata.csv", 'file,label,noisy,mic\na.wav,"x,y",0,1\nb.wav,y,1,left\n')
    found = import_folder(tmp_path, how=How(multi_label=True))
    assert found.table.classes == ("x", "y")
    assert "note: 'noisy', 'mic' left out" in describe(found)
    text(tmp_path / "metadata.csv", 'file,label,mic\na.wav,"x,mic",left\nb.wav,y,left\n')
    with pytest.raises(UserError, match="class 'mic' has the name of a column"):
        import_folder(tmp_path, how=How(multi_label=True))


def test_classes_are_left_out_on_request(tmp_path: Path) -> None:
    corpus = make_nsynth(tmp_path / "in")
    assert "split test has no clip of 'synth_lead'; leave out by: --without synth_lead" in describe(
        import_folder(corpus.path)
    )
    found = import_folder(corpus.path, how=How(without=("synth_lead",)))
    assert found.left_out["of class 'synth_lead'"] == 1
    assert found.table.classes == ("bass",)
    with pytest.raises(UserError, match=r"--without synth_led: no such class; .* Did you mean 'synth_lead'"):
        import_folder(corpus.path, how=How(without=("synth_led",)))
    with pytest.raises(UserError, match="nothing else would be left"):
        import_folder(corpus.path, how=How(without=("bass", "synth_lead")))
    marks = import_folder(make_openmic(tmp_path / "mic").path, how=How(without=("flute",))).table
    assert marks.classes == ("clarinet",)


# -- GTZAN --------------------------------------------------------------------------------------------------


def test_gtzan_reports_its_corrupt_file_and_goes_on(tmp_path: Path) -> None:
    sounds(tmp_path, [f"{genre}/{genre}.{i:05}.wav" for genre in ("jazz", "rock") for i in (53, 55)])
    (tmp_path / "jazz/jazz.00054.wav").write_bytes(b"\x41\x11\x0b\x08" * 300)
    found = import_folder(tmp_path)
    assert found.layout == "gtzan"
    assert [(error.path.name, error.reason) for error in found.unusable] == [("jazz.00054.wav", "not_audio")]
    assert len(found.table) == 4
    assert "split" not in found.table.frame


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"test_filtered.txt": None}, r"train_filtered.txt: stands there without 'test_filtered.txt'"),
        (
            {"test_filtered.txt": "a/b.wav\n"},
            r"test_filtered.txt, line 1: found 'a/b.wav', wanted a song such as",
        ),
        (
            {"test_filtered.txt": "\njazz/jazz.00001.wav\n"},
            r"test_filtered.txt, line 2: 'jazz/jazz.00001.wav' is in .*train_filtered.txt, line 2 already",
        ),
    ],
)
def test_gtzan_refuses_lists_that_do_not_fit(
    tmp_path: Path, changes: dict[str, str | None], words: str
) -> None:
    corpus = make_gtzan(tmp_path / "in")
    for name, words_of_file in changes.items():
        (corpus.path / name).unlink()
        if words_of_file is not None:
            text(corpus.path / name, words_of_file)
    with pytest.raises(UserError, match=words):
        import_folder(corpus.path)


def test_gtzan_finds_its_lists_beside_the_folder_of_genres(tmp_path: Path) -> None:
    corpus = make_gtzan(tmp_path / "in")
    found = import_folder(corpus.path / "genres")
    assert found.table.column("split").tolist() == corpus.columns["split"]


# -- NSynth -------------------------------------------------------------------------------------------------


def test_one_part_of_nsynth_is_left_to_be_split(tmp_path: Path) -> None:
    corpus = make_nsynth(tmp_path / "in")
    found = import_folder(corpus.path / "nsynth-test")
    assert found.layout == "nsynth"
    assert labels_of(found.table) == {"audio/bass_c_000-042-100.wav": "bass"}
    assert "split" not in found.table.frame


def test_instruments_in_two_parts_of_nsynth_are_pointed_out(tmp_path: Path) -> None:
    corpus = make_nsynth(tmp_path / "in")
    name = "bass_c_000-044-100"
    text(corpus.path / "nsynth-valid/examples.json", json.dumps({name: note(name, "bass")}))
    sound(corpus.path / f"nsynth-valid/audio/{name}.wav")
    assert "note: 1 groups are both in valid and in test: 'bass_c_000'" in describe(
        import_folder(corpus.path)
    )


@pytest.mark.parametrize(
    ("words_of_file", "words"),
    [
        ('{"a-1-1": {\n"pitch": 3,,}}', r"examples.json, line 2, column 12: is not valid JSON: "),
        ("[1, 2]", "examples.json: holds a list of 2, wanted an object"),
        ("{}", "holds an object of 0, wanted"),
        ('{"a-1-1": 3}', "examples.json, note 'a-1-1': is 3, wanted an object of keys"),
        ('{"a-1-1": {}}', "note 'a-1-1': has no key 'instrument_family_str', wanted a word"),
        (
            json.dumps({"a-1-1": note("a-1-1", "bass", pitch=1.5)}),
            "note 'a-1-1': found pitch = 1.5, wanted a word or a whole number",
        ),
        (
            json.dumps({"a-1-1": note("a-1-1", "bass", qualities_str=3)}),
            "found qualities_str = 3, wanted a list",
        ),
        ("\xff", "is not valid JSON"),
    ],
)
def test_a_malformed_examples_json_is_refused_by_place(
    tmp_path: Path, words_of_file: str, words: str
) -> None:
    corpus = make_nsynth(tmp_path / "in")
    text(corpus.path / "nsynth-valid/examples.json", words_of_file)
    with pytest.raises(UserError, match=words):
        import_folder(corpus.path)
    (corpus.path / "nsynth-valid/examples.json").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="examples.json: is not text in UTF-8"):
        import_folder(corpus.path)


# -- IRMAS --------------------------------------------------------------------------------------------------


@pytest.fixture
def irmas_testing(tmp_path: Path) -> Path:
    folder = tmp_path / "Part1"
    names = ["(02) dont kill the whale-1", "(02) dont kill the whale-12", "0050_10CC-11"]
    sounds(folder, [f"{name}.wav" for name in names] + ["unlabelled.wav"])
    text(folder / f"{names[0]}.txt", "gel\t\nvoi\t\n")
    text(folder / f"{names[1]}.txt", "voi\n\n")
    text(folder / f"{names[2]}.txt", "")
    text(folder / "gone-3.txt", "sax\n")
    text(folder / "README.txt", "Testing data.\n")
    return folder


def test_irmas_testing_excerpts_have_several_labels(irmas_testing: Path) -> None:
    found = import_folder(irmas_testing)
    assert found.layout == "irmas"
    assert labels_of(found.table) == {
        "(02) dont kill the whale-1.wav": "gel+voi",
        "(02) dont kill the whale-12.wav": "voi",
    }
    assert len(found.table.classes) == 11
    assert not np.isnan(found.table.targets()).any()
    assert found.table.column("group").tolist() == ["(02) dont kill the whale"] * 2
    assert [error.path.name for error in found.unusable] == ["gone-3.wav"]
    assert found.left_out == {
        "not audio": 1,
        "without a .txt of instruments": 1,
        "whose .txt names no instrument": 1,
    }


def test_irmas_refuses_unknown_instruments_and_both_kinds_at_once(irmas_testing: Path) -> None:
    text(irmas_testing / "0050_10CC-11.txt", "sax\nkazoo\n")
    with pytest.raises(
        UserError, match=r"0050_10CC-11.txt, line 2: found 'kazoo', wanted one of 'cel', 'cla'"
    ):
        import_folder(irmas_testing, "irmas")
    make_irmas(irmas_testing.parent / "IRMAS-TrainingData")
    with pytest.raises(
        UserError, match=r"holds 5 training excerpts \(one label each\) and 4 testing excerpts"
    ):
        import_folder(irmas_testing.parent, "irmas")


# -- OpenMIC ------------------------------------------------------------------------------------------------


def openmic_arrays(folder: Path, keys: np.ndarray, shape: tuple[int, int] = (2, 2)) -> None:
    (folder / "openmic-2018-aggregated-labels.csv").unlink(missing_ok=True)
    truth, mask = np.zeros(shape), np.zeros(shape, bool)
    truth[0, 1] = 0.5
    mask[0] = True
    np.savez(folder / "openmic-2018.npz", Y_true=truth, Y_mask=mask, sample_key=keys)
    text(folder / "class-map.json", '{"flute": 1, "clarinet": 0}')


def test_openmic_is_read_from_its_arrays_too(tmp_path: Path) -> None:
    corpus = make_openmic(tmp_path / "in")
    openmic_arrays(corpus.path, np.array(["000046_3840", "001000_0"]))
    found = import_folder(corpus.path).table
    assert found.classes == ("clarinet", "flute")
    np.testing.assert_array_equal(found.targets(), [[0, 1], [np.nan, np.nan]])
    assert found.column("split").tolist() == ["train", "test"]


def test_openmic_arrays_that_are_pickled_or_of_other_shapes_are_refused(tmp_path: Path) -> None:
    corpus = make_openmic(tmp_path / "in")
    openmic_arrays(corpus.path, np.array(["000046_3840", "001000_0"], dtype=object))
    with pytest.raises(
        UserError, match=r"pickled are not opened, they can run code: put openmic-2018-aggreg"
    ):
        import_folder(corpus.path)
    openmic_arrays(corpus.path, np.array(["000046_3840"]))
    with pytest.raises(UserError, match=r"Y_true is \(2, 2\), Y_mask \(2, 2\), wanted \(1, 2\)"):
        import_folder(corpus.path)
    text(corpus.path / "class-map.json", '{"flute": 7}')
    with pytest.raises(UserError, match=r"class-map.json: wanted an object"):
        import_folder(corpus.path)
    text(corpus.path / "class-map.json", "{")
    with pytest.raises(UserError, match=r"class-map.json: is not valid JSON"):
        import_folder(corpus.path)


@pytest.mark.parametrize(
    ("file", "words_of_file", "words"),
    [
        (
            "openmic-2018-aggregated-labels.csv",
            "sample_key,relevance\na,1\n",
            "header: no column 'instrument'",
        ),
        (
            "openmic-2018-aggregated-labels.csv",
            "sample_key,instrument,relevance\na,b,2\n",
            r"labels.csv, line 2: relevance \('2'\) is not a number from 0 to 1",
        ),
        (
            "partitions/split01_test.csv",
            "000046_3840\n",
            "split01_test.csv, line 1: '000046_3840' is in .*train",
        ),
        ("partitions/split01_test.csv", None, "split01_train.csv: stands there without the other list"),
    ],
)
def test_openmic_refuses_tables_that_do_not_fit(
    tmp_path: Path, file: str, words_of_file: str | None, words: str
) -> None:
    corpus = make_openmic(tmp_path / "in")
    (corpus.path / file).unlink()
    if words_of_file is not None:
        text(corpus.path / file, words_of_file)
    with pytest.raises(UserError, match=words):
        import_folder(corpus.path)


# -- ESC and UrbanSound8K -----------------------------------------------------------------------------------


def test_esc50_is_read_from_its_names_alone(tmp_path: Path) -> None:
    sounds(tmp_path, ["1-100032-A-0.wav", "5-7-C-49.wav"])
    found = import_folder(tmp_path)
    assert found.layout == "esc50"
    assert found.table.column("label").tolist() == ["dog", "hand_saw"]
    assert found.table.column("fold").tolist() == ["1", "5"]
    sound(tmp_path / "5-8-C-50.wav")
    with pytest.raises(UserError, match="5-8-C-50.wav: found class number 50, ESC-50's are 0 to 49"):
        import_folder(tmp_path)


@pytest.mark.parametrize("by_table", [True, False])
def test_esc10_is_taken_out_of_esc50(tmp_path: Path, by_table: bool) -> None:
    corpus = make_esc50(tmp_path / "in")
    folder = corpus.path if by_table else corpus.path / "audio"
    found = import_folder(folder, "esc10")
    assert found.table.classes == ("dog",)
    assert found.left_out["of classes that ESC-10 has not"] == (1 if by_table else 2)


def test_the_classes_of_esc_are_those_of_its_table() -> None:
    assert (len(set(ESC50)), len(set(ESC10))) == (50, 10)
    assert [ESC50.index(name) for name in ESC10] == [0, 1, 10, 11, 12, 20, 21, 38, 40, 41]


def test_tables_that_lack_a_column_or_a_name_are_refused(tmp_path: Path) -> None:
    urban, esc = make_urbansound8k(tmp_path / "urban"), make_esc50(tmp_path / "esc")
    text(urban.path / "metadata/UrbanSound8K.csv", "slice_file_name,fsID,fold,class\na.wav,1,1,x\n")
    with pytest.raises(UserError, match="UrbanSound8K.csv, header: no column 'start'"):
        import_folder(urban.path)
    text(esc.path / "meta/esc50.csv", "filename,fold,category\na.wav,1,dog\n")
    with pytest.raises(UserError, match=r"esc50.csv, line 2: filename \('a.wav'\) is not named as ESC-50"):
        import_folder(esc.path)


# -- speech -------------------------------------------------------------------------------------------------


def test_speech_commands_refuses_lists_that_do_not_fit(tmp_path: Path) -> None:
    corpus = make_speechcommands(tmp_path / "in")
    text(corpus.path / "testing_list.txt", "bed/bb_nohash_0.wav\n")
    with pytest.raises(
        UserError, match=r"testing_list.txt, line 1: 'bed/bb_nohash_0.wav' is in .*validation"
    ):
        import_folder(corpus.path)
    text(corpus.path / "testing_list.txt", "yes/cc_nohash_0.wav\nbb_nohash_0.wav\n")
    with pytest.raises(
        UserError, match=r"testing_list.txt, line 2: found 'bb_nohash_0.wav', wanted word/file"
    ):
        import_folder(corpus.path)
    (corpus.path / "testing_list.txt").write_bytes(b"a\0b")
    with pytest.raises(UserError, match=r"testing_list.txt: is not text in UTF-8"):
        import_folder(corpus.path)


def test_names_like_those_of_fsdd_in_folders_of_classes_are_not_taken_for_it(tmp_path: Path) -> None:
    sounds(tmp_path, ["cat/1_cat_2.wav", "dog/2_dog_2.wav"])
    assert import_folder(tmp_path).layout == "folder"
    sounds(tmp_path / "digits", ["1/1_theo_2.wav", "2/2_theo_2.wav"])
    assert import_folder(tmp_path / "digits").layout == "fsdd"


# -- audiofolder --------------------------------------------------------------------------------------------


def test_audiofolder_takes_folders_of_classes_in_folders_of_splits(tmp_path: Path) -> None:
    sounds(tmp_path, ["train/dog/a.wav", "validation/cat/b.wav", "test/dog/c.wav", "test/loose.wav"])
    found = import_folder(tmp_path)
    assert found.layout == "audiofolder"
    assert labels_of(found.table) == {
        "test/dog/c.wav": "dog",
        "train/dog/a.wav": "dog",
        "validation/cat/b.wav": "cat",
    }
    assert found.table.column("split").tolist() == ["test", "train", "valid"]
    assert found.left_out == {"without a label": 1}


@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl"])
def test_one_table_of_audiofolder_names_files_in_folders_of_splits(tmp_path: Path, name: str) -> None:
    sounds(tmp_path, ["train/a.wav", "test/b.wav"])
    rows = [("train/a.wav", "dog"), ("test/b.wav", "cat")]
    if name.endswith("csv"):
        text(tmp_path / name, "file_name,label\n" + "".join(f"{file},{label}\n" for file, label in rows))
    else:
        lines = [json.dumps({"file_name": file, "label": label}) for file, label in rows]
        text(tmp_path / name, "\n".join(lines))
    found = import_folder(tmp_path)
    assert found.layout == "audiofolder"
    assert found.table.column("split").tolist() == ["train", "test"]


def test_audiofolder_takes_lists_of_labels_where_several_are_wanted(tmp_path: Path) -> None:
    sounds(tmp_path, ["a.wav", "b.wav"])
    text(
        tmp_path / "metadata.jsonl",
        '{"file_name": "a.wav", "label": ["x", "y"]}\n{"file_name": "b.wav", "label": "y"}\n',
    )
    with pytest.raises(UserError, match=r"metadata.jsonl, line 1: label is \[\"x\", \"y\"\].*--multi-label"):
        import_folder(tmp_path)
    found = import_folder(tmp_path, how=How(multi_label=True)).table
    assert labels_of(found) == {"a.wav": "x+y", "b.wav": "y"}


@pytest.mark.parametrize(
    ("words_of_file", "words"),
    [
        (
            '{"file_name": "a.wav", "label": "x"}\n{"file_name"\n',
            r"jsonl, line 2: is not valid JSON: .*\(column 13\)",
        ),
        ("[1]\n", r"metadata.jsonl, line 1: found '\[1\]', wanted an object"),
        ("\n", "metadata.jsonl: has no rows"),
        ('{"name": "a.wav"}\n', "metadata.jsonl, header: no column names the sound files"),
        ('{"file_name": "a.wav"}\n', "metadata.jsonl, header: no column 'label'"),
        ('{"file_name": "a.wav", "label": ""}\n', "metadata.jsonl, line 1: label"),
        ('{"file_name": "", "label": "x"}\n', "metadata.jsonl, line 1: file"),
    ],
)
def test_bad_json_lines_are_refused_by_line(tmp_path: Path, words_of_file: str, words: str) -> None:
    sound(tmp_path / "a.wav")
    text(tmp_path / "metadata.jsonl", words_of_file)
    with pytest.raises(UserError, match=words):
        import_folder(tmp_path)


def test_audiofolder_refuses_two_tables_and_files_beside_the_splits(tmp_path: Path) -> None:
    corpus = make_audiofolder(tmp_path / "in")
    text(corpus.path / "metadata.csv", "file_name,label\ntrain/a.wav,x\nb.wav,y\n")
    with pytest.raises(
        UserError, match=r"metadata.csv, line 3: file \('b.wav'\) lies in no folder of a split"
    ):
        import_folder(corpus.path, "audiofolder")
    text(corpus.path / "metadata.jsonl", "{}")
    with pytest.raises(UserError, match="both 'metadata.csv', 'metadata.jsonl' are in it, wanted one"):
        import_folder(corpus.path, "audiofolder")


# -- labels beside recordings -------------------------------------------------------------------------------

SELECTIONS = "Selection\tBegin Time (s)\tEnd Time (s)\tAnnotation\n"


@pytest.mark.parametrize(
    ("words_of_file", "words"),
    [
        ("Selection\tBegin Time (s)\tAnnotation\n1\t0\tx\n", "header: no column 'end time \\(s\\)'"),
        ("Begin Time (s)\tEnd Time (s)\n0\t1\n", "header: no column 'annotation' or 'species'"),
        (SELECTIONS + "1\tsoon\t1\tx\n", r"line 2: begin time \(s\) \('soon'\) is not a number of seconds"),
        (SELECTIONS + "1\t0\t1\tx\n2\t1\t0.5\tx\n", r"line 3: end \(0.5\) must come after start \(1\)"),
        (SELECTIONS + "1\t0\t1\n", "line 2: found 3 fields, the header has 4"),
        (
            "Begin Time (s)\tEnd Time (s)\tBegin File\tAnnotation\n0\t1\ta.wav\tx\n9\t10\tb.wav\tx\n",
            "its rows are of 2 files and there is no column 'File Offset",
        ),
        (
            "Begin Time (s)\tEnd Time (s)\tBegin File\tAnnotation\n0\t1\t\tx\n",
            r"line 2: begin file \(''\) names no",
        ),
    ],
)
def test_bad_selection_tables_are_refused_by_line(tmp_path: Path, words_of_file: str, words: str) -> None:
    sound(tmp_path / "a.wav", seconds=2.0)
    text(tmp_path / "a.Table.1.selections.txt", words_of_file)
    with pytest.raises(UserError, match=words) as caught:
        import_folder(tmp_path)
    assert "a.Table.1.selections.txt" in caught.value.where


def test_selection_tables_find_their_recording_in_another_folder(tmp_path: Path) -> None:
    sound(tmp_path / "sound/a.wav", seconds=2.0)
    rows = SELECTIONS.replace("Annotation", "Begin Path\tAnnotation") + "1\t0\t1\tC:\\birds\\a.wav\tx\n"
    text(tmp_path / "tables/birds.txt", rows)
    assert labels_of(import_folder(tmp_path).table) == {"sound/a.wav@0.0": "x"}
    sound(tmp_path / "more/a.wav")
    with pytest.raises(UserError, match=r"'a.wav' may be any of 'more/a.wav', 'sound/a.wav'"):
        import_folder(tmp_path)


@pytest.mark.parametrize(
    ("words_of_file", "words"),
    [
        ("0\t1\tx\nsome words\n", r"a.txt, line 2: found 'some words', wanted start, end and label"),
        ("0\t1\tx\n1.5\t1\tx\n", r"a.txt, line 2: end \(1\) must come after start \(1.5\)"),
        ("-1\t1\tx\n", r"a.txt, line 1: start .* lies before the recording"),
        ("nan\t1\tx\n", r"a.txt, line 1: start .* lies before the recording"),
    ],
)
def test_bad_label_tracks_are_refused_by_line(tmp_path: Path, words_of_file: str, words: str) -> None:
    sound(tmp_path / "a.wav", seconds=2.0)
    text(tmp_path / "a.txt", words_of_file)
    with pytest.raises(UserError, match=words):
        import_folder(tmp_path)


def test_labels_that_lie_about_in_folders_of_classes_do_not_count(tmp_path: Path) -> None:
    sounds(tmp_path, [f"{label}/{i}.wav" for label in ("cat", "dog") for i in range(3)])
    text(tmp_path / "cat/0.txt", "0\t1\tx\n")
    text(tmp_path / "dog/0.selections.txt", SELECTIONS + "1\t0\t1\tx\n")
    assert import_folder(tmp_path).layout == "folder"
    assert import_folder(tmp_path, "audacity").table.classes == ("x",)
    assert import_folder(tmp_path, "raven").table.classes == ("x",)


def test_labels_beyond_the_end_are_listed(tmp_path: Path) -> None:
    sound(tmp_path / "a.wav", seconds=2.0)
    text(tmp_path / "a.txt", "0\t1\tx\n2.5\t3\ty\n")
    found = import_folder(tmp_path)
    assert [error.reason for error in found.unusable] == ["outside"]


def test_a_label_track_of_points_alone_holds_no_clip(tmp_path: Path) -> None:
    sound(tmp_path / "a.wav")
    text(tmp_path / "a.txt", "1\t1\tx\n")
    with pytest.raises(
        UserError, match="laid out as 'audacity', it holds no clip; left out: 1 labels of a point"
    ):
        import_folder(tmp_path)


# -- npz ----------------------------------------------------------------------------------------------------


def test_excerpts_of_an_npz_are_its_rows_bit_for_bit(tmp_path: Path) -> None:
    corpus = make_npz(tmp_path / "in")
    table = import_folder(corpus.path, how=PAIR).table
    rows = np.concatenate([arrays()["train"], arrays()["test"]])
    for path, start, end, row in zip(
        table.paths(), table.frame["start"], table.frame["end"], rows, strict=True
    ):
        np.testing.assert_array_equal(audio.read(path, start=start, end=end), row)
    assert audio.probe(table.paths()[0]).sample_rate == 400
    assert "nothing says which excerpts are of one song" in describe(
        import_folder(corpus.path, how=force(PAIR))
    )


def force(how: How) -> How:
    return How(classes=how.classes, force=True)


def test_the_command_line_imports_an_npz_beside_its_table(tmp_path: Path) -> None:
    corpus = make_npz(tmp_path / "in")
    out = tmp_path / "out" / "genres.csv"
    arguments = ["import", str(corpus.path), "-o", str(out), "--classes", "classical,rock"]
    assert cli.main(arguments) == DONE
    assert len(list((out.parent / "genres-sounds").glob("*.wav"))) == 4
    assert (out.parent / "genres.csv.root").read_text() == "genres-sounds\n"
    assert len(read_clips(out)) == 6
    out.unlink()
    assert cli.main(arguments) == ERROR  # the sounds are there already
    assert not out.exists()
    assert cli.main([*arguments, "--force"]) == DONE


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-500])


def one_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (
            {"train": np.zeros((4, 600), np.float32)},
            r"array 'train': its shape is \(4, 600\), wanted \(an even",
        ),
        (
            {"train": np.zeros((1200, 4), np.float32)},
            r"\(1200, 4\), wanted \(an even number, 1200\): 3 s at 400",
        ),
        ({"test": np.zeros((3, 1200), np.float32)}, r"array 'test': its shape is \(3, 1200\)"),
        ({"test": np.zeros((0, 1200), np.float32)}, r"array 'test': its shape is \(0, 1200\)"),
        ({"test": np.zeros(1200, np.float32)}, r"its shape is \(1200,\)"),
        ({"test": np.zeros((2, 1200), np.int16)}, "its type is int16, wanted floating point"),
        ({"test": np.full((2, 1200), None)}, "cannot be read as .npz"),
        ({"test": None}, "has no array 'test'; found 'train'"),
        (cut_short, "cannot be read as .npz"),
        (lambda path: path.write_text("no arrays"), "cannot be read as .npz"),
        (one_array, "is a single array, wanted an .npz"),
    ],
)
def test_an_npz_of_other_contents_is_refused_and_nothing_is_written(
    tmp_path: Path, damage: dict[str, np.ndarray | None] | Callable[[Path], None], words: str
) -> None:
    path = make_npz(tmp_path / "in").path
    if callable(damage):
        damage(path)
    else:
        np.savez(path, **{name: rows for name, rows in {**arrays(), **damage}.items() if rows is not None})
    with pytest.raises(UserError, match=words):
        import_folder(path, how=PAIR)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_an_npz_needs_the_names_of_two_classes_and_a_place(tmp_path: Path) -> None:
    path = make_npz(tmp_path / "in").path
    for classes in ((), ("a",), ("a", "a"), ("a", "b", "c")):
        with pytest.raises(UserError, match="--classes: found .*wanted two names"):
            import_folder(path, how=How(classes=classes))
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        import_folder(path, how=How(classes=("a", "b"), sounds=tmp_path / "file" / "sounds"))
    wide = tmp_path / "wide.npz"
    np.savez(wide, **arrays(width=2400))
    found = import_folder(wide, how=How(classes=("a", "b"), sample_rate=800))
    assert audio.probe(found.table.paths()[0]).sample_rate == 800


# -- real recordings ----------------------------------------------------------------------------------------


def test_real_notes_in_the_layout_of_nsynth_keep_their_split(real_data: Path) -> None:
    found = import_folder(real_data / "nsynth_like", "nsynth")
    said = import_folder(real_data / "nsynth_like", "metadata").table.frame.set_index("file")
    frame = found.table.frame.set_index("file").loc[said.index]
    for name in ("label", "group", "split", "pitch", "velocity"):
        assert frame[name].tolist() == said[name].tolist(), name
    assert found.unusable == []
    audit(assign(found.table, SplitSettings()))


@pytest.mark.parametrize(
    ("name", "columns"), [("esc10", ["label", "fold"]), ("fsdd", ["label", "group", "take"])]
)
def test_real_file_names_say_what_their_table_says(real_data: Path, name: str, columns: list[str]) -> None:
    found = import_folder(real_data / name, name)
    said = import_folder(real_data / name, "metadata").table.frame.set_index("file")
    frame = found.table.frame.set_index("file").loc[said.index]
    for column in columns:
        assert frame[column].tolist() == said[column].tolist(), column
    groups = said["group"].str.removeprefix("freesound-")
    assert frame["group"].tolist() == groups.tolist()


@pytest.mark.parametrize(("name", "n_clips"), [("instruments_cc0", 269), ("drums_cc0", 138)])
def test_real_folders_of_classes_are_recognised(
    real_data: Path, name: str, n_clips: int, tmp_path: Path
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    for path in (real_data / name).iterdir():
        if path.is_dir():
            (folder / path.name).symlink_to(path)
    found = import_folder(folder)
    said = import_folder(real_data / name).table.frame.set_index("file")["label"]
    assert (found.layout, len(found.table)) == ("folder", n_clips)
    assert labels_of(found.table) == said.to_dict()


def test_a_real_folder_of_its_own_table_is_not_taken_for_a_corpus(real_data: Path) -> None:
    for name in ("nsynth_like", "esc10", "fsdd"):
        assert import_folder(real_data / name).layout == "metadata"
    assert layouts.LAYOUTS["folder"].summary
