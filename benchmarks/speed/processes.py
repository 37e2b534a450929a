"""Work in processes of its own: fresh ones, timed with their peak of memory; workers that answer; a busy neighbour."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.speed.measuring import Side, Took

CHILDREN = Path(__file__).parent / "children"
REPOSITORY = Path(__file__).parents[2]


def fresh(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> Side:
    """A side that runs a command in a fresh process.

    A small program starts it and waits for it: what a process forked from this one takes would count our memory.
    """
    launcher = [sys.executable, "-I", "-S", str(CHILDREN / "launch.py"), *map(str, command)]

    def side() -> Took:
        done = subprocess.run(
            launcher, capture_output=True, text=True, env=_environment(env or {}), check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(map(str, command))}\nexit code {done.returncode}\n{done.stderr}")
        return Took(**json.loads(done.stdout.splitlines()[-1]))

    return side


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    """That of this process and more; modules stay compiled from one process to the next, as on people's machines."""
    ours = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**ours, **more}


def python(*arguments: str | Path, env: Mapping[str, str] | None = None) -> Side:
    """A side that runs this Python in a fresh process."""
    return fresh([sys.executable, *arguments], env)


def earmark(*arguments: str | Path, env: Mapping[str, str] | None = None) -> Side:
    """A side that runs the command `earmark` in a fresh process, as its installed script does."""
    return python(
        "-c",
        "import sys; from earmark.cli import entry; sys.argv[0] = 'earmark'; entry()",
        *arguments,
        env=env,
    )


class Worker:
    """A process that stays: takes a line of JSON, answers with one."""

    def __init__(self, command: Sequence[str | Path], env: Mapping[str, str]) -> None:
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - a pipe that nobody reads would fill
        self._process = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            env=_environment(env),
            cwd=REPOSITORY,
        )

    def ask(self, **question: Any) -> dict[str, Any]:
        """The answer to a question.

        Raises:
            RuntimeError: the process has ended; with what it said.
        """
        assert self._process.stdin and self._process.stdout
        try:
            print(json.dumps(question), file=self._process.stdin, flush=True)
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self._said.seek(0)
            raise RuntimeError(f"a worker has ended:\n{self._said.read()[-3000:]}")
        return dict(json.loads(line))

    def close(self) -> None:
        """Let the process end."""
        self._process.communicate()
        self._said.close()


@contextmanager
def busy_core() -> Iterator[None]:
    """Keep one core busy meanwhile, as another program of the same person does."""
    neighbour = subprocess.Popen([sys.executable, "-I", "-S", "-c", "while True: pass"])
    try:
        yield
    finally:
        neighbour.kill()
        neighbour.wait()
