"""Whether explanations are true: every method on evaluation clips of real corpora, beside random masks of equal energy.

    EARMARK_DATA=FOLDER python -m benchmarks.explaining -o explaining.csv [--clips 60] [--only esc10] [--method mask]
    EARMARK_DATA=FOLDER python -m benchmarks.explaining --cost [--runs runs/explaining]

FOLDER holds the sets that docs/accuracy.md names. Of each corpus the default recipe is trained once (on all folds but
the first), and clips of the first fold, drawn with a fixed seed, are explained by each method. Figures are those of
L-MAC (Paissan et al., ICML 2024), for the predicted class. Runs and what was found of each clip go to --runs; what is
there already is not made again. `--cost` measures time and memory of `earmark explain` instead.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.accuracy import CORPORA, Corpus, Job, begin_or_resume, divided, recipe_of
from earmark import audio
from earmark.explaining.asking import Heard, hear
from earmark.explaining.methods import METHODS, path_gradients
from earmark.explaining.scoring import Question
from earmark.explaining.truth import Curves, figures, put_to_test
from earmark.files import replacing
from earmark.run import Run

CORPUS_NAMES = ("esc10", "instruments_cc0")
N_RANDOM = 5
"""Random masks a clip; the table has their mean."""
N_RESAMPLES = 2000
NAMES = {"increase": "AI", "drop": "AD", "gain": "AG", "faithfulness": "FF", "fidelity": "Fid-In"}

Way = Callable[[Heard, int], Tensor]


def main() -> None:
    """Run what is asked for and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, default=Path("explaining.csv"))
    parser.add_argument("--runs", type=Path, default=Path("runs/explaining"))
    parser.add_argument("--only", action="append", default=[], help="a corpus; may be given again")
    parser.add_argument("--method", action="append", default=[], help="a method; may be given again")
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--tried", action="store_true", help="what was tried besides, too")
    parser.add_argument("--cost", action="store_true", help="time and memory instead")
    args = parser.parse_args()
    torch.set_num_threads(1)
    data = Path(
        os.environ.get("EARMARK_DATA") or parser.error("EARMARK_DATA must name the folder of the corpora")
    )
    if args.cost:
        for row in costs(args.runs, data):
            print(*row.values(), sep="  ", flush=True)
        return
    rows = []
    for corpus in (one for one in CORPORA if one.name in (args.only or CORPUS_NAMES)):
        run = trained(corpus, data, args.runs)
        ways = ways_of(args.method or list(METHODS), args.tried)
        rows += list(table(corpus.name, found(run, ways, args.clips)))
    with replacing(args.out, "w") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print(*row.values(), sep="  ")


def trained(corpus: Corpus, data: Path, runs: Path) -> Run:
    """The default recipe, trained on all folds but the first."""
    run = Run(runs / corpus.name)
    if not run.is_trained:
        job = Job(corpus, "1", 0, False, "default", ())
        begin_or_resume(run, divided(corpus.table(data), job), recipe_of(job), print)
    return run


def ways_of(methods: list[str], tried: bool) -> dict[str, Way]:
    """The methods by name, and what was tried besides."""
    ways: dict[str, Way] = {name: METHODS[name].map for name in methods}
    if tried:
        ways["integrated-gradients, not smoothed"] = lambda heard, seed: path_gradients(heard)[0].relu()
        ways["integrated-gradients / energy"] = _by_energy
        ways["occlusion x integrated-gradients"] = _product
    return ways


def _by_energy(heard: Heard, seed: int) -> Tensor:
    """What a place speaks for, by the energy that it costs to keep it."""
    found = METHODS["integrated-gradients"].map(heard, seed)
    return found / (heard.spectrum.energy + heard.spectrum.energy.mean())


def _product(heard: Heard, seed: int) -> Tensor:
    """Where two methods agree."""
    return METHODS["occlusion"].map(heard, seed).relu() * METHODS["integrated-gradients"].map(heard, seed)


# -- one clip -----------------------------------------------------------------------------------------------


def found(run: Run, ways: dict[str, Way], n: int) -> list[dict[str, object]]:
    """What each way found of each clip, a line a clip and way; kept in a file beside the run."""
    model, own = run.model(), run.clips()
    test = own.take(own.column("split") == "test")
    chosen = np.random.default_rng(0).permutation(len(test))[:n]
    place = run.path.with_name(f"{run.path.name}.jsonl")
    kept = map(json.loads, place.read_text("utf-8").splitlines() if place.exists() else [])
    known = {(line["file"], line["way"]): line for line in kept}
    paths = list(test.paths())
    with place.open("a", encoding="utf-8") as file:
        for i in chosen.tolist():
            name = str(test.frame["file"].iloc[i])
            missing = [way for way in ways if (name, way) not in known]
            if not missing:
                continue
            waveform = torch.from_numpy(audio.read(paths[i], model.spec.sample_rate))
            target = int(model.scores(waveform[None])[0].argmax())
            heard = hear(model, waveform, Question(target))
            for way in missing:
                known[name, way] = {"file": name, "way": way, **one(heard, ways[way])}
                print(json.dumps(known[name, way]), file=file, flush=True)
    wanted = {str(test.frame["file"].iloc[i]) for i in chosen.tolist()}
    return [line for (name, way), line in known.items() if name in wanted and way in ways]


def one(heard: Heard, way: Way) -> dict[str, object]:
    """A map of one clip, put to the test; the random masks are the same for every way."""
    started = time.perf_counter()
    importance = way(heard, 0).detach()
    seconds = time.perf_counter() - started
    truth = put_to_test(heard, importance, 0, N_RANDOM)
    return {
        "seconds": seconds,
        "score": truth.score,
        "beaten": truth.n_beaten,
        "map": _points(truth.found, truth.score),
        "random": [_points(curve, truth.score) for curve in truth.random],
    }


def _points(curves: Curves, score: float) -> dict[str, dict[str, float]]:
    return {f"{point.share:g}": vars(figures(score, point)) for point in curves.points}


# -- the table ----------------------------------------------------------------------------------------------


def table(corpus: str, lines: list[dict[str, object]]) -> Iterator[dict[str, object]]:
    """A row a way and share: means over clips in per cent, AI with its interval; and those of the random masks."""
    ways = list(dict.fromkeys(str(line["way"]) for line in lines))
    for way in ways:
        own = [line for line in lines if line["way"] == way]
        for share in own[0]["map"]:  # type: ignore[attr-defined]
            yield _row(corpus, way, share, own, [line["map"][share] for line in own])  # type: ignore[index]
    own = [line for line in lines if line["way"] == ways[0]]
    for share in own[0]["map"]:  # type: ignore[attr-defined]
        every = [
            {name: float(np.mean([one[share][name] for one in line["random"]])) for name in NAMES}  # type: ignore[attr-defined]
            for line in own
        ]
        yield _row(corpus, "random masks", share, own, every) | {"beats random": "", "s a clip": ""}


def _row(
    corpus: str, way: str, share: str, lines: list[dict[str, object]], values: list[dict[str, float]]
) -> dict[str, object]:
    increases = np.array([one["increase"] for one in values])
    draws = np.random.default_rng(0).integers(0, len(increases), (N_RESAMPLES, len(increases)))
    low, high = np.percentile(increases[draws].mean(axis=1), [2.5, 97.5])
    means = {short: f"{100 * np.mean([one[name] for one in values]):.1f}" for name, short in NAMES.items()}
    return {
        "corpus": corpus,
        "method": way,
        "energy kept": f"{100 * float(share):.0f} %",
        "clips": len(lines),
        **means,
        "AI 95 %": f"{100 * low:.0f}-{100 * high:.0f}",
        "beats random": f"{100 * np.mean([line['beaten'] == N_RANDOM for line in lines]):.0f} %",
        "s a clip": f"{np.median([line['seconds'] for line in lines]):.1f}",  # type: ignore[misc]
    }


# -- time and memory ----------------------------------------------------------------------------------------


def costs(runs: Path, data: Path) -> Iterator[dict[str, object]]:
    """`earmark explain` of a 5-s clip by each method, and of a 4-minute recording: seconds and megabytes at most."""
    run = trained(next(one for one in CORPORA if one.name == "esc10"), data, runs)
    clip = runs / "clip.wav"
    audio.write(clip, noise(5), 44100)
    song = runs / "song.wav"
    audio.write(song, noise(240), 44100)
    for method in METHODS:
        yield cost(
            f"5-s clip, {method}", run.path, clip, runs / "explained", "--method", method, "--no-sanity"
        )
    yield cost("5-s clip, mask, sanity", run.path, clip, runs / "explained")
    yield cost("4-minute recording, mask", run.path, song, runs / "explained", "--no-sanity")


def cost(what: str, *arguments: object) -> dict[str, object]:
    """One call in a process of its own, on one thread."""
    before = time.perf_counter()
    run, file, out, *rest = map(str, arguments)
    code = (
        "import resource, sys\nfrom earmark.cli import main\ncode = main(sys.argv[1:])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)\nsys.exit(code)"
    )
    command = [sys.executable, "-c", code, "explain", run, file, "-o", out, "--threads", "1", *rest]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    unit = 1024 if sys.platform != "darwin" else 1024**2
    megabytes = int(done.stderr.splitlines()[-1]) / unit
    return {"what": what, "seconds": f"{time.perf_counter() - before:.1f}", "MB": f"{megabytes:.0f}"}


def noise(seconds: float) -> np.ndarray:
    """A second of noise bursts and tones, again and again, for the clock only."""
    rng, rate = np.random.default_rng(0), 44100
    time_axis = np.arange(rate) / rate
    second = 0.1 * rng.standard_normal(rate) * (time_axis < 0.3) + 0.2 * np.sin(2 * np.pi * 880 * time_axis)
    return np.tile(second, int(seconds)).astype(np.float32)


if __name__ == "__main__":
    main()
