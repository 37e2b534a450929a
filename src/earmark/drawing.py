"""Pictures of sound and of figures.

Functions return the bytes of a picture ("png" or "svg"). They share no state and never touch pyplot, so that
threads may draw at the same time. Names in any script are drawn with the fonts that are there, and with
stand-ins where there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import ListedColormap, Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import ArrayLike, NDArray

from earmark.canvas import (
    BLUE,
    DYNAMIC_RANGE_DB,
    GREEN,
    GREY,
    INK,
    MOST_COLUMNS,
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
from earmark.lettering import drawable, families, plain

if TYPE_CHECKING:
    import pandas

BLUES = ListedColormap(colormaps["Blues"](np.linspace(0.0, 0.95, 256)))
PALE_TO_BLUE = ListedColormap(colormaps["Blues"](np.linspace(0.25, 0.95, 256)))
MOST_ROWS = 30
"""Classes that a timeline shows."""
MOST_CELLS = 60
"""Classes up to which a confusion matrix has its counts written in."""


@dataclass(frozen=True)
class Segment:
    """What is heard (or true) from `start` to `end` seconds."""

    start: float
    end: float
    label: str
    score: float = 1.0


def waveform(samples: ArrayLike, rate: int, *, title: str = "Waveform", format: Format = "png") -> bytes:
    """Amplitude over time; of long sounds the lowest and highest value of each column.

    Args:
        samples: `[T]`, in [-1, 1].
        rate: samples a second.
        title: what it is a picture of.
        format: "png" or "svg".
    """
    wave = np.asarray(samples, dtype=np.float64)
    if wave.ndim != 1:
        raise ValueError(f"samples of shape {wave.shape}: a mono waveform `[T]` is wanted")
    if not len(wave):
        return nothing(title, "no samples", format)
    figure, axes = new_figure(8.0, 2.6, title)
    if len(wave) <= 2 * MOST_COLUMNS:
        axes.plot(np.arange(len(wave)) / rate, wave, color=BLUE, linewidth=0.8)
    else:
        starts = np.linspace(0, len(wave), MOST_COLUMNS, endpoint=False).astype(int)
        low, high = np.minimum.reduceat(wave, starts), np.maximum.reduceat(wave, starts)
        axes.fill_between(starts / rate, low, high, color=BLUE, linewidth=0.4)
    peak = max(1e-3, float(np.nanmax(np.abs(wave)))) * 1.08
    axes.set(xlim=(0, len(wave) / rate), ylim=(-peak, peak), ylabel="amplitude (full scale = 1)")
    time_axis(axes, len(wave) / rate)
    return to_bytes(figure, format)


def spectrogram(
    values_db: ArrayLike,
    seconds: float,
    frequencies: ArrayLike | None = None,
    *,
    title: str = "Spectrogram",
    format: Format = "png",
) -> bytes:
    """Level over time and frequency, the loudest 80 dB of it.

    Args:
        values_db: `[F, N]` in dB, lowest frequency first.
        seconds: what the N frames last.
        frequencies: `[F]` in Hz, ascending, one a row (mel bands too: rows are drawn equally high); without
            them the rows are coefficients.
        title: what it is a picture of.
        format: "png" or "svg".
    """
    values = np.asarray(values_db, dtype=np.float64)
    if values.ndim != 2 or (frequencies is not None and np.shape(frequencies) != values.shape[:1]):
        raise ValueError(f"values of shape {values.shape}: `[F, N]` with F frequencies is wanted")
    if not values.size:
        return nothing(title, "no frames", format)
    figure, axes = new_figure(8.0, 3.4, title)
    finite = values[np.isfinite(values)]
    top = float(finite.max()) if finite.size else 0.0
    bottom = float(finite.min()) if finite.size else -1.0
    if frequencies is not None:
        bottom = max(bottom, top - DYNAMIC_RANGE_DB)
    image = axes.imshow(
        fewer_columns(values),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        cmap="magma",
        norm=Normalize(bottom if bottom < top else top - 1.0, top),
        extent=(0.0, seconds, -0.5, len(values) - 0.5),
    )
    figure.colorbar(
        image, ax=axes, pad=0.015, label="coefficient value" if frequencies is None else "level (dB)"
    )
    axes.set_ylabel("coefficient" if frequencies is None else "frequency (Hz)")
    if frequencies is None:
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    else:
        places, labels = frequency_ticks(np.asarray(frequencies, dtype=np.float64))
        axes.set_yticks(places, labels)
    time_axis(axes, seconds)
    return to_bytes(figure, format)


def confusion(
    matrix: ArrayLike,
    classes: Sequence[str],
    *,
    title: str = "Confusion matrix (numbers: clips)",
    format: Format = "png",
) -> bytes:
    """Who was taken for whom: shades are shares of the true class, the numbers in the cells are clips.

    Args:
        matrix: clips `[K, K]`, rows true, columns predicted.
        classes: K names, in any script.
        title: what it is a picture of.
        format: "png" or "svg".
    """
    cells, k = np.asarray(matrix, dtype=np.float64), len(classes)
    if cells.shape != (k, k) and cells.size:
        raise ValueError(f"matrix of shape {cells.shape} for {k} classes: `[{k}, {k}]` is wanted")
    if not k:
        return nothing(title, "no classes", format)
    size = float(np.clip(0.36 * k, 1.8, 20.0))
    figure, axes = new_figure(size + 2.6, size + 1.9, title)
    support = cells.sum(axis=1, keepdims=True)
    shares = np.divide(cells, support, out=np.zeros_like(cells), where=support > 0)
    image = axes.imshow(shares, cmap=BLUES, norm=PowerNorm(0.5, 0.0, 1.0))  # few mistakes must be seen
    length = 1.0 if size < 5 else 5.0 / size
    bar = figure.colorbar(
        image, ax=axes, fraction=0.04, pad=0.02, shrink=length, ticks=[0, 0.05, 0.25, 0.5, 1]
    )
    bar.set_label("share of the true class", fontsize=9)
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:.0%}"))
    _class_ticks(axes, classes, min(9.0, 0.9 * 72 * size / k))
    if k <= MOST_CELLS:
        _write_counts(axes, cells, shares, min(9.0, 72 * size / k / 2.6))
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    return to_bytes(figure, format)


def history(
    frame: pandas.DataFrame,
    *,
    chosen: int | None = None,
    title: str = "Training history",
    format: Format = "png",
) -> bytes:
    """Loss, validation figures and learning rate over the epochs.

    Args:
        frame: columns `epoch`, `loss`, `valid_loss`, `learning_rate`; `accuracy` and further `valid_...` columns are
            figures in [0, 1], such as `valid_macro_f1`. What is missing is left out.
        chosen: the epoch whose weights were kept.
        title: what it is a picture of.
        format: "png" or "svg".
    """
    figures = ["accuracy", *(c for c in frame.columns if str(c).startswith("valid_") and c != "valid_loss")]
    known = frame.columns[frame.notna().any()]
    panels = [
        ("loss", [c for c in ("loss", "valid_loss") if c in known]),
        ("accuracy, F1", [c for c in figures if c in known]),
        ("learning rate", [c for c in ("learning_rate",) if c in known]),
    ]
    panels = [(label, columns) for label, columns in panels if columns]
    if not panels or not len(frame):
        return nothing(title, "no epoch yet", format)
    figure = Figure(figsize=(8.0, 0.9 + 1.9 * len(panels)), layout="constrained")
    stack: list[Axes] = list(figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0])
    epochs = np.asarray(
        frame["epoch"] if "epoch" in frame else np.arange(1, len(frame) + 1), dtype=np.float64
    )
    for axes, (label, columns) in zip(stack, panels, strict=True):
        _lines(axes, epochs, {c: np.asarray(frame[c], dtype=np.float64) for c in columns}, label, chosen)
    stack[0].set_title(plain(title), loc="left", fontsize=11, color=INK, fontfamily=families([title]))
    stack[-1].set_xlabel("epoch")
    stack[-1].set_xlim(epochs.min() - 0.5, epochs.max() + 0.5)
    stack[-1].xaxis.set_major_locator(MaxNLocator(10, integer=True, min_n_ticks=1))
    return to_bytes(figure, format)


def timeline(
    segments: Sequence[Segment],
    duration: float,
    truth: Sequence[Segment] = (),
    *,
    title: str = "Timeline",
    format: Format = "png",
) -> bytes:
    """What is heard when, a row a class; where the truth is known it stands above, in dark grey.

    Args:
        segments: predictions; the darker, the higher the score.
        duration: seconds of the whole recording.
        truth: the true timeline, if there is one.
        title: what it is a picture of.
        format: "png" or "svg".
    """
    by_start = sorted((*truth, *segments), key=lambda s: s.start)
    found = list(dict.fromkeys(s.label for s in by_start))
    if not found:
        return nothing(title, "nothing was heard", format)
    labels = found[:MOST_ROWS]
    figure, axes = new_figure(8.0, 1.5 + 0.36 * len(labels), title)
    if len(found) > len(labels):
        title = f"{title} (the first {len(labels)} of {len(found)} classes)"
        axes.set_title(plain(title), loc="left", fontsize=11, color=INK, fontfamily=families([title]))
    heights = (-0.4, -0.06) if truth else (0.0, 0.0)
    _bars(axes, truth, labels, heights[0], heights[1], "#4d4d4d")
    drawn = _bars(axes, segments, labels, 0.0 if truth else -0.36, 0.36, None)
    bar = figure.colorbar(
        drawn, ax=axes, pad=0.015, fraction=0.03, anchor=(0, 1), shrink=min(1.0, 8 / len(labels))
    )
    bar.set_label("score", fontsize=9)
    axes.set_yticks(range(len(labels)), drawable(labels), fontfamily=families(labels), fontsize=9)
    axes.set(xlim=(0, max(duration, 1e-3)), ylim=(len(labels) - 0.5, -0.5))
    axes.hlines(np.arange(len(labels) - 1) + 0.5, 0, duration, color="#dddddd", linewidth=0.6, zorder=0)
    if truth:
        upper, lower = Patch(color="#4d4d4d"), Patch(color=BLUE)
        words = ["true (upper bar)", "heard (lower bar)"]
        figure.legend([upper, lower], words, loc="outside lower right", ncols=2, fontsize=9, frameon=False)
    time_axis(axes, duration)
    return to_bytes(figure, format)


def probabilities(
    classes: Sequence[str],
    scores: ArrayLike,
    *,
    threshold: float | None = None,
    most: int = 10,
    title: str = "Scores",
    format: Format = "png",
) -> bytes:
    """The best classes as bars, the best on top, with their scores written out.

    Args:
        classes: K names.
        scores: `[K]` in [0, 1].
        threshold: multi-label: the score from which a class is given, drawn as a line.
        most: how many classes to show.
        title: what it is a picture of.
        format: "png" or "svg".
    """
    given = np.asarray(scores, dtype=np.float64)
    if given.shape != (len(classes),):
        raise ValueError(f"scores of shape {given.shape} for {len(classes)} classes: one each is wanted")
    if not len(given) or np.isnan(given).all():
        return nothing(title, "no scores", format)
    best = np.argsort(-given, kind="stable")[:most]
    names = [classes[i] for i in best]
    figure, axes = new_figure(6.4, 1.2 + 0.34 * len(best), title)
    axes.barh(range(len(best)), given[best], color=[BLUE] + ["#9ec9e2"] * (len(best) - 1), height=0.72)
    for row, score in enumerate(given[best]):
        axes.text(score + 0.01, row, f"{score:.2f}", va="center", fontsize=9, color=INK)
    if threshold is not None:
        axes.axvline(threshold, color=ORANGE, linestyle="--", linewidth=1.2)
        axes.text(threshold, -0.62, " threshold", color=ORANGE, fontsize=8, va="bottom")
    axes.set_yticks(range(len(best)), drawable(names), fontfamily=families(names), fontsize=9)
    axes.set(xlim=(0, 1.12), ylim=(len(best) - 0.4, -0.7), xlabel="score (0 to 1)")
    axes.set_xticks(np.linspace(0, 1, 6))
    return to_bytes(figure, format)


def _class_ticks(axes: Axes, classes: Sequence[str], size: float) -> None:
    """Names on both sides; of very many classes as many as can be read."""
    step = max(1, int(np.ceil(4.5 / size)))
    places = np.arange(0, len(classes), step)
    names, fonts = drawable(classes), families(classes)
    shown = [names[i] for i in places]
    size = max(size, 4.5)
    axes.set_yticks(places, shown, fontsize=size, fontfamily=fonts)
    rotation = 0 if len(shown) < 12 and max(len(name) for name in shown) <= 3 else 90
    axes.set_xticks(places, shown, fontsize=size, fontfamily=fonts, rotation=rotation)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    if len(classes) <= MOST_CELLS:
        edges, ends = np.arange(1, len(classes)) - 0.5, (-0.5, len(classes) - 0.5)
        axes.hlines(edges, *ends, color="#e4e4e4", linewidth=0.5)
        axes.vlines(edges, *ends, color="#e4e4e4", linewidth=0.5)


def _write_counts(axes: Axes, cells: NDArray[np.float64], shares: NDArray[np.float64], size: float) -> None:
    """The clips of every cell that has some, dark on pale and white on dark."""
    for t, p in np.argwhere(cells > 0):
        axes.text(
            float(p),
            float(t),
            f"{cells[t, p]:.0f}",
            ha="center",
            va="center",
            fontsize=min(size, 3.2 * size / len(f"{cells[t, p]:.0f}")),
            fontweight="bold" if t == p else "normal",
            color="white" if shares[t, p] > 0.36 else INK,
        )


def _lines(
    axes: Axes,
    epochs: NDArray[np.float64],
    columns: dict[str, NDArray[np.float64]],
    label: str,
    chosen: int | None,
) -> None:
    """One panel of the history: lines told apart by colour, dash and marker."""
    styles = [(BLUE, "-", "o"), (ORANGE, "--", "s"), (GREEN, "-.", "^"), (INK, ":", "D")]
    for i, (name, values) in enumerate(columns.items()):
        colour, dash, marker = styles[i % len(styles)]
        words = {"loss": "training", "valid_loss": "validation", "accuracy": "training accuracy"}.get(
            name, name.replace("valid_", "validation ").replace("_", " ").replace("f1", "F1")
        )
        marks = max(1, len(epochs) // 12)
        axes.plot(
            epochs,
            values,
            dash,
            color=colour,
            marker=marker,
            markersize=4,
            markevery=marks,
            linewidth=1.5,
            label=words,
        )
    if chosen is not None:
        axes.axvline(chosen, color=GREY, linewidth=1.0, zorder=0)
        axes.plot([], [], color=GREY, linewidth=1.0, label=f"kept: epoch {chosen}")
    axes.set_ylabel(label)
    if label == "accuracy, F1":
        axes.set_ylim(0, 1.03)
    else:
        highest = np.concatenate([v[np.isfinite(v)] for v in columns.values()] + [np.zeros(1)]).max()
        axes.set_ylim(0, 1.08 * highest or 1.0)
    axes.grid(axis="y", color="#e8e8e8", linewidth=0.7)
    axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    quiet(axes)


def _bars(
    axes: Axes,
    segments: Sequence[Segment],
    labels: Sequence[str],
    low: float,
    high: float,
    colour: str | None,
) -> PolyCollection:
    """Segments as boxes from `low` to `high` about their class's row; without a colour, shaded by score."""
    rows = {label: row for row, label in enumerate(labels)}
    shown = [s for s in segments if s.label in rows]
    boxes = [
        [(s.start, y0), (s.end, y0), (s.end, y1), (s.start, y1)]
        for s in shown
        for y0, y1 in [(rows[s.label] + low, rows[s.label] + high)]
    ]
    style = {"facecolors": colour} if colour else {"cmap": PALE_TO_BLUE, "norm": Normalize(0, 1)}
    drawn = PolyCollection(boxes, edgecolors="white", linewidths=0.3, **style)
    if not colour:
        drawn.set_array(np.array([s.score for s in shown], dtype=np.float64))
    axes.add_collection(drawn)
    return drawn
