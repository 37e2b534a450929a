from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from earmark.errors import UserError
from earmark.normalisation import Normalisation


def clips(n: int = 7, seed: int = 0) -> list[np.ndarray]:
    """Clips `[1, 5, N]` of unequal length whose rows differ in level and spread."""
    rng = np.random.default_rng(seed)
    rows = np.arange(5)[:, None]
    return [
        (rng.standard_normal((1, 5, 20 + 9 * i)) * (1 + rows) - 30 * rows).astype(np.float32)
        for i in range(n)
    ]


@pytest.mark.parametrize(("kind", "axes"), [("global", (0, 1, 2)), ("bands", (0, 2))])
def test_training_features_come_out_with_zero_mean_and_unit_deviation(kind: Any, axes: Any) -> None:
    normalisation = Normalisation(kind, 5).fit(iter(clips()))
    everything = torch.from_numpy(np.concatenate(clips(), axis=2))[None]
    out = normalisation(everything)[0].numpy().astype(float)
    np.testing.assert_allclose(out.mean(axis=axes), 0, atol=1e-5)
    np.testing.assert_allclose(out.std(axis=axes), 1, atol=1e-5)


def test_fitting_far_from_zero_keeps_its_precision() -> None:
    far = [clip + 1e6 for clip in map(np.float64, clips())]
    scale = Normalisation("global").fit(far).scale
    assert float(scale) == pytest.approx(np.concatenate(far, axis=2).std(), rel=1e-6)


def test_minmax_fills_0_to_1_over_the_training_set() -> None:
    normalisation = Normalisation("minmax").fit(clips())
    out = torch.cat([normalisation(torch.from_numpy(clip)[None]).flatten() for clip in clips()])
    assert (float(out.min()), float(out.max())) == pytest.approx((0, 1), abs=1e-6)


def test_clip_fills_minus_1_to_1_in_every_clip() -> None:
    batch = torch.stack([torch.randn(1, 4, 9) * 3 + 7, torch.randn(1, 4, 9), torch.zeros(1, 4, 9)])
    out = Normalisation("clip").fit([])(batch)
    assert out[:2].amin((1, 2, 3)).tolist() == pytest.approx([-1, -1])
    assert out[:2].amax((1, 2, 3)).tolist() == pytest.approx([1, 1])
    assert not out[2].any()


@pytest.mark.parametrize("kind", ["global", "bands", "minmax", "clip"])
def test_what_is_constant_becomes_0_and_not_infinite(kind: Any) -> None:
    constant = np.full((1, 5, 30), -70.1, dtype=np.float32)
    normalisation = Normalisation(kind, 5).fit([constant, constant[..., :7]])
    out = normalisation(torch.from_numpy(constant)[None])
    torch.testing.assert_close(out, torch.zeros_like(out), rtol=0, atol=2e-5)


def test_none_changes_nothing() -> None:
    x = torch.randn(2, 1, 3, 4)
    assert torch.equal(Normalisation("none", 3).fit(clips())(x), x)


@pytest.mark.parametrize("kind", ["global", "bands", "minmax", "clip", "none"])
def test_waveforms_are_normalised_too(kind: Any) -> None:
    waves = [torch.randn(1, 100) for _ in range(3)]
    assert Normalisation(kind, 1).fit(waves)(torch.stack(waves)).shape == (3, 1, 100)


def test_the_fit_travels_in_the_state_dict() -> None:
    fitted = Normalisation("bands", 5).fit(clips())
    fresh = Normalisation("bands", 5)
    fresh.load_state_dict(fitted.state_dict())
    x = torch.randn(2, 1, 5, 8)
    assert torch.equal(fresh(x), fitted(x))


def test_a_fit_on_nothing_and_an_unknown_kind_are_refused() -> None:
    for kind in ("global", "bands", "minmax"):
        with pytest.raises(ValueError, match="no clips"):
            Normalisation(kind).fit([])  # type: ignore[arg-type]
    with pytest.raises(UserError, match="found 'zscore', wanted one of none, global, bands, minmax, clip"):
        Normalisation("zscore")  # type: ignore[arg-type]
