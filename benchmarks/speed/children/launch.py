"""Run a command and print what it took as one line of JSON; its own output goes nowhere."""

import json
import os
import subprocess
import sys
import time

started = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
seconds = time.perf_counter() - started
unit = 2**20 if sys.platform == "darwin" else 2**10
took = {"seconds": seconds, "cpu_seconds": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss / unit}
print(json.dumps(took))
sys.exit(os.waitstatus_to_exitcode(status) != 0)
