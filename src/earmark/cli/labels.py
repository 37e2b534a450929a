"""Commands about labels that people give: export, import and status."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from earmark.cli.arguments import DONE, SOME_UNUSABLE, Commands, a_path, command, say

_PLACE = "the folder or table that is labelled, its labels.sqlite, or postgresql://..."


def add_labels(commands: Commands) -> None:
    """Add `earmark labels`: labels out, in, and how far they are."""
    parser = command(
        commands,
        "labels",
        _status,
        "export, import and count the labels of `earmark label`",
        "earmark labels export recordings -o clips.csv",
    )
    parts = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_export(parts)
    _add_import(parts)
    _add_status(parts)


def _add_export(parts: Commands) -> None:
    parser = command(
        parts,
        "export",
        _export,
        "write labels as a clip table that trains at once, or for other programs",
        "earmark labels export recordings -o clips.csv",
    )
    parser.add_argument("labels", metavar="LABELS", help=_PLACE)
    parser.add_argument(
        "-o",
        "--out",
        type=a_path,
        metavar="PATH",
        help="file to write, for raven and audacity a folder (default: clips.csv, labels.json or labels)",
    )
    parser.add_argument(
        "--format",
        default="clips",
        metavar="NAME",
        help="clips: a clip table; raven: selection tables; audacity: label tracks; labelstudio: JSON (default: clips)",
    )
    parser.add_argument(
        "--rule",
        default="majority",
        metavar="NAME",
        help="how several answers become one: majority, or dawid-skene, which weighs annotators by how often they err "
        "(default: majority)",
    )
    parser.add_argument(
        "--positive",
        metavar="A,B",
        help="levels that mean that a class is there (default: all but the last)",
    )
    _add_root(parser)
    parser.add_argument("--force", action="store_true", help="write over an earlier export")


def _add_import(parts: Commands) -> None:
    parser = command(
        parts,
        "import",
        _import,
        "take labels that exist already for answers of an annotator, or for gold",
        "earmark labels import recordings checked.csv --gold",
    )
    parser.add_argument("labels", metavar="LABELS", help=_PLACE)
    parser.add_argument(
        "source", type=a_path, metavar="PATH", help="clip table, Label Studio JSON, or folder of labels"
    )
    parser.add_argument(
        "--format",
        default="auto",
        metavar="NAME",
        help="clips, raven, audacity, labelstudio, or auto, which recognises them (default: auto)",
    )
    parser.add_argument(
        "--as", dest="name", default="", metavar="NAME", help="annotator (default: the name of the file)"
    )
    parser.add_argument(
        "--gold",
        action="store_true",
        help="they are known answers: their clips test annotators and are no longer in the queue",
    )
    parser.add_argument(
        "--positive",
        metavar="A",
        help="the level of a class that is there (default: the first; a class that is not has the last)",
    )
    _add_root(parser)


def _add_status(parts: Commands) -> None:
    parser = command(
        parts,
        "status",
        _status,
        "show how far labelling is, and how far annotators agree",
        "earmark labels status recordings",
    )
    parser.add_argument("labels", metavar="LABELS", help=_PLACE)
    _add_root(parser)


def _add_root(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--root",
        type=a_path,
        metavar="FOLDER",
        help="folder that the sounds have been moved to (default: as before)",
    )


def _export(args: argparse.Namespace) -> int:
    from earmark.labelling import exporting
    from earmark.labelling.project import open_project

    how = exporting.How(args.format, args.rule, _names(args.positive), args.force)
    out = args.out or Path({"clips": "clips.csv", "labelstudio": "labels.json"}.get(args.format, "labels"))
    found = exporting.export(open_project(args.labels, args.root), out, how)
    print(exporting.describe(found, how, out))
    if args.format == "clips":
        say(f"Next: earmark train {shlex.quote(str(out))}")
    return DONE


def _import(args: argparse.Namespace) -> int:
    from earmark.labelling import importing
    from earmark.labelling.project import open_project

    how = importing.How(args.format, args.name, args.gold, _names(args.positive))
    found = importing.import_labels(open_project(args.labels, args.root), args.source, how)
    print(importing.describe(found))
    return SOME_UNUSABLE if any(found.left_out.values()) else DONE


def _status(args: argparse.Namespace) -> int:
    from earmark.labelling.project import open_project
    from earmark.labelling.status import describe

    print(describe(open_project(args.labels, args.root)))
    return DONE


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())
