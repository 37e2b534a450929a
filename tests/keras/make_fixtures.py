# /// script
# dependencies = ["tensorflow-cpu==2.21.*", "keras==3.15.*"]
# ///
"""The reference networks in Keras, as their sources wrote them: what they answer, lose, and learn in one step.

Run once, in an environment of its own, from the repository's root; the tests need the npz files only:

    python3 -m venv keras-env && keras-env/bin/pip install tensorflow-cpu
    keras-env/bin/python tests/keras/make_fixtures.py

Dropout is left out, and everything is computed in float64, so that the two sides can be held closely together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rule
import tensorflow as tf

import keras
from keras import layers as L

keras.config.set_floatx("float64")
DENSE = {
    "gtzan-mfcc-mlp-1": ((512, 256, 128, 64, 32), 0.0, 0),
    "gtzan-mfcc-mlp-2": ((256, 128, 64, 32), 0.001, 0),
    "gtzan-mfcc-mlp-3": ((512, 256, 128, 64), 0.0, 0),
    "gtzan-mfcc-mlp-4": ((256, 128, 64), 0.001, 0),
    "gtzan-mfcc-mlp-5": ((512, 256, 128, 64), 0.0, 5),
    "gtzan-mfcc-mlp-6": ((512, 256, 128, 64), 0.001, 5),
    "gtzan-mfcc-mlp-6-sixth-norm": ((512, 256, 128, 64), 0.001, 6),
}
FILTERS = [
    (32, 32, 32, 32), (64, 32, 32, 32), (128, 64, 64, 32), (256, 128, 64, 64),
    (256, 128, 64, 32), (32, 64, 128, 256), (64, 128, 256, 256),
]  # fmt: skip


@dataclass
class Case:
    """A network with what it is trained by."""

    name: str
    shape: tuple[int, ...]
    layers: list[L.Layer]
    loss: str = "cross-entropy"
    optimizer: str = "adam"
    rate: float = 1e-3
    n_classes: int = 10
    n: int = 12
    balanced: bool = False


def cases() -> Iterator[Case]:
    """All of them."""
    for name, first in (("text", 16), ("listing", 32)):
        yield Case(f"instrument-mfcc-cnn-{name}", (13, 9, 1), _instruments(first), balanced=True)
    yield Case("nsynth-waveform-gap", (8000, 1), _nsynth_gap())
    yield Case("nsynth-waveform-cnn", (8000, 1), _nsynth_cnn(), n=4)
    yield Case("lowrate-conv1d", (1200,), _lowrate(), loss="mean-squared-error", n_classes=2)
    perceptron = [L.Dense(256, "relu"), L.Dense(64, "relu"), L.Dense(1, "sigmoid")]
    yield Case("lowrate-mlp", (1200,), perceptron, loss="mean-squared-error", n_classes=2)
    for name, (hidden, l2, norms) in DENSE.items():
        yield Case(name, (130, 13), _gtzan_dense(hidden, l2, norms), rate=0.01)
    for filters in FILTERS:
        name = "gtzan-mfcc-cnn-" + "-".join(map(str, filters))
        yield Case(name, (130, 13, 1), _gtzan_cnn(filters), rate=1e-4)
    yield Case("sax-mel-cnn", (128, 108, 1), _sax(), optimizer="sgd", rate=0.01, n_classes=2)


def _instruments(first: int) -> list[L.Layer]:
    convolutions = [L.Conv2D(n, 3, padding="same", activation="relu") for n in (first, 32, 64, 128)]
    dense = [L.Dense(128, "relu"), L.Dense(64, "relu"), L.Dense(10, "softmax")]
    return [*convolutions, L.MaxPool2D(2), L.Flatten(), *dense]


def _nsynth_gap() -> list[L.Layer]:
    convolutions = [L.Conv1D(64, 2, activation="relu"), L.Conv1D(64, 2, activation="relu")]
    return [*convolutions, L.GlobalAveragePooling1D(), L.Dense(10, "softmax")]


def _nsynth_cnn() -> list[L.Layer]:
    convolutions = [
        layer for n in (64, 32, 92) for layer in (L.Conv1D(n, 2), L.LeakyReLU(negative_slope=0.3))
    ]
    return [*convolutions, L.MaxPool1D(2), L.Flatten(), L.Dense(24, "relu"), L.Dense(10, "softmax")]


def _lowrate() -> list[L.Layer]:
    convolutions = [
        L.Conv1D(n, k, s, padding="same", activation="relu")
        for n, k, s in ((32, 31, 4), (32, 31, 3), (48, 15, 2), (48, 15, 2))
    ]
    return [L.Reshape((1200, 1)), *convolutions, L.Flatten(), L.Dense(64, "relu"), L.Dense(1, "sigmoid")]


def _gtzan_dense(hidden: tuple[int, ...], l2: float, norms: int) -> list[L.Layer]:
    found: list[L.Layer] = [L.Flatten()]
    if norms:
        found.append(L.BatchNormalization())
    for n in hidden:
        found.append(L.Dense(n, "relu", kernel_regularizer=keras.regularizers.L2(l2) if l2 else None))
        if norms:
            found.append(L.BatchNormalization())
    if norms == 6:
        found.append(L.BatchNormalization())
    return [*found, L.Dense(10, "softmax")]


def _gtzan_cnn(filters: tuple[int, ...]) -> list[L.Layer]:
    blocks = [
        [
            L.Conv2D(n, k, activation="relu", kernel_regularizer=keras.regularizers.L2(1e-4)),
            L.MaxPool2D(p, 2, padding="same"),
            L.BatchNormalization(),
        ]
        for n, k, p in zip(filters, (3, 3, 2, 1), (2, 3, 3, 2), strict=True)
    ]
    return [
        *(layer for block in blocks for layer in block),
        L.Flatten(),
        L.Dense(64, "relu"),
        L.Dense(10, "softmax"),
    ]


def _sax() -> list[L.Layer]:
    convolutions = [
        layer for n in (10, 20) for layer in (L.Conv2D(n, 5, 2, activation="relu"), L.MaxPool2D(2))
    ]
    return [*convolutions, L.Flatten(), L.Dense(100, "relu"), L.Dense(2, "softmax")]


def run(case: Case) -> dict[str, np.ndarray]:
    """What a test compares: scores, loss without and with L2, gradients, and weights after one step."""
    model = keras.Sequential([keras.Input(case.shape), *case.layers])
    rng = np.random.RandomState(rule.SEED)
    model.set_weights([rule.draw_weight(rng, weight.name, tuple(weight.shape)) for weight in model.weights])
    x, labels = rule.draw_batch(case.shape, case.n_classes, case.n)
    y = labels[:, None].astype(float) if case.loss == "mean-squared-error" else np.eye(case.n_classes)[labels]
    counts = np.bincount(labels, minlength=case.n_classes)
    weights = (case.n / (case.n_classes * counts))[labels] if case.balanced else np.ones(case.n)
    squared = case.loss == "mean-squared-error"
    loss = keras.losses.MeanSquaredError() if squared else keras.losses.CategoricalCrossentropy()
    optimizer = (keras.optimizers.Adam if case.optimizer == "adam" else keras.optimizers.SGD)(case.rate)
    scores = np.asarray(model(x, training=False))
    with tf.GradientTape() as tape:
        data_loss = loss(y, model(x, training=True), sample_weight=weights)
        whole_loss = data_loss + sum(model.losses)
    gradients = tape.gradient(whole_loss, model.trainable_weights)
    optimizer.apply(gradients, model.trainable_weights)
    return {
        "scores": scores,
        "loss": np.array([float(data_loss), float(whole_loss)]),
        "gradients": np.stack([rule.digest(np.asarray(g)) for g in gradients]),
        "after": np.stack([rule.digest(np.asarray(w)) for w in model.get_weights()]),
        "parameters": np.array(
            [model.count_params(), sum(int(np.prod(w.shape)) for w in model.trainable_weights)]
        ),
        "rate": np.array(case.rate),
    }


if __name__ == "__main__":
    for one in cases():
        found = run(one)
        np.savez(Path(__file__).parent / f"{one.name}.npz", **found)
        print(one.name, found["parameters"], found["loss"])
