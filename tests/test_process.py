"""A process of earmark's: its threads sleep, and it ends without a search for garbage."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

COMMAND = """
import atexit, gc, os, sys
from earmark.cli import entry
atexit.register(lambda: print(gc.get_freeze_count() > 1000, os.environ["OMP_WAIT_POLICY"]))
sys.argv = ["earmark", "recipes"]
entry()
"""


@pytest.mark.parametrize("chosen", ["", "ACTIVE"])
def test_a_command_waits_asleep_unless_told_otherwise_and_ends_without_a_search(chosen: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    done = subprocess.run(
        [sys.executable, "-c", COMMAND],
        env=environment | ({"OMP_WAIT_POLICY": chosen} if chosen else {}),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"True {chosen or 'PASSIVE'}"
