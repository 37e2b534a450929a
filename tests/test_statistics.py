"""The branch on statistics, against numpy on clips that can be reckoned by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.fft import dct

from earmark.models.residual import Residual
from earmark.models.statistics import MOST, N_COSINES, N_PARTS, Statistics, StatisticsBranch

ROWS = 24
FLOOR = torch.full((ROWS,), -70.0)


def clips(n: int = 3, frames: int = 40) -> torch.Tensor:
    return torch.randn(n, 1, ROWS, frames, generator=torch.Generator().manual_seed(0)) * 8 - 30


def test_rows_are_told_by_mean_deviation_maximum_and_step_as_numpy_has_them() -> None:
    x = clips()
    found = Statistics(ROWS)(x, FLOOR).numpy()
    rows = x[:, 0].numpy().astype(np.float64)
    wanted = [
        rows.mean(axis=2),
        rows.std(axis=2),
        rows.max(axis=2),
        np.abs(np.diff(rows, axis=2)).sum(axis=2) / rows.shape[2],
    ]
    np.testing.assert_allclose(found[:, : 4 * ROWS], np.concatenate(wanted, axis=1), rtol=1e-4)


def test_cosines_over_the_rows_are_the_cepstrum_of_scipy() -> None:
    x = clips()
    found = Statistics(ROWS)(x, FLOOR).numpy()[:, 4 * ROWS :]
    cepstrum = dct(x[:, 0].numpy().astype(np.float64), axis=1)[:, :N_COSINES] * np.sqrt(2 / ROWS) / 2
    np.testing.assert_allclose(found[:, :N_COSINES], cepstrum.mean(axis=2), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found[:, N_COSINES : 2 * N_COSINES], cepstrum.std(axis=2), rtol=1e-3)


def test_parts_tell_a_sound_from_itself_played_backward() -> None:
    x = clips(1, 100) + torch.linspace(-20, 0, 100)
    n = N_COSINES
    forward, backward = (Statistics(ROWS)(one, FLOOR)[0] for one in (x, x.flip(-1)))
    whole = slice(0, 4 * ROWS + 3 * n)
    torch.testing.assert_close(forward[whole], backward[whole], rtol=1e-4, atol=1e-3)
    parts, turned = (one[whole.stop :].view(N_PARTS, n) for one in (forward, backward))
    torch.testing.assert_close(parts, turned.flip(0), rtol=1e-3, atol=1e-3)
    assert parts[0, 0] < -20  # the level rises: less at the beginning than in the mean
    assert parts[-1, 0] > 20


@given(st.integers(0, 50), st.integers(0, 50))
def test_what_pads_a_clip_does_not_change_it(before: int, after: int) -> None:
    x = clips(2, 30)
    pads = [FLOOR[None, None, :, None].expand(2, 1, ROWS, n) for n in (before, after)]
    padded = torch.cat([pads[0], x, pads[1]], dim=3)
    whole = Statistics(ROWS)
    torch.testing.assert_close(whole(padded, FLOOR), whole(x, FLOOR), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("frames", [1, 2, 40])
def test_silence_and_short_clips_have_finite_statistics_and_gradients(frames: int) -> None:
    x = clips(3, frames)
    x[1] = -70.0
    x = x.requires_grad_()
    found = Statistics(ROWS)(x, FLOOR)
    assert found.shape == (3, Statistics(ROWS).length)
    assert torch.isfinite(found).all()
    found.sum().backward()
    assert x.grad is not None and torch.isfinite(x.grad).all()


def test_one_clip_a_batch_can_be_trained() -> None:
    branch = StatisticsBranch(ROWS, 8).train()
    assert torch.isfinite(branch(clips(1), FLOOR)).all()
    assert branch(clips(5), FLOOR).shape == (5, 8)


def test_one_odd_number_does_not_decide() -> None:
    branch = StatisticsBranch(ROWS, 8).eval()
    x = clips(1)
    x[..., 7, 3] = 1e6
    most = MOST * branch.hidden[0].weight.abs().sum(dim=1) + branch.hidden[0].bias.abs()
    assert (branch(x, FLOOR) <= most).all()


def test_a_network_without_the_branch_is_what_it_was() -> None:
    stages = Residual().build((1, ROWS, 40))
    assert stages.statistics is None
    assert stages.n_statistics == 0
