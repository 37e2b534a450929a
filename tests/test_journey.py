"""The road, not only the stones: from a folder of sound to a labelled song, through the command line."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

import earmark
from earmark.cli import main


def test_a_folder_of_sound_becomes_a_classifier_that_labels_a_new_recording(
    corpus: Path,
    tone: Callable[..., np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(corpus.parent)

    assert main(["import", "corpus", "-o", "clips.csv"]) == 0
    said = capsys.readouterr()
    assert "high" in said.out and "12" in said.out
    assert "Next: earmark train clips.csv" in said.err

    settings = [
        "training.epochs=80",
        "augment.mixup=0",
        "training.min_steps=1",
        "training.batch_size=4",
        "network.widths=[8, 16]",
        "network.pretrained=false",
    ]
    changes = [word for setting in settings for word in ("--set", setting)]
    assert main(["train", "clips.csv", "-o", "runs/first", *changes]) == 0
    said = capsys.readouterr()
    assert "accuracy" in said.out and "the majority" in said.out
    assert "Next: earmark predict runs/first" in said.err
    made = {path.name for path in Path("runs/first").iterdir()}
    assert {
        "config.toml",
        "clips.csv",
        "history.csv",
        "model",
        "scores.csv",
        "metrics.json",
        "report.html",
    } <= made

    song = np.concatenate([tone(f, 2.0, 44100, 0.3, noise=0.02, seed=99) for f in (310, 3100, 320)])
    soundfile.write("song.flac", np.stack([song, song], axis=1), 44100)
    Path("broken.mp3").write_bytes(b"ID3 and then nothing")
    assert main(["predict", "runs/first", "song.flac", "broken.mp3", "-o", "out.csv"]) == 3
    with open("out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    found = ["high" if float(row["high"]) > 0.5 else "low" for row in rows if row["high"]]
    assert found == ["low", "low", "high", "high", "low", "low"]
    assert rows[-1]["file"] == "broken.mp3" and rows[-1]["reason"]

    frame = earmark.load("runs/first").predict("song.flac")
    assert frame["high"].round(4).tolist() == [round(float(row["high"]), 4) for row in rows if row["high"]]

    # The run is the recipe of another like it, and evaluates again to the same figures.
    before = Path("runs/first/metrics.json").read_text()
    assert main(["evaluate", "runs/first"]) == 0
    assert Path("runs/first/metrics.json").read_text() == before
    again = ["train", "runs/first/clips.csv", "--recipe", "runs/first/config.toml", "-o", "runs/again"]
    assert main([*again, "--set", "training.epochs=1", "--no-evaluate"]) == 0
