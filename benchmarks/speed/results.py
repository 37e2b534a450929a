"""What was measured, as CSV, Markdown and a picture."""

from __future__ import annotations

import csv
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.speed.bench import N_CORES
from benchmarks.speed.measuring import Row
from benchmarks.speed.pictures import bars, growth_lines
from earmark.drawing import Format
from earmark.errors import UserError
from earmark.files import replacing

BEGIN, END = "<!-- speed: begin -->", "<!-- speed: end -->"
"""What stands between them in a page is the table."""
PACKAGES = ("earmark", "torch", "numpy", "scipy", "librosa", "soundfile", "soxr", "pandas")

Rows = Mapping[str, Sequence[Row]]
"""The rows of each room."""


@dataclass(frozen=True)
class Setting:
    """Under what conditions a run was made."""

    command: str
    scale: float
    minutes: float
    load_before: tuple[float, float, float]
    load_after: tuple[float, float, float]
    keras: str
    """Versions of TensorFlow and Keras; or why there are none."""

    def lines(self) -> list[str]:
        """Machine, versions, load, command and duration."""
        loads = " -> ".join(f"{load[0]:.1f}" for load in (self.load_before, self.load_after))
        amount = "" if self.scale >= 1 else f" at scale {self.scale:g}, where goals are not judged"
        return [
            f"Machine: {cpu_name()}, {N_CORES} cores, {platform.system()}, Python {platform.python_version()}.",
            f"Versions: {', '.join(f'{name} {found}' for name, found in versions().items())}; {self.keras}.",
            f"Load average of a minute, before -> after (a run alone makes about 1): {loads}.",
            f"Command: `{self.command}`, {self.minutes:.1f} minutes{amount}.",
        ]


def write_tables(rows: Rows, setting: Setting, out: Path) -> None:
    """Write `speed.csv` and `speed.md` into a folder."""
    with replacing(out / "speed.csv", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(csv_row(room, row) for room, found in rows.items() for row in found)
    with replacing(out / "speed.md") as file:
        file.write(markdown(rows, setting))


def write_pictures(rows: Rows, out: Path) -> None:
    """Draw `speed` and `growth` (PNG and SVG) into a folder."""
    every = [row for found in rows.values() for row in found]
    forms: tuple[Format, ...] = ("png", "svg")
    for form in forms:
        for name, draw in (("speed", bars), ("growth", growth_lines)):
            with replacing(out / f"{name}.{form}", "wb") as file:
                file.write(draw(every, form))


COLUMNS = (
    "room", "what", "measured", "compared with", "figure", "unit", "lowest round", "highest round",
    "by processor time", "measured took", "compared took", "took in", "at least", "wanted", "verdict", "rounds", "note",
)  # fmt: skip


def csv_row(room: str, row: Row) -> tuple[object, ...]:
    """A line of the CSV; numbers with four digits."""
    took_in = "" if row.our_amount is None else "s" if row.figure.of == "seconds" else "MB"
    return (
        room, row.what, row.ours, row.theirs, cell(row.value), row.figure.unit, cell(row.low), cell(row.high),
        cell(row.by_cpu), cell(row.our_amount), cell(row.their_amount), took_in,
        cell(row.goal.at_least), cell(row.goal.wanted), row.verdict, row.rounds or "", row.note,
    )  # fmt: skip


def cell(value: float | None, digits: int = 4) -> str:
    """A number, or nothing."""
    if value is None:
        return ""
    return f"{value:,.0f}" if digits < 4 and abs(value) >= 100 else f"{value:.{digits}g}"


def markdown(rows: Rows, setting: Setting) -> str:
    """Conditions, then a table a room."""
    parts = [*setting.lines(), ""]
    for room, found in rows.items():
        parts += [f"### {room.capitalize()}", ""]
        head = ("work", "measured", "compared with", "figure", "rounds", "by processor time",
                "at least", "wanted", "verdict")  # fmt: skip
        parts += [line(head), line(["---"] * len(head)), *(line(markdown_row(row)) for row in found), ""]
    return "\n".join(parts)


def markdown_row(row: Row) -> tuple[str, ...]:
    """The cells of a line of the table."""
    sign = "" if row.figure.is_better_higher else "≤ "
    goals = [
        sign + cell(goal, 3) if goal is not None else "" for goal in (row.goal.at_least, row.goal.wanted)
    ]
    if row.value is None:
        return row.what, row.ours, row.theirs, f"not measured: {row.note}", "", "", *goals, ""
    unit = "s" if row.figure.of == "seconds" else "MB"
    took = [f" ({cell(a, 3)} {unit})" if a is not None else "" for a in (row.our_amount, row.their_amount)]
    spread = f"{cell(row.low, 3)} to {cell(row.high, 3)}" if row.rounds > 1 else ""
    return (
        row.what, row.ours + took[0], row.theirs + took[1], f"**{cell(row.value, 3)}** {row.figure.unit}", spread,
        cell(row.by_cpu, 3), *goals, row.verdict,
    )  # fmt: skip


def line(cells: Iterable[str]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(one.replace('|', '/') for one in cells)} |"


def around_marks(page: Path) -> tuple[str, str]:
    """What stands before and after the marks of a page.

    Raises:
        UserError: the page has no such marks.
    """
    found = page.read_text("utf-8") if page.is_file() else ""
    before, begin, rest = found.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise UserError(page, f"found no marks {BEGIN} and {END}", "Write both, each on a line of its own.")
    return before, after


def put_into_page(page: Path, text: str) -> None:
    """Replace what stands between the marks of a page.

    Raises:
        UserError: the page has no such marks.
    """
    before, after = around_marks(page)
    with replacing(page) as file:
        file.write(f"{before}{BEGIN}\n\n{text}\n{END}{after}")


def versions() -> dict[str, str]:
    """Of the packages that are compared."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def cpu_name() -> str:
    """The processor, as it calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (one.partition(":")[2].strip() for one in lines if one.startswith("model name"))
    return next(names, platform.machine())
