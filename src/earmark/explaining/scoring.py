"""What an explanation is about: the score that `predict` gives, as log-odds that never saturate."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from earmark.errors import UserError
from earmark.models import Classifier, ModelSpec, Task
from earmark.tables import did_you_mean, listed


@dataclass(frozen=True)
class Question:
    """Why this class; or why this class and not that one."""

    target: int
    """Place of the class that is explained."""
    against: int | None = None
    """Place of the class that it is held against; none: all others."""

    def words(self, classes: tuple[str, ...]) -> str:
        """The question, to be read."""
        other = "" if self.against is None else f" and not {classes[self.against]}"
        return f"{classes[self.target]}{other}"


def ask(spec: ModelSpec, target: str | None, against: str | None, predicted: int) -> Question:
    """The question that two names of classes put.

    Args:
        spec: of the model.
        target: the class to explain; none: the predicted one.
        against: the class to hold it against; none: all others.
        predicted: place of the predicted class.

    Raises:
        UserError: the model does not know such a class, or both are the same.
    """
    place = predicted if target is None else class_named(spec, target, "--class")
    other = None if against is None else class_named(spec, against, "--against")
    if place == other:
        raise UserError(
            "--against", f"found {against!r}, which is the class to be explained", "Name another class."
        )
    return Question(place, other)


def class_named(spec: ModelSpec, name: str, where: str) -> int:
    """Place of a class.

    Raises:
        UserError: the model does not know it; the nearest name is suggested.
    """
    if name in spec.classes:
        return spec.classes.index(name)
    known = f"{did_you_mean(name, spec.classes)}Its classes are {listed(spec.classes, 20)}."
    raise UserError(where, f"found {name!r}, a class that the model does not know", known)


def log_scores(model: Classifier, waveforms: Tensor) -> tuple[Tensor, Tensor]:
    """Logarithms of the scores `[B, n_classes]` of waveforms `[B, T]`, and of 1 - score; both differentiable.

    The score is the one that `Classifier.scores` gives: the mean over the crops of each waveform.
    """
    features = model.features(waveforms)
    crops = [model.crops(one) for one in features]
    logs = log_probabilities(model.spec.task, model.classify(torch.cat([one.values for one in crops])))
    sizes = [len(one) for one in crops]
    yes, no = (
        torch.stack([one.log_mean(part) for one, part in zip(crops, of_all.split(sizes), strict=True)])
        for of_all in logs
    )
    return yes, no


def log_probabilities(task: Task, logits: Tensor) -> tuple[Tensor, Tensor]:
    """Logarithms of the probabilities `[B, n_classes]` of logits `[B, n_outputs]`, and of 1 - probability."""
    if task == "multi-label":
        return F.logsigmoid(logits), F.logsigmoid(-logits)
    if task == "binary":
        both = torch.cat([F.logsigmoid(-logits), F.logsigmoid(logits)], dim=1)
        return both, both.flip(1)
    own = torch.eye(logits.shape[1], dtype=torch.bool, device=logits.device)
    others = logits[:, None, :].masked_fill(own, -torch.inf).logsumexp(dim=2)
    return logits.log_softmax(dim=1), others - logits.logsumexp(dim=1, keepdim=True)


def log_odds(question: Question, yes: Tensor, no: Tensor) -> Tensor:
    """What is explained, `[B]`: log-odds of the target's score, or of the two classes' scores to each other."""
    other = no[:, question.target] if question.against is None else yes[:, question.against]
    return yes[:, question.target] - other
