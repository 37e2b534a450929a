"""Write docs/cli.md from the command line's own parser: `make docs`. A test holds one against the other."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

HEADING = """# Commands

Made from the command line's own parser by `make docs`; do not edit. `earmark COMMAND --help` says the same.
"""


def cli_page(parser: argparse.ArgumentParser) -> str:
    """The page as Markdown: a section a command, with its usage and a table of its arguments."""
    sections = [_section(name, command) for name, command in commands(parser)]
    return "\n".join([HEADING, *sections])


def commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command by its full name, nested ones too: `earmark recipes show`."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                yield f"{parser.prog} {name}", command
                yield from commands(command)


def arguments(command: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """The arguments of a command as they are typed, and what they are."""
    for action in command._actions:
        if not isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
            yield _spelling(action), _words(action)


def _section(name: str, command: argparse.ArgumentParser) -> str:
    rows = [f"| `{typed.replace('|', chr(92) + '|')}` | {words} |" for typed, words in arguments(command)]
    table = ["| argument | what it is |", "|---|---|", *rows, ""] if rows else []
    notes = [line for line in (command.epilog or "").splitlines() if line.startswith("example: ")]
    example = ["```sh", *(line.removeprefix("example: ") for line in notes), "```", ""] if notes else []
    return "\n".join([f"## {name}", "", command.description or "", "", *example, *table])


def _spelling(action: argparse.Action) -> str:
    value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest.upper())
    if not action.option_strings:
        return f"{value}..." if action.nargs in ("+", "*") else str(value)
    takes_value = action.nargs != 0
    return ", ".join(action.option_strings) + (f" {value}" if takes_value else "")


def _words(action: argparse.Action) -> str:
    return " ".join((action.help or "").replace("|", r"\|").split())


def main() -> None:
    """Write the page beside this file."""
    from earmark.cli import build_parser

    (Path(__file__).parent / "cli.md").write_text(cli_page(build_parser()), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
