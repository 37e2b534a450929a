"""The benchmarks that train on real corpora, on tiny ones of the same form: they run, and what they say is so."""

from __future__ import annotations

import csv
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import accuracy, active, explaining, reference, robustness
from earmark.recipe import read_recipe
from earmark.run import Run

RATE = 8000
REPOSITORY = Path(__file__).parent.parent
TABLES = {  # label, then what the column names of a set's metadata say
    "esc10": "label,group,fold",
    "fsdd": "label,group,take",
    "instruments_cc0": "label,group,pitch",
    "drums_cc0": "label,group",
}


def sound(path: Path, frequency: float, seconds: float, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    times = np.arange(round(seconds * RATE)) / RATE
    hiss = np.random.default_rng(seed).standard_normal(len(times))
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * frequency * times) + 0.01 * hiss, RATE)


def metadata_set(
    folder: Path, labels: dict[str, float], cells: list[tuple[str, ...]], seconds: float
) -> None:
    """A sound of each label for each row of cells, and the table that names them."""
    rows = []
    for label, frequency in labels.items():
        for i, more in enumerate(cells):
            file = f"{label}/{i}.wav"
            sound(folder / file, frequency * (1 + i / 40), seconds, i)
            rows.append([file, label, *more])
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["path", *TABLES[folder.name].split(",")], *rows])


def nsynth_set(folder: Path) -> None:
    for split, instruments in {"train": (0, 1, 2), "test": (3,)}.items():
        notes = {}
        for family, frequency in {"bass": 200.0, "reed": 1500.0}.items():
            for number, pitch in itertools.product(instruments, (40, 50)):
                name = f"{family}_acoustic_{number:03}-{pitch:03}-100"
                notes[name] = {
                    "note_str": name, "instrument_family_str": family, "instrument_str": name.rsplit("-", 2)[0],
                    "instrument_source_str": "acoustic", "pitch": pitch, "velocity": 100, "qualities_str": [],
                }  # fmt: skip
                sound(
                    folder / f"nsynth-{split}/audio/{name}.wav",
                    frequency * pitch / 40,
                    1.0,
                    100 * number + pitch,
                )
        (folder / f"nsynth-{split}/examples.json").write_text(json.dumps(notes), encoding="utf-8")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All the sets that the benchmarks know, some clips each."""
    folder = tmp_path_factory.mktemp("data")
    pair = {"helicopter": 300.0, "sea_waves": 1900.0}
    folds = [(f"recording {i}", str(1 + i % 3)) for i in range(6)]
    metadata_set(folder / "esc10", pair, folds, 5.0)
    metadata_set(folder / "fsdd", {"0": 300.0, "1": 1900.0}, [("ann", "0"), ("ann", "1"), ("bo", "0")], 0.5)
    pitches = [("player", str(40 + i)) for i in range(6)]
    metadata_set(folder / "instruments_cc0", {"alto_saxophone": 300.0, "tuba": 90.0}, pitches, 0.5)
    metadata_set(folder / "drums_cc0", {"snare": 300.0, "kick": 90.0}, [(f"hit {i}",) for i in range(6)], 0.5)
    nsynth_set(folder / "nsynth_like")
    timeline = folder / "timelines" / "esc10_fold1_60s"
    sound(timeline.with_suffix(".flac"), 300.0, 6.0, 0)
    timeline.with_suffix(".csv").write_text("start,end,label\n0.0,3.0,helicopter\n3.0,6.0,sea_waves\n")
    return folder


@pytest.fixture(autouse=True)
def settings(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARMARK_DATA", str(data))


def called(module: object, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    """A benchmark by its command line."""
    monkeypatch.setattr(sys, "argv", ["benchmark", *map(str, arguments)])
    module.main()  # type: ignore[attr-defined]


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize("corpus", accuracy.CORPORA, ids=lambda corpus: corpus.name)
def test_no_group_is_trained_on_and_tested(corpus: accuracy.Corpus, data: Path) -> None:
    table = corpus.table(data)
    folds = sorted(set(table.frame["fold"])) if "fold" in table.frame else [""]
    tested = 0
    for fold in folds:
        divided = accuracy.divided(table, accuracy.Job(corpus, fold, 0, False, "default", ()))
        test = divided.column("split") == "test"
        groups = np.asarray(accuracy.units(divided, fold=False))
        assert test.any()
        assert not set(groups[test]) & set(groups[~test])
        tested += int(test.sum())
    assert tested == (len(table) if "fold" in table.frame else 4)


def test_the_leaking_twin_tests_as_many_clips_and_has_forgotten_their_groups(data: Path) -> None:
    corpus = accuracy.CORPORA[0]
    table = corpus.table(data)
    honest, leaking = (
        accuracy.divided(table, accuracy.Job(corpus, "1", 0, leaks, "default", ())) for leaks in (False, True)
    )
    assert (leaking.column("split") == "test").sum() == (honest.column("split") == "test").sum() == 4
    assert not {"group", "fold"} & set(leaking.frame.columns)


def test_accuracy_is_that_of_the_clips_and_what_is_trained_is_not_trained_again(
    data: Path, tmp_path: Path, tiny_settings: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = [word for change in tiny_settings for word in ("--set", change)]
    command = ["-o", tmp_path / "table.csv", "--runs", tmp_path / "runs", "--seeds", 1, *changes]
    called(accuracy, monkeypatch, *command, "--only", "esc10", "--only", "nsynth_like")
    esc10, nsynth = rows_of(tmp_path / "table.csv")
    kept = {place.stem: json.loads(place.read_text("utf-8")) for place in (tmp_path / "runs").glob("*.json")}
    folds = [kept[f"esc10-{fold}-0"]["clips"] for fold in (1, 2, 3)]
    right = [t == b for one in folds for t, b in zip(one["truth"], one["best"], strict=True)]
    assert (esc10["test clips"], esc10["groups"], len(right)) == ("12", "6", 12)
    assert float(esc10["accuracy"]) == pytest.approx(100 * np.mean(right), abs=0.05)
    assert float(esc10["leaking"]) >= 0
    assert 0 <= float(esc10["timeline seconds"]) <= 100
    assert float(esc10["a support vector machine"]) >= float(esc10["the majority"])
    assert (nsynth["test clips"], nsynth["timeline seconds"]) == ("4", "")
    before = (tmp_path / "table.csv").read_bytes()
    written = {place: place.stat().st_mtime_ns for place in (tmp_path / "runs").rglob("*")}
    called(accuracy, monkeypatch, *command, "--only", "esc10", "--only", "nsynth_like")
    assert (tmp_path / "table.csv").read_bytes() == before
    assert written == {place: place.stat().st_mtime_ns for place in (tmp_path / "runs").rglob("*")}
    shutil.rmtree(tmp_path / "runs" / "esc10-1-0" / "model")  # as if it had been broken off there
    (tmp_path / "runs" / "esc10-1-0.json").unlink()
    called(accuracy, monkeypatch, *command, "--only", "esc10", "--only", "nsynth_like")
    assert rows_of(tmp_path / "table.csv")[0]["accuracy"] == esc10["accuracy"]


WORK = """
import os, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from benchmarks.accuracy import leave_with_the_parent

if __name__ == "__main__":
    with ProcessPoolExecutor(1, get_context("spawn"), leave_with_the_parent) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        pool.submit(time.sleep, 600).result()
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks /proc whether a process still runs")
def test_workers_end_when_the_benchmark_is_killed(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(WORK, encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, str(tmp_path / "work.py")]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as benchmark:
        assert benchmark.stdout is not None
        worker = Path("/proc") / benchmark.stdout.readline().strip() / "stat"
        assert worker.exists()
        benchmark.kill()
    give_up = time.monotonic() + 120
    while worker.exists() and worker.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < give_up, "the worker works on"
        time.sleep(0.1)


@pytest.mark.parametrize("task", reference.TASKS, ids=lambda task: task.name)
def test_every_reference_task_has_clips_of_its_recipes_kind(
    task: reference.Task, data: Path, tmp_path: Path
) -> None:
    table = reference.table_of(task.name, data, tmp_path)
    assert len(table.classes) == 2
    assert len(table) == {"nsynth_like": 16, "npz": 24, "excerpts": 24}.get(task.name, 12)
    if task.name == "sax":
        assert table.classes == ("not sax", "sax")
        assert (table.frame["label"] == "sax").sum() == 6


def test_reference_recipes_are_run_as_published_and_with_whole_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["-o", tmp_path / "reference.csv", "--runs", tmp_path / "runs", "--set", "training.epochs=1"]
    called(reference, monkeypatch, *options, "--only", "lowrate-mlp")
    arrays, excerpts = rows_of(tmp_path / "reference.csv")
    assert (arrays["set"], arrays["recipe"], excerpts["set"]) == ("npz", "lowrate-mlp", "excerpts")
    assert (arrays["with whole groups"], arrays["linear model"]) == ("", "")  # arrays do not name recordings
    for figure in (
        arrays["as published (leaks)"], excerpts["as published (leaks)"], excerpts["with whole groups"]
    ):  # fmt: skip
        assert 0 <= float(figure.split(" ")[0]) <= 100


def test_explanations_are_put_to_the_test_beside_random_masks(
    data: Path, tmp_path: Path, tiny_settings: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explaining, "recipe_of", lambda job: read_recipe("default", tiny_settings))
    options = ["-o", tmp_path / "table.csv", "--runs", tmp_path / "runs", "--only", "esc10", "--clips", 2]
    called(explaining, monkeypatch, *options, "--method", "saliency")
    rows = rows_of(tmp_path / "table.csv")
    assert Run(tmp_path / "runs" / "esc10").is_trained
    assert {row["method"] for row in rows} == {"saliency", "random masks"}
    assert {row["clips"] for row in rows} == {"2"}
    assert all(0 <= float(row["AI"]) <= 100 for row in rows)


def test_robustness_hears_the_test_clips_of_the_runs_that_are_there(
    data: Path,
    tmp_path: Path,
    tiny_settings: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = [
        "-o",
        tmp_path / "table.csv",
        "--runs",
        tmp_path / "runs",
        "--only",
        "nsynth_like",
        "--seeds",
        1,
    ]
    with pytest.raises(SystemExit):
        called(robustness, monkeypatch, *options)
    assert "nsynth_like-given-0 is no trained run: benchmarks/accuracy.py makes it" in capsys.readouterr().err
    changes = [part for one in tiny_settings for part in ("--set", one)]
    called(accuracy, monkeypatch, *options, "--no-leaking", *changes)
    as_it_was = rows_of(tmp_path / "table.csv")[0]
    called(robustness, monkeypatch, *options)
    row = rows_of(tmp_path / "table.csv")[0]
    assert row["clips"] == as_it_was["test clips"]
    assert row["as recorded"] == as_it_was["accuracy"]
    assert all(0 <= float(row[name]) <= 100 for name in robustness.DISTURBANCES)


@pytest.mark.parametrize("name", robustness.DISTURBANCES)
def test_disturbed_sounds_are_what_they_say(name: str) -> None:
    rate, n = 22050, 22050
    sound = np.random.default_rng(0).standard_normal(n) * 0.1
    changed, again = (robustness.DISTURBANCES[name](sound, rate, np.random.default_rng(1)) for _ in range(2))
    assert changed.shape == (n,)
    assert np.array_equal(changed, again)
    hz = np.fft.rfftfreq(n, 1 / rate)
    before, after = np.abs(np.fft.rfft(sound)) ** 2, np.abs(np.fft.rfft(changed)) ** 2
    gain = {
        band: 10 * np.log10(after[inside].mean() / before[inside].mean())
        for band, inside in {"low": hz < 150, "middle": (hz > 600) & (hz < 2000), "high": hz > 6000}.items()
    }
    added = 10 * np.log10(np.square(changed - sound).mean() / np.square(sound).mean() + 1e-30)
    if name == "as recorded":
        assert np.array_equal(changed, sound)
    elif name == "equaliser":
        assert 1 < max(map(abs, gain.values())) < 9.5
    elif name == "telephone":
        assert gain["low"] < -20 and abs(gain["middle"]) < 1 and gain["high"] < -20
    elif name == "room":
        assert abs(added) < 2  # the reflections alone, as loud as what comes straight
    else:
        assert added == pytest.approx(-float(name.split()[1]), abs=1e-6)
        assert gain["low"] > gain["middle"] > gain["high"]


@pytest.mark.parametrize(
    "benchmark", [accuracy, active, explaining, reference, robustness], ids=lambda b: b.__name__
)
def test_a_folder_of_corpora_that_is_not_named_is_asked_for(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("EARMARK_DATA", raising=False)
    monkeypatch.setattr(sys, "argv", ["benchmark"])
    with pytest.raises(SystemExit) as stopped:
        benchmark.main()
    assert stopped.value.code == 2
    assert "EARMARK_DATA must name the folder" in capsys.readouterr().err
