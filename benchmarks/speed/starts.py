"""Cold starts: how long a person waits before anything happens, each in a fresh process."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.speed.bench import Bench
from benchmarks.speed.measuring import (
    SECONDS,
    THE_TIME,
    Case,
    Comparison,
    Goal,
    Row,
    measure,
)  # fmt: skip
from benchmarks.speed.predicting import write_model
from benchmarks.speed.processes import earmark, python
from benchmarks.speed.sounds import write_sound

BARE = "python -c pass"


def rows(bench: Bench) -> Iterator[Row]:
    """Help, import, and one short prediction."""
    bare = python("-c", "pass")
    help_ = {"earmark --help": earmark("--help"), BARE: bare}
    comparisons: tuple[Comparison, ...] = (
        Comparison("earmark --help", BARE, SECONDS, Goal(0.15, 0.1)),
        Comparison("earmark --help", BARE, THE_TIME),
    )
    yield from measure(Case("help of the command line", help_, comparisons, bench.rounds), bench)

    imports = {"import earmark": python("-c", "import earmark"), BARE: bare}
    comparisons = (Comparison("import earmark", BARE, THE_TIME),)
    yield from measure(Case("import of the package", imports, comparisons, bench.rounds), bench)

    folder, seconds = bench.empty_folder("starts"), bench.amount(30, 3)
    model, sound = write_model(folder / "model"), write_sound(folder / "one.wav", seconds, 22050)
    predict = earmark("predict", model, sound, "-o", folder / "out.csv", "--force")
    torch_alone = python("-c", "import torch", env={"OMP_WAIT_POLICY": "PASSIVE"})
    sides = {"earmark predict": predict, "import torch": torch_alone}
    comparisons = (Comparison("earmark predict", "import torch", THE_TIME, Goal(2, 1.5)),)
    what = f"prediction of one WAV file of {seconds:.0f} s by gtzan-mfcc-cnn, whole process"
    yield from measure(Case(what, sides, comparisons, bench.rounds), bench)
