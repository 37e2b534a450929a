"""One self-contained page of a corpus; it opens offline, and the only script in it is its own.

The map is drawn by `templates/explore.js`, which the page's security policy admits by its hash. Nothing is loaded.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from earmark import __version__, charts
from earmark.exploring import counting, pictures
from earmark.exploring.counting import place_of
from earmark.exploring.pictures import Drawn
from earmark.exploring.ranking import KINDS, N_FOLDS, N_RANDOM
from earmark.report import percent

if TYPE_CHECKING:
    from earmark.exploring.exploration import Exploration

BEGINS = "<!doctype html>\n<!-- earmark explore -->"
"""How the page begins: by it an exploration is known."""
MOST_ROWS = 100
"""Rows of a list; the rest is counted, and in the tables."""
_CHANNELS = {1: "mono", 2: "stereo"}
_TEMPLATES = Path(__file__).parent.parent / "templates"


def render(found: Exploration, drawn: dict[str, Drawn]) -> str:
    """The page of an exploration.

    Args:
        found: what is known of the corpus.
        drawn: the pictures of the corpus.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=percent, png=_png, mp3=_mp3, amount=amount, glyph=glyph)
    script = (_TEMPLATES / "explore.js").read_text("utf-8")
    sounds = _sounds(found)
    page = environment.get_template("explore.html").render(
        found=found,
        drawn=drawn,
        begins=BEGINS,
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        points=_for_script(_points(found, sounds)),
        sounds=_for_script({str(i): base64.b64encode(mp3).decode() for i, mp3 in sounds.items()}),
        n_sounds=len(sounds),
        legend=_legend(found),
        unusable=[(*place_of(found.corpus, i), words) for i, words in _unusable(found)[:MOST_ROWS]],
        twins=[_twins(found, one) for one in found.twins[:MOST_ROWS]],
        examples=[(one, place_of(found.corpus, one.row)) for one in found.examples],
        rates=_rates(found),
        class_sizes=_class_sizes(found),
        kinds=KINDS,
        n_folds=N_FOLDS,
        n_random=N_RANDOM,
        most_rows=MOST_ROWS,
        most_ranks=pictures.MOST_RANKS,
        made=f"{datetime.now():%Y-%m-%d %H:%M}",
        version=__version__,
    )
    return re.sub("[\ud800-\udfff]", "\ufffd", page)  # halves of characters in file names are not UTF-8


def choose_sounds(classes: NDArray[np.int64], sizes: Sequence[int], room: int, seed: int) -> list[int]:
    """Which clips can be played: in turn one of each class, drawn at random, as long as there is room.

    Args:
        classes: place of each clip's class, `[m]`.
        sizes: bytes that each sound takes in the page, `[m]`; 0: there is none.
        room: bytes for all of them.
        seed: of the draw.

    Returns:
        Places of the clips chosen, ascending.
    """
    order = np.random.default_rng(seed).permutation(len(classes))
    turns: dict[int, int] = {}
    place = []
    for i in order.tolist():
        own = int(classes[i])
        place.append((turns.get(own, 0), i))
        turns[own] = turns.get(own, 0) + 1
    chosen = []
    for _, i in sorted(place, key=lambda one: one[0]):
        if 0 < sizes[i] <= room:
            chosen.append(i)
            room -= sizes[i]
    return sorted(chosen)


def amount(seconds: float) -> str:
    """A length of time in the unit that suits it."""
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def glyph(place: int) -> tuple[str, str]:
    """Colour and name of the shape of a class on the map."""
    return charts.mark_of(place)


def _sounds(found: Exploration) -> dict[int, bytes]:
    """Short sounds by row of the table, as many as there is room for."""
    rows = found.map.rows
    snippets = found.heard.snippets(rows.tolist())
    sizes = [4 * ((len(snippets.get(i, b"")) + 2) // 3) for i in rows.tolist()]
    chosen = choose_sounds(
        found.corpus.first_class[rows], sizes, found.options.sound_bytes, found.options.seed
    )
    return {int(rows[i]): snippets[int(rows[i])] for i in chosen}


def _points(found: Exploration, sounds: dict[int, bytes]) -> dict[str, object]:
    """What the script draws: a row a clip, `[row, x, y, class, file, time, label]`, and a mark a class."""
    rows = []
    for i, (x, y) in zip(found.map.rows.tolist(), found.map.places.tolist(), strict=True):
        file, start, end = place_of(found.corpus, i)
        time = f"{start or 0} s to {end} s" if end else ("" if start in ("", "0") else f"from {start} s")
        own = int(found.corpus.first_class[i])
        rows.append([i, round(x, 4), round(y, 4), own, file, time, found.corpus.labels[i] or "no label"])
    return {"points": rows, "marks": [glyph(k) for k in range(len(found.corpus.classes))]}


def _legend(found: Exploration) -> list[tuple[int, str, int]]:
    """Place, name and number of clips of each class on the map, the commonest first."""
    own = found.corpus.first_class[found.map.rows]
    entries = [(k, name, int((own == k).sum())) for k, name in enumerate(found.corpus.classes)]
    entries = sorted((one for one in entries if one[2]), key=lambda one: (-one[2], one[1]))
    nobody = int((own < 0).sum())
    return [*entries, (-1, counting.UNLABELLED, nobody)] if nobody else entries


def _unusable(found: Exploration) -> list[tuple[int, str]]:
    return counting.unusable(found.corpus, found.heard)


def _twins(found: Exploration, one: counting.Twins) -> tuple[counting.Twins, list[str]]:
    """A sound that occurs more than once, and the clips that have it."""
    return one, [" ".join(filter(None, place_of(found.corpus, i))) for i in one.rows[:6]]


def _class_sizes(found: Exploration) -> str:
    """How large the classes are, in words."""
    sizes = sorted(one.clips for one in found.counts.classes if one.name != counting.UNLABELLED)
    if not sizes:
        return ""
    return (
        f"{sizes[0]:,} clips each" if sizes[0] == sizes[-1] else f"from {sizes[0]:,} to {sizes[-1]:,} clips"
    )


def _rates(found: Exploration) -> list[tuple[str, int]]:
    """Rate, channels and format of the files, and how many clips have them."""
    good = [one for one in found.heard.measures if not one.reason]
    clips = Counter((one.sample_rate, one.channels, one.format) for one in good)
    return [
        (f"{rate:,} Hz, {_CHANNELS.get(n, f'{n} channels')}, {form}", clips[rate, n, form])
        for rate, n, form in sorted(clips)
    ]


def _for_script(value: object) -> str:
    """JSON that no name in it can end the script element of."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _png(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def _mp3(data: bytes) -> str:
    return f"data:audio/mpeg;base64,{base64.b64encode(data).decode()}"
