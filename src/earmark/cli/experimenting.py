"""Commands that train many times or look at many runs: sweep, cv and compare."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from earmark.cli.arguments import (
    DONE,
    SOME_UNUSABLE,
    Commands,
    a_count,
    a_path,
    command,
    is_watched,
    say,
    typed,
)
from earmark.cli.learning import add_machine, add_material, add_tested, recipe_of, table_to_train

if TYPE_CHECKING:
    from earmark.training import Options


def add_sweep(commands: Commands) -> None:
    """Add `earmark sweep`: from clips and settings to a table of runs."""
    parser = command(
        commands,
        "sweep",
        _sweep,
        "train with many settings and let validation clips choose among them",
        "earmark sweep clips.csv --over network.dropout=0.1,0.2,0.4 --over training.epochs=40,80 -o sweeps/dropout",
    )
    add_material(parser)
    add_tested(parser)
    parser.add_argument(
        "--over",
        action="append",
        default=[],
        metavar="KEY=V,V,...",
        help="a setting and its values, such as network.filters=[32,64],[64,128]; given again, all combinations are "
        "trained; with --trials also a range, such as training.learning_rate=1e-4..1e-2",
    )
    parser.add_argument(
        "--trials", type=a_count, metavar="N", help="let Optuna choose N combinations, instead of all of them"
    )
    _add_folder(parser, "sweeps/ and the recipe's name")
    add_machine(parser)


def add_cv(commands: Commands) -> None:
    """Add `earmark cv`: from clips to figures over all of them."""
    parser = command(
        commands,
        "cv",
        _cv,
        "cross-validate: every clip is tested once by a network that never heard its group",
        "earmark cv clips.csv --folds 5 --seeds 2 -o cv/default",
    )
    add_material(parser)
    parser.add_argument("--folds", type=a_count, default=5, metavar="K", help="number of folds (default: 5)")
    parser.add_argument(
        "--by",
        choices=("auto", "groups", "each-group", "fold"),
        default="auto",
        help="groups: K folds of whole groups; each-group: leave one group out at a time; fold: the table's own folds; "
        "auto: the table's own where it has some, else groups (default: auto)",
    )
    parser.add_argument(
        "--seeds",
        type=a_count,
        default=1,
        metavar="N",
        help="train each fold with N seeds, from --seed on (default: 1)",
    )
    _add_folder(parser, "cv/ and the recipe's name")
    add_machine(parser)


def add_compare(commands: Commands) -> None:
    """Add `earmark compare`: from runs to a table of them."""
    parser = command(
        commands,
        "compare",
        _compare,
        "hold runs against each other: figures, paired differences, settings that differ, learning curves",
        "earmark compare runs/* -o compared",
    )
    parser.add_argument("runs", type=a_path, nargs="+", metavar="RUN", help="run folder, or a folder of runs")
    parser.add_argument(
        "-o",
        "--out",
        type=a_path,
        metavar="DIR",
        help="folder for the table and the pictures (default: none)",
    )


def _add_folder(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "-o",
        "--out",
        type=a_path,
        metavar="DIR",
        help=f"folder for runs, tables and pictures; finished runs there are not trained again (default: {default})",
    )


def _sweep(args: argparse.Namespace) -> int:
    from earmark.experiments import sweep

    table, recipe = table_to_train(args, recipe_of(args))
    overs = [sweep.read_over(text) for text in args.over]
    folder = _folder(args, "sweeps")
    found = sweep.sweep(table, recipe, overs, folder, _options(args), say, args.trials)
    print(found.text)
    say(f"\nwrote {folder / 'sweep.csv'} and {folder / 'sweep.png'}. Next: earmark compare {folder / 'runs'}")
    return SOME_UNUSABLE if found.n_failed else DONE


def _cv(args: argparse.Namespace) -> int:
    from earmark.experiments import crossvalidation

    table, recipe = table_to_train(args, recipe_of(args))
    how = crossvalidation.CrossValidation(args.folds, args.by, args.seeds)
    folder = _folder(args, "cv")
    found = crossvalidation.cross_validate(table, recipe, how, folder, _options(args), say)
    print(found.text)
    say(
        f"\nwrote {folder}: folds.csv, scores.csv (every clip, by a network that never heard its fold), confusion.png"
    )
    return SOME_UNUSABLE if found.n_failed else DONE


def _compare(args: argparse.Namespace) -> int:
    from earmark.experiments import comparison

    rows = comparison.compare(args.runs)
    print(comparison.describe(rows))
    if args.out is not None:
        comparison.write(rows, args.out)
        say(f"\nwrote {args.out / 'compare.csv'}, curves.png and figures.png")
    return DONE


def _folder(args: argparse.Namespace, base: str) -> Path:
    folder: Path = args.out or Path(base) / Path(args.recipe).stem
    args.after_interrupt = f"; what is finished is in {folder}, and the same command goes on"
    return folder


def _options(args: argparse.Namespace) -> Options:
    from earmark import devices, training

    devices.choose_device(args.device)  # before anything is read
    return training.Options(args.device, args.threads, False, is_watched(), typed(args))
