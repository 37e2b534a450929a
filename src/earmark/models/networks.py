"""The table of networks: the kind that a recipe names -> its settings, which know how to build it."""

from __future__ import annotations

from typing import Protocol

from earmark.models.conv1d import Conv1d
from earmark.models.conv2d import Conv2d
from earmark.models.crnn import CRNN
from earmark.models.dense import Dense
from earmark.models.recurrent import Recurrent
from earmark.models.residual import Residual
from earmark.models.stages import Shape, Stages


class NetworkConfig(Protocol):
    """Settings of a network: a frozen dataclass that builds the stages between features and head."""

    def build(self, shape: Shape) -> Stages:
        """Backbone and pool for one clip's features of `shape`."""
        ...


NETWORKS: dict[str, type[NetworkConfig]] = {
    "residual": Residual,
    "dense": Dense,
    "conv1d": Conv1d,
    "conv2d": Conv2d,
    "recurrent": Recurrent,
    "crnn": CRNN,
}
