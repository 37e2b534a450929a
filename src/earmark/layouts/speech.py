"""Corpora of spoken words: Speech Commands and the Free Spoken Digit Dataset."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import PurePosixPath

from earmark.errors import UserError
from earmark.layouts.listing import Layout, Listing, Source, listing, not_so, read_split_lists

# -- Speech Commands (Warden, 2018) -------------------------------------------------------------------------

_LISTS = {"valid": "validation_list.txt", "test": "testing_list.txt"}
_NOHASH = "_nohash_"


def _has_lists(source: Source) -> bool:
    return all((source.path / name).is_file() for name in _LISTS.values())


def _lists_commands(source: Source) -> Listing:
    """What neither list names is trained on, as the corpus means it."""
    if not _has_lists(source):
        raise not_so(source, "speechcommands", f"no {' and '.join(_LISTS.values())} in it")
    splits = read_split_lists({split: source.path / name for split, name in _LISTS.items()})
    for name, (_, place) in splits.items():
        if len(PurePosixPath(name).parts) != 2:
            raise UserError(
                place, f"found {name!r}, wanted word/file", "Take the list as the corpus brings it."
            )
    left_out: Counter[str] = Counter()
    rows = dict.fromkeys(splits, "")
    for file in source.files:
        if len(file.parts) != 2:
            left_out["beside or below the folders of the words"] += 1
        elif file.parts[0].startswith("_"):
            left_out[f"in {file.parts[0]}"] += 1
        else:
            rows[file.as_posix()] = ""
    files = sorted(rows)
    columns = {
        "file": files,
        "label": [PurePosixPath(file).parts[0] for file in files],
        "group": [_speaker(file) for file in files],
        "split": [splits[file][0] if file in splits else "train" for file in files],
    }
    return listing(source, columns, left_out, own=len(_LISTS))


def _speaker(file: str) -> str:
    """The hash of the speaker, empty where the name has none."""
    speaker, mark, _ = PurePosixPath(file).name.partition(_NOHASH)
    return speaker if mark else ""


SPEECH_COMMANDS = Layout(
    "Speech Commands: a folder a word, validation_list.txt and testing_list.txt",
    fits=_has_lists,
    lists=_lists_commands,
)

# -- Free Spoken Digit Dataset (Jackson et al.) -------------------------------------------------------------

_SPOKEN = re.compile(r"(?P<digit>\d)_(?P<speaker>[A-Za-z]+)_(?P<take>\d+)")


def _digit(file: PurePosixPath) -> re.Match[str] | None:
    return _SPOKEN.fullmatch(file.with_suffix("").name)


def _is_at_home(file: PurePosixPath) -> bool:
    """Whether no folder says another class than the file's name."""
    named = _digit(file)
    return named is not None and file.parent.name in ("", "recordings", named["digit"])


def _lists_fsdd(source: Source) -> Listing:
    named = {file: name for file in source.files if (name := _digit(file)) is not None}
    if not named:
        raise not_so(source, "fsdd", "no file such as 7_jackson_32.wav (digit, speaker, take)")
    columns = {
        "file": [file.as_posix() for file in named],
        "label": [name["digit"] for name in named.values()],
        "group": [name["speaker"] for name in named.values()],
        "take": [name["take"] for name in named.values()],
    }
    return listing(source, columns, {"not named digit_speaker_take": len(source.files) - len(named)})


FSDD = Layout(
    "Free Spoken Digit Dataset: files such as 7_jackson_32.wav (digit, speaker, take)",
    fits=lambda source: bool(source.files) and all(map(_is_at_home, source.files)),
    lists=_lists_fsdd,
)
