"""Fits of many rows against their parts and against scikit-learn, as ratios measured in one run.

    python benchmarks/rows.py [pass|loo|sklearn|cg|rows ...] [--scale 1.0] [--threads 2]

pass      one pass over n rows on M centres, over the sum of its parts: kernel entries, triangular solves and
          symmetric products of tiles of the same size
loo       a whole NTKRegressorCV fit of one kernel, leave-one-out and refinement included, over the pass
sklearn   Nystroem(kernel) + Ridge at the same kernel and number of centres, over ours; test errors of both
cg        full kernel ridge regression by conjugate gradients over its kernel entries, and its iterations
rows      seconds a row at a fixed number of centres

``--scale`` multiplies the numbers of rows.  Each part has a process, and so a peak of memory, of its own.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from typing import Any

import numpy as np
from scipy.linalg.blas import ssyrk, strsm

import ntklib
from ntklib import NTK, NTKRegressor, NTKRegressorCV
from ntklib._core.threads import parallel_for
from ntklib.solvers import ConjugateGradient, Nystrom

KERNEL = NTK(depth=3, weight_std=2**0.5, bias_std=1.0, input_scaling="fan_in")
TILE = 4096


def data(n: int, d: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows and targets of a smooth function with noise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d), dtype=np.float32)
    y = np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.1 * rng.standard_normal(n)
    return X, y


def seconds(action: Any) -> float:
    """Time of one run."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def memory() -> str:
    """Peak memory of this process."""
    return f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB"


def parts_of_a_pass(n: int, d: int, M: int) -> float:
    """Seconds of the parts, each timed on as many tiles as there are threads and multiplied up."""
    X, _ = data(TILE * ntklib.get_threads(), d)
    C = X[:M]
    triangle = np.asfortranarray(np.linalg.cholesky(KERNEL(C.astype(float))), dtype=np.float32)
    tiles = [KERNEL(X[i * TILE : (i + 1) * TILE], C) for i in range(ntklib.get_threads())]
    actions = {
        "entries": lambda i: KERNEL(X[i * TILE : (i + 1) * TILE], C),
        "strsm": lambda i: strsm(1.0, triangle, tiles[i].T, lower=1, overwrite_b=0),
        "ssyrk": lambda i: ssyrk(1.0, tiles[i].T, lower=1),
    }
    total = 0.0
    for name, action in actions.items():
        parallel_for(action, range(len(tiles)))
        each = min(seconds(lambda action=action: parallel_for(action, range(len(tiles)))) for _ in range(3))
        share = each * n / (TILE * len(tiles))
        print(f"  {name:10s} {share:7.1f} s")
        total += share
    return total


def one_pass(n: int, d: int, M: int) -> None:
    """Time of a fit without refinement over its parts."""
    X, y = data(n, d)
    total = parts_of_a_pass(n, d, M)
    NTKRegressor(KERNEL, solver=Nystrom(100)).fit(X[:5000], y[:5000])
    solver = Nystrom(centers=X[:M], refine=False)
    took = seconds(lambda: NTKRegressor(KERNEL, solver=solver).fit(X, y))
    sizes = f"n = {n:,}, d = {d}, M = {M:,}, float32"
    print(f"pass, {sizes}: {took:.1f} s   / parts {took / total:.2f}   {memory()}")


def leave_one_out(n: int, d: int, M: int) -> None:
    """Time of a whole CV fit over the pass."""
    X, y = data(n, d)
    NTKRegressorCV([KERNEL], solver=Nystrom(100), max_search_samples=None).fit(X[:5000], y[:5000])
    solver = Nystrom(centers=X[:M], refine=False)
    alone = seconds(lambda: NTKRegressor(KERNEL, solver=solver).fit(X, y))
    model = NTKRegressorCV([KERNEL], solver=Nystrom(M), max_search_samples=None)
    took = seconds(lambda: model.fit(X, y))
    print(f"CV fit, n = {n:,}, d = {d}, M = {M:,}: {took:.1f} s   / pass {took / alone:.2f}   {memory()}")


def against_sklearn(n: int, d: int, M: int) -> None:
    """Ours and scikit-learn's Nystrom approximation of the same kernel."""
    from sklearn.kernel_approximation import Nystroem
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline

    X, y = data(n, d)
    new, truth = data(10_000, d, seed=1)
    ours = NTKRegressor(KERNEL, alpha=1.0, solver=Nystrom(M, centers="uniform"))
    took = seconds(lambda: ours.fit(X, y))
    print(f"ours: {took:.1f} s, error {np.std(ours.predict(new) - truth):.4f}, {memory()}")
    theirs = make_pipeline(Nystroem(KERNEL, n_components=M, random_state=0), Ridge(1.0))
    other = seconds(lambda: theirs.fit(X, y))
    print(
        f"scikit-learn, n = {n:,}, d = {d}, M = {M:,}: {other:.1f} s   / ours {other / took:.2f}, error "
        f"{np.std(theirs.predict(new) - truth):.4f}, {memory()}"
    )


def conjugate_gradients(n: int, d: int) -> None:
    """Full kernel ridge regression over half the matrix's entries in each iteration."""
    X, y = data(n, d)
    strip = 4096
    parallel_for(lambda i: KERNEL(X[:strip], X[:strip].copy()), range(2))
    each = seconds(lambda: parallel_for(lambda i: KERNEL(X[:strip], X[strip : 2 * strip]), range(8)))
    entries = each * n * n / 2 / (8 * strip**2)
    model = NTKRegressor(KERNEL, alpha=1.0, solver=ConjugateGradient())
    took = seconds(lambda: model.fit(X, y))
    record = model.solve_
    print(
        f"conjugate gradients, n = {n:,}, d = {d}: {took:.1f} s, {record.iterations} iterations to "
        f"{record.residual:.1e}, rank {record.rank:,}   / entries "
        f"{took / (entries * (record.iterations + 2)):.2f}   {memory()}"
    )


def growth(d: int, M: int, sizes: list[int]) -> None:
    """Seconds a row at a fixed number of centres."""
    for n in sizes:
        X, y = data(n, d)
        took = seconds(lambda X=X, y=y: NTKRegressor(KERNEL, solver=Nystrom(centers=X[:M])).fit(X, y))
        each = f"{1e6 * took / n:6.1f} microseconds a row"
        print(f"n = {n:>10,}, d = {d}, M = {M:,}: {took:7.1f} s, {each}, {memory()}")


PARTS = {
    "pass": lambda s: (one_pass(int(1e6 * s), 20, 2000), one_pass(int(1e6 * s), 100, 4000)),
    "loo": lambda s: leave_one_out(int(1e6 * s), 20, 2000),
    "sklearn": lambda s: against_sklearn(int(2e5 * s), 20, 2000),
    "cg": lambda s: conjugate_gradients(int(6e4 * s), 20),
    "rows": lambda s: growth(20, 1000, [int(10**k * s) for k in (4, 5, 6)]),
}


def main() -> None:
    """Run the parts asked for, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[], metavar="PART")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=None)
    options = parser.parse_args()
    if len(options.parts) == 1:
        ntklib.set_threads(options.threads)
        print(f"threads {ntklib.get_threads()}")
        PARTS[options.parts[0]](options.scale)
        return
    for part in options.parts or PARTS:
        command = [sys.executable, __file__, part, "--scale", str(options.scale)]
        subprocess.run(
            [*command, *(["--threads", str(options.threads)] if options.threads else [])], check=True
        )


if __name__ == "__main__":
    main()
