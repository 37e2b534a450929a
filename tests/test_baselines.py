"""What a network has to beat must itself be right, and be chosen without the test."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from earmark import baselines
from earmark.baselines import RUNGS, Rung, ladder, majority_scores

NAN = np.nan


def clouds(n: int = 60, k: int = 3, seed: int = 0, spread: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Points `[n, 2]` about k corners, and their corner."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % k
    angle = 2 * np.pi * y / k
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) + spread * rng.standard_normal((n, 2)), y


def groups_of(n: int, size: int = 5) -> np.ndarray:
    return np.arange(n) // size


def climb(x: object, y: object, queries: object, k: int = 3, **changes: object) -> dict[str, Rung]:
    n = len(np.asarray(x))
    rungs = ladder(x, y, changes.pop("groups", groups_of(n)), queries, k, **changes)  # type: ignore[arg-type]
    return {one.name: one for one in rungs}


def test_the_majority_is_the_commonest_class_of_training() -> None:
    scores = majority_scores([2, 2, 0, 2], n=3, n_classes=4)
    assert scores.tolist() == [[0.25, 0, 0.75, 0]] * 3
    assert majority_scores([0, 1], 1, 2).argmax() == 0


def test_the_majority_of_many_labels_leaves_unknown_ones_out() -> None:
    assert majority_scores([[1, NAN, NAN], [0, 1, NAN]], 1, 3).tolist() == [[0.5, 1.0, 0.0]]


def test_every_rung_tells_clouds_apart_at_any_scale() -> None:
    x, y = clouds()
    queries, wanted = clouds(seed=1)
    scale = np.array([1e6, 1e-6])
    found = climb(x * scale, y, queries * scale)
    assert set(found) == set(RUNGS)
    for rung in found.values():
        assert (rung.scores.argmax(axis=1) == wanted).mean() > 0.9
        assert rung.scores.sum(axis=1) == pytest.approx(np.ones(60))
        assert 0.9 < rung.merit <= 1
    assert sum(rung.chosen for rung in found.values()) == 1
    again = climb(x * scale, y, queries * scale)
    assert all(np.array_equal(again[name].scores, rung.scores) for name, rung in found.items())


def test_every_rung_says_what_scikit_learns_model_says() -> None:
    x, y = clouds(spread=0.8)
    queries, _ = clouds(seed=1, spread=0.8)
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    models = (
        KNeighborsClassifier(5, weights="distance"),
        LogisticRegression(max_iter=1000),
        SVC(C=3.0),
        ExtraTreesClassifier(200, random_state=0),
    )
    for rung, model in zip(climb(x, y, queries).values(), models, strict=True):
        wanted = model.fit((x - mean) / deviation, y).predict((queries - mean) / deviation)
        assert (rung.scores.argmax(axis=1) == wanted).mean() >= 0.98, rung.name  # ties apart


def test_scores_are_calibrated_on_clips_that_are_held_out() -> None:
    x, y = clouds(n=600, spread=1.2)
    queries, wanted = clouds(n=600, seed=1, spread=1.2)
    for rung in climb(x, y, queries).values():
        sure = rung.scores.max(axis=1).mean()
        assert sure == pytest.approx((rung.scores.argmax(axis=1) == wanted).mean(), abs=0.1), rung.name


def test_what_is_asked_chooses_nothing() -> None:
    x, y = clouds(spread=1.0)
    merits = [
        {name: (one.merit, one.chosen) for name, one in climb(x, y, queries).items()}
        for queries in (clouds(seed=1)[0], np.zeros((3, 2)), np.full((1, 2), NAN))
    ]
    assert merits[0] == merits[1] == merits[2]


def test_whole_groups_are_held_out() -> None:
    """A column that names the group tells its class to a model that heard the group, and to no other."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 8)
    y = rng.permutation(np.arange(30) % 2)[groups]
    x = np.stack([groups * 7919 % 31, groups * 104729 % 37], axis=1) + rng.normal(0, 0.01, (240, 2))
    alone = climb(x, y, x[:1], 2, groups=np.arange(240))["nearest neighbours"].merit
    whole = climb(x, y, x[:1], 2, groups=groups)["nearest neighbours"].merit
    assert alone > 0.98
    assert whole < 0.8


@pytest.mark.parametrize("groups", [np.zeros(60, int), np.arange(60) % 2])
def test_one_or_two_groups_will_do(groups: np.ndarray) -> None:
    x, y = clouds()
    assert all(one.merit > 0.8 for one in climb(x, y, x, groups=groups).values())


def test_a_class_without_training_clips_scores_nothing() -> None:
    x, y = clouds(k=2)
    for rung in climb(x, np.where(y == 1, 3, 0), x, 4).values():
        assert (rung.scores[:, [1, 2]] == 0).all()
    for rung in climb(x, np.full(60, 2), x[:1], 4).values():
        assert rung.scores.tolist() == [[0, 0, 1, 0]]


@pytest.mark.parametrize("n", [1, 2, 4])
def test_very_few_clips_are_enough_to_go_on(n: int) -> None:
    x, y = clouds(n=n, k=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for rung in climb(x, y, x, 2, groups=np.arange(n)).values():
            assert np.isfinite(rung.scores).all()


def test_clips_that_could_not_be_read_get_no_scores_and_teach_nothing() -> None:
    x, y = clouds()
    broken = x.copy()
    broken[0] = NAN
    whole = climb(x[1:], y[1:], x[1:], groups=groups_of(60)[1:])
    for name, rung in climb(broken, y, broken).items():
        assert np.isnan(rung.scores[0]).all()
        assert rung.scores[1:] == pytest.approx(whole[name].scores)


def test_many_labels_get_a_model_each() -> None:
    x, y = clouds()
    several = np.stack([y == 0, y != 2, np.full(60, NAN)], axis=1).astype(float)
    several[3, 0] = NAN
    for rung in climb(x, several, x).values():
        assert ((rung.scores[:, 0] > 0.5) == (y == 0)).mean() > 0.9
        assert ((rung.scores[:, 1] > 0.5) == (y != 2)).mean() > 0.9
        assert (rung.scores[:, 2] == 0).all()
        assert rung.merit > 0.9


def test_of_rare_labels_a_model_that_gives_none_is_worth_nothing() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random((200, 2)) < 0.05).astype(float)
    deaf = np.full((200, 2), -1.0)
    hearing = np.where((truth == 1) | (rng.random((200, 2)) < 0.08), 1.0, -1.0)
    merits = [baselines._judge([(np.arange(200), logits)], truth)[0] for logits in (deaf, hearing)]
    assert ((deaf > 0) == truth).mean() > ((hearing > 0) == truth).mean()
    assert merits == pytest.approx([0, f1_score(truth, hearing > 0, average="macro")])
    assert merits[1] > 0.3


def test_the_merit_of_one_label_is_the_share_of_right_clips() -> None:
    truth, logits = np.array([0.0, 1, 2, 2]), -np.eye(4)[:, :3]
    logits[3] = [-np.inf, 0, 1]
    merit, _ = baselines._judge(
        [(np.array([2, 0]), logits[[2, 0]]), (np.array([1, 3]), logits[[1, 3]])], truth
    )
    assert merit == 0.25


def test_of_very_many_clips_some_are_drawn_in_their_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    y = np.array([0] * 900 + [1] * 99 + [2], dtype=float)
    rows = baselines._some(y, 100, 0)
    assert np.bincount(y[rows].astype(int)).tolist() == [90, 10, 1]
    monkeypatch.setattr(baselines, "MOST_LEARNT", 30)
    x, y = clouds()
    assert all(one.merit > 0.8 for one in climb(x, y, x).values())


def test_tables_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="are wanted"):
        ladder(np.zeros((3, 2)), [0, 1], [0, 1, 2], np.zeros((1, 2)), 2)
    with pytest.raises(ValueError, match="are wanted"):
        ladder(np.zeros((2, 2)), [0, 1], [0, 1, 2], np.zeros((1, 2)), 2)
    with pytest.raises(ValueError, match="none of 2 clips has only finite values"):
        ladder(np.full((2, 2), NAN), [0, 1], [0, 1], np.zeros((1, 2)), 2)


def test_no_clip_to_score_is_no_problem() -> None:
    x, y = clouds()
    assert all(one.scores.shape == (0, 3) for one in climb(x, y, np.zeros((0, 2))).values())
