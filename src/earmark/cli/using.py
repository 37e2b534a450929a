"""Commands that use what is there: predict, recipes, summary and demo."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from earmark.cli.arguments import (
    DONE,
    SOME_UNUSABLE,
    Commands,
    a_count,
    a_duration,
    a_path,
    command,
    is_watched,
)

if TYPE_CHECKING:
    pass


def add_predict(commands: Commands) -> None:
    """Add `earmark predict`: from recordings to labels."""
    parser = command(
        commands,
        "predict",
        _predict,
        "label recordings from start to end",
        "earmark predict runs/first demo/songs -o songs.csv",
    )
    parser.add_argument("run", type=a_path, metavar="RUN", help="run folder, or a model folder by itself")
    parser.add_argument(
        "files",
        nargs="+",
        type=a_path,
        metavar="FILE|FOLDER",
        help="sound files; folders are searched for them",
    )
    parser.add_argument(
        "-o", "--out", type=a_path, default=Path("out.csv"), metavar="FILE",
        help="table of clips to write; the table of recordings goes beside it (default: out.csv)",
    )  # fmt: skip
    parser.add_argument(
        "--hop",
        type=a_duration,
        metavar="SECONDS",
        help="step from clip to clip (default: the length of a clip)",
    )
    parser.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda, mps (default: auto)")
    parser.add_argument(
        "--threads", type=a_count, metavar="N", help="threads on a CPU (default: as torch chooses)"
    )
    parser.add_argument("--force", action="store_true", help="write over existing tables")


def _predict(args: argparse.Namespace) -> int:
    from earmark import prediction

    args.after_interrupt = f"; the files that were finished, if any, are in {args.out}"
    options = prediction.PredictOptions(args.hop, args.device, args.threads, args.force, is_watched())
    tally = prediction.predict_files(args.run, args.files, args.out, options)
    print(prediction.describe(tally, args.out))
    return SOME_UNUSABLE if tally.n_unusable else DONE


def add_recipes(commands: Commands) -> None:
    """Add `earmark recipes`: the recipes."""
    parser = command(
        commands, "recipes", _recipes, "list the recipes, or show one", "earmark recipes show default"
    )
    parser.add_argument(
        "action", nargs="?", choices=["list", "show"], default="list", help="list (default) or show"
    )
    parser.add_argument(
        "name", nargs="?", default="default", metavar="NAME", help="recipe to show (default: default)"
    )


def _recipes(args: argparse.Namespace) -> int:
    from earmark import recipe

    print(
        recipe.describe_all()
        if args.action == "list"
        else recipe.recipe_path(args.name).read_text(encoding="utf-8")
    )
    return DONE


def add_summary(commands: Commands) -> None:
    """Add `earmark summary`: a recipe's layers."""
    parser = command(
        commands,
        "summary",
        _summary,
        "list the layers of a network with their output shapes and numbers of parameters",
        "earmark summary gtzan-mfcc-cnn",
    )
    parser.add_argument("source", metavar="RECIPE|RUN", help="a recipe's name or TOML file, or a run folder")
    parser.add_argument(
        "--classes",
        type=int,
        metavar="N",
        help="classes of a recipe's network (default: 10, of a binary one 2)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _summary(args: argparse.Namespace) -> int:
    from earmark import plan

    found = plan.summarise_source(args.source, args.classes)
    print(found.to_json() if args.json else found)
    return DONE


def add_demo(commands: Commands) -> None:
    """Add `earmark demo`: the tour."""
    parser = command(
        commands, "demo", _demo, "make a practice corpus and go the whole way with it", "earmark demo -o demo"
    )
    parser.add_argument(
        "-o",
        "--out",
        type=a_path,
        default=Path("demo"),
        metavar="FOLDER",
        help="folder for all of it (default: demo)",
    )


def _demo(args: argparse.Namespace) -> int:
    from earmark import demo

    demo.run_demo(args.out, print, progress=is_watched())
    return DONE
