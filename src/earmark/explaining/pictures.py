"""The pictures of an explanation: the map in seconds and hertz, panels over the features, filters, activations."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from earmark import mapcharts
from earmark.errors import UserError
from earmark.explaining.activation import feature_heat
from earmark.explaining.asking import Heard
from earmark.explaining.explanation import Explanation
from earmark.explaining.masking import mel
from earmark.explaining.scoring import log_odds, log_probabilities
from earmark.features import MFCC, Waveform
from earmark.mapcharts import Sheet
from earmark.models import Classifier

ROWS = 96
"""Of a picture, of equal width in mel."""

Array = NDArray[np.float32]


def draw(one: Explanation) -> dict[str, bytes]:
    """Every picture of an explanation by name, as PNG."""
    found = {"map": draw_map(one), "panels": draw_panels(one)}
    if (filters := draw_filters(one.heard.model)) is not None:
        found["filters"] = filters
    found["activations"] = draw_activations(one.heard)
    return found


def verdict(one: Explanation) -> str:
    """Whether the map is better than chance, in a few words."""
    n = len(one.truth.random)
    if one.truth.informative:
        return f"better than all {n} random masks of the same energy"
    return f"NOT INFORMATIVE: better than {one.truth.n_beaten} of {n} random masks of the same energy only"


def draw_map(one: Explanation) -> bytes:
    """The clip's spectrogram with the map over it."""
    heat, inside = (by_mel(one.heard, values) for values in (one.shown, one.mask.cpu().numpy()))
    title = f"What spoke for {one.asked} ({one.method}, {one.share:.0%} of the energy kept)"
    return mapcharts.explanation(sheet(one.heard), heat, inside, title=title, verdict=verdict(one))


def bare_map(one: Explanation) -> bytes:
    """The same without axes, for the page."""
    return mapcharts.bare(sheet(one.heard), by_mel(one.heard, one.shown))


def sheet(heard: Heard) -> Sheet:
    """The clip's spectrogram in dB, rows of equal width in mel."""
    power = by_mel(heard, heard.spectrum.values.abs().square().cpu().numpy())
    return Sheet(10 * np.log10(power + 1e-10), heard.spectrum.seconds, row_frequencies(heard))


def row_frequencies(heard: Heard) -> Array:
    """Middle of each row in Hz, `[ROWS]`."""
    top = float(mel(torch.tensor(heard.spectrum.sample_rate / 2)))
    mels = (np.arange(ROWS) + 0.5) * top / ROWS
    return np.asarray(700 * (10 ** (mels / 2595) - 1), np.float32)


def by_mel(heard: Heard, values: Array) -> Array:
    """Values `[F, N]` in rows of equal width in mel, `[ROWS, N]`: the highest of each; of narrow ones the nearest."""
    hertz = heard.spectrum.frequencies()
    row = (mel(hertz) / mel(hertz)[-1] * ROWS).long().clamp_max(ROWS - 1).numpy()
    nearest = np.abs(hertz.numpy()[None] - row_frequencies(heard)[:, None]).argmin(axis=1)
    found: Array = values[nearest].copy()
    np.maximum.at(found, row, values)
    return found


def draw_panels(one: Explanation) -> bytes:
    """Features, their gradient, and Grad-CAM over them, on one time axis."""
    heard = one.heard
    config, model = heard.model.spec.features, heard.model
    features = model.features(heard.spectrum.waveform[None]).detach()
    seconds, known = heard.spectrum.seconds, model.features.frequencies()
    is_wave = isinstance(config, Waveform)
    unit = "amplitude" if is_wave else ("coefficient value" if isinstance(config, MFCC) else _unit(config))

    def over(values: Tensor, unit: str) -> Sheet:
        return Sheet(values.detach().cpu().numpy(), seconds, known if len(values) > 1 else None, unit)

    rows = features[0, 0][None] if is_wave else features[0, 0]
    parts: list[tuple[str, Sheet | str]] = [
        ("What the network is fed", over(rows, unit)),
        ("Saliency: size of the gradient", over(_feature_gradient(heard, features), "share of the highest")),
    ]
    try:
        heat, _ = feature_heat(heard)
        parts.append(
            (
                "Grad-CAM of the backbone's output",
                over(heat / heat.max().clamp_min(1e-30), "share of the highest"),
            )
        )
    except UserError as error:
        parts.append(("Grad-CAM of the backbone's output", error.problem))
    return mapcharts.panels(parts, title=f"Over the network's own features: {one.asked}")


def _unit(config: object) -> str:
    scale = getattr(config, "scale", "db")
    return "level (dB)" if scale == "db" else str(scale)


def _feature_gradient(heard: Heard, features: Tensor) -> Tensor:
    """Size of the gradient in the features `[rows, frames]`, as a share of its highest; of waveforms one row."""
    model, whole = heard.model, features.clone().requires_grad_()
    with torch.enable_grad():
        crops = model.crops(whole[0])
        logs = log_probabilities(model.spec.task, model.classify(crops.values))
        yes, no = (crops.log_mean(one)[None] for one in logs)
        gradient = torch.autograd.grad(log_odds(heard.question, yes, no).sum(), whole)[0][0].abs()
    rows = gradient if gradient.dim() == 2 else gradient[0]
    return rows / rows.max().clamp_min(1e-30)


def first_layer(model: Classifier) -> tuple[str, nn.Module] | None:
    """The first layer with filters of the network, and its name."""
    for stage in ("backbone", "pool"):
        for name, layer in getattr(model, stage).named_modules():
            if isinstance(layer, nn.Conv2d | nn.Conv1d | nn.Linear | nn.LSTM | nn.GRU):
                return f"{stage}.{name}", layer
    return None


def draw_filters(model: Classifier) -> bytes | None:
    """The weights of the first layer: kernels, or what each of its units looks for."""
    found = first_layer(model)
    if found is None:
        return None
    name, layer = found
    title, x, y = f"Filters of the first layer ({name})", "frames", "bands"
    if isinstance(layer, nn.Conv2d | nn.Conv1d):
        weights = layer.weight.mean(dim=1)
        weights = weights if weights.dim() == 3 else weights[:, None]
        x = "samples" if model.one_dimensional else x
    elif isinstance(layer, nn.Linear):
        shape = model.features.shape(round(model.spec.cropping.seconds * model.spec.sample_rate))
        weights = layer.weight.view(len(layer.weight), *shape)[:, 0]
        weights = weights if weights.dim() == 3 else weights[:, None]
    else:
        gates = dict(layer.named_parameters())["weight_ih_l0"]
        weights = gates.view(-1, int(layer.hidden_size), gates.shape[1])  # type: ignore[arg-type]
        title = f"Weights from the features into each gate of the first layer ({name})"
        x, y = "rows of the features", "units"
    values = weights.detach().cpu().numpy()
    return mapcharts.tiles(values, title=title, x=x, y=y, signed=True, unit="weight")


@torch.no_grad()
def draw_activations(heard: Heard) -> bytes:
    """The backbone's maps of the clip's first crop, the strongest first; of dense networks the embedding."""
    model = heard.model
    crops = model.crops(model.features(heard.spectrum.waveform[None])[0])
    maps = model.backbone(model.normalisation(crops.values[:1]))
    if isinstance(model.backbone, nn.Identity):
        values = model.pool(maps.clone())[0][:, None, None].cpu().numpy()
        return mapcharts.tiles(
            values, title="The embedding of the clip", x="unit", y="", signed=False, unit="activation"
        )
    values = maps[0][:, None] if maps.dim() == 3 else maps[0]
    order = values.flatten(1).mean(dim=1).argsort(descending=True)
    shown = F.relu(values[order]) if maps.dim() == 4 else values[order]
    title = f"Activation maps of the backbone, first {model.spec.cropping.seconds:g} s, the strongest first"
    return mapcharts.tiles(
        shown.cpu().numpy(),
        title=title,
        x="places in time",
        y="places in frequency",
        signed=False,
        unit="activation",
    )
