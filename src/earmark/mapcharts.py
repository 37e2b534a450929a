"""Pictures of explanations: maps over time and frequency, panels over features, filters and activation maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from earmark.canvas import (
    BLUE,
    DYNAMIC_RANGE_DB,
    INK,
    ORANGE,
    Format,
    fewer_columns,
    frequency_ticks,
    nothing,
    quiet,
    time_axis,
    to_bytes,
)
from earmark.lettering import families, plain

HEAT = LinearSegmentedColormap.from_list(
    "heat", [(1, 0.55, 0, 0.0), (1, 0.45, 0, 0.55), (0.85, 0.1, 0.1, 0.9)]
)
"""From nothing over orange to red, what lies behind it shining through."""
MOST_TILES = 32
"""Filters or activation maps that a picture shows."""

Array = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Sheet:
    """Values over time and rows, with what the rows are."""

    values: Array
    """`[F, N]`, the lowest row first; one row: a curve over time."""
    seconds: float
    """What the N columns last."""
    frequencies: Array | None = None
    """`[F]` in Hz, ascending; none: rows are no frequencies."""
    unit: str = "level (dB)"
    """What a value is."""
    row: str = "coefficient"
    """What a row is, where it is no frequency."""


def explanation(
    sheet: Sheet, heat: Array, inside: Array, *, title: str, verdict: str = "", format: Format = "png"
) -> bytes:
    """A clip's spectrogram with the map over it, and the map by time and by frequency.

    Args:
        sheet: the spectrogram in dB.
        heat: the map `[F, N]` in [0, 1], over the same rows and columns.
        inside: 1 where the sound is kept, `[F, N]`; its edge is drawn.
        title: what it is a picture of.
        verdict: a second line, such as "NOT INFORMATIVE".
        format: "png" or "svg".
    """
    figure = Figure(figsize=(9.0, 5.2), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(5, 1), height_ratios=(3.4, 1))
    main = figure.add_subplot(grid[0, 0])
    _spectrogram(main, sheet, "Greys_r")
    extent = (0.0, sheet.seconds, -0.5, len(heat) - 0.5)
    main.imshow(
        fewer_columns(np.asarray(heat, np.float64)), origin="lower", aspect="auto", cmap=HEAT, extent=extent,
        norm=Normalize(0, 1), interpolation="nearest",
    )  # fmt: skip
    if inside.min() < inside.max():
        x = (np.arange(inside.shape[1]) + 0.5) * sheet.seconds / inside.shape[1]
        main.contour(x, np.arange(len(inside)), inside, levels=[0.5], colors="#00bfff", linewidths=0.8)
    words = title if not verdict else f"{title}\n{verdict}"
    figure.suptitle("\n".join(map(plain, words.split("\n"))), x=0.01, ha="left", fontsize=11, color=INK,
                    fontfamily=families([words]))  # fmt: skip
    _by_frequency(figure.add_subplot(grid[0, 1], sharey=main), heat.sum(axis=1))
    _by_time(figure.add_subplot(grid[1, 0]), heat.sum(axis=0), sheet.seconds)
    legend = figure.add_subplot(grid[1, 1])
    legend.set_axis_off()
    legend.text(0, 0.5, "red: spoke for it\nblue line: kept", fontsize=9, color=INK, va="center")
    return to_bytes(figure, format)


def panels(parts: Sequence[tuple[str, Sheet | str]], *, title: str, format: Format = "png") -> bytes:
    """Pictures beneath each other over one time axis, such as features, saliency and Grad-CAM.

    Args:
        parts: name and what to draw; words in the place of a picture that cannot be.
        title: what it is a picture of.
        format: "png" or "svg".
    """
    figure = Figure(figsize=(8.6, 0.6 + 2.3 * len(parts)), layout="constrained")
    stack: list[Axes] = list(figure.subplots(len(parts), 1, squeeze=False)[:, 0])
    for i, (axes, (name, part)) in enumerate(zip(stack, parts, strict=True)):
        axes.set_title(plain(name), loc="left", fontsize=10, color=INK)
        quiet(axes)
        if isinstance(part, str):
            axes.set_axis_off()
            axes.text(
                0.5, 0.5, part, ha="center", va="center", fontsize=10, color=INK, transform=axes.transAxes
            )
        elif len(part.values) == 1:
            _curve(axes, part)
        else:
            image = _spectrogram(axes, part, "magma")
            figure.colorbar(image, ax=axes, pad=0.015, label=part.unit)  # type: ignore[arg-type]
        if i + 1 < len(parts):
            axes.set_xlabel("")
    figure.suptitle(plain(title), x=0.01, ha="left", fontsize=11, color=INK, fontfamily=families([title]))
    return to_bytes(figure, format)


def tiles(
    values: Array, *, title: str, x: str, y: str, signed: bool, unit: str, format: Format = "png"
) -> bytes:
    """Small pictures, or curves, that share one scale: filters, or the activation maps of a clip.

    Args:
        values: `[n, rows, columns]`; of one row each: curves.
        title: what it is a picture of.
        x: what columns are, with their unit.
        y: what rows are, with their unit.
        signed: whether values have a sign that matters.
        unit: of the values.
        format: "png" or "svg".
    """
    shown = np.asarray(values[:MOST_TILES], np.float64)
    if not shown.size:
        return nothing(title, "nothing to show", format)
    more = f" (the first {len(shown)} of {len(values)})" if len(values) > len(shown) else ""
    words = f"{title}{more}"
    figure = Figure(figsize=(9.0, 4.6), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(plain(words), loc="left", fontsize=11, color=INK, fontfamily=families([words]))
    if shown.shape[1] == 1:
        _stacked_curves(axes, shown[:, 0], x, unit)
        return to_bytes(figure, format)
    limit = float(np.abs(shown).max()) or 1.0
    low = -limit if signed else float(shown.min())
    image = axes.imshow(
        _mosaic(shown), origin="upper", aspect="auto", interpolation="nearest",
        cmap=colormaps["RdBu_r" if signed else "magma"], norm=Normalize(low, limit),
    )  # fmt: skip
    axes.set_facecolor("white")
    axes.set(xticks=[], yticks=[], xlabel=f"each: {shown.shape[2]} {x}", ylabel=f"each: {shown.shape[1]} {y}")
    axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, pad=0.02, label=unit)
    return to_bytes(figure, format)


def _mosaic(tiles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Tiles `[n, rows, columns]`, eight in a row, the lowest row of each at its bottom, in one image; NaN between."""
    n, rows, columns = tiles.shape
    across = min(8, n)
    down, gap_y, gap_x = -(-n // across), max(1, rows // 12), max(1, columns // 12)
    sheet = np.full((down * (rows + gap_y) - gap_y, across * (columns + gap_x) - gap_x), np.nan)
    for i, tile in enumerate(tiles):
        y, x = i // across * (rows + gap_y), i % across * (columns + gap_x)
        sheet[y : y + rows, x : x + columns] = tile[::-1]
    return sheet


def _stacked_curves(axes: Axes, curves: NDArray[np.float64], x: str, unit: str) -> None:
    """Curves `[n, length]` above each other, the first one on top."""
    if curves.shape[1] == 1:
        axes.bar(np.arange(len(curves)), curves[:, 0], color=BLUE)
        axes.set(xlabel=x, ylabel=unit)
        return quiet(axes)
    step = float(np.ptp(curves)) or 1.0
    for i, curve in enumerate(curves):
        axes.plot(curve - i * step, color=BLUE, linewidth=0.7)
    axes.set(xlabel=x, yticks=[], ylabel=f"{unit}, the lines a range of {step:.3g} apart")
    return quiet(axes)


def timeline(
    times: Array, scores: Array, moments: Sequence[tuple[float, float]], seconds: float, *, title: str,
    format: Format = "png",
) -> bytes:  # fmt: skip
    """The score of one class over a recording, and the moments that were explained.

    Args:
        times: start of each clip in seconds, `[n]`.
        scores: in [0, 1]; NaN where there is none.
        moments: start and end.
        seconds: length of the recording.
        title: what it is a picture of.
        format: "png" or "svg".
    """
    figure = Figure(figsize=(9.0, 2.2), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(plain(title), loc="left", fontsize=11, color=INK, fontfamily=families([title]))
    quiet(axes)
    axes.step(
        np.append(times, seconds), np.append(scores, scores[-1:]), where="post", color=BLUE, linewidth=1.4
    )
    for i, (start, end) in enumerate(moments):
        axes.axvspan(start, end, color=ORANGE, alpha=0.25, linewidth=0)
        axes.text((start + end) / 2, 1.03, str(i + 1), ha="center", va="bottom", fontsize=9, color=INK)
    axes.set(xlim=(0, seconds), ylim=(0, 1.15), ylabel="score (0 to 1)")
    axes.set_yticks([0, 0.5, 1])
    time_axis(axes, seconds)
    return to_bytes(figure, format)


def bare(sheet: Sheet, heat: Array) -> bytes:
    """A spectrogram with a map over it, without axes, to be laid out by a page; PNG."""
    from io import BytesIO

    from matplotlib.image import imsave

    grey = colormaps["Greys_r"](
        _level(sheet.values)(np.flipud(fewer_columns(np.asarray(sheet.values, np.float64))))
    )
    over = HEAT(np.flipud(fewer_columns(np.asarray(heat, np.float64))))
    alpha = over[..., 3:]
    buffer = BytesIO()
    imsave(
        buffer,
        np.clip(grey[..., :3] * (1 - alpha) + over[..., :3] * alpha, 0, 1),
        format="png",
        metadata={"Software": ""},
    )
    return buffer.getvalue()


def _level(values: Array) -> Normalize:
    """The loudest 80 dB of finite values."""
    finite = values[np.isfinite(values)]
    top = float(finite.max()) if finite.size else 0.0
    bottom = max(float(finite.min()) if finite.size else -1.0, top - DYNAMIC_RANGE_DB)
    return Normalize(bottom if bottom < top else top - 1.0, top)


def _spectrogram(axes: Axes, sheet: Sheet, cmap: str) -> object:
    values = np.asarray(sheet.values, np.float64)
    norm = (
        _level(values) if "dB" in sheet.unit else Normalize(float(values.min()), float(values.max()) or 1.0)
    )
    image = axes.imshow(
        fewer_columns(values), origin="lower", aspect="auto", interpolation="nearest", cmap=cmap, norm=norm,
        extent=(0.0, sheet.seconds, -0.5, len(values) - 0.5),
    )  # fmt: skip
    if sheet.frequencies is None:
        axes.set_ylabel(sheet.row)
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    else:
        axes.set_ylabel("frequency (Hz)")
        axes.set_yticks(*frequency_ticks(np.asarray(sheet.frequencies, np.float64)))
    time_axis(axes, sheet.seconds)
    return image


def _curve(axes: Axes, sheet: Sheet) -> None:
    values = np.asarray(sheet.values[0], np.float64)
    axes.plot(np.linspace(0, sheet.seconds, len(values)), values, color=BLUE, linewidth=0.7)
    axes.set(xlim=(0, sheet.seconds), ylabel=sheet.unit)
    time_axis(axes, sheet.seconds)


def _by_frequency(axes: Axes, sums: Array) -> None:
    axes.fill_betweenx(np.arange(len(sums)), 0, sums / (sums.sum() or 1), color=ORANGE, linewidth=0)
    axes.set_title("by frequency", fontsize=9, color=INK, loc="left")
    axes.tick_params(labelleft=False, labelbottom=False, length=0)
    axes.set_xlim(left=0)
    axes.spines[["top", "right", "bottom"]].set_visible(False)


def _by_time(axes: Axes, sums: Array, seconds: float) -> None:
    axes.fill_between(
        np.linspace(0, seconds, len(sums)), 0, sums / (sums.sum() or 1), color=ORANGE, linewidth=0
    )
    axes.set_title("by time", fontsize=9, color=INK, loc="left")
    axes.set(xlim=(0, seconds), ylim=(0, None))
    axes.set_yticks([])
    quiet(axes)
    time_axis(axes, seconds)
