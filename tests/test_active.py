"""The simulation of active labelling on points that a line divides: its curves, and what is read from them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import active
from benchmarks.active import Corpus, Curve
from earmark.errors import UserError


@pytest.fixture
def blobs() -> Corpus:
    """Four classes of 25 points, close enough to be mixed up by who knows few of them."""
    rng = np.random.default_rng(0)
    targets = np.repeat(np.arange(4), 25)
    values = rng.normal(size=(100, 4)) + 3 * np.eye(4)[targets]
    return Corpus("blobs", values, targets, np.arange(100).astype(str).astype(object))


def test_both_ways_begin_alike_and_end_with_all_labels(blobs: Corpus) -> None:
    margin, chance = (active.simulate(blobs, way, seeds=2) for way in active.WAYS)
    for one in (margin, chance):
        assert one.labels.tolist() == [20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75]
        assert one.accuracy.shape == (2, 12)
        assert one.accuracy[:, -1].min() > 0.7
    assert (margin.accuracy[:, 0] == chance.accuracy[:, 0]).all()
    assert margin.accuracy[:, -1] == pytest.approx(chance.accuracy[:, -1])
    assert (margin.accuracy != chance.accuracy).any()


def test_labels_needed_are_read_from_the_curve() -> None:
    curve = Curve(np.array([20, 30, 40, 50]), np.array([[0.5, 0.76, 0.7, 0.8]]))
    assert curve.reached(curve.accuracy[0]) == 30, "0.95 * 0.8 = 0.76"
    chance = Curve(curve.labels, np.array([[0.5, 0.6, 0.7, 0.8]]))
    _, row = active.table({"x": {"margin": curve, "random": chance}})
    assert row == ("x", "50", "80.0 %", "30", "50", "40 %", "40 % (40 to 40 %)")


def test_the_table_goes_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"a\n{active.BEGIN}\nold\n{active.END}\nb\n")
    active.put_into(page, "new")
    assert page.read_text() == f"a\n{active.BEGIN}\nnew\n{active.END}\nb\n"
    page.write_text("nothing")
    with pytest.raises(UserError, match="found no <!-- active: begin -->"):
        active.put_into(page, "new")


def test_the_curves_are_drawn(blobs: Corpus) -> None:
    curves = {"blobs": {way: active.simulate(blobs, way, seeds=1) for way in active.WAYS}}
    assert active.draw(curves).startswith(b"\x89PNG")
