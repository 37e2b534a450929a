"""Several processes that train one model, as torchrun starts them, here two on a CPU."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from earmark.cli import main
from earmark.run import open_run
from earmark.teamwork import ALONE, is_started_by_torchrun, team

WHOLE_BATCHES = [
    "--recipe=lowrate-mlp",
    "--no-evaluate",
    "--set=split.protocol=grouped",
    "--set=split.test_fraction=0.25",
    "--set=split.valid_fraction=0",
    "--set=training.monitor=none",
    "--set=audio.clip_seconds=1.0",
    "--set=training.batch_size=64",
    "--set=training.optimizer=sgd",
    "--set=training.momentum=0.9",
    "--set=training.learning_rate=0.1",
]
"""All training clips in every batch, whole, and nothing at random: then halves of a batch add up to the batch."""


COUNT_THREADS = """
import sys
from pathlib import Path
from earmark.cli import main
code = main()
print(*(path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")), sep="\\n")
sys.exit(code)
"""
"""`earmark`, then the names of the threads that this process ends with."""


def torchrun(
    *arguments: str | Path, processes: int = 2, program: Sequence[str | Path] = ("-m", "earmark")
) -> subprocess.CompletedProcess[str]:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return subprocess.run(
        [sys.executable, *launcher, *map(str, program), *map(str, arguments)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def train_alone(*arguments: str | Path) -> None:
    assert main(["train", *map(str, arguments), "--threads", "1"]) == 0


def assert_alike(one: Path, other: Path) -> None:
    """The same weights but for the rounding of their sums, and not those that they began with."""
    ours, theirs = (open_run(path).model().state_dict() for path in (one, other))
    assert ours["pool.dense1.bias"].abs().max() > 1e-3
    for name, values in ours.items():
        torch.testing.assert_close(values, theirs[name], rtol=1e-5, atol=1e-6)


def test_two_processes_learn_what_one_learns_and_only_the_first_speaks(corpus: Path, tmp_path: Path) -> None:
    train_alone(corpus, "-o", tmp_path / "one", *WHOLE_BATCHES)
    done = torchrun("train", corpus, "-o", tmp_path / "two", *WHOLE_BATCHES)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("trained ") == 1
    assert len(open_run(tmp_path / "two").steps()) == 10  # type: ignore[arg-type]
    assert_alike(tmp_path / "one", tmp_path / "two")


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted where Linux lists them")
def test_no_thread_of_the_group_outlives_it(corpus: Path, tmp_path: Path) -> None:
    """One that still runs as Python ends may abort the process, the training being done."""
    program = tmp_path / "count_threads.py"
    program.write_text(COUNT_THREADS)
    done = torchrun("train", corpus, "-o", tmp_path / "run", *WHOLE_BATCHES, program=[program])
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("python") >= 2  # each is listed at least by itself
    assert "gloo" not in done.stdout


def test_two_processes_go_on_where_one_was_broken_off(corpus: Path, tmp_path: Path) -> None:
    run = tmp_path / "one"
    train_alone(corpus, "-o", run, *WHOLE_BATCHES, "--set=training.epochs=4")
    shutil.rmtree(run / "model")
    config = (run / "config.toml").read_text()
    (run / "config.toml").write_text(config.replace("\nepochs = 4\n", "\nepochs = 10\n"))
    train_alone(corpus, "-o", tmp_path / "whole", *WHOLE_BATCHES)
    done = torchrun("train", "--resume", run, "--no-evaluate")
    assert done.returncode == 0, done.stderr
    assert_alike(tmp_path / "whole", run)


def test_the_default_recipe_and_a_leaking_one_with_its_twin(corpus: Path, tmp_path: Path) -> None:
    """Both trainings of the command are helped with: norms over batches, crops, mixed clips, a backbone that rests
    for an epoch, an average of weights."""
    short = ["--set=training.epochs=2", "--set=training.min_steps=1", "--set=training.freeze=0.5"]
    short += ["--set=training.batch_size=8"]
    done = torchrun("train", corpus, "-o", tmp_path / "run", *short, "--set=split.protocol=segments")
    assert done.returncode == 0, done.stderr
    for run in (tmp_path / "run", tmp_path / "run" / "grouped"):
        assert len(open_run(run).history()) == 2
    assert (tmp_path / "run" / "report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set=training.batch_size=3"], "2 processes for batches of 3 clips, wanted two clips or more"),
        (["--set=training.epoch=3"], "there is no setting 'epoch'"),
    ],
)
def test_what_a_person_can_put_right_is_said_once(
    arguments: list[str], words: str, corpus: Path, tmp_path: Path
) -> None:
    done = torchrun("train", corpus, "-o", tmp_path / "run", *arguments)
    assert done.returncode != 0
    assert done.stderr.count(words) == 1
    assert "[rank" not in done.stderr  # torch's mark of a process's traceback
    assert not (tmp_path / "run").exists()


def test_a_process_by_itself_is_a_team_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")  # as some schedulers set it, without torchrun
    assert not is_started_by_torchrun()
    assert team() == ALONE
    assert ALONE.leads
    assert ALONE.agree("word") == "word"
