"""A folder gives its recordings, by name or by content, and counts what it leaves out."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earmark.errors import UserError
from earmark.scan import describe_bytes, is_audio, scan


@pytest.fixture
def sound(tmp_path: Path) -> bytes:
    soundfile.write(tmp_path / "made.wav", np.zeros(100), 8000)
    data = (tmp_path / "made.wav").read_bytes()
    (tmp_path / "made.wav").unlink()
    return data


def fill(folder: Path, names: dict[str, bytes]) -> Path:
    for name, content in names.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def found(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in scan(folder).files]


def test_endings_count_in_any_case_and_first_bytes_without_one(tmp_path: Path, sound: bytes) -> None:
    names = [
        "b/a.WAV",
        "b/a.Mp3",
        "a.flac",
        "a.m4a",
        "noextension",
        "name.txt",
        "trailing.wav.",
        "double.wav.wav",
    ]
    fill(tmp_path / "in", dict.fromkeys(names, sound))
    assert found(tmp_path / "in") == sorted(names, key=lambda name: tuple(name.split("/")))
    assert scan(tmp_path / "in").left_out == {}


def test_a_file_that_is_called_sound_is_kept_to_be_reported_later(tmp_path: Path) -> None:
    fill(tmp_path, {"empty.wav": b"", "page.mp3": b"<html>"})
    (tmp_path / "dangling.wav").symlink_to("nowhere")
    (tmp_path / "loop.wav").symlink_to("loop.wav")
    (tmp_path / "dangling.txt").symlink_to("nowhere")
    assert found(tmp_path) == ["dangling.wav", "empty.wav", "loop.wav", "page.mp3"]
    assert scan(tmp_path).left_out == {"not audio": 1}


def test_what_is_left_out_is_counted_by_kind(tmp_path: Path, sound: bytes) -> None:
    system = ["._voice.wav", ".DS_Store", "desktop.ini", "Thumbs.db", "__MACOSX/a.wav"]
    hidden = [".hidden.wav", ".git/a.wav"]
    other = ["list.m3u", "metadata.csv", "cover.jpg", "notes"]
    fill(tmp_path, dict.fromkeys([*system, *hidden], sound))
    fill(tmp_path, dict.fromkeys(other, b"words, words") | {"a.wav": sound})
    assert found(tmp_path) == ["a.wav"]
    assert scan(tmp_path).left_out == {"system": 5, "hidden": 2, "not audio": 4}


def test_folders_that_look_like_files_and_links_to_folders_are_walked_once(
    tmp_path: Path, sound: bytes
) -> None:
    fill(tmp_path / "in", {"folder.wav/inside.wav": sound})
    fill(tmp_path / "elsewhere", {"far.wav": sound})
    (tmp_path / "in" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in" / "circle").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "good.wav").symlink_to(tmp_path / "elsewhere" / "far.wav")
    assert found(tmp_path / "in") == ["folder.wav/inside.wav", "good.wav", "link/far.wav"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_left_out_without_being_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    os.mkfifo(tmp_path / "pipe")
    assert found(tmp_path) == []
    assert scan(tmp_path).left_out == {"not audio": 2}


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on Unix only")
def test_names_that_are_not_utf8_are_found(tmp_path: Path, sound: bytes) -> None:
    name = os.fsdecode(b"latin1_\xe9.wav")
    fill(tmp_path, {name: sound, "new\nline.wav": sound})
    assert sorted(found(tmp_path)) == sorted([name, "new\nline.wav"])


def test_a_place_that_is_no_folder_is_refused(tmp_path: Path, sound: bytes) -> None:
    with pytest.raises(
        UserError, match=r"cannot open this folder \(No such file or directory\)\. Check its name"
    ):
        scan(tmp_path / "nowhere")
    fill(tmp_path, {"a.wav": sound})
    with pytest.raises(UserError, match="a folder was wanted, this is a file"):
        scan(tmp_path / "a.wav")


@pytest.mark.parametrize(
    "head",
    [
        b"RIFF....WAVE", b"RIFX....WAVE", b"RF64....WAVE", b"FORM....AIFC", b"fLaC", b"OggS", b"ID3\x03",
        b"\xff\xfb\x90\x00", b"\xff\xf3\x40\xc0", b"\xff\xf1\x50\x80",
        b"....ftypM4A ", b"....ftypisom", b"\x1a\x45\xdf\xa3",
        b"caff", b".snd", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b"#!AMR\n", b"wvpk",
    ],
)  # fmt: skip
def test_first_bytes_of_sound_are_known(head: bytes) -> None:
    assert is_audio(head + bytes(64))


@pytest.mark.parametrize(
    "head",
    [
        b"", b"R", b"RIFF....AVI ", b"RIFF....WEBP", b"FORM....ILBM", b"....ftypheic", b"....ftypavif",
        b"\xff\xfea\0b\0",
        b"\xff\xd8\xff\xe0", b"\x89PNG", b"MThd", b"text", b"\xff\xff\xff\xff", b"\0\0\0\0", b"PK\x03\x04",
    ],
)  # fmt: skip
def test_first_bytes_of_other_things_are_not_taken_for_sound(head: bytes) -> None:
    assert not is_audio(head + bytes(64))


def test_other_things_are_called_by_their_names() -> None:
    assert describe_bytes(b"%PDF-1.7") == "a PDF document"
    assert describe_bytes(b"\xef\xbb\xbf<?xml version='1.0'") == "XML text"
    assert describe_bytes(b"MThd\0\0\0\6") == "MIDI notes, which hold no sound"
    assert describe_bytes(b"hello\n") == "text that begins 'hello\\n'"
    assert describe_bytes(b"\x01\x02\xff") == "bytes that begin 01 02 ff"


def test_the_broken_files_are_left_out_or_kept_as_expected(real_data: Path, tmp_path: Path) -> None:
    import csv
    import tarfile

    with tarfile.open(real_data / "broken.tar") as archive:
        archive.extractall(tmp_path, filter="fully_trusted")
    (table,) = tmp_path.rglob("broken.csv")
    kept = {os.fsencode(path.relative_to(table.parent)) for path in scan(table.parent).files}
    rows = list(csv.DictReader(table.read_text("utf-8").splitlines()))
    for row in rows:
        name = row["path"].replace("\\n", "\n").replace("\\t", "\t").replace("\\xe9", "\udce9")
        if row["expected"] == "skip":
            assert os.fsencode(name) not in kept
        elif row["expected"] == "ok":
            assert os.fsencode(name) in kept
    assert b"fs/a_folder.wav/inside.wav" in kept
