"""Commands for labelling: label."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from earmark.cli.arguments import DONE, Commands, a_count, a_duration, a_path, command, is_watched, say
from earmark.errors import UsageError

if TYPE_CHECKING:
    from earmark.labelling.project import Project

_KINDS = ("one", "tags", "levels", "yes-no", "regions")


def add_label(commands: Commands) -> None:
    """Add `earmark label`: from a folder of sound to labels, on a page."""
    parser = command(
        commands,
        "label",
        _label,
        "label sound on a page in the browser, alone or with others",
        "earmark label demo/songs --ask saxophone,vocals,piano --levels foreground,background,none --clip 5",
    )
    parser.add_argument(
        "source", type=a_path, metavar="FOLDER|clips.csv", help="folder of sound, or a clip table"
    )
    _add_question(parser)
    _add_queue(parser)
    _add_address(parser)


def _add_question(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ask",
        type=_names,
        default=(),
        metavar="A,B",
        help="classes to ask for; needed when labelling begins, and kept from then on",
    )
    parser.add_argument(
        "--kind",
        choices=_KINDS,
        help="one: one of the classes; tags: any of them; levels: a level for each; yes-no: is it this one class; "
        "regions: drawn from start to end on the spectrogram (default: levels with --levels, yes-no for one class, "
        "else one)",
    )
    parser.add_argument(
        "--levels",
        type=_names,
        default=(),
        metavar="A,B",
        help="levels of each class, the strongest first, such as foreground,background,none",
    )
    parser.add_argument(
        "--clip",
        type=a_duration,
        metavar="SECONDS",
        help="cut recordings into clips of so many seconds (default: whole, or as the table has them)",
    )
    parser.add_argument(
        "--root",
        type=a_path,
        metavar="FOLDER",
        help="folder that the files are relative to, where it was moved (default: as it was)",
    )
    parser.add_argument(
        "--db",
        metavar="FILE|URL",
        help="where the labels are kept: an SQLite file or postgresql://USER@HOST/NAME (default: labels.sqlite "
        "beside the sound)",
    )


def _add_queue(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--overlap", type=a_count, metavar="N", help="how many annotators each clip wants (default: 1)"
    )
    parser.add_argument(
        "--order",
        choices=("random", "balanced", "uncertain", "similar"),
        help="of the queue: random; balanced over the classes; what --run is least sure of first; what sounds most "
        "like --like first (default: random)",
    )
    parser.add_argument(
        "--gold",
        type=_a_share,
        metavar="SHARE",
        help="share of clips with known answers among those given out (default: 0.1, where there are any)",
    )
    parser.add_argument("--run", type=a_path, metavar="RUN", help="run that orders the queue, or suggests")
    parser.add_argument("--like", metavar="FILE[@START]", help="--order similar: the clip to compare with")
    parser.add_argument(
        "--suggest",
        action=argparse.BooleanOptionalAction,
        help="show what --run would answer, to accept with one key; it biases (default: off)",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the order (default: 0)")


def _add_address(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host", metavar="HOST", help="address to listen at (default: 127.0.0.1; with --share 0.0.0.0)"
    )
    parser.add_argument(
        "--port", type=_a_port, default=8642, metavar="N", help="0: any free one (default: 8642)"
    )
    parser.add_argument(
        "--share",
        action="store_true",
        help="let others in by a link with a token, which is printed (default: this machine only)",
    )
    parser.add_argument("--no-browser", action="store_true", help="open no browser, print the address only")


def _label(args: argparse.Namespace) -> int:
    from earmark.server.serving import Address, bound, check_address, serve

    host = args.host or ("0.0.0.0" if args.share else "127.0.0.1")
    address = Address(host, args.port, args.share, not args.no_browser)
    check_address(address)
    bound(address).close()  # a long look through the sound must not end at a port that is taken
    project = _project(args)
    print(_described(project))
    try:
        serve(project, address, say)
    except KeyboardInterrupt:
        pass
    finally:
        project.close()
    say(f"\nearmark: the page has ended; every answer that it called saved is in {project.store.where}")
    return DONE


def _project(args: argparse.Namespace) -> Project:
    """The project that has begun there, with what was asked for now; or a new one."""
    from earmark.labelling import project as labelling
    from earmark.labelling.questions import question_of

    wanted = {
        "overlap": args.overlap,
        "order": args.order,
        "gold_share": args.gold,
        "run": None if args.run is None else str(args.run),
        "like": args.like,
        "suggest": args.suggest,
        "seed": args.seed,
    }
    changed = {key: value for key, value in wanted.items() if value is not None}
    found = labelling.find_project(args.source, args.db)
    if found is None:
        if not args.ask:
            raise UsageError(
                "--ask", "found no classes to ask for", "Name them: --ask saxophone,vocals,piano"
            )
        question = question_of(args.ask, args.levels, args.kind)
        settings = labelling.Settings(**changed)
        return labelling.begin(
            args.source, question, settings, args.db, args.clip, args.root, progress=is_watched()
        )
    if args.ask and question_of(args.ask, args.levels, args.kind) != found.question:
        raise UsageError(
            "--ask",
            f"labelling has begun in {found.store.where} with another question "
            f"({found.question.kind}: {', '.join(found.question.classes)})",
            "Leave --ask, --kind and --levels out to go on, or begin another by --db.",
        )
    if args.clip is not None:
        raise UsageError("--clip", "the clips were cut when labelling began", "Leave it out to go on.")
    if args.root is not None:
        found = labelling.open_project(args.db or args.source, args.root)
    if changed:
        found.change(is_watched(), **changed)
    return found


def _described(project: Project) -> str:
    question = project.question
    levels = f" ({', '.join(question.levels)})" if question.levels else ""
    return f"{question.kind}: {', '.join(question.classes)}{levels}\nlabels: {project.store.where}"


def _names(text: str) -> tuple[str, ...]:
    """Names with commas between them."""
    found = tuple(name.strip() for name in text.split(","))
    if not all(found):
        raise argparse.ArgumentTypeError(f"found {text!r}, wanted names with commas between them")
    return found


def _a_share(text: str) -> float:
    """A number from 0 to 0.9."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 0.9:
        raise argparse.ArgumentTypeError(f"found {text!r}, wanted a number from 0 to 0.9")
    return value


def _a_port(text: str) -> int:
    """The number of a port."""
    if not (text.isdecimal() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"found {text!r}, wanted a number from 0 to 65535")
    return int(text)
