"""Which class is heard when: overlapping clips' scores become one label for every moment of a recording."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np

from earmark.drawing import Segment
from earmark.prediction import Recording
from earmark.tables import read_text_table


def heard_segments(recording: Recording) -> list[Segment]:
    """The likeliest class of each stretch of a recording, from start to end.

    Between two clip boundaries every moment has the mean of the scores of the clips that cover it; neighbouring
    stretches of one class are joined. Stretches without scores are left out.
    """
    known = [clip for clip in recording.clips if clip.scores is not None]
    times = sorted({time for clip in known for time in (clip.start, clip.end)})
    found = []
    for start, end in pairwise(times):
        over = [clip.scores for clip in known if clip.start < end and clip.end > start]
        if over:
            scores = np.mean(np.stack(over), axis=0)  # type: ignore[arg-type]
            best = int(scores.argmax())
            found.append(Segment(start, end, recording.classes[best], float(scores[best])))
    return _joined(found)


def share_right(heard: Sequence[Segment], truth: Sequence[Segment]) -> float:
    """Share of the seconds of `truth` whose label was heard then."""
    right = sum(
        max(0.0, min(a.end, b.end) - max(a.start, b.start))
        for a in heard
        for b in truth
        if a.label == b.label
    )
    return right / sum(one.end - one.start for one in truth)


def read_timeline(path: Path) -> list[Segment]:
    """A table `start,end,label` (seconds) as segments."""
    frame = read_text_table(path).frame
    return [
        Segment(float(start), float(end), label)
        for start, end, label in zip(frame["start"], frame["end"], frame["label"], strict=True)
    ]


def _joined(segments: Sequence[Segment]) -> list[Segment]:
    """Neighbours of one label as one segment, its score the mean over its seconds."""
    joined: list[Segment] = []
    run = 0
    marks = []
    for i, segment in enumerate(segments):
        apart = i > 0 and (
            segments[i - 1].label != segment.label or segment.start - segments[i - 1].end > 1e-6
        )
        run += apart
        marks.append(run)
    for _, group in groupby(zip(marks, segments, strict=True), key=lambda pair: pair[0]):
        part = [segment for _, segment in group]
        seconds = [segment.end - segment.start for segment in part]
        score = float(np.average([segment.score for segment in part], weights=seconds))
        joined.append(Segment(part[0].start, part[-1].end, part[0].label, score))
    return joined
