"""How fast earmark is, against what people use otherwise: tables and a picture, with goals.

    python -m benchmarks.speed -o DIR [--only loading] [--keras PYTHON] [--quick] [--docs docs/benchmarks.md]

Run it from the repository's root, on a machine that has nothing else to do. All sides of a comparison are timed in
rotation, several rounds in one run. It makes its own sounds, in a temporary folder. Tables are written after each
room, the picture at the end.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.speed import (
    budget,
    features,
    growth,
    loading,
    memory,
    pipeline,
    predicting,
    starts,
    tables,
    training,
)
from benchmarks.speed.bench import Bench
from benchmarks.speed.measuring import Row
from benchmarks.speed.results import (
    Setting,
    around_marks,
    markdown,
    put_into_page,
    write_pictures,
    write_tables,
)
from earmark.devices import keep_freed_memory
from earmark.errors import UserError
from earmark.files import cannot_write

ROOMS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "loading": loading.rows,
    "features": features.rows,
    "pipeline": pipeline.rows,
    "training": training.rows,
    "prediction": predicting.rows,
    "starts": starts.rows,
    "memory": memory.rows,
    "tables": tables.rows,
    "growth": growth.rows,
    "budget": budget.rows,
}


def main() -> int:
    """Measure what is asked for."""
    args = arguments()
    if args.docs:
        around_marks(args.docs)  # before anything takes minutes
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(args.out, error) from error
    started, before = time.perf_counter(), os.getloadavg()
    keras = keras_versions(args.keras)
    found: dict[str, list[Row]] = {}
    with tempfile.TemporaryDirectory(prefix="earmark-speed-") as folder:
        os.environ["EARMARK_CACHE"] = f"{folder}/cache"
        bench = Bench(Path(folder), args.scale, args.rounds, args.keras)
        keep_freed_memory()  # as earmark's commands do; for the others in this process too
        for room in args.only or ROOMS:
            found[room] = []
            for row in ROOMS[room](bench):
                found[room].append(row)
                say(row)
            minutes = (time.perf_counter() - started) / 60
            setting = Setting(command(), args.scale, minutes, before, os.getloadavg(), keras)
            write_tables(found, setting, args.out)
    write_pictures(found, args.out)
    if args.docs:
        put_into_page(args.docs, markdown(found, setting))
    return 0


def arguments() -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    parser.add_argument("--only", action="append", choices=ROOMS, help="a room; may be given again")
    parser.add_argument("--keras", type=Path, metavar="PYTHON", help="of an environment with TensorFlow")
    parser.add_argument("--rounds", type=int, default=5, help="times that everything is timed (default: 5)")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full work (default: 1)")
    parser.add_argument(
        "--quick", action="store_true", help="one round of a thousandth of the work: only a trial"
    )
    parser.add_argument(
        "--docs", type=Path, metavar="PAGE", help="put the table into this page, between its marks"
    )
    args = parser.parse_args()
    if args.quick:
        args.scale, args.rounds = 0.001, 1
    if not (0 < args.scale <= 1 and args.rounds >= 1):
        parser.error(
            f"found --scale {args.scale:g} --rounds {args.rounds}, wanted a scale in (0, 1], 1 round or more"
        )
    return args


def say(row: Row) -> None:
    """Tell the person who waits."""
    value = "not measured" if row.value is None else f"{row.value:.3g} {row.figure.unit}"
    print(f"{row.what}: {row.ours} against {row.theirs}: {value} {row.verdict or row.note}", flush=True)


def command() -> str:
    """What was typed."""
    return f"python -m benchmarks.speed {shlex.join(sys.argv[1:])}"


def keras_versions(python: Path | None) -> str:
    """Of TensorFlow and Keras in the environment that was named."""
    if python is None:
        return "Keras was not compared with"
    code = (
        "import tensorflow, keras; print(f'tensorflow {tensorflow.__version__}, keras {keras.__version__}')"
    )
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return "Keras could not be used"
    return done.stdout.strip() or "Keras could not be used"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(f"benchmarks.speed: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
