"""Intervals held against the binomial one and against how often they hold the truth."""

from __future__ import annotations

import numpy as np
import pytest

from earmark import intervals, metrics
from earmark.intervals import bootstrap
from earmark.metrics import accuracy, balanced_accuracy, count, macro_f1
from guessing import guesses

NAMES = ("bass", "drum", "flute", "None")


def test_a_bootstrap_over_clips_meets_the_binomial_interval() -> None:
    targets = np.zeros(400, dtype=int)
    scores = np.where(np.arange(400)[:, None] < 300, [[0.9, 0.1]], [[0.1, 0.9]])
    found = bootstrap(accuracy, count(targets, scores), groups=np.arange(400), n=2000)
    error = 1.96 * np.sqrt(0.75 * 0.25 / 400)
    assert found.value == 0.75
    assert (found.low, found.high) == pytest.approx((0.75 - error, 0.75 + error), abs=0.006)
    assert (found.unit, found.n_units, found.n_resamples, found.note) == ("groups", 400, 2000, "")


def test_the_value_of_an_interval_is_the_figure_itself() -> None:
    """With a class that is absent, and one without scores: the same ones are left out."""
    targets, scores = guesses(60, 4)
    targets[targets == 2], scores[7] = 1, np.nan
    whole, counts = metrics.single_label(targets, scores, NAMES), count(targets, scores)
    for statistic, value in (
        (macro_f1, whole.macro.f1),
        (accuracy, whole.accuracy),
        (balanced_accuracy, whole.balanced_accuracy),
    ):
        found = bootstrap(statistic, counts, groups=np.arange(60))
        assert found.value == pytest.approx(value)
        assert found.low < value < found.high


def test_whole_groups_are_resampled() -> None:
    """Groups that are all right or all wrong: 20 units and not 400, so the interval is much wider."""
    targets, right = np.zeros(400, dtype=int), np.repeat(np.arange(20) % 4 > 0, 20)
    counts = count(targets, np.where(right[:, None], [[0.9, 0.1]], [[0.1, 0.9]]))
    by_clip = bootstrap(accuracy, counts, groups=np.arange(400))
    by_group = bootstrap(accuracy, counts, groups=np.repeat(np.arange(20), 20))
    assert by_group.high - by_group.low > 3.5 * (by_clip.high - by_clip.low)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    held, rng = 0, np.random.default_rng(3)
    for _ in range(200):
        chance = np.clip(rng.normal(0.7, 0.15, size=40), 0, 1)  # groups differ, clips follow their group
        right = rng.random((40, 5)) < chance[:, None]
        counts = count(np.zeros(200, dtype=int), np.where(right.reshape(-1, 1), [[0.9, 0.1]], [[0.1, 0.9]]))
        found = bootstrap(accuracy, counts, groups=np.repeat(np.arange(40), 5), n=300)
        held += found.low <= 0.698 <= found.high
    assert 0.89 <= held / 200 <= 0.985


def test_few_groups_fall_back_on_recordings_and_say_too_narrow() -> None:
    targets, scores = guesses(60, 3)
    counts, groups, recordings = count(targets, scores), np.arange(60) % 6, np.arange(60) // 2
    found = bootstrap(macro_f1, counts, groups=groups, recordings=recordings)
    assert (found.unit, found.n_units) == ("recordings", 30)
    assert (
        found.note
        == "only 6 test groups: 30 recordings were resampled instead, and the interval is too narrow"
    )
    same = bootstrap(macro_f1, counts, groups=groups, recordings=groups)
    assert (same.unit, same.note) == ("groups", "only 6 test groups: the interval is too narrow")


def test_ten_groups_are_enough_and_one_is_none() -> None:
    targets, scores = guesses(60, 3)
    counts = count(targets, scores)
    assert bootstrap(macro_f1, counts, groups=np.arange(60) % 10).unit == "groups"
    alone = bootstrap(accuracy, counts, groups=np.zeros(60), recordings=np.zeros(60))
    assert (alone.low, alone.high, alone.note) == (None, None, "one group alone: no interval can be given")


def test_a_perfect_score_is_not_called_certain() -> None:
    found = bootstrap(accuracy, count(np.arange(12) % 2, np.eye(2)[np.arange(12) % 2]), groups=np.arange(12))
    assert (found.low, found.high) == (1.0, 1.0)
    assert "12 groups may well not show an error rate of 25%" in found.note


def test_differences_are_taken_clip_by_clip() -> None:
    """Two networks with the same mistakes but one: the difference is far surer than either figure."""
    targets, scores = guesses(200, 3)
    worse = scores.copy()
    hit = int(np.flatnonzero(scores.argmax(axis=1) == targets)[0])
    worse[hit] = np.eye(3)[(targets[hit] + 1) % 3]
    pair = bootstrap(
        lambda a, b: accuracy(a) - accuracy(b),
        count(targets, scores),
        count(targets, worse),
        groups=np.arange(200),
    )
    assert pair.value == pytest.approx(1 / 200)
    assert 0 <= pair.low <= pair.high <= 4.5 / 200


def test_clips_without_scores_in_one_are_left_out_of_the_difference() -> None:
    targets, scores = guesses(40, 2)
    less = scores.copy()
    less[:10] = np.nan
    pair = bootstrap(
        lambda a, b: balanced_accuracy(a) - balanced_accuracy(b),
        count(targets, scores),
        count(targets, less),
        groups=np.arange(40),
    )
    assert (pair.value, pair.low, pair.high, pair.n_units) == (0, 0, 0, 30)


def test_seeds_repeat_and_lengths_must_agree() -> None:
    targets, scores = guesses(50, 3)
    counts, groups = count(targets, scores), np.arange(50)
    assert bootstrap(macro_f1, counts, groups=groups, seed=4) == bootstrap(
        macro_f1, counts, groups=groups, seed=4
    )
    with pytest.raises(ValueError, match="50"):
        bootstrap(macro_f1, counts, groups=groups[:-1])
    with pytest.raises(ValueError, match="none of 50"):
        bootstrap(macro_f1, count(targets, np.full((50, 3), np.nan)), groups=groups)


def test_many_units_are_resampled_in_blocks_of_bounded_memory() -> None:
    blocks = list(intervals._resamples(3_000_000, 3, np.random.default_rng(0)))
    assert [len(b) for b in blocks] == [1, 1, 1]
    assert all(b.sum() == 3_000_000 for b in blocks)
