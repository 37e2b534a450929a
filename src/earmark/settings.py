"""Settings between TOML and frozen dataclasses: names and types are checked once, where they enter."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec
import tomli_w

from earmark.errors import UserError

T = TypeVar("T")

Kinds = Mapping[str, Mapping[str, type[Any]]]
"""Fields that may hold one of several dataclasses: name of the field -> value of its key `kind` -> dataclass."""

NO_KINDS: Kinds = {}


def convert(cls: type[T], values: object, where: str, kinds: Kinds = NO_KINDS) -> T:
    """Make the frozen dataclass `cls` from the values of a TOML table, tables within it included.

    Args:
        cls: a dataclass whose fields carry types and `msgspec.Meta` bounds.
        values: what the table holds.
        where: what to call the table in messages, such as `my.toml`.
        kinds: the fields whose table names its dataclass by the key `kind`.

    Raises:
        UserError: an unknown key (the nearest one is named), a wrong type, a value out of bounds, a key missing.
    """
    if not isinstance(values, Mapping):
        raise UserError(where, f"found {values!r}, wanted a table of settings", "Write it as a [table].")
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    hints = get_type_hints(cls, include_extras=True)
    for key in values:
        if key not in fields:
            raise UserError(where, f"there is no setting {key!r}", suggestion(str(key), fields))
    made = {key: _field(key, hints[key], value, where, kinds) for key, value in values.items()}
    for name, field in fields.items():
        if name not in values and field.default is field.default_factory is dataclasses.MISSING:
            raise UserError(where, f"the setting {name!r} is missing", f"Write {name} = ...")
    return cls(**made)


def check(config: object, where: str) -> None:
    """Holds a config dataclass against its own annotations: types, choices and bounds.

    Raises:
        UserError: at `<where>.<field>`, with the value found and what was wanted.
    """
    try:
        msgspec.convert(msgspec.to_builtins(config), type(config))
    except msgspec.ValidationError as error:
        wanted, _, path = str(error).partition(" - at `$.")
        field = path.rstrip("`").partition("[")[0]
        problem = f"found {getattr(config, field)!r}, {wanted[:1].lower()}{wanted[1:]}".replace(
            "expected", "wanted"
        )
        raise UserError(f"{where}.{field}", problem, "Change it to such a value.") from error


def table(config: object, kinds: Kinds = NO_KINDS) -> dict[str, object]:
    """The settings of a dataclass as a TOML table, the inverse of `convert`; absent ones (None) are left out."""
    fields = [field.name for field in dataclasses.fields(config)]  # type: ignore[arg-type]
    values = {name: getattr(config, name) for name in fields}
    return {name: _toml(value, kinds.get(name)) for name, value in values.items() if value is not None}


def kind_of(choices: Mapping[str, type[Any]], config: object) -> str:
    """The name under which the class of `config` stands in `choices`."""
    return next(name for name, cls in choices.items() if type(config) is cls)


def suggestion(name: str, known: Iterable[object]) -> str:
    """A remedy that names the nearest of the known names, and lists them all."""
    names = [str(one) for one in known]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return (f"Did you mean {near[0]!r}? " if near else "") + f"Known: {', '.join(names) or 'none'}."


def read_toml(path: Path) -> dict[str, object]:
    """The contents of a TOML file; `UserError` where it is missing or is not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(path, "no such file", "Check the path.") from error
    except OSError as error:
        raise UserError(path, f"cannot be read: {error.strerror}", "Check the path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(path, f"this is not TOML: {error}", "Mend that line.") from error


def write_toml(values: Mapping[str, object]) -> str:
    """TOML text of nested tables."""
    return tomli_w.dumps(dict(values))


def write_value(value: object) -> str:
    """A value as TOML text in one line, as `with_setting` reads it."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(write_value, value))}]"
    return tomli_w.dumps({"v": value}).removeprefix("v = ").strip()


def with_setting(values: Mapping[str, object], assignment: str) -> dict[str, object]:
    """A copy of nested settings with `section.key=value` put in; the value is read as TOML, else as text;
    nothing after the sign takes the setting out, so that its default holds.
    """
    key, equals, text = assignment.partition("=")
    path = [part.strip() for part in key.split(".")]
    if not equals or not all(path):
        raise UserError(f"--set {assignment}", "wanted key=value", "For example --set training.epochs=20.")
    return _put(values, path, _value(text.strip()), assignment)


def _put(values: object, path: list[str], value: object, assignment: str) -> dict[str, object]:
    if not isinstance(values, Mapping):
        raise UserError(f"--set {assignment}", f"there is nothing below {values!r} to set {path[0]!r} in")
    inner = value if len(path) == 1 else _put(values.get(path[0], {}), path[1:], value, assignment)
    return {name: kept for name, kept in {**values, path[0]: inner}.items() if kept != ""}


def _value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _field(name: str, hint: Any, value: object, where: str, kinds: Kinds) -> Any:
    inside = f"{where}, [{name}]"
    if name in kinds:
        return _choose(kinds[name], value, inside)
    if dataclasses.is_dataclass(hint):
        return convert(hint, value, inside, kinds)  # type: ignore[arg-type]
    if type(value) is int and hint in (str, str | None):  # a fold or a group that is called 1
        value = str(value)
    try:
        return msgspec.convert(value, hint, strict=True)
    except msgspec.ValidationError as error:
        if get_origin(hint) is Literal:
            remedy = suggestion(str(value), get_args(hint))
        else:
            remedy = f"{error}.".replace("`", "").replace(" - at $", "")
        raise UserError(where, f"{name} = {value!r} is not a value that it can take", remedy) from error


def _choose(choices: Mapping[str, type[Any]], values: object, where: str) -> Any:
    if not isinstance(values, Mapping) or "kind" not in values:
        raise UserError(where, "no kind is given", f"Write kind = one of {', '.join(choices)}.")
    kind = values["kind"]
    if kind not in choices:
        raise UserError(where, f"there is no kind {kind!r}", suggestion(str(kind), choices))
    return convert(choices[kind], {key: value for key, value in values.items() if key != "kind"}, where)


def _toml(value: object, choices: Mapping[str, type[Any]] | None = None) -> object:
    if dataclasses.is_dataclass(value):
        return ({"kind": kind_of(choices, value)} if choices else {}) | table(value)
    return [_toml(one) for one in value] if isinstance(value, list | tuple) else value
