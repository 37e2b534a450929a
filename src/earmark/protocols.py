"""A protocol that leaks never stands alone: the same clips are trained on once more with groups kept whole."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from earmark import training
from earmark.clips import ClipTable
from earmark.errors import UserError
from earmark.plan import settled
from earmark.recipe import Recipe
from earmark.run import Run, open_run
from earmark.splits import SplitSettings
from earmark.training import Options, Say


def train(table: ClipTable, recipe: Recipe, out: Path, options: Options, say: Say, twin: bool = True) -> Run:
    """Train a recipe; where its split is by segment, train its grouped twin too, in the run's folder `grouped/`.

    Args:
        table: labelled clips.
        recipe: the settings.
        out: the run folder to make.
        options: device, threads and the like.
        say: takes a line for the person who waits.
        twin: whether to train the twin.
    """
    run = training.train(table, recipe, out, options, say)
    if twin:
        train_twin(run, options, say)
    return run


def resume(path: Path, options: Options, say: Say, twin: bool = True) -> Run:
    """Go on with a training that was broken off, or with its twin."""
    run = open_run(path, trained=False)
    unfinished_twin = run.facts.protocol == "segments" and not Run(run.twin_path).is_trained
    if not (run.is_trained and twin and unfinished_twin):
        run = training.resume(path, options, say)
    if twin:
        train_twin(run, options, say)
    return run


def train_twin(run: Run, options: Options, say: Say) -> Run | None:
    """Train, or go on with, the grouped twin of a run whose split is by segment.

    Returns:
        The twin; None for a run that needs none, or whose clips cannot be divided by groups (it is said why).
    """
    if run.facts.protocol != "segments" or not run.facts.knows_sound:
        return None
    twin = Run(run.twin_path)
    if twin.is_trained:
        return twin
    say("\nThis split LEAKS. Now the same clips with whole groups on one side, for the figure to go by:")
    try:
        if twin.facts_path.exists():
            return training.resume(twin.path, options, say)
        clips = run.clips()
        frame = clips.frame.drop(columns="split")
        return training.train(
            dataclasses.replace(clips, frame=frame), grouped(run.recipe), twin.path, options, say
        )
    except UserError as error:
        say(f"there is no such figure: {error}")
        return None


def grouped(recipe: Recipe) -> Recipe:
    """The recipe with groups kept whole, for clips that are cut already."""
    split = SplitSettings(recipe.split.test_fraction, recipe.split.valid_fraction, recipe.split.seed)
    return dataclasses.replace(settled(recipe), split=split)
