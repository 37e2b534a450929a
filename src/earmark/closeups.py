"""Clips of an evaluation that deserve a closer look: surely right, surely wrong, and about the boundary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from earmark import audio, runcharts
from earmark.findings import Scored, truth_of
from earmark.prediction import labels_of
from earmark.report import MOST_RIGHT, MOST_SOUNDS, Cell, HeardClip, Picture
from earmark.runcharts import Small

LONGEST_SOUND = 10.0
"""Seconds of a clip that can be played in the report."""
SURE, UNSURE = 0.9, 0.1
"""A class's score above which, and below which, a clip is drawn among the sure ones."""
MOST_CLASSES = 12
"""Classes with a picture of the clips about their boundary."""
A_ROW = 4
"""Waveforms in a row of such a picture."""
MOST_NAMES = 40
"""Clips that a cell of the confusion matrix lists by name."""


def place_of(scored: Scored, i: int) -> tuple[str, float, float | None]:
    """File, start and end of a clip; an end of None is the end of the file."""
    row = scored.table.frame.iloc[i]
    return str(row["file"]), float(row["start"]), None if np.isnan(row["end"]) else float(row["end"])


def wrong_clips(scored: Scored) -> Iterable[HeardClip]:
    """Clips whose labels are not the true ones, the surest first; the first of them can be played."""
    said = _said(scored)
    for place, i in enumerate(wrong_rows(scored)):
        yield _heard(scored, i, said[i], place < MOST_SOUNDS - MOST_RIGHT)


def right_clips(scored: Scored) -> Iterable[HeardClip]:
    """The surest right clip of each class, then the next surest of each, all playable."""
    said = _said(scored)
    for i in right_rows(scored)[:MOST_RIGHT]:
        yield _heard(scored, i, said[i], True)


def wrong_rows(scored: Scored) -> list[int]:
    """Rows of the clips whose labels are not the true ones, the surest first."""
    said = _said(scored)
    return sorted((i for i in said if truth_of(scored, i) != said[i]), key=lambda i: -_top(scored, i))


def right_rows(scored: Scored) -> list[int]:
    """Rows of the right clips: the surest of each class, then the next surest of each."""
    said, turns = _said(scored), dict[str, int]()
    right = sorted((i for i in said if truth_of(scored, i) == said[i] != ""), key=lambda i: -_top(scored, i))
    ranked = []
    for i in right:
        turns[said[i]] = turns.get(said[i], 0) + 1
        ranked.append((turns[said[i]], i))
    return [i for _, i in sorted(ranked, key=lambda one: one[0])]


def cells(scored: Scored) -> tuple[Cell, ...]:
    """Every cell of the confusion matrix that is not empty, with its clips, by row and column."""
    found: dict[tuple[int, int], list[int]] = {}
    for i in _said(scored):
        found.setdefault((int(scored.targets[i]), int(scored.scores[i].argmax())), []).append(i)
    return tuple(
        Cell(truth, said, len(clips), tuple(place_of(scored, i) for i in clips[:MOST_NAMES]))
        for (truth, said), clips in sorted(found.items())
    )


def true_class_scores(scored: Scored) -> NDArray[np.float32]:
    """The score that each clip's true class was given `[n]`; multi-label: of every true label."""
    if scored.targets.ndim == 1:
        places = scored.targets[:, None].astype(np.int64)
        return np.asarray(np.take_along_axis(scored.scores, places, axis=1)[:, 0])
    return np.asarray(scored.scores[scored.targets == 1])


def boundary_pictures(scored: Scored) -> tuple[Picture, ...]:
    """For each class the waveforms of clips that it was surely given, surely not, and just about given."""
    counts = np.array([_truly(scored, c).sum() for c in range(len(scored.spec.classes))])
    chosen = np.sort(np.argsort(-counts, kind="stable")[:MOST_CLASSES])
    pictures = (_boundary_picture(scored, int(c)) for c in chosen)
    return tuple(picture for picture in pictures if picture is not None)


def boundary(scored: Scored, c: int) -> list[tuple[str, list[int]]]:
    """Rows of clips of one class, each with its name, from surely given to surely not.

    The boundary is the other classes' best score, or the class's threshold in a multi-label model.
    """
    score = scored.scores[:, c].astype(np.float64)
    if scored.spec.task == "multi-label":
        beyond = score - (scored.spec.thresholds or (0.5,) * scored.scores.shape[1])[c]
    else:
        beyond = score - np.delete(scored.scores, c, axis=1).max(axis=1)
    given, not_given = beyond >= 0, beyond < 0  # NaN, a clip without scores, is neither
    return [
        (f"above {SURE:g}", _first(score > SURE, -score)),
        ("just given", _first(given & (score <= SURE), beyond)),
        ("just not given", _first(not_given & (score >= UNSURE), -beyond)),
        (f"below {UNSURE:g}", _first(score < UNSURE, score)),
    ]


def _first(wanted: NDArray[np.bool_], key: NDArray[np.float64]) -> list[int]:
    rows = np.flatnonzero(wanted)
    return rows[np.argsort(key[rows], kind="stable")][:A_ROW].tolist()  # type: ignore[no-any-return]


def _boundary_picture(scored: Scored, c: int) -> Picture | None:
    name, truly = scored.spec.classes[c], _truly(scored, c)
    rows: list[tuple[str, Sequence[Small]]] = []
    for words, clips in boundary(scored, c):
        smalls = []
        for i in clips:
            samples = _samples(scored, i)
            if samples is not None:
                given = labels_of(scored.scores[i], scored.spec).split("|")
                caption = f"{scored.scores[i, c]:.2f} · {truth_of(scored, i) or 'none'}"
                smalls.append(Small(samples, 8000, caption, bool(truly[i]) == (name in given)))
        rows.append((words, smalls))
    if not any(smalls for _, smalls in rows):
        return None
    title = f"Test clips by their score of {name} (below each: score, true label)"
    what = "; ".join(f"{words}: {len(smalls)}" for words, smalls in rows)
    return Picture(
        runcharts.closeups(rows, title=title), f"waveforms of test clips by the score of {name}: {what}"
    )


def _truly(scored: Scored, c: int) -> NDArray[np.bool_]:
    """Whether each clip is of a class `[n]`."""
    return np.asarray(scored.targets == c if scored.targets.ndim == 1 else scored.targets[:, c] == 1)


def _said(scored: Scored) -> dict[int, str]:
    """What was said of each clip that has scores."""
    known = np.flatnonzero([not reason for reason in scored.reasons]).tolist()
    return {i: labels_of(scored.scores[i], scored.spec) for i in known}


def _top(scored: Scored, i: int) -> float:
    return float(scored.scores[i].max())


def _heard(scored: Scored, i: int, said: str, playable: bool) -> HeardClip:
    file, start, end = place_of(scored, i)
    mp3 = None
    if playable and (samples := _samples(scored, i, 22050)) is not None:
        mp3 = audio.encode_mp3(samples, 22050)
    return HeardClip(file, start, end, truth_of(scored, i), said or "none", _top(scored, i), mp3)


def _samples(scored: Scored, i: int, rate: int = 8000) -> NDArray[np.float32] | None:
    """The clip's waveform, at most `LONGEST_SOUND` seconds of it; none where it cannot be read."""
    file, start, end = place_of(scored, i)
    path = scored.table.root / file
    until = start + LONGEST_SOUND if end is None else min(end, start + LONGEST_SOUND)
    try:
        until = min(until, audio.probe(path).duration) if end is None else until
        return audio.read(path, rate, start, until)
    except audio.AudioError:
        return None
