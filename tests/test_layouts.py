from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from earmark import audio, layouts
from earmark.clips import read_clips, write_clips
from earmark.errors import UserError
from earmark.layouts import describe, import_folder

Tone = Callable[..., np.ndarray]


@pytest.fixture
def metadata(corpus: Path) -> Callable[[str], Path]:
    """Write `metadata.csv` into the corpus."""

    def make(text: str) -> Path:
        (corpus / "metadata.csv").write_text(text)
        return corpus

    return make


# -- a folder a class ---------------------------------------------------------------------------------------


def test_a_folder_a_class_is_a_table(corpus: Path) -> None:
    found = import_folder(corpus)
    assert (found.layout, found.unusable, found.left_out) == ("folder", [], {})
    assert found.table.classes == ("high", "low")
    assert len(found.table) == 24
    assert found.table.frame["file"].tolist()[:1] == ["high/high_00.wav"]
    assert found.table.column("label").tolist() == ["high"] * 12 + ["low"] * 12
    assert all(path.is_file() for path in found.table.paths())
    assert found.seconds.tolist() == pytest.approx([1.0] * 24)


def test_the_label_of_nested_folders_is_the_first_level(corpus: Path) -> None:
    for player in ("ann", "bob"):
        (corpus / "low" / player / "take 1").mkdir(parents=True)
        shutil.copy(corpus / "low/low_00.wav", corpus / "low" / player / "take 1" / "x.wav")
    found = import_folder(corpus, group_column="subfolder").table
    assert found.classes == ("high", "low")
    assert set(found.column("subfolder")) == {"", "ann/take 1", "bob/take 1"}
    assert found.column("group").tolist() == found.column("subfolder").tolist()


def test_what_is_no_recording_is_left_out_and_counted(corpus: Path) -> None:
    (corpus / "low" / "notes.txt").write_text("no sound")
    (corpus / "low" / ".hidden.wav").write_bytes(b"RIFF")
    shutil.copy(corpus / "low/low_00.wav", corpus / "loose.wav")
    found = import_folder(corpus)
    assert len(found.table) == 24
    assert found.left_out == {"hidden": 1, "not audio": 1, "beside the folders of the classes": 1}
    assert "left out: " in describe(found)
    assert "1 beside the folders of the classes" in describe(found)


def test_a_flat_folder_is_refused_with_what_is_wanted(corpus: Path) -> None:
    with pytest.raises(
        UserError, match=r"12 sound files lie directly in it.*folder named after it.*metadata.csv"
    ):
        import_folder(corpus / "low")


def test_a_folder_without_sound_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    with pytest.raises(UserError, match="there is no sound file in it"):
        import_folder(folder)
    (folder / "a.txt").write_text("x")
    with pytest.raises(UserError, match=r"there is no sound file in it \(left out: 1 not audio\)"):
        import_folder(folder)
    with pytest.raises(UserError, match="nowhere"):
        import_folder(tmp_path / "nowhere")
    with pytest.raises(UserError, match="a folder was wanted"):
        import_folder(folder / "a.txt")


def test_folders_named_after_splits_are_no_classes(corpus: Path) -> None:
    (corpus / "low").rename(corpus / "train")
    (corpus / "high").rename(corpus / "Test")
    with pytest.raises(
        UserError, match=r"folders are named 'Test', 'train': these are splits, wanted classes"
    ):
        import_folder(corpus)


@pytest.mark.parametrize(
    ("name", "words"), [("group", "is a word of the clip table"), ("LOW", "only by case")]
)
def test_folders_that_cannot_be_classes_are_refused_by_a_file(corpus: Path, name: str, words: str) -> None:
    (corpus / "high").rename(corpus / name)
    with pytest.raises(UserError, match=rf"corpus, '.*wav': class '.*' .*{words}"):
        import_folder(corpus)


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_names_that_are_not_utf_8_survive_the_import(corpus: Path, tmp_path: Path) -> None:
    (corpus / "low" / "low_00.wav").rename(corpus / "low" / os.fsdecode(b'fl\xf6te, "1"\n.wav'))
    write_clips(import_folder(corpus).table, tmp_path / "clips.csv")
    assert all(path.is_file() for path in read_clips(tmp_path / "clips.csv").paths())


# -- metadata.csv -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["path", "file", "file_name", "filename", "Path", "File Name"])
def test_metadata_is_recognised_and_its_columns_too(metadata: Callable[[str], Path], word: str) -> None:
    folder = metadata(
        f"{word},Label,Group,fold,split,mic\nlow/low_00.wav,deep,a,1,train,x\nhigh/high_00.wav,top,b,2,test,y\n"
    )
    found = import_folder(folder)
    assert found.layout == "metadata"
    assert list(found.table.frame) == ["file", "start", "end", "label", "group", "fold", "split", "mic"]
    assert found.table.classes == ("deep", "top")
    assert found.left_out == {"not in metadata.csv": 22}


def test_a_path_beside_a_file_is_carried(metadata: Callable[[str], Path]) -> None:
    found = import_folder(metadata("path,file,label\n/old/a.wav,low/low_00.wav,x\n"))
    assert found.table.column("path").tolist() == ["/old/a.wav"]


def test_metadata_may_hold_excerpts_and_several_labels(metadata: Callable[[str], Path]) -> None:
    found = import_folder(
        metadata("path,start,end,bass,treble\nlow/low_00.wav,0,0.5,1,0\nlow/low_00.wav,0.5,,1,\n")
    )
    assert found.table.multi_label
    assert found.table.classes == ("bass", "treble")
    assert found.seconds.tolist() == pytest.approx([0.5, 0.5])
    assert describe(found).splitlines()[3].split() == ["bass", "1", "2", "0.0", "1"]


def test_files_that_are_not_there_are_listed(metadata: Callable[[str], Path]) -> None:
    found = import_folder(metadata("path,label\nlow/low_00.wav,x\ngone.wav,x\ngone too.wav,y\n"))
    assert [error.reason for error in found.unusable] == ["missing", "missing"]
    assert len(found.table) == 1
    text = describe(found)
    assert f"could not be used: 2\n  2 {audio.REASONS['missing']}: 'gone.wav', 'gone too.wav'" in text
    assert "note: no clip of 'y' can be used" in text


def test_excerpts_beyond_the_end_are_listed(metadata: Callable[[str], Path]) -> None:
    found = import_folder(metadata("path,start,end,label\nlow/low_00.wav,1.5,2,x\nlow/low_00.wav,0.5,2,x\n"))
    assert [error.reason for error in found.unusable] == ["outside"]
    assert found.table.frame["start"].tolist() == [0.5]
    assert found.seconds.tolist() == pytest.approx([0.5])


def test_another_column_is_the_group_on_request(metadata: Callable[[str], Path]) -> None:
    folder = metadata("path,label,group,pitch\nlow/low_00.wav,x,a,60\nlow/low_01.wav,x,b,60\n")
    assert import_folder(folder, group_column="pitch").table.column("group").tolist() == ["60", "60"]
    with pytest.raises(
        UserError, match=r"--group pich: .*Did you mean 'pitch'.*Columns: 'file', 'start', 'end', 'label'"
    ):
        import_folder(folder, group_column="pich")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sound,label\na,b\n", "no column names the sound files; wanted one of 'file', .*found 'sound'"),
        ("path,lable\na.wav,b\n", "no column 'label'.*Did you mean 'lable'"),
        ("path,label\na.wav,b\nc.wav\n", "metadata.csv, line 3: found 1 fields"),
        ("path,label\na.wav,b\n\na.wav,b\n", "metadata.csv, line 4: the clip 'a.wav'"),
        ("path,label\na.wav,\n", "metadata.csv, line 2: label"),
        ("path,label\na.wav,x\nb.wav,x\n", "none of its clips can be used: 2 x there is no .*first: .*a.wav"),
    ],
)  # fmt: skip
def test_bad_metadata_is_refused_by_line(metadata: Callable[[str], Path], text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        import_folder(metadata(text))


# -- which layout -------------------------------------------------------------------------------------------


def test_a_layout_can_be_named(metadata: Callable[[str], Path]) -> None:
    folder = metadata("path,label\nlow/low_00.wav,x\n")
    assert import_folder(folder, layout="folder").table.classes == ("high", "low")
    with pytest.raises(
        UserError,
        match=r"found 'metdata', wanted one of 'auto', 'npz', .*, 'folder'. Did you mean 'metadata'",
    ):
        import_folder(folder, layout="metdata")
    (folder / "metadata.csv").unlink()
    with pytest.raises(UserError, match="is not laid out as 'metadata' says"):
        import_folder(folder, layout="metadata")


@pytest.mark.parametrize("name", layouts.LAYOUTS)
def test_every_layout_says_what_it_is(name: str) -> None:
    assert layouts.LAYOUTS[name].summary


# -- what cannot be used ------------------------------------------------------------------------------------


def test_bad_files_are_listed_and_stop_nothing(corpus: Path, tone: Tone) -> None:
    (corpus / "low" / "empty.wav").write_bytes(b"")
    (corpus / "low" / "page.mp3").write_text("<html>")
    soundfile.write(corpus / "low" / "short.wav", tone(seconds=0.005), 22050)
    soundfile.write(corpus / "low" / "silent.wav", np.zeros(1000), 22050)
    soundfile.write(corpus / "low" / "silent at first.wav", np.r_[np.zeros(22050), tone()], 22050)
    broken = tone()
    broken[3] = np.nan
    soundfile.write(corpus / "low" / "nan.wav", broken, 22050, subtype="FLOAT")
    found = import_folder(corpus)
    reasons = {error.path.name: error.reason for error in found.unusable}
    assert reasons == {
        "empty.wav": "empty",
        "page.mp3": "not_audio",
        "short.wav": "too_short",
        "silent.wav": "silent",
        "nan.wav": "not_finite",
    }
    assert len(found.table) == 25
    assert f"  1 {audio.REASONS['not_audio']}: 'low/page.mp3'" in describe(found)


def test_the_bar_goes_to_stderr_when_asked_for(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import_folder(corpus)
    assert capsys.readouterr() == ("", "")
    import_folder(corpus, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "24/24" in err


# -- cutting ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.3, 0.9, 1.0, 1.3, 1.5, 2.0, 2.002, 2.7, 3.25])
def test_recordings_are_cut_as_prediction_cuts_them(tmp_path: Path, tone: Tone, seconds: float) -> None:
    (tmp_path / "x").mkdir()
    soundfile.write(tmp_path / "x" / "a.wav", tone(seconds=seconds), 22050)
    found = import_folder(tmp_path, clip_seconds=1.0)
    frame = found.table.frame
    wanted = list(audio.slide(tmp_path / "x" / "a.wav", 1.0, 1.0, None))
    assert frame["start"].tolist() == pytest.approx([start for start, _, _ in wanted], abs=1e-3)
    ends = frame["end"].fillna(seconds).tolist()
    assert ends == pytest.approx([end for _, end, _ in wanted], abs=1e-3)
    assert found.seconds.tolist() == pytest.approx([end - start for start, end, _ in wanted], abs=1e-3)
    for (start, end), (_, _, clip) in zip(frame[["start", "end"]].to_numpy(), wanted, strict=True):
        np.testing.assert_array_equal(audio.read(tmp_path / "x" / "a.wav", None, start, end), clip)


def test_a_rest_within_a_millisecond_is_no_clip_of_its_own(tmp_path: Path, tone: Tone) -> None:
    (tmp_path / "x").mkdir()
    soundfile.write(tmp_path / "x" / "a.wav", tone(seconds=2.0009), 22050)
    assert import_folder(tmp_path, clip_seconds=1.0).table.frame["start"].tolist() == [0.0, 1.0]


def test_excerpts_are_cut_within_themselves(metadata: Callable[[str], Path]) -> None:
    folder = metadata("path,start,end,label,group\nlow/low_00.wav,0.1,0.75,x,g\nlow/low_01.wav,0.5,,y,h\n")
    frame = import_folder(folder, clip_seconds=0.25).table.frame
    assert frame["start"].tolist() == pytest.approx([0.1, 0.35, 0.6, 0.5, 0.75])
    assert frame["end"].tolist() == pytest.approx([0.35, 0.6, 0.75, 0.75, 1.0])
    assert frame["group"].tolist() == list("ggghh")


@pytest.mark.parametrize("seconds", [0.0, -1.0, 0.001, np.nan, np.inf])
def test_a_clip_length_that_is_none_is_refused(corpus: Path, seconds: float) -> None:
    with pytest.raises(UserError, match=r"clip length: found .* s, wanted 0.01 s or more"):
        import_folder(corpus, clip_seconds=seconds)


def test_an_excerpt_that_cutting_makes_twice_is_refused(metadata: Callable[[str], Path]) -> None:
    folder = metadata("path,start,end,label\nlow/low_00.wav,0,0.5,x\nlow/low_00.wav,0.25,0.75,y\n")
    with pytest.raises(
        UserError, match=r"the clip 'low/low_00.wav' from 0.25 s to 0.5 is in the table already"
    ):
        import_folder(folder, clip_seconds=0.25)


# -- in words -----------------------------------------------------------------------------------------------


def test_the_table_of_an_import_says_what_there_is(corpus: Path) -> None:
    lines = describe(import_folder(corpus, clip_seconds=0.5)).splitlines()
    assert lines[:6] == [
        "layout: folder",
        "",
        "class  files  clips  minutes  groups",
        "high      12     24      0.2      12",
        "low       12     24      0.2      12",
        "all       24     48      0.4      24",
    ]
    assert "note: each recording is a group of its own" in lines[-1]


def test_one_class_and_one_group_a_class_are_pointed_out(metadata: Callable[[str], Path]) -> None:
    rows = [f"{k}/{k}_{i:02}.wav,{k},{k},{i % 4}" for k in ("low", "high") for i in range(12)]
    text = describe(import_folder(metadata("path,label,group,pitch\n" + "\n".join(rows))))
    assert (
        "one group a class, on one side of any split: 'high', 'low'; --group pitch would group otherwise"
        in text
    )
    text = describe(import_folder(metadata("path,label\nlow/low_00.wav,x\nlow/low_01.wav,x\n")))
    assert "note: one class only; training needs at least two" in text


# -- real recordings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "n_clips", "n_classes", "n_groups"),
    [
        ("esc10", 240, 10, 188),
        ("fsdd", 520, 10, 4),
        ("instruments_cc0", 269, 9, 12),
        ("drums_cc0", 138, 9, 138),
    ],
)
def test_real_corpora_are_imported_whole(
    real_data: Path, name: str, n_clips: int, n_classes: int, n_groups: int
) -> None:
    found = import_folder(real_data / name)
    assert found.unusable == []
    assert (found.layout, len(found.table), len(found.table.classes)) == ("metadata", n_clips, n_classes)
    assert describe(found).splitlines()[3 + n_classes].split()[-1] == str(n_groups)


def test_a_real_corpus_is_cut_and_grouped_and_written(real_data: Path, tmp_path: Path) -> None:
    found = import_folder(real_data / "instruments_cc0", group_column="pitch", clip_seconds=1.0)
    write_clips(found.table, tmp_path / "clips.csv")
    again = read_clips(tmp_path / "clips.csv")
    pd.testing.assert_frame_equal(again.frame, found.table.frame)
    assert again.column("group").tolist() == again.column("pitch").tolist()
    assert all(path.is_file() for path in again.paths())
