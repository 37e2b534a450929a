from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from earmark.evaluation import evaluate
from earmark.modelcard import FEW, _text
from earmark.report import percent, span


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def test_the_card_says_what_the_run_is_and_how_good(run: Path) -> None:
    found = evaluate(run)
    card = (run / "MODEL_CARD.md").read_text()
    first = found.measures[0]
    for words in (
        "# run",
        "- high\n- low",
        "no other class",
        "what chose the model: best validation macro F1",
        "| test | ",
        f"| accuracy | {percent(first.clips.value)} | {span(first.clips)} |",
        "of the majority (the network is ahead by ",
        f"Fewer than {FEW} test clips",
        "leak status: a leak is possible",
        "earmark evaluate",
    ):
        assert words in card, words
    assert card.count("## ") == 6


def test_other_clips_make_no_card(run: Path, tmp_path: Path) -> None:
    found = evaluate(run)
    (run / "MODEL_CARD.md").unlink()
    evaluate(run, found.scored.table, tmp_path / "other")
    assert not (run / "MODEL_CARD.md").exists()
    assert not (tmp_path / "other" / "MODEL_CARD.md").exists()


def test_hostile_names_stay_words() -> None:
    assert _text("a|b\n# c [d](e) <i>") == r"a\|b \# c \[d\](e) \<i\>"
