"""Memory of tasks on workers whose allocator gives freed memory back."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import numpy as np
from contextlib import nullcontext
from ntklib.dask._memory import kept_memory

def faults(context):
    with context:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(40):
            np.ones(50_000)  # 98 pages
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(faults(nullcontext()), faults(kept_memory()), faults(nullcontext()))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="settings of glibc")
def test_a_task_keeps_its_memory_and_gives_it_back():
    """Fresh pages for every array before and after a task, and for the first one only within it."""
    environment = {**os.environ, "MALLOC_TRIM_THRESHOLD_": "65536"}
    child = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True)
    before, within, after = map(int, child.stdout.split())
    assert min(before, after) > 40 * 90
    assert within < 40 * 90 / 4


def test_nothing_is_changed_where_dask_has_changed_nothing(monkeypatch):
    """The variable alone says that glibc's thresholds are fixed: else they would be from then on."""
    from ntklib.dask import _memory

    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    monkeypatch.setattr(_memory, "_set", lambda *_: pytest.fail("thresholds were set"))
    with _memory.kept_memory():
        pass
