"""From a clip and a question to a map: which places of its spectrum spoke for the answer, and how much."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from earmark.errors import UserError
from earmark.explaining.activation import grad_cam
from earmark.explaining.asking import Heard
from earmark.explaining.masking import Patches, mel
from earmark.explaining.optimised import optimised

if TYPE_CHECKING:
    from captum.attr import Attribution

N_DRAWS, NOISE = 20, 0.2
"""Of SmoothGrad: noisy masks, and their deviation as a share of a mask's range (Smilkov et al., 2017)."""
N_STEPS = 32
"""Of integrated gradients: masks between none of the clip and all of it."""
AT_ONCE = 4
"""Masks that go through the network together; more need more memory and are no faster on a CPU."""
CELL_SECONDS, MOST_CELLS, BANDS = 0.25, 24, 12
"""Of occlusion: length of a cell, the most of them in time, and bands of equal width in mel."""


def saliency(heard: Heard, seed: int) -> Tensor:
    """The gradient of the log-odds in the mask (Simonyan et al., 2014): what a little less of a place would change."""
    found = _captum().Saliency(heard.value).attribute(heard.whole().requires_grad_(), abs=False)
    return _spoken_for(heard, found)


def smooth_grad(heard: Heard, seed: int) -> Tensor:
    """The mean gradient over masks with noise (Smilkov et al., 2017)."""
    attr = _captum()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # captum draws from the global generator
        found = attr.NoiseTunnel(attr.Saliency(heard.value)).attribute(
            heard.whole().requires_grad_(),
            nt_type="smoothgrad",
            nt_samples=N_DRAWS,
            nt_samples_batch_size=AT_ONCE,
            stdevs=NOISE,
            abs=False,
        )
    return _spoken_for(heard, found)


def integrated_gradients(heard: Heard, seed: int) -> Tensor:
    """The mean gradient on the way from none of the clip to all of it (Sundararajan et al., 2017).

    Before smoothing its places sum to the log-odds of the clip less those of silence.
    """
    return _spoken_for(heard, path_gradients(heard))


def path_gradients(heard: Heard) -> Tensor:
    """Integrated gradients `[1, F, N]` as they are, unsmoothed and with their signs."""
    found: Tensor = (
        _captum()
        .IntegratedGradients(heard.value)
        .attribute(
            heard.whole(),
            baselines=torch.zeros_like(heard.whole()),
            n_steps=N_STEPS,
            method="gausslegendre",
            internal_batch_size=AT_ONCE,
        )
    )
    return found


@torch.no_grad()
def occlusion(heard: Heard, seed: int) -> Tensor:
    """What the log-odds lose when a cell of a grid over time and frequency is silenced (Zeiler and Fergus, 2014)."""
    rows, columns = _cells(heard)
    n_rows, n_columns = int(rows.max()) + 1, int(columns.max()) + 1
    whole = heard.value(heard.whole())
    lost = []
    for cells in torch.cartesian_prod(torch.arange(n_rows), torch.arange(n_columns)).split(2 * AT_ONCE):
        hidden = (rows == cells[:, :1])[:, :, None] & (columns == cells[:, 1:])[:, None, :]
        lost.append(whole - heard.value((~hidden).to(heard.spectrum.window)))
    grid = torch.cat(lost).view(n_rows, n_columns)
    return grid[rows][:, columns]


def _cells(heard: Heard) -> tuple[Tensor, Tensor]:
    """The band of each bin `[F]` and the stretch of each frame `[N]`."""
    spectrum = heard.spectrum
    n_columns = min(MOST_CELLS, max(2, round(spectrum.seconds / CELL_SECONDS)), spectrum.shape[1])
    n_rows = min(BANDS, spectrum.shape[0])
    mels = mel(spectrum.frequencies())
    rows = (mels / mels[-1] * n_rows).long().clamp_max(n_rows - 1)
    rows = torch.unique(rows, return_inverse=True)[1]  # low rates have bands without a bin
    return rows, torch.arange(spectrum.shape[1]) * n_columns // spectrum.shape[1]


def _spoken_for(heard: Heard, gradient: Tensor) -> Tensor:
    """Gradients `[1, F, N]` as a map `[F, N]`: gathered over about 50 ms and a band, what speaks against left out."""
    spectrum = heard.spectrum
    rows = min(64, spectrum.shape[0])
    columns = max(2, min(spectrum.shape[1], round(spectrum.seconds / 0.05) + 1))
    patches = Patches(spectrum, rows, columns)
    sums, size = patches.gather(gradient[0]), patches.gather(torch.ones_like(gradient[0]))
    return F.relu(patches.spread(sums / size.clamp_min(1e-6)))


def _captum() -> Attribution:
    try:
        from captum import attr
    except ImportError as error:
        raise UserError(
            "--method",
            "this method is computed by the package captum, which is not installed",
            'Install it by `pip install "earmark[explain]"`, or take --method mask, occlusion or grad-cam.',
        ) from error
    return attr


@dataclass(frozen=True)
class Method:
    """A way to a map."""

    map: Callable[[Heard, int], Tensor]
    """From a clip and a seed to a map `[F, N]`: the higher, the more a place spoke for the answer."""
    words: str
    """What it does, in a line."""


DEFAULT = "mask"
"""The method that is taken where none is named; docs/explaining.md has the figures that chose it."""

METHODS = {
    "mask": Method(
        optimised, "the mask that keeps the class and takes it from the rest, optimised for the clip"
    ),
    "saliency": Method(saliency, "the gradient"),
    "smoothgrad": Method(smooth_grad, f"the mean gradient over {N_DRAWS} masks with noise"),
    "integrated-gradients": Method(
        integrated_gradients, "the mean gradient on the way from silence to the clip"
    ),
    "grad-cam": Method(grad_cam, "the backbone's maps, weighted by their gradients"),
    "occlusion": Method(occlusion, "what is lost when a cell of time and frequency is silenced"),
}
