"""Annotators at work on one database, each a process, all killed (-9) in the middle and begun again.

    python -m benchmarks.annotators --annotators 8 --clips 5000
    python -m benchmarks.annotators --db postgresql://user@host/empty

Each annotator writes down what it is about to say, says it, and writes down that it was told so. Killed and begun
again, it says the last thing once more by the same token, as the page does. In the end no answer that was
acknowledged may be missing, and none be there twice. The exit code is 1 where one is.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import signal
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import TypeVar

import numpy as np
import soundfile
from sqlalchemy import func, select

from earmark.labelling.project import begin, open_project
from earmark.labelling.questions import Question
from earmark.labelling.schema import answers, latest
from earmark.labelling.store import Unavailable

QUESTION = Question("one", ("reed", "brass", "strings"))
RATE = 8000
T = TypeVar("T")
CLIP_SECONDS = 0.1


@dataclass(frozen=True)
class Outcome:
    """What became of the answers."""

    clips: int
    acknowledged: int
    """Answers that annotators were told are on the disk."""
    lost: int
    """Of these, those that are not there, or say something else."""
    doubled: int
    """Clips that have more answers than they should."""
    unanswered: int
    kills: int
    """Processes that were killed while they worked."""
    seconds: float
    median_ms: float
    """Of an answer, from calling to being told that it is on the disk; the kill is not timed."""
    p99_ms: float

    @property
    def good(self) -> bool:
        """Whether nothing was lost or doubled."""
        return self.lost == self.doubled == self.unanswered == 0


def run(folder: Path, url: str, n_clips: int, n_annotators: int, kill_at: float = 0.5) -> Outcome:
    """Label `n_clips` by `n_annotators` processes, which are killed once a share of the clips is done.

    Args:
        folder: for the sound and for what each annotator notes.
        url: of an empty database.
        n_clips: clips to label, each once.
        n_annotators: processes at once.
        kill_at: share of the clips after which all are killed, in (0, 1).
    """
    _make_clips(folder, n_clips)
    begin(folder / "clips.csv", QUESTION, db=url).close()
    began = time.perf_counter()
    first = [_start(url, folder, i) for i in range(n_annotators)]
    _wait_until(folder, n_annotators, round(kill_at * n_clips), first)
    for process in first:
        process.kill()
    for process in first:
        process.join()
    kills = sum(process.exitcode == -signal.SIGKILL for process in first)
    again = [_start(url, folder, i) for i in range(n_annotators)]
    for process in again:
        process.join()
        assert process.exitcode == 0, "an annotator failed"
    return _judge(folder, url, n_clips, kills, time.perf_counter() - began)


def annotate(url: str, notes: Path) -> None:
    """One annotator: say again what was not acknowledged, then label until nothing is left."""
    project = open_project(url)
    annotator = project.enter(notes.stem).id
    with notes.open("a", encoding="utf-8") as file:

        def say(token: str, clip: int, answer: dict[str, object]) -> None:
            began = time.perf_counter()
            patiently(lambda: project.submit(annotator, clip, answer, token))
            took = time.perf_counter() - began
            print(json.dumps({"told": token, "seconds": took}), file=file, flush=True)

        for token, (clip, answer) in _not_told(notes).items():
            say(token, clip, answer)
        while tasks := patiently(lambda: project.next(annotator)):
            clip, token = tasks[0].clip.id, uuid.uuid4().hex
            answer: dict[str, object] = {"label": QUESTION.classes[(clip + annotator) % 3]}
            print(json.dumps({"says": token, "clip": clip, "answer": answer}), file=file, flush=True)
            say(token, clip, answer)


def patiently(call: Callable[[], T]) -> T:
    """What a call gives; tried again while the database cannot be had, as the page does."""
    while True:
        try:
            return call()
        except Unavailable:
            time.sleep(0.1)


def _make_clips(folder: Path, n: int) -> None:
    """A recording, and a table of as many excerpts of it."""
    noise = np.random.default_rng(0).normal(0, 0.1, round(n * CLIP_SECONDS * RATE))
    soundfile.write(folder / "noise.wav", noise, RATE)
    spans = (f"noise.wav,{i * CLIP_SECONDS:.1f},{(i + 1) * CLIP_SECONDS:.1f}" for i in range(n))
    (folder / "clips.csv").write_text("\n".join(["file,start,end", *spans]) + "\n", encoding="utf-8")


def _start(url: str, folder: Path, number: int) -> ForkServerProcess:
    """A process of its own, from a server that has imported what it needs."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["earmark.labelling.project", "soundfile"])
    process = context.Process(target=annotate, args=(url, folder / f"annotator {number}.jsonl"))
    process.start()
    return process


def _wait_until(folder: Path, n_annotators: int, n: int, processes: list[ForkServerProcess]) -> None:
    while sum(len(_told(folder / f"annotator {i}.jsonl")) for i in range(n_annotators)) < n:
        assert any(process.is_alive() for process in processes), "all ended before they could be killed"
        time.sleep(0.02)


def _lines(notes: Path) -> list[dict[str, object]]:
    """What was noted whole; the last line may have been cut off by the kill."""
    found = []
    for line in notes.read_text("utf-8").splitlines() if notes.exists() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def _said(notes: Path) -> dict[str, tuple[int, dict[str, object]]]:
    return {str(one["says"]): (one["clip"], one["answer"]) for one in _lines(notes) if "says" in one}  # type: ignore[misc]


def _told(notes: Path) -> dict[str, float]:
    return {str(one["told"]): float(str(one["seconds"])) for one in _lines(notes) if "told" in one}


def _not_told(notes: Path) -> dict[str, tuple[int, dict[str, object]]]:
    told = _told(notes)
    return {token: said for token, said in _said(notes).items() if token not in told}


def _judge(folder: Path, url: str, n_clips: int, kills: int, seconds: float) -> Outcome:
    project = open_project(url)
    with project.store.reading() as connection:
        rows = connection.execute(select(answers)).all()
        counted = connection.execute(select(latest.c.clip_id, func.count()).group_by(latest.c.clip_id)).all()
    there = {row.token: (row.clip_id, json.loads(row.answer)) for row in rows}
    acknowledged, lost, times = 0, 0, []
    for notes in sorted(folder.glob("annotator *.jsonl")):
        said = _said(notes)
        for token, took in _told(notes).items():
            acknowledged += 1
            lost += there.get(token) != said[token]
            times.append(took)
    of_clip = Counter(row.clip_id for row in rows)
    doubled = sum(n > 1 for n in of_clip.values()) + sum(n > 1 for _, n in counted)
    median, slowest = np.percentile(1000 * np.array(times), [50, 99])
    return Outcome(
        n_clips, acknowledged, lost, doubled, n_clips - len(of_clip), kills, seconds, median, slowest
    )


def _main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--annotators", type=int, default=8)
    parser.add_argument("--clips", type=int, default=5000)
    parser.add_argument("--db", default="", help="an empty database (default: SQLite in a folder of its own)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="earmark-annotators-") as folder:
        url = args.db or f"sqlite:///{folder}/labels.sqlite"
        found = run(Path(folder), url, args.clips, args.annotators)
    print(
        f"{found.clips} clips, {args.annotators} annotators, {found.kills} killed: {found.acknowledged} answers "
        f"acknowledged, {found.lost} lost, {found.doubled} doubled, {found.unanswered} clips unanswered; "
        f"{found.seconds:.0f} s, an answer {found.median_ms:.1f} ms (99 %: {found.p99_ms:.1f} ms)"
    )
    return 0 if found.good else 1


if __name__ == "__main__":
    sys.exit(_main())
