"""Commands that make tables and files of sound: import and features."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from earmark.cli.arguments import (
    DONE,
    SOME_UNUSABLE,
    Commands,
    a_duration,
    a_path,
    add_layout,
    command,
    is_watched,
    say,
)

if TYPE_CHECKING:
    pass


def add_import(commands: Commands) -> None:
    """Add `earmark import`: from a folder to a clip table."""
    parser = command(
        commands,
        "import",
        _import,
        "turn a folder of labelled sound into a clip table",
        "earmark import demo/notes -o clips.csv",
    )
    parser.add_argument(
        "folder",
        type=a_path,
        metavar="FOLDER",
        help="a folder a class, a folder with metadata.csv, a corpus laid out as docs/layouts.md says, or an .npz",
    )
    parser.add_argument(
        "-o",
        "--out",
        type=a_path,
        default=Path("clips.csv"),
        metavar="FILE",
        help="table to write (default: clips.csv)",
    )
    add_layout(parser)
    parser.add_argument(
        "--clip",
        type=a_duration,
        metavar="SECONDS",
        help="cut recordings into clips of so many seconds (default: whole)",
    )
    parser.add_argument(
        "--multi-label",
        action="store_true",
        help="a folder (or label) `a,b` is two labels, and a clip may have several (default: one label)",
    )
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="CLASS",
        help="leave out the clips of this class; may be given again",
    )
    parser.add_argument(
        "--classes",
        default="",
        metavar="A,B",
        help="npz: names of the class of the first half and of that of the second",
    )
    parser.add_argument(
        "--rate", type=int, default=400, metavar="HZ", help="npz: rate of the waveforms (default: 400)"
    )
    parser.add_argument("--force", action="store_true", help="write over an existing table")


def _import(args: argparse.Namespace) -> int:
    from earmark import layouts
    from earmark.clips import write_clips
    from earmark.files import check_place

    check_place(args.out, args.force, b"file,")
    how = layouts.How(
        multi_label=args.multi_label,
        without=tuple(args.without),
        classes=tuple(filter(None, args.classes.split(","))),
        sample_rate=args.rate,
        sounds=args.out.with_name(f"{args.out.stem}-sounds"),
        force=args.force,
    )
    found = layouts.import_folder(args.folder, args.layout, args.group, args.clip, is_watched(), how)
    write_clips(found.table, args.out)
    print(layouts.describe(found))
    say(f"\nwrote {args.out}. Next: earmark train {shlex.quote(str(args.out))}")
    return SOME_UNUSABLE if found.unusable else DONE


def add_features(commands: Commands) -> None:
    """Add `earmark features`: from a clip table to a file of features."""
    parser = command(
        commands,
        "features",
        _features,
        "write the features of clips as a file for other programs",
        "earmark features clips.csv --recipe gtzan-mfcc-mlp-1 -o data.json",
    )
    parser.add_argument("table", type=a_path, metavar="clips.csv", help="clip table")
    parser.add_argument(
        "--recipe",
        default="gtzan-mfcc-mlp-1",
        metavar="R",
        help="whose features and segments (default: gtzan-mfcc-mlp-1)",
    )
    parser.add_argument(
        "--format",
        choices=["gtzan-json"],
        default="gtzan-json",
        help="a JSON of mapping, mfcc and labels (default)",
    )
    parser.add_argument(
        "-o",
        "--out",
        type=a_path,
        default=Path("data.json"),
        metavar="FILE",
        help="file to write (default: data.json)",
    )
    parser.add_argument(
        "--root",
        type=a_path,
        metavar="FOLDER",
        help="folder that the table's files are relative to (default: as imported)",
    )
    parser.add_argument("--force", action="store_true", help="write over an existing file")


def _features(args: argparse.Namespace) -> int:
    from earmark.clips import read_clips
    from earmark.featurefile import write_feature_file
    from earmark.files import check_place
    from earmark.recipe import read_recipe

    check_place(args.out, args.force, b'{"mapping"')
    table = read_clips(args.table, args.root)
    features = write_feature_file(table, read_recipe(args.recipe), args.out, is_watched())
    good = int(features.good().sum())
    print(f"{good} of {len(features)} segments written")
    say(f"wrote {args.out}. Next: earmark train {shlex.quote(str(args.out))} --recipe {args.recipe}")
    return DONE if good == len(features) else SOME_UNUSABLE
