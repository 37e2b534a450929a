"""Train the networks that `tests/keras/make_fixtures.py` writes down, in Keras `fit`; asked and answered in JSON.

Runs in an environment with TensorFlow. Questions: {"network", "n", "batch_size"} makes a network and its data and
trains an epoch; {} trains one epoch more. Both answer what the epoch took.
"""

import json
import os
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
sys.path.insert(0, "tests/keras")

import make_fixtures
import numpy as np
import tensorflow as tf

import keras

answers, sys.stdout = sys.stdout, sys.stderr  # whatever libraries print is no answer
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
keras.config.set_floatx("float32")  # the fixtures are in float64


def compiled(case: make_fixtures.Case) -> keras.Model:
    """The network with the loss and optimiser of its source."""
    model = keras.Sequential([keras.Input(case.shape), *case.layers])
    squared = case.loss == "mean-squared-error"
    model.compile(
        (keras.optimizers.Adam if case.optimizer == "adam" else keras.optimizers.SGD)(case.rate),
        keras.losses.MeanSquaredError() if squared else keras.losses.CategoricalCrossentropy(),
    )
    return model


def data(case: make_fixtures.Case, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise and labels."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % case.n_classes
    one = case.loss == "mean-squared-error"
    y = labels[:, None].astype(np.float32) if one else np.eye(case.n_classes, dtype=np.float32)[labels]
    return rng.standard_normal((n, *case.shape), dtype=np.float32), y


for line in sys.stdin:
    asked = json.loads(line)
    if asked:
        keras.backend.clear_session()
        case = next(case for case in make_fixtures.cases() if case.name == asked["network"])
        model, (x, y), batch_size = compiled(case), data(case, asked["n"]), asked["batch_size"]
    started, cpu = time.perf_counter(), time.process_time()
    model.fit(x, y, batch_size=batch_size, verbose=0)
    took = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu}
    parameters = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    print(json.dumps({**took, "parameters": parameters}), file=answers, flush=True)
