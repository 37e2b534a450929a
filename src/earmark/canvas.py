"""What all pictures share: a style that reads in grey and for the colour-blind, axes, bytes that stay the same."""

from __future__ import annotations

import io
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from earmark.lettering import families, plain

Format = Literal["png", "svg"]

# Okabe & Ito (2008): told apart by the colour-blind; lines differ in dash and marker too, for grey.
BLUE, ORANGE, GREEN, INK, GREY = "#0072B2", "#D55E00", "#009E73", "#222222", "#8a8a8a"
DPI = 130
MOST_COLUMNS = 2000
"""More columns than a picture has pixels are gathered before drawing."""
DYNAMIC_RANGE_DB = 80.0
"""Of a spectrogram: what is quieter is drawn alike."""


def new_figure(width: float, height: float, title: str) -> tuple[Figure, Axes]:
    """A figure of inches with one titled pair of axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(plain(title), loc="left", fontsize=11, color=INK, fontfamily=families([title]))
    quiet(axes)
    return figure, axes


def quiet(axes: Axes) -> None:
    """No frame but the axes, and small ticks."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9, color=GREY)


def to_bytes(figure: Figure, format: Format) -> bytes:
    """The picture without its date, so that the same figures give the same bytes (PNG)."""
    buffer = io.BytesIO()
    metadata = {"Date": None} if format == "svg" else {"Software": None}
    figure.savefig(buffer, format=format, dpi=DPI, facecolor="white", metadata=metadata)
    return buffer.getvalue()


def nothing(title: str, words: str, format: Format) -> bytes:
    """A picture that says that there is nothing to draw."""
    figure, axes = new_figure(6.4, 1.6, title)
    axes.set_axis_off()
    axes.text(0.5, 0.5, words, ha="center", va="center", fontsize=11, color=INK, transform=axes.transAxes)
    return to_bytes(figure, format)


def time_axis(axes: Axes, seconds: float) -> None:
    """Seconds; minutes and seconds from two minutes on."""
    if seconds < 120:
        axes.set_xlabel("time (s)")
        return
    step = next((s for s in (15, 30, 60, 120, 300, 600, 1800, 3600) if seconds / s <= 10), 7200)
    places = [float(p) for p in np.arange(0, seconds + 0.5, step)]
    hours = seconds >= 3600
    words = [f"{int(p // 3600)}:{int(p % 3600 // 60):02}" if hours else _minutes(p) for p in places]
    axes.set_xticks(places, words)
    axes.set_xlabel("time (hours:minutes)" if hours else "time (minutes:seconds)")


def _minutes(seconds: float) -> str:
    return f"{int(seconds // 60)}:{int(seconds % 60):02}"


def fewer_columns(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """`[F, N]` with at most `MOST_COLUMNS` columns, each the highest of those it stands for."""
    if values.shape[1] <= MOST_COLUMNS:
        return values
    starts = np.linspace(0, values.shape[1], MOST_COLUMNS, endpoint=False).astype(int)
    return np.asarray(np.maximum.reduceat(values, starts, axis=1))


def frequency_ticks(frequencies: NDArray[np.float64]) -> tuple[list[float], list[str]]:
    """Rows at which round frequencies lie, far enough apart to be read, and what to write there."""
    rows = np.arange(len(frequencies))
    even = len(frequencies) > 2 and np.allclose(np.diff(frequencies), frequencies[1] - frequencies[0])
    if even:
        wanted = np.asarray(MaxNLocator(6).tick_values(float(frequencies[0]), float(frequencies[-1])))
    else:
        wanted = np.asarray([50, 100, 200, 500, 1000, 2000, 3000, 5000, 8000, 12000, 16000, 20000, 40000.0])
    wanted = wanted[(wanted >= frequencies[0]) & (wanted <= frequencies[-1])]
    places: list[float] = []
    labels: list[str] = []
    for hz, place in zip(wanted, np.interp(wanted, frequencies, rows), strict=True):
        if not places or place - places[-1] >= 0.07 * len(frequencies):
            places.append(float(place))
            labels.append(f"{hz:,.0f}".replace(",", "\u202f"))
    return places, labels
