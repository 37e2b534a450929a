"""Commands that look at what there is: explore."""

from __future__ import annotations

import argparse
from pathlib import Path

from earmark.cli.arguments import DONE, SOME_UNUSABLE, Commands, a_path, command, is_watched, say, typed


def add_explore(commands: Commands) -> None:
    """Add `earmark explore`: from a clip table to a page about it."""
    parser = command(
        commands,
        "explore",
        _explore,
        "show what is in a corpus: counts, levels, duplicates, what tells the label, and a map to listen to",
        "earmark explore clips.csv -o explored",
    )
    parser.add_argument("table", type=a_path, metavar="clips.csv", help="clip table, labelled or not")
    parser.add_argument(
        "-o",
        "--out",
        type=a_path,
        default=Path("explored"),
        metavar="DIR",
        help="folder to write: explore.html, tables/ and pictures/; an earlier exploration there is replaced "
        "(default: explored)",
    )
    parser.add_argument(
        "--run",
        type=a_path,
        metavar="RUN",
        help="lay the map out by the embeddings of this run (default: by statistics of the sound)",
    )
    parser.add_argument(
        "--root",
        type=a_path,
        metavar="FOLDER",
        help="folder that the table's files are relative to (default: as imported)",
    )
    parser.add_argument(
        "--sound-mb",
        type=_megabytes,
        default=40.0,
        metavar="MB",
        help="most megabytes of the page for the sounds of the map; 0: none (default: 40)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of the map and of the folds (default: 0)"
    )


def _megabytes(text: str) -> float:
    """A number of megabytes from 0 on."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1000:
        raise argparse.ArgumentTypeError(f"found {text!r}, wanted a number of megabytes from 0 to 1000")
    return value


def _explore(args: argparse.Namespace) -> int:
    from earmark import exploring

    args.after_interrupt = f"; {args.out} is as it was, and what was measured is kept for the next call"
    options = exploring.Options(
        args.root, args.run, args.seed, round(args.sound_mb * 1e6), is_watched(), typed(args), say
    )
    found = exploring.explore(args.table, args.out, options)
    print(exploring.describe(found, args.out))
    return SOME_UNUSABLE if found.n_unusable else DONE
