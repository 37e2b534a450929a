"""NSynth: notes by instrument; `examples.json` beside `audio/`, in one folder a split (Engel et al., 2017)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from earmark.errors import UserError
from earmark.layouts.listing import Layout, Listing, Source, listing, not_so, unlisted
from earmark.tables import listed

_PARTS = {"nsynth-train": "train", "nsynth-valid": "valid", "nsynth-test": "test"}
_COLUMNS = {
    "label": "instrument_family_str",
    "group": "instrument_str",
    "pitch": "pitch",
    "velocity": "velocity",
    "source": "instrument_source_str",
}
"""Our column -> key of a note."""


@dataclass(frozen=True)
class _Note:
    """A note of one part, as a row."""

    file: str
    split: str
    cells: dict[str, str]


def _parts(source: Source) -> dict[str, Path]:
    """Folder with `examples.json` relative to the source -> the split that its name says, "" for none."""
    if (source.path / "examples.json").is_file():
        return {"": source.path}
    found = {name: source.path / name for name in _PARTS}
    return {name: folder for name, folder in found.items() if (folder / "examples.json").is_file()}


def _lists(source: Source) -> Listing:
    parts = _parts(source)
    if not parts:
        raise not_so(source, "nsynth", f"no examples.json in it, nor in a folder {listed(list(_PARTS))}")
    notes = [note for name, folder in parts.items() for note in _notes_of(name, folder)]
    left_out = {"not in examples.json": unlisted(source, [note.file for note in notes])}
    columns = {"file": [note.file for note in notes]}
    columns |= {name: [note.cells[name] for note in notes] for name in (*_COLUMNS, "qualities")}
    if len(parts) > 1:  # of one part alone, the person chooses what to test on
        columns["split"] = [note.split for note in notes]
    return listing(source, columns, left_out, own=len(parts))


NSYNTH = Layout(
    "NSynth: examples.json beside audio/, or nsynth-train, nsynth-valid and nsynth-test with them",
    fits=lambda source: any((folder / "audio").is_dir() for folder in _parts(source).values()),
    lists=_lists,
)


def _notes_of(part: str, folder: Path) -> Iterator[_Note]:
    path, audio = folder / "examples.json", (PurePosixPath(part) / "audio").as_posix()
    for name, keys in _read(path).items():
        if not isinstance(keys, dict):
            raise _wrong(path, name, f"is {_word(keys)}, wanted an object of keys")
        cells = {column: _cell(path, name, keys, key) for column, key in _COLUMNS.items()}
        cells["qualities"] = _qualities(path, name, keys)
        yield _Note(f"{audio}/{name}.wav", _PARTS.get(part, ""), cells)


def _read(path: Path) -> dict[str, object]:
    try:
        notes = json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path}, line {error.lineno}, column {error.colno}",
            f"is not valid JSON: {error.msg}",
            "Copy or download it again.",
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(path, f"is not text in UTF-8: {error}", "Copy or download it again.") from error
    except OSError as error:
        raise UserError(path, f"cannot be read: {error.strerror or error}", "Check the path.") from error
    if not isinstance(notes, dict) or not notes:
        raise UserError(
            path,
            f"holds {_word(notes)}, wanted an object: note -> its keys",
            "Take the file as NSynth brings it.",
        )
    return notes


def _cell(path: Path, name: str, keys: dict[str, object], key: str) -> str:
    value = keys.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        found = f"found {key} = {json.dumps(value)}" if key in keys else f"has no key {key!r}"
        raise _wrong(path, name, f"{found}, wanted a word or a whole number")
    return str(value)


def _qualities(path: Path, name: str, keys: dict[str, object]) -> str:
    """The words of a note's qualities with `;` between them; most notes have none."""
    words = keys.get("qualities_str", [])
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise _wrong(path, name, f"found qualities_str = {json.dumps(words)}, wanted a list of words")
    return ";".join(words)


def _wrong(path: Path, name: str, problem: str) -> UserError:
    return UserError(f"{path}, note {name!r}", problem, "Take the file as NSynth brings it.")


def _word(value: object) -> str:
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    return json.dumps(value)[:40]
