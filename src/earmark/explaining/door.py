"""From a run and a file, or from an evaluation, to a folder of explanations."""

from __future__ import annotations

import dataclasses
from itertools import zip_longest
from pathlib import Path

import numpy as np

from earmark import audio, closeups
from earmark.devices import choose_device
from earmark.errors import UserError
from earmark.explaining import folder, pictures, songs
from earmark.explaining.explanation import Explanation, Options, check, explain_excerpt
from earmark.explaining.sounds import Excerpt, read_excerpt
from earmark.findings import Scored, truth_of
from earmark.models import Classifier
from earmark.prediction import load
from earmark.report import ExplainedClip, HeardClip, Picture, clock
from earmark.run import Run
from earmark.tables import counted


@dataclasses.dataclass(frozen=True, eq=False)
class Explained:
    """What a call explained."""

    clips: tuple[Explanation, ...]
    song: songs.Song | None = None
    """Of a recording that is longer than a clip: its scores over time; `clips` are its moments."""


def explain(
    run: Path,
    file: Path,
    out: Path,
    options: Options | None = None,
    start: float | None = None,
    end: float | None = None,
) -> Explained:
    """Explain a clip, or the moments that decided about a longer recording, and write a folder about it.

    Args:
        run: a run folder, or a model folder by itself.
        file: a sound file.
        out: a new folder, or one that an earlier call made.
        options: how.
        start: of the clip in seconds; none: the beginning.
        end: of the clip in seconds; none: the end of the file.

    Raises:
        UserError: no such run, file or class, a folder that holds something else, a method that this network has not.
    """
    options = options or Options()
    folder.check_folder(out)
    model = load(run, choose_device(options.device)).model
    check(options, model)
    truths = _truths(run, file)
    if start is None and end is None and songs.is_longer(file, model.spec):
        song = songs.listen(model, file, options)
        about = dataclasses.replace(options, target=song.classes[song.target])
        clips = tuple(
            _explain(model, read_excerpt(file, a, b, truth=truths.get(None)), about) for a, b in song.moments
        )
        found = Explained(clips, song)
    else:
        excerpt = read_excerpt(file, start, end)
        found = Explained(
            (_explain(model, dataclasses.replace(excerpt, truth=_truth(truths, start)), options),)
        )
    folder.write_folder(out, found.clips, found.song, options)
    return found


def explain_scored(
    run: Run, scored: Scored, out: Path, right: int, wrong: int, options: Options | None = None
) -> Explained:
    """Explain the surest right and the surest wrong clips of an evaluation, and write a folder about them.

    Args:
        run: the run.
        scored: its clips with their scores (`evaluation.read_scored`).
        out: a new folder, or one that an earlier call made.
        right: how many right clips; in turn one of each class.
        wrong: how many wrong clips.
        options: how.

    Raises:
        UserError: as `explain`; and no clip that could be explained.
    """
    options = options or Options()
    folder.check_folder(out)
    found = Explained(explain_rows(run, scored, choose(scored, right, wrong), options))
    folder.write_folder(out, found.clips, None, options)
    return found


def choose(scored: Scored, right: int, wrong: int) -> list[int]:
    """Rows of the surest wrong and of the surest right clips, in turn: they stand side by side on the page.

    Raises:
        UserError: there is neither.
    """
    pairs = zip_longest(closeups.wrong_rows(scored)[:wrong], closeups.right_rows(scored)[:right])
    rows = [row for pair in pairs for row in pair if row is not None]
    if not rows:
        raise UserError(
            "--right, --wrong",
            "no clip of the evaluation is such a one",
            "Name a file, or ask for the others.",
        )
    return rows


def explain_rows(run: Run, scored: Scored, rows: list[int], options: Options) -> tuple[Explanation, ...]:
    """Explain clips of an evaluation; those whose sound is gone are told and left out."""
    model = load(run.path, choose_device(options.device)).model
    found = []
    for i in rows:
        name, start, end = closeups.place_of(scored, i)
        try:
            excerpt = read_excerpt(scored.table.root / name, start, end, name, truth_of(scored, i))
        except audio.AudioError as error:
            options.say(f"left out: {error}")
            continue
        found.append(_explain(model, excerpt, options))
    return tuple(found)


def for_report(run: Run, scored: Scored, most: int) -> tuple[ExplainedClip, ...]:
    """The surest wrong clips of an evaluation, explained for its report; none of networks that know no sound."""
    if not most or not run.facts.knows_sound:
        return ()
    rows = closeups.wrong_rows(scored)[:most]
    found = explain_rows(run, scored, rows, Options(sanity=False))
    return tuple(map(_in_report, found))


def _in_report(one: Explanation) -> ExplainedClip:
    excerpt, verdict = one.excerpt, pictures.verdict(one)
    clip = HeardClip(
        excerpt.file, excerpt.start, excerpt.end, excerpt.truth or "", one.predicted, float(one.scores.max())
    )
    picture = Picture(
        pictures.draw_map(one), f"spectrogram with what spoke for {one.asked} over it; {verdict}"
    )
    kept, removed = (
        audio.encode_mp3(np.clip(wave, -1, 1), excerpt.sample_rate)
        for wave in (one.parts.kept, one.parts.removed)
    )
    return ExplainedClip(clip, picture, verdict, one.truth.informative, kept, removed)


def describe(found: Explained, out: Path) -> str:
    """What was found, for a terminal."""
    lines = []
    if found.song is not None:
        lines.append(
            f"{counted(len(found.song.clips), 'clip')}, {counted(len(found.clips), 'moment')} explained"
        )
    for one in found.clips:
        excerpt = one.excerpt
        truth = f", true: {excerpt.truth}" if excerpt.truth else ""
        lines.append(
            f"{excerpt.file}, {clock(excerpt.start)} to {clock(excerpt.end)}: {one.predicted} "
            f"({one.scores.max():.2f}){truth}"
        )
        lines += [f"  {line}" for line in folder.findings_of(one)]
    return "\n".join([*lines, f"the page: {out / folder.PAGE}"])


def _explain(model: Classifier, excerpt: Excerpt, options: Options) -> Explanation:
    options.say(f"explaining {excerpt.file}, {clock(excerpt.start)} to {clock(excerpt.end)}")
    return explain_excerpt(model, excerpt, options)


def _truths(run: Path, file: Path) -> dict[float | None, str]:
    """True labels of the clips of this file that the run knows, by their start; None: of all of them, if they agree."""
    if not (run / "clips.csv").is_file():
        return {}
    table = Run(run).clips()
    if "label" not in table.frame:
        return {}
    same = np.array([Path(path).absolute() == file.absolute() for path in table.paths()])
    rows = table.frame[same]
    found: dict[float | None, str] = dict(zip(rows["start"].astype(float), rows["label"], strict=True))
    if len(set(found.values())) == 1:
        found[None] = next(iter(found.values()))
    return found


def _truth(truths: dict[float | None, str], start: float | None) -> str | None:
    return truths.get(start or 0.0, truths.get(None))
