from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from earmark import runcharts
from earmark.runcharts import Small

STEPS = pd.DataFrame(
    {
        "step": range(1, 41),
        "epoch": np.repeat(range(1, 5), 10),
        "loss": np.geomspace(2, 0.2, 40),
        "seconds": 0.05,
    }
)
WAVE = np.sin(np.arange(8000) / 9)
SMALL = Small(WAVE, 8000, "0.95 · a$b$\n葉", True)

PICTURES: dict[str, Callable[[str], bytes]] = {
    "steps": lambda f: runcharts.steps(STEPS, format=f),
    "one step": lambda f: runcharts.steps(STEPS[:1], format=f),
    "no step": lambda f: runcharts.steps(STEPS[:0], format=f),
    "both sides": lambda f: runcharts.both_sides([0.9, 1.0, np.nan], np.linspace(0, 1, 9), format=f),
    "nobody on a side": lambda f: runcharts.both_sides([], [0.5], format=f),
    "closeups": lambda f: runcharts.closeups([("sure", [SMALL] * 4), ("none", [])], title="Clips", format=f),
    "closeup of a click": lambda f: runcharts.closeups(
        [("sure", [Small(np.ones(1), 8000, "", False), Small(np.full(9, np.nan), 8, "x", False)])],
        title="Clips",
        format=f,
    ),
    "no closeup": lambda f: runcharts.closeups([("sure", [])], title="Clips", format=f),
}


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_is_drawn_in_both_formats(name: str) -> None:
    assert PICTURES[name]("png").startswith(b"\x89PNG")
    assert ElementTree.fromstring(PICTURES[name]("svg")).tag.endswith("svg")


def words(svg: bytes) -> str:
    return svg.decode()


def test_captions_say_which_clips_were_wrong() -> None:
    svg = words(runcharts.closeups([("x", [Small(WAVE, 8000, "0.40", False)])], title="T", format="svg"))
    assert "✗ 0.40" in svg
    assert "1 s wide" in svg


def test_the_typical_time_of_a_batch_is_named() -> None:
    assert "median: 50 ms" in words(runcharts.steps(STEPS, format="svg"))
