"""The classifier: waveform in, logits out, through four public stages; the contract that every network keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from msgspec import Meta
from torch import nn
from torch.nn import functional as F

from earmark import settings
from earmark.errors import UserError
from earmark.features import FEATURES, MFCC, STFT, FeatureConfig, Features, LogMel, Waveform
from earmark.models.crops import Cropping, Crops, scoring_crops
from earmark.models.networks import NETWORKS, NetworkConfig
from earmark.models.stages import Stages
from earmark.normalisation import Normalisation, NormalisationKind

Task = Literal["single-label", "binary", "multi-label"]

KINDS: settings.Kinds = {"features": FEATURES, "network": NETWORKS}
"""The fields of recipes and models that name their dataclass by the key `kind`."""


@dataclass(frozen=True)
class ModelSpec:
    """All that a classifier is, but for its weights; `model.toml` holds it."""

    classes: tuple[str, ...]
    """Names of the classes, in the order of the logits."""
    task: Task
    """`single-label`: softmax; `binary`: one sigmoid for the second of two classes; `multi-label`: sigmoids."""
    sample_rate: Annotated[int, Meta(ge=100)]
    """Rate of the waveform that the model eats, in Hz."""
    clip_seconds: Annotated[float, Meta(gt=0)]
    """What one score is about when a whole recording is cut into clips, in seconds."""
    cropping: Cropping
    """Which parts of a clip the network sees, in training and in scoring."""
    features: FeatureConfig
    """Settings of the features."""
    network: NetworkConfig
    """Settings of the network."""
    normalisation: NormalisationKind = "none"
    """How features are normalised; fitted on the training split only."""
    resampler: Literal["soxr", "fourier"] = "soxr"
    """How recordings are brought to `sample_rate`."""
    thresholds: tuple[float, ...] | None = None
    """Multi-label: the score from which on a class is said to be there, one a class; none: 0.5."""


class Classifier(nn.Module):
    """`features -> normalisation -> backbone -> pool -> head`, in some networks with a branch beside the middle.

    Shape: waveform `[B, T]` in [-1, 1] at `spec.sample_rate` -> logits `[B, n_outputs]`.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.spec = spec
        self.features = Features(spec.features, spec.sample_rate)
        self.crop_frames = self.features.n_frames(round(spec.cropping.seconds * spec.sample_rate))
        shape = self.features.shape(round(spec.cropping.seconds * spec.sample_rate))
        self.normalisation = Normalisation(spec.normalisation, shape[1] if len(shape) == 3 else 1)
        stages = spec.network.build(shape)
        for seconds in {spec.cropping.seconds, spec.cropping.min_seconds or spec.cropping.seconds}:
            _check_length(self.features.frames_in(seconds), seconds, stages)
        self.backbone = stages.backbone
        self.pool = stages.pool
        self.pretrained = stages.pretrained
        self.l2 = stages.l2  # in a tuple, so that no weight is registered twice
        if stages.statistics is not None:
            _check_decibels(spec.features)
        self.statistics = stages.statistics
        beside = () if stages.statistics is None else (stages.statistics.width,)
        self.widths = (stages.n_embedding, *beside)  # of the embedding's parts, one a branch
        self.head = nn.Linear(sum(self.widths), 1 if spec.task == "binary" else len(spec.classes))

    @property
    def one_dimensional(self) -> bool:
        """Whether features are waveforms `[B, C, T]` and not spectrograms `[B, C, F, N]`."""
        return isinstance(self.spec.features, Waveform)

    def begin(self) -> None:
        """Give the backbone the weights that its network is to begin with, where there are such."""
        from safetensors.torch import load_file

        if self.pretrained is None:
            return
        learned = {name: weight.float() for name, weight in load_file(self.pretrained).items()}
        known = self.backbone.state_dict()
        assert learned.keys() <= known.keys()
        self.backbone.load_state_dict(known | learned)

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        """Logits `[B, n_outputs]` of waveforms `[B, T]`, each heard whole, as one crop."""
        return self.classify(self.features(waveform))

    def classify(self, features: torch.Tensor) -> torch.Tensor:
        """Logits `[B, n_outputs]` of unnormalised features `[B, C, F, N]`."""
        return self.head(self.embed(features))  # type: ignore[no-any-return]

    def embed(self, features: torch.Tensor) -> torch.Tensor:
        """Embeddings `[B, n_embedding]` of unnormalised features `[B, C, F, N]`."""
        return self.join(self.pool(self.backbone(self.normalisation(features))), features)

    def join(self, pooled: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """What the head takes: what pool gives and, where there is a branch beside it, what that says of `features`.

        Args:
            pooled: `[B, n]` of the same clips.
            features: unnormalised, `[B, C, F, N]`.
        """
        return torch.cat(self._parts(pooled, features), dim=1)

    def branches(self, pooled: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Logits `[n_branches, B, n_outputs]` of each branch by itself; those of the model are their mean.

        Args: as of `join`.
        """
        n, weights = len(self.widths), self.head.weight.split(self.widths, dim=1)
        parts = zip(self._parts(pooled, features), weights, strict=True)
        return torch.stack([F.linear(part, n * weight, self.head.bias) for part, weight in parts])

    def _parts(self, pooled: torch.Tensor, features: torch.Tensor) -> list[torch.Tensor]:
        """What each branch says, `[B, width]` each."""
        if self.statistics is None:
            return [pooled]
        return [pooled, self.statistics(features, self.features.floor)]

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Scores `[B, n_classes]` in [0, 1] of logits `[B, n_outputs]`."""
        if self.spec.task == "single-label":
            return logits.softmax(dim=1)
        if self.spec.task == "binary":
            return torch.cat([torch.sigmoid(-logits), torch.sigmoid(logits)], dim=1)
        return torch.sigmoid(logits)

    def crops(self, features: torch.Tensor) -> Crops:
        """The crops `[K, C, F, crop_frames]` of one clip's features `[C, F, N]` that its score is the mean of."""
        return scoring_crops(features, self.crop_frames, self.spec.cropping.max_crops, self.features.floor)

    def scores(self, waveform: torch.Tensor) -> torch.Tensor:
        """Scores `[B, n_classes]` of waveforms `[B, T]`: the weighted mean over the crops of each."""
        features = self.features(waveform)
        crops = [self.crops(one) for one in features]
        scores = self.probabilities(self.classify(torch.cat([one.values for one in crops])))
        parts = scores.split([len(one) for one in crops])
        return torch.stack([one.mean(part) for one, part in zip(crops, parts, strict=True)])


def _check_decibels(features: FeatureConfig) -> None:
    """Refuses a branch on statistics of anything but decibels a band."""
    if isinstance(features, MFCC) or not (
        isinstance(features, LogMel) or (isinstance(features, STFT) and features.scale == "db")
    ):
        raise UserError(
            "network.statistics",
            f"found {type(features).__name__} features, wanted decibels: log-mel, or STFT with scale db",
            "Set network.statistics = 0, or change the features.",
        )


def _check_length(frames: int, seconds: float, stages: Stages) -> None:
    """Refuses crops that the network cannot take."""
    if stages.exact_frames is not None and frames != stages.exact_frames:
        raise UserError(
            "network",
            f"a crop of {seconds:g} s gives {frames} frames, the network takes exactly {stages.exact_frames}",
            "Let all crops have one length (no audio.crop_min_seconds), or change the features.",
        )
    if frames < stages.min_frames:
        raise UserError(
            "network",
            f"a crop of {seconds:g} s gives {frames} frames, the network needs {stages.min_frames}",
            "Take longer crops, a smaller hop_length or fewer layers.",
        )
