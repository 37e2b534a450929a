"""The folder of explanations: a page, the sounds, the pictures and the figures of each clip."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from earmark import audio, files
from earmark.explaining import pictures
from earmark.explaining.averages import averages
from earmark.explaining.explanation import Explanation, Options
from earmark.explaining.page import BEGINS, render
from earmark.explaining.songs import Song
from earmark.explaining.truth import Figures, figures
from earmark.files import cannot_write, replacing
from earmark.tables import RowWriter

PAGE = "explain.html"
OWN = ("clips", "kept.wav", "removed.wav", "explanation.json", "by_time.csv", "by_frequency.csv", "scores.csv",
       "figures.csv", "map.png", "panels.png", "filters.png", "activations.png", "timeline.png")  # fmt: skip
"""What such a folder may hold besides; a new call clears it away."""


def check_folder(out: Path) -> None:
    """Refuse a folder that holds something else than explanations.

    Raises:
        UserError: something else is there.
    """
    files.check_folder(out, PAGE, BEGINS.encode(), "explanations")


def write_folder(out: Path, clips: Sequence[Explanation], song: Song | None, options: Options) -> None:
    """Write everything beside its place, then move it there, the page last.

    One clip's files lie in the folder itself, those of several in `clips/01`, `clips/02` and so on.

    Raises:
        UserError: it cannot be written.
    """
    fresh, part = not out.exists(), out / f".{os.getpid()}.part"
    alone = len(clips) == 1 and song is None
    try:
        drawn = [pictures.draw(one) for one in clips]
        for number, (one, pngs) in enumerate(zip(clips, drawn, strict=True), 1):
            _write_clip(part if alone else part / "clips" / f"{number:02}", one, pngs)
        if song is not None:
            _write_scores(part / "scores.csv", song)
        if len(clips) > 1:
            _write_averages(part / "figures.csv", clips)
        with replacing(part / PAGE) as file:
            file.write(render(clips, drawn, song, options))
        for name in OWN:
            _swap(part / name, out / name, part / "old")
        (part / PAGE).replace(out / PAGE)
    except OSError as error:
        raise cannot_write(out, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
        if fresh and not (out / PAGE).exists():
            shutil.rmtree(out, ignore_errors=True)


def _swap(new: Path, place: Path, old: Path) -> None:
    """Put what is new in the place of what an earlier call left there, if anything."""
    if place.exists():
        old.mkdir(exist_ok=True)
        place.replace(old / place.name)
    if new.exists():
        new.replace(place)


def findings_of(one: Explanation) -> list[str]:
    """What an explanation found, in lines."""
    kept, removed = one.classes[int(one.kept_scores.argmax())], one.classes[int(one.removed_scores.argmax())]
    target = one.heard.question.target
    lines = [
        f"why {one.asked}? {one.method}: {pictures.verdict(one)}",
        f"kept ({one.share:.0%} of the energy): {kept}, {one.classes[target]} {one.kept_scores[target]:.2f}; "
        f"the rest: {removed}, {one.classes[target]} {one.removed_scores[target]:.2f}",
    ]
    if one.sanity is not None:
        lines.append(
            f"map of the network with another head: correlation {one.sanity.other_head:.2f} (low is good); "
            f"of the clip 1 dB louder: {one.sanity.louder:.2f} (high is good)"
        )
    return lines


def facts_of(one: Explanation) -> dict[str, object]:
    """All figures of an explanation, for `explanation.json`."""
    classes = one.classes
    return {
        "file": one.excerpt.file,
        "start": round(one.excerpt.start, 6),
        "end": round(one.excerpt.end, 6),
        "true": one.excerpt.truth,
        "predicted": one.predicted,
        "question": one.asked,
        "method": one.method,
        "share": one.share,
        "informative": one.truth.informative,
        "random_beaten": one.truth.n_beaten,
        "random_masks": len(one.truth.random),
        "scores": _by_class(classes, one.scores),
        "kept_scores": _by_class(classes, one.kept_scores),
        "removed_scores": _by_class(classes, one.removed_scores),
        "shares": [
            {
                "share": mine.share,
                "kept": mine.kept,
                "removed": mine.removed,
                "random_kept": float(np.mean([curve.points[i].kept for curve in one.truth.random])),
                "random_removed": float(np.mean([curve.points[i].removed for curve in one.truth.random])),
                **vars(figures(one.truth.score, mine)),
            }
            for i, mine in enumerate(one.truth.found.points)
        ],
        "other_head": None if one.sanity is None else one.sanity.other_head,
        "louder": None if one.sanity is None else one.sanity.louder,
    }


def _by_class(classes: Sequence[str], scores: np.ndarray) -> dict[str, float]:
    return {name: round(float(score), 6) for name, score in zip(classes, scores, strict=True)}


def _write_clip(folder: Path, one: Explanation, pngs: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    audio.write(folder / "kept.wav", one.parts.kept, one.excerpt.sample_rate, float32=True)
    audio.write(folder / "removed.wav", one.parts.removed, one.excerpt.sample_rate, float32=True)
    for name, png in pngs.items():
        with replacing(folder / f"{name}.png", "wb") as file:
            file.write(png)
    spectrum = one.heard.spectrum
    _write_rows(folder / "by_time.csv", "seconds", spectrum.times() + one.excerpt.start, one.by_time())
    _write_rows(folder / "by_frequency.csv", "hertz", spectrum.frequencies(), one.by_frequency())
    with replacing(folder / "explanation.json") as file:
        json.dump(facts_of(one), file, indent=1, ensure_ascii=False, allow_nan=False)


def _write_rows(path: Path, name: str, places: Tensor, values: np.ndarray) -> None:
    with replacing(path, newline="") as file:
        writer = RowWriter(file)
        writer.writerow([name, "share"])
        writer.writerows(
            [f"{place:.6g}", f"{value:.6g}"] for place, value in zip(places.tolist(), values, strict=True)
        )


def _write_averages(path: Path, clips: Sequence[Explanation]) -> None:
    names = [field.name for field in dataclasses.fields(Figures)]
    with replacing(path, newline="") as file:
        writer = RowWriter(file)
        writer.writerow(["share", "of", "clips", *names])
        for row in averages([one.truth for one in clips]):
            values = [f"{getattr(row.figures, name):.4f}" for name in names]
            writer.writerow([f"{row.share:g}", row.whose, str(len(clips)), *values])


def _write_scores(path: Path, song: Song) -> None:
    with replacing(path, newline="") as file:
        writer = RowWriter(file)
        writer.writerow(["start", "end", "reason", *song.classes])
        for clip in song.clips:
            cells = [""] * len(song.classes) if clip.scores is None else [f"{s:.6f}" for s in clip.scores]
            writer.writerow(
                [f"{clip.start:g}", "" if clip.end != clip.end else f"{clip.end:g}", clip.reason, *cells]
            )
