"""What the headers of many recordings say, before anything is decoded."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark import audio
from earmark.clips import ClipTable
from earmark.errors import UserError

FEATURE_SUFFIX = ".json"
"""A file of features takes the place of recordings; the cache holds what is in it."""
FEATURES_ALONE = audio.AudioInfo(2**31 - 1, 1, 0, float("inf"), "features", False)
"""Its header: of any rate, and endless."""


def probe_all(table: ClipTable) -> tuple[dict[Path, audio.AudioInfo], ClipTable, ClipTable]:
    """What the headers say of the recordings, the clips of those that open, and the others with their reason.

    Raises:
        UserError: none opens.
    """
    paths = table.paths()
    distinct = list(dict.fromkeys(paths))
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        known = dict(zip(distinct, pool.map(_info, distinct), strict=True))
    reasons = np.array([getattr(known[path], "reason", "") for path in paths], dtype=object)
    good = reasons == ""
    infos = {path: info for path, info in known.items() if isinstance(info, audio.AudioInfo)}
    unread = table.take(~good).with_column("reason", reasons[~good])
    return infos, require_some(table, good, reasons), unread


def _info(path: Path) -> audio.AudioInfo | audio.AudioError:
    if path.suffix.lower() == FEATURE_SUFFIX:
        return FEATURES_ALONE
    try:
        return audio.probe(path)
    except audio.AudioError as error:
        return error


def knows_sound(table: ClipTable) -> bool:
    """Whether the clips are sound, and not features that were made elsewhere."""
    return not any(path.suffix.lower() == FEATURE_SUFFIX for path in set(table.paths()))


def require_some(table: ClipTable, good: NDArray[np.bool_], reasons: NDArray[np.object_]) -> ClipTable:
    """The good clips `[n]`; an error that counts the reasons where there is none."""
    if not good.any():
        names, counts = np.unique(reasons.astype(str), return_counts=True)
        why = ", ".join(f"{count} x {audio.REASONS[name]}" for name, count in zip(names, counts, strict=True))
        raise UserError(
            table.root, f"none of {len(table)} clips can be used: {why}", "Check the root of the table."
        )
    return table.take(good)
