"""Pictures of a run, in the style of `drawing`: its steps, its scores on both sides, clips about the boundary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import ArrayLike, NDArray

from earmark.canvas import BLUE, GREY, INK, ORANGE, Format, new_figure, nothing, quiet, to_bytes
from earmark.intervals import Interval
from earmark.lettering import LONGEST_NAME, columns, drawable, families, plain, shorten

if TYPE_CHECKING:
    import pandas

COLUMNS = 240
"""Of a small waveform: more would be finer than its pixels."""
PALE = "#9ec9e2"
COLOURS = (BLUE, ORANGE, "#009E73", INK, "#CC79A7", "#56B4E9", "#E69F00", GREY)
MOST_FIGURES = 60
"""Rows of figures in one picture."""
MOST_CURVES = 12
"""Runs in one picture of curves."""
LONGEST_WAY = 60
"""Columns of a name that tells several settings."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Small:
    """A small waveform with what stands below it."""

    samples: NDArray[np.floating]
    """`[T]`."""
    rate: int
    """Samples a second."""
    caption: str
    """One line."""
    right: bool
    """Whether the network was right about it."""


def steps(
    frame: pandas.DataFrame, *, title: str = "Every step of the training", format: Format = "png"
) -> bytes:
    """Loss of each minibatch and its mean over an epoch, and the time that a batch took.

    Args:
        frame: columns `step`, `epoch`, `loss`, `seconds`.
        title: what it is a picture of.
        format: "png" or "svg".
    """
    if not len(frame):
        return nothing(title, "no step yet", format)
    figure = Figure(figsize=(8.0, 4.4), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    step, loss = frame["step"].to_numpy(), frame["loss"].to_numpy()
    milliseconds = 1000 * frame["seconds"].to_numpy()
    upper.plot(step, loss, ".", color=PALE, markersize=3, label="a batch", rasterized=True)
    mean = frame.groupby("epoch").agg(step=("step", "mean"), loss=("loss", "mean"))
    upper.plot(mean["step"], mean["loss"], color=BLUE, linewidth=1.6, label="mean of an epoch")
    upper.set(ylabel="loss", ylim=(0, 1.08 * float(loss.max()) or 1.0))
    lower.plot(step, milliseconds, ".", color=PALE, markersize=3, label="a batch", rasterized=True)
    median = float(np.median(milliseconds))
    lower.axhline(median, color=ORANGE, linestyle="--", linewidth=1.4, label=f"median: {median:.3g} ms")
    lower.set(
        ylabel="time a batch (ms)", xlabel="step", ylim=(0, 1.3 * float(np.quantile(milliseconds, 0.99)))
    )
    for axes in (upper, lower):
        axes.grid(axis="y", color="#e8e8e8", linewidth=0.7)
        axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
        quiet(axes)
    upper.set_title(title, loc="left", fontsize=11, color=INK)
    return to_bytes(figure, format)


def both_sides(
    train: ArrayLike,
    test: ArrayLike,
    *,
    title: str = "Score that the true class was given",
    format: Format = "png",
) -> bytes:
    """Histograms of scores in [0, 1] of training clips and of test clips, side by side.

    Args:
        train: `[n]` scores of the true class; NaN is left out.
        test: `[m]` likewise.
        title: what it is a picture of.
        format: "png" or "svg".
    """
    sides = [np.asarray(v, dtype=np.float64).ravel() for v in (train, test)]
    figure = Figure(figsize=(8.0, 2.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, values, name, hatch in zip(
        panels, sides, ("training clips", "test clips"), ("", "///"), strict=True
    ):
        values = values[np.isfinite(values)]
        shares = np.histogram(values, bins=20, range=(0, 1))[0] / max(1, len(values))
        axes.bar(
            np.arange(20) / 20 + 0.025, shares, width=0.047, color=BLUE if not hatch else PALE,
            hatch=hatch, edgecolor="white", linewidth=0.4,
        )  # fmt: skip
        middle = float(np.median(values)) if len(values) else float("nan")
        axes.axvline(middle, color=ORANGE, linestyle="--", linewidth=1.4)
        axes.set_title(f"{len(values):,} {name}, median {middle:.2f}", loc="left", fontsize=10, color=INK)
        axes.set(xlim=(0, 1), xlabel="score of the true class")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:.0%}"))
        quiet(axes)
    panels[0].set_ylabel("share of the clips")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, color=INK)
    return to_bytes(figure, format)


def figures(
    rows: Sequence[tuple[str, Interval | None, Interval | None]],
    name: str,
    *,
    title: str,
    format: Format = "png",
) -> bytes:
    """A row each with its figures in [0, 1]: on validation clips (a circle) and on test clips, with the interval.

    Args:
        rows: name, figure on validation clips, figure on test clips; the first on top.
        name: of the figure.
        title: what it is a picture of.
        format: "png" or "svg".
    """
    shown = rows[:MOST_FIGURES]
    if not shown:
        return nothing(title, "nothing to show", format)
    more = f" (the first {MOST_FIGURES} of {len(rows)})" if len(rows) > MOST_FIGURES else ""
    names = [label for label, _, _ in shown]
    wider = max(0, min(LONGEST_WAY, max(map(columns, names))) - LONGEST_NAME)
    figure, axes = new_figure(8.0 + 0.08 * wider, 1.5 + 0.3 * len(shown), title + more)
    for y, (_, valid, test) in enumerate(shown):
        for one, colour, marker in ((test, BLUE, "s"), (valid, ORANGE, "o")):
            if one is None or one.value is None:
                continue
            if one.low is not None and one.high is not None:
                axes.plot(
                    [one.low, one.high], [y, y], color=PALE, linewidth=4, solid_capstyle="butt", zorder=1
                )
            axes.plot(one.value, y, marker, color=colour, markeredgecolor=INK, markeredgewidth=0.6, zorder=3)
    if any(one is not None for _, one, _ in shown):
        axes.plot([], [], "o", color=ORANGE, markeredgecolor=INK, label="validation clips")
    if any(one is not None for _, _, one in shown):
        axes.plot([], [], "s", color=BLUE, markeredgecolor=INK, label="test clips")
        axes.plot([], [], color=PALE, linewidth=4, label="95 % interval")
    axes.set_yticks(range(len(shown)), drawable(names, LONGEST_WAY), fontfamily=families(names), fontsize=9)
    axes.set(ylim=(len(shown) - 0.4, -0.6), xlim=(0, 1.02), xlabel=name)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:.0%}"))
    axes.grid(color="#e8e8e8", linewidth=0.7)
    figure.legend(fontsize=8, frameon=False, loc="outside lower right", ncols=3)
    return to_bytes(figure, format)


def curves(
    histories: Sequence[tuple[str, pandas.DataFrame]],
    *,
    title: str = "Learning curves",
    format: Format = "png",
) -> bytes:
    """Loss and accuracy of several runs over their steps: training, and validation where there is any.

    Args:
        histories: name of the run, and its rows with `step`, `loss`, and perhaps `accuracy`, `valid_loss`,
            `valid_accuracy`; the first `MOST_CURVES` are drawn.
        title: what it is a picture of.
        format: "png" or "svg".
    """
    shown = [one for one in histories if len(one[1])][:MOST_CURVES]
    if not shown:
        return nothing(title, "no epoch yet", format)
    panels = [
        ("training loss", "loss"), ("training accuracy", "accuracy"),
        ("validation loss", "valid_loss"), ("validation accuracy", "valid_accuracy"),
    ]  # fmt: skip
    panels = [
        (words, key) for words, key in panels if any(key in f and f[key].notna().any() for _, f in shown)
    ]
    rows = -(-len(panels) // 2)
    figure = Figure(figsize=(9.0, 0.8 + 2.4 * rows), layout="constrained")
    grid = figure.subplots(rows, 2, squeeze=False)
    names = drawable([name for name, _ in shown], LONGEST_WAY)
    for axes, (words, key) in zip(grid.flat, panels, strict=False):
        for i, ((_, frame), name) in enumerate(zip(shown, names, strict=True)):
            if key in frame:
                dash = ("-", "--", "-.", ":")[i % 4]
                axes.plot(
                    frame["step"],
                    frame[key],
                    dash,
                    color=COLOURS[i % len(COLOURS)],
                    linewidth=1.5,
                    label=name,
                )
        axes.set(xlabel="step", ylabel=words)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylim(0, 1.03 if "accuracy" in key else None)
        axes.grid(axis="y", color="#e8e8e8", linewidth=0.7)
        quiet(axes)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    handles, labels = grid[0, 0].get_legend_handles_labels()
    font = {"family": families([name for name, _ in shown]), "size": 8}
    figure.legend(handles, labels, prop=font, frameon=False, loc="outside lower left", ncols=2)
    more = f" (the first {MOST_CURVES} of {len(histories)} runs)" if len(histories) > MOST_CURVES else ""
    figure.suptitle(title + more, x=0.01, ha="left", fontsize=11, color=INK)
    return to_bytes(figure, format)


def closeups(rows: Sequence[tuple[str, Sequence[Small]]], *, title: str, format: Format = "png") -> bytes:
    """Small waveforms in rows, each row with its name; each is as wide as its sound is long within the row.

    Args:
        rows: name of the row, and up to four waveforms; each fills its own height.
        title: what it is a picture of.
        format: "png" or "svg".
    """
    most = max((len(smalls) for _, smalls in rows), default=0)
    if not most:
        return nothing(title, "no clip", format)
    figure, axes = new_figure(8.6, 0.6 + 0.82 * len(rows), title)
    longest = max(len(s.samples) / s.rate for _, smalls in rows for s in smalls)
    captions = [s.caption for _, smalls in rows for s in smalls]
    for y, (_, smalls) in enumerate(rows):
        for x, small in enumerate(smalls):
            axes.add_collection(_shape(small, x, y, longest))
            words = ("" if small.right else "✗ ") + shorten(plain(small.caption))
            axes.text(
                x,
                y + 0.44,
                words,
                fontsize=7.5,
                color=INK,
                va="center",
                fontfamily=families(captions),
            )
        if not smalls:
            axes.text(0, y, "none", fontsize=8, color=GREY, va="center")
    axes.set(xlim=(-0.02, max(4, most)), ylim=(len(rows) - 0.4, -0.5))
    axes.set_yticks(range(len(rows)), [name for name, _ in rows], fontsize=8)
    axes.set_xticks([])
    axes.set_xlabel(f"a column is {longest:.3g} s wide; ✗: the network was wrong", fontsize=8)
    axes.tick_params(axis="y", length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    return to_bytes(figure, format)


def _shape(small: Small, x: int, y: int, longest: float) -> PolyCollection:
    """The waveform as one filled shape in the cell at column x and row y."""
    samples = np.nan_to_num(np.asarray(small.samples, dtype=np.float64))
    starts = np.unique(np.linspace(0, len(samples), min(len(samples), COLUMNS), endpoint=False).astype(int))
    low, high = np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)
    peak = max(1e-4, float(np.abs(samples).max()))
    places = x + 0.93 * starts / small.rate / longest
    upper, lower = y - 0.3 * high / peak, y - 0.3 * low / peak
    outline = np.concatenate([np.stack([places, upper], 1), np.stack([places, lower], 1)[::-1]])
    colour = BLUE if small.right else ORANGE
    return PolyCollection([outline], facecolors=colour, edgecolors=colour, linewidths=0.4)
