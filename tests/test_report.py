"""The page answers first, loads nothing, stays small, and shows hostile names as text."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from pathlib import Path

import pytest

from earmark import drawing, report
from earmark.errors import UserError
from earmark.intervals import Interval
from earmark.metrics import ClassMetrics, Confusion
from earmark.report import (
    Average,
    Baseline,
    Cell,
    HeardClip,
    Leak,
    Measure,
    Picture,
    Report,
    SplitCount,
    Unreadable,
)
from parsed import Page

EVIL = '<script>alert("x")</script>'
PNG = drawing.confusion([[1]], ["only"])


def interval(value: float, low: float | None = None, high: float | None = None, note: str = "") -> Interval:
    return Interval(value, low, high, n_units=45, n_resamples=1000, note=note)


def baseline(value: float, difference: Interval | None = None, name: str = "a linear model") -> Baseline:
    return Baseline(name, (Measure("macro F1", interval(value)),), difference)


EXAMPLE = Report(
    run="esc10",
    made="1 May 2025",
    command="earmark evaluate runs/esc10",
    measures=(
        Measure("macro F1", interval(0.875, 0.801, 0.930), interval(0.9, 0.82, 0.95)),
        Measure("accuracy", interval(0.88, 0.81, 0.93)),
    ),
    leak=Leak("no", "no fold is on both sides"),
    grouped_by="fold",
    chosen_by="best validation macro F1, epoch 3 of 4",
    splits=(SplitCount("train", 1260, 630, 180, 6300.0), SplitCount("test", 240, 120, 48)),
    baselines=(
        baseline(0.1, interval(0.775, 0.7, 0.85), "the majority class"),
        baseline(0.6, interval(0.275, 0.2, 0.35)),
    ),
    per_class=(
        ClassMetrics("dog", 20, 21, 0.9, 0.95, 0.92, 0.97, 0.99),
        ClassMetrics("cat", 0, 1, *[None] * 5),
    ),
    absent=("cat",),
    confusions=(Confusion("dog", "cat", 1, 0.05),),
    confusion=Picture(PNG, "a matrix"),
    history=Picture(drawing.confusion([[1]], ["only"], format="svg"), "a history"),
    warnings=("cat is missing from valid",),
    unreadable=(Unreadable("broken.wav", 0.0, None, "not audio"),),
    wrong=(
        HeardClip("a.wav", 0.0, 2.5, "dog", "cat", 0.6, b"low"),
        HeardClip("b.wav", 62.5, None, "dog", "cat", 0.9, b"high"),
        HeardClip("c.wav", None, None, "dog", "cat", 0.7),
    ),
    versions=(("torch", "2.8.0"),),
)

MORE = {
    "right": (HeardClip("d.wav", 0.0, 1.0, "dog", "dog", 0.99, b"right"),),
    "averages": (Average("mean of the classes (macro)", 0.9, 0.95, 0.92),),
    "classes": ("dog", "cat"),
    "cells": (
        Cell(0, 0, 50, (("d.wav", 0.0, None),)),
        Cell(0, 1, 3, (("a.wav", 0.0, 2.5), ("b.wav", 62.5, None))),
    ),
    "steps": Picture(PNG, "steps"),
    "on_training": (Measure("macro F1", Interval(0.99)), Measure("accuracy", Interval(0.98))),
    "both_sides": Picture(PNG, "both sides"),
    "boundaries": (Picture(PNG, "about dog"),),
}
"""What a run's own test has besides."""


def page_of(**changes: object) -> Page:
    return Page(report.render(replace(EXAMPLE, **changes)))


def test_the_first_screen_answers_four_questions() -> None:
    text = page_of().text
    head = text[: text.index("The figures")]
    for words in (
        "How good is it? 87.5 %",
        "How sure is that? ✓ 80.1–93.0 %",
        "95 % interval, 1,000 resamples of 45 groups",
        "Is it better than something plain? ✓ Yes",
        "The network beats a linear model: macro F1 87.5 % against 60.0 %",
        "+27.5 points (95 %: +20.0 to +35.0)",
        "Does the test leak into training? ✓ No No fold is on both sides.",
        "cat is missing from valid",
    ):
        assert words in re.sub(r"\s+", " ", head), words


@pytest.mark.parametrize(
    ("rivals", "word", "sentence"),
    [
        ((baseline(0.9),), "No", "The network does not beat a linear model: macro F1 87.5"),
        ((baseline(0.875),), "No", "does not beat"),
        ((baseline(0.86, interval(0.015, -0.02, 0.05)),), "Not shown", "not by more than chance may give"),
        ((baseline(0.5),), "Perhaps", "how sure that is was not measured"),
        ((baseline(0.5, interval(0.375, 0.3, 0.4)),), "Yes", "The network beats"),
        ((), "Not known", "No baseline was measured"),
    ],
)
def test_the_network_is_held_against_the_best_baseline(rivals: tuple, word: str, sentence: str) -> None:
    answer = report.answers(replace(EXAMPLE, baselines=rivals))[2]
    assert answer.word == word
    assert sentence in answer.sentence
    assert (answer.mark == "good") == (word == "Yes")


def test_a_leak_is_on_the_face_with_the_honest_figure_and_the_gap() -> None:
    leaking = page_of(leak=Leak("leaks", "the split is by segment", interval(0.712, 0.651, 0.768)))
    assert "LEAKS: esc10" in leaking.text
    assert "87.5 % but LEAKS" in leaking.text
    assert (
        "✗ LEAKS The split is by segment. With whole groups the macro F1 is 71.2 % (65.1–76.8 %); "
        "here it is 87.5 %, +16.3 points." in leaking.text
    )
    bare = page_of(leak=Leak("leaks", "the split is by segment"))
    assert "Do not quote these figures" in bare.text
    assert "LEAKS" not in page_of().text


def test_only_recordings_known_may_leak() -> None:
    answer = report.answers(replace(EXAMPLE, leak=Leak("possible", "no group is known")))[3]
    assert (answer.word, answer.mark) == ("It may", "careful")


def test_an_interval_that_is_too_narrow_says_so_first() -> None:
    narrow = Measure("macro F1", interval(0.8, 0.7, 0.85, "only 4 test groups: the interval is too narrow"))
    answer = report.answers(replace(EXAMPLE, measures=(narrow,)))[1]
    assert answer.mark == "careful"
    assert "Only 4 test groups: the interval is too narrow." in answer.sentence
    missing = Measure("macro F1", interval(0.8, note="one group alone: no interval can be given"))
    answer = report.answers(replace(EXAMPLE, measures=(missing,)))[1]
    assert (answer.word, answer.sentence) == ("Unknown", "One group alone: no interval can be given.")


def test_the_page_is_well_formed_and_loads_nothing() -> None:
    html = report.render(EXAMPLE)
    page = Page(html)
    assert page.open == []
    assert page.all("script") == []
    sources = [a[key] for _, a in page.elements for key in ("src", "href", "srcset", "poster") if key in a]
    assert len(sources) == 6
    assert all(str(s).startswith(("data:", "#")) for s in sources)
    assert "http:" not in html
    assert "https:" not in html
    assert "url(" not in html
    policy = next(a["content"] for a in page.all("meta") if "http-equiv" in a)
    assert str(policy).startswith("default-src 'none'")


def test_pictures_sounds_and_tables_have_words() -> None:
    page = page_of()
    assert [a["alt"] for a in page.all("img")] == ["a matrix", "a history"]
    assert [str(a["src"])[:19] for a in page.all("img")] == ["data:image/png;base", "data:image/svg+xml;"]
    assert all(a["aria-label"] for a in page.all("audio"))
    assert all(a.get("scope") in ("col", "row") for a in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table")) == 5
    assert page.all("html")[0]["lang"] == "en"
    scrolled = [a for tag, a in page.elements if tag in ("div", "figure") and a.get("role") == "region"]
    assert all(a.get("tabindex") == "0" and a.get("aria-label") for a in scrolled)


def test_the_surest_mistakes_come_first_and_play() -> None:
    page = page_of()
    assert page.text.index("b.wav 1:02.50 to end") < page.text.index("c.wav 0:00.00 to end")
    assert page.text.index("c.wav") < page.text.index("a.wav 0:00.00 to 0:02.50")
    sounds = [base64.b64decode(str(a["src"]).split(",")[1]) for a in page.all("audio")]
    assert sounds == [b"high", b"low"]


def test_at_most_forty_sounds_and_fifteen_megabytes(tmp_path: Path) -> None:
    many = tuple(HeardClip(f"{i}.wav", 0, 1, "dog", "cat", i / 500, b"x" * 1000) for i in range(400))
    page = page_of(wrong=many)
    assert len(page.all("audio")) == report.MOST_SOUNDS
    assert "400 wrong clips, the surest first; the first 300 are listed, all are in scores.csv" in page.text
    large = tuple(replace(clip, mp3=b"x" * 1_000_000) for clip in many)
    report.write_report(tmp_path / "report.html", replace(EXAMPLE, wrong=large))
    size = (tmp_path / "report.html").stat().st_size
    assert 13_000_000 < size <= report.MOST_BYTES
    mixed = (HeardClip("long.wav", 0, 1, "a", "b", 1.0, b"x" * 20_000_000), many[0])
    assert len(page_of(wrong=mixed).all("audio")) == 1


def test_pictures_that_are_too_large_are_left_out_in_words() -> None:
    page = page_of(confusion=Picture(b"\x89PNG" + bytes(report.MOST_PICTURE_BYTES), "large"))
    assert len(page.all("img")) == 1
    assert "too large for this page" in page.text


def test_hostile_names_are_text() -> None:
    evil = Report(
        run=EVIL,
        made=EVIL,
        command=EVIL,
        measures=(Measure(EVIL, interval(0.5, 0.4, 0.6, EVIL), meaning=EVIL),),
        leak=Leak("leaks", EVIL, interval(0.4)),
        grouped_by=EVIL,
        chosen_by=EVIL,
        splits=(SplitCount(EVIL, 1, 1, 1),),
        baselines=(Baseline(EVIL, (Measure(EVIL, interval(0.4)),), what=EVIL),),
        per_class=(ClassMetrics(EVIL, 1, 1, 1, 1, 1, 1, 1),),
        absent=(EVIL,),
        confusions=(Confusion(EVIL, EVIL, 1, 1),),
        confusion=Picture(PNG, '" onerror="alert(1)'),
        warnings=(EVIL,),
        unreadable=(Unreadable(EVIL, 0, 1, EVIL),),
        wrong=(HeardClip('" autoplay="', 0, 1, EVIL, EVIL, 1, b"x"),),
        versions=((EVIL, EVIL),),
    )
    html = report.render(evil)
    page = Page(html)
    assert page.all("script") == []
    assert "<script" not in html
    assert all("onerror" not in a for a in page.all("img"))
    assert set(page.all("audio")[0]) == {"controls", "preload", "src", "aria-label"}
    assert page.text.count(EVIL) > 15


def test_names_that_are_not_utf8_are_written(tmp_path: Path) -> None:
    broken = (Unreadable("caf\udce9.wav", None, None, "empty"),)
    report.write_report(tmp_path / "report.html", replace(EXAMPLE, unreadable=broken))
    assert "caf\ufffd.wav" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_bare_report_is_still_a_page() -> None:
    page = Page(
        report.render(
            Report(
                "r", "now", "c", (Measure("accuracy", Interval(None)),), Leak("possible", "nothing is known")
            )
        )
    )
    assert "How good is it? – " in page.text
    assert page.open == []


def test_a_report_without_a_figure_is_refused() -> None:
    with pytest.raises(ValueError, match="measures is empty"):
        report.render(replace(EXAMPLE, measures=()))


def test_a_page_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    place = tmp_path / "new" / "report.html"
    report.write_report(place, EXAMPLE)
    report.write_report(place, replace(EXAMPLE, run="second"))
    assert "second" in place.read_text(encoding="utf-8")
    assert [p.name for p in place.parent.iterdir()] == ["report.html"]
    with pytest.raises(UserError, match="cannot be written"):
        report.write_report(tmp_path, EXAMPLE)


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (None, "–"),
        (0, "0.0 %"),
        (0.0001, "< 0.1 %"),
        (0.875, "87.5 %"),
        (0.99961, "> 99.9 %"),
        (1, "100.0 %"),
    ],
)
def test_shares_are_not_rounded_to_all_or_nothing(share: float | None, words: str) -> None:
    assert report.percent(share).replace("\u202f", " ") == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0:00.00"), (59.999, "1:00.00"), (3725.5, "1:02:05.50"), (float("nan"), "end")]
)
def test_times_are_clock_times(seconds: float, words: str) -> None:
    assert report.clock(seconds) == words


def test_the_whole_page_is_well_formed_and_loads_nothing() -> None:
    page = page_of(**MORE)
    assert page.open == []
    assert all(str(a["src"]).startswith("data:") for _, a in page.elements if "src" in a)
    assert all(
        str(a["href"])[:5] in ("data:", "#main", "#cell", "#h-co") for _, a in page.elements if "href" in a
    )


def test_the_mean_with_the_chosen_baseline_is_told_and_is_no_rival() -> None:
    chosen = replace(baseline(0.8, interval(0.075, 0.01, 0.1), "extra trees"), kind="chosen")
    mean = replace(baseline(0.95, name="the mean of both"), kind="mean")
    answer = report.answers(replace(EXAMPLE, baselines=(chosen, mean)))[2]
    assert answer.word == "Yes"
    assert "The mean of its scores and those of extra trees reaches 95.0" in answer.sentence
    assert "the mean of both" in page_of(baselines=(chosen, mean)).text


def test_the_network_is_held_against_the_baseline_that_was_chosen_without_the_test() -> None:
    chosen = replace(baseline(0.6, interval(0.275, 0.2, 0.35), "extra trees"), kind="chosen")
    weaker, ahead = baseline(0.7, name="neighbours"), baseline(0.9, interval(-0.02), "regression")
    one = report.answers(replace(EXAMPLE, baselines=(weaker, chosen)))[2]
    assert (one.word, one.mark) == ("Yes", "good")
    assert "beats extra trees: macro F1 87.5" in one.sentence
    two = report.answers(replace(EXAMPLE, baselines=(ahead, chosen)))[2]
    assert (two.word, two.mark) == ("Not shown", "careful")
    assert "beats extra trees" in two.sentence and "But it does not beat regression: 90.0" in two.sentence
    page = page_of(baselines=(ahead, chosen)).text
    assert "extra trees (chosen)" in page and "regression (chosen)" not in page


def test_a_cell_of_the_matrix_leads_to_its_clips() -> None:
    page = page_of(**MORE)
    targets = {a["id"] for _, a in page.elements if "id" in a}
    links = {str(a["href"])[1:] for a in page.all("a") if str(a.get("href", "")).startswith("#cell")}
    assert links == {"cell-0-0", "cell-0-1"} <= targets
    assert "dog, said to be cat: 3 clips; the first 2 are listed" in page.text


def test_too_many_classes_are_a_picture_and_not_a_table() -> None:
    names = tuple(f"class {i}" for i in range(report.MOST_SIDE + 1))
    page = page_of(**{**MORE, "classes": names})
    assert not [a for a in page.all("a") if str(a.get("href", "")).startswith("#cell")]
    assert "a matrix" in [a["alt"] for a in page.all("img")]


def test_what_was_learnt_by_heart_stands_beside_the_test() -> None:
    assert "network, on its own training clips" in page_of(**MORE).text
    assert "network, on its own training clips" not in page_of().text


def test_right_clips_can_be_heard_too() -> None:
    assert "d.wav: dog" in [a["aria-label"] for a in page_of(**MORE).all("audio")]
