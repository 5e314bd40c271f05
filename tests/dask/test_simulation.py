"""The simulated cluster of the benchmarks: totals that follow without it."""

import importlib.util
import math
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / "benchmarks" / "_simulation.py"
SPEC = importlib.util.spec_from_file_location("benchmark_simulation", PATH)
simulation = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = simulation
SPEC.loader.exec_module(simulation)


def costs(**other):
    free = {"chunk": 2.0, "merge": 0.5, "size": 8.0, "bandwidth": math.inf, "latency": 0.0, "task": 0.0}
    return simulation.Costs(**free | other)


def test_the_graph_has_two_tasks_a_chunk():
    tasks = simulation.record_graph(100)
    assert len(tasks) == 199
    assert all(not parts for parts in tasks[:100])
    assert sorted(part for parts in tasks for part in parts) == list(range(198))


def test_one_worker_does_all_work_without_a_message():
    one = simulation.simulate(simulation.record_graph(20), 1, costs(latency=0.0, task=0.0))
    assert one.seconds == pytest.approx(20 * 2.0 + 19 * 0.5)
    assert (one.sent, one.busy) == (0.0, pytest.approx(1.0))


def test_a_worker_a_chunk_takes_the_longest_way_through_the_tree():
    tasks = simulation.record_graph(64)
    one = simulation.simulate(tasks, 64, costs())
    assert one.seconds == pytest.approx(2.0 + (7 + 3) * 0.5)  # a chain of 8, and three levels
    assert one.last_chunk == 2.0
    # every sum but the first of each pair is sent
    assert one.sent == 63 * 8.0


def test_a_slow_scheduler_or_network_binds():
    tasks = simulation.record_graph(64)
    busy = simulation.simulate(tasks, 64, costs(task=1.0))
    assert busy.scheduler == 127
    assert busy.seconds > 127
    # the last four messages, of a chain's end and of the levels, follow each other
    slow = simulation.simulate(tasks, 64, costs(bandwidth=1.0))
    assert slow.seconds >= 2.0 + 10 * (8.0 + 0.5) - 0.5
