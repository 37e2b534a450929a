"""Corpora of music: GTZAN (genres), IRMAS and OpenMIC-2018 (instruments)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from earmark.errors import UserError
from earmark.layouts.listing import (
    Layout,
    Listing,
    Source,
    listing,
    not_so,
    read_split_lists,
    require_columns,
    text_lines,
    unlisted,
)
from earmark.tables import listed, read_text_table

# -- GTZAN (Tzanetakis & Cook, 2002) ------------------------------------------------------------------------

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
"""The genres of GTZAN."""
_SONG = re.compile(rf"({'|'.join(GENRES)})\.\d{{5}}")
_FILTERED = {"train": "train_filtered.txt", "valid": "valid_filtered.txt", "test": "test_filtered.txt"}


def _is_song(file: PurePosixPath) -> bool:
    named = _SONG.fullmatch(file.with_suffix("").name)
    return named is not None and file.parent.name == named[1]


def _lists_gtzan(source: Source) -> Listing:
    songs = [file for file in source.files if _is_song(file)]
    if not songs:
        raise not_so(source, "gtzan", "no folder of a genre with files such as blues/blues.00000.wav")
    homes = sorted({file.parent.parent for file in songs})
    if len(homes) > 1:
        found = listed([home.as_posix() for home in homes])
        raise UserError(
            source.path, f"the genres stand in {len(homes)} folders: {found}", "Name one of them."
        )
    left_out = {"not named as GTZAN names its songs": len(source.files) - len(songs)}
    lists = _filtered_lists(source, homes[0])
    if not lists:
        columns = {"file": [f.as_posix() for f in songs], "label": [f.parent.name for f in songs]}
        return listing(source, columns, left_out)
    columns = _filtered(source, homes[0], lists)
    left_out["in no fault-filtered list"] = len(set(map(str, songs)) - set(columns["file"]))
    return listing(source, columns, left_out, own=sum(path.parent == source.path for path in lists.values()))


def _filtered_lists(source: Source, home: PurePosixPath) -> dict[str, Path]:
    """The fault-filtered lists (Kereliuk et al., 2015), in the folder of the genres or one above it."""
    for folder in dict.fromkeys(
        [source.path / home, source.path / home.parent, source.path.absolute().parent]
    ):
        lists = {split: folder / name for split, name in _FILTERED.items()}
        there = [path for path in lists.values() if path.is_file()]
        if there and len(there) < len(lists):
            absent = [path.name for path in lists.values() if path not in there]
            raise UserError(
                there[0], f"stands there without {listed(absent)}", "Put all three lists there, or none."
            )
        if there:
            return lists
    return {}


def _filtered(source: Source, home: PurePosixPath, lists: dict[str, Path]) -> dict[str, list[str]]:
    columns: dict[str, list[str]] = {"file": [], "label": [], "split": []}
    for name, (split, place) in read_split_lists(lists).items():
        song = PurePosixPath(name)
        if not _is_song(song):
            raise UserError(
                place, f"found {name!r}, wanted a song such as 'blues/blues.00029.wav'", "Correct the line."
            )
        file = home / song
        columns["file"].append(source.by_stem.get(file.with_suffix(""), file).as_posix())
        columns["label"].append(song.parent.name)
        columns["split"].append(split)
    return columns


GTZAN = Layout(
    "GTZAN: a folder a genre with files such as blues.00000.wav; fault-filtered lists where they are there",
    fits=lambda source: bool(source.files) and all(map(_is_song, source.files)),
    lists=_lists_gtzan,
)

# -- IRMAS (Bosch et al., 2012) -----------------------------------------------------------------------------

INSTRUMENTS = ("cel", "cla", "flu", "gac", "gel", "org", "pia", "sax", "tru", "vio", "voi")
"""The instruments of IRMAS, in its own words: cello, clarinet, flute, acoustic and electric guitar, ..."""
_EXCERPT = re.compile(r"(?:\d+__)?\[(?P<instrument>\w+)\](?P<tags>(?:\[\w+\])*)(?P<song>\d+)__\d+")


def _training(file: PurePosixPath) -> re.Match[str] | None:
    """The parts of the name of a training excerpt."""
    return _EXCERPT.fullmatch(file.with_suffix("").name) if file.parent.name in INSTRUMENTS else None


def _testing(source: Source) -> dict[PurePosixPath, PurePosixPath]:
    """Text file -> recording of each testing excerpt; one that is not there would have the ending .wav."""
    found = {}
    for text in source.texts:
        stem = text.with_suffix("")
        if stem in source.by_stem or _first_word(source.path / text) in INSTRUMENTS:
            found[text] = source.by_stem.get(stem, text.with_suffix(".wav"))
    return found


def _first_word(path: Path) -> str:
    return next((line.strip() for _, line in text_lines(path)), "")


def _fits_irmas(source: Source) -> bool:
    if source.files and all(_training(file) for file in source.files):
        return True
    texts = [file.with_suffix(".txt") for file in source.files]
    there = set(source.texts) & set(texts)
    return bool(there) and _first_word(source.path / min(there)) in INSTRUMENTS


def _lists_irmas(source: Source) -> Listing:
    training, testing = [file for file in source.files if _training(file)], _testing(source)
    if training and testing:
        raise UserError(
            source.path,
            f"holds {len(training)} training excerpts (one label each) and {len(testing)} testing excerpts "
            "(several), wanted one kind",
            "Import them one after the other: name IRMAS-TrainingData, then the folder of a testing part.",
        )
    if training:
        return _lists_training(source, training)
    if testing:
        return _lists_testing(source, testing)
    wanted = "no file such as cel/[cel][nod][cla]0058__1.wav, and none with a .txt of instruments beside it"
    raise not_so(source, "irmas", wanted)


def _lists_training(source: Source, files: Sequence[PurePosixPath]) -> Listing:
    """Labels from the folders. A song's number is its own in the whole corpus, with a prefix and without."""
    columns: dict[str, list[str]] = {name: [] for name in ("file", "label", "group", "drums", "genre")}
    contradicted = 0
    for file in files:
        name = _EXCERPT.fullmatch(file.with_suffix("").name)
        assert name is not None
        if name["instrument"] != file.parent.name:
            contradicted += 1
            continue
        tags = re.findall(r"\w+", name["tags"])
        cells = (file.as_posix(), file.parent.name, name["song"])
        drums = next((tag for tag in tags if tag in ("dru", "nod")), "")
        genre = next((tag for tag in tags if tag not in ("dru", "nod")), "")
        for column, cell in zip(columns, (*cells, drums, genre), strict=True):
            columns[column].append(cell)
    left_out = {
        "in a folder of another instrument than the file's name says": contradicted,
        "not named as IRMAS names its excerpts": len(source.files) - len(files),
    }
    return listing(source, columns, left_out)


def _lists_testing(source: Source, testing: dict[PurePosixPath, PurePosixPath]) -> Listing:
    heard = {file: _instruments(source.path / text) for text, file in testing.items()}
    files = [file for file, found in heard.items() if found]
    columns = {
        "file": [file.as_posix() for file in files],
        "group": [re.sub(r"-\d+$", "", file.with_suffix("").name) for file in files],
    }
    columns |= {name: [str(int(name in heard[file])) for file in files] for name in INSTRUMENTS}
    left_out = {
        "without a .txt of instruments": unlisted(source, [file.as_posix() for file in heard]),
        "whose .txt names no instrument": len(heard) - len(files),
    }
    return listing(source, columns, left_out, own=len(testing))


def _instruments(path: Path) -> set[str]:
    found = {line.strip(): number for number, line in text_lines(path)}
    for name, number in found.items():
        if name not in INSTRUMENTS:
            raise UserError(
                f"{path}, line {number}",
                f"found {name!r}, wanted one of {listed(INSTRUMENTS)}",
                "One instrument a line, in IRMAS's words.",
            )
    return set(found)


IRMAS = Layout(
    "IRMAS: training excerpts (a folder an instrument) or testing excerpts (a .txt beside each)",
    fits=_fits_irmas,
    lists=_lists_irmas,
)

# -- OpenMIC-2018 (Humphrey et al., 2018) -------------------------------------------------------------------

_LABELS, _ARRAYS, _CLASSES = "openmic-2018-aggregated-labels.csv", "openmic-2018.npz", "class-map.json"
_RELEVANT = 0.5


def _lists_openmic(source: Source) -> Listing:
    if (source.path / _LABELS).is_file():
        marks = _marks_of_csv(source.path / _LABELS)
    elif (source.path / _ARRAYS).is_file():
        marks = _marks_of_arrays(source.path)
    else:
        raise not_so(source, "openmic", f"neither {_LABELS} nor {_ARRAYS} is in it")
    lists = {split: source.path / "partitions" / f"split01_{split}.csv" for split in ("train", "test")}
    there = [path for path in lists.values() if path.is_file()]
    if len(there) == 1:
        raise UserError(
            there[0], "stands there without the other list", "Copy partitions/ whole, or delete it."
        )
    splits = {key: split for key, (split, _) in read_split_lists(lists).items()} if there else {}
    all_keys = [str(key) for key in marks.index]
    keys = [key for key in all_keys if key in splits] if there else all_keys
    own_files = [_openmic_file(source, key) for key in all_keys]
    columns = {
        "file": [file for key, file in zip(all_keys, own_files, strict=True) if not there or key in splits],
        "group": [key.split("_")[0] for key in keys],
    }
    columns |= {str(name): marks[name].loc[keys].tolist() for name in marks}
    if there:
        columns["split"] = [splits[key] for key in keys]
    left_out = {
        "without a label": unlisted(source, own_files),
        "in no list of partitions": len(all_keys) - len(keys),
    }
    return listing(source, columns, left_out)


def _openmic_file(source: Source, key: str) -> str:
    file = PurePosixPath("audio") / key[:3] / f"{key}.ogg"
    return source.by_stem.get(file.with_suffix(""), file).as_posix()


def _marks_of_csv(path: Path) -> pd.DataFrame:
    """Sample key x instrument of `0`, `1` and empty (nobody was asked)."""
    text = read_text_table(path)
    require_columns(text, ["sample_key", "instrument", "relevance"])
    relevance = pd.to_numeric(text.frame["relevance"], errors="coerce")
    text.refuse(~relevance.between(0, 1), "relevance", "is not a number from 0 to 1", "Copy the table again.")
    frame = text.frame.assign(relevance=np.where(relevance >= _RELEVANT, "1", "0"))
    frame = frame.drop_duplicates(["sample_key", "instrument"], keep="last")
    marks = frame.pivot(index="sample_key", columns="instrument", values="relevance")
    return marks.fillna("").astype(object)


def _marks_of_arrays(folder: Path) -> pd.DataFrame:
    """The same from `Y_true`, `Y_mask` and `sample_key`."""
    places = _class_map(folder / _CLASSES)
    path = folder / _ARRAYS
    try:
        with np.load(path, allow_pickle=False) as arrays:
            truth, mask, keys = (arrays[name] for name in ("Y_true", "Y_mask", "sample_key"))
    except KeyError as error:
        raise UserError(path, f"has no array {error.args[0]!r}", "Copy it again.") from error
    except (ValueError, OSError) as error:
        raise UserError(
            path,
            f"cannot be read: {error}",
            f"Objects that were pickled are not opened, they can run code: put {_LABELS} beside it.",
        ) from error
    shape = (len(keys), len(places))
    if truth.shape != shape or mask.shape != shape:
        raise UserError(
            path, f"Y_true is {truth.shape}, Y_mask {mask.shape}, wanted {shape}", "Copy it again."
        )
    marks = np.where(mask.astype(bool), np.where(truth >= _RELEVANT, "1", "0"), "").astype(object)
    names = sorted(places, key=lambda name: places[name])
    return pd.DataFrame(marks, index=[str(key) for key in keys], columns=names)


def _class_map(path: Path) -> dict[str, int]:
    try:
        places = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(path, f"cannot be read: {error.strerror or error}", "Copy it again.") from error
    except ValueError as error:
        raise UserError(path, f"is not valid JSON: {error}", "Copy it again.") from error
    if not isinstance(places, dict) or sorted(places.values(), key=str) != sorted(
        range(len(places)), key=str
    ):
        raise UserError(path, "wanted an object: instrument -> its place from 0", "Copy it again.")
    return places


OPENMIC = Layout(
    "OpenMIC-2018: aggregated labels beside audio/ and partitions/; what nobody was asked is unknown",
    fits=lambda source: (
        any((source.path / name).is_file() for name in (_LABELS, _ARRAYS))
        and (source.path / "audio").is_dir()
    ),
    lists=_lists_openmic,
)
