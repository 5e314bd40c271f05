"""Seconds of ``ntklib report`` on a table of many rows, step by step.

    python benchmarks/report.py [regression|classification|mixed ...] [--rows 30000] [--columns 20]

A mixed table has dates, truth values, categories, free text, an identifier and gaps in place of columns.
All rows are used.  On a busy machine the seconds of processor time, over the number of cores, say what the
time would be on idle ones.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

import ntklib
from ntklib._core.progress import Gauge, Progress
from ntklib.lab.report import analyse, render_page
from ntklib.lab.tables import Table


class Clock(Progress):
    """Progress that also takes the processor time of each step, of all threads and finished processes."""

    def __init__(self) -> None:
        super().__init__(loud=True)
        self.processor: dict[str, float] = {}

    @contextmanager
    def step(self, title: str, total: float = 0, unit: str = "") -> Iterator[Gauge]:
        """Time the block."""
        start = time.process_time()
        try:
            with super().step(title, total, unit) as gauge:
                yield gauge
        finally:
            self.processor[title] = time.process_time() - start
            self.say(f"{title}: {self.seconds[title]:.1f} s, processor {self.processor[title]:.1f} s")


def table(task: str, n: int, d: int) -> Table:
    """Rows of a smooth function with noise, or their three classes."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    y = np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.5 * X[:, 3] + 0.3 * rng.standard_normal(n)
    if task == "classification":
        y = np.digitize(y, np.quantile(y, [1 / 3, 2 / 3]))
    names = (*(f"x{j}" for j in range(d)), "y")
    return Table(task, names, (*X.T, np.asarray(y, dtype=float)), np.arange(1, n + 1), target="y")


def mixed_table(n: int) -> Table:
    """Rows with what tables of people have: prices of houses that never were."""
    rng = np.random.default_rng(0)
    days = np.datetime64("2019-01-01") + rng.integers(0, 1800, n)
    area, rooms = rng.lognormal(4.5, 0.4, n), rng.integers(1, 8, n).astype(float)
    city, garage = rng.integers(0, 12, n), rng.choice(["yes", "no"], n)
    words = np.array(["great", "small", "red", "garden", "old", "near", "quiet", "view", "kitchen", "sunny"])
    notes = [" ".join(rng.choice(words, rng.integers(4, 9))) for _ in range(n)]
    price = area * (10 + 0.5 * city) + 30 * rooms + 200 * (garage == "yes") + 60 * rng.standard_normal(n)
    price += np.array([150.0 * ("garden" in note) for note in notes])
    area[rng.random(n) < 0.03] = np.nan
    columns = {
        "id": [f"H-{i}" for i in range(n)],
        "sold": [str(day) for day in days],
        "area": area,
        "rooms": rooms,
        "city": [f"city {i}" for i in city],
        "agent": [f"agent {i}" for i in rng.integers(0, 400, n)],
        "garage": garage.tolist(),
        "note": notes,
        "price": price,
    }
    values = tuple(np.array(v, dtype=object) if isinstance(v, list) else v for v in columns.values())
    return Table("mixed", tuple(columns), values, np.arange(1, n + 1), target="price")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tasks", nargs="*", default=["regression", "classification"])
    parser.add_argument("--rows", type=int, default=30_000)
    parser.add_argument("--columns", type=int, default=20)
    arguments = parser.parse_args()
    for task in arguments.tasks:
        clock, start, processor = Clock(), time.perf_counter(), time.process_time()
        if task == "mixed":
            analysis = analyse(mixed_table(arguments.rows), impute="median", progress=clock)
        else:
            analysis = analyse(table(task, arguments.rows, arguments.columns), task=task, progress=clock)
        render_page(analysis)
        took, worked = time.perf_counter() - start, time.process_time() - processor
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        sizes = f"{analysis.data.n_used:,} rows of {len(analysis.data.columns)} columns"
        print(
            f"{task}, {sizes}, {ntklib.get_threads()} threads: {took:.0f} s, processor {worked:.0f} s, "
            f"peak memory {memory:.1f} GiB"
        )
        for model in analysis.models:
            scores = ", ".join(f"{name} {score.value:.3f}" for name, score in model.scores.items())
            print(f"  {model.title}: {scores}; {model.fit_seconds:.0f} s")


if __name__ == "__main__":
    main()
