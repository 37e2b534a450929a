"""What several annotators say together: by majority, or weighed by how often each errs (Dawid & Skene, 1979).

Shape: answers are counts `[n, A, K]`: how often annotator `a` gave clip `n` the answer `k`, mostly 0 or 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from earmark.errors import UserError
from earmark.tables import did_you_mean, listed

Rule = Literal["majority", "dawid-skene"]
RULES: tuple[Rule, ...] = ("majority", "dawid-skene")
Counts = NDArray[np.int64]
Numbers = NDArray[np.float64]

_MOST_ROUNDS = 1000
_STILL = 1e-8
_EQUAL = 1e-6


@dataclass(frozen=True, eq=False)
class Consensus:
    """What a rule makes of the answers."""

    choice: NDArray[np.int64]
    """Place of the answer, `[n]`; -1 where nobody answered or several are as good."""
    share: Numbers
    """Of the answers that say so (majority), or its probability (Dawid-Skene), `[n]`; nan where none answered."""


@dataclass(frozen=True, eq=False)
class DawidSkene:
    """Maximum-likelihood estimates of the truth and of everybody's errors."""

    truth: Numbers
    """Probability of each class, `[n, K]`; nan where nobody answered."""
    errors: Numbers
    """`[A, K, K]`: how often an annotator says the third where the second is true; rows of nan: never seen."""
    marginals: Numbers
    """How frequent each class is, `[K]`."""
    log_likelihood: float
    rounds: int
    """Of the EM algorithm, until nothing moved."""


def consensus(counts: Counts, rule: str) -> Consensus:
    """What the annotators say together.

    Args:
        counts: `[n, A, K]`.
        rule: one of `RULES`.

    Raises:
        UserError: no such rule.
    """
    check_rule(rule)
    return _of(majority(counts) if rule == "majority" else dawid_skene(counts).truth)


def check_rule(rule: str) -> None:
    """Refuse a rule that there is not."""
    if rule not in RULES:
        raise UserError("--rule", f"found {rule!r}, wanted one of {listed(RULES)}", did_you_mean(rule, RULES))


def majority(counts: Counts) -> Numbers:
    """Share of the answers to each clip that each class has, `[n, K]`; nan where nobody answered."""
    votes = counts.sum(axis=1).astype(np.float64)
    total = votes.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(votes, total, out=np.full_like(votes, np.nan), where=total > 0))


def dawid_skene(counts: Counts) -> DawidSkene:
    """EM algorithm of Dawid & Skene (1979), begun from the shares of the answers.

    E: the truth of clip `n` is `k` in proportion to `p_k * prod_{a,l} e_akl ^ counts_nal`; M: `p` and `e` are the
    frequencies that this makes. Clips that nobody answered say nothing.
    """
    seen = counts.sum(axis=(1, 2)) > 0
    asked = counts[seen].astype(np.float64)
    truth = majority(counts)[seen]
    rounds, gain, last = 0, np.inf, -np.inf
    marginals, errors = _frequencies(asked, truth)
    while gain > _STILL and rounds < _MOST_ROUNDS:
        truth, likelihood = _expectation(asked, marginals, errors)
        marginals, errors = _frequencies(asked, truth)
        rounds, gain, last = rounds + 1, likelihood - last, likelihood
    found = np.full((len(counts), counts.shape[2]), np.nan)
    found[seen] = truth
    return DawidSkene(found, errors, marginals, last, rounds)


def _frequencies(asked: Numbers, truth: Numbers) -> tuple[Numbers, Numbers]:
    """How frequent the classes are `[K]`, and what each annotator says of each `[A, K, K]`."""
    marginals = truth.mean(axis=0) if len(truth) else np.full(truth.shape[1], np.nan)
    said = np.einsum("nk,nal->akl", truth, asked)
    total = said.sum(axis=2, keepdims=True)
    return marginals, np.divide(said, total, out=np.full_like(said, np.nan), where=total > 0)


def _expectation(asked: Numbers, marginals: Numbers, errors: Numbers) -> tuple[Numbers, float]:
    """The truth `[n, K]`, and the logarithm of the likelihood of what was said."""
    with np.errstate(divide="ignore"):
        log_errors, log_marginals = np.log(np.nan_to_num(errors, nan=1.0)), np.log(marginals)
    impossible = np.einsum("nal,akl->nk", asked, np.isinf(log_errors).astype(float)) > 0
    log_errors[np.isinf(log_errors)] = 0.0
    joint = log_marginals + np.einsum("nal,akl->nk", asked, log_errors)
    joint[impossible] = -np.inf
    peak = joint.max(axis=1, keepdims=True)
    weights = np.exp(joint - peak)
    total = weights.sum(axis=1, keepdims=True)
    return weights / total, float((peak + np.log(total)).sum())


def _of(shares: Numbers) -> Consensus:
    """The class with the largest share, where it is alone."""
    known = np.asarray(np.isfinite(shares).all(axis=1))
    best = np.where(known[:, None], shares, 0.0).max(axis=1)
    ties = (np.where(known[:, None], shares, 0.0) > best[:, None] - _EQUAL).sum(axis=1)
    choice = np.where(known & (ties == 1), np.nan_to_num(shares).argmax(axis=1), -1)
    return Consensus(choice.astype(np.int64), np.where(known, best, np.nan))
