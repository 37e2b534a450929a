"""What was measured as pictures, in the style of `earmark.drawing`: ratios as bars, growth as lines."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from benchmarks.speed.measuring import Row
from earmark.canvas import BLUE, GREEN, GREY, INK, ORANGE, Format, new_figure, nothing, quiet, to_bytes

PALE = "#9ec9e2"
LONGEST = 90
"""Characters of a label."""


def bars(rows: Sequence[Row], form: Format) -> bytes:
    """Two panels about 1: how many times as fast as others, and how many times what cannot be done without."""
    drawn = [row for row in rows if row.figure.is_ratio and row.figure.per == 1 and is_drawable(row)]
    panels = [
        (
            "Times as fast as what people use otherwise: more is better",
            [r for r in drawn if r.figure.is_better_higher],
        ),
        (
            "Times what is needed at the very least: less is better",
            [r for r in drawn if not r.figure.is_better_higher],
        ),
    ]
    panels = [(title, found) for title, found in panels if found]
    if not panels:
        return nothing("Speed", "no ratio was measured", form)
    heights = [0.9 + 0.26 * len(found) for _, found in panels]
    canvas = Canvas(figsize=(12.0, sum(heights) + 0.4), layout="constrained")
    stack = canvas.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (title, found) in zip(stack, panels, strict=True):
        axes.set_title(title, loc="left", fontsize=11, color=INK)
        _panel(axes, found)
    return to_bytes(canvas, form)


def is_drawable(row: Row) -> bool:
    """Whether there is a number to draw on a scale of ratios."""
    return row.value is not None and math.isfinite(row.value) and row.value > 0


def _panel(axes: Axes, rows: Sequence[Row]) -> None:
    """Bars from 1; what is slower than others is hatched, goals are marks, a line spans the rounds."""
    values = np.array([row.value for row in rows], float)
    places = list(range(len(rows)))
    slower = np.array([row.figure.is_better_higher for row in rows]) & (values < 1)
    even = BLUE if rows[0].figure.is_better_higher else PALE  # to take more than a floor is no fault
    colours, hatches = np.where(slower, ORANGE, even), np.where(slower, "///", "")
    axes.barh(
        places, values - 1, left=1, color=colours, hatch=hatches.tolist(), edgecolor="white", height=0.74
    )
    ends = values.copy()
    for place, row in zip(places, rows, strict=True):
        goals = [goal for goal in (row.goal.at_least, row.goal.wanted) if goal]
        spread = [x for x in (row.low, row.high) if x]
        axes.plot(spread, [place] * len(spread), color=INK, linewidth=1.2)
        ends[place] = max([values[place], *spread, *goals, 1.0])
        words = f"{row.value:.2g}  against {row.theirs}"
        axes.text(ends[place] * 1.06, place, words, va="center", fontsize=7.5, color=INK)
    _goals(axes, rows)
    axes.axvline(1, color=GREY, linewidth=1)
    axes.set_xscale("log")
    axes.set_xlim(min(0.8, values.min() / 1.15), ends.max() * 6)
    ticks = [x for x in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if values.min() / 2 < x < ends.max() * 2]
    axes.set_xticks(ticks, [f"{x:g}" for x in ticks])
    axes.minorticks_off()
    axes.set_yticks(places, [label(row) for row in rows], fontsize=7.5)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    quiet(axes)
    axes.tick_params(axis="y", labelsize=7.5)


def _goals(axes: Axes, rows: Sequence[Row]) -> None:
    """Marks where the goals lie."""
    for name, marker, words in (("at_least", "|", "goal: at least"), ("wanted", "D", "goal: wanted")):
        found = [(goal, i) for i, row in enumerate(rows) if (goal := getattr(row.goal, name)) is not None]
        if found:
            x, y = zip(*found, strict=True)
            size = 11 if marker == "|" else 4.5
            axes.plot(x, y, linestyle="", marker=marker, color=INK, markersize=size, markerfacecolor="white",
                      markeredgewidth=1.5, label=words)  # fmt: skip
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8, frameon=False, loc="upper right")


def label(row: Row) -> str:
    """What a bar is about."""
    words = f"{row.what}: memory, {row.ours}" if row.figure.of == "peak_mb" else row.what
    words += ", bfloat16" if "bfloat16" in row.ours else ""
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 1]}\u2026"


def growth_lines(rows: Sequence[Row], form: Format) -> bytes:
    """Time for each unit of work, against how much work there is; a level line grows as the work does."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        if row.figure.per > 1 and is_drawable(row):
            unit = row.ours.split(" ", 1)[-1]
            lines.setdefault(f"{unit}: {row.what}", [(1.0, 1.0)]).append((row.figure.per, row.value or 0))
    lines = {name: points for name, points in lines.items() if len(points) > 2}
    if not lines:
        return nothing("Growth", "nothing was measured", form)
    canvas, axes = new_figure(8.0, 4.6, "Time for each file, second, clip or class: level or falling is well")
    styles = ((BLUE, "-", "o"), (ORANGE, "--", "s"), (GREEN, "-.", "^"), (INK, ":", "D"))
    for (name, points), (colour, dash, marker) in zip(lines.items(), styles, strict=False):
        axes.plot(*zip(*points, strict=True), dash, color=colour, marker=marker, markersize=5, label=name)
    axes.axhline(1, color=GREY, linewidth=1, zorder=0)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks([1, 10, 100], ["1", "10", "100"])
    axes.minorticks_off()
    lowest, highest = (f(y for points in lines.values() for _, y in points) for f in (min, max))
    ticks = [y for y in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10) if lowest / 2.5 < y < highest * 2.5]
    axes.set_yticks(ticks, [f"{y:g}" for y in ticks])
    axes.set(xlabel="times as much work", ylabel="times the time of the first, for each")
    canvas.legend(loc="outside lower left", fontsize=8, frameon=False)
    return to_bytes(canvas, form)
