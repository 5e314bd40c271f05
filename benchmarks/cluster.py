"""Fits on Dask collections: overhead of tasks, workers against threads, and a cluster that is simulated.

    python benchmarks/cluster.py [PART ...] [--rows 50000] [--chunks 8] [--centres 500]

overhead    a fit on one worker with one thread, over the same fit in memory on one thread; by how much the
            memory of a worker grows in its first fit, and what its chunk, 3 M^2 doubles and a tile make
workers     a fit on two workers of one thread each, over the same fit in memory on two threads, and the
            processor time of the scheduler in it
scheduler   processor time of scheduler and client for each task: the slope over two numbers of small chunks
simulation  seconds of a pass over up to 10^10 rows on up to 1,000 workers, from the recorded graph, the times
            of tasks and of the scheduler measured here, the sizes that are sent, and a network of a stated
            bandwidth and latency

Chunks have ``--rows`` rows.  Fits are without refinement, on given centres, so that they are a pass to check
the chunks, one for the sums and the solution; in memory the blocks are the chunks, and the bytes the same.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import dask
import dask.array as da
import numpy as np
from _simulation import Costs, record_graph, simulate
from distributed import Client, LocalCluster, wait
from timing import processor

import ntklib
from ntklib import NTK, NTKRegressor
from ntklib.dask import DaskNTKRegressor
from ntklib.estimators.rows import RowView
from ntklib.solvers import Nystrom, RowSums
from ntklib.solvers.nystrom import make_basis

KERNEL = NTK(depth=3, weight_std=2**0.5, bias_std=1.0, input_scaling="fan_in")
FEATURES = 20
REPEATS = 3
BANDWIDTH, LATENCY = 1.25e9, 1e-3  # 10 Gbit/s
SMALL = 100, 400  # numbers of chunks whose slope is the cost of a task


def data(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows and targets."""
    X = np.random.default_rng(seed).standard_normal((n, FEATURES))
    return X, np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2]


def seconds(action: Callable[[], object]) -> float:
    """Time of one run."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def memory(kind: str) -> float:
    """Memory of this process in MiB: what it has, "VmRSS", or had at most since it was asked so, "VmHWM"."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    if kind == "VmRSS":
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    return int(status[kind].split()[0]) / 2**10


def warm() -> None:
    """Load compiled code by a fit that takes next to no memory."""
    X, y = data(100)
    NTKRegressor(KERNEL, solver=Nystrom(centers=X[:10], refine=False)).fit(X, y)


def fits(n_workers: int, rows: int, chunks: int, centres: int) -> None:
    """Time fits on workers over fits in memory on as many threads, in turn."""
    X, y = data(rows * chunks)
    solver = Nystrom(centers=X[:centres], refine=False)
    local, model = NTKRegressor(KERNEL, solver=solver), DaskNTKRegressor(KERNEL, solver=solver)
    view = RowView(X, ends=tuple(range(rows, len(X) + 1, rows)))
    ntklib.set_threads(n_workers)
    with (
        dask.config.set({"distributed.nanny.pre-spawn-environ.OMP_NUM_THREADS": 1}),
        LocalCluster(n_workers=n_workers, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        Z, t = client.persist([da.from_array(part, chunks=(rows, -1)[: part.ndim]) for part in (X, y)])
        wait([Z, t])
        client.run(warm)
        before = client.run(memory, "VmRSS")
        model.fit(Z, t)
        more = max(after - before[worker] for worker, after in client.run(memory, "VmHWM").items())
        local.fit(view, y)
        ours, here, own = [], [], []
        for _ in range(REPEATS):
            here.append(seconds(lambda: local.fit(view, y)))
            start = time.process_time()
            ours.append(seconds(lambda: model.fit(Z, t)))
            own.append(time.process_time() - start)
    # what this process computes beside the scheduler is a fit with a single row
    alone = NTKRegressor(KERNEL, solver=solver)
    start = time.process_time()
    alone.fit(X[:1], y[:1])
    solve = time.process_time() - start
    same = model.dual_coef_.tobytes() == local.dual_coef_.tobytes()
    spent = max(min(own) - solve, 0)
    print(
        f"{n_workers} worker(s), {chunks} chunks of {rows:,} rows, M = {centres:,}: {min(ours):.2f} s, in "
        f"memory on {n_workers} thread(s) {min(here):.2f} s: ratio {min(ours) / min(here):.3f}; same bytes: "
        f"{same}; memory of a worker at most + {more:.0f} MiB, where a chunk, 3 M^2 doubles and two arrays "
        f"of a tile are {(rows * FEATURES + 3 * centres**2 + 2 * 4096 * centres) * 8 / 2**20:.0f}; "
        f"scheduler and client {spent:.2f} s of processor time",
        flush=True,
    )


def scheduler_seconds() -> float:
    """Processor seconds of scheduler and client for each task: the slope over two numbers of small chunks."""
    X, y = data(20 * SMALL[-1])
    model = DaskNTKRegressor(KERNEL, solver=Nystrom(centers=X[:10], refine=False))
    spent = []
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        for chunks in SMALL:
            rows = len(X) // chunks
            Z, t = client.persist([da.from_array(part, chunks=(rows, -1)[: part.ndim]) for part in (X, y)])
            wait([Z, t])
            model.fit(Z, t)
            own = []
            for _ in range(REPEATS):
                start = time.process_time()
                model.fit(Z, t)
                own.append(time.process_time() - start)
            spent.append(min(own))
    # a task to check a chunk, one for its sums and one to add them
    return (spent[1] - spent[0]) / (3 * (SMALL[1] - SMALL[0]))


def scheduler() -> None:
    """Print the scheduler's cost of a task."""
    print(
        f"scheduler and client: {scheduler_seconds() * 1e3:.2f} ms of processor time a task, the slope from "
        f"{SMALL[0]} to {SMALL[1]} chunks",
        flush=True,
    )


def task_seconds(rows: int, centres: int) -> tuple[float, float]:
    """Processor seconds of the sums over a chunk, measured on 4,096 rows, and of adding two of them."""
    from ntklib.dask._chunks import merge_packed
    from ntklib.solvers.nystrom.rows import add_block

    X, y = data(max(4096, centres))
    basis = make_basis(KERNEL, KERNEL.diag, X[:centres], centred=True)
    ones = np.ones(4096)
    block = X[:4096], y[:4096, None], ones, ones

    def run() -> RowSums:
        sums = RowSums.zeros(centres, 1)
        add_block(basis, np.float64, sums, block)
        return sums

    def spent(action: Callable[[], object]) -> float:
        start = time.process_time()
        action()
        return time.process_time() - start

    with ntklib.set_threads(1):
        packed = run().packed()
        chunk = spent(run) * rows / 4096
        merge = spent(partial(merge_packed, packed, packed))
    return chunk, merge


def simulation(rows: int) -> None:
    """Print what binds on a cluster."""
    task = scheduler_seconds()
    print(
        f"network {BANDWIDTH * 8 / 1e9:.0f} Gbit/s, latency {LATENCY * 1e3:.0f} ms, "
        f"scheduler {task * 1e3:.2f} ms a task",
        flush=True,
    )
    for centres in (1000, 4000):
        chunk, merge = task_seconds(rows, centres)
        size = centres * (centres + 1) / 2 * 8
        print(
            f"M = {centres:,}: chunk of {rows:,} rows {chunk:.2f} s, addition {merge * 1e3:.0f} ms, sums of "
            f"{size / 2**20:.0f} MiB",
            flush=True,
        )
        for n, n_workers in ((10**9, 100), (10**9, 1000), (10**10, 1000)):
            tasks = record_graph(n // rows)
            costs = Costs(chunk, merge, size, BANDWIDTH, LATENCY, task)
            one = simulate(tasks, n_workers, costs)
            ideal = (n // rows) * (chunk + merge) / n_workers
            print(
                f"  n = 10^{len(str(n)) - 1}, {n_workers:,} workers: {one.seconds:,.0f} s, "
                f"{one.seconds / ideal:.2f} times the work over the workers; after the last chunk "
                f"{one.seconds - one.last_chunk:.1f} s; scheduler busy {one.scheduler / one.seconds:.0%}; "
                f"sent {one.sent / 2**30:.0f} GiB",
                flush=True,
            )


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "overhead": lambda o: fits(1, o.rows, o.chunks, o.centres),
    "workers": lambda o: fits(2, o.rows, o.chunks, o.centres),
    "scheduler": lambda o: scheduler(),
    "simulation": lambda o: simulation(o.rows),
}


def main() -> None:
    """Run the parts asked for, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[], metavar="PART")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--chunks", type=int, default=8)
    parser.add_argument("--centres", type=int, default=500)
    options = parser.parse_args()
    if len(options.parts) == 1:
        print(f"{processor()}", flush=True)
        PARTS[options.parts[0]](options)
        return
    for part in options.parts or PARTS:
        sizes = [f"--{name}={getattr(options, name)}" for name in ("rows", "chunks", "centres")]
        subprocess.run([sys.executable, __file__, part, *sizes], check=True)


if __name__ == "__main__":
    main()
