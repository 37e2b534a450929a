"""The labelling page's server on a free port of its own, inside the test; and sounds for it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import soundfile
import uvicorn

from earmark.labelling.project import Project, Settings, begin
from earmark.labelling.questions import Question
from earmark.server.app import create_app
from earmark.server.security import Rules
from earmark.server.serving import Address, bound
from earmark.server.sound import Sounds

RATE = 16000


def make_sounds(folder: Path, n: int = 6, seconds: float = 1.0, names: list[str] | None = None) -> Path:
    """A folder of tones, a third apart."""
    folder.mkdir(parents=True, exist_ok=True)
    time_ = np.arange(round(seconds * RATE)) / RATE
    for i in range(n):
        wave = 0.3 * np.sin(2 * np.pi * 300 * 2 ** (i / 3) * time_) * np.exp(-2 * time_ / seconds)
        name = names[i] if names else f"tone {i}.wav"
        soundfile.write(folder / "new.wav", wave, RATE)
        (folder / "new.wav").rename(folder / name)
    return folder


def begun(folder: Path, kind: str = "one", *classes: str, **settings: object) -> Project:
    """A project of a folder; levels are foreground, background, none."""
    levels = ("foreground", "background", "none") if kind == "levels" else ()
    names = classes or (("saxophone",) if kind == "yes-no" else ("saxophone", "vocals", "piano"))
    return begin(folder, Question(kind, names, levels), Settings(**settings))  # type: ignore[arg-type]


class Served:
    """A project on a port, in a thread of this program; use as a context. `stop` and `start` again at will."""

    def __init__(self, project: Project, cache: Path, rules: Rules | None = None) -> None:
        self.project, self.sounds, self.rules = project, Sounds(cache), rules or Rules()
        self.port = 0
        self.start()

    def start(self) -> None:
        listening = bound(Address(port=self.port))
        self.port = listening.getsockname()[1]
        app = create_app(self.project, self.sounds, self.rules)
        config = uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listening],), daemon=True)
        self._thread.start()
        until = time.monotonic() + 10
        while not self._server.started:
            assert time.monotonic() < until
            time.sleep(0.01)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        assert not self._thread.is_alive()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *error: object) -> None:
        if self._thread.is_alive():
            self.stop()
        self.project.close()
