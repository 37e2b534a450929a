"""What a classifier is made of, layer by layer: output shapes and numbers of parameters."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import nn

from earmark import settings
from earmark.features import FEATURES
from earmark.models.classifier import Classifier

OVERSIZED = 0.5
"""Share of all parameters above which a layer is marked."""
UNLISTED = (nn.Identity, nn.ReLU, nn.LeakyReLU)
"""Layers that have no row: they belong to the one before."""


@dataclass(frozen=True)
class Layer:
    """One row of a summary."""

    name: str
    """Its stage and name, as in the weights' file."""
    kind: str
    """Its class; of features, their kind."""
    shape: tuple[int, ...]
    """What comes out for one clip: (channels, bands, frames), (channels, samples) or (length,)."""
    parameters: int
    """Its weights and biases."""
    trainable: int
    """Those of them that training may change."""
    oversized: bool
    """Whether it holds more than half of all parameters."""


@dataclass(frozen=True)
class Summary:
    """All layers in the order in which sound goes through them, and the totals."""

    layers: tuple[Layer, ...]
    """One row a layer; activations have none."""
    parameters: int
    """Of all layers."""
    trainable: int
    """Those that training may change."""
    parameters_keras: int
    """As Keras counts: the running means and variances of batch norms are parameters too."""

    def to_json(self) -> str:
        """The summary as JSON: `layers`, `parameters`, `trainable`, `parameters_keras`."""
        return json.dumps(asdict(self), indent=2)

    def __str__(self) -> str:
        """The summary as a table for people."""
        header = ("layer", "kind", "output shape", "parameters", "trainable")
        rows = [
            (one.name, one.kind, str(one.shape), f"{one.parameters:,}", f"{one.trainable:,}")
            for one in self.layers
        ]
        marks = ["", *("  more than half of all" if one.oversized else "" for one in self.layers)]
        lines = [line + mark for line, mark in zip(_columns([header, *rows]), marks, strict=True)]
        return "\n".join(
            [
                *lines,
                "",
                f"parameters {self.parameters:,}, trainable {self.trainable:,}; "
                f"as Keras counts, with the statistics of batch norms: {self.parameters_keras:,}",
            ]
        )


def summarise(model: Classifier) -> Summary:
    """Send one silent clip through a classifier and write down what comes out of each layer."""
    spec = model.spec
    shape = model.features.shape(round(spec.cropping.seconds * spec.sample_rate))
    parameters = sum(p.numel() for p in model.parameters())
    seen = [
        (name, module, out)
        for name, module, out in _trace(model, shape)
        if not isinstance(module, UNLISTED)
        and (module is not model.normalisation or spec.normalisation != "none")
    ]
    rows = [_row(name, module, out, parameters) for name, module, out in seen]
    features = Layer("features", settings.kind_of(FEATURES, spec.features), shape, 0, 0, False)
    return Summary(
        (features, *rows),
        parameters,
        sum(p.numel() for p in model.parameters() if p.requires_grad),
        parameters + sum(_statistics(module) for module in model.modules()),
    )


def _trace(model: Classifier, shape: tuple[int, ...]) -> list[tuple[str, nn.Module, tuple[int, ...]]]:
    """Name, module and output shape of each layer that has none within, in the order of their calls."""
    seen: list[tuple[str, nn.Module, tuple[int, ...]]] = []
    names = {module: name for name, module in model.named_modules() if not list(module.children())}

    def note(module: nn.Module, _: object, out: torch.Tensor | tuple[torch.Tensor, ...]) -> None:
        out = out[0] if isinstance(out, tuple) else out  # recurrent layers give states, and the last ones
        seen.append((names[module], module, tuple(out.shape[1:])))

    hooks = [module.register_forward_hook(note) for module in names]
    training, first = model.training, next(model.parameters())
    try:
        with torch.no_grad():
            model.eval().classify(torch.zeros(1, *shape, device=first.device, dtype=first.dtype))
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    return seen


def _row(name: str, module: nn.Module, shape: tuple[int, ...], total: int) -> Layer:
    sizes = [(p.numel(), p.requires_grad) for p in module.parameters()]
    n = sum(size for size, _ in sizes)
    trainable = sum(size for size, wanted in sizes if wanted)
    return Layer(name, type(module).__name__, shape, n, trainable, n > OVERSIZED * total)


def _statistics(module: nn.Module) -> int:
    """Numbers in the running mean and variance of a batch norm; 0 of anything else."""
    if not isinstance(module, nn.modules.batchnorm._BatchNorm) or module.running_mean is None:
        return 0
    return 2 * module.running_mean.numel()


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with the cells beneath each other; numbers, the last two, to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            f"{cell:>{width}}" if i >= len(row) - 2 else f"{cell:{width}}"
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
