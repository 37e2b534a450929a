from __future__ import annotations

import os
import string
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from earmark.clips import (
    ClipTable,
    clips_from,
    format_seconds,
    join,
    read_clips,
    regrouped,
    require_classes,
    write_clips,
)
from earmark.errors import UserError
from earmark.tables import TextTable, read_text_table

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(text: str | bytes, name: str = "clips.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return make


def table_of(
    files: list[str], start: list[float], end: list[float], labels: list[str] | None = None
) -> ClipTable:
    columns = {"file": pd.Series(files, dtype=object), "start": np.array(start), "end": np.array(end)}
    columns["label"] = pd.Series(labels or ["x"] * len(files), dtype=object)
    return clips_from(TextTable(pd.DataFrame(columns), "here"), Path("/sounds"))


# -- reading ------------------------------------------------------------------------------------------------


def test_a_table_with_a_label_column_is_single_label_and_carries_the_rest(write: Write) -> None:
    table = read_clips(write("file,label,start,end,wet\na.wav,dog,0,1.5,1\nb.wav,cat,,,0\n"))
    assert (table.classes, table.multi_label, len(table)) == (("cat", "dog"), False, 2)
    assert table.targets().tolist() == [1, 0]
    assert table.frame["start"].tolist() == [0.0, 0.0]
    assert table.frame["end"].tolist() == pytest.approx([1.5, np.nan], nan_ok=True)
    assert table.column("wet").tolist() == ["1", "0"]
    assert table.column("artist") is None
    assert list(table.frame) == ["file", "start", "end", "label", "wet"]


def test_no_word_means_missing(write: Write) -> None:
    names = ["None", "NA", "007", "nan", "null", "True", "1e3", "N/A", "-"]
    table = read_clips(
        write("file,label,group\n" + "".join(f"{i}.wav,{n},{n}\n" for i, n in enumerate(names)))
    )
    assert set(table.classes) == set(names)
    assert table.column("group").tolist() == names


def test_without_a_label_column_those_of_0_1_and_empty_are_classes(write: Write) -> None:
    table = read_clips(write("file,dog,note,rain,fold,empty\na.wav,1,x,0,1,\nb.wav,0,,,0,\n"))
    assert (table.classes, table.multi_label) == (("dog", "rain"), True)
    np.testing.assert_array_equal(table.targets(), np.array([[1, 0], [0, np.nan]], np.float32))
    assert table.targets().dtype == np.float32


def test_marks_that_pandas_wrote_as_floats_are_marks(write: Write) -> None:
    table = read_clips(write("file,dog\na.wav,1.0\nb.wav,0.0\nc.wav,\n"))
    assert table.column("dog").tolist() == ["1", "0", ""]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_delimiters_byte_order_marks_and_line_ends_are_told(
    write: Write, delimiter: str, mark: bytes, newline: str
) -> None:
    rows = [["file", "label", "start"], ["a.wav", "dog", "1"], ["b.wav", "cat", "2"]]
    text = newline.join(delimiter.join(row) for row in rows)
    table = read_clips(write(mark + text.encode()))
    assert table.frame["file"].tolist() == ["a.wav", "b.wav"]
    assert table.classes == ("cat", "dog")


def test_a_utf_16_table_from_a_spreadsheet_is_read(write: Write) -> None:
    assert read_clips(write("file\tlabel\nä.wav\tdog\n".encode("utf-16"))).frame["file"].tolist() == ["ä.wav"]


def test_semicolon_tables_may_have_decimal_commas(write: Write) -> None:
    table = read_clips(write("file;start;end;label\na.wav;0,5;1,25;x\n"))
    assert table.frame[["start", "end"]].iloc[0].tolist() == [0.5, 1.25]


def test_numbers_keep_six_decimals(write: Write) -> None:
    table = read_clips(write("file,start,end,label\na.wav,0.30000000000000004,1.23456789,x\n"))
    assert table.frame[["start", "end"]].iloc[0].tolist() == [0.3, 1.234568]
    assert [format_seconds(s) for s in (0.3, 1.234568, 5.0, 1e5, np.nan)] == [
        "0.3",
        "1.234568",
        "5",
        "100000",
        "",
    ]


def test_tables_without_labels_are_read_on_request(write: Write) -> None:
    table = read_clips(write("file,score\na.wav,0.5\n"), labels=False)
    assert (table.classes, table.multi_label, table.column("score").tolist()) == ((), False, ["0.5"])


# -- what is refused, and where ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("file,label\n", r"header \('file', 'label'\) but no rows"),
        ("fiel,label\na,b\n", r"header: no column 'file'.*found 'fiel', 'label'. Did you mean 'fiel'"),
        ("file,Label\na,b\n", r"header: found column 'Label', wanted 'label'"),
        ("file,lable\na,b\n", r"no column 'label'.*Did you mean 'lable'"),
        ("file,label,file\na,b,c\n", r"column 3 is a second 'file'"),
        ("file,label,\na,b,c\n", r"column 3 has no name"),
        ("file,label\na,b\nc,d,e\n", r"line 3: found 3 fields, the header has 2"),
        ("file,label\na\n", r"line 2: found 1 fields"),
        ('file,label\na,b\n"c,d\n', r"line 3: the row that begins here cannot be read.*quotation mark"),
        ("file,label\n,b\n", r"line 2: file \(''\) names no file"),
        ("file,label\na,x\nb, \nc,\n", r"line 3: label \(' '\) is empty \(so do 1 more rows\)"),
        ("file,start,label\na,1s,x\n", r"line 2: start \('1s'\) is not a number of seconds.*like 1.25"),
        ("file,start,label\na,-1,x\n", r"line 2: start \('-1'\) is not a number of seconds from 0"),
        ("file,start,label\na,nan,x\n", r"start \('nan'\) is not"),
        ("file,end,label\na,inf,x\n", r"end \('inf'\) is not"),
        ("file,end,label\na,1_0,x\n", r"end \('1_0'\) is not"),
        ("file,start,end,label\na,2,1.0,x\n", r"line 2: end \(1\) must come after start \(2\)"),
        ("file,end,label\na,0,x\n", r"end \(0\) must come after start \(0\)"),
        ("file,label\na,x\nb,x\na,y\n", r"line 4: the clip 'a' from 0 s to its end is in the table.*line 2"),
        ("file,start,end,label\na,1,2,x\na,1.0004,2.0004,x\n", r"the clip 'a' from 1.0004 s to 2.0004"),
        ("file,label\na,group\n", r"line 2: class 'group' is a word of the clip table"),
        ("file,label\na,reason\n", r"class 'reason' is a word"),
        ("file,label\na,Dog\nb,dog\n", r"line 3: class 'dog' differs only by case.*'Dog' .*line 2"),
        ("file,label\na,dog\nb,dog \n", r"line 3: class 'dog ' differs only by case, outer space"),
        ("file,label\na,fl\u00f6te\nb,flo\u0308te\n", r"coding of accents"),
        ("file,Dog,dog\na,1,0\n", r"header: class 'dog' differs only"),
        (b"file,label\na,fl\xf6te\n", r"class 'fl\\udcf6te' holds .*bytes that are not UTF-8"),
        ("file,dog\n" + "".join(f"{i},{i % 2}\n" for i in range(10)) + "x,l\n", "line 12: dog .* is neither"),
        (b"\xff\xfea\0b", "is not the text that it begins as"),
        (b"PK\x03\x04rest", r"is a spreadsheet or an archive.*Save it as CSV"),
    ],
)  # fmt: skip
def test_a_bad_table_is_refused_in_words(write: Write, text: str | bytes, words: str) -> None:
    with pytest.raises(UserError, match=f"(?s)clips.csv.*{words}"):
        read_clips(write(text))


def test_a_missing_table_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere.csv: cannot be read: No such file"):
        read_clips(tmp_path / "nowhere.csv")
    with pytest.raises(UserError, match="cannot be read"):
        read_clips(tmp_path)


def test_lines_are_counted_as_an_editor_counts_them(write: Write) -> None:
    above = 'file,label\n\n"a\nb\r\nc.wav",x\n,\n\n'
    with pytest.raises(UserError, match=r"line 8: found 1 fields"):
        read_clips(write(above + "d.wav\n"))
    with pytest.raises(UserError, match=r"line 10: the clip 'd.wav'.*\(.*line 8\)"):
        read_clips(write(above + "d.wav,x\ne.wav,x\nd.wav,x\n"))


def test_text_tables_know_the_line_of_each_row(write: Write) -> None:
    text = read_text_table(write('a,b\n1,"x\ny"\n\n,\n2,z\n'))
    assert text.lines.tolist() == [2, 6]
    assert text.frame.to_numpy().tolist() == [["1", "x\ny"], ["2", "z"]]


def test_a_column_without_name_and_text_is_left_out(write: Write) -> None:
    assert list(read_clips(write("file,label,\na,x,\n")).frame) == ["file", "start", "end", "label"]


# -- writing ------------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
# Names as a Linux folder may hold them: any bytes but zero, not only UTF-8.
file_names = st.binary(min_size=1, max_size=12).filter(lambda b: b"\0" not in b).map(os.fsdecode)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.lists(file_names, min_size=1, max_size=6, unique=True),
    notes=st.lists(texts, min_size=6, max_size=6),
    starts=st.lists(st.integers(0, 10**9), min_size=6, max_size=6),
    lengths=st.lists(st.one_of(st.none(), st.integers(1000, 10**9)), min_size=6, max_size=6),
)
def test_what_is_written_is_read_again(
    tmp_path: Path, files: list[str], notes: list[str], starts: list[int], lengths: list[int | None]
) -> None:
    n = len(files)
    start = np.array(starts[:n]) / 1e6
    spans = zip(starts, lengths, strict=True)
    end = np.array([np.nan if length is None else (s + length) / 1e6 for s, length in spans])
    table = table_of(files, start.tolist(), end[:n].tolist()).with_column("note, or not", notes[:n])
    write_clips(table, tmp_path / "out.csv")
    again = read_clips(tmp_path / "out.csv")
    pd.testing.assert_frame_equal(again.frame, table.frame)
    assert again.root == table.root
    assert join(table, again).tolist() == list(range(n))


@pytest.mark.parametrize(
    "name", ["a\rb.wav", "a\nb.wav", "a\r\nb.wav", 'a"b.wav', "a,b.wav", "a;b.wav", " a ", "\ufeffa"]
)
def test_names_that_mean_something_in_csv_are_read_again(tmp_path: Path, name: str) -> None:
    write_clips(table_of([name, "plain.wav"], [0.0, 0.0], [1.0, 1.0]), tmp_path / "out.csv")
    assert read_clips(tmp_path / "out.csv").column("file").tolist() == [name, "plain.wav"]


def test_file_names_that_are_not_utf_8_lead_to_their_files(tmp_path: Path) -> None:
    name = os.fsdecode(b'fl\xf6te, "no" 2\n.wav')
    (tmp_path / name).write_bytes(b"sound")
    write_clips(
        ClipTable(table_of([name], [0.0], [np.nan]).frame, tmp_path, ("x",), False), tmp_path / "clips.csv"
    )
    assert read_clips(tmp_path / "clips.csv").paths()[0].read_bytes() == b"sound"


def test_the_root_is_remembered_and_can_be_named(tmp_path: Path) -> None:
    frame = table_of(["a.wav"], [0.0], [np.nan]).frame
    inside, outside = tmp_path / "project" / "sounds", tmp_path / "elsewhere"
    path = tmp_path / "project" / "clips.csv"
    write_clips(ClipTable(frame, outside, ("x",), False), path)
    assert read_clips(path).paths() == [outside / "a.wav"]
    write_clips(ClipTable(frame, inside, ("x",), False), path)
    assert read_clips(path).root == inside
    (tmp_path / "project").rename(tmp_path / "moved")
    assert read_clips(tmp_path / "moved" / "clips.csv").root == tmp_path / "moved" / "sounds"
    with pytest.raises(UserError, match="there is no such folder"):
        read_clips(tmp_path / "moved" / "clips.csv", root=outside)
    outside.mkdir()
    assert read_clips(tmp_path / "moved" / "clips.csv", root=outside).root == outside
    (tmp_path / "moved" / "clips.csv.root").unlink()
    assert read_clips(tmp_path / "moved" / "clips.csv").root == tmp_path / "moved"


# -- joining ------------------------------------------------------------------------------------------------


def test_clips_are_joined_within_a_millisecond() -> None:
    nan = np.nan
    left = table_of(["a", "a", "a", "b", "c", "a"], [0, 1, 2, 0, 0, 3], [1, 2, 3, nan, 1, nan])
    right = table_of(
        ["b", "a", "a", "a", "c"], [0.001, 2.0009, 0.9995, 0, 0], [nan, 2.9991, 2.0005, 1.0015, nan]
    )
    assert join(left, right).tolist() == [-1, 2, 1, 0, -1, -1]


def test_the_nearest_of_several_is_joined_whatever_their_order() -> None:
    right = table_of(["a", "a", "a"], [0.0, 0.0, 0.0], [5.0, 1.0, 3.0])
    assert join(table_of(["a", "a"], [0.0004, 0.0], [3.0, 5.0]), right).tolist() == [2, 0]
    near = table_of(["a", "a"], [0.0, 0.0011], [1.0, 1.0])
    assert join(table_of(["a"], [0.0008], [1.0]), near).tolist() == [1]
    assert join(table_of(["a"], [0.0003], [1.0]), near).tolist() == [0]


@settings(max_examples=60)
@given(st.data())
def test_joining_agrees_with_looking_at_every_pair(data: st.DataObject) -> None:
    def clips() -> ClipTable:
        keys = st.tuples(st.sampled_from("ab"), st.integers(0, 6), st.one_of(st.none(), st.integers(1, 4)))
        rows = data.draw(
            st.lists(keys, max_size=8, unique_by=lambda k: (k[0], k[1] // 2, k[2] and k[2] // 2))
        )
        start = [row[1] * 7e-4 for row in rows]
        end = [np.nan if row[2] is None else s + row[2] * 0.7 for row, s in zip(rows, start, strict=True)]
        frame = pd.DataFrame(
            {"file": pd.Series([r[0] for r in rows], dtype=object), "start": start, "end": end}
        )
        return ClipTable(frame.astype({"start": float, "end": float}), Path(), (), False)

    left, right = clips(), clips()
    found = join(left, right)
    for i, (file, start, end) in enumerate(left.frame.itertuples(index=False)):
        off = {
            j: abs(s - start) + (0 if np.isnan(e) and np.isnan(end) else abs(e - end))
            for j, (f, s, e) in enumerate(right.frame.itertuples(index=False))
            if f == file and abs(s - start) < 1.0004e-3
            and ((np.isnan(e) and np.isnan(end)) or abs(e - end) < 1.0004e-3)
        }  # fmt: skip
        assert (found[i] == -1) == (not off)
        assert not off or off[found[i]] == pytest.approx(min(off.values()), abs=2e-6)


# -- using --------------------------------------------------------------------------------------------------


def test_targets_follow_the_order_that_is_asked_for() -> None:
    table = table_of(["a", "b"], [0, 0], [1, 1], ["dog", "cat"])
    assert table.targets(["rain", "dog", "cat"]).tolist() == [1, 2]
    assert table.targets().dtype == np.int64
    with pytest.raises(
        UserError, match=r"class 'dog': is in the table but not among the 2 classes.*mean 'dogs'"
    ):
        table.targets(["cat", "dogs"])


def test_a_class_without_column_is_unknown(write: Write) -> None:
    table = read_clips(write("file,dog\na,1\n"))
    np.testing.assert_array_equal(table.targets(["cat", "dog"]), [[np.nan, 1]])
    with pytest.raises(UserError, match="class 'dog'"):
        table.targets(["cat"])


def test_rows_are_taken_by_mask_and_by_index() -> None:
    table = table_of(["a", "b", "c"], [0, 0, 0], [1, 1, 1], ["x", "y", "z"])
    assert table.take(np.array([True, False, True])).column("file").tolist() == ["a", "c"]
    taken = table.take([2, 0])
    assert taken.column("file").tolist() == ["c", "a"]
    assert taken.classes == ("x", "y", "z")
    assert taken.frame.index.tolist() == [0, 1]
    assert len(table.take(np.array([], int))) == 0


def test_columns_are_added_and_replaced_as_text() -> None:
    table = table_of(["a", "b"], [0, 0], [1, 1]).with_column("split", ["train", "test"])
    assert table.column("split").tolist() == ["train", "test"]
    assert table.frame["split"].dtype == object
    again = table.with_column("split", ["test", "test"])
    assert again.column("split").tolist() == ["test", "test"]
    assert table.column("split").tolist() == ["train", "test"]


def test_another_column_becomes_the_group() -> None:
    table = table_of(["a", "b"], [0, 0], [1, 1]).with_column("pitch", ["60", "61"])
    assert regrouped(table, "pitch").column("group").tolist() == ["60", "61"]
    assert regrouped(table, None) is table
    own = regrouped(table.with_column("group", ["a", "b"]), "pitch")
    again = regrouped(own, "pitch")
    assert again.column("given_group").tolist() == ["a", "b"]
    assert again.frame.columns.is_unique
    with pytest.raises(UserError, match=r"--group pich: the table has no such column. Did you mean 'pitch'"):
        regrouped(table, "pich")
    with pytest.raises(UserError, match="no such column"):
        regrouped(table, "group")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file,label\na,x\nb,x\n", r"found 1 \('x'\), training needs at least two"),
        ("file,label\na,x\nb,x\nc,y\n", "class 'y': found 1 clip of it"),
        ("file,dog\na,1\nb,1\nc,0\n", "class 'dog': found 1 clip without it"),
        ("file,dog\na,1\nb,0\nc,0\nd,\n", "class 'dog': found 1 clip of it"),
    ],
)
def test_what_cannot_be_trained_is_refused(write: Write, text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        require_classes(read_clips(write(text)))


def test_what_can_be_trained_is_not_refused(write: Write) -> None:
    require_classes(read_clips(write("file,label\na,x\nb,x\nc,y\nd,y\n")))
    require_classes(read_clips(write("file,dog\na,1\nb,1\nc,0\nd,0\n")))


def test_the_letters_of_a_class_name_are_free(write: Write) -> None:
    names = ["a b", "a,b", 'a"b', "ä", "日本", "0", "1", "<b>", "a/b", "*", *string.punctuation]
    path = write("")
    write_clips(
        table_of([f"{i}" for i in range(len(names))], [0.0] * len(names), [1.0] * len(names), names), path
    )
    assert set(read_clips(path).classes) == set(names)
