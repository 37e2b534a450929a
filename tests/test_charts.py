"""Pictures of a corpus are pictures, in both forms, whatever they are given; the spectrum has its peak at the tone."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from matplotlib.image import imread

from earmark import charts

WAVE = 0.4 * np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000)
RNG = np.random.default_rng(0)
NAMES = [f"c{i}" for i in range(89)]
PICTURES: dict[str, Callable[..., bytes]] = {
    "counts": partial(charts.counts, ["dog", "cat"], [3, 5]),
    "counts by split": partial(charts.counts, ["dog", "cat"], [[3, 1], [0, 0]], ["train", "test"]),
    "counts of many": partial(charts.counts, [f"class {i}" for i in range(90)], range(90)),
    "nothing to count": partial(charts.counts, ["dog"], [0]),
    "distributions": partial(charts.distributions, ["a", "b"], [("s", [np.arange(4.0), np.zeros(0)])] * 4),
    "distributions of one value": partial(charts.distributions, ["a"], [("s", [np.ones(3)])]),
    "ranking": partial(charts.ranking, ["x", "y"], [0.8, 0.2], 0.1, 0.3, title="best"),
    "ranking of nothing": partial(charts.ranking, [], [], 0.1, 0.3, title="best"),
    "map": partial(charts.scatter, RNG.normal(size=(90, 2)), list(range(-1, 89)), NAMES, title="m"),
    "map of one": partial(charts.scatter, [[0.0, 0.0]], [-1], [], title="m"),
    "map of nothing": partial(charts.scatter, np.zeros((0, 2)), [], [], title="m"),
    "waveform": partial(charts.waveform_view, WAVE, 8000),
    "short waveform": partial(charts.waveform_view, WAVE[:5], 8000),
    "spectrum": partial(charts.spectrum_view, WAVE, 8000),
    "log-mel": partial(charts.spectrogram_view, RNG.normal(size=(8, 2000)), 3.0, np.geomspace(50, 4000, 8), title="m"),
    "MFCC": partial(charts.spectrogram_view, RNG.normal(size=(13, 40)), 130.0, None, title="m"),
    "silence": partial(charts.spectrogram_view, np.full((8, 40), -70.0), 1.0, np.geomspace(50, 4000, 8), title="m"),
}  # fmt: skip


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_is_there_in_both_forms(name: str) -> None:
    image = imread(io.BytesIO(PICTURES[name](format="png")))
    assert 200 < image.shape[1] < 2000
    assert image.std() > 0.01, "an empty picture"
    assert PICTURES[name](format="svg").lstrip().startswith(b"<?xml")


def test_the_same_figures_give_the_same_bytes() -> None:
    assert PICTURES["ranking"]() == PICTURES["ranking"]()


def test_the_spectrum_peaks_at_the_tone() -> None:
    frequencies, level = charts.spectrum(WAVE, 8000)
    assert frequencies[level.argmax()] == pytest.approx(1000, abs=3)
    assert level.max() == 0
    assert level[np.abs(np.log2(frequencies / 1000)) > 1].max() < -80


def test_an_octave_of_half_the_amplitude_lies_six_decibels_lower() -> None:
    time = np.arange(8000) / 8000
    wave = np.sin(2 * np.pi * 500 * time) + 0.5 * np.sin(2 * np.pi * 1000 * time)
    frequencies, level = charts.spectrum(wave, 8000)
    assert level[np.abs(frequencies - 1000) < 5].max() == pytest.approx(-6.02, abs=0.05)


def test_sixty_four_classes_have_marks_of_their_own() -> None:
    assert len({charts.mark_of(k) for k in range(64)}) == 64
    shapes = [charts.mark_of(k)[1] for k in range(8)]
    colours = [charts.mark_of(k)[0] for k in range(8)]
    assert len(set(shapes)) == len(set(colours)) == 8, "the first eight differ in both"


def test_names_in_any_script_are_drawn() -> None:
    assert charts.counts(["犬", "$x$", "caf\udce9"], [1, 2, 3])
    assert charts.scatter([[0, 0], [1, 1]], [0, 1], ["犬", "$x$"], title="карта")
