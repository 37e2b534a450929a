"""Read a clip table, check every row, divide it and audit the division: TABLE."""

import sys

from earmark.clips import read_clips
from earmark.leakage import audit
from earmark.splits import SplitSettings, assign

table = assign(read_clips(sys.argv[1]), SplitSettings())
audit(table)
assert set(table.frame["split"]) == {"train", "valid", "test"}
