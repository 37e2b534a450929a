"""The benchmark of speed on tiny input: that it runs, and the form of its tables; no time is judged."""

from __future__ import annotations

import csv
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.speed import training
from benchmarks.speed.__main__ import ROOMS
from benchmarks.speed.bench import Bench
from benchmarks.speed.measuring import (
    AS_FAST,
    MEGABYTES,
    SECONDS,
    THE_TIME,
    Case,
    Comparison,
    Figure,
    Goal,
    Row,
    Side,
    Took,
    measure,
)
from benchmarks.speed.pictures import bars, growth_lines
from benchmarks.speed.results import BEGIN, COLUMNS, END, Setting, markdown, put_into_page
from earmark.errors import UserError

REPOSITORY = Path(__file__).parent.parent
CONDITIONS = Setting("python -m benchmarks.speed -o x", 1.0, 3.0, (0.5, 0, 0), (1.0, 0, 0), "no Keras")


def speed(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The benchmark as a person runs it."""
    command = [sys.executable, "-m", "benchmarks.speed", *map(str, arguments)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY, env=env)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All rooms, once, on tiny input."""
    out = tmp_path_factory.mktemp("speed")
    (out / "page.md").write_text(f"# Page\n\n{BEGIN}\n{END}\n\nafter\n")
    done = speed("-o", out, "--quick", "--docs", out / "page.md")
    assert done.returncode == 0, done.stderr
    return out


def rows_of(results: Path) -> list[dict[str, str]]:
    with (results / "speed.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_room_has_rows_and_every_number_names_what_it_is_compared_with(results: Path) -> None:
    rows = rows_of(results)
    assert tuple(rows[0]) == COLUMNS
    assert {row["room"] for row in rows} == set(ROOMS)
    for row in rows:
        assert row["what"] and row["measured"] and row["compared with"] and row["unit"]
        assert bool(row["figure"]) != bool(row["note"]), row
        if row["figure"]:
            assert math.isfinite(float(row["figure"])) and float(row["figure"]) > 0, row


def test_a_ratio_is_that_of_the_amounts_beside_it(results: Path) -> None:
    ratios = [
        row for row in rows_of(results) if row["rounds"] == "1" and row["unit"] in ("x as fast", "x the time")
    ]
    assert len(ratios) > 10
    for row in ratios:
        ours, theirs = float(row["measured took"]), float(row["compared took"])
        ratio = theirs / ours if row["unit"] == "x as fast" else ours / theirs
        assert float(row["figure"]) == pytest.approx(ratio, rel=0.01)


def test_tiny_input_judges_no_goal(results: Path) -> None:
    assert {row["verdict"] for row in rows_of(results)} == {"", "not judged"}


def test_features_agree_with_librosa_in_the_benchmark_too(results: Path) -> None:
    apart = [row for row in rows_of(results) if row["unit"] == "largest difference"]
    assert len(apart) == 3
    assert all(float(row["figure"]) <= float(row["at least"]) for row in apart)


def test_tables_and_pictures_are_whole(results: Path) -> None:
    text = (results / "speed.md").read_text("utf-8")
    assert (
        "Command: `python -m benchmarks.speed" in text and "scale 0.001, where goals are not judged" in text
    )
    assert all(f"### {room.capitalize()}" in text for room in ROOMS)
    page = (results / "page.md").read_text("utf-8")
    assert page.startswith("# Page\n") and page.endswith("\nafter\n") and text in page
    for name in ("speed", "growth"):
        assert (results / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert b"</svg>" in (results / f"{name}.svg").read_bytes()[-20:]


def test_without_keras_its_rows_say_why(results: Path) -> None:
    rows = [row for row in rows_of(results) if row["compared with"] == training.KERAS]
    assert len(rows) == len(training.NETWORKS)
    assert all(row["note"] == "no environment with TensorFlow was named (--keras PYTHON)" for row in rows)


def test_a_python_without_tensorflow_is_named_with_its_own_words(tmp_path: Path) -> None:
    why = training.why_no_keras(Bench(tmp_path, keras=tmp_path / "python"))
    assert why == f"--keras {tmp_path / 'python'}: No such file or directory"
    stub = tmp_path / "false"
    stub.write_text("#!/bin/sh\necho 'ModuleNotFoundError: none here' >&2\nexit 1\n")
    stub.chmod(0o755)
    assert training.why_no_keras(Bench(tmp_path, keras=stub)).endswith("ModuleNotFoundError: none here")


def test_a_scale_that_cannot_be_is_refused(tmp_path: Path) -> None:
    done = speed("-o", tmp_path, "--scale", "0")
    assert done.returncode == 2
    assert "found --scale 0" in done.stderr


# -- figures and goals --------------------------------------------------------------------------------------


def slept(*seconds: float) -> Side:
    """A side that says it took so long, one number after another."""
    given = iter(seconds)
    return lambda: Took(value := next(given), value / 2)


def case(theirs: Callable[[], Took]) -> Case:
    sides = {"ours": slept(1.0, 2.0, 4.0), "theirs": theirs}
    return Case("work", sides, (Comparison("ours", "theirs", goal=Goal(1.5, 2.5)),), 3, warm=False)


def test_a_figure_is_the_median_of_the_rounds_own_ratios(tmp_path: Path) -> None:
    (row,) = measure(case(slept(2.0, 6.0, 2.0)), Bench(tmp_path))
    assert (row.value, row.low, row.high) == (2.0, 0.5, 3.0)  # 2/1, 6/2 and 2/4
    assert row.by_cpu == 2.0
    assert (row.our_amount, row.their_amount) == (2.0, 2.0)
    assert row.verdict == "met"


def test_of_several_others_the_quicker_one_is_meant(tmp_path: Path) -> None:
    sides = {"ours": slept(2.0), "a": slept(3.0), "b": slept(1.0)}
    one = Case("work", sides, (Comparison("ours", ("a", "b")),), 1)
    (row,) = measure(one, Bench(tmp_path))
    assert (row.theirs, row.value) == ("b", 0.5)


def test_every_round_begins_with_another_side(tmp_path: Path) -> None:
    begun: list[str] = []

    def side(name: str) -> Side:
        return lambda: begun.append(name) or Took(1.0, 1.0)  # type: ignore[func-returns-value]

    one = Case("work", {"a": side("a"), "b": side("b")}, (Comparison("a", "b"),), 3, warm=False)
    list(measure(one, Bench(tmp_path)))
    assert begun == ["a", "b", "b", "a", "a", "b"]


@pytest.mark.parametrize(
    ("figure", "value", "verdict"),
    [
        (AS_FAST, 3.0, "met, as wanted"),
        (AS_FAST, 2.2, "met"),
        (AS_FAST, 1.9, "not met"),
        (SECONDS, 2.2, "met, as wanted"),
        (SECONDS, 3.1, "not met"),
    ],
)
def test_a_verdict_goes_by_which_way_is_better(figure: Figure, value: float, verdict: str) -> None:
    goal = Goal(2.0, 2.5) if figure.is_better_higher else Goal(3.0, 2.5)
    assert Row("work", "ours", "theirs", figure, value, goal=goal).verdict == verdict


def test_a_growth_figure_is_for_each_unit_of_work() -> None:
    grown = Figure("x the time a file", "seconds", "ours/theirs", 100)
    assert grown.value(Took(50.0), Took(1.0)) == 0.5
    assert MEGABYTES.value(Took(1.0, peak_mb=300.0), Took(1.0)) == 300.0
    assert THE_TIME.value(Took(3.0, 1.0), Took(2.0, 4.0), by_cpu=True) == 0.25


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n")
    with pytest.raises(UserError, match="found no marks"):
        put_into_page(page, "table")
    assert page.read_text() == "# Page\n"


def test_a_bar_that_no_cell_breaks_the_table_and_nothing_to_draw_is_a_picture() -> None:
    row = Row("a | b", "ours", "theirs", AS_FAST, 2.0)
    text = markdown({"room": [row]}, CONDITIONS)
    (line,) = [line for line in text.splitlines() if "a / b" in line]
    assert line.count("|") == 10
    assert bars([], "png").startswith(b"\x89PNG") and growth_lines([row], "png").startswith(b"\x89PNG")
