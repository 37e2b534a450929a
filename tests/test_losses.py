from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional as F

from earmark.errors import UserError
from earmark.losses import FITTING, Criterion, choose_loss, loss_of_scores

COUNTS = (30, 10, 5)
HOT = np.eye(3, dtype=np.float32)[np.repeat([0, 1, 2], COUNTS)]
PAIRS = [(task, loss) for task, losses in FITTING.items() for loss in losses]


def logits(n: int, k: int) -> torch.Tensor:
    return torch.randn(n, k, generator=torch.Generator().manual_seed(1))


def some(task: str, n: int = 8) -> tuple[torch.Tensor, np.ndarray]:
    """Logits and hard targets of a task."""
    if task == "multi-label":
        return logits(n, 3), (np.random.default_rng(0).random((n, 3)) < 0.4).astype(np.float32)
    k = 2 if task == "binary" else 3
    return logits(n, 1 if k == 2 else k), np.eye(k, dtype=np.float32)[np.arange(n) % k]


def probabilities(task: str, x: torch.Tensor) -> torch.Tensor:
    if task == "single-label":
        return x.softmax(dim=1)
    return torch.cat([1 - x.sigmoid(), x.sigmoid()], dim=1) if task == "binary" else x.sigmoid()


# -- which loss ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "loss"),
    [
        ("single-label", "cross-entropy"),
        ("binary", "binary-cross-entropy"),
        ("multi-label", "binary-cross-entropy"),
    ],
)
def test_auto_is_the_cross_entropy_of_the_task(task: str, loss: str) -> None:
    x, hot = some(task)
    auto, named = (Criterion(task, hot, "sqrt", 0.1, each) for each in ("auto", loss))
    assert auto(x, torch.from_numpy(hot)) == named(x, torch.from_numpy(hot))


@pytest.mark.parametrize(
    ("task", "loss", "remedy"),
    [
        ("single-label", "binary-cross-entropy", "Did you mean 'cross-entropy'"),
        ("binary", "cross-entropy", "Did you mean 'binary-cross-entropy'"),
        ("multi-label", "cross-entropy", "Known: auto, binary-cross-entropy, mean-squared-error"),
    ],
)
def test_a_loss_that_does_not_fit_the_task_is_refused_in_words(task: str, loss: str, remedy: str) -> None:
    with pytest.raises(
        UserError, match=f"training.loss: found '{loss}', which does not fit the task '{task}'.*{remedy}"
    ):
        choose_loss(loss, task)


# -- against second implementations -------------------------------------------------------------------------


def test_without_balance_it_is_cross_entropy() -> None:
    x = logits(45, 3)
    ours = Criterion("single-label", HOT, "none", 0.0)(x, torch.from_numpy(HOT))
    torch.testing.assert_close(ours, F.cross_entropy(x, torch.from_numpy(HOT.argmax(1))))


def test_a_binary_head_is_cross_entropy_of_two_classes() -> None:
    x, hot = some("binary")
    ours = Criterion("binary", hot, "none", 0.0)(x, torch.from_numpy(hot))
    theirs = F.binary_cross_entropy_with_logits(x[:, 0], torch.from_numpy(hot[:, 1]))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("task", list(FITTING))
def test_mean_squared_error_is_that_of_the_probabilities(task: str) -> None:
    x, hot = some(task)
    ours = Criterion(task, hot, "none", 0.0, "mean-squared-error")(x, torch.from_numpy(hot))
    torch.testing.assert_close(ours, F.mse_loss(probabilities(task, x), torch.from_numpy(hot)))


def test_one_sigmoid_has_its_squared_error_counted_once() -> None:
    """logit(0.8) on the second class, logit(0.3) on the first: (0.2^2 + 0.3^2) / 2."""
    x = torch.logit(torch.tensor([[0.8], [0.3]]))
    loss = Criterion("binary", np.eye(2, dtype=np.float32), "none", 0.0, "mean-squared-error")
    torch.testing.assert_close(loss(x, torch.tensor([[0.0, 1.0], [1.0, 0.0]])).item(), 0.065)


@pytest.mark.parametrize(("task", "loss"), PAIRS)
def test_a_loss_of_scores_is_that_of_their_logits(task: str, loss: str) -> None:
    x, hot = some(task)
    expected = Criterion(task, hot, "none", 0.0, loss)(x, torch.from_numpy(hot)).item()
    assert loss_of_scores(probabilities(task, x).numpy(), hot, loss) == pytest.approx(expected, rel=1e-5)


def test_a_score_of_nought_for_what_is_there_costs_much_and_not_infinity() -> None:
    scores, hot = np.array([[0.0, 1.0]], np.float32), np.array([[1.0, 0.0]], np.float32)
    for loss in ("cross-entropy", "binary-cross-entropy"):
        assert loss_of_scores(scores, hot, loss) == pytest.approx(-np.log(1e-7), rel=1e-6)
    assert loss_of_scores(scores, hot, "mean-squared-error") == 1.0


# -- class weights ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", FITTING["single-label"])
def test_balanced_weights_are_those_of_scikit_learn(loss: str) -> None:
    weights = Criterion("single-label", HOT, "balanced", 0.0, loss).weights
    expected = compute_class_weight("balanced", classes=np.arange(3), y=HOT.argmax(1))
    np.testing.assert_allclose(weights.numpy(), expected, rtol=1e-6)


def test_square_root_weights_lie_between_and_average_one_over_the_clips() -> None:
    weights = Criterion("single-label", HOT, "sqrt", 0.0).weights.numpy()
    np.testing.assert_allclose(weights[1] / weights[0], np.sqrt(3), rtol=1e-5)
    np.testing.assert_allclose((weights * COUNTS).sum() / sum(COUNTS), 1.0, rtol=1e-5)


@pytest.mark.parametrize(("task", "loss"), [pair for pair in PAIRS if pair[0] != "multi-label"])
@pytest.mark.parametrize("balance", ["sqrt", "balanced"])
def test_each_clip_counts_by_the_weight_of_its_class(task: str, loss: str, balance: str) -> None:
    """As Keras has it: the weighted losses of the clips, divided by their number."""
    x, hot = some(task, 9)
    weighted, plain = (Criterion(task, hot, each, 0.0, loss) for each in (balance, "none"))
    each = [
        plain(x[i : i + 1], torch.from_numpy(hot[i : i + 1])) * weighted.weights[hot[i].argmax()]
        for i in range(len(x))
    ]
    torch.testing.assert_close(weighted(x, torch.from_numpy(hot)), torch.stack(each).mean())


@pytest.mark.parametrize("loss", FITTING["multi-label"])
def test_a_rare_label_counts_more_where_it_is_there(loss: str) -> None:
    """One clip of four has it: its presence counts three times, sqrt: 1.73 times."""
    targets = np.array([[1.0], [0.0], [0.0], [0.0]], np.float32)
    x = torch.zeros(1, 1)
    for balance, weight in (("none", 1.0), ("sqrt", 3**0.5), ("balanced", 3.0)):
        criterion = Criterion("multi-label", targets, balance, 0.0, loss)
        there, absent = criterion(x, torch.ones(1, 1)), criterion(x, torch.zeros(1, 1))
        torch.testing.assert_close(there, weight * absent)


def test_a_label_that_every_training_clip_has_is_still_learnt() -> None:
    criterion = Criterion("multi-label", np.ones((4, 1), np.float32), "balanced", 0.0)
    assert criterion(torch.zeros(1, 1), torch.ones(1, 1)) > 0


# -- soft and unknown targets -------------------------------------------------------------------------------


@pytest.mark.parametrize(("task", "loss"), PAIRS)
def test_a_mixed_target_pulls_as_its_parts_do(task: str, loss: str) -> None:
    """The gradient at 0.3 a + 0.7 b is 0.3 of that at a and 0.7 of that at b."""
    x, hot = some(task, 2)
    criterion = Criterion(task, hot, "none", 0.0, loss)
    a, b = torch.from_numpy(hot[:1]), torch.from_numpy(1 - hot[:1] if task != "single-label" else hot[1:])

    def pull(targets: torch.Tensor) -> torch.Tensor:
        at = x[:1].clone().requires_grad_()
        criterion(at, targets).backward()
        assert at.grad is not None
        return at.grad

    torch.testing.assert_close(pull(0.3 * a + 0.7 * b), 0.3 * pull(a) + 0.7 * pull(b))


@pytest.mark.parametrize("balance", ["none", "balanced"])
@pytest.mark.parametrize("task", ["single-label", "binary"])
def test_a_mixed_target_has_the_mixture_of_the_cross_entropies(task: str, balance: str) -> None:
    x, hot = some(task, 3)
    loss = Criterion(task, hot, balance, 0.0)
    a, b = torch.from_numpy(hot[:1]), torch.from_numpy(hot[1:2])
    torch.testing.assert_close(loss(x[:1], 0.3 * a + 0.7 * b), 0.3 * loss(x[:1], a) + 0.7 * loss(x[:1], b))


@pytest.mark.parametrize(("task", "loss"), PAIRS)
def test_smoothing_spreads_a_share_of_each_target_evenly(task: str, loss: str) -> None:
    x, hot = some(task)
    even = 0.5 if task == "multi-label" else 1 / hot.shape[1]
    smooth = torch.from_numpy((0.8 * hot + 0.2 * even).astype(np.float32))
    smoothed = Criterion(task, hot, "none", 0.2, loss)(x, torch.from_numpy(hot))
    torch.testing.assert_close(smoothed, Criterion(task, hot, "none", 0.0, loss)(x, smooth))


def test_unknown_targets_do_not_count() -> None:
    x = logits(2, 2)
    known = np.array([[0, 1], [1, 1]], np.float32)
    partly = np.array([[0, np.nan], [1, 1]], np.float32)
    loss = Criterion("multi-label", known, "none", 0.0)
    each = F.binary_cross_entropy_with_logits(x, torch.from_numpy(known), reduction="none")
    torch.testing.assert_close(loss(x, torch.from_numpy(known)), each.mean())
    torch.testing.assert_close(loss(x, torch.from_numpy(partly)), (each.sum() - each[0, 1]) / 3)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("loss", FITTING["multi-label"])
def test_an_unknown_target_pulls_at_nothing(loss: str, smoothing: float) -> None:
    x, targets = some("multi-label", 4)
    targets[1, 2] = np.nan
    x.requires_grad_()
    Criterion("multi-label", targets, "balanced", smoothing, loss)(x, torch.from_numpy(targets)).backward()
    assert x.grad is not None and x.grad[1, 2] == 0
    assert (x.grad != 0).sum() == x.numel() - 1
    scores = x.detach().sigmoid().numpy()
    known = ~np.isnan(targets)
    assert loss_of_scores(scores, targets, loss) == pytest.approx(
        loss_of_scores(scores[known][:, None], targets[known][:, None], loss)
    )


@pytest.mark.parametrize("loss", FITTING["multi-label"])
def test_a_batch_of_unknown_targets_has_no_gradient_and_is_finite(loss: str) -> None:
    x = logits(2, 2).requires_grad_()
    criterion = Criterion("multi-label", np.ones((2, 2), np.float32), "sqrt", 0.1, loss)
    found = criterion(x, torch.full((2, 2), float("nan")))
    found.backward()
    assert found.item() == 0 and x.grad is not None and not x.grad.any()
