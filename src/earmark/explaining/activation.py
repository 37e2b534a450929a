"""Grad-CAM: the backbone's maps, weighted by what they mean to the answer, laid over time and frequency."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from earmark.errors import UserError
from earmark.explaining.asking import Heard
from earmark.explaining.scoring import log_odds, log_probabilities
from earmark.features import Waveform
from earmark.models import Classifier
from earmark.models.crops import crop_starts


def grad_cam(heard: Heard, seed: int) -> Tensor:
    """Grad-CAM (Selvaraju et al., 2017) of the backbone's output, for maps over bands and frames or over time alone.

    Raises:
        UserError: the network has no maps (dense networks).
    """
    heat, times = feature_heat(heard)
    return over_spectrum(heard, heat, times)


def feature_heat(heard: Heard) -> tuple[Tensor, Tensor]:
    """Grad-CAM over the features: `[rows, frames]`, one row where it knows no bands, and seconds of the frames."""
    model = heard.model
    check_has_maps(model)
    features = model.features(heard.spectrum.waveform[None])[0]
    crops = model.crops(features)
    maps = model.backbone(model.normalisation(crops.values)).detach().requires_grad_()
    with torch.enable_grad():
        # clone: a pool may write into its input
        logits = model.head(model.join(model.pool(maps.clone()), crops.values))
        yes, no = (crops.log_mean(logs)[None] for logs in log_probabilities(model.spec.task, logits))
        gradient = torch.autograd.grad(log_odds(heard.question, yes, no).sum(), maps)[0]
    places = tuple(range(2, maps.dim()))
    weights = gradient.mean(dim=places, keepdim=True)
    heat = F.relu((weights * maps.detach()).sum(dim=1))
    rows = 1 if heat.dim() == 2 else features.shape[-2]
    return _laid_out(model, heat, rows, features.shape[-1]), frame_times(model, features.shape[-1])


def check_has_maps(model: Classifier) -> None:
    """Refuse a network whose backbone gives no maps."""
    if isinstance(model.backbone, nn.Identity):
        raise UserError(
            "--method grad-cam",
            "this network has no maps over time: it is dense, all of a clip goes into every number",
            "Take --method mask or occlusion, which work for every network.",
        )


def frame_times(model: Classifier, frames: int) -> Tensor:
    """Middle of each frame (of waveforms: each sample) of the features in seconds, `[frames]`."""
    config = model.spec.features
    late = 0.0 if isinstance(config, Waveform) or config.center else config.n_fft / 2 / model.spec.sample_rate
    return torch.arange(frames) / model.features.frame_rate + late


def over_spectrum(heard: Heard, heat: Tensor, times: Tensor) -> Tensor:
    """Heat `[rows, frames]` over features as a map `[F, N]` over the clip's spectrum."""
    at = heard.spectrum.times()
    index = _between(times, at)
    columns = heat[:, index[0]] * (1 - index[2]) + heat[:, index[1]] * index[2]
    known = heard.model.features.frequencies()
    if len(heat) == 1 or known is None:
        return columns.mean(dim=0, keepdim=True).expand(heard.spectrum.shape).clone()
    low, high, part = _between(torch.from_numpy(known).float(), heard.spectrum.frequencies())
    return columns[low] * (1 - part[:, None]) + columns[high] * part[:, None]


def _laid_out(model: Classifier, heat: Tensor, rows: int, frames: int) -> Tensor:
    """Heat of crops `[K, F', N']` or `[K, N']` over the clip's `[rows, frames]`: the mean where crops overlap."""
    heat = heat[:, None] if heat.dim() == 3 else heat[:, None, None]
    wide = F.interpolate(heat, (rows, model.crop_frames), mode="bilinear", align_corners=False)[:, 0]
    total, covered = torch.zeros(rows, frames), torch.zeros(frames)
    for crop, start in zip(
        wide, crop_starts(frames, model.crop_frames, model.spec.cropping.max_crops), strict=True
    ):
        end = min(frames, start + model.crop_frames)
        total[:, start:end] += crop[:, : end - start].cpu()
        covered[start:end] += 1
    return total / covered.clamp_min(1)


def _between(known: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """For each wanted place the known ones beside it and how far it is from the first to the second, in [0, 1]."""
    if len(known) == 1:
        zero = torch.zeros(len(wanted), dtype=torch.long)
        return zero, zero, zero.float()
    high = torch.searchsorted(known.contiguous(), wanted.to(known).contiguous()).clamp(1, len(known) - 1)
    low = high - 1
    return low, high, ((wanted.to(known) - known[low]) / (known[high] - known[low])).clamp(0, 1)
