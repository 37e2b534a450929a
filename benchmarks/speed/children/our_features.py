"""earmark's way: a folder imported, cut, features in the cache, and read back: FOLDER SEGMENT_SECONDS."""

import sys

from earmark.process import settle


def main(folder: str, segment_seconds: float) -> None:
    """Whole and in one process, as a command is: torch is imported after it has settled."""
    import numpy as np

    from earmark.cache import FeatureStore
    from earmark.cutting import Cutting, cut
    from earmark.features import MFCC, Features
    from earmark.layouts import import_folder

    found = import_folder(folder)
    segments = cut(found.table, found.seconds, Cutting(segment_seconds=segment_seconds))
    mfcc = Features(MFCC(n_mfcc=13, top_db=80.0), 22050)
    inputs = np.stack(list(FeatureStore(mfcc).collect(segments)))
    targets = segments.targets()
    assert len(inputs) == len(targets)


if __name__ == "__main__":
    settle()
    main(sys.argv[1], float(sys.argv[2]))
