"""Frames that single precision is not enough for, against what it really does to them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from earmark.features import AMIN, AMIN_TOP_DB, MFCC, LogMel, dct_matrix
from earmark.rounding import Rounding

RATE, N_FFT = 22050, 1024
FILTERS = LogMel(n_fft=N_FFT, n_mels=40).filters(RATE)


def frames_of(frequency: float, noise: float, level: float, seed: int) -> torch.Tensor:
    """20 windowed frames of a tone in noise, `[20, N_FFT]` in double precision."""
    draws = np.random.default_rng(seed)
    times = np.arange(N_FFT) / RATE + draws.uniform(0, 1, (20, 1))
    sound = level * (np.sin(2 * np.pi * frequency * times) + noise * draws.standard_normal(times.shape))
    return torch.from_numpy(sound.astype(np.float32).astype(float) * np.hanning(N_FFT))


def powers(frames: torch.Tensor) -> torch.Tensor:
    """Power of the bins, transformed in the precision of the frames, then in double."""
    return torch.fft.rfft(frames).to(torch.complex128).abs().square()


@pytest.mark.parametrize("top_db", [None, 60.0])
@pytest.mark.parametrize("summed", [False, True], ids=["log-mel", "mfcc"])
@given(
    frequency=st.floats(40, 10000),
    noise=st.floats(-7, 0).map(lambda exponent: 10**exponent),
    level=st.floats(-4, 0).map(lambda exponent: 10**exponent),
    seed=st.integers(0, 100),
)
def test_frames_that_err_by_more_than_is_promised_are_in_doubt(
    summed: bool, top_db: float | None, frequency: float, noise: float, level: float, seed: int
) -> None:
    exact_frames = frames_of(frequency, noise, level, seed)
    filters = torch.from_numpy(FILTERS)
    exact, single = powers(exact_frames), powers(exact_frames.float())
    amin = AMIN if top_db is None else AMIN_TOP_DB

    def decibels(power: torch.Tensor) -> torch.Tensor:
        bands = power @ filters.T
        if top_db is None:
            found = 10 * (bands + amin).log10()
        else:
            found = 10 * bands.clamp_min(amin).log10()
            found = found.clamp_min(float(found.max()) - top_db)
        return found @ dct_matrix(40, MFCC().n_mfcc).T if summed else found

    errors = (decibels(single) - decibels(exact)).abs().amax(dim=1)
    rounding = Rounding(FILTERS, N_FFT, amin, top_db, summed)
    doubtful = rounding.in_doubt((single @ filters.T).float()[None], single.sum(dim=1).float()[None])
    trusted = torch.ones(20, dtype=torch.bool).index_fill(0, doubtful, False)
    assert (errors[trusted] < 1e-3).all()  # beside a lone tone rounding gathers in a few bins
    assert (errors[trusted] < 5e-4).float().mean() > 0.9 or not trusted.any()


def test_noise_is_not_in_doubt_and_a_lone_tone_is() -> None:
    rounding = Rounding(FILTERS, N_FFT, AMIN_TOP_DB, 80.0, summed=False)
    filters = torch.from_numpy(FILTERS)
    for frames, expected in ((frames_of(440, 1.0, 0.1, 0), 0), (frames_of(440, 1e-6, 0.9, 0), 20)):
        power = powers(frames)
        assert (
            len(rounding.in_doubt((power @ filters.T).float()[None], power.sum(dim=1).float()[None]))
            == expected
        )
