"""The garbage collector's settings, in a process of their own."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc
from fastingress import collector

with collector.deferred():
    assert not gc.isenabled()
    collector.resume()
    assert gc.isenabled()
at_start = gc.get_freeze_count()
assert at_start > 0
kept = [[] for _ in range(1000)]
gc.collect()
assert gc.get_freeze_count() >= at_start + 1000, "what survived is set aside"
with collector.deferred():
    assert not gc.isenabled()
assert gc.isenabled(), "also when nothing resumed it"
collector.resume()
assert len(gc.callbacks) == 1, "a second call changes nothing"
"""


def test_what_is_there_at_the_start_and_what_survives_is_not_looked_at_again() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
