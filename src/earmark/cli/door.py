"""The door: parse, call one function, print. Tables go to stdout, talk to stderr."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from earmark import __version__, teamwork
from earmark.cli import corpus, experimenting, explaining, exploring, labelling, labels, learning, using
from earmark.cli.arguments import DONE, ERROR, EXIT_CODES, INTERRUPTED, USAGE, say
from earmark.errors import UsageError, UserError
from earmark.process import settle


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    args = build_parser().parse_args(argv)
    try:
        code = _carry_out(args)
        sys.stdout.flush()
        return code
    except UsageError as error:
        say(f"earmark: {error}")
        return USAGE
    except UserError as error:
        say(f"earmark: {error}")
        return ERROR
    except KeyboardInterrupt:
        say(f"\nearmark: interrupted{args.after_interrupt}")
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT):
            raise
        say(f"earmark: {error.filename or 'output'}: cannot be written: {error.strerror}. Free some space.")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ERROR


def _carry_out(args: argparse.Namespace) -> int:
    """Run the command; of several processes that torchrun started only the first does, and the others help it train."""
    if not teamwork.is_started_by_torchrun():
        return int(args.command(args))
    with teamwork.joined() as team:
        if team.leads:
            return int(args.command(args))
        from earmark import training

        try:
            training.assist()
        except KeyboardInterrupt:  # the leader tells of it
            return INTERRUPTED
        return DONE


def entry() -> NoReturn:
    """The console script."""
    settle()
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="earmark",
        description="Turn a folder of sound into a classifier that can be trusted.",
        epilog=EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=f"earmark {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for add in (
        using.add_demo,
        corpus.add_import,
        corpus.add_features,
        exploring.add_explore,
        labelling.add_label,
        labels.add_labels,
        learning.add_train,
        learning.add_evaluate,
        experimenting.add_sweep,
        experimenting.add_cv,
        experimenting.add_compare,
        using.add_predict,
        explaining.add_explain,
        using.add_recipes,
        using.add_summary,
    ):
        add(commands)
    return parser
