from __future__ import annotations

import numpy as np
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional as F

from earmark.losses import Criterion

COUNTS = (30, 10, 5)
HOT = np.eye(3, dtype=np.float32)[np.repeat([0, 1, 2], COUNTS)]


def logits(n: int, k: int) -> torch.Tensor:
    return torch.randn(n, k, generator=torch.Generator().manual_seed(1))


def test_without_balance_it_is_cross_entropy() -> None:
    x = logits(45, 3)
    ours = Criterion("single-label", HOT, "none", 0.0)(x, torch.from_numpy(HOT))
    torch.testing.assert_close(ours, F.cross_entropy(x, torch.from_numpy(HOT.argmax(1))))


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    weights = Criterion("single-label", HOT, "balanced", 0.0).weights
    expected = compute_class_weight("balanced", classes=np.arange(3), y=HOT.argmax(1))
    np.testing.assert_allclose(weights.numpy(), expected, rtol=1e-6)


def test_square_root_weights_lie_between_and_average_one_over_the_clips() -> None:
    weights = Criterion("single-label", HOT, "sqrt", 0.0).weights.numpy()
    np.testing.assert_allclose(weights[1] / weights[0], np.sqrt(3), rtol=1e-5)
    np.testing.assert_allclose((weights * COUNTS).sum() / sum(COUNTS), 1.0, rtol=1e-5)


def test_a_mixed_target_is_the_mixture_of_the_losses() -> None:
    x, loss = logits(1, 3), Criterion("single-label", HOT, "none", 0.0)
    a, b = torch.tensor([[1.0, 0, 0]]), torch.tensor([[0, 1.0, 0]])
    torch.testing.assert_close(loss(x, 0.3 * a + 0.7 * b), 0.3 * loss(x, a) + 0.7 * loss(x, b))


def test_a_binary_head_is_cross_entropy_of_two_classes() -> None:
    x, hot = logits(8, 1), np.eye(2, dtype=np.float32)[[0, 1] * 4]
    two = torch.cat([torch.zeros_like(x), x], dim=1)
    ours = Criterion("binary", hot, "none", 0.0)(x, torch.from_numpy(hot))
    torch.testing.assert_close(ours, F.cross_entropy(two, torch.from_numpy(hot.argmax(1))))


def test_unknown_targets_do_not_count() -> None:
    x = logits(2, 2)
    known = np.array([[0, 1], [1, 1]], np.float32)
    partly = np.array([[0, np.nan], [1, 1]], np.float32)
    loss = Criterion("multi-label", known, "none", 0.0)
    each = F.binary_cross_entropy_with_logits(x, torch.from_numpy(known), reduction="none")
    torch.testing.assert_close(loss(x, torch.from_numpy(known)), each.mean())
    torch.testing.assert_close(loss(x, torch.from_numpy(partly)), (each.sum() - each[0, 1]) / 3)


def test_a_batch_of_unknown_targets_has_no_gradient_and_is_finite() -> None:
    x = logits(2, 2).requires_grad_()
    loss = Criterion("multi-label", np.ones((2, 2), np.float32), "sqrt", 0.0)(
        x, torch.full((2, 2), float("nan"))
    )
    loss.backward()
    assert loss.item() == 0 and x.grad is not None and not x.grad.any()
