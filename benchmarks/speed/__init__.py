"""How fast earmark is, against what people use otherwise: `python -m benchmarks.speed -o DIR`."""

from earmark.process import settle

settle()  # as earmark's command line does, before torch is imported
