"""The pages are held against the program: commands parse, formats are described, links lead somewhere."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).parent.parent
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")])
WORDS = (
    "waveform", "sample_rate", "channel", "crop", "clip_seconds", "frame", "n_fft", "hop_length",
    "n_mels", "f_min", "f_max", "log-mel", "MFCC", "clip", "recording", "hop_seconds", "label", "target",
    "single-label", "multi-label", "split", "fold", "group", "logits", "scores", "threshold", "embedding",
    "activation map", "saliency", "recipe", "run", "history", "epoch", "checkpoint", "mixup", "time mask",
    "frequency mask", "gain_db", "snr_db", "window",
)  # fmt: skip
"""The words of the design, which the glossary explains."""


def page(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def title(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def shell_commands(text: str) -> list[str]:
    """Lines of fenced shell blocks, indented ones too, that call earmark."""
    blocks = re.findall(r"^ *```(?:sh|bash|console)\n(.*?)^ *```", text, flags=re.DOTALL | re.MULTILINE)
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.split(" ")[0] == "earmark"]


def write_cli() -> ModuleType:
    """The program that writes docs/cli.md."""
    spec = importlib.util.spec_from_file_location("write_cli", REPOSITORY / "docs" / "write_cli.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def parser() -> argparse.ArgumentParser:
    from earmark.cli import build_parser

    return build_parser()


def anchors(path: Path) -> set[str]:
    """What `#...` may name in a page, by GitHub's rule."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(path: Path) -> Iterator[str]:
    yield from re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8"))


def in_backquotes(text: str) -> set[str]:
    """Every word that stands in backquotes."""
    return {word for code in re.findall(r"`([^`\n]+)`", text) for word in re.findall(r"[\w.]+", code)}


# ---- commands ----


@pytest.mark.parametrize("path", PAGES, ids=title)
def test_every_earmark_command_of_a_page_is_understood(path: Path) -> None:
    for line in shell_commands(path.read_text(encoding="utf-8")):
        try:
            parser().parse_args(shlex.split(line, comments=True)[1:])
        except SystemExit as e:
            pytest.fail(f"{title(path)}: {line!r} ends with exit code {e.code}")


def test_the_readme_walks_the_whole_road() -> None:
    verbs = [line.split()[1] for line in shell_commands(page("README.md"))]
    assert verbs[:4] == ["import", "train", "evaluate", "predict"]
    for command in (
        "make demo",
        "make test",
        "--index-url https://download.pytorch.org/whl/cpu",
        "earmark.load(",
    ):
        assert command in page("README.md")


def test_the_commands_page_is_what_the_parser_says() -> None:
    assert page("docs/cli.md") == write_cli().cli_page(parser()), "run: make docs"


def test_every_option_and_argument_is_explained() -> None:
    pages = page("README.md") + page("docs/cli.md") + page("docs/formats.md")
    for name, command in write_cli().commands(parser()):
        assert f"## {name}\n" in pages
        assert command.description, name
        for typed, words in write_cli().arguments(command):
            assert words.strip(), f"{name} {typed}: no help"
            for option in re.findall(r"--[\w-]+", typed):
                assert option in pages, f"{name} {option}"


def test_each_command_shows_an_example_that_is_understood() -> None:
    for name, command in write_cli().commands(parser()):
        examples = re.findall(r"^example: (.*)$", command.epilog or "", flags=re.MULTILINE)
        assert examples, name
        for example in examples:
            assert example.startswith(name.split()[0])
            parser().parse_args(shlex.split(example)[1:])


def test_make_has_the_commands_that_the_pages_name() -> None:
    named = {target for path in PAGES for target in re.findall(r"\bmake (\w+)", "\n".join(_code(path)))}
    targets = set(re.findall(r"^(\w+):", page("Makefile"), flags=re.MULTILINE))
    assert {"demo", "test", "check"} <= named & targets
    assert named <= targets


def _code(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return re.findall(r"`([^`\n]+)`", text) + re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)


# ---- formats ----


def test_every_reason_code_is_described() -> None:
    from earmark.audio import REASONS

    rows = re.findall(
        r"^\| `(\w+)` \|", page("docs/formats.md").split("## Reason codes")[1], flags=re.MULTILINE
    )
    assert rows == list(REASONS)


def test_every_reserved_name_is_described() -> None:
    from earmark.clips import RESERVED

    sentence = page("docs/formats.md").split("**Reserved names**")[1].split("\n- ")[0]
    assert in_backquotes(sentence) == set(RESERVED)


def test_every_way_to_name_the_file_in_metadata_is_described() -> None:
    from earmark.layouts import FILE_COLUMNS

    section = page("docs/formats.md").split("## metadata.csv")[1].split("\n## ")[0]
    assert set(FILE_COLUMNS) <= in_backquotes(section)


def test_every_key_and_column_that_is_written_is_described() -> None:
    from earmark.checkpoints import Epoch
    from earmark.models import ModelSpec
    from earmark.prediction import RECORDING_COLUMNS
    from earmark.run import RunFacts

    described = in_backquotes(page("docs/formats.md"))
    written = [field.name for cls in (Epoch, ModelSpec, RunFacts) for field in dataclasses.fields(cls)]
    assert {*written, *RECORDING_COLUMNS} <= described


def test_exit_codes_are_those_of_the_program() -> None:
    from earmark.cli import arguments as cli

    codes = [cli.DONE, cli.ERROR, cli.USAGE, cli.SOME_UNUSABLE, cli.INTERRUPTED]
    for name in ("README.md", "docs/formats.md"):
        table = page(name).split("## Exit codes")[1].split("\n## ")[0]
        assert [int(code) for code in re.findall(r"^\| (\d+) \|", table, flags=re.MULTILINE)] == codes, name


# ---- pages ----


def test_the_glossary_explains_the_words_of_the_design() -> None:
    rows = re.findall(r"^\| ([^|]+) \|", page("docs/glossary.md"), flags=re.MULTILINE)
    explained = {word.strip() for row in rows for word in row.split(",")}
    assert set(WORDS) <= explained


def test_the_glossary_explains_each_word_once() -> None:
    rows = re.findall(r"^\| ([^|]+) \|", page("docs/glossary.md"), flags=re.MULTILINE)
    words = [word.strip() for row in rows for word in row.split(",") if row not in ("word", "---")]
    assert len(words) == len(set(words))


@pytest.mark.parametrize("path", PAGES, ids=title)
def test_links_inside_the_repository_lead_somewhere(path: Path) -> None:
    for link in links(path):
        if not re.match(r"[a-z]+:", link):
            file, _, anchor = link.partition("#")
            target = (path.parent / file).resolve() if file else path
            assert target.exists(), f"{title(path)}: {link}"
            assert target.is_relative_to(REPOSITORY), f"{title(path)}: {link}"
            assert not anchor or anchor in anchors(target), f"{title(path)}: {link}"


@pytest.mark.parametrize("path", [*PAGES, REPOSITORY / "Makefile", REPOSITORY / ".ci" / "run"], ids=title)
def test_no_page_names_a_place_on_somebodys_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.findall(r"(?<![\w.])/(?:home|root|work|tmp|opt|Users|mnt)/\S*|\b[A-Z]:\\\S*", text)


def test_the_version_of_the_package_is_that_of_its_metadata() -> None:
    import tomllib

    from earmark import __version__

    assert tomllib.loads(page("pyproject.toml"))["project"]["version"] == __version__
