"""The labelling page in a browser: every kind of question by keyboard, the way back, and nothing lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from earmark.server import app
from headless import Browser, Tab
from serving import Served, begun, make_sounds

STATUS = "document.getElementById('status').textContent"
CLIP = "document.getElementById('clip-name').textContent"
READY = "document.getElementById('submit').getAttribute('aria-disabled') === 'false'"
SHOWN = "!document.getElementById('desk').hidden && document.getElementById('spectrogram').naturalWidth > 0"
PRESSED = "[...document.querySelectorAll('#choices [aria-pressed=true] .name')].map(one => one.textContent)"
AUDIO_TIME = "Number(document.getElementById('stage').getAttribute('aria-valuenow'))"
PLAYING = "document.getElementById('play-word').textContent === 'Pause'"
BOX = "(({ x, y, width, height }) => [x, y, width, height])(document.getElementById('%s').getBoundingClientRect())"
AHEAD = "performance.getEntriesByType('resource').filter(one => one.name.includes('/wav')).length >= 2"
LEFT = "Number((document.getElementById('playhead').style.transform.match(/[\\d.]+/) || [0])[0])"


@dataclass
class Desk:
    """A page that somebody labels with."""

    served: Served
    browser: Browser
    profile: Path

    def said(self) -> dict[int, dict[str, Any]]:
        """The answers that count, by clip, of the first annotator."""
        found = self.served.project.said()
        return {found.clips[row].id: of_clip[0] for row, of_clip in found.answers.items() if 0 in of_clip}

    def keys(self, *keys: str) -> None:
        for key in keys:
            self.browser.press(key)

    def submit(self) -> None:
        """Submit, and wait until it is saved."""
        self.browser.ask("document.getElementById('status').textContent = ''")
        self.browser.press("Enter")
        self.browser.wait(f"{STATUS}.includes('Saved')")


def enter(browser: Browser, name: str = "Ann") -> None:
    browser.wait("document.getElementById('enter').open")
    browser.type(name)
    browser.press("Enter")
    browser.wait("document.getElementById('directions').open")
    browser.press("Enter")
    browser.wait(SHOWN)


Opening = Callable[..., Desk]


@pytest.fixture
def opened(tmp_path: Path, chromium: str) -> Iterator[Opening]:
    """Opens a page of a folder of tones, entered as Ann; complaints of the browser are failures."""
    with ExitStack() as stack:

        def open_(
            kind: str = "one",
            *classes: str,
            names: list[str] | None = None,
            width: int = 1280,
            complaints: bool = False,
            n: int = 6,
            seconds: float = 1.0,
            dark: bool = False,
            **settings: object,
        ) -> Desk:
            folder = make_sounds(tmp_path / "tones", n, seconds, names)
            served = stack.enter_context(Served(begun(folder, kind, *classes, **settings), tmp_path / "kept"))
            size = (width, 900 if width > 700 else 812, width < 700, dark)
            browser = stack.enter_context(Browser(served.url, tmp_path / "profile", *size))
            if not complaints:
                stack.callback(lambda: _content(browser))
            enter(browser)
            return Desk(served, browser, tmp_path / "profile")

        yield open_


def _content(browser: Browser) -> None:
    assert browser.problems == []
    assert all(one.startswith(("http://127.0.0.1", "data:", "about:")) for one in browser.requests)


# ---- the five kinds of question, by keyboard ----


def test_one_of_n_by_digits(opened: Opening) -> None:
    desk = opened("one")
    assert not desk.browser.ask(READY)
    desk.keys("3")
    assert desk.browser.ask(PRESSED) == ["piano"]
    desk.keys("1")
    assert desk.browser.ask(PRESSED) == ["saxophone"]
    assert desk.browser.ask(READY)
    desk.submit()
    assert list(desk.said().values()) == [{"label": "saxophone"}]


def test_any_of_n_by_digits_and_none_of_them(opened: Opening) -> None:
    desk = opened("tags")
    desk.keys("1", "2", "3", "2")
    assert desk.browser.ask(PRESSED) == ["saxophone", "piano"]
    desk.submit()
    assert not desk.browser.ask(READY), "nothing chosen is not the same as none of these"
    desk.keys("-")
    assert desk.browser.ask(PRESSED) == ["none of these"]
    desk.submit()
    assert sorted(map(str, desk.said().values())) == ["{'tags': ['saxophone', 'piano']}", "{'tags': []}"]


def test_levels_by_first_letters_line_by_line(opened: Opening) -> None:
    desk = opened("levels")
    desk.keys("f", "b")
    assert not desk.browser.ask(READY), "every element needs a level"
    desk.keys("Enter")
    assert "Still without a level: piano" in desk.browser.ask(STATUS)
    desk.keys("n", "2", "n", "ArrowUp", "b")
    assert desk.browser.ask(PRESSED) == ["background", "none", "none"]
    desk.submit()
    assert list(desk.said().values()) == [
        {"levels": {"saxophone": "background", "vocals": "none", "piano": "none"}}
    ]


@pytest.mark.parametrize(("key", "answer"), [("y", "yes"), ("n", "no"), ("3", "unsure"), ("1", "yes")])
def test_yes_no_unsure(opened: Opening, key: str, answer: str) -> None:
    desk = opened("yes-no")
    assert desk.browser.ask("document.getElementById('question').textContent") == "Do you hear saxophone?"
    desk.keys(key)
    desk.submit()
    assert list(desk.said().values()) == [{"answer": answer}]


def test_regions_by_keyboard_alone(opened: Opening) -> None:
    desk = opened("regions", seconds=4.0)
    desk.browser.ask(
        "document.getElementById('play-word').textContent === 'Pause' && document.getElementById('play').click()"
    )
    desk.keys("Home", "ArrowRight", "b")
    start = desk.browser.ask(AUDIO_TIME)
    desk.keys("ArrowRight", "ArrowRight", "ArrowRight", "e", "2")
    end = desk.browser.ask(AUDIO_TIME)
    assert 0 < start < end
    assert desk.browser.ask(READY)
    desk.submit()
    (region,) = next(iter(desk.said().values()))["regions"]
    assert region["label"] == "vocals"
    assert (region["start"], region["end"]) == pytest.approx((start, end), abs=0.03)
    assert (region["f_min"], region["f_max"]) == (None, None)
    desk.keys("-")
    desk.submit()
    assert {"regions": []} in desk.said().values()


def test_regions_by_mouse_are_where_they_were_drawn(opened: Opening, tmp_path: Path) -> None:
    desk = opened("regions", seconds=4.0)
    desk.keys("3")
    desk.browser.wait(
        "document.querySelectorAll('#hz span').length > 2"
    )  # before it has an axis nothing is drawn
    box = desk.browser.ask(BOX % "spectrogram")
    x, y, width, height = box
    desk.browser.drag((x + 0.25 * width, y + 0.75 * height), (x + 0.75 * width, y + 0.25 * height))
    desk.browser.wait(READY)
    desk.browser.picture(tmp_path / "regions.png")
    hz = desk.browser.ask("fetch('/clip/1/json').then(r => r.json()).then(look => look.axes.mel.hz)")
    desk.submit()
    (region,) = next(iter(desk.said().values()))["regions"]
    assert (region["start"], region["end"], region["label"]) == (
        pytest.approx(1, abs=0.02),
        pytest.approx(3, abs=0.02),
        "piano",
    )
    assert region["f_min"] == pytest.approx(hz[round(0.25 * (len(hz) - 1))], rel=0.05)
    assert region["f_max"] == pytest.approx(hz[round(0.75 * (len(hz) - 1))], rel=0.05)
    seeks = desk.browser.ask(AUDIO_TIME)
    desk.browser.click(x + 0.9 * width, y + 0.5 * height)
    assert desk.browser.ask(AUDIO_TIME) != seeks
    assert not desk.browser.ask(READY), "a click seeks, it draws nothing"


def test_many_classes_have_letters_and_a_field_to_find_them(opened: Opening) -> None:
    names = [f"bird {i:03}" for i in range(60)]
    desk = opened("one", *names)
    desk.keys("q")
    assert desk.browser.ask(PRESSED) == ["bird 010"]
    desk.keys("/")
    desk.browser.type("bird 042")
    desk.keys("Enter")
    assert desk.browser.ask(PRESSED) == ["bird 042"]
    desk.submit()
    assert list(desk.said().values()) == [{"label": "bird 042"}]


# ---- player ----


def test_the_player_plays_seeks_loops_and_the_playhead_keeps_up(opened: Opening) -> None:
    desk = opened("one", seconds=6.0)
    browser = desk.browser
    browser.wait(f"{PLAYING} && {AUDIO_TIME} > 0.3")
    browser.ask("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    place = browser.ask(f"[{LEFT} / document.getElementById('stage').clientWidth, {AUDIO_TIME} / 6]")
    assert place[0] == pytest.approx(place[1], abs=0.01)
    desk.keys(" ")
    browser.wait(f"!({PLAYING})")
    stopped = browser.ask(AUDIO_TIME)
    desk.keys("ArrowRight")
    assert browser.ask(AUDIO_TIME) == pytest.approx(stopped + 0.3, abs=0.02)
    desk.keys("Home")
    assert browser.ask(AUDIO_TIME) == 0
    box = browser.ask(BOX % "wave")
    browser.click(box[0] + box[2] / 2, box[1] + box[3] / 2)
    assert browser.ask(AUDIO_TIME) == pytest.approx(3, abs=0.05)
    desk.keys("l", ",")
    assert browser.ask("document.getElementById('loop').getAttribute('aria-pressed')") == "true"
    assert browser.ask("document.getElementById('speed').value") == "0.75"
    browser.ask("document.activeElement.blur()")
    desk.keys("End", " ")
    browser.wait(f"{PLAYING} && {AUDIO_TIME} > 0.2 && {AUDIO_TIME} < 3")  # round it went


def test_the_next_clip_is_there_and_plays_at_once(opened: Opening) -> None:
    desk = opened("one")
    first = desk.browser.ask(CLIP)
    desk.browser.wait(AHEAD)
    desk.keys("1")
    took = desk.browser.ask(
        """new Promise((done) => {
          const begun = performance.now();
          setTimeout(() => done(null), 30000);
          const heard = (list) => list.getEntriesByName('playing').length && done(performance.now() - begun);
          new PerformanceObserver(heard).observe({ entryTypes: ['mark'] });
          document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
        })"""
    )
    assert desk.browser.ask(CLIP) != first
    assert took is not None  # how long it takes is measured by benchmarks/labelling.py


# ---- skip, comment, undo ----


def test_skip_asks_why_and_a_comment_goes_along(opened: Opening) -> None:
    desk = opened("one")
    desk.keys("c")
    desk.browser.type("a door slams")
    desk.keys("Escape", "s")
    desk.browser.wait("document.getElementById('skip-why').open")
    desk.keys("Escape")
    desk.browser.wait("!document.getElementById('skip-why').open")
    assert desk.said() == {}
    desk.keys("s")
    desk.browser.wait("document.getElementById('skip-why').open")
    desk.keys("3")
    desk.browser.wait(f"{STATUS}.includes('Saved')")
    assert list(desk.said().values()) == [{"skip": "cut off", "comment": "a door slams"}]
    assert desk.browser.ask("document.getElementById('comment').value") == ""


def test_a_dialog_that_is_opened_again_at_once_does_not_hear_of_its_first_close(opened: Opening) -> None:
    desk = opened("one")
    desk.browser.ask(
        """[0, 1].forEach((time) => {
          document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 's', bubbles: true }));
          if (time === 0) document.getElementById('skip-why').close();
        })"""
    )
    desk.browser.ask("new Promise((done) => setTimeout(done, 100))")  # the first close is told of now
    desk.keys("3")
    desk.browser.wait(f"{STATUS}.includes('Saved')", seconds=10)
    assert list(desk.said().values()) == [{"skip": "cut off"}]


def test_undo_goes_back_as_far_as_one_likes_and_changes_what_was_said(opened: Opening) -> None:
    desk = opened("one")
    clips = []
    for key in "123":
        clips.append(desk.browser.ask(CLIP))
        desk.keys(key)
        desk.submit()
    waiting = desk.browser.ask(CLIP)
    for clip, label in zip(reversed(clips), ("piano", "vocals", "saxophone"), strict=True):
        desk.keys("u")
        desk.browser.wait(f"{CLIP} === {clip!r}")
        assert desk.browser.ask(PRESSED) == [label]
        assert f"You had answered: {label}" in desk.browser.ask(
            "document.getElementById('banner').textContent"
        )
    desk.keys("u")
    desk.browser.wait(f"{STATUS}.includes('nothing before')")
    desk.keys("3")
    desk.submit()
    desk.browser.wait(f"{CLIP} === {waiting!r}")
    desk.keys("u")
    desk.browser.wait(f"{CLIP} === {clips[0]!r}")
    desk.keys("1", "Escape")
    desk.browser.wait(f"{CLIP} === {waiting!r}")  # and nothing is changed
    assert sorted(one["label"] for one in desk.said().values()) == ["piano", "piano", "vocals"]
    assert "another tab" not in desk.browser.ask(STATUS)


def test_a_half_made_answer_survives_a_reload(opened: Opening) -> None:
    desk = opened("levels")
    clip = desk.browser.ask(CLIP)
    desk.keys("f", "b")
    desk.browser.reload()
    desk.browser.wait(SHOWN)
    assert desk.browser.ask(CLIP) == clip
    assert desk.browser.ask(PRESSED) == ["foreground", "background"]
    assert not desk.browser.ask("document.getElementById('directions').open"), (
        "directions are for the first time"
    )


def test_the_end_says_so_and_undo_leads_back(opened: Opening) -> None:
    desk = opened("one", n=2)
    for _ in range(2):
        desk.keys("1")
        desk.submit()
    desk.browser.wait("!document.getElementById('empty').hidden")
    assert "All clips are done" in desk.browser.ask("document.getElementById('empty-title').textContent")
    assert "2 of 2 done · 2 mine" in desk.browser.ask("document.getElementById('counts').textContent")
    desk.keys("u")
    desk.browser.wait("!document.getElementById('desk').hidden")
    desk.keys("2")
    desk.submit()
    assert sorted(one["label"] for one in desk.said().values()) == ["saxophone", "vocals"]


# ---- several people, and what goes wrong ----


def test_two_tabs_of_one_annotator_are_told_and_lose_nothing(opened: Opening) -> None:
    desk = opened("one")
    other = Tab(desk.browser, desk.served.url)
    other.wait(SHOWN)
    clip = desk.browser.ask(CLIP)
    assert other.ask(CLIP) == clip
    desk.keys("1")
    desk.submit()
    other.press("2")
    other.press("Enter")
    other.wait(f"{STATUS}.includes('in another tab')")
    assert list(desk.said().values()) == [{"label": "vocals"}]
    with desk.served.project.store.reading() as connection:
        said = [row[0] for row in connection.exec_driver_sql("SELECT answer FROM answers ORDER BY id")]
    assert said == ['{"label": "saxophone"}', '{"label": "vocals"}'], "both are in the history"


def test_answers_are_kept_while_the_server_is_gone_and_sent_when_it_is_back(opened: Opening) -> None:
    desk = opened("one", complaints=True)
    desk.browser.wait(AHEAD)
    desk.served.stop()
    for _ in range(2):
        desk.keys("1", "Enter")
    trouble = "document.getElementById('trouble').textContent"
    desk.browser.wait(f"{trouble}.includes('2 answers of yours are kept in this browser')")
    assert desk.said() == {}
    assert desk.browser.ask("Object.keys(localStorage).filter(key => key.includes('.out.')).length") == 2
    desk.served.start()
    desk.browser.wait("document.getElementById('trouble').hidden")
    assert len(desk.said()) == 2
    assert desk.browser.ask("Object.keys(localStorage).filter(key => key.includes('.out.')).length") == 0


def test_answers_of_a_closed_page_are_sent_by_the_next_visit(opened: Opening) -> None:
    desk = opened("one", complaints=True)
    desk.browser.wait(AHEAD)
    desk.served.stop()
    desk.keys("1", "Enter")
    desk.browser.wait("!document.getElementById('trouble').hidden")
    desk.browser.send("Page.navigate", url="about:blank")
    desk.served.start()
    desk.browser.go(desk.served.url)
    desk.browser.wait(f"{STATUS}.includes('Saved')")
    assert list(desk.said().values()) == [{"label": "saxophone"}]


def test_a_database_that_refuses_is_told_and_tried_again(
    opened: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    from earmark.labelling.store import Unavailable

    desk = opened("one", complaints=True)
    real = desk.served.project.submit

    def full(*arguments: object) -> object:
        raise Unavailable("labels.sqlite", "the disk is full", "Free some space and try again.")

    monkeypatch.setattr(desk.served.project, "submit", full)
    desk.keys("1", "Enter")
    desk.browser.wait(
        "document.getElementById('trouble').textContent.includes('the disk is full. Free some space')"
    )
    monkeypatch.setattr(desk.served.project, "submit", real)
    desk.browser.ask("document.querySelector('#trouble button').click()")
    desk.browser.wait("document.getElementById('trouble').hidden")
    assert len(desk.said()) == 1


def test_an_answer_that_is_refused_is_shown_again(opened: Opening, monkeypatch: pytest.MonkeyPatch) -> None:
    from earmark import UserError

    desk = opened("one", complaints=True)
    real, clip = desk.served.project.submit, desk.browser.ask(CLIP)

    def no(*arguments: object) -> object:
        raise UserError("answer", "this will not do", "Say something else.")

    monkeypatch.setattr(desk.served.project, "submit", no)
    desk.keys("2", "Enter")
    desk.browser.wait("document.getElementById('trouble').textContent.includes('this will not do')")
    monkeypatch.setattr(desk.served.project, "submit", real)
    desk.browser.ask("document.querySelector('#trouble button').click()")
    assert desk.browser.ask(CLIP) == clip
    assert desk.browser.ask(PRESSED) == ["vocals"]
    desk.submit()
    assert list(desk.said().values()) == [{"label": "vocals"}]


def test_a_recording_that_is_gone_is_told_on_the_stage(opened: Opening) -> None:
    desk = opened("one", complaints=True)
    for path in desk.served.project.root.glob("*.wav"):
        path.rename(path.with_suffix(".gone"))
    desk.browser.reload()
    desk.browser.wait("!document.getElementById('stage-note').hidden")
    assert "there is no such file" in desk.browser.ask("document.getElementById('stage-note').textContent")
    desk.keys("s")
    desk.browser.wait("document.getElementById('skip-why').open")
    desk.keys("4")
    desk.browser.wait(f"{STATUS}.includes('Saved')")


def test_names_that_cannot_be_are_told_where_they_are_typed(opened: Opening) -> None:
    desk = opened("one", complaints=True)
    desk.browser.ask("document.getElementById('me').click()")
    desk.browser.wait("document.getElementById('enter').open")
    desk.browser.ask("document.getElementById('name').value = 'a'.repeat(10000)")
    desk.keys("Enter")
    desk.browser.wait("document.getElementById('enter-problem').textContent.includes('10,000 characters')")
    desk.browser.ask("document.getElementById('name').value = 'Ben <b>'")
    desk.keys("Enter")
    desk.browser.wait(SHOWN)
    assert desk.browser.ask("document.getElementById('me').textContent") == "Ben <b>"


def test_hostile_names_are_only_ever_text(opened: Opening) -> None:
    evil = "<img src=x onerror=alert(1)>"
    desk = opened("tags", evil, "a & b", names=["<script>alert(1)<\xa0script>.wav", "a\nb.wav"], n=2)
    for _ in range(2):
        desk.keys("1")
        desk.submit()
    assert desk.browser.ask("document.querySelectorAll('#choices img, #classes img, h2 script').length") == 0
    assert evil in desk.browser.ask("document.getElementById('classes').textContent")


def test_disagreements_are_settled_in_a_mode_of_their_own(
    opened: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "MOST_TASKS", 1)  # then the page has to ask again
    desk = opened("one", overlap=2, n=3)
    project = desk.served.project
    for name, label in (("Ben", "piano"), ("Cleo", "vocals")):
        for clip in (1, 2):
            project.submit(project.enter(name).id, clip, {"label": label}, str(clip))
    desk.browser.ask("document.getElementById('settle').click()")
    desk.browser.wait("!document.getElementById('said').hidden")
    said = desk.browser.ask("document.getElementById('said').textContent")
    assert "Ben" in said and "piano" in said and "Cleo" in said and "vocals" in said
    desk.browser.ask("document.activeElement.blur()")
    first = desk.browser.ask(CLIP)
    desk.keys("2")
    desk.submit()
    desk.browser.wait(f"!document.getElementById('desk').hidden && {CLIP} !== {first!r}")
    desk.keys("2")
    desk.submit()
    desk.browser.wait("document.getElementById('empty-title').textContent === 'All settled'")
    assert project.disagreements() == []
    desk.browser.ask("document.getElementById('settle').click()")
    desk.browser.wait("!document.getElementById('desk').hidden")


def test_a_suggestion_is_shown_when_asked_for_and_accepted_with_one_key(
    opened: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = opened("one")
    assert desk.browser.ask("document.getElementById('suggestion').hidden"), "it biases: off by default"
    desk.keys("a")
    assert desk.said() == {}
    monkeypatch.setattr(
        desk.served.project, "suggestion", lambda clip_id: {"answer": {"label": "piano"}, "score": 0.83}
    )
    desk.served.project.change(suggest=True)
    desk.browser.reload()
    desk.browser.wait("!document.getElementById('suggestion').hidden")
    assert desk.browser.ask("document.getElementById('suggested').textContent") == "Suggested: piano (83 %)"
    assert desk.browser.ask(PRESSED) == [], "nothing is chosen beforehand"
    desk.keys("a")
    desk.browser.wait(f"{STATUS}.includes('Saved')")
    assert list(desk.said().values()) == [{"label": "piano"}]


# ---- for everybody ----

CONTRAST = """(() => {
  const one = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map(Number).map(one)
    .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0);
  const clear = (colour) => colour === 'transparent' || /, 0\\)$/.test(colour);
  const above = (node) => node ? [node, ...above(node.parentElement)] : [];
  const poor = [];
  for (const node of document.querySelectorAll('body *')) {
    const said = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!said || !node.checkVisibility({ visibilityProperty: true }) || node.closest('.region, .skip')) continue;
    const styles = above(node).map((up) => getComputedStyle(up));
    const opacity = styles.reduce((product, style) => product * Number(style.opacity), 1);
    const paper = light(styles.map((style) => style.backgroundColor).find((colour) => !clear(colour)));
    const ink = paper + opacity * (light(styles[0].color) - paper);
    const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    if (ratio < 4.5) poor.push(`${node.outerHTML.slice(0, 60)}: ${ratio.toFixed(1)}`);
  }
  return poor;
})()"""
"""Text whose contrast with its ground is below 4.5 (WCAG AA)."""
UNNAMED = """[...document.querySelectorAll('button, input, select, textarea, [role=slider], progress, dialog')]
  .filter((one) => !(one.matches('button') && one.textContent.trim()) && !one.getAttribute('aria-label')
    && !one.labels?.length && !document.getElementById(one.getAttribute('aria-labelledby')))
  .map((one) => one.outerHTML.slice(0, 80))"""
"""What a screen reader would have no name for."""
SMALL = """[...document.querySelectorAll('#choices .choice, .actions button, #play')]
  .filter((one) => one.getBoundingClientRect().height < 40).length"""
FOCUS = """[document.activeElement.id || document.activeElement.className || document.activeElement.tagName,
  document.activeElement === document.body || getComputedStyle(document.activeElement).outlineStyle !== 'none']"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
@pytest.mark.parametrize("kind", ["one", "tags", "levels", "yes-no", "regions"])
def test_everybody_can_read_it(opened: Opening, kind: str, width: int, dark: bool, tmp_path: Path) -> None:
    desk = opened(kind, width=width, dark=dark)
    if kind == "regions":
        desk.keys("ArrowRight", "b", "ArrowRight", "ArrowRight", "e")
    elif kind != "levels":
        desk.keys("1")
    assert desk.browser.ask("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert desk.browser.ask(CONTRAST) == []
    assert desk.browser.ask(UNNAMED) == []
    assert desk.browser.ask(SMALL) == 0
    desk.browser.picture(tmp_path / f"{kind}-{width}-{'dark' if dark else 'light'}.png")


def test_the_focus_is_seen_and_walks_over_everything(opened: Opening) -> None:
    desk = opened("levels")
    seen = []
    for _ in range(40):
        desk.browser.send(
            "Input.dispatchKeyEvent", type="keyDown", key="Tab", code="Tab", windowsVirtualKeyCode=9
        )
        desk.browser.send(
            "Input.dispatchKeyEvent", type="keyUp", key="Tab", code="Tab", windowsVirtualKeyCode=9
        )
        name, visible = desk.browser.ask(FOCUS)
        seen.append(name)
        assert visible, name
    for wanted in ("stage", "play", "loop", "speed", "scale", "comment", "submit", "skip", "undo", "help"):
        assert wanted in seen
