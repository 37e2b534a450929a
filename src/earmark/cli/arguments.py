"""What the commands share: exit codes, the words of help, and what arguments mean."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Commands = argparse._SubParsersAction

DONE, ERROR, USAGE, SOME_UNUSABLE, INTERRUPTED = 0, 1, 2, 3, 130

EXIT_CODES = (
    """exit codes: 0 done, 1 error, 2 usage, 3 done but some files could not be used, 130 interrupted"""
)


def say(text: str) -> None:
    """Talk to the person who waits."""
    print(text, file=sys.stderr, flush=True)


def command(commands: Commands, name: str, run: object, help: str, example: str) -> argparse.ArgumentParser:
    """Add a command with its help, an example and the exit codes."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help,
        description=f"{help[:1].upper()}{help[1:]}.",
        epilog=f"example: {example}\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=run, after_interrupt="")
    return parser


def add_layout(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say how a folder is laid out."""
    parser.add_argument(
        "--layout",
        default="auto",
        metavar="NAME",
        help="how the folder is laid out: audiofolder, metadata, nsynth, gtzan, irmas, openmic, urbansound8k, "
        "esc50, esc10, speechcommands, fsdd, raven, audacity, folder, npz, or auto, which recognises all of them "
        "(default: auto)",
    )
    parser.add_argument(
        "--group",
        metavar="COLUMN",
        help="column that tells which clips belong together (song, player, place) and must not be split"
        " (default: group, artist, else the recording)",
    )


def a_duration(text: str) -> float:
    """A number of seconds above 0."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"found {text!r}, wanted a number of seconds above 0")
    return value


def a_count(text: str) -> int:
    """A whole number above 0."""
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"found {text!r}, wanted a whole number above 0")
    return int(text)


def a_path(text: str) -> Path:
    """A path that is not empty."""
    if not text:
        raise argparse.ArgumentTypeError("found nothing, wanted a path")
    return Path(text)


def is_watched() -> bool:
    """Whether somebody sees the terminal, so that bars may be shown."""
    return sys.stderr.isatty()


def typed(args: argparse.Namespace) -> str:
    """The command line, for the run to remember."""
    return shlex.join(["earmark", *sys.argv[1:]])
