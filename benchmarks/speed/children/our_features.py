"""earmark's way: a folder imported, cut, features in the cache, and read back: FOLDER SEGMENT_SECONDS."""

import os
import sys

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does, before torch is imported

import numpy as np

from earmark.cache import FeatureStore
from earmark.cutting import Cutting, cut
from earmark.features import MFCC, Features
from earmark.layouts import import_folder

found = import_folder(sys.argv[1])
segments = cut(found.table, found.seconds, Cutting(segment_seconds=float(sys.argv[2])))
mfcc = Features(MFCC(n_mfcc=13, top_db=80.0), 22050)
inputs = np.stack(list(FeatureStore(mfcc).collect(segments)))
targets = segments.targets()
assert len(inputs) == len(targets)
