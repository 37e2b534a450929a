"""Networks that eat waveforms: four public stages, `features -> backbone -> pool -> head`."""

from earmark.models.classifier import KINDS, Classifier, ModelSpec, Task
from earmark.models.networks import NETWORKS, NetworkConfig
from earmark.models.summary import Summary, summarise

__all__ = ["KINDS", "NETWORKS", "Classifier", "ModelSpec", "NetworkConfig", "Summary", "Task", "summarise"]
