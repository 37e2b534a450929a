"""Clip tables of made-up rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from earmark.clips import ClipTable, clips_from
from earmark.tables import TextTable


def clips(label: Sequence[str] | None = None, **columns: Sequence[str]) -> ClipTable:
    """A table of text columns; files are their own recordings unless given."""
    n = len(label or next(iter(columns.values())))
    columns.setdefault("file", [f"{i:04}.wav" for i in range(n)])
    if label is not None:
        columns["label"] = label
    frame = pd.DataFrame({name: pd.Series(list(cells), dtype=object) for name, cells in columns.items()})
    if frame["file"].duplicated().any():
        frame["start"] = np.arange(n, dtype=float)
    return clips_from(TextTable(frame, "here"), Path("/sounds"))
