from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.optim.lr_scheduler import OneCycleLR

from earmark.checkpoints import one_cycle


@pytest.mark.parametrize("warm_up", [0.1, 0.25, 0.5])
def test_one_cycle_is_that_of_torch(warm_up: float) -> None:
    steps = 2000
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = OneCycleLR(optimizer, 1.0, steps + 1, pct_start=warm_up, cycle_momentum=False)
    rates = []
    for _ in range(steps):
        rates.append(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()
    ours = [one_cycle(step / steps, warm_up) for step in range(steps)]
    np.testing.assert_allclose(ours, rates, atol=6e-3)


@pytest.mark.parametrize("steps", [1, 2, 3, 7])
def test_one_cycle_takes_a_handful_of_steps(steps: int) -> None:
    rates = [one_cycle(step / steps, 0.25) for step in range(steps + 1)]
    assert all(0 < rate <= 1 for rate in rates)
    assert rates[-1] == pytest.approx(4e-6)
