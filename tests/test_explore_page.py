"""The page of a corpus: it loads nothing, shows hostile names as text, and its map plays by mouse and keyboard."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earmark.clips import read_clips, write_clips
from earmark.exploring import Exploration, Options, explore, pictures
from earmark.exploring.page import amount, choose_sounds, render
from earmark.exploring.pictures import Drawn
from headless import Browser
from parsed import Page

EVIL = '<script>alert("x")</script>'
RATE = 8000
NAMES = ("bell", "</script><b>", "drum & bass")


@pytest.fixture(scope="module")
def explored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Exploration, dict[str, Drawn], Path]:
    """36 clips of three classes, one of them with a name that tries to break out; and the page."""
    folder = tmp_path_factory.mktemp("page")
    rng, rows = np.random.default_rng(0), ["file,label,group,note"]
    for i in range(36):
        wave = 0.3 * np.sin(2 * np.pi * 200 * 2 ** (i % 3) * np.arange(RATE) / RATE)
        soundfile.write(folder / f"{i}.wav", wave + 0.02 * rng.standard_normal(RATE), RATE)
        quoted = EVIL.replace('"', '""')
        rows.append(f'{i}.wav,{NAMES[i % 3]},g{i // 6},"{quoted}{i % 2}"')
    (folder / "35.wav").write_bytes(b"")
    (folder / "clips.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARMARK_CACHE", str(folder / "cache"))
        found = explore(folder / "clips.csv", folder / "out", Options(command="earmark explore"))
        drawn = pictures.draw(found)
    return found, drawn, folder / "out" / "explore.html"


@pytest.fixture
def page(explored: tuple[Exploration, dict[str, Drawn], Path]) -> Path:
    """The page."""
    return explored[2]


def test_the_page_is_well_formed_and_loads_nothing(page: Path) -> None:
    found = Page(page.read_text("utf-8"))
    assert found.open == []
    sources = [a[key] for _, a in found.elements for key in ("src", "href", "srcset", "poster") if key in a]
    assert all(str(s).startswith(("data:", "#")) for s in sources)
    visible = page.read_text("utf-8")
    assert "http:" not in visible
    assert "https:" not in visible
    assert "url(" not in visible


def test_only_its_own_script_may_run(page: Path) -> None:
    found = Page(page.read_text("utf-8"))
    policy = next(str(a["content"]) for a in found.all("meta") if "http-equiv" in a)
    assert policy.startswith("default-src 'none'")
    points, sounds, script = found.scripts
    assert [a.get("type") for a in found.all("script")] == ["application/json", "application/json", None]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "unsafe-inline' script" not in policy
    assert len(json.loads(points)["points"]) == 35
    assert len(json.loads(sounds)) == 35


def test_hostile_names_are_text(page: Path) -> None:
    found = Page(page.read_text("utf-8"))
    assert "</script><b>" in found.text
    assert found.all("b") == []
    assert not any(key.startswith("on") for _, a in found.elements for key in a)


def test_pictures_sounds_and_tables_have_words(page: Path) -> None:
    found = Page(page.read_text("utf-8"))
    assert all(a.get("alt") for a in found.all("img"))
    assert all(a.get("aria-label") for a in found.all("audio"))
    assert all(a.get("scope") in ("col", "row") for a in found.all("th"))
    assert len(found.all("caption")) == len(found.all("table"))
    scrolled = [a for tag, a in found.elements if a.get("role") == "region"]
    assert all(a.get("tabindex") == "0" and a.get("aria-label") for a in scrolled)


def test_the_page_says_how_the_ranking_was_made(page: Path) -> None:
    text = Page(page.read_text("utf-8")).text
    assert "are whole on one side, in 5 folds" in text
    assert "Guessing reaches 33.3 %" in text
    assert "the luckiest of 20 columns of random numbers reached" in text
    assert "35 of 35 clips can be played" in text
    assert "the file is empty, 0 bytes" in text


def test_sounds_stay_within_their_room_and_the_page_says_so(
    explored: tuple[Exploration, dict[str, Drawn], Path],
) -> None:
    found, drawn, _ = explored
    small = replace(found, options=replace(found.options, sound_bytes=40_000))
    page = Page(render(small, drawn))
    sounds = json.loads(page.scripts[1])
    assert 0 < sum(map(len, sounds.values())) <= 40_000
    assert f"{len(sounds)} of 35 clips can be played" in page.text
    assert f"the others ({35 - len(sounds)}) are left out" in page.text
    counts = np.bincount(found.corpus.first_class[[int(i) for i in sounds]], minlength=3)
    assert counts.max() - counts.min() <= 1


def test_each_class_gets_its_turn() -> None:
    classes = np.array([0] * 90 + [1] * 6 + [-1] * 4)
    chosen = choose_sounds(classes, [10] * 100, 120, seed=0)
    assert np.bincount(classes[chosen] + 1).tolist() == [4, 4, 4]
    assert choose_sounds(classes, [10] * 100, 120, seed=0) == chosen
    assert choose_sounds(classes, [0] * 100, 120, seed=0) == []
    assert choose_sounds(classes[:2], [500, 10], 120, seed=0) == [1]


@pytest.mark.parametrize(("seconds", "words"), [(3.14, "3.1 s"), (600, "10.0 min"), (9000, "2.5 h")])
def test_amounts_have_the_unit_that_suits(seconds: float, words: str) -> None:
    assert amount(seconds) == words


def test_names_that_are_not_utf8_are_written(tmp_path: Path) -> None:
    name = b"caf\xe9.wav".decode("utf-8", "surrogateescape")
    soundfile.write(tmp_path / "a.wav", 0.1 * np.random.default_rng(0).standard_normal(RATE), RATE)
    (tmp_path / "a.wav").rename(tmp_path / name)
    (tmp_path / "clips.csv").write_bytes(b"file,label\ncaf\xe9.wav,x\n")
    explore(tmp_path / "clips.csv", tmp_path / "out")
    assert "caf\ufffd.wav" in (tmp_path / "out" / "explore.html").read_text("utf-8")
    assert b"caf\xe9.wav" in (tmp_path / "out" / "tables" / "clips.csv").read_bytes()


def test_a_table_with_a_root_elsewhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "sounds").mkdir()
    soundfile.write(tmp_path / "sounds" / "a.wav", np.full(RATE, 0.1), RATE)
    (tmp_path / "sounds" / "clips.csv").write_text("file\na.wav\n")
    write_clips(
        read_clips(tmp_path / "sounds" / "clips.csv", labels=False), tmp_path / "elsewhere" / "clips.csv"
    )
    assert len(explore(tmp_path / "elsewhere" / "clips.csv", tmp_path / "out").map.rows) == 1


# ---- in a browser ----


@pytest.fixture(params=["desktop", "phone"])
def browser(chromium: str, page: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Browser]:
    """The page in a window of its own."""
    width, height = (1280, 900) if request.param == "desktop" else (390, 844)
    with Browser(page, tmp_path / "profile", width, height, phone=request.param == "phone") as browser:
        yield browser
        assert browser.problems == []
        assert all(url.startswith(("file:", "data:", "blob:")) for url in browser.requests), browser.requests


SAID = "document.getElementById('map-said').textContent"
PLAYER = "document.getElementById('map-player')"
INK = """(() => { const c = document.getElementById('map');
  const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
  let n = 0; for (let i = 0; i < d.length; i += 4) n += d[i] + d[i + 1] + d[i + 2] < 700; return n; })()"""
MARK = """(() => { const c = document.getElementById('map'); c.scrollIntoView({block: 'center'});
  const p = JSON.parse(document.getElementById('map-points').textContent).points[0];
  const b = c.getBoundingClientRect(), s = Math.min(c.clientWidth, c.clientHeight) / 2 - 18;
  return [b.left + c.clientLeft + c.clientWidth / 2 + p[1] * s,
    b.top + c.clientTop + c.clientHeight / 2 - p[2] * s]; })()"""


def test_a_click_on_a_mark_plays_its_clip(browser: Browser) -> None:
    assert browser.ask(INK) > 500, "nothing is drawn"
    x, y = browser.ask(MARK)
    browser.click(x, y)
    browser.wait(f"{SAID} !== 'Nothing chosen yet.'")
    said = browser.ask(SAID)
    assert re.fullmatch(r"(bell|</script><b>|drum & bass): \d+\.wav", said)
    browser.wait(f"{PLAYER}.currentTime > 0")
    assert browser.ask(f"{PLAYER}.duration") == pytest.approx(1, abs=0.2)
    assert browser.ask("document.getElementById('map-tip').textContent") == said
    assert browser.ask("document.activeElement.id") == "map"


def test_the_keyboard_walks_plays_and_stops(browser: Browser) -> None:
    browser.ask("document.getElementById('map').focus()")
    browser.press("ArrowRight")
    first = browser.ask(SAID)
    assert ".wav" in first
    assert browser.ask(f"{PLAYER}.hidden"), "walking does not play"
    browser.press("ArrowLeft")
    assert browser.ask(SAID) != first
    browser.press("Enter")
    browser.wait(f"{PLAYER}.currentTime > 0")
    browser.press("Escape")
    browser.wait(f"{PLAYER}.paused")


def test_zooming_moving_and_hiding_classes_change_the_map(browser: Browser) -> None:
    zoom = "document.getElementById('map-zoom').textContent"
    whole = browser.ask("document.getElementById('map').toDataURL()")
    browser.ask("document.getElementById('map-in').click()")
    browser.wait(f"{zoom} === '150 %'")
    assert browser.ask("document.getElementById('map').toDataURL()") != whole
    browser.ask("document.getElementById('map').focus()")
    browser.press("0")
    browser.wait(f"{zoom} === '100 %'")
    assert browser.ask("document.getElementById('map').toDataURL()") == whole
    before = browser.ask(INK)
    browser.ask("document.querySelector('#map-legend input').click()")
    browser.wait(f"{INK} < {0.9 * before}")
    browser.ask("document.getElementById('map-none').click()")
    browser.wait(f"{INK} === 0")
    browser.ask("document.getElementById('map-all').click()")
    browser.wait(f"{INK} === {before}")


def test_nothing_is_wider_than_the_window(browser: Browser) -> None:
    assert browser.ask("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert browser.ask("[...document.querySelectorAll('#map-legend canvas')].every(c => c.width > 0)")


def test_the_clips_of_the_classes_play(browser: Browser) -> None:
    browser.ask("document.querySelector('article audio').preload = 'auto'")
    browser.wait("document.querySelector('article audio').readyState >= 2")
    assert browser.ask("document.querySelector('article audio').duration") == pytest.approx(1, abs=0.2)
    browser.ask("[...document.images].forEach(i => i.loading = 'eager')")
    browser.wait("[...document.images].every(i => i.complete && i.naturalWidth > 100)")
