"""A headless Chromium to look at pages with: DevTools messages through a pipe, no package needed."""

from __future__ import annotations

import base64
import fcntl
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

CODES = {"Enter": 13, "Escape": 27, "Tab": 9}
"""Keys that the browser itself acts upon, and their numbers."""
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class Left(AssertionError):
    """The page was left, or loaded anew, while it was being asked."""


def find_chromium() -> str | None:
    """The first Chromium on the path."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One page in a browser of its own; use as a context.

    Args:
        page: the file to open, or an http address.
        profile: an empty folder for the browser.
        width, height: of the window, in CSS pixels.
        phone: whether it is touched and has a phone's viewport.
        dark: whether the system prefers dark pages.
    """

    def __init__(
        self,
        page: Path | str,
        profile: Path,
        width: int = 1280,
        height: int = 900,
        phone: bool = False,
        dark: bool = False,
    ) -> None:
        self.problems: list[str] = []
        self._numbers = itertools.count(1)
        self._held = b""
        self._session: str | None = None
        self.requests: list[str] = []
        self._start(profile)
        try:
            self._open(width, height, phone, dark)
            self.go(page)
        except BaseException:
            self.close()
            raise

    def _start(self, profile: Path) -> None:
        """The browser listens on descriptor 3 and answers on 4."""
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (theirs_in, theirs_out)]
        script = "import os, sys; [os.dup2(int(sys.argv[i]), i + 2) for i in (1, 2)]\n"
        script += "os.execv(sys.argv[3], sys.argv[3:])"
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--mute-audio", "--remote-debugging-pipe"]
        options += ["--autoplay-policy=user-gesture-required", f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", script, *map(str, ends), find_chromium() or "", *options],
            pass_fds=ends,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (theirs_in, theirs_out, *ends):
            os.close(end)

    def go(self, page: Path | str) -> None:
        """Open a page, and wait until it is there."""
        address = page if isinstance(page, str) else page.resolve().as_uri()
        self.send("Page.navigate", url=address)
        self.wait(f"document.readyState === 'complete' && location.protocol === '{address.split(':')[0]}:'")

    def reload(self) -> None:
        """Load the page again, and wait until it is there."""
        self.ask("window.old = true")
        self.send("Page.reload")
        self.wait("!window.old && document.readyState === 'complete'")

    def _open(self, width: int, height: int, phone: bool, dark: bool) -> None:
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=phone,
        )
        if phone:
            self.send("Emulation.setTouchEmulationEnabled", enabled=True)
        if dark:
            feature = {"name": "prefers-color-scheme", "value": "dark"}
            self.send("Emulation.setEmulatedMedia", features=[feature])

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the browser."""
        self._session = None
        with suppress(AssertionError, OSError):
            self.send("Browser.close")
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._out)
        os.close(self._in)

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """One command, and what it gives."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            self._note(answer)
            if answer.get("id") == number:
                if "error" in answer:
                    left = "navigated or closed" in answer["error"]["message"]
                    raise (Left if left else AssertionError)(f"{method}: {answer['error']}")
                return answer["result"]

    def ask(self, expression: str) -> Any:
        """The value of an expression in the page."""
        answer = self._evaluate(expression)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, expression: str, seconds: float = 60.0) -> None:
        """Wait until an expression is true; one that fails may come true yet, when a page is half loaded or left."""
        until = time.monotonic() + seconds
        while True:
            try:
                answer = self._evaluate(expression)
            except Left as error:
                answer = {"exceptionDetails": str(error)}
            if "exceptionDetails" not in answer and answer["result"].get("value"):
                return
            assert time.monotonic() < until, f"never true: {expression}: {answer}"
            time.sleep(0.05)

    def _evaluate(self, expression: str) -> dict[str, Any]:
        return self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)

    def press(self, key: str, code: str = "", modifiers: int = 0) -> None:
        """Press and release a key; modifiers: 1 alt, 2 control, 8 shift."""
        more: dict[str, Any] = {"text": "\r"} if key == "Enter" else {}
        if key in CODES:
            more["windowsVirtualKeyCode"] = CODES[key]
        if len(key) == 1:
            more = {"text": key}
        about = {"key": key, "code": code or key, "modifiers": modifiers}
        self.send("Input.dispatchKeyEvent", type="keyDown", **about, **more)
        self.send("Input.dispatchKeyEvent", type="keyUp", **about)

    def type(self, text: str) -> None:
        """Put text where the focus is."""
        self.send("Input.insertText", text=text)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press the mouse at one place of the window and let it go at another."""
        places = [("mouseMoved", start), ("mousePressed", start)]
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        places += [("mouseMoved", middle), ("mouseMoved", end), ("mouseReleased", end)]
        for kind, (x, y) in places:
            button = "none" if kind == "mouseMoved" and (x, y) == start else "left"
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, buttons=1, clickCount=1)

    def click(self, x: float, y: float) -> None:
        """Click at a place of the window."""
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            button = "none" if kind == "mouseMoved" else "left"
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, clickCount=1)

    def picture(self, path: Path, whole: bool = False) -> None:
        """Write a screenshot."""
        data = self.send("Page.captureScreenshot", captureBeyondViewport=whole, **self._clip(whole))["data"]
        path.write_bytes(base64.b64decode(data))

    def _clip(self, whole: bool) -> dict[str, Any]:
        if not whole:
            return {}
        size = self.send("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._held:
            more = os.read(self._in, 1 << 20)
            assert more, "the browser has ended"
            self._held += more
        one, self._held = self._held.split(b"\0", 1)
        return json.loads(one)

    def _note(self, message: dict[str, Any]) -> None:
        """Remember what the page complains of, and what it loads."""
        method, params = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.problems.append(str(params["exceptionDetails"]))
        if method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.problems.append(params["entry"]["text"])
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"][:100])


class Tab(Browser):
    """Another tab of a browser, which lives as long as that does."""

    def __init__(self, owner: Browser, page: str) -> None:
        self.problems, self.requests = [], []
        self._owner, self._numbers = owner, owner._numbers
        self._in, self._out = owner._in, owner._out
        mine, owner._session = owner._session, None
        target = owner.send("Target.createTarget", url="about:blank")["targetId"]
        attached = owner.send("Target.attachToTarget", targetId=target, flatten=True)
        owner._session = mine
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.go(page)

    def _receive(self) -> dict[str, Any]:
        return self._owner._receive()
