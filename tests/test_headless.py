"""The browser of the other tests waits for pages that are just then loaded anew."""

from pathlib import Path

from headless import Browser

SLOW = "new Promise((give) => setTimeout(() => give(window.name === 'loaded'), 400))"


def test_a_page_that_is_loaded_anew_while_it_is_asked_is_asked_again(tmp_path: Path, chromium: str) -> None:
    page = tmp_path / "page.html"
    page.write_text("<title>A page</title>")
    with Browser(page, tmp_path / "profile") as browser:
        browser.ask("setTimeout(() => { window.name = 'loaded'; location.reload(); }, 100); 1")
        browser.wait(SLOW)
