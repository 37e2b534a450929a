"""The floors of the house: a module imports from lower floors, or from a sibling without making a circle."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import earmark

SOURCE = Path(earmark.__file__).parent

FLOORS = [
    {"errors", "files", "process", "teamwork"},
    {"audio", "decoding", "scan", "recording", "quiet", "settings", "tables", "devices"},
    {
        "features",
        "mel",
        "rounding",
        "normalisation",
        "augment",
        "metrics",
        "intervals",
        "lettering",
        "canvas",
        "synthesis",
    },
    {"drawing", "charts", "runcharts", "mapcharts"},
    {"models", "clips", "cutting", "splits", "leakage", "stratify", "recipe", "losses", "optimisation"},
    {"run", "layouts", "cache", "dataset", "probing", "describing"},
    {
        "prediction",
        "plan",
        "baselines",
        "report",
        "checkpoints",
        "logbook",
        "trainer",
        "timelines",
        "findings",
        "featurefile",
    },
    {"training", "evaluation", "page", "closeups", "modelcard", "exploring", "explaining"},
    {"demo", "protocols", "labelling"},
    {"experiments", "server"},
    {"cli"},
]
HEAVY = {
    "torch",
    "pandas",
    "sklearn",
    "matplotlib",
    "scipy",
    "av",
    "soundfile",
    "numpy",
    "tqdm",
    "jinja2",
    "sqlalchemy",
    "starlette",
    "uvicorn",
}


def rooms() -> list[str]:
    found = {p.stem for p in SOURCE.glob("*.py")} | {p.parent.name for p in SOURCE.glob("*/__init__.py")}
    return sorted(found - {"__init__", "__main__"})


def floor_of(room: str) -> int:
    return next(number for number, floor in enumerate(FLOORS) if room in floor)


def imports_of(room: str) -> set[str]:
    """Rooms that a room imports, anywhere in its files, but for type checking alone."""
    files = (
        [SOURCE / f"{room}.py"] if (SOURCE / f"{room}.py").exists() else list((SOURCE / room).glob("*.py"))
    )
    return {
        name for file in files for name in _imported(ast.parse(file.read_text("utf-8"))) if name != room
    } & set(rooms())


def _imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "earmark":
            parts = node.module.split(".")
            names |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        if isinstance(node, ast.Import):
            names |= {a.name.split(".")[1] for a in node.names if a.name.startswith("earmark.")}
    return names


def test_every_room_has_a_floor() -> None:
    assert rooms() == sorted(room for floor in FLOORS for room in floor)


@pytest.mark.parametrize("room", rooms())
def test_a_room_imports_only_from_its_floor_or_below(room: str) -> None:
    above = {other for other in imports_of(room) if floor_of(other) > floor_of(room)}
    assert not above


def test_no_rooms_import_each_other_in_a_circle() -> None:
    graph = {room: imports_of(room) for room in rooms()}
    while graph:
        leaves = [room for room, below in graph.items() if not below & graph.keys()]
        assert leaves, f"a circle among {sorted(graph)}"
        for leaf in leaves:
            del graph[leaf]


def test_only_audio_and_its_decoders_decode_sound() -> None:
    decoders = {"soundfile", "av", "soxr"}
    for file in SOURCE.rglob("*.py"):
        found = {
            (node.module or "").split(".")[0]
            if isinstance(node, ast.ImportFrom)
            else alias.name.split(".")[0]
            for node in ast.walk(ast.parse(file.read_text("utf-8")))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        assert not found & decoders or file.stem in {"audio", "decoding", "recording"}, file


@pytest.mark.parametrize("command", [["--help"], ["train", "--help"], ["--version"], ["predict", "--help"]])
def test_help_answers_without_heavy_packages(command: list[str]) -> None:
    script = (
        "import sys\nfrom earmark.cli import main\n"
        f"try:\n    main({command!r})\nexcept SystemExit as end:\n    assert end.code == 0\n"
        f"found = {HEAVY!r} & set(sys.modules)\nassert not found, found\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_importing_the_package_is_light() -> None:
    script = f"import sys, earmark\nassert not {HEAVY!r} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
