"""Numbers held against scikit-learn called directly, numbers worked by hand, and what must always hold."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from earmark import metrics
from earmark.intervals import bootstrap
from earmark.metrics import accuracy, by_recording, count, micro_f1
from guessing import guesses

NAMES = ("bass", "drum", "flute", "None")


@given(n=st.integers(8, 60), k=st.integers(2, 4), seed=st.integers(0, 10_000))
@settings(max_examples=25)
def test_single_label_numbers_are_scikit_learns(n: int, k: int, seed: int) -> None:
    targets, scores = guesses(n, k, seed)
    guess, found = scores.argmax(axis=1), metrics.single_label(targets, scores, NAMES[:k])
    assert found.accuracy == pytest.approx(sk.accuracy_score(targets, guess))
    assert found.balanced_accuracy == pytest.approx(sk.balanced_accuracy_score(targets, guess))
    assert found.confusion == tuple(map(tuple, sk.confusion_matrix(targets, guess, labels=range(k)).tolist()))
    for average in ("macro", "weighted"):
        p, r, f, _ = sk.precision_recall_fscore_support(targets, guess, average=average, zero_division=0)
        mine = getattr(found, average)
        assert (mine.precision, mine.recall, mine.f1) == pytest.approx((p, r, f))
    p, r, f, support = sk.precision_recall_fscore_support(targets, guess, labels=range(k), zero_division=0)
    for c, row in enumerate(found.per_class):
        assert (row.precision, row.recall, row.f1, row.support) == pytest.approx(
            (p[c], r[c], f[c], support[c])
        )
        assert row.predicted == (guess == c).sum()
        assert row.average_precision == pytest.approx(sk.average_precision_score(targets == c, scores[:, c]))
        assert row.auroc == pytest.approx(sk.roc_auc_score(targets == c, scores[:, c]))
    if k > 2:
        wanted = sk.top_k_accuracy_score(targets, scores, k=2, labels=range(k))
        assert found.top2_accuracy == pytest.approx(wanted)


@given(n=st.integers(6, 50), seed=st.integers(0, 10_000), threshold=st.floats(0.2, 0.8))
@settings(max_examples=25)
def test_multi_label_numbers_are_scikit_learns(n: int, seed: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    targets = (rng.random((n, 3)) < 0.4).astype(np.float64)
    targets[0], targets[1] = 1, 0
    scores = np.clip(0.5 * targets + 0.6 * rng.random((n, 3)), 0, 1)
    found = metrics.multi_label(targets, scores, NAMES[:3], threshold)
    guess = scores >= threshold
    for average in ("macro", "micro"):
        p, r, f, _ = sk.precision_recall_fscore_support(targets, guess, average=average, zero_division=0)
        mine = getattr(found, average)
        assert (mine.precision, mine.recall, mine.f1) == pytest.approx((p, r, f))
    assert found.mean_average_precision == pytest.approx(sk.average_precision_score(targets, scores))
    assert found.mean_auroc == pytest.approx(sk.roc_auc_score(targets, scores))
    assert found.subset_accuracy == pytest.approx(sk.accuracy_score(targets, guess))
    assert float(micro_f1(count(targets, scores, threshold).map(lambda x: x.sum(axis=0)))) == found.micro.f1


def test_four_clips_worked_by_hand() -> None:
    scores = [[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.5, 0.4, 0.1], [0.1, 0.3, 0.6]]
    found = metrics.single_label([0, 1, 1, 1], scores, NAMES[:3])
    assert (found.accuracy, found.balanced_accuracy, found.top2_accuracy) == (0.5, (1 + 1 / 3) / 2, 1.0)
    assert found.confusion == ((1, 0, 0), (1, 1, 1), (0, 0, 0))
    assert found.per_class[1].f1 == pytest.approx(2 * 1 * (1 / 3) / (1 + 1 / 3))
    assert found.macro.f1 == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert found.absent == ("flute",)


def test_an_absent_class_has_no_numbers_and_is_in_no_average() -> None:
    scores = np.array([[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.7, 0.2, 0.1]])
    found = metrics.single_label([0, 1, 0], scores, NAMES[:3])
    flute = found.per_class[2]
    assert (flute.support, flute.f1, flute.average_precision, flute.auroc) == (0, None, None, None)
    assert found.macro.f1 == found.mean_average_precision == found.mean_auroc == 1.0


def test_one_class_alone_has_no_auroc() -> None:
    found = metrics.single_label([0, 0], [[0.9, 0.1], [0.4, 0.6]], NAMES[:2])
    assert found.mean_auroc is None
    assert found.top2_accuracy is None
    assert found.accuracy == 0.5


def test_unknown_labels_are_left_out() -> None:
    nan = np.nan
    targets = np.array([[1, nan], [0, nan], [1, nan], [nan, nan]])
    found = metrics.multi_label(targets, [[0.9, 0.9], [0.6, 0.9], [0.2, 0.1], [0.9, 0.1]], NAMES[:2])
    bass, drum = found.per_class
    assert (bass.support, bass.predicted, bass.precision, bass.recall) == (2, 2, 0.5, 0.5)
    assert (drum.support, drum.predicted, drum.f1) == (0, 0, None)
    assert (found.n_unknown, found.subset_accuracy, found.absent) == (5, None, ("drum",))


def test_thresholds_are_a_class_s_own() -> None:
    found = metrics.multi_label([[1, 1], [0, 0]], [[0.4, 0.4], [0.1, 0.35]], NAMES[:2], [0.3, 0.5])
    assert [c.f1 for c in found.per_class] == [1.0, 0.0]
    assert [c.threshold for c in found.per_class] == [0.3, 0.5]


def test_clips_without_scores_are_counted_and_left_out() -> None:
    targets, scores = guesses(40, 3)
    gone = scores.copy()
    gone[5:9] = np.nan
    found, rest = metrics.single_label(targets, gone, NAMES[:3]), np.delete(np.arange(40), range(5, 9))
    assert (found.n_clips, found.n_without_scores) == (36, 4)
    assert found.macro == metrics.single_label(targets[rest], scores[rest], NAMES[:3]).macro


def test_the_best_and_the_worst_classifier() -> None:
    targets = np.arange(30) % 3
    best = metrics.single_label(targets, np.eye(3)[targets], NAMES[:3])
    worst = metrics.single_label(targets, np.eye(3)[(targets + 1) % 3], NAMES[:3])
    assert (best.accuracy, best.macro.f1, best.mean_auroc, best.mean_average_precision) == (1, 1, 1, 1)
    assert (worst.accuracy, worst.macro.f1, worst.weighted.recall) == (0, 0, 0)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15)
def test_the_order_of_clips_does_not_matter_and_shares_are_shares(seed: int) -> None:
    targets, scores = guesses(30, 4, seed)
    order = np.random.default_rng(seed).permutation(30)
    one, other = (
        metrics.single_label(t, s, NAMES) for t, s in ((targets, scores), (targets[order], scores[order]))
    )
    assert (one.confusion, one.macro) == (other.confusion, other.macro)
    assert one.mean_auroc == pytest.approx(other.mean_auroc)
    shares = [
        one.accuracy,
        one.balanced_accuracy,
        one.top2_accuracy,
        one.macro.f1,
        one.mean_average_precision,
    ]
    assert all(share is not None and 0 <= share <= 1 for share in shares)
    assert one.top2_accuracy is not None
    assert one.top2_accuracy >= one.accuracy


def test_equal_scores_never_make_the_top_two_worse_than_the_first() -> None:
    found = metrics.single_label([0, 1, 2, 3], np.full((4, 4), 0.25), NAMES)
    assert (found.accuracy, found.top2_accuracy) == (0.25, 0.5)


def test_results_survive_json_without_nan() -> None:
    single = metrics.single_label([0, 0], [[0.9, 0.1], [0.4, 0.6]], NAMES[:2])
    multi = metrics.multi_label([[np.nan, 1]], [[0.1, 0.2]], NAMES[:2])
    interval = bootstrap(accuracy, count(np.array([0]), np.array([[0.9, 0.1]])), groups=["a"])
    for result in (single, multi, interval):
        text = json.dumps(asdict(result), allow_nan=False)
        assert json.loads(text).keys() == asdict(result).keys()


@pytest.mark.parametrize(
    ("targets", "scores", "words"),
    [
        ([0, 1], [[0.5, 0.5]], "2 targets for 1 rows"),
        ([0, 5], [[0.5, 0.5]] * 2, "targets from 0 to 5: 0 to 1 are wanted"),
        ([0.0, 1.0], [[0.5, 0.5]] * 2, "whole numbers"),
        ([0, 1], [[0.5, 0.3, 0.2]] * 2, r"shape \(2, 3\)"),
        ([0, 1], [[4.0, -2.0]] * 2, "scores from -2 to 4: softmax"),
        ([0, 1], [[0.5, np.inf]] * 2, "to inf"),
        ([0, 1], [[0.5, 0.5], [np.nan, 0.5]], "row 1: nan in some classes only"),
        ([0, 1], [[np.nan, np.nan]] * 2, "none of 2 clips has scores"),
        ([[0, 2], [0, 1]], [[0.5, 0.5]] * 2, "only 0, 1 and nan"),
        ([[[0]], [[1]]], [[0.5, 0.5]] * 2, "targets of shape"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(targets: list, scores: list, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        metrics.validate_scores(targets, scores, NAMES[:2])


def test_the_wrong_kind_of_targets_and_names_twice_are_refused() -> None:
    with pytest.raises(ValueError, match="single-label targets are"):
        metrics.single_label([[0, 1]], [[0.5, 0.5]], NAMES[:2])
    with pytest.raises(ValueError, match="multi-label targets are"):
        metrics.multi_label([0], [[0.5, 0.5]], NAMES[:2])
    with pytest.raises(ValueError, match="different names"):
        metrics.single_label([0], [[0.5, 0.5]], ("a", "a"))


def test_a_recording_scores_the_mean_of_its_clips() -> None:
    nan = np.nan
    scores = [[0.2, 0.8], [1.0, 0.0], [0.4, 0.6], [nan, nan], [nan, nan]]
    found = by_recording(scores, np.array(["b", "c", "b", "c", "a"], dtype=object))
    assert found.recordings.tolist() == ["b", "c", "a"]
    assert found.scores[:2] == pytest.approx(np.array([[0.3, 0.7], [1.0, 0.0]]))
    assert np.isnan(found.scores[2]).all()
    assert (found.first.tolist(), found.index.tolist()) == ([0, 1, 4], [0, 1, 0, 1, 2])
    assert found.agree(np.array([0, 1, 1, 1, 0])).tolist() == [False, True, True]
    assert found.agree(np.array([[1, nan], [0, 1], [1, nan], [0, 0], [0, 0]])).tolist() == [True, False, True]


def test_confusions_come_commonest_first() -> None:
    found = metrics.confusions([[5, 3, 0], [1, 0, 0], [0, 7, 3]], NAMES[:3])
    assert [(c.truth, c.prediction, c.clips, c.share) for c in found] == [
        ("flute", "drum", 7, 0.7),
        ("bass", "drum", 3, 3 / 8),
        ("drum", "bass", 1, 1.0),
    ]
