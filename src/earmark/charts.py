"""Pictures of a corpus, in the style of `drawing`: counts, distributions, rankings, maps, and views of one clip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import ArrayLike, NDArray

from earmark.canvas import (
    BLUE,
    DYNAMIC_RANGE_DB,
    GREY,
    INK,
    ORANGE,
    Format,
    fewer_columns,
    frequency_ticks,
    new_figure,
    nothing,
    quiet,
    time_axis,
    to_bytes,
)
from earmark.lettering import drawable, families

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#222222", "#F5F5F5")
"""Okabe & Ito (2008), black and nearly white; every mark has a dark outline."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
MOST_BARS = 40
VIEW = (4.6, 3.0)
"""Inches of the pictures that stand side by side."""

Numbers = NDArray[np.float64]


def mark_of(place: int) -> tuple[str, str]:
    """Colour and marker of a class by its place; 64 classes differ."""
    n = len(COLOURS)
    return COLOURS[(place + place // n) % n], MARKERS[place % len(MARKERS)]


def counts(
    names: Sequence[str], clips: ArrayLike, parts: Sequence[str] = (), *, format: Format = "png"
) -> bytes:
    """Clips of each class as bars, divided by split where there are splits.

    Args:
        names: K classes; the first `MOST_BARS` are drawn.
        clips: `[K]`, or `[K, S]` with S splits.
        parts: names of the splits, `[S]`.
        format: "png" or "svg".
    """
    values = np.asarray(clips, dtype=np.float64).reshape(len(names), -1)[:MOST_BARS]
    shown = list(names[:MOST_BARS])
    title = "Clips of each class" + (
        f" (the first {MOST_BARS} of {len(names)})" if len(names) > MOST_BARS else ""
    )
    figure, axes = new_figure(6.2, 1.3 + 0.3 * max(1, len(shown)), title)
    left = np.zeros(len(shown))
    styles = [(BLUE, ""), ("#9ec9e2", "///"), ("#e8e8e8", "..."), (ORANGE, "xx")]
    for k, column in enumerate(values.T):
        colour, hatch = styles[k % len(styles)]
        label = parts[k] if parts else None
        axes.barh(
            range(len(shown)), column, left=left, color=colour, hatch=hatch, edgecolor="white", label=label
        )
        left += column
    for row, total in enumerate(left):
        axes.text(
            total + 0.01 * left.max(initial=1), row, f"{total:,.0f}", va="center", fontsize=9, color=INK
        )
    _names_on_y(axes, shown)
    axes.set(xlim=(0, 1.1 * left.max(initial=1) or 1), xlabel="clips")
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    if parts:
        axes.legend(fontsize=9, frameon=False, loc="lower right")
    return to_bytes(figure, format)


def distributions(
    names: Sequence[str], panels: Sequence[tuple[str, Sequence[Numbers]]], *, format: Format = "png"
) -> bytes:
    """Boxes of several measures, a panel each, a row a class: median, quartiles, the whole range as a line.

    Args:
        names: K classes; the first `MOST_BARS` are drawn.
        panels: label of the axis, and for each class its values.
        format: "png" or "svg".
    """
    shown = list(names[:MOST_BARS])
    height = 1.1 + 0.28 * max(2, len(shown))
    columns = 3
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(10.5, height * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for axes, (label, values) in zip(grid.flat, panels, strict=False):
        _boxes(axes, [v[np.isfinite(v)] for v in values[:MOST_BARS]])
        axes.set_xlabel(label, fontsize=9)
        quiet(axes)
        axes.tick_params(labelsize=8)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.grid(axis="x", color="#e8e8e8", linewidth=0.7)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for first in grid[:, 0]:
        _names_on_y(first, shown)
    more = f" (the first {MOST_BARS} of {len(names)} classes)" if len(names) > MOST_BARS else ""
    figure.suptitle(f"Length and levels of each class{more}", x=0.01, ha="left", fontsize=11, color=INK)
    return to_bytes(figure, format)


def ranking(
    names: Sequence[str], scores: ArrayLike, chance: float, luck: float, *, title: str, format: Format = "png"
) -> bytes:
    """How well each column tells the label, as bars, with chance and the luckiest random column as lines.

    Args:
        names: columns, the best first.
        scores: balanced accuracies in [0, 1].
        chance: what guessing reaches.
        luck: what the luckiest random column reached.
        title: what it is a picture of.
        format: "png" or "svg".
    """
    values = np.asarray(scores, dtype=np.float64)
    if not len(values):
        return nothing(title, "no column", format)
    figure, axes = new_figure(6.2, 1.8 + 0.28 * len(values), title)
    colours = [BLUE if value > luck else "#c9c9c9" for value in values]
    axes.barh(range(len(values)), values, color=colours, height=0.74)
    for row, value in enumerate(values):
        axes.text(value + 0.01, row, f"{100 * value:.0f} %", va="center", fontsize=8, color=INK)
    axes.axvline(chance, color=INK, linewidth=1.2, label=f"guessing: {100 * chance:.0f} %")
    words = f"best of some random columns: {100 * luck:.0f} %"
    axes.axvline(luck, color=ORANGE, linewidth=1.4, linestyle="--", label=words)
    _names_on_y(axes, names)
    axes.set(xlim=(0, 1.08), xlabel="balanced accuracy on groups that were held out")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f} %"))
    figure.legend(fontsize=9, frameon=False, loc="outside lower right")
    return to_bytes(figure, format)


def scatter(
    places: ArrayLike, marks: Sequence[int], names: Sequence[str], *, title: str, format: Format = "png"
) -> bytes:
    """Clips as points, each class with a colour and a shape of its own.

    Args:
        places: `[m, 2]`.
        marks: place of each clip's class in `names`, `[m]`; -1: none.
        names: of the classes.
        title: what it is a picture of.
        format: "png" or "svg".
    """
    xy, own = np.asarray(places, dtype=np.float64).reshape(-1, 2), np.asarray(marks)
    if not len(xy):
        return nothing(title, "no clip has a place", format)
    figure, axes = new_figure(9.0, 6.2, title)
    size = float(np.clip(9000 / len(xy), 8, 46))
    drawn = drawable(list(names))
    if (own < 0).any():
        axes.scatter(xy[own < 0, 0], xy[own < 0, 1], s=size, c=GREY, marker=".", label="(no label)")
    for k in np.unique(own[own >= 0]).tolist():
        colour, marker = mark_of(k)
        label = drawn[k] if k < MOST_BARS else None
        x, y = xy[own == k].T
        axes.scatter(x, y, s=size, c=colour, marker=marker, edgecolors=INK, linewidths=0.5, label=label)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_aspect("equal", adjustable="datalim")
    font = {"family": families(names), "size": 9}
    figure.legend(prop=font, frameon=False, loc="outside right upper", markerscale=1.2)
    return to_bytes(figure, format)


# -- views of one clip, side by side -------------------------------------------------------------------------


def waveform_view(samples: Numbers, rate: int, *, format: Format = "png") -> bytes:
    """Amplitude over time of `[T]` in [-1, 1]."""
    figure, axes = new_figure(*VIEW, "Waveform")
    starts = np.linspace(0, len(samples), min(len(samples), 1000), endpoint=False).astype(int)
    low, high = np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)
    axes.fill_between(starts / rate, low, high, color=BLUE, linewidth=0.5, edgecolor=BLUE)
    peak = max(1e-3, float(np.abs(samples).max())) * 1.08
    axes.set(xlim=(0, len(samples) / rate), ylim=(-peak, peak), ylabel="amplitude (full scale = 1)")
    time_axis(axes, len(samples) / rate)
    return to_bytes(figure, format)


def spectrum_view(samples: Numbers, rate: int, *, format: Format = "png") -> bytes:
    """Magnitude spectrum of the whole of `[T]` (Hann window), in dB below its peak, on a logarithmic axis."""
    figure, axes = new_figure(*VIEW, "FFT magnitude spectrum")
    frequencies, level = spectrum(samples, rate)
    axes.plot(frequencies, level, color=BLUE, linewidth=0.8)
    lowest = max(20.0, rate / len(samples))
    axes.set(xscale="log", xlim=(lowest, rate / 2), ylim=(-100, 4), ylabel="magnitude (dB below peak)")
    wanted = [
        hz for hz in (20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000) if lowest <= hz <= rate / 2
    ]
    axes.set_xticks(wanted, [f"{hz // 1000}k" if hz >= 1000 else str(hz) for hz in wanted])
    axes.minorticks_off()
    axes.set_xlabel("frequency (Hz)")
    axes.grid(color="#e8e8e8", linewidth=0.7)
    return to_bytes(figure, format)


def spectrum(samples: Numbers, rate: int, most: int = 1200) -> tuple[Numbers, Numbers]:
    """Frequencies in Hz and levels in dB below the peak of the whole sound's FFT.

    Where there are more bins than a picture has columns, the highest of those that fall into one stands for them.
    """
    magnitude = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))[1:]
    frequencies = np.fft.rfftfreq(len(samples), 1 / rate)[1:]
    edges = np.unique(np.searchsorted(frequencies, np.geomspace(frequencies[0], frequencies[-1], most)))
    ends = [*edges[1:].tolist(), len(magnitude)]
    peaks = np.array([a + int(magnitude[a:b].argmax()) for a, b in zip(edges.tolist(), ends, strict=True)])
    level = 20 * np.log10(np.maximum(magnitude[peaks] / max(float(magnitude.max()), 1e-12), 1e-6))
    return np.asarray(frequencies[peaks]), np.asarray(level)


def spectrogram_view(
    values: ArrayLike,
    seconds: float,
    frequencies: Numbers | None,
    *,
    title: str,
    format: Format = "png",
) -> bytes:
    """Rows `[F, N]` over time: levels in dB where there are frequencies `[F]`, the loudest 80 dB; else coefficients."""
    cells = fewer_columns(np.asarray(values, dtype=np.float64))
    figure, axes = new_figure(*VIEW, title)
    top = float(cells.max())
    bottom = (
        max(float(cells.min()), top - DYNAMIC_RANGE_DB) if frequencies is not None else float(cells.min())
    )
    image = axes.imshow(
        cells, origin="lower", aspect="auto", interpolation="nearest", cmap="magma",
        norm=Normalize(bottom if bottom < top else top - 1.0, top), extent=(0.0, seconds, -0.5, len(cells) - 0.5),
    )  # fmt: skip
    if frequencies is None:
        figure.colorbar(image, ax=axes, pad=0.015, extend="both", label="value (extremes lie beyond)")
        axes.set_ylabel("coefficient")
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    else:
        figure.colorbar(image, ax=axes, pad=0.015, label="level (dB)")
        axes.set_ylabel("frequency (Hz)")
        axes.set_yticks(*frequency_ticks(frequencies))
    time_axis(axes, seconds)
    return to_bytes(figure, format)


def _boxes(axes: Axes, values: Sequence[Numbers]) -> None:
    """A box a class, at its row; the middle half, its median, and a line from the lowest to the highest."""
    for row, v in enumerate(values):
        if len(v):
            low, q1, median, q3, high = np.quantile(v, [0, 0.25, 0.5, 0.75, 1])
            axes.plot([low, high], [row, row], color=GREY, linewidth=1.0, zorder=1, solid_capstyle="butt")
            axes.plot([low, high], [row, row], "|", color=GREY, markersize=5, zorder=1)
            axes.barh(
                row, q3 - q1, left=q1, height=0.6, color="#9ec9e2", edgecolor=BLUE, linewidth=0.8, zorder=2
            )
            axes.plot([median, median], [row - 0.3, row + 0.3], color=INK, linewidth=2.0, zorder=3)
    every = (
        np.concatenate([*values, np.zeros(1)])
        if min((v.min() for v in values if len(v)), default=0) >= 0
        else (np.concatenate(values))
    )
    span = float(np.ptp(every)) or 1.0
    axes.set_xlim(every.min() - 0.04 * span, every.max() + 0.04 * span)


def _names_on_y(axes: Axes, names: Sequence[str]) -> None:
    """A name a row, the first on top."""
    axes.set_yticks(range(len(names)), drawable(names), fontfamily=families(names), fontsize=9)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
