"""How fast earmark is, against what people use otherwise: `python -m benchmarks.speed -o DIR`."""

import os

os.environ.setdefault(
    "OMP_WAIT_POLICY", "PASSIVE"
)  # as earmark's command line does, before torch is imported
