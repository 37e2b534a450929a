"""A run and a clip -> why it was given its label: a map, what it keeps and removes, and whether that is true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from earmark.errors import UserError
from earmark.explaining.activation import check_has_maps
from earmark.explaining.asking import Heard, hear
from earmark.explaining.masking import strongest
from earmark.explaining.methods import DEFAULT, METHODS
from earmark.explaining.scoring import Question, ask, class_named
from earmark.explaining.sounds import Excerpt, Parts, part
from earmark.explaining.truth import Sanity, Truth, put_to_test, sanity
from earmark.tables import did_you_mean, listed

if TYPE_CHECKING:
    from earmark.models import Classifier

Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """How to explain."""

    target: str | None = None
    """The class to explain; none: the predicted one."""
    true_class: bool = False
    """Explain the true class."""
    against: str | None = None
    """A class to hold it against ("why reed and not brass"); none: all others."""
    method: str = DEFAULT
    """A key of `METHODS`."""
    share: float = 0.3
    """Share of the clip's energy that is kept."""
    seed: int = 0
    """Of noise and of random masks."""
    n_random: int = 19
    """Random masks that a map has to beat."""
    sanity: bool = True
    """Explain again with a random head, and 1 dB louder."""
    device: str = "cpu"
    """Where the arithmetic runs."""
    command: str = ""
    """What was typed, to stand on the page."""
    say: Say = field(default=lambda text: None)
    """Takes a line for the person who waits."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a clip was given its label."""

    excerpt: Excerpt
    heard: Heard
    """The clip as the model hears it, with the question."""
    scores: NDArray[np.float32]
    """`[n_classes]`, as `predict` gives them."""
    method: str
    importance: Tensor
    """The map `[F, N]`: the higher, the more a place spoke for the answer."""
    mask: Tensor
    """Of the strongest places, `[F, N]`."""
    parts: Parts
    """What the mask keeps, and the rest."""
    share: float
    """Energy of what is kept, as a share of what the model hears."""
    kept_scores: NDArray[np.float32]
    removed_scores: NDArray[np.float32]
    """`[n_classes]` of both parts."""
    truth: Truth
    sanity: Sanity | None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the model's order."""
        return self.heard.model.spec.classes

    @property
    def predicted(self) -> str:
        """The likeliest class."""
        return self.classes[int(self.scores.argmax())]

    @property
    def asked(self) -> str:
        """The question, in words."""
        return self.heard.question.words(self.classes)

    @cached_property
    def shown(self) -> NDArray[np.float32]:
        """The map for the eye: `[F, N]` in [0, 1], what is not above 0 as 0."""
        values = self.importance.float().clamp_min(0)
        return (values / values.max().clamp_min(1e-30)).cpu().numpy()

    def by_time(self) -> NDArray[np.float32]:
        """The map over the frames, `[N]`; sums to 1 (a map of nothing: to 0)."""
        return _shares(self.shown.sum(axis=0))

    def by_frequency(self) -> NDArray[np.float32]:
        """The map over the bins, `[F]`; sums to 1 (a map of nothing: to 0)."""
        return _shares(self.shown.sum(axis=1))


def check(options: Options, model: Classifier) -> None:
    """Refuse what cannot be explained so, before any sound is read.

    Raises:
        UserError: an unknown method or class, a network without maps, a share that is none.
    """
    if options.method not in METHODS:
        known = f"{did_you_mean(options.method, list(METHODS))}There are {listed(list(METHODS))}."
        raise UserError("--method", f"found {options.method!r}, a method that is not known", known)
    if options.method == "grad-cam":
        check_has_maps(model)
    if not 0 < options.share < 1:
        raise UserError(
            "--share", f"found {options.share:g}, wanted a share above 0 and below 1", "Such as 0.3."
        )
    for name, where in ((options.target, "--class"), (options.against, "--against")):
        if name is not None:
            class_named(model.spec, name, where)


def explain_excerpt(model: Classifier, excerpt: Excerpt, options: Options) -> Explanation:
    """Explain one clip.

    Args:
        model: the classifier.
        excerpt: the clip.
        options: how.

    Raises:
        UserError: an unknown class or method, a true class that is not known, a network without maps for Grad-CAM.
    """
    check(options, model)
    spec = model.spec
    waveform = torch.from_numpy(excerpt.at(spec.sample_rate, spec.resampler))
    with torch.no_grad():
        scores = model.eval().scores(waveform[None].to(next(model.parameters()).device))[0].cpu()
    heard = hear(model, waveform, _question(model, excerpt, options, int(scores.argmax())))
    importance = METHODS[options.method].map(heard, options.seed).detach()
    mask = strongest(heard.spectrum, importance, options.share, options.seed)
    kept = heard.spectrum.keep(mask[None])
    both = heard.answers(torch.cat([kept, heard.spectrum.waveform - kept])).scores.cpu().numpy()
    return Explanation(
        excerpt=excerpt,
        heard=heard,
        scores=scores.numpy(),
        method=options.method,
        importance=importance,
        mask=mask,
        parts=part(excerpt, heard, mask),
        share=float(heard.spectrum.share(kept)[0]),
        kept_scores=both[0],
        removed_scores=both[1],
        truth=put_to_test(heard, importance, options.seed, options.n_random),
        sanity=sanity(heard, options.method, importance, options.seed) if options.sanity else None,
    )


def _question(model: Classifier, excerpt: Excerpt, options: Options, predicted: int) -> Question:
    target = options.target
    if options.true_class:
        if excerpt.truth is None or excerpt.truth not in model.spec.classes:
            raise UserError(
                "--true-class",
                f"the true class of {excerpt.file} is not known to the run",
                "Name it by --class.",
            )
        target = excerpt.truth
    return ask(model.spec, target, options.against, predicted)


def _shares(sums: NDArray[np.float32]) -> NDArray[np.float32]:
    total = float(sums.sum())
    return sums / total if total else sums
