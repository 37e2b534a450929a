"""Training: an epoch of every reference network against the same one in Keras; and with a core busy elsewhere."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import torch

from benchmarks.speed.bench import N_CORES, Bench
from benchmarks.speed.measuring import (
    AS_FAST,
    NO_GOAL,
    Case,
    Comparison,
    Goal,
    Row,
    Took,
    measure,
    skipped,
)  # fmt: skip
from benchmarks.speed.processes import CHILDREN, Worker, busy_core
from benchmarks.speed.steps import Epochs, Work, without_dropout, work_of
from earmark.devices import using_threads
from earmark.models import Classifier

EPOCH_SECONDS = 0.5
KERAS = "Keras fit, one thread"


@dataclass(frozen=True)
class Network:
    """A recipe and the case of `tests/keras/make_fixtures.py` that is the same network."""

    recipe: str
    keras: str
    goal: Goal = NO_GOAL
    changes: tuple[str, ...] = ()
    n_classes: int = 10


NETWORKS = (
    Network("gtzan-mfcc-cnn", "gtzan-mfcc-cnn-256-128-64-32", Goal(1.0, 2.0)),
    Network("gtzan-mfcc-mlp-1", "gtzan-mfcc-mlp-1", Goal(1.8, 3.4)),
    *(Network(f"gtzan-mfcc-mlp-{i}", f"gtzan-mfcc-mlp-{i}") for i in range(2, 7)),
    Network("lowrate-conv1d", "lowrate-conv1d", Goal(1.1, 2.3), n_classes=2),
    Network("lowrate-mlp", "lowrate-mlp", n_classes=2),
    Network("nsynth-waveform-gap", "nsynth-waveform-gap"),
    Network("nsynth-waveform-cnn", "nsynth-waveform-cnn", Goal(0.7, 1.3)),
    Network("instrument-mfcc-cnn", "instrument-mfcc-cnn-listing"),
    Network(
        "sax-mel-cnn", "sax-mel-cnn", NO_GOAL, ("training.optimizer=sgd", "training.learning_rate=0.01"), 2
    ),
)
"""The reference networks that Keras has too; the saxophone network with the optimiser that it began with.

Goals were set with bfloat16 in view, where the processor has it, and are asked of both precisions.
"""


def rows(bench: Bench) -> Iterator[Row]:
    """All networks against Keras, then one with a busy core."""
    reason = why_no_keras(bench)
    if reason:
        for network in NETWORKS:
            yield skipped(what_of(network), "earmark, one thread", KERAS, AS_FAST, network.goal, reason)
    else:
        with closing(
            Worker([bench.keras or "", CHILDREN / "keras_steps.py"], {"OMP_NUM_THREADS": "1"})
        ) as keras:
            for network in NETWORKS:
                yield from against_keras(network, keras, bench)
    yield from beside_a_busy_core(bench)


def what_of(network: Network) -> str:
    """The work in words."""
    return f"epoch of {network.recipe}, batches of 32"


def why_no_keras(bench: Bench) -> str:
    """Why nothing can be compared with Keras; empty where it can."""
    if bench.keras is None:
        return "no environment with TensorFlow was named (--keras PYTHON)"
    try:
        done = subprocess.run(
            [bench.keras, "-c", "import tensorflow, keras"], capture_output=True, text=True, check=False
        )
    except OSError as error:
        return f"--keras {bench.keras}: {error.strerror}"
    last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
    return f"TensorFlow cannot be used by {bench.keras}: {last[0]}" if done.returncode else ""


def against_keras(network: Network, keras: Worker, bench: Bench) -> Iterator[Row]:
    """One network, in each precision that the processor is made for."""
    work = work_of(
        without_dropout(network.recipe, *network.changes), EPOCH_SECONDS * bench.scale, network.n_classes
    )
    asked = {"network": network.keras, "n": work.n_clips, "batch_size": 32}
    theirs = keras.ask(**asked)["parameters"]
    assert theirs == n_parameters(Epochs(work).trainer.state.model), f"{network.recipe}: not the same network"

    def keras_epoch() -> Took:
        answer = keras.ask()
        return Took(answer["seconds"], answer["cpu_seconds"])

    sides = {"earmark, one thread": work.epochs(1), KERAS: keras_epoch}
    comparisons = [Comparison("earmark, one thread", KERAS, goal=network.goal)]
    if has_bfloat16():
        brief = without_dropout(network.recipe, *network.changes, "training.precision=bfloat16")
        sides["earmark, one thread, bfloat16"] = Work(brief, work.spec, work.n_clips).epochs(1)
        comparisons.append(Comparison("earmark, one thread, bfloat16", KERAS, goal=network.goal))
    yield from measure(Case(what_of(network), sides, tuple(comparisons), bench.rounds), bench)


def beside_a_busy_core(bench: Bench) -> Iterator[Row]:
    """The number of threads that training chooses, against one thread and all of them, while a core is busy."""
    work = work_of(without_dropout("gtzan-mfcc-cnn"), EPOCH_SECONDS * bench.scale)
    one, every = "one thread", f"{N_CORES} threads"
    by_threads = {n: work.epochs(n) for n in {1, N_CORES // 2 or 1, N_CORES}}
    sides = {one: by_threads[1], every: by_threads[N_CORES]}

    def chosen() -> Took:
        with using_threads(N_CORES):
            threads = work.chosen_threads()
        return by_threads[threads]()

    sides["earmark, threads as chosen"] = chosen
    comparisons = (Comparison("earmark, threads as chosen", (one, every), goal=Goal(0.9, 1.0)),)
    what = f"{what_of(NETWORKS[0])}, with one of {N_CORES} cores busy elsewhere"
    with busy_core():
        yield from measure(Case(what, sides, comparisons, bench.rounds), bench)


def n_parameters(model: Classifier) -> int:
    """Trainable parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself (AVX512-BF16 or AMX)."""
    tests = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, test, bool)() for test in tests)
