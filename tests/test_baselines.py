"""What a network has to beat must itself be right."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from earmark import baselines
from earmark.baselines import linear_scores, majority_scores, statistics


def clouds(n: int = 60, k: int = 3, seed: int = 0, spread: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Points `[n, 2]` about k corners, and their corner."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % k
    angle = 2 * np.pi * y / k
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) + spread * rng.standard_normal((n, 2)), y


def test_the_majority_is_the_commonest_class_of_training() -> None:
    scores = majority_scores([2, 2, 0, 2], n=3, n_classes=4)
    assert scores.tolist() == [[0.25, 0, 0.75, 0]] * 3
    assert majority_scores([0, 1], 1, 2).argmax() == 0


def test_the_majority_of_many_labels_leaves_unknown_ones_out() -> None:
    nan = np.nan
    assert majority_scores([[1, nan, nan], [0, 1, nan]], 1, 3).tolist() == [[0.5, 1.0, 0.0]]


def test_statistics_are_means_then_deviations() -> None:
    clips = [np.array([[1, 3], [0, 0]], dtype=np.float32), np.array([[2.0], [5.0]], dtype=np.float32)]
    found = statistics(clips)
    assert found.tolist() == [[2, 0, 1, 0], [2, 5, 0, 0]]
    assert found.dtype == np.float32
    assert statistics([]).shape == (0, 0)


@pytest.mark.parametrize("second", [np.zeros((2, 0)), np.zeros((3, 4)), np.zeros(2)])
def test_clips_without_frames_or_of_other_height_are_refused(second: np.ndarray) -> None:
    with pytest.raises(ValueError, match="clip 1 have shape"):
        statistics([np.zeros((2, 4), np.float32), second.astype(np.float32)])


def test_a_linear_model_tells_clouds_apart_at_any_scale() -> None:
    x, y = clouds()
    queries, wanted = clouds(seed=1)
    scale = np.array([1e6, 1e-6])
    scores = linear_scores(x * scale, y, queries * scale, 3)
    assert (scores.argmax(axis=1) == wanted).mean() > 0.9
    assert scores.sum(axis=1) == pytest.approx(np.ones(60))
    assert np.array_equal(scores, linear_scores(x * scale, y, queries * scale, 3))


def test_the_linear_model_is_logistic_regression_on_standardised_features() -> None:
    x, y = clouds(spread=0.8)
    standard = (x - x.mean(axis=0)) / x.std(axis=0)
    wanted = LogisticRegression(max_iter=1000).fit(standard, y).predict_proba(standard)
    assert linear_scores(x, y, x, 3) == pytest.approx(wanted, abs=1e-6)


def test_a_class_without_training_clips_scores_nothing() -> None:
    x, y = clouds(k=2)
    scores = linear_scores(x, np.where(y == 1, 3, 0), x, 4)
    assert (scores[:, [1, 2]] == 0).all()
    assert linear_scores(x, np.full(60, 2), x[:1], 4).tolist() == [[0, 0, 1, 0]]


def test_clips_that_could_not_be_read_get_no_scores_and_teach_nothing() -> None:
    x, y = clouds()
    broken = x.copy()
    broken[0] = np.nan
    scores = linear_scores(broken, y, broken, 3)
    assert np.isnan(scores[0]).all()
    assert scores[1:] == pytest.approx(linear_scores(x[1:], y[1:], x[1:], 3))


def test_many_labels_get_a_model_each() -> None:
    x, y = clouds()
    table = np.eye(3)[y]
    table[::5, 0] = np.nan
    table[:, 2] = np.nan
    scores = linear_scores(x, table, x, 3)
    known = ~np.isnan(table[:, 0])
    assert ((scores[known, 0] > 0.5) == (table[known, 0] == 1)).mean() > 0.9
    assert (scores[:, 2] == 0).all()
    assert (linear_scores(x, np.ones((60, 1)), x, 1) == 1).all()


def test_a_model_that_does_not_converge_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "MOST_STEPS", 1)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 300)) * 10.0 ** rng.integers(-8, 8, 300)
    scores = linear_scores(x, np.arange(40) % 20, x, 20)
    assert np.isfinite(scores).all()


def test_tables_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="are wanted"):
        linear_scores(np.zeros((3, 2)), [0, 1], np.zeros((1, 2)), 2)
    with pytest.raises(ValueError, match="none of 2 clips has only finite values"):
        linear_scores(np.full((2, 2), np.nan), [0, 1], np.zeros((1, 2)), 2)


def test_no_clip_to_score_is_no_problem() -> None:
    x, y = clouds()
    assert linear_scores(x, y, np.zeros((0, 2)), 3).shape == (0, 3)
