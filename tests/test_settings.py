from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from earmark import settings
from earmark.errors import UserError


@dataclass(frozen=True)
class Inner:
    depth: Annotated[int, Meta(ge=1)] = 3
    names: tuple[str, ...] = ("a",)
    limit: float | None = None


@dataclass(frozen=True)
class Round:
    radius: float = 1.0


@dataclass(frozen=True)
class Outer:
    shape: Inner | Round
    rate: float
    mode: Literal["fast", "slow"] = "fast"
    inner: Inner = field(default_factory=Inner)


KINDS = {"shape": {"inner": Inner, "round": Round}}


@given(
    depth=st.integers(1, 99),
    names=st.lists(st.text(min_size=1), max_size=3),
    limit=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    rate=st.floats(0, 1e6),
)
def test_settings_survive_the_way_to_toml_and_back(
    depth: int, names: list[str], limit: float | None, rate: float
) -> None:
    outer = Outer(Round(rate), rate, "slow", Inner(depth, tuple(names), limit))
    import tomllib

    text = settings.write_toml(settings.table(outer, KINDS))
    assert settings.convert(Outer, tomllib.loads(text), "x", KINDS) == outer


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"shape": {"kind": "round"}, "rate": 1.0, "mood": 1},
            r"x: there is no setting 'mood'\. Did you mean 'mode'",
        ),
        ({"shape": {"kind": "round"}}, r"x: the setting 'rate' is missing"),
        (
            {"shape": {"kind": "square"}, "rate": 1},
            r"x, \[shape\]: there is no kind 'square'\. Known: inner, round",
        ),
        ({"shape": {"radius": 1}, "rate": 1}, r"x, \[shape\]: no kind is given"),
        ({"shape": {"kind": "round", "radius": "wide"}, "rate": 1}, r"radius = 'wide' is not a value"),
        ({"shape": {"kind": "round"}, "rate": 1, "mode": "fats"}, r"mode = 'fats'.*Did you mean 'fast'"),
        ({"shape": {"kind": "round"}, "rate": 1, "inner": {"depth": 0}}, r"x, \[inner\]: depth = 0 .*>= 1"),
        ({"shape": {"kind": "round"}, "rate": 1, "inner": 7}, r"x, \[inner\]: found 7, wanted a table"),
    ],
)
def test_a_wrong_setting_is_refused_in_words(values: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        settings.convert(Outer, values, "x", KINDS)


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("a.b=3", 3),
        ("a.b=3.5", 3.5),
        ("a.b=[1, 2]", [1, 2]),
        ("a.b=word", "word"),
        ("a.b=true", True),
        ("a.b= x y", "x y"),
    ],
)
def test_an_assignment_is_read_as_toml_else_as_text(assignment: str, value: object) -> None:
    assert settings.with_setting({"a": {"c": 1}}, assignment) == {"a": {"c": 1, "b": value}}


def test_an_assignment_of_nothing_takes_the_setting_out() -> None:
    assert settings.with_setting({"a": {"b": 1, "c": 2}}, "a.b=") == {"a": {"c": 2}}


def test_an_assignment_leaves_the_original_alone() -> None:
    before = {"a": {"b": 1}}
    settings.with_setting(before, "a.b=2")
    assert before == {"a": {"b": 1}}


@pytest.mark.parametrize("assignment", ["a", "=3", "a..b=3"])
def test_an_assignment_without_key_or_value_is_refused(assignment: str) -> None:
    with pytest.raises(UserError, match="wanted key=value"):
        settings.with_setting({}, assignment)


def test_a_value_has_nothing_below_it() -> None:
    with pytest.raises(UserError, match="nothing below 3"):
        settings.with_setting({"a": 3}, "a.b=1")


@given(st.text(min_size=1) | st.integers() | st.booleans())
def test_a_written_value_is_read_as_itself(value: object) -> None:
    assert settings.with_setting({}, f"a={settings.write_value(value)}") == {"a": value}


def test_a_missing_or_broken_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.toml: no such file"):
        settings.read_toml(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("a = = 1")
    with pytest.raises(UserError, match=r"bad\.toml: this is not TOML: .*line 1"):
        settings.read_toml(tmp_path / "bad.toml")
    with pytest.raises(UserError, match="cannot be read"):
        settings.read_toml(tmp_path)
