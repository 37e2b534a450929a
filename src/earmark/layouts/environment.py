"""Corpora of sounds around us: ESC-50, its subset ESC-10, and UrbanSound8K."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath

import pandas as pd

from earmark.errors import UserError
from earmark.layouts.listing import (
    Layout,
    Listing,
    Source,
    all_left_out,
    listing,
    not_so,
    require_columns,
    unlisted,
)
from earmark.tables import TextTable, read_text_table

# -- ESC (Piczak, 2015) -------------------------------------------------------------------------------------

_ESC_TABLE = "meta/esc50.csv"
_NAMED = re.compile(r"(?P<fold>[1-5])-(?P<clip>\d+)-(?P<take>[A-Z])(?:-(?P<target>\d+))?")
_NUMBERED = re.compile(r"\d+ - ")
ESC50 = (
    "dog", "rooster", "pig", "cow", "frog", "cat", "hen", "insects", "sheep", "crow",
    "rain", "sea_waves", "crackling_fire", "crickets", "chirping_birds",
    "water_drops", "wind", "pouring_water", "toilet_flush", "thunderstorm",
    "crying_baby", "sneezing", "clapping", "breathing", "coughing",
    "footsteps", "laughing", "brushing_teeth", "snoring", "drinking_sipping",
    "door_wood_knock", "mouse_click", "keyboard_typing", "door_wood_creaks", "can_opening",
    "washing_machine", "vacuum_cleaner", "clock_alarm", "clock_tick", "glass_breaking",
    "helicopter", "chainsaw", "siren", "car_horn", "engine",
    "train", "church_bells", "airplane", "fireworks", "hand_saw",
)  # fmt: skip
"""The classes of ESC-50, each at the place that is its number in file names."""
ESC10 = (
    "dog", "rooster", "rain", "sea_waves", "crackling_fire",
    "crying_baby", "sneezing", "clock_tick", "helicopter", "chainsaw",
)  # fmt: skip
"""Those of ESC-10."""


def _esc(file: PurePosixPath) -> re.Match[str] | None:
    return _NAMED.fullmatch(file.with_suffix("").name)


def _lists_esc50(source: Source) -> Listing:
    if (source.path / _ESC_TABLE).is_file():
        return _by_table(source)
    files = [file for file in source.files if (named := _esc(file)) and named["target"] is not None]
    if not files:
        raise not_so(source, "esc50", f"no {_ESC_TABLE}, and no file such as 1-100032-A-0.wav")
    return _by_names(source, files, _label_by_number)


def _lists_esc10(source: Source) -> Listing:
    """The ten classes out of ESC-50, or ESC-10 as it was first given out: a folder a class."""
    if (source.path / _ESC_TABLE).is_file():
        return _only_esc10(_by_table(source))
    files = [file for file in source.files if _esc(file)]
    numbered = [file for file in files if (named := _esc(file)) and named["target"] is not None]
    if numbered:
        return _only_esc10(_by_names(source, numbered, _label_by_number))
    files = [file for file in files if len(file.parts) > 1]
    if not files:
        raise not_so(source, "esc10", "no file such as '001 - Dog bark/1-100032-A.ogg' or 1-100032-A-0.wav")
    return _by_names(source, files, lambda file: _NUMBERED.sub("", file.parent.name))


def _by_table(source: Source) -> Listing:
    text = read_text_table(source.path / _ESC_TABLE)
    require_columns(text, ["filename", "fold", "category"])
    text.refuse(text.frame["filename"] == "", "filename", "is empty", "Copy the table again.")
    files = [f"audio/{name}" for name in text.frame["filename"]]
    named = [_esc(PurePosixPath(name)) for name in text.frame["filename"]]
    text.refuse(
        [name is None for name in named], "filename", "is not named as ESC-50 names its clips", _AS_IS
    )
    columns = {
        "file": files,
        "label": text.frame["category"],
        "group": [name["clip"] for name in named if name is not None],
        "fold": text.frame["fold"],
    }
    table = replace(text, frame=pd.DataFrame(columns, dtype=object))
    return Listing(table, all_left_out(source, {f"not in {_ESC_TABLE}": unlisted(source, files)}, own=1))


_AS_IS = "Take the table as the corpus brings it."


def _by_names(source: Source, files: list[PurePosixPath], label: Callable[[PurePosixPath], str]) -> Listing:
    named = [name for file in files if (name := _esc(file)) is not None]
    columns = {
        "file": [file.as_posix() for file in files],
        "label": [label(file) for file in files],
        "group": [name["clip"] for name in named],
        "fold": [name["fold"] for name in named],
        "take": [name["take"] for name in named],
    }
    return listing(source, columns, {"not named as ESC names its clips": len(source.files) - len(files)})


def _label_by_number(file: PurePosixPath) -> str:
    named = _esc(file)
    assert named is not None
    number = int(named["target"])
    if number >= len(ESC50):
        raise UserError(
            file.as_posix(),
            f"found class number {number}, ESC-50's are 0 to {len(ESC50) - 1}",
            "Rename the file as ESC-50 does: fold-clip-take-class.wav.",
        )
    return ESC50[number]


def _only_esc10(found: Listing) -> Listing:
    frame = found.text.frame
    kept = frame["label"].isin(ESC10)
    lines = found.text.lines
    text = TextTable(
        frame[kept].reset_index(drop=True),
        found.text.where,
        None if lines is None else lines[kept.to_numpy()],
    )
    left_out = {**found.left_out, "of classes that ESC-10 has not": int((~kept).sum())}
    return replace(found, text=text, left_out={why: n for why, n in left_out.items() if n})


def _fits_esc50(source: Source) -> bool:
    if (source.path / _ESC_TABLE).is_file():
        return True
    named = [_esc(file) for file in source.files]
    return bool(named) and all(name is not None and name["target"] is not None for name in named)


def _fits_esc10(source: Source) -> bool:
    """ESC-10 as it was first given out; as part of ESC-50 it has to be asked for."""
    return bool(source.files) and all(
        (named := _esc(file)) is not None and named["target"] is None and _NUMBERED.match(file.parent.name)
        for file in source.files
    )


ESC_50 = Layout(
    f"ESC-50: {_ESC_TABLE} beside audio/, or files such as 1-100032-A-0.wav (fold, clip, take, class)",
    fits=_fits_esc50,
    lists=_lists_esc50,
)
ESC_10 = Layout(
    "ESC-10: the ten classes out of ESC-50, or folders such as '001 - Dog bark'",
    fits=_fits_esc10,
    lists=_lists_esc10,
)

# -- UrbanSound8K (Salamon et al., 2014) --------------------------------------------------------------------

_URBAN_TABLE = "metadata/UrbanSound8K.csv"


def _lists_urbansound(source: Source) -> Listing:
    path = source.path / _URBAN_TABLE
    if not path.is_file():
        raise not_so(source, "urbansound8k", f"no {_URBAN_TABLE} in it")
    text = read_text_table(path)
    require_columns(text, ["slice_file_name", "fsID", "start", "end", "fold", "class"])
    names = text.frame["slice_file_name"]
    text.refuse(names == "", "slice_file_name", "is empty", _AS_IS)
    # Where a slice lay in the recording that it was cut from says nothing of the slice's own file.
    ours = {"class": "label", "fsID": "group", "start": "source_start", "end": "source_end"}
    frame = text.frame.rename(columns=ours).drop(columns="slice_file_name")
    files = "audio/fold" + text.frame["fold"] + "/" + names
    frame.insert(0, "file", files.astype(object))
    left_out = {f"not in {_URBAN_TABLE}": unlisted(source, files.tolist())}
    return Listing(replace(text, frame=frame), all_left_out(source, left_out, own=1))


URBANSOUND8K = Layout(
    f"UrbanSound8K: {_URBAN_TABLE} beside audio/fold1 ... fold10",
    fits=lambda source: (source.path / _URBAN_TABLE).is_file(),
    lists=_lists_urbansound,
)
