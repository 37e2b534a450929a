"""Consensus and agreement against the paper, a second implementation and numbers by hand; orders of the queue."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from earmark.errors import UserError
from earmark.labelling import ordering
from earmark.labelling.agreement import agreement
from earmark.labelling.consensus import consensus, dawid_skene, majority
from earmark.labelling.questions import Answer, Question
from earmark.labelling.regions import Region, together
from earmark.labelling.verdicts import contested, verdicts
from earmark.labelling.votes import KnownClip, Said, elements

ANAESTHETISTS = """
111 1 1 1 1  333 4 3 3 4  112 2 1 2 2  222 3 1 2 1  222 3 2 2 2  222 3 3 2 2  122 2 1 1 1  333 3 4 3 3
222 2 2 2 3  232 2 2 2 3  444 4 4 4 4  222 3 3 4 3  111 1 1 1 1  222 3 2 1 2  121 1 1 1 1  111 2 1 1 1
111 1 1 1 1  111 1 1 1 1  222 2 2 2 1  222 1 3 2 2  222 2 2 2 2  222 2 2 2 1  222 3 2 2 2  221 2 2 2 2
111 1 1 1 1  111 1 1 1 1  232 2 2 2 2  111 1 1 1 1  111 1 1 1 1  112 1 1 2 1  111 1 1 1 1  333 3 2 3 3
111 1 1 1 1  222 2 2 2 2  222 3 2 3 2  433 4 3 4 3  221 2 2 3 2  232 3 2 3 3  333 3 4 3 2  111 1 1 1 1
111 1 1 1 1  121 2 1 1 1  232 2 2 2 2  121 1 1 1 1  222 2 2 2 2
"""
"""Table 1 of Dawid & Skene (1979): 45 patients by 5 anaesthetists, the first of whom was asked three times."""


def anaesthetists() -> np.ndarray:
    """Their answers as counts, `[45, 5, 4]`."""
    cells = ANAESTHETISTS.split()
    counts = np.zeros((len(cells) // 5, 5, 4), np.int64)
    for i, cell in enumerate(cells):
        for answer in cell:
            counts[i // 5, i % 5, int(answer) - 1] += 1
    return counts


def said_by(*columns: str | None, question: Question, gold: dict[int, Answer] | None = None) -> Said:
    """What annotators say: a letter a clip, "." where they say nothing, as `{"label": letter}`."""
    n = len(columns[0] or "")
    clips = tuple(KnownClip(i + 1, f"{i}.wav", 0.0, None, 1.0, {}, (gold or {}).get(i)) for i in range(n))
    answers: dict[int, dict[int, Answer]] = {}
    for column, letters in enumerate(columns):
        for row, letter in enumerate(letters or ""):
            if letter != ".":
                answers.setdefault(row, {})[column] = question.check({"label": letter})
    return Said(clips, tuple(f"person {i}" for i in range(len(columns))), answers, {})


ABC = Question("one", ("a", "b", "c"))

# ---- Dawid and Skene ----


def test_dawid_skene_finds_what_the_paper_found_for_its_anaesthetists() -> None:
    counts = anaesthetists()
    assert counts.shape == (45, 5, 4)
    assert counts.sum() == 45 * 7
    found = dawid_skene(counts)
    assert found.marginals == pytest.approx([0.40, 0.42, 0.11, 0.07], abs=0.005)
    first = [[0.89, 0.11, 0, 0], [0.07, 0.88, 0.05, 0], [0, 0.34, 0.66, 0], [0, 0, 0.56, 0.44]]
    assert found.errors[0] == pytest.approx(np.array(first), abs=0.006)
    assert found.truth.argmax(axis=1)[[0, 1, 2, 10, 35]].tolist() == [0, 3, 1, 3, 3]
    assert (found.truth.max(axis=1) > 0.9).sum() >= 43


def _em(counts: np.ndarray, rounds: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[float]]:
    """The algorithm once more, in loops and products as the paper writes it."""
    n, n_annotators, k = counts.shape
    truth = counts.sum(axis=1) / counts.sum(axis=(1, 2))[:, None]
    likelihoods = []
    for _ in range(rounds):
        p = truth.mean(axis=0)
        e = np.zeros((n_annotators, k, k))
        for a, j, answer in itertools.product(range(n_annotators), range(k), range(k)):
            total = sum(truth[i, j] * counts[i, a].sum() for i in range(n))
            e[a, j, answer] = sum(truth[i, j] * counts[i, a, answer] for i in range(n)) / total
        likelihood = 0.0
        for i in range(n):
            joint = [p[j] * math.prod((e[:, j, :] ** counts[i]).ravel()) for j in range(k)]
            truth[i] = np.array(joint) / sum(joint)
            likelihood += math.log(sum(joint))
        likelihoods.append(likelihood)
    return truth, p, e, likelihoods


def test_dawid_skene_agrees_with_a_second_implementation() -> None:
    rng = np.random.default_rng(4)
    counts = np.zeros((60, 4, 3), np.int64)
    true = rng.integers(0, 3, 60)
    for (i, a), skill in zip(
        itertools.product(range(60), range(4)), itertools.cycle([0.9, 0.8, 0.6, 0.5]), strict=False
    ):
        if rng.random() < 0.8:
            counts[i, a, true[i] if rng.random() < skill else rng.integers(0, 3)] = 1
    counts = counts[counts.sum(axis=(1, 2)) > 0]
    found = dawid_skene(counts)
    truth, p, e, likelihoods = _em(counts, found.rounds)
    assert likelihoods == sorted(likelihoods), "EM never makes it less likely"
    assert found.log_likelihood == pytest.approx(likelihoods[-1], abs=1e-6)
    assert found.truth == pytest.approx(truth, abs=1e-6)
    assert found.marginals == pytest.approx(p, abs=1e-5)
    assert found.errors == pytest.approx(e, abs=1e-5)


def test_dawid_skene_outvotes_two_who_err_by_one_who_does_not() -> None:
    rng = np.random.default_rng(0)
    true = rng.integers(0, 2, 400)
    counts = np.zeros((400, 3, 2), np.int64)
    for a, skill in enumerate((0.98, 0.62, 0.62)):
        said = np.where(rng.random(400) < skill, true, 1 - true)
        counts[np.arange(400), a, said] = 1
    by_errors = (consensus(counts, "dawid-skene").choice == true).mean()
    by_majority = (consensus(counts, "majority").choice == true).mean()
    assert by_errors > by_majority + 0.1


def test_clips_that_nobody_answered_stay_unknown() -> None:
    counts = np.concatenate([anaesthetists(), np.zeros((2, 5, 4), np.int64)])
    found = dawid_skene(counts)
    assert np.isnan(found.truth[-2:]).all()
    assert found.marginals == pytest.approx(dawid_skene(counts[:-2]).marginals)
    for rule in ("majority", "dawid-skene"):
        assert consensus(counts, rule).choice[-1] == -1
        assert consensus(np.zeros((0, 2, 3), np.int64), rule).choice.shape == (0,)


def test_all_of_one_mind_is_no_trouble() -> None:
    counts = np.zeros((5, 2, 3), np.int64)
    counts[:, :, 1] = 1
    found = dawid_skene(counts)
    assert found.marginals.tolist() == [0, 1, 0]
    assert np.isnan(found.errors[0, 0]).all(), "what is never true is never seen"
    assert consensus(counts, "dawid-skene").choice.tolist() == [1] * 5


def test_majority_takes_most_and_leaves_ties_open() -> None:
    counts = np.array([[[1, 0, 0], [1, 0, 0], [0, 1, 0]], [[1, 0, 0], [0, 0, 1], [0, 0, 0]], [[0, 0, 0]] * 3])
    assert majority(counts)[0] == pytest.approx([2 / 3, 1 / 3, 0])
    found = consensus(counts, "majority")
    assert found.choice.tolist() == [0, -1, -1]
    assert found.share[:2] == pytest.approx([2 / 3, 1 / 2])
    with pytest.raises(UserError, match="found 'mean', wanted one of 'majority', 'dawid-skene'"):
        consensus(counts, "mean")


# ---- what stands in the end ----


def test_settled_and_gold_stand_above_every_vote() -> None:
    gold: dict[int, Answer] = {1: {"label": "c"}, 3: {"label": "c"}}
    said = said_by("aab.", "aba.", "bbb.", question=ABC, gold=gold)
    said.settled.update({1: {"label": "b"}, 2: {"label": "c"}})
    found = {one.clip.id: (one.says["label"], one.by) for one in verdicts(said, ABC)}
    assert found == {1: ("a", "majority of 3"), 2: ("b", "settled"), 3: ("c", "settled"), 4: ("c", "gold")}
    assert [row for row, _ in contested(said, ABC)] == [0]


def test_levels_become_labels_before_the_votes_are_counted() -> None:
    question = Question("levels", ("sax",), ("foreground", "background", "none"))
    said = said_by("...", question=ABC)
    for column, level in enumerate(("foreground", "background", "none")):
        said.answers.setdefault(0, {})[column] = {"levels": {"sax": level}}
    three = Said(said.clips, ("x", "y", "z"), said.answers, {})
    assert verdicts(three, question)[0].says == {"sax": None}, "one for each level"
    assert verdicts(three, question, positive=("foreground", "background"))[0].says == {"sax": "yes"}
    assert verdicts(three, question, positive=("foreground",))[0].says == {"sax": "no"}
    for positive, words in (((), "not all"), (question.levels, "not all"), (("loud",), "found 'loud'")):
        with pytest.raises(UserError, match=words):
            verdicts(three, question, positive=positive)
    with pytest.raises(UserError, match="levels are not what was asked for"):
        elements(ABC, ("foreground",))


def test_unsure_and_skips_are_no_votes() -> None:
    question = Question("yes-no", ("call",))
    clips = (KnownClip(1, "x.wav", 0.0, None, 1.0, {}, None),)
    answers: dict[int, dict[int, Answer]] = {
        0: {0: {"answer": "unsure"}, 1: {"answer": "yes"}, 2: {"skip": "silent"}}
    }
    said = Said(clips, ("x", "y", "z"), answers, {})
    assert verdicts(said, question)[0].says == {"call": "yes"}
    assert contested(said, question) == []


def test_regions_are_those_that_most_drew() -> None:
    def region(start: float, end: float, label: str = "call", low: float | None = None) -> Region:
        return Region(start, end, low, None, label)

    drawn = [[region(0, 2, low=100.0), region(3, 4, "song")], [region(1, 3, low=300.0)], [region(1.5, 4)]]
    assert together(drawn) == [region(1, 3, low=200.0)]
    assert together(drawn[:1]) == drawn[0], "one annotator's are what they are"
    assert together([]) == []
    assert together([[region(0, 1)], []]) == [], "one of two is not most"


# ---- agreement ----


def test_kappa_and_alpha_by_hand() -> None:
    """Two annotators, ten clips, 8 the same: p_o 0.8, p_e 0.5 * 0.5 + 0.5 * 0.5."""
    report = agreement(said_by("aaaaabbbbb", "aaaabbbbba", question=ABC), ABC)
    (kappa,) = report.kappas
    assert (kappa.kappa, kappa.same, kappa.n_clips) == (pytest.approx(0.6), 8, 10)
    # alpha: 1 - (N - 1) * (observed pairs that differ) / (products of the values' frequencies)
    assert report.alphas[0].alpha == pytest.approx(1 - 19 * 2 * 2 / (2 * 10 * 10))
    assert report.alphas[0].n_clips == 10


def test_what_is_not_shared_or_never_differs_has_no_agreement() -> None:
    apart = agreement(said_by("aa..", "..bb", question=ABC), ABC)
    assert (apart.alphas[0].alpha, apart.alphas[0].n_clips, apart.kappas) == (None, 0, ())
    alike = agreement(said_by("aaa", "aaa", question=ABC), ABC)
    assert (alike.alphas[0].alpha, alike.kappas[0].kappa, alike.kappas[0].same) == (None, None, 3)


def test_neighbouring_levels_are_less_of_a_disagreement() -> None:
    def alpha(*others: str) -> float:
        question = Question("levels", ("sax",), ("foreground", "background", "none"))
        said = said_by("....", "....", question=ABC)
        first = ("foreground", "foreground", "none", "none")
        for row, pair in enumerate(zip(first, others, strict=True)):
            said.answers[row] = {i: {"levels": {"sax": level}} for i, level in enumerate(pair)}
        found = agreement(said, question).alphas[0].alpha
        assert found is not None
        return found

    near = alpha("foreground", "background", "none", "none")
    far = alpha("foreground", "none", "none", "none")
    assert near > far


def test_gold_tells_who_is_right() -> None:
    gold: dict[int, Answer] = {0: {"label": "a"}, 1: {"label": "b"}}
    report = agreement(said_by("abc", "aa.", ".c.", question=ABC, gold=gold), ABC)
    assert [(one.right, one.asked) for one in report.gold] == [(2, 2), (1, 2), (0, 1)]


# ---- orders of the queue ----


def test_balanced_takes_every_kind_in_turn() -> None:
    kinds = np.array(["a"] * 50 + ["b"] * 5 + ["c"] * 10)
    found = ordering.balanced(kinds, np.random.default_rng(0))
    assert sorted(found.rows) == list(range(65))
    assert all(set(kinds[found.rows[i : i + 3]]) == {"a", "b", "c"} for i in range(0, 15, 3))
    other = ordering.balanced(kinds, np.random.default_rng(1))
    assert other.rows.tolist() != found.rows.tolist()
    assert not len(ordering.balanced([], np.random.default_rng(0)).rows)


def test_by_margin_takes_the_least_certain_with_one_in_ten_by_chance() -> None:
    rng = np.random.default_rng(0)
    margins = rng.random(500)
    found = ordering.by_margin(margins, np.zeros(500, np.int64), rng)
    assert sorted(found.rows) == list(range(500))
    assert np.flatnonzero(found.by_chance).tolist() == list(range(9, 500, 10))
    chosen = margins[found.rows[~found.by_chance]]
    assert (np.diff(chosen) >= 0).all(), "one cluster: in order of margin"
    drawn = margins[found.rows[found.by_chance][:25]]
    assert 0.35 < drawn.mean() < 0.75, "chance takes the certain ones too"


def test_no_cluster_takes_more_than_its_share_while_there_are_others() -> None:
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(5), 100)
    margins = np.where(clusters == 0, 0.001, 0.5) * rng.random(500)
    found = ordering.by_margin(margins, clusters, rng)
    first = found.rows[: ordering.STRETCH]
    cap = math.ceil(ordering.CAP * ordering.STRETCH / 5)
    of_first = (clusters[first[~found.by_chance[: ordering.STRETCH]]] == 0).sum()
    assert of_first == cap
    alone = ordering.by_margin(margins[:100], np.zeros(100, np.int64), rng)
    assert sorted(alone.rows) == list(range(100))


def test_what_could_not_be_scored_comes_last() -> None:
    margins = np.array([np.nan, 0.9, 0.1, np.nan])
    found = ordering.by_margin(margins, np.zeros(4, np.int64), np.random.default_rng(0))
    assert found.rows[:2].tolist() == [2, 1]


def test_margins_by_hand() -> None:
    assert ordering.margins_of([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1]], several=False) == pytest.approx([0.2, 0.7])
    assert ordering.margins_of([[0.5, 0.9], [0.1, 0.8]], several=True) == pytest.approx([0.0, 0.6])


def test_by_likeness_begins_with_the_clip_itself() -> None:
    values = np.array([[0.0, 5], [1, 5], [np.nan, 0], [10, 5], [-2, 5]])
    assert ordering.by_likeness(values, 0).rows.tolist() == [0, 1, 4, 3, 2]


def test_clusters_are_found_by_k_means_and_what_is_unknown_is_one_more() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(c, 0.01, (4, 2)) for c in (0, 10)] + [np.full((2, 2), np.nan)])
    found = ordering.clusters_of(values, seed=0)
    assert len(set(found[:4])) == len(set(found[4:8])) == len(set(found[8:])) == 1
    assert len(set(found)) == 3
    assert ordering.clusters_of(np.full((3, 2), np.nan), 0).tolist() == [0, 0, 0]
