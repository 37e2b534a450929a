"""The tour: a practice corpus is made on the spot, and goes the whole way to a labelled song."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from earmark import drawing, layouts, synthesis, training
from earmark.clips import ClipTable, write_clips
from earmark.errors import UserError
from earmark.evaluation import describe, evaluate
from earmark.files import replacing
from earmark.findings import Evaluation
from earmark.prediction import PredictOptions, Predictor, load, predict_files
from earmark.recipe import Recipe, read_recipe
from earmark.report import percent, span
from earmark.run import Run
from earmark.timelines import heard_segments, read_timeline, share_right

Say = Callable[[str], None]

MARKER = "made-by-earmark-demo.txt"
CHANGES = (
    "training.max_steps=400",
    "training.min_steps=400",
    "audio.crop_min_seconds=1.0",
    "audio.crop_seconds=2.0",
)
"""A shorter training than the default recipe's: the tour should not keep anybody waiting."""

WELCOME = """\
These sounds are made by the program: synthesised instruments, many players of each, with noise and room. They
are for practice. The figures below tell how the way goes, not how good the program is on real recordings."""

YOUR_TURN = """\
Now with sounds of your own. Put them into one folder a class, then:
  earmark import FOLDER -o clips.csv        (--group COLUMN with a metadata.csv: song, player, place ...)
  earmark train clips.csv -o runs/mine
  earmark predict runs/mine NEW_RECORDING"""


def run_demo(out: Path, say: Say = print, progress: bool = False) -> None:
    """Make the corpus, train with whole players held out and with players on both sides, and label a song.

    A second call goes on where the first one was: what is finished is not done again.

    Args:
        out: folder for all of it; its own from an earlier call, or a new one.
        say: takes a line for the person who waits.
        progress: show bars.

    Raises:
        UserError: the folder holds something else.
    """
    notes, songs = _sounds(out)
    say(WELCOME)
    imported = layouts.import_folder(notes, progress=progress)
    write_clips(imported.table, out / "clips.csv")
    say(f"\n1. The corpus: {notes}\n{layouts.describe(imported)}")

    recipe = read_recipe("default", CHANGES)
    options = training.Options(progress=progress, command="earmark demo")
    say("\n2. Training; players are kept whole, so it is tested on players that it never heard.")
    honest = _trained(imported.table, recipe, out / "runs" / "whole-players", options, say)
    say("\n3. The same once more with notes of one player on both sides of the split, as is often done.")
    leaking = _trained(
        _without_players(imported.table), recipe, out / "runs" / "players-on-both-sides", options, say
    )
    say(_comparison(honest, leaking))

    say("\n4. Songs by players that are in neither corpus, predicted from start to end.")
    _predict_songs(out, songs, say)
    say(f"\nThe report: {honest.report_path}\n\n{YOUR_TURN}")


def _sounds(out: Path) -> tuple[Path, Path]:
    """The folders of notes and songs, made where they are missing."""
    notes, songs, marker = out / "notes", out / "songs", out / MARKER
    if out.exists() and not marker.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(out, "this holds something that the demo did not make", "Choose another -o.")
    if not (notes / "metadata.csv").exists() or not list(songs.glob("*_3.csv")):
        with replacing(marker) as file:
            file.write("Made by `earmark demo`; may be deleted.\n")
        for folder in (notes, songs):
            shutil.rmtree(folder, ignore_errors=True)  # what a broken-off call left
        synthesis.make_corpus(notes)
        synthesis.make_songs(songs)
    return notes, songs


def _trained(table: ClipTable, recipe: Recipe, path: Path, options: training.Options, say: Say) -> Evaluation:
    """Train, or go on, or take what is there; then evaluate."""
    run = Run(path)
    if run.is_trained:
        say(f"trained before: {path}")
    elif run.facts_path.exists():
        training.resume(path, options, say)
    else:
        training.train(table, recipe, path, options, say)
    found = evaluate(path, progress=options.progress)
    say(describe(found))
    return found


def _without_players(table: ClipTable) -> ClipTable:
    return ClipTable(table.frame.drop(columns="group"), table.root, table.classes, table.multi_label)


def _comparison(honest: Evaluation, leaking: Evaluation) -> str:
    ours, theirs = honest.measures[0], leaking.measures[0]
    if ours.clips.value is None or theirs.clips.value is None:
        return ""
    gap = 100 * (theirs.clips.value - ours.clips.value)
    return (
        f"\n{ours.name} on players never heard: {percent(ours.clips.value)} ({span(ours.clips)})"
        f"\n{theirs.name} with players on both sides: {percent(theirs.clips.value)} ({span(theirs.clips)})"
        f"\nThe second figure ({gap:+.0f} points) says nothing about a new player: only quote the first."
    )


def _predict_songs(out: Path, songs: Path, say: Say) -> None:
    model = out / "runs" / "whole-players"
    predictor = load(model)
    hop = predictor.model.spec.clip_seconds / 4
    predict_files(model, [songs], out / "songs.csv", PredictOptions(hop, overwrite=True))
    predictor = Predictor(predictor.model, hop)
    for recording in predictor.recordings(sorted(songs.glob("*.flac"))):
        song = Path(recording.file)
        heard, truth = heard_segments(recording), read_timeline(song.with_suffix(".csv"))
        picture = out / f"{song.stem}.png"
        with replacing(picture, "wb") as file:
            file.write(
                drawing.timeline(heard, recording.duration, truth, title=f"{song.name}: heard, and true")
            )
        say(
            f"{song.name}: {percent(share_right(heard, truth))} of its seconds are right; timeline: {picture}"
        )
    say(f"The scores of each clip: {out / 'songs.csv'}")
