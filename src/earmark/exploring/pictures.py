"""The pictures of a whole corpus, and every picture with the name of its file."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from earmark import charts
from earmark.exploring import counting
from earmark.exploring.memo import Memo, key_of

if TYPE_CHECKING:
    from earmark.exploring.exploration import Exploration

MOST_RANKS = 25
"""Columns that the picture and the page show; all are in the table."""
PANELS = {
    "duration": "length (s)",
    "peak_db": "peak (dB of full scale)",
    "rms_db": "RMS (dB of full scale)",
    "clipped": "at full scale (% of samples)",
    "silent": "silent (% of 20 ms frames below −60 dB)",
    "dc": "DC offset (% of full scale)",
}
_PERCENT = ("clipped", "silent", "dc")


@dataclass(frozen=True)
class Drawn:
    """One picture of the corpus."""

    png: bytes
    svg: bytes
    alt: str


def draw(found: Exploration) -> dict[str, Drawn]:
    """The pictures of the corpus by name; those that have something to show."""
    drawn = {}
    if found.corpus.classes:
        drawn["counts"] = _counts(found)
    drawn["distributions"] = _distributions(found)
    if found.ranking.ranks:
        drawn["ranking"] = _ranking(found)
    drawn["map"] = _map(found)
    return drawn


def files(found: Exploration, drawn: dict[str, Drawn]) -> Iterator[tuple[str, bytes]]:
    """Every picture with the name of its file."""
    for name, picture in drawn.items():
        yield f"{name}.png", picture.png
        yield f"{name}.svg", picture.svg
    for number, one in enumerate(found.examples, 1):
        for view in one.views:
            stem = "-".join(filter(None, (f"{number:02}", slug(one.label), view.name)))
            yield f"{stem}.png", view.png
            yield f"{stem}.svg", view.svg


def slug(name: str) -> str:
    """A class's name as a part of a file name."""
    return re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-.")[:60]


def _both(chart: partial[bytes], alt: str) -> Drawn:
    """A picture in both forms, drawn once for what it shows."""
    shows = pickle.dumps((chart.func.__name__, chart.args, chart.keywords))  # only to tell pictures apart
    memo, forms = Memo(), ("png", "svg")
    png, svg = (memo.once(key_of("picture", shows, form), partial(chart, format=form)) for form in forms)
    return Drawn(png, svg, alt)


def _counts(found: Exploration) -> Drawn:
    classes, parts = found.counts.classes, found.counts.split_names
    names = [one.name for one in classes]
    if parts:
        known = np.array([one.splits for one in classes])
        rest = np.array([one.clips for one in classes]) - known.sum(axis=1)
        if rest.any():
            known, parts = np.concatenate([known, rest[:, None]], axis=1), (*parts, "(no split)")
        return _both(partial(charts.counts, names, known, parts), _said(found))
    return _both(partial(charts.counts, names, [one.clips for one in classes]), _said(found))


def _said(found: Exploration) -> str:
    classes = found.counts.classes
    return f"bars: clips of {len(classes)} classes, from {classes[-1].clips} to {classes[0].clips}"


def _distributions(found: Exploration) -> Drawn:
    good = found.heard.good()
    order = {one.name: place for place, one in enumerate(found.counts.classes)}
    rows = sorted(counting.by_class(found.corpus), key=lambda one: order.get(one[0], 0))
    panels = []
    for name, label in PANELS.items():
        values = found.heard.column(name) * (100 if name in _PERCENT else 1)
        panels.append((label, [values[chosen & good] for _, chosen in rows]))
    names = ["all clips" if not found.corpus.classes else name for name, _ in rows]
    alt = "box plots of length, peak, RMS, clipping, silence and DC of each class; the figures are in a table"
    return _both(partial(charts.distributions, names, panels), alt)


def _ranking(found: Exploration) -> Drawn:
    best = found.ranking.ranks[:MOST_RANKS]
    names = [f"{one.name} ({one.kind})" for one in best]
    title = f"The best {len(best)} of {len(found.ranking.ranks)} columns, each alone"
    chart = partial(
        charts.ranking,
        names,
        [one.score for one in best],
        found.ranking.chance,
        found.ranking.luck,
        title=title,
    )
    return _both(chart, f"bars: balanced accuracy of {len(best)} columns, the best is {best[0].name}")


def _map(found: Exploration) -> Drawn:
    marks = found.corpus.first_class[found.map.rows]
    title = "Map of the clips"
    chart = partial(charts.scatter, found.map.places, marks.tolist(), found.corpus.classes, title=title)
    return _both(chart, f"map of {len(marks)} clips, a mark each, by colour and shape of its class")
