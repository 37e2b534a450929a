"""The labelling page under load, and how soon the next clip plays.

    python -m benchmarks.labelling crowd [--annotators 8] [--clips 5000] [--db postgresql://...] [--no-sounds]
    python -m benchmarks.labelling instant [--clips 30] [--rate 44100]
    python -m benchmarks.labelling picture -o docs/pictures/label.png

crowd: annotators by HTTP, each of whom hears and sees every clip and answers it, while the server is killed (-9) in the
middle and started again; then the database is held against what was acknowledged. instant: a headless Chromium
labels clip after clip with the keyboard; measured is the time from the key to the sound of the next clip playing, and
to its picture being painted. picture: the page as the documents show it, on songs that earmark makes itself.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import numpy as np
import soundfile
from PIL import Image
from sqlalchemy import select

from earmark.labelling.project import Project, open_project
from earmark.labelling.schema import answers, clips
from earmark.synthesis import make_songs

if TYPE_CHECKING:
    from headless import Browser

CLASSES = ("saxophone", "vocals", "piano")
TRY_AGAIN_SECONDS = 0.1
TESTS = Path(__file__).parent.parent / "tests"


class Crowd:
    """Annotators who answer until no clip is left, and say again what the server has not acknowledged.

    Args:
        url: of the page.
        n: how many.
        listens: whether they load sound and picture of each clip.
    """

    def __init__(self, url: str, n: int, listens: bool = False) -> None:
        self.url, self.listens = url, listens
        self.acknowledged: dict[str, tuple[int, int, str]] = {}
        """Token -> clip, the answer's number in the database, the label."""
        self.n_failed = 0
        self.seconds: list[float] = []
        """From an answer to its acknowledgement."""
        self.errors: list[str] = []
        self._stop = threading.Event()
        self._guard = threading.Lock()
        self._threads = [threading.Thread(target=self._person, args=(i,), daemon=True) for i in range(n)]

    def start(self) -> None:
        """Let them begin."""
        for one in self._threads:
            one.start()

    def wait_for(self, n: int, seconds: float = 600) -> None:
        """Wait until so many answers are acknowledged."""
        until = time.monotonic() + seconds
        while len(self.acknowledged) < n:
            assert time.monotonic() < until, f"{len(self.acknowledged)} of {n} answers"
            time.sleep(0.01)

    def finish(self, seconds: float) -> None:
        """Wait until nobody is given a clip any more."""
        until = time.monotonic() + seconds
        for one in self._threads:
            one.join(max(0, until - time.monotonic()))
        self._stop.set()
        assert not any(one.is_alive() for one in self._threads), (
            f"{len(self.acknowledged)} answers in {seconds} s"
        )

    def faults(self, project: Project) -> list[str]:
        """What the database has otherwise than it was acknowledged: lost, doubled, changed, given to two people."""
        with project.store.reading() as connection:
            rows = connection.execute(
                select(answers.c.id, answers.c.clip_id, answers.c.token, answers.c.answer)
            ).all()
            n_clips = len(connection.scalars(select(clips.c.id)).all())
        there = {(row.token, row.clip_id, row.id) for row in rows}
        said = {row.token: row.answer for row in rows}
        found = list(self.errors)
        for token, (clip, number, label) in self.acknowledged.items():
            if (token, clip, number) not in there:
                found.append(f"lost: clip {clip}")
            elif f'"{label}"' not in said[token]:
                found.append(f"changed: clip {clip}")
        found += [
            f"doubled: token {token}" for token, n in Counter(row.token for row in rows).items() if n > 1
        ]
        found += [
            f"clip {clip} has {n} answers"
            for clip, n in Counter(row.clip_id for row in rows).items()
            if n > 1
        ]
        if len(rows) != len(self.acknowledged) or len(rows) != n_clips:
            found.append(f"{len(rows)} answers, {len(self.acknowledged)} acknowledged, {n_clips} clips")
        return found

    def _person(self, i: int) -> None:
        rng = random.Random(i)
        try:
            with httpx.Client(base_url=self.url, timeout=30) as client:
                me = self._post(client, "enter", {"name": f"annotator {i}"})["annotator"]["id"]
                tasks = self._post(client, "next", {"annotator": me, "n": 2})["tasks"]
                while tasks and not self._stop.is_set():
                    tasks = self._answer(client, me, tasks[0]["clip"], rng)
        except Exception as error:
            self.errors.append(f"annotator {i}: {error!r}")

    def _answer(self, client: httpx.Client, me: int, clip: dict, rng: random.Random) -> list[dict]:
        if self.listens:
            for part in ("wav", "mel.png", "wave.png", "json"):
                self._get(client, f"/clip/{clip['id']}/{part}?v={clip['version']}")
        label, token = rng.choice(CLASSES), f"{me}-{clip['id']}-{rng.getrandbits(64):x}"
        body = {"annotator": me, "clip": clip["id"], "answer": {"label": label}, "token": token, "n": 2}
        begun = time.perf_counter()
        reply = self._post(client, "answer", body)
        with self._guard:
            self.seconds.append(time.perf_counter() - begun)
            self.acknowledged[token] = (clip["id"], reply["saved"]["id"], label)
        return reply["tasks"]

    def _post(self, client: httpx.Client, name: str, body: dict) -> dict:
        return self._again(lambda: client.post(f"/api/{name}", json=body)).json()

    def _get(self, client: httpx.Client, path: str) -> bytes:
        return self._again(lambda: client.get(path)).content

    def _again(self, ask: Callable[[], httpx.Response]) -> httpx.Response:
        """Ask until there is an answer, as the page does."""
        while True:
            try:
                reply = ask()
                if reply.status_code < 500:
                    reply.raise_for_status()
                    return reply
            except httpx.TransportError:
                pass
            with self._guard:
                self.n_failed += 1
            assert not self._stop.is_set(), "stopped"
            time.sleep(TRY_AGAIN_SECONDS)


class Server:
    """`earmark label` as a program of its own, which can be killed.

    Args:
        arguments: of the command.
        browser: what is called as the browser; none: `--no-browser`.
        variables: of the environment, beside those that are there.
    """

    def __init__(self, *arguments: str, browser: str = "", **variables: str) -> None:
        command = [sys.executable, "-u", "-m", "earmark", "label", *arguments]
        command += [] if browser else ["--no-browser"]
        environment = {**os.environ, **variables, "BROWSER": browser}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        self.said = ""
        for line in self.process.stdout or ():
            self.said += line
            if found := re.search(r"http://\S+", line):
                self.url = found[0]
                return
        raise SystemExit(self.said)

    def kill(self) -> None:
        """As a power cut would: no chance to finish anything."""
        self.process.kill()
        self.process.communicate()

    def interrupt(self) -> tuple[int, str]:
        """Ctrl-C: the exit code, and all that was said."""
        self.process.send_signal(signal.SIGINT)
        rest, _ = self.process.communicate(timeout=20)
        return self.process.returncode, self.said + rest


def make_sounds(folder: Path, n_clips: int, clip_seconds: float, rate: int) -> None:
    """Noise with a tone, in ten recordings that hold so many clips together."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(10):
        n = n_clips // 10 + (i < n_clips % 10)
        if n:
            time_ = np.arange(round(n * clip_seconds * rate)) / rate
            wave = 0.2 * np.sin(2 * np.pi * 220 * 2 ** (i / 4) * time_) + 0.05 * rng.standard_normal(
                len(time_)
            )
            soundfile.write(folder / f"recording {i}.wav", wave, rate)


def crowd(folder: Path, n_annotators: int, n_clips: int, db: str | None, listens: bool) -> bool:
    """Eight at once, and a kill in the middle; whether nothing was lost or doubled."""
    make_sounds(folder / "sounds", n_clips, 1.0, 16000)
    where = ["--db", db] if db else []
    source = str(folder / "sounds")
    begin = ["--ask", ",".join(CLASSES), "--clip", "1", "--port", "0"]
    server = Server(source, *where, *begin)
    people = Crowd(server.url, n_annotators, listens)
    begun = time.perf_counter()
    people.start()
    people.wait_for(n_clips // 2, 3600)
    server.kill()
    port = server.url.rsplit(":", 1)[1].rstrip("/")
    server = Server(source, *where, "--port", port)
    people.finish(3600)
    seconds = time.perf_counter() - begun
    server.kill()
    project = open_project(db or source)
    faults = people.faults(project)
    project.close()
    took = np.array(people.seconds) * 1000
    kind = "PostgreSQL" if db else "SQLite"
    print(f"{n_annotators} annotators, {n_clips:,} clips, {kind}, killed once: {seconds:.0f} s")
    print(
        f"acknowledged {len(people.acknowledged):,}, requests that failed and were made again {people.n_failed:,}"
    )
    print(
        f"answer to acknowledgement: median {np.median(took):.0f} ms, 99 % {np.percentile(took, 99):.0f} ms"
    )
    print("lost or doubled: " + ("none" if not faults else "; ".join(faults[:10])))
    return not faults


INSTANT = """new Promise((done) => {
  const name = document.getElementById('spectrogram').src, begun = performance.now();
  let played = 0, painted = 0;
  const check = () => { if (played && painted) done([played - begun, painted - begun]); };
  performance.clearMarks();
  const heard = (list, self) => {
    const mark = list.getEntriesByName('playing')[0];
    if (mark) { played = mark.startTime; self.disconnect(); check(); }
  };
  new PerformanceObserver(heard).observe({ entryTypes: ['mark'] });
  const frame = () => {
    const image = document.getElementById('spectrogram');
    const next = image.src !== name && image.complete && image.naturalWidth;
    if (next) requestAnimationFrame(() => { painted = performance.now(); check(); });
    else requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  setTimeout(() => done(null), 5000);
  document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
})"""
"""Press Enter; milliseconds until the next clip plays and is painted."""


def instant(folder: Path, n_clips: int, rate: int) -> bool:
    """From Enter to the next clip playing, in the browser; whether 95 of 100 are under 100 ms."""
    sys.path.append(str(TESTS))
    from headless import Browser

    make_sounds(folder / "sounds", n_clips + 2, 5.0, rate)
    server = Server(str(folder / "sounds"), "--ask", ",".join(CLASSES), "--clip", "5", "--port", "0")
    found = []
    try:
        with Browser(server.url, folder / "profile") as browser:
            enter(browser)
            for _ in range(n_clips):
                time.sleep(1.0)  # nobody answers sooner; the next clip is loaded meanwhile
                browser.press("1")
                found.append(browser.ask(INSTANT))
    finally:
        server.kill()
    assert all(found), "a clip did not play within 5 s"
    played, painted = np.array(found).T
    for what, took in (("playing", played), ("painted", painted)):
        low, middle, high = np.percentile(took, [0, 50, 95])
        print(
            f"Enter to next clip {what}: median {middle:.0f} ms, 95 % {high:.0f} ms, "
            f"least {low:.0f} ms, most {took.max():.0f} ms"
        )
    return bool(np.percentile(played, 95) < 100)


def picture(folder: Path, out: Path) -> bool:
    """The page with a song of ours, two of three levels chosen."""
    sys.path.append(str(TESTS))
    from headless import Browser

    make_songs(folder / "songs")
    levels = ["--levels", "foreground,background,none"]
    server = Server(
        str(folder / "songs"), "--ask", "plucked,flute,reed", *levels, "--clip", "5", "--port", "0"
    )
    try:
        with Browser(server.url, folder / "profile", 1100, 880) as browser:
            enter(browser)
            for keys in ("nfn", "fnb", "fb"):
                time.sleep(1.6)
                for key in keys:
                    browser.press(key)
                if len(keys) == 3:
                    browser.press("Enter")
            out.parent.mkdir(parents=True, exist_ok=True)
            browser.picture(out)
        with Image.open(out) as whole:
            few = whole.convert("RGB").quantize(96, dither=Image.Dither.NONE)
        few.save(out, optimize=True)
    finally:
        server.kill()
    return True


def enter(browser: Browser) -> None:
    """Come in as Ann, and read the directions."""
    browser.wait("document.getElementById('enter').open")
    browser.type("Ann")
    browser.press("Enter")
    browser.wait("document.getElementById('directions').open")
    browser.press("Enter")
    browser.wait("!document.getElementById('desk').hidden")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one of the two; 1 where it does not reach what it should."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=("crowd", "instant", "picture"))
    parser.add_argument("--annotators", type=int, default=8)
    parser.add_argument("--clips", type=int, help="default: 5000 for the crowd, 30 otherwise")
    parser.add_argument("--db", help="of the crowd's labels; default: SQLite")
    parser.add_argument(
        "--sounds",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether the crowd loads sound and pictures",
    )
    parser.add_argument("--rate", type=int, default=44100, help="of the sounds that the browser plays, in Hz")
    parser.add_argument("-o", "--out", type=Path, default=Path("label.png"), help="of the picture")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        if args.part == "crowd":
            good = crowd(Path(name), args.annotators, args.clips or 5000, args.db, args.sounds)
        elif args.part == "picture":
            good = picture(Path(name), args.out)
        else:
            good = instant(Path(name), args.clips or 30, args.rate)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
