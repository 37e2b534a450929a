"""Scores of a classifier that knows something, for tests of what is made of them."""

from __future__ import annotations

import numpy as np


def guesses(n: int, k: int, seed: int = 0, skill: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
    """Targets `[n]` that hold all classes, and softmax-like scores `[n, k]` that know something."""
    rng = np.random.default_rng(seed)
    targets = np.concatenate([np.arange(k), rng.integers(k, size=max(0, n - k))])[:n]
    scores = rng.dirichlet(np.ones(k), n)
    scores[np.arange(n), targets] += skill
    return targets, scores / scores.sum(axis=1, keepdims=True)
