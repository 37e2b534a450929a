"""The branch on statistics, against numpy, scipy and clips that can be reckoned by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.fft import dct

from earmark.describing import SHAPES, shape_of_frames
from earmark.errors import UserError
from earmark.features import MFCC, STFT, FeatureConfig, LogMel
from earmark.models import Classifier, ModelSpec
from earmark.models.residual import Residual
from earmark.models.statistics import (
    MOST,
    N_COSINES,
    N_PARTS,
    N_SHAPES,
    Statistics,
    StatisticsBranch,
    spectral_shape,
)

ROWS = 24
FLOOR = torch.full((ROWS,), -70.0)
CEPSTRUM = 4 * ROWS + 4 * N_SHAPES
PARTS = CEPSTRUM + 3 * N_COSINES
OVER_TIME = PARTS + N_PARTS * N_COSINES


def clips(n: int = 3, frames: int = 40) -> torch.Tensor:
    return torch.randn(n, 1, ROWS, frames, generator=torch.Generator().manual_seed(0)) * 8 - 30


def test_rows_are_told_by_mean_deviation_step_and_maximum_as_numpy_has_them() -> None:
    x = clips()
    rows = x[:, 0].numpy().astype(np.float64)
    wanted = [
        rows.mean(axis=2),
        rows.std(axis=2),
        np.abs(np.diff(rows, axis=2)).sum(axis=2) / rows.shape[2],
        rows.max(axis=2),
    ]
    found = Statistics(ROWS)(x, FLOOR).numpy()
    np.testing.assert_allclose(found[:, : 4 * ROWS], np.concatenate(wanted, axis=1), rtol=1e-4)


def test_the_shape_of_spectra_is_that_which_the_cheap_models_are_told() -> None:
    x = clips(1)[0, 0]
    found = dict(
        zip(("centroid", "bandwidth", "flatness", "slope", "level"), spectral_shape(x[None])[0], strict=True)
    )
    wanted = dict(zip(SHAPES, shape_of_frames(x.T.double().numpy(), np.linspace(0, 1, ROWS)).T, strict=True))
    np.testing.assert_allclose(found["centroid"], wanted["centroid"], rtol=1e-4)
    np.testing.assert_allclose(found["bandwidth"], wanted["bandwidth"], rtol=1e-3)
    np.testing.assert_allclose(found["level"], wanted["level"], rtol=1e-4)
    flatness = 10 * np.log10(wanted["flatness"])  # of the mean power; ours is of the sum
    np.testing.assert_allclose(found["flatness"] + 10 * np.log10(ROWS), flatness, atol=1e-3)
    assert np.corrcoef(found["slope"], wanted["slope"])[0, 1] > 0.9999


def test_cosines_over_the_rows_are_the_cepstrum_of_scipy() -> None:
    x = clips()
    found = Statistics(ROWS)(x, FLOOR).numpy()[:, CEPSTRUM:]
    cepstrum = dct(x[:, 0].numpy().astype(np.float64), axis=1, norm="ortho")[:, :N_COSINES]
    np.testing.assert_allclose(found[:, :N_COSINES], cepstrum.mean(axis=2), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found[:, N_COSINES : 2 * N_COSINES], cepstrum.std(axis=2), rtol=1e-3)


def test_a_sound_is_told_from_itself_played_backward_by_its_course_alone() -> None:
    x = clips(1, 100) + torch.linspace(-20, 0, 100)
    forward, backward = (Statistics(ROWS)(one, FLOOR)[0] for one in (x, x.flip(-1)))
    torch.testing.assert_close(forward[:PARTS], backward[:PARTS], rtol=1e-3, atol=1e-3)
    parts, turned = (one[PARTS:OVER_TIME].view(N_PARTS, N_COSINES) for one in (forward, backward))
    torch.testing.assert_close(parts, turned.flip(0), rtol=1e-3, atol=1e-3)
    assert parts[0, 0] < -20  # the level rises: less at the beginning than in the mean
    assert parts[-1, 0] > 20
    assert forward[OVER_TIME] == pytest.approx(np.log(100))
    assert forward[OVER_TIME + 1] > 0.6
    torch.testing.assert_close(forward[OVER_TIME + 1], 1 - backward[OVER_TIME + 1], rtol=1e-3, atol=1e-3)


def test_the_loud_share_is_that_of_frames_within_ten_decibels_of_the_loudest() -> None:
    x = torch.full((1, 1, ROWS, 10), -60.0)
    x[..., :3] = -20.0
    x[..., 3] = -28.0
    assert Statistics(ROWS)(x, FLOOR)[0, -1] == pytest.approx(0.4)


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
    x[..., 7, 3] = 300.0
    layer = branch.hidden[1]
    assert (branch(x, FLOOR) <= MOST * layer.weight.abs().sum(dim=1) + layer.bias.abs()).all()


@torch.no_grad()
def test_a_clip_unlike_those_of_training_moves_the_branch_less() -> None:
    branch = StatisticsBranch(ROWS, 8, dropout=0.0)
    generator = torch.Generator().manual_seed(1)
    for _ in range(200):  # the norm gets to know what is usual
        branch.train()(torch.randn(16, 1, ROWS, 40, generator=generator) * 8 - 30, FLOOR)
    branch.eval()

    def weight(x: torch.Tensor) -> torch.Tensor:
        z = branch.norm(branch.statistics(x, FLOOR)).clamp(-MOST, MOST)
        return branch(x, FLOOR).norm(dim=1) / branch.hidden(z).norm(dim=1)

    usual, odd = clips(8), 0.2 * clips(8) - 10
    assert float(weight(usual).mean()) > 0.7
    assert float(weight(odd).max()) < 0.1
    distance = branch.norm(branch.statistics(odd, FLOOR)).clamp(-MOST, MOST).square().mean(dim=1)
    torch.testing.assert_close(weight(odd), 1 / distance**2)


def test_a_network_without_the_branch_is_what_it_was() -> None:
    stages = Residual().build((1, ROWS, 40))
    assert stages.statistics is None


@pytest.mark.parametrize("features", [MFCC(), STFT()], ids=["mfcc", "stft"])
def test_what_is_no_decibels_a_band_is_refused(features: FeatureConfig, specs: dict[str, ModelSpec]) -> None:
    spec = dataclasses.replace(specs["residual"], features=features)
    with pytest.raises(
        UserError, match=r"network\.statistics: found .* wanted decibels.* Set network\.statistics = 0"
    ):
        Classifier(spec)


@pytest.mark.parametrize("features", [STFT(scale="db"), LogMel(top_db=80.0)], ids=["stft", "top_db"])
def test_decibels_of_every_kind_will_do(features: FeatureConfig, specs: dict[str, ModelSpec]) -> None:
    model = Classifier(dataclasses.replace(specs["residual"], features=features)).eval()
    assert torch.isfinite(model(torch.zeros(2, 30_000))).all()
