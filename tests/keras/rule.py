"""What both sides draw from a seed: first weights, inputs and labels, in Keras's shapes; numpy only.

The npz files then need to hold results alone. `RandomState` is numpy's frozen generator: its draws never change.
"""

from __future__ import annotations

import numpy as np

SEED = 20240229
N_KEPT = 8
"""First values of a weight that are kept, after its sum and the sum of its absolute values."""


def draw_weight(rng: np.random.RandomState, role: str, shape: tuple[int, ...]) -> np.ndarray:
    """A weight of a role (kernel, bias, gamma, beta, moving_mean, moving_variance), float64, inputs before outputs."""
    if role == "kernel":
        field = int(np.prod(shape[:-2]))
        return rng.uniform(-1, 1, shape) * np.sqrt(6 / (field * (shape[-2] + shape[-1])))
    noise = 0.1 * rng.standard_normal(shape)
    return 1 + np.abs(noise) if role in ("gamma", "moving_variance") else noise


def draw_batch(shape: tuple[int, ...], n_classes: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs `[n, *shape]` and labels `[n]`; every class is there if n allows, the first ones more often."""
    return np.random.RandomState(SEED + 1).standard_normal((n, *shape)), np.arange(n) % n_classes


def digest(value: np.ndarray) -> np.ndarray:
    """Sum, sum of absolute values, and the first values of an array in Keras's layout: `[2 + N_KEPT]`."""
    flat = np.asarray(value, np.float64).ravel()
    first = np.full(N_KEPT, np.nan)
    first[: len(flat)] = flat[:N_KEPT]
    return np.concatenate([[flat.sum(), np.abs(flat).sum()], first])
