"""The command line: what is printed where, the exit codes, and the words of its errors."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from earmark.cli import build_parser, main

SMALL = [
    "--threads", "1", "--set", "training.epochs=3", "--set", "training.min_steps=3", "--set", "network.widths=[4, 8]",
    "--set", "network.pretrained=false",
]  # fmt: skip


def run(*args: object) -> int:
    return main([str(arg) for arg in args])


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["import", "nowhere", "-o", "new.csv"], "nowhere"),
        (["train", "nowhere.csv"], "nowhere.csv"),
        (["train", "clips.csv", "--recipe", "defalt"], "Did you mean 'default'"),
        (["train", "clips.csv", "--set", "training.epoch=3"], "Did you mean 'epochs'"),
        (["train", "clips.csv", "--set", "epochs"], "wanted key=value"),
        (["train", "clips.csv", "--test-fold", "3"], "no column 'fold'"),
        (["train", "clips.csv", "--group", "singer"], "singer"),
        (["train", "clips.csv", "-o", "mine"], "mine: this exists already"),
        (["train", "--resume", "nowhere"], "nowhere: no such run"),
        (["train", "--resume", "mine"], "mine: this is not a run of earmark"),
        (["evaluate", "mine"], "mine: this is not a run of earmark"),
        (["predict", "nowhere", "a.wav"], "nowhere: no such run"),
        (["import", "corpus"], "clips.csv: this exists already"),
        (["import", "mine", "-o", "new.csv"], "mine"),
        (["recipes", "show", "nothing"], "there is no recipe 'nothing'"),
        (["demo", "-o", "mine"], "mine: this holds something that the demo did not make"),
    ],
)
def test_what_a_person_can_put_right_is_said_in_one_line(
    corpus: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    args: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(corpus.parent)
    assert run("import", "corpus", "-o", "clips.csv") == 0
    Path("mine").mkdir()
    Path("mine/notes.txt").write_text("mine")
    capsys.readouterr()
    assert run(*args) == 1
    said = capsys.readouterr()
    assert words in said.err
    assert said.err.startswith("earmark: ") and said.err.count("\n") == 1
    assert said.out == ""
    assert not list(Path().glob("runs/*"))


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["train"], "no clip table and no folder is named"),
        (["train", "clips.csv", "--resume", "mine"], "A run remembers its clips"),
        (["evaluate", "mine", "clips.csv"], "Add -o FOLDER"),
    ],
)
def test_a_command_line_that_cannot_be_meant_exits_with_2(
    args: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*args) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    "args", [[], ["fly"], ["train", "--epochs", "3"], ["predict", "run"], ["import", "x", "--clip", "-2"]]
)
def test_wrong_usage_exits_with_2(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        run(*args)
    assert end.value.code == 2
    assert "usage: earmark" in capsys.readouterr().err


def test_every_command_has_help_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    (commands,) = [a for a in build_parser()._actions if a.choices and "train" in a.choices]
    for name, parser in commands.choices.items():  # type: ignore[union-attr]
        assert f"example: earmark {name}" in parser.format_help()


def test_a_folder_can_be_trained_on_at_once(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(corpus.parent)
    assert run("train", "corpus", *SMALL, "--no-evaluate") == 0
    (folder,) = Path("runs").iterdir()
    assert folder.name.endswith("-default") and (folder / "model" / "model.toml").exists()
    assert not (folder / "report.html").exists()
    assert f"Next: earmark evaluate {folder}" in capsys.readouterr().err
    assert run("train", "corpus", *SMALL, "--no-evaluate") == 0
    assert len(list(Path("runs").iterdir())) == 2


def test_files_that_cannot_be_used_give_exit_code_3(
    corpus: Path, trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(corpus.parent)
    (corpus / "low" / "bad.wav").write_bytes(b"RIFF....WAVE")
    assert run("import", "corpus", "-o", "clips.csv") == 3
    assert "bad.wav" in capsys.readouterr().out
    assert run("train", "clips.csv", *SMALL, "-o", "run", "--no-evaluate") == 0  # import left it out already
    assert run("predict", trained, "corpus/low", "-o", "out.csv") == 3
    assert run("predict", trained, "corpus/high", "-o", "fine.csv") == 0


def test_labels_that_differ_by_case_and_a_single_class_are_refused(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(corpus.parent)
    (corpus / "Low").mkdir()
    shutil.copy(corpus / "low" / "low_00.wav", corpus / "Low" / "again.wav")
    assert run("import", "corpus", "-o", "clips.csv") == 1
    assert "differs only by case" in capsys.readouterr().err
    shutil.rmtree(corpus / "Low")
    shutil.rmtree(corpus / "high")
    assert run("train", "corpus", *SMALL) == 1
    assert "training needs at least two" in capsys.readouterr().err


def test_identical_recordings_on_both_sides_are_refused_by_name(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(corpus.parent)
    for i in range(1, 12):  # one sound under many names: some are bound to be apart
        shutil.copy(corpus / "low" / "low_00.wav", corpus / "low" / f"low_{i:02}.wav")
    assert run("train", "corpus", *SMALL, "-o", "run") == 1
    said = capsys.readouterr().err
    assert "low_" in said and "Traceback" not in said
    assert not Path("run").exists()


def test_ctrl_c_says_how_to_go_on_and_the_run_goes_on(corpus: Path, tmp_path: Path) -> None:
    out, many = tmp_path / "run", ["--set", "training.epochs=4000", "--set", "training.max_steps=4000"]
    command = [
        sys.executable,
        "-m",
        "earmark",
        "train",
        str(corpus),
        *SMALL,
        *many,
        "-o",
        str(out),
        "--no-evaluate",
    ]
    listening = {
        "preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    }  # a shell's job ignores it
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **listening
    )  # type: ignore[call-overload]
    deadline = time.monotonic() + 120
    while not (out / "checkpoints" / "last.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert f"earmark train --resume {out}" in said
    assert "Traceback" not in said
    assert not list(out.rglob("*.part"))
    text = (out / "config.toml").read_text()
    (out / "config.toml").write_text(
        text.replace("epochs = 4000", "epochs = 1").replace("max_steps = 4000", "max_steps = 3")
    )
    assert main(["train", "--resume", str(out), "--no-evaluate"]) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_said_in_words(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "full.csv").symlink_to("/dev/full")
    env = {**os.environ, "EARMARK_CACHE": "/dev/full/cache"}
    command = [sys.executable, "-m", "earmark", "train", str(corpus), *SMALL, "-o", str(tmp_path / "run")]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert "features cannot be kept here" in done.stderr and "Traceback" not in done.stderr


def test_a_reader_that_closes_its_pipe_is_no_error(corpus: Path) -> None:
    done = subprocess.run(f"{sys.executable} -m earmark recipes show | true", shell=True, capture_output=True)
    assert b"Traceback" not in done.stderr
