"""Requests -> the project's methods -> JSON; files of the page; sound and pictures of clips by their number.

| request | what it does |
|---|---|
| GET /, /web/... | the page |
| GET /api/project, /api/progress, /api/disagreements | reads |
| POST /api/enter, next, touch, answer, undo, settle | changes, or leases |
| GET /clip/ID/wav, mel.png, linear.png, wave.png, json | a clip, with HTTP ranges |
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from earmark import __version__
from earmark.audio import AudioError
from earmark.errors import UserError
from earmark.labelling.store import Unavailable
from earmark.labelling.tasks import Task
from earmark.server import exchange
from earmark.server.exchange import Body, number, number_or_none, text
from earmark.server.security import Guard, Rules
from earmark.server.sound import PARTS, Sounds, key_of

if TYPE_CHECKING:
    from earmark.labelling.project import Project
    from earmark.labelling.tasks import LabelClip

WEB = Path(__file__).parent.parent / "web"
MOST_TASKS = 20
"""Clips that one request may take."""
_log = logging.getLogger("earmark.server")


def create_app(project: Project, sounds: Sounds, rules: Rules) -> Guard:
    """The labelling page of a project, as an ASGI application."""
    door = Door(project, sounds)
    reads = {"project": door.project_, "progress": door.progress, "disagreements": door.disagreements}
    changes = {
        "enter": door.enter,
        "next": door.next,
        "touch": door.touch,
        "answer": door.answer,
        "undo": door.undo,
        "settle": door.settle,
    }
    routes = [
        Route("/", _index, methods=["GET"]),
        *(Route(f"/api/{name}", _reading(call), methods=["GET"]) for name, call in reads.items()),
        *(Route(f"/api/{name}", _changing(call), methods=["POST"]) for name, call in changes.items()),
        Route("/clip/{clip_id:int}/{part}", _part(door), methods=["GET"]),
        Mount("/web", StaticFiles(directory=WEB)),
    ]
    return Guard(Starlette(routes=routes), rules)


class Door:
    """Each request as one call of the project."""

    def __init__(self, project: Project, sounds: Sounds) -> None:
        self.project, self.sounds = project, sounds

    def project_(self, body: Body) -> dict[str, object]:
        """What is asked, and how."""
        one = self.project
        return {
            "id": one.id,
            "name": one.name,
            "question": {
                "kind": one.question.kind,
                "classes": one.question.classes,
                "levels": one.question.levels,
            },
            "suggest": one.settings.suggest,
            "overlap": one.settings.overlap,
            "version": __version__,
        }

    def enter(self, body: Body) -> dict[str, object]:
        """Somebody comes in."""
        annotator = self.project.enter(text(body, "name"))
        return {"annotator": {"id": annotator.id, "name": annotator.name}, **self._progress(annotator.id)}

    def next(self, body: Body) -> dict[str, object]:
        """Clips for an annotator; leases them."""
        return {"tasks": self._next(body)}

    def touch(self, body: Body) -> dict[str, object]:
        """The annotator is still at it."""
        self.project.touch(number(body, "annotator"), number(body, "clip"))
        return {}

    def answer(self, body: Body) -> dict[str, object]:
        """An answer, which is on the disk when this returns; and the next clips."""
        annotator_id = number(body, "annotator")
        written = self.project.submit(
            annotator_id, number(body, "clip"), body.get("answer"), text(body, "token")
        )
        return {
            "saved": {"id": written.id, "replaces": written.replaces, "repeated": written.repeated},
            "tasks": self._next(body),
            **self._progress(annotator_id),
        }

    def undo(self, body: Body) -> dict[str, object]:
        """The clip that was answered before, with its answer."""
        task = self.project.undo(number(body, "annotator"), number_or_none(body, "before"))
        return {"task": None if task is None else self._task(task)}

    def settle(self, body: Body) -> dict[str, object]:
        """The answer that counts for everybody."""
        written = self.project.settle(
            number(body, "clip"), number(body, "annotator"), body.get("answer"), text(body, "token")
        )
        return {"saved": {"id": written.id, "replaces": written.replaces, "repeated": written.repeated}}

    def progress(self, body: Body) -> dict[str, object]:
        """How far it is."""
        return self._progress(number(body, "annotator"))

    def disagreements(self, body: Body) -> dict[str, object]:
        """Clips of which annotators said different things."""
        found = self.project.disagreements()
        tasks = []
        for one in found[:MOST_TASKS]:
            task = self._task(Task(one.clip, settle=True))
            tasks.append({**task, "said": [{"name": name, "answer": answer} for name, answer in one.answers]})
        return {"total": len(found), "tasks": tasks}

    def part(self, clip_id: int, part: str) -> Path | bytes:
        """Sound or picture of a clip."""
        return self.sounds.get(self.project.clip(clip_id), part)

    def _next(self, body: Body) -> list[dict[str, object]]:
        n = min(MOST_TASKS, number_or_none(body, "n") or 2)
        return [self._task(task) for task in self.project.next(number(body, "annotator"), n)]

    def _task(self, task: Task) -> dict[str, object]:
        suggestion = self.project.suggestion(task.clip.id) if self.project.settings.suggest else None
        return exchange.of_task(task, self._version(task.clip), suggestion)

    def _version(self, clip: LabelClip) -> str:
        try:
            return key_of(clip)[:16]
        except AudioError:
            return "gone"

    def _progress(self, annotator_id: int) -> dict[str, object]:
        return {"progress": exchange.of_progress(self.project.progress(annotator_id))}


# -- requests -----------------------------------------------------------------------------------------------

Call = Callable[[Body], dict[str, object]]


async def _index(request: Request) -> Response:
    return FileResponse(WEB / "index.html")


def _reading(call: Call) -> Callable[[Request], object]:
    async def endpoint(request: Request) -> Response:
        asked = {
            key: int(value) if value.isascii() and value.isdecimal() and len(value) < 12 else value
            for key, value in request.query_params.items()
        }
        return await _answered(call, asked)

    return endpoint


def _changing(call: Call) -> Callable[[Request], object]:
    async def endpoint(request: Request) -> Response:
        try:
            body = await exchange.read_body(request)
        except exchange.TooLarge:
            large = UserError("request", f"it has more than {exchange.LARGEST_BODY:,} bytes", "Say less.")
            return exchange.as_error(large, 413)
        except UserError as error:
            return exchange.as_error(error, 400)
        return await _answered(call, body)

    return endpoint


async def _answered(call: Call, body: Body) -> Response:
    """What a call gives as JSON, or its error; 503 where another try may do."""
    try:
        return exchange.as_json(await run_in_threadpool(call, body))
    except Unavailable as error:
        return exchange.as_error(error, 503)
    except UserError as error:
        return exchange.as_error(error, 422)
    except (
        Exception
    ):  # a fault of ours: its traceback for the terminal, and words for the page, which keeps the answer
        _log.exception("the request could not be answered")
        words = UserError("server", "it met a fault of its own; its terminal says more", "Try again.")
        return exchange.as_error(words, 500)


def _part(door: Door) -> Callable[[Request], object]:
    async def endpoint(request: Request) -> Response:
        clip_id, part = request.path_params["clip_id"], request.path_params["part"]
        if part not in PARTS or clip_id > exchange.HIGHEST_ID:
            return PlainTextResponse("there is no such part of a clip\n", 404)
        try:
            found = await run_in_threadpool(door.part, clip_id, part)
        except Unavailable as error:
            return exchange.as_error(error, 503)
        except UserError as error:
            return exchange.as_error(error, 404)
        # The address holds the version of the sound, so that it may be kept.
        headers = {"cache-control": "private, max-age=86400"}
        if isinstance(found, Path):
            return FileResponse(found, headers=headers, media_type=PARTS[part])
        return _ranged(found, request.headers.get("range", ""), PARTS[part], headers)

    return endpoint


def _ranged(data: bytes, asked: str, media_type: str, headers: dict[str, str]) -> Response:
    """Bytes, or the one range of them that was asked for."""
    headers = {**headers, "accept-ranges": "bytes"}
    unit, _, span = asked.partition("=")
    first, dash, last = span.partition("-")
    if unit.strip() != "bytes" or not dash or "," in span or not (first + last).isdecimal():
        return Response(data, 200, headers, media_type)
    start = int(first) if first else max(0, len(data) - int(last))
    stop = min(len(data), int(last) + 1) if first and last else len(data)
    if start >= stop:
        return Response(b"", 416, {**headers, "content-range": f"bytes */{len(data)}"})
    headers["content-range"] = f"bytes {start}-{stop - 1}/{len(data)}"
    return Response(data[start:stop], 206, headers, media_type)
