"""Networks that eat waveforms: four public stages, `features -> backbone -> pool -> head`."""

from earmark.models.classifier import KINDS, Classifier, ModelSpec, Task
from earmark.models.networks import NETWORKS, NetworkConfig

__all__ = ["KINDS", "NETWORKS", "Classifier", "ModelSpec", "NetworkConfig", "Task"]
