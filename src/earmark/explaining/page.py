"""One self-contained page of explanations: the sounds can be played, and a line moves over the map as they do.

The only script in it is its own, `templates/explain.js`, which the page's security policy admits by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from earmark import __version__, audio, mapcharts
from earmark.explaining import pictures
from earmark.explaining.averages import averages
from earmark.explaining.explanation import Explanation, Options
from earmark.explaining.methods import METHODS
from earmark.explaining.songs import Song
from earmark.report import clock

BEGINS = "<!doctype html>\n<!-- earmark explain -->"
"""How the page begins: by it a folder of explanations is known."""
MOST_CLASSES = 5
"""Classes whose scores are shown; all are in `explanation.json`."""
_TEMPLATES = Path(__file__).parent.parent / "templates"


@dataclass(frozen=True)
class Tick:
    """A mark on an axis of the map."""

    place: float
    """Per cent of the axis, from the left or from below."""
    words: str


@dataclass(frozen=True)
class Left:
    """What is left of the answer at one share of the energy, and of random masks of the same energy."""

    share: float
    kept: float
    random_kept: float
    removed: float
    random_removed: float


@dataclass(frozen=True, eq=False)
class Shown:
    """One explanation as the page shows it."""

    one: Explanation
    verdict: str
    map: bytes
    times: tuple[Tick, ...]
    frequencies: tuple[Tick, ...]
    sounds: tuple[tuple[str, str, bytes], ...]
    """Name, what it is, and MP3."""
    scores: tuple[tuple[str, float, float, float], ...]
    """Class, and its score for the clip, for what is kept and for the rest."""
    left: tuple[Left, ...]
    pictures: tuple[tuple[str, bytes], ...]


def render(
    clips: Sequence[Explanation], drawn: Sequence[dict[str, bytes]], song: Song | None, options: Options
) -> str:
    """The page of explanations.

    Args:
        clips: the explanations.
        drawn: the pictures of each, by name.
        song: the recording that they are the moments of, if so.
        options: how they were made.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        clock=clock, png=lambda data: _uri("image/png", data), mp3=lambda data: _uri("audio/mpeg", data)
    )
    script = (_TEMPLATES / "explain.js").read_text("utf-8")
    page = environment.get_template("explain.html").render(
        begins=BEGINS,
        clips=[_shown(one, pngs) for one, pngs in zip(clips, drawn, strict=True)],
        averages=list(averages([one.truth for one in clips])) if len(clips) > 1 else [],
        n_informative=sum(one.truth.informative for one in clips),
        song=song,
        timeline=None if song is None else timeline(song),
        options=options,
        methods=METHODS,
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        made=f"{datetime.now():%Y-%m-%d %H:%M}",
        version=__version__,
    )
    return re.sub("[\ud800-\udfff]", "\ufffd", page)  # halves of characters in file names are not UTF-8


def timeline(song: Song) -> bytes:
    """The score of the explained class over the recording."""
    known = [clip for clip in song.clips if clip.end == clip.end]
    starts = np.array([clip.start for clip in song.clips])
    title = f"Score of {song.classes[song.target]} over the recording; numbered: the moments below"
    return mapcharts.timeline(
        starts, song.scores(), song.moments, max(clip.end for clip in known), title=title
    )


def _shown(one: Explanation, drawn: dict[str, bytes]) -> Shown:
    rate, spectrum = one.excerpt.sample_rate, one.heard.spectrum
    sounds = (
        ("clip", "the clip", one.excerpt.waveform),
        ("kept", f"what convinced it ({one.share:.0%} of the energy)", one.parts.kept),
        ("removed", "the rest", one.parts.removed),
    )
    order = np.argsort(-one.scores, kind="stable")[:MOST_CLASSES].tolist()
    asked = [one.heard.question.target, one.heard.question.against]
    order += [place for place in asked if place is not None and place not in order]
    return Shown(
        one=one,
        verdict=pictures.verdict(one),
        map=pictures.bare_map(one),
        times=_time_ticks(spectrum.seconds),
        frequencies=_frequency_ticks(one),
        sounds=tuple(
            (name, words, audio.encode_mp3(np.clip(wave, -1, 1), rate)) for name, words, wave in sounds
        ),
        scores=tuple(
            (one.classes[i], float(one.scores[i]), float(one.kept_scores[i]), float(one.removed_scores[i]))
            for i in order
        ),
        left=_left(one),
        pictures=tuple(drawn.items()),
    )


def _left(one: Explanation) -> tuple[Left, ...]:
    random = one.truth.random
    return tuple(
        Left(
            mine.share,
            mine.kept,
            float(np.mean([curve.points[i].kept for curve in random])) if random else float("nan"),
            mine.removed,
            float(np.mean([curve.points[i].removed for curve in random])) if random else float("nan"),
        )
        for i, mine in enumerate(one.truth.found.points)
    )


def _time_ticks(seconds: float) -> tuple[Tick, ...]:
    step = next((s for s in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10) if seconds / s <= 8), 30)
    return tuple(Tick(100 * t / seconds, f"{t:g}") for t in np.arange(0, seconds + 1e-9, step).round(6))


def _frequency_ticks(one: Explanation) -> tuple[Tick, ...]:
    hertz = pictures.row_frequencies(one.heard)
    wanted = [f for f in (50, 100, 200, 500, 1000, 2000, 4000, 8000, 16000) if hertz[0] < f < hertz[-1]]
    places = 100 * (np.interp(wanted, hertz, np.arange(len(hertz))) + 0.5) / len(hertz)
    shown: list[Tick] = []
    for place, f in zip(places.tolist(), wanted, strict=True):
        if not shown or place - shown[-1].place > 8:
            shown.append(Tick(place, f"{f:,}".replace(",", "\u202f")))
    return tuple(shown)


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
