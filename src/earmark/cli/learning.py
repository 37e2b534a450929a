"""Commands that learn and judge: train and evaluate."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from earmark.cli.arguments import (
    DONE,
    SOME_UNUSABLE,
    Commands,
    a_count,
    a_path,
    add_layout,
    command,
    is_watched,
    say,
    typed,
)
from earmark.errors import UsageError

if TYPE_CHECKING:
    from earmark.clips import ClipTable
    from earmark.recipe import Recipe


def add_train(commands: Commands) -> None:
    """Add `earmark train`: from clips to a run."""
    parser = command(
        commands,
        "train",
        _train,
        "train a classifier on a clip table or a folder, and evaluate it",
        "earmark train clips.csv -o runs/first",
    )
    add_material(parser)
    parser.add_argument(
        "-o",
        "--out",
        type=a_path,
        metavar="RUN",
        help="run folder to make (default: runs/ and date, time and recipe)",
    )
    add_tested(parser)
    _add_way(parser)


def add_material(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what is trained: clips, recipe, seed."""
    parser.add_argument(
        "source",
        type=a_path,
        nargs="?",
        metavar="clips.csv|FOLDER",
        help="clip table, or a folder as for import",
    )
    parser.add_argument(
        "--recipe", default="default", metavar="R", help="a recipe's name or TOML file (default: default)"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="changes",
        help="change a setting of the recipe, such as training.epochs=20; may be given again",
    )
    parser.add_argument(
        "--seed", type=int, metavar="N", help="seed of the split and of training (default: 0)"
    )
    parser.add_argument(
        "--root",
        type=a_path,
        metavar="FOLDER",
        help="folder that the table's files are relative to (default: as imported)",
    )
    add_layout(parser)


def add_tested(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what is tested."""
    parser.add_argument("--test-fold", metavar="K", help="test on this fold of the column fold")
    parser.add_argument("--test-group", metavar="G", help="test on this group")


def add_machine(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what it is trained on."""
    parser.add_argument(
        "--device",
        default="auto",
        metavar="D",
        help="auto, cpu, cuda, mps (default: auto, a GPU where there is one)",
    )
    parser.add_argument(
        "--threads",
        type=a_count,
        metavar="N",
        help="threads on a CPU (default: what is quickest here and now)",
    )


def _add_way(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say how to train, as far as it does not belong to the recipe."""
    add_machine(parser)
    parser.add_argument("--tensorboard", action="store_true", help="write TensorBoard's events too")
    parser.add_argument(
        "--no-evaluate", action="store_true", help="do not evaluate on the test split afterwards"
    )
    parser.add_argument(
        "--no-grouped",
        action="store_true",
        help="where the recipe splits by segment (LEAKS), do not train it again with whole groups",
    )
    parser.add_argument(
        "--resume",
        type=a_path,
        metavar="RUN",
        help="go on with a training that was broken off (takes no table)",
    )


def _train(args: argparse.Namespace) -> int:
    from earmark import devices, protocols, training

    options = training.Options(args.device, args.threads, args.tensorboard, is_watched(), typed(args))
    devices.choose_device(args.device)  # before anything is read
    if args.resume is not None:
        if args.source is not None:
            raise UsageError(
                "--resume",
                f"found a table, {args.source}, beside it",
                "A run remembers its clips: name only the run.",
            )
        args.after_interrupt = f"; go on with: earmark train --resume {shlex.quote(str(args.resume))}"
        run = protocols.resume(args.resume, options, say, not args.no_grouped)
    else:
        table, recipe = table_to_train(args, recipe_of(args))
        out = args.out or _dated(args.recipe)
        args.after_interrupt = (
            f"; if {out} is there, go on with: earmark train --resume {shlex.quote(str(out))}"
        )
        run = protocols.train(table, recipe, out, options, say, not args.no_grouped)
    if args.no_evaluate:
        say(f"trained {run.path}. Next: earmark evaluate {shlex.quote(str(run.path))}")
    else:
        _evaluate_and_print(run.path, None, None)
    return SOME_UNUSABLE if run.unusable_path.exists() else DONE


def table_to_train(args: argparse.Namespace, recipe: Recipe) -> tuple[ClipTable, Recipe]:
    """The clips that are named, and the recipe as they allow it."""
    from earmark import clips, featurefile, layouts

    if args.source is None:
        raise UsageError(
            "clips.csv|FOLDER", "no clip table and no folder is named", "For example: earmark train clips.csv"
        )
    if args.source.is_dir():
        return layouts.import_folder(
            args.source, args.layout, args.group, progress=is_watched()
        ).table, recipe
    if featurefile.is_feature_file(args.source):
        return featurefile.read_feature_file(args.source, recipe), featurefile.leaking(recipe)
    return clips.regrouped(clips.read_clips(args.source, args.root), args.group), recipe


def recipe_of(args: argparse.Namespace) -> Recipe:
    """The recipe that is named, with its changes."""
    from earmark.recipe import read_recipe
    from earmark.settings import write_value

    changes = list(args.changes)
    if args.seed is not None:
        changes += [f"training.seed={args.seed}", f"split.seed={args.seed}"]
    for name in ("test_fold", "test_group"):
        if (value := getattr(args, name, None)) is not None:
            changes.append(f"split.{name}={write_value(value)}")
    return read_recipe(args.recipe, changes)


def _dated(recipe: str) -> Path:
    """A run folder that does not exist yet, named by date, time and recipe."""
    from datetime import datetime

    name = f"{datetime.now():%Y-%m-%d-%H%M}-{Path(recipe).stem}"
    places = [Path("runs") / (name if n == 1 else f"{name}-{n}") for n in range(1, 1000)]
    return next(place for place in places if not place.exists())


def add_evaluate(commands: Commands) -> None:
    """Add `earmark evaluate`: from a run to its figures."""
    parser = command(
        commands,
        "evaluate",
        _evaluate,
        "score a run on its test split, or on other labelled clips",
        "earmark evaluate runs/first",
    )
    parser.add_argument("run", type=a_path, metavar="RUN", help="run folder")
    parser.add_argument(
        "table",
        type=a_path,
        nargs="?",
        metavar="clips.csv",
        help="other labelled clips (default: the run's test split)",
    )
    parser.add_argument(
        "-o",
        "--out",
        type=a_path,
        metavar="FOLDER",
        help="where the results go (default: the run; needed with other clips)",
    )
    parser.add_argument(
        "--root",
        type=a_path,
        metavar="FOLDER",
        help="folder that the files are relative to (default: as imported); without clips.csv, the run remembers it",
    )
    parser.add_argument(
        "--explain",
        type=a_count,
        default=0,
        metavar="N",
        help="show and play in the report what convinced the network of its N surest mistakes; each takes some seconds "
        "(default: none)",
    )


def _evaluate(args: argparse.Namespace) -> int:
    from earmark.clips import read_clips
    from earmark.run import open_run

    if args.table is not None and args.out is None:
        raise UsageError(
            "earmark evaluate", "other clips are named but no place for their results", "Add -o FOLDER."
        )
    if args.table is not None:
        return _evaluate_and_print(args.run, read_clips(args.table, args.root), args.out, args.explain)
    if args.root is not None:
        open_run(args.run).move_root(args.root)
    return _evaluate_and_print(args.run, None, args.out, args.explain)


def _evaluate_and_print(run: Path, table: ClipTable | None, out: Path | None, explain: int = 0) -> int:
    from earmark import evaluation

    found = evaluation.evaluate(
        run, table, out, progress=is_watched(), extent=evaluation.Extent(explain=explain)
    )
    print(evaluation.describe(found))
    say(f"\nwrote {found.report_path}. Next: earmark predict {shlex.quote(str(run))} FILE|FOLDER...")
    return SOME_UNUSABLE if found.n_unusable else DONE
