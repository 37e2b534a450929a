"""The command that says why: explain."""

from __future__ import annotations

import argparse
from pathlib import Path

from earmark.cli.arguments import DONE, Commands, a_count, a_path, command, say, typed
from earmark.errors import UsageError


def add_explain(commands: Commands) -> None:
    """Add `earmark explain`: from a run and a sound to what convinced the network."""
    parser = command(
        commands,
        "explain",
        _explain,
        "show and play what convinced a network, and test whether that is true",
        "earmark explain runs/first demo/songs/song_1.flac -o explained",
    )
    parser.add_argument("run", type=a_path, metavar="RUN", help="run folder, or a model folder by itself")
    parser.add_argument(
        "file", type=a_path, nargs="?", metavar="FILE",
        help="sound file; one that is longer than a clip is explained at the moments that decided",
    )  # fmt: skip
    for name, where in (("start", "beginning"), ("end", "end")):
        parser.add_argument(
            f"--{name}", type=_seconds, metavar="S", help=f"{name} of the clip in seconds (default: the {where})"
        )  # fmt: skip
    for name in ("right", "wrong"):
        parser.add_argument(
            f"--{name}", type=a_count, metavar="N",
            help=f"without FILE: the N surest {name} clips of the run's evaluation",
        )  # fmt: skip
    _add_how(parser)
    parser.add_argument(
        "-o", "--out", type=a_path, default=Path("explained"), metavar="DIR",
        help="folder to write: explain.html, sounds, pictures and figures; earlier explanations there are replaced "
        "(default: explained)",
    )  # fmt: skip


def _add_how(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what is asked and how it is answered."""
    parser.add_argument(
        "--class", dest="target", metavar="C", help="class to explain (default: the predicted one)"
    )
    parser.add_argument("--true-class", action="store_true", help="explain the true class of the clip")
    parser.add_argument(
        "--against", metavar="C", help="say why the class and not this one (default: all others)"
    )
    parser.add_argument(
        "--method", metavar="M",
        help="mask, saliency, smoothgrad, integrated-gradients, grad-cam or occlusion (default: mask)",
    )  # fmt: skip
    parser.add_argument(
        "--share", type=float, default=0.3, metavar="P", help="share of the energy that is kept (default: 0.3)"
    )  # fmt: skip
    parser.add_argument(
        "--no-sanity", action="store_true", help="do not explain again with a random head and 1 dB louder"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of noise and random masks (default: 0)"
    )
    parser.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda, mps (default: auto)")
    parser.add_argument(
        "--threads", type=a_count, metavar="N", help="threads on a CPU (default: as torch chooses)"
    )


def _seconds(text: str) -> float:
    """A number of seconds from 0 on."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"found {text!r}, wanted a number of seconds from 0 on")
    return value


def _explain(args: argparse.Namespace) -> int:
    from earmark import explaining
    from earmark.devices import choose_device, using_threads
    from earmark.evaluation import read_scored
    from earmark.explaining.methods import DEFAULT
    from earmark.run import open_run

    some = bool(args.right or args.wrong)
    if some == (args.file is not None):
        raise UsageError(
            "FILE", "name a sound file, or ask for --right N and --wrong N", "One of both is wanted."
        )
    if some and (args.start is not None or args.end is not None):
        raise UsageError(
            "--start, --end", "they belong to a FILE", "Leave them out with --right and --wrong."
        )
    args.after_interrupt = f"; {args.out} is as it was"
    options = explaining.Options(
        target=args.target,
        true_class=args.true_class,
        against=args.against,
        method=args.method or DEFAULT,
        share=args.share,
        seed=args.seed,
        sanity=not args.no_sanity,
        device=choose_device(args.device),
        command=typed(args),
        say=say,
    )
    with using_threads(args.threads):
        if some:
            run = open_run(args.run)
            found = explaining.explain_scored(
                run, read_scored(run), args.out, args.right or 0, args.wrong or 0, options
            )
        else:
            found = explaining.explain(args.run, args.file, args.out, options, args.start, args.end)
    print(explaining.describe(found, args.out))
    return DONE
