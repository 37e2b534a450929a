"""Pictures open, have their size, and survive any name; warnings (missing glyphs too) are errors here."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from earmark import canvas, drawing, lettering, runcharts
from earmark.drawing import Segment
from earmark.intervals import Interval

ODD_NAMES = [
    "日本の太鼓",
    "$\\frac{$",
    "عود",
    "\U0001f3b8",
    "a\nb",
    "\udc80",
    "naïve",
    "<script>",
    " ",
    "\U000f0000x",
]
MEL = np.geomspace(40, 11000, 64)
HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3],
        "loss": [2.0, 1.0, 0.5],
        "valid_loss": [2.1, np.nan, 0.9],
        "valid_macro_f1": [0.2, 0.5, 0.7],
        "learning_rate": [0.001, 0.003, 0.0],
    }
)
Picture = Callable[[str], bytes]
PICTURES: dict[str, Picture] = {
    "waveform": lambda f: drawing.waveform(np.sin(np.arange(44100) / 9), 22050, format=f),
    "waveform of a click": lambda f: drawing.waveform([1.0], 22050, format=f),
    "no waveform": lambda f: drawing.waveform([], 22050, format=f),
    "spectrogram": lambda f: drawing.spectrogram(
        np.random.default_rng(0).normal(-40, 9, (64, 99)), 3, MEL, format=f
    ),
    "long spectrogram": lambda f: drawing.spectrogram(
        np.zeros((8, 9001)), 7300, np.arange(8) * 500, format=f
    ),
    "MFCC": lambda f: drawing.spectrogram(np.eye(13), 1.0, title="MFCC", format=f),
    "spectrogram of nothing": lambda f: drawing.spectrogram(np.full((4, 3), -np.inf), 1, MEL[:4], format=f),
    "no spectrogram": lambda f: drawing.spectrogram(np.zeros((4, 0)), 0.0, format=f),
    "confusion of one": lambda f: drawing.confusion([[7]], ["only"], format=f),
    "confusion of none": lambda f: drawing.confusion(np.zeros((0, 0)), [], format=f),
    "confusion, odd names": lambda f: drawing.confusion(np.eye(10) * 1234, ODD_NAMES, format=f),
    "history": lambda f: drawing.history(HISTORY, chosen=3, format=f),
    "history of one epoch": lambda f: drawing.history(HISTORY[:1], format=f),
    "history of nan": lambda f: drawing.history(pd.DataFrame({"loss": [np.nan]}), format=f),
    "no history": lambda f: drawing.history(HISTORY[:0], format=f),
    "timeline": lambda f: drawing.timeline(
        [Segment(0, 2, "a", 0.4)], 130, [Segment(0, 3, ODD_NAMES[0])], format=f
    ),
    "timeline of truth alone": lambda f: drawing.timeline([], 9, [Segment(0, 3, "$b$")], format=f),
    "long timeline": lambda f: drawing.timeline(
        [Segment(i, i + 1, f"{i}") for i in range(50)], 9e3, format=f
    ),
    "no timeline": lambda f: drawing.timeline([], 0.0, format=f),
    "probabilities": lambda f: drawing.probabilities(ODD_NAMES, np.arange(10) / 10, threshold=0.5, format=f),
    "no probabilities": lambda f: drawing.probabilities(["a"], [np.nan], format=f),
}


def pixels(png: bytes) -> np.ndarray:
    """A PNG as `[height, width, 4]`."""
    return np.asarray(matplotlib.image.imread(io.BytesIO(png), format="png"))


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_opens_as_png_and_svg(name: str) -> None:
    height, width, _ = pixels(PICTURES[name]("png")).shape
    assert 100 < height < 4000
    assert 200 < width < 4000
    svg = ElementTree.fromstring(PICTURES[name]("svg"))
    assert svg.tag.endswith("svg")


def test_the_same_figures_give_the_same_bytes() -> None:
    assert PICTURES["probabilities"]("png") == PICTURES["probabilities"]("png")


def test_pictures_may_be_drawn_by_threads_at_the_same_time() -> None:
    names = ["waveform", "MFCC", "timeline", "probabilities"] * 2
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda name: PICTURES[name]("png"), names))
    assert together[:4] == together[4:] == [PICTURES[name]("png") for name in names[:4]]


def test_fifty_classes_have_their_counts_and_names_in_a_picture_that_stays_bounded() -> None:
    names = [f"class number {i}" for i in range(50)]
    svg = drawing.confusion(3 * np.eye(50) + np.eye(50, k=7), names, format="svg").decode()
    assert (svg.count("<!-- 3 -->"), svg.count("<!-- 1 -->"), svg.count("<!-- 0 -->")) == (50, 43, 0)
    assert svg.count("<!-- class number 49 -->") == 2
    large = pixels(drawing.confusion(np.eye(200), [str(i) for i in range(200)]))
    assert max(large.shape) < 4000


def test_rows_are_shaded_by_their_own_clips() -> None:
    """A rare class that is always right is as dark as a common one."""
    rare = pixels(drawing.confusion([[1000, 0], [0, 2]], ["a", "b"]))
    even = pixels(drawing.confusion([[2, 0], [0, 2]], ["a", "b"]))
    assert np.any(rare != even, axis=2).mean() < 0.02  # only the number differs


def test_long_names_keep_both_ends_and_stay_apart() -> None:
    one, two = lettering.drawable([f"acoustic guitar, plucked, close microphone {i}" for i in (1, 2)])
    assert (one[:8], one[-3:], two[-3:]) == ("acoustic", "e 1", "e 2")
    assert len(one) <= lettering.LONGEST_NAME
    same = lettering.drawable(["x" * 20 + "1" + "x" * 20, "x" * 20 + "2" + "x" * 20])
    assert len(set(same)) == 2


def test_a_name_that_tells_settings_may_be_longer() -> None:
    ways = [f"learning_rate 0.001, widths {widths}, dropout 0.1" for widths in ("[32, 64]", "[16, 64]")]
    assert lettering.drawable(ways, 60) == ways
    assert lettering.shorten("\u4e2d" * 20, 30) == "\u4e2d" * 7 + "\u2026" + "\u4e2d" * 6
    drawn = runcharts.figures(
        [(way, None, Interval(0.5)) for way in ways], "accuracy", title="x", format="svg"
    )
    assert b"[32, 64]" in drawn and b"[16, 64]" in drawn


def test_letters_that_no_font_has_become_boxes_with_a_number() -> None:
    assert lettering.drawable(["a", "\U0001f9ff\U0001f9ff"])[0] == "a"
    assert lettering.drawable(["a", "\ue000"])[1] == "\ufffd"
    absent = next(c for c in map(chr, range(0x13000, 0x13400)) if c in lettering.missing([c]))
    assert lettering.drawable(["a", absent * 2])[1] == "2: \u25af\u25af"


def test_frequencies_are_labelled_where_they_lie() -> None:
    places, labels = canvas.frequency_ticks(MEL)
    assert labels[:3] == ["50", "100", "200"]
    assert np.interp(places, np.arange(64), MEL) == pytest.approx(
        [float(label.replace("\u202f", "")) for label in labels]
    )
    assert np.diff(places).min() > 4


def test_long_sounds_keep_their_peaks() -> None:
    values = np.full((2, 50_000), -80.0)
    values[1, 33_333] = 0.0
    fewer = canvas.fewer_columns(values)
    assert fewer.shape == (2, canvas.MOST_COLUMNS)
    assert fewer[1].max() == 0.0


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: drawing.waveform(np.zeros((2, 5)), 8000), "mono waveform"),
        (lambda: drawing.spectrogram(np.zeros((4, 5)), 1.0, [1, 2, 3]), "with F frequencies"),
        (lambda: drawing.confusion(np.eye(3), ["a", "b"]), "for 2 classes"),
        (lambda: drawing.probabilities(["a", "b"], [0.5]), "for 2 classes"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(draw: Callable[[], bytes], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        draw()
