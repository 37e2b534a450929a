from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from earmark.drawing import Segment
from earmark.prediction import ClipScores, Recording
from earmark.timelines import heard_segments, read_timeline, share_right


def recording(*clips: tuple[float, float, list[float] | None]) -> Recording:
    scored = (
        ClipScores(a, b, None if s is None else np.array(s, np.float32), "" if s else "silent")
        for a, b, s in clips
    )
    return Recording("x.wav", tuple(scored), ("a", "b"))


def test_neighbours_of_one_class_are_joined() -> None:
    found = heard_segments(recording((0, 2, [0.9, 0.1]), (2, 4, [0.7, 0.3]), (4, 6, [0.2, 0.8])))
    assert [(s.start, s.end, s.label) for s in found] == [(0, 4, "a"), (4, 6, "b")]
    assert found[0].score == pytest.approx(0.8)


def test_where_clips_overlap_their_mean_decides() -> None:
    found = heard_segments(recording((0, 4, [0.9, 0.1]), (2, 6, [0.2, 0.8])))
    assert [(s.start, s.end, s.label) for s in found] == [(0, 4, "a"), (4, 6, "b")]


def test_stretches_without_scores_are_left_out() -> None:
    found = heard_segments(recording((0, 2, [0.9, 0.1]), (2, 4, None), (4, 6, [0.9, 0.1])))
    assert [(s.start, s.end) for s in found] == [(0, 2), (4, 6)]
    assert heard_segments(recording((0, 0, None))) == []


def test_the_share_of_right_seconds() -> None:
    truth = [Segment(0, 4, "a"), Segment(4, 10, "b")]
    assert share_right([Segment(0, 5, "a"), Segment(5, 10, "b")], truth) == pytest.approx(0.9)


def test_a_timeline_is_read(tmp_path: Path) -> None:
    (tmp_path / "song.csv").write_text("start,end,label\n0,1.5,None\n1.5,2,NA\n")
    assert read_timeline(tmp_path / "song.csv") == [Segment(0, 1.5, "None"), Segment(1.5, 2, "NA")]
