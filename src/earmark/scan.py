"""Which files of a folder are recordings: told by their names and first bytes, the others counted."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from earmark.errors import UserError

_ENDINGS = (
    "wav", "wave", "rf64", "w64", "flac", "ogg", "oga", "opus", "spx", "mp3", "mp2", "mpga", "m4a", "m4b",
    "mp4", "aac", "adts", "alac", "aif", "aiff", "aifc", "afc", "au", "snd", "caf", "voc", "sph", "wma",
    "asf", "webm", "weba", "mka", "amr", "3gp", "ac3", "ape", "wv", "tta",
)  # fmt: skip
SUFFIXES = frozenset(f".{ending}" for ending in _ENDINGS)
"""Endings of sound files, in lower case."""

HEAD_BYTES = 4096
"""How much of a file `is_audio` and `describe_bytes` want to see."""

_SYSTEM = (
    "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", ".ds_store", ".localized", ".directory", "__macosx",
    "$recycle.bin", "system volume information", "lost+found", "@eadir", ".trashes", ".fseventsd",
)  # fmt: skip
_STARTS = (
    b"fLaC", b"OggS", b"ID3", b"caff", b".snd", b"dns.", b"wvpk", b"MAC ", b"TTA1", b"#!AMR", b"NIST_1A",
    b"\x0b\x77", b"Creative Voice File", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b"\x1a\x45\xdf\xa3",
    b"riff\x2e\x91\xcf\x11",
)  # fmt: skip
_MP4_BRANDS = (b"M4A", b"M4B", b"mp4", b"iso", b"3gp", b"das", b"f4a", b"qt ")
_OTHER_KINDS = {
    b"version https://git-lfs": "a Git LFS pointer, not the sound itself: run `git lfs pull`",
    b"<!doctype": "a web page",
    b"<html": "a web page",
    b"<?xml": "XML text",
    b"{": "JSON or other text",
    b"#extm3u": "a playlist",
    b"\x89png": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"gif8": "a GIF picture",
    b"%pdf": "a PDF document",
    b"pk\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"rar!": "a RAR archive",
    b"mthd": "MIDI notes, which hold no sound",
    b"\x00\x05\x16\x07": "a macOS side file",
}


@dataclass(frozen=True)
class Scan:
    """What a folder holds."""

    files: tuple[Path, ...]
    """The recordings, sorted by path."""
    left_out: dict[str, int]
    """Why -> how many entries: "hidden", "system", "not audio", "folder that cannot be opened"."""


def scan(folder: str | Path) -> Scan:
    """Find the recordings in `folder` and in the folders under it.

    A file is taken for a recording by its ending (in any case) or by its first bytes. Links are followed; one
    that leads nowhere is kept when its name says sound, so that it is reported later instead of disappearing.

    Raises:
        UserError: `folder` is not there, is not a folder, or must not be read.
    """
    folder = Path(folder)
    try:
        with os.scandir(folder):
            pass
    except NotADirectoryError as error:
        raise UserError(
            folder, "a folder was wanted, this is a file", "Name the folder that it is in."
        ) from error
    except OSError as error:
        raise UserError(folder, f"cannot open this folder ({error.strerror})", "Check its name.") from error
    files: list[Path] = []
    left_out: Counter[str] = Counter()
    _walk(folder, files, left_out, seen=set())
    return Scan(tuple(sorted(files)), dict(left_out))


def is_audio(head: bytes) -> bool:
    """Whether a file that begins with `head` (`HEAD_BYTES` are plenty) is a sound file that we know."""
    if head.startswith(_STARTS):
        return True
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64", b"FORM"):
        return head[8:12] in (b"WAVE", b"AIFF", b"AIFC")
    if head[4:8] == b"ftyp":
        return head[8:11] in _MP4_BRANDS
    return _is_mpeg_frame(head)


def describe_bytes(head: bytes) -> str:
    """What a file that is no sound file seems to be, for a message: "a PNG picture"; else its first bytes."""
    for start, words in _OTHER_KINDS.items():
        if head.lstrip(b"\xef\xbb\xbf \r\n\t").lower().startswith(start):
            return words
    if not head.strip(b"\0"):
        return "nothing but zero bytes, as an interrupted copy or download leaves them"
    if all(byte >= 32 or byte in b"\t\r\n\f" for byte in head):
        return f"text that begins {head[:24].decode('utf-8', 'replace')!r}"
    return f"bytes that begin {head[:8].hex(' ')}"


def _walk(folder: Path, files: list[Path], left_out: Counter[str], seen: set[tuple[int, int]]) -> None:
    """Add what is in `folder`; `seen` holds the folders visited, so that links in a circle end."""
    try:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in seen:
            return
        seen.add((status.st_dev, status.st_ino))
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        left_out["folder that cannot be opened"] += 1
        return
    for entry in entries:
        reason = _why_left_out(entry)
        if reason:
            left_out[reason] += 1
        elif _is_folder(entry):
            _walk(folder / entry.name, files, left_out, seen)
        else:
            files.append(folder / entry.name)


def _why_left_out(entry: os.DirEntry[str]) -> str:
    """Why an entry of a folder is neither a recording nor a folder to look into, or ''."""
    name = entry.name.lower()
    if name in _SYSTEM or name.startswith("._"):
        return "system"
    if name.startswith("."):
        return "hidden"
    if _is_folder(entry) or _may_be_sound(entry):
        return ""
    return "not audio"


def _may_be_sound(entry: os.DirEntry[str]) -> bool:
    by_name = os.path.splitext(entry.name)[1].lower() in SUFFIXES
    try:
        if not entry.is_file():  # never open a pipe or a device to look inside
            return by_name and not os.path.exists(entry.path)  # a link that leads nowhere
        if by_name:
            return True
        with open(entry.path, "rb") as file:
            return is_audio(file.read(HEAD_BYTES))
    except OSError:
        return by_name


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False


def _is_mpeg_frame(head: bytes) -> bool:
    """Whether `head` begins with the header of an MPEG layer II or III frame, or of an ADTS (AAC) frame."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    layer, rate, bits = head[1] >> 1 & 3, head[2] >> 2 & 3, head[2] >> 4
    if layer == 0:
        return head[1] & 0xF0 == 0xF0 and (head[2] >> 2 & 15) < 13
    return layer in (1, 2) and head[1] >> 3 & 3 != 1 and rate != 3 and bits not in (0, 15)
