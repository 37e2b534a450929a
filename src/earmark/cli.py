"""The command line: parse, call one function, print. Tables go to stdout, talk to stderr."""

from __future__ import annotations

import argparse
import errno
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from earmark import __version__
from earmark.errors import UsageError, UserError

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]
    from earmark.clips import ClipTable
    from earmark.recipe import Recipe

DONE, ERROR, USAGE, SOME_UNUSABLE, INTERRUPTED = 0, 1, 2, 3, 130

EXIT_CODES = (
    """exit codes: 0 done, 1 error, 2 usage, 3 done but some files could not be used, 130 interrupted"""
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin starve whoever shares the machine
    args = build_parser().parse_args(argv)
    try:
        code = int(args.command(args))
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


def entry() -> NoReturn:
    """The console script."""
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def say(text: str) -> None:
    """Talk to the person who waits."""
    print(text, file=sys.stderr, flush=True)


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
        _add_demo,
        _add_import,
        _add_features,
        _add_train,
        _add_evaluate,
        _add_predict,
        _add_recipes,
        _add_summary,
    ):
        add(commands)
    return parser


def _command(commands: Commands, name: str, run: object, help: str, example: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help,
        description=f"{help[:1].upper()}{help[1:]}.",
        epilog=f"example: {example}\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=run, after_interrupt="")
    return parser


# -- import -------------------------------------------------------------------------------------------------


def _add_import(commands: Commands) -> None:
    parser = _command(
        commands,
        "import",
        _import,
        "turn a folder of labelled sound into a clip table",
        "earmark import demo/notes -o clips.csv",
    )
    parser.add_argument(
        "folder",
        type=_path,
        metavar="FOLDER",
        help="a folder a class, a folder with metadata.csv, a corpus laid out as docs/layouts.md says, or an .npz",
    )
    parser.add_argument(
        "-o",
        "--out",
        type=_path,
        default=Path("clips.csv"),
        metavar="FILE",
        help="table to write (default: clips.csv)",
    )
    _add_layout(parser)
    parser.add_argument(
        "--clip",
        type=_seconds,
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


def _add_layout(parser: argparse.ArgumentParser) -> None:
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
    found = layouts.import_folder(args.folder, args.layout, args.group, args.clip, _is_watched(), how)
    write_clips(found.table, args.out)
    print(layouts.describe(found))
    say(f"\nwrote {args.out}. Next: earmark train {shlex.quote(str(args.out))}")
    return SOME_UNUSABLE if found.unusable else DONE


# -- train --------------------------------------------------------------------------------------------------


def _add_train(commands: Commands) -> None:
    parser = _command(
        commands,
        "train",
        _train,
        "train a classifier on a clip table or a folder, and evaluate it",
        "earmark train clips.csv -o runs/first",
    )
    parser.add_argument(
        "source",
        type=_path,
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
        "-o",
        "--out",
        type=_path,
        metavar="RUN",
        help="run folder to make (default: runs/ and date, time and recipe)",
    )
    parser.add_argument("--test-fold", metavar="K", help="test on this fold of the column fold")
    parser.add_argument("--test-group", metavar="G", help="test on this group")
    parser.add_argument(
        "--seed", type=int, metavar="N", help="seed of the split and of training (default: 0)"
    )
    parser.add_argument(
        "--root",
        type=_path,
        metavar="FOLDER",
        help="folder that the table's files are relative to (default: as imported)",
    )
    _add_layout(parser)
    parser.add_argument(
        "--device",
        default="auto",
        metavar="D",
        help="auto, cpu, cuda, mps (default: auto, a GPU where there is one)",
    )
    parser.add_argument(
        "--threads",
        type=_count,
        metavar="N",
        help="threads on a CPU (default: what is quickest here and now)",
    )
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
        type=_path,
        metavar="RUN",
        help="go on with a training that was broken off (takes no table)",
    )


def _train(args: argparse.Namespace) -> int:
    from earmark import devices, protocols, training

    options = training.Options(args.device, args.threads, args.tensorboard, _is_watched(), _typed(args))
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
        table, recipe = _table_to_train(args, _recipe(args))
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


def _table_to_train(args: argparse.Namespace, recipe: Recipe) -> tuple[ClipTable, Recipe]:
    from earmark import clips, featurefile, layouts

    if args.source is None:
        raise UsageError(
            "earmark train", "no clip table and no folder is named", "For example: earmark train clips.csv"
        )
    if args.source.is_dir():
        return layouts.import_folder(
            args.source, args.layout, args.group, progress=_is_watched()
        ).table, recipe
    if featurefile.is_feature_file(args.source):
        return featurefile.read_feature_file(args.source, recipe), featurefile.leaking(recipe)
    return clips.regrouped(clips.read_clips(args.source, args.root), args.group), recipe


def _recipe(args: argparse.Namespace) -> Recipe:
    from earmark.recipe import read_recipe
    from earmark.settings import write_value

    changes = list(args.changes)
    if args.seed is not None:
        changes += [f"training.seed={args.seed}", f"split.seed={args.seed}"]
    for name in ("test_fold", "test_group"):
        if (value := getattr(args, name)) is not None:
            changes.append(f"split.{name}={write_value(value)}")
    return read_recipe(args.recipe, changes)


def _dated(recipe: str) -> Path:
    """A run folder that does not exist yet, named by date, time and recipe."""
    from datetime import datetime

    name = f"{datetime.now():%Y-%m-%d-%H%M}-{Path(recipe).stem}"
    places = [Path("runs") / (name if n == 1 else f"{name}-{n}") for n in range(1, 1000)]
    return next(place for place in places if not place.exists())


# -- features -----------------------------------------------------------------------------------------------


def _add_features(commands: Commands) -> None:
    parser = _command(
        commands,
        "features",
        _features,
        "write the features of clips as a file for other programs",
        "earmark features clips.csv --recipe gtzan-mfcc-mlp-1 -o data.json",
    )
    parser.add_argument("table", type=_path, metavar="clips.csv", help="clip table")
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
        type=_path,
        default=Path("data.json"),
        metavar="FILE",
        help="file to write (default: data.json)",
    )
    parser.add_argument(
        "--root",
        type=_path,
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
    features = write_feature_file(table, read_recipe(args.recipe), args.out, _is_watched())
    good = int(features.good().sum())
    print(f"{good} of {len(features)} segments written")
    say(f"wrote {args.out}. Next: earmark train {shlex.quote(str(args.out))} --recipe {args.recipe}")
    return DONE if good == len(features) else SOME_UNUSABLE


# -- evaluate -----------------------------------------------------------------------------------------------


def _add_evaluate(commands: Commands) -> None:
    parser = _command(
        commands,
        "evaluate",
        _evaluate,
        "score a run on its test split, or on other labelled clips",
        "earmark evaluate runs/first",
    )
    parser.add_argument("run", type=_path, metavar="RUN", help="run folder")
    parser.add_argument(
        "table",
        type=_path,
        nargs="?",
        metavar="clips.csv",
        help="other labelled clips (default: the run's test split)",
    )
    parser.add_argument(
        "-o",
        "--out",
        type=_path,
        metavar="FOLDER",
        help="where the results go (default: the run; needed with other clips)",
    )
    parser.add_argument(
        "--root",
        type=_path,
        metavar="FOLDER",
        help="folder that the files are relative to (default: as imported); without clips.csv, the run remembers it",
    )


def _evaluate(args: argparse.Namespace) -> int:
    from earmark.clips import read_clips
    from earmark.run import open_run

    if args.table is not None and args.out is None:
        raise UsageError(
            "earmark evaluate", "other clips are named but no place for their results", "Add -o FOLDER."
        )
    if args.table is not None:
        return _evaluate_and_print(args.run, read_clips(args.table, args.root), args.out)
    if args.root is not None:
        open_run(args.run).move_root(args.root)
    return _evaluate_and_print(args.run, None, args.out)


def _evaluate_and_print(run: Path, table: ClipTable | None, out: Path | None) -> int:
    from earmark import evaluation

    found = evaluation.evaluate(run, table, out, progress=_is_watched())
    print(evaluation.describe(found))
    say(f"\nwrote {found.report_path}. Next: earmark predict {shlex.quote(str(run))} FILE|FOLDER...")
    return SOME_UNUSABLE if found.n_unusable else DONE


# -- predict ------------------------------------------------------------------------------------------------


def _add_predict(commands: Commands) -> None:
    parser = _command(
        commands,
        "predict",
        _predict,
        "label recordings from start to end",
        "earmark predict runs/first demo/songs -o songs.csv",
    )
    parser.add_argument("run", type=_path, metavar="RUN", help="run folder, or a model folder by itself")
    parser.add_argument(
        "files",
        nargs="+",
        type=_path,
        metavar="FILE|FOLDER",
        help="sound files; folders are searched for them",
    )
    parser.add_argument(
        "-o", "--out", type=_path, default=Path("out.csv"), metavar="FILE",
        help="table of clips to write; the table of recordings goes beside it (default: out.csv)",
    )  # fmt: skip
    parser.add_argument(
        "--hop",
        type=_seconds,
        metavar="SECONDS",
        help="step from clip to clip (default: the length of a clip)",
    )
    parser.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda, mps (default: auto)")
    parser.add_argument(
        "--threads", type=_count, metavar="N", help="threads on a CPU (default: as torch chooses)"
    )
    parser.add_argument("--force", action="store_true", help="write over existing tables")


def _predict(args: argparse.Namespace) -> int:
    from earmark import prediction

    args.after_interrupt = f"; the files that were finished, if any, are in {args.out}"
    options = prediction.PredictOptions(args.hop, args.device, args.threads, args.force, _is_watched())
    tally = prediction.predict_files(args.run, args.files, args.out, options)
    print(prediction.describe(tally, args.out))
    return SOME_UNUSABLE if tally.n_unusable else DONE


# -- recipes and demo ---------------------------------------------------------------------------------------


def _add_recipes(commands: Commands) -> None:
    parser = _command(
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


def _add_summary(commands: Commands) -> None:
    parser = _command(
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


def _add_demo(commands: Commands) -> None:
    parser = _command(
        commands, "demo", _demo, "make a practice corpus and go the whole way with it", "earmark demo -o demo"
    )
    parser.add_argument(
        "-o",
        "--out",
        type=_path,
        default=Path("demo"),
        metavar="FOLDER",
        help="folder for all of it (default: demo)",
    )


def _demo(args: argparse.Namespace) -> int:
    from earmark import demo

    demo.run_demo(args.out, print, progress=_is_watched())
    return DONE


# -- what arguments mean ------------------------------------------------------------------------------------


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"found {text!r}, wanted a number of seconds above 0")
    return value


def _count(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"found {text!r}, wanted a whole number above 0")
    return int(text)


def _path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("found nothing, wanted a path")
    return Path(text)


def _is_watched() -> bool:
    return sys.stderr.isatty()


def _typed(args: argparse.Namespace) -> str:
    return shlex.join(["earmark", *sys.argv[1:]])
