"""What goes over the wire: JSON in, bounded and checked; JSON out, whatever characters a name has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, NoReturn

from starlette.requests import Request
from starlette.responses import Response

from earmark.errors import UserError

if TYPE_CHECKING:
    from earmark.labelling.tasks import LabelClip, Progress, Task

LARGEST_BODY = 256 * 1024
"""Bytes of a request; 500 regions take some 60,000."""
HIGHEST_ID = 2**31 - 1
"""Of PostgreSQL's integers."""

Body = Mapping[str, object]


class TooLarge(Exception):
    """A request with more bytes than any answer has."""


async def read_body(request: Request) -> Body:
    """The JSON object of a request.

    Raises:
        TooLarge: more than `LARGEST_BODY`.
        UserError: no JSON object.
    """
    held = b""
    async for piece in request.stream():
        held += piece
        if len(held) > LARGEST_BODY:
            raise TooLarge
    try:
        found = json.loads(held, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise UserError("request", f"found no JSON: {error}", "Load the page again.") from None
    if not isinstance(found, dict):
        raise UserError("request", f"found {type(found).__name__}, wanted an object", "Load the page again.")
    return found


def number(body: Body, key: str) -> int:
    """The id that stands at a key."""
    value = body.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= HIGHEST_ID:
        raise UserError(key, f"found {ascii(value)[:60]}, wanted a number", "Load the page again.")
    return value


def number_or_none(body: Body, key: str) -> int | None:
    """The id that stands at a key, if there is one."""
    return None if body.get(key) is None else number(body, key)


def text(body: Body, key: str) -> str:
    """The text that stands at a key."""
    value = body.get(key)
    if not isinstance(value, str):
        raise UserError(key, f"found {ascii(value)[:60]}, wanted text", "Load the page again.")
    return value


def as_json(value: object, status: int = 200) -> Response:
    """An answer in ASCII: names of files may hold halves of characters."""
    data = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return Response(data, status, media_type="application/json")


def as_error(error: UserError, status: int) -> Response:
    """What a person can put right, in its three parts."""
    parts = {"where": error.where, "problem": error.problem, "remedy": error.remedy}
    return as_json({"error": {**parts, "text": str(error)}}, status)


def of_clip(clip: LabelClip, version: str) -> dict[str, object]:
    """A clip for the page; never its path."""
    return {
        "id": clip.id,
        "file": clip.file,
        "start": clip.start,
        "seconds": clip.seconds,
        "whole": clip.start == 0 and clip.end is None,
        "version": version,
    }


def of_task(task: Task, version: str, suggestion: object = None) -> dict[str, object]:
    """A task for the page."""
    found: dict[str, object] = {"clip": of_clip(task.clip, version), "settle": task.settle}
    if task.answer is not None:
        found["answer"] = task.answer
    if suggestion is not None:
        found["suggestion"] = suggestion
    return found


def of_progress(progress: Progress) -> dict[str, object]:
    """How far it is."""
    return {**asdict(progress), "per_class": list(progress.per_class.items())}  # objects would sort 1, 2, 10


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")
