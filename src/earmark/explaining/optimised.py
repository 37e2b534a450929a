"""A mask optimised for one clip: what it keeps is still the class, what it leaves no longer is."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from earmark.explaining.asking import Heard
from earmark.explaining.masking import Patches

SHARES = (0.1, 0.2, 0.35)
"""Shares of the energy that one map is optimised for at once."""
N_STEPS, STEP = 40, 0.3
"""Steps of Adam, and its rate."""
ROWS, POINT_SECONDS, MOST_COLUMNS = 48, 0.06, 100
"""Of the grid that the mask is drawn on: points in frequency, seconds between points in time, the most of those."""
SOFT, HARD = 0.5, 0.0625
"""Of a mask's edge in the first and in the last step, in the units of the grid's values: it ends as it is used."""
ROUGH = 0.1
"""Weight of the differences between neighbouring points, against the answer's."""
AREA = 3.0
"""Weight of the share of all places that a mask covers: quiet places cost no energy, and should say nothing either."""
REMOVED = 0.5
"""Weight of what is left over, against what is kept."""


def optimised(heard: Heard, seed: int) -> Tensor:
    """A map whose strongest places keep the class at several shares of the energy, and whose rest does not.

    In the manner of extremal perturbations (Fong et al., 2019), with energy in the place of area: there is one field
    over a coarse grid, and for each share of `SHARES` the level at which a soft mask of the field keeps that share.
    Above 0 is what the mask of the largest share keeps.
    """
    spectrum = heard.spectrum
    columns = max(2, min(MOST_COLUMNS, round(spectrum.seconds / POINT_SECONDS) + 1))
    patches = Patches(spectrum, min(ROWS, spectrum.shape[0]), columns)
    energy = patches.gather(spectrum.energy)
    field = torch.zeros(patches.shape, device=energy.device, requires_grad=True)
    shares = torch.tensor(SHARES, device=energy.device)
    optimizer = torch.optim.Adam([field], lr=STEP)
    for step in range(N_STEPS):
        softness = SOFT + (HARD - SOFT) * step / N_STEPS
        levels = energy_levels(field.detach(), energy, shares, softness)
        masks = torch.sigmoid((patches.spread(field) - levels[:, None, None]) / softness)
        kept = spectrum.keep(masks)
        yes = heard.value_of(torch.cat([kept, spectrum.waveform - kept[-1:]]))
        loss = F.softplus(-yes[:-1]).mean() + REMOVED * F.softplus(yes[-1])
        loss = loss + ROUGH * _differences(field) + AREA * masks.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = field.detach()
    return patches.spread(found) - energy_levels(found, energy, shares, HARD).min()


def energy_levels(field: Tensor, energy: Tensor, shares: Tensor, softness: float) -> Tensor:
    """For each share the level at which a soft mask of the field `[rows, columns]` keeps that share of the energy."""
    low = torch.full_like(shares, float(field.min()) - 10)
    high = torch.full_like(shares, float(field.max()) + 10)
    for _ in range(30):
        middle = (low + high) / 2
        masks = torch.sigmoid((field - middle[:, None, None]) / softness)
        found = (masks.square() * energy).sum(dim=(1, 2))
        low, high = torch.where(found > shares, middle, low), torch.where(found > shares, high, middle)
    return (low + high) / 2


def _differences(field: Tensor) -> Tensor:
    """Mean square of the differences between neighbours in time and in frequency."""
    return field.diff(dim=0).square().mean() + field.diff(dim=1).square().mean()
