"""One clip, one model, one question: what masks on the clip's spectrum do to the answer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from earmark.explaining.masking import Spectrum
from earmark.explaining.scoring import Question, log_odds, log_scores
from earmark.models import Classifier

AT_ONCE = 8
"""Waveforms that go through the network together where no gradients are wanted."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model says of waveforms."""

    scores: Tensor
    """`[B, n_classes]`, as `predict` gives them."""
    value: Tensor
    """`[B]` in [0, 1]: the score of the class that is explained, or its share of both where two are held together."""


@dataclass(frozen=True, eq=False)
class Heard:
    """A clip as a model hears it, with the question that is put to it."""

    model: Classifier
    """In eval mode."""
    spectrum: Spectrum
    """Of the clip, at the model's rate."""
    question: Question

    def whole(self) -> Tensor:
        """The mask `[1, F, N]` that keeps everything."""
        return torch.ones(1, *self.spectrum.shape, device=self.spectrum.waveform.device)

    def value(self, mask: Tensor) -> Tensor:
        """Log-odds `[B]` of what masks `[B, F, N]` keep; differentiable in the mask."""
        return self.value_of(self.spectrum.keep(mask))

    def value_of(self, waveforms: Tensor) -> Tensor:
        """Log-odds `[B]` of waveforms `[B, T]`."""
        return log_odds(self.question, *log_scores(self.model, waveforms))

    @torch.no_grad()
    def answers(self, waveforms: Tensor) -> Answers:
        """What is said of waveforms `[B, T]`, few at a time."""
        parts = [log_scores(self.model, part) for part in waveforms.split(AT_ONCE)]
        yes, no = (torch.cat(logs) for logs in zip(*parts, strict=True))
        return Answers(yes.exp(), log_odds(self.question, yes, no).sigmoid())


def hear(model: Classifier, waveform: Tensor, question: Question) -> Heard:
    """A clip `[T]` at the model's rate, ready to be asked about; the model's weights need no gradients for it."""
    model.eval().requires_grad_(False)
    device = next(model.parameters()).device
    return Heard(model, Spectrum(waveform.to(device), model.spec.sample_rate), question)
