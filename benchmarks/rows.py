"""Fits of many rows against their parts and against scikit-learn, as ratios measured in one run.

    python benchmarks/rows.py [PART ...] [--scale 0.1] [--threads 2] [--cpu]

pass        one pass over n rows on M centres, over the sum of its parts: kernel entries, triangular solves
            and symmetric products of tiles of the same size
loo         a whole NTKRegressorCV fit of one kernel, leave-one-out and refinement included, over the pass
sklearn     Nystroem(kernel) + Ridge at the same kernel and number of centres, over ours; test errors of both,
            and the least that such a program needs: kernel entries and one symmetric product of features
cg          full kernel ridge regression by conjugate gradients over its kernel entries, its iterations, and
            the memory of the matrix over its own
growth      time against n at a fixed number of centres, from a memory map, and the slope of its logarithm
estimators  the four kernel ridge estimators with their defaults on 50,000 rows
search      NTKRegressorCV with its defaults, and without learned features, on 2,000, 5,000 and 10,000 rows

``--scale`` multiplies the numbers of rows: 1 is a million rows a pass, and ten million in the last of growth;
the script says first how long it will take.  ``--cpu`` compares processor time on one thread, which other
work on the machine changes less.  Each part has a process, and so a peak of memory, of its own.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import threadpoolctl
from timing import processor

import ntklib
from ntklib import NTK, NTKClassifier, NTKClassifierCV, NTKRegressor, NTKRegressorCV
from ntklib._core.blas import add_square, solve_lower
from ntklib._core.threads import parallel_for
from ntklib.kernels.objects import lower_triangle
from ntklib.solvers import ApproximationWarning, ConjugateGradient, Nystrom
from ntklib.solvers.conjugate_gradient import TiledGram

KERNEL = NTK(depth=3, weight_std=2**0.5, bias_std=1.0, input_scaling="fan_in")
TILE = 4096
clock: Callable[[], float] = time.perf_counter


def data(n: int, d: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows and targets of a smooth function with noise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d), dtype=np.float32)
    y = np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.1 * rng.standard_normal(n)
    return X, y


def seconds(action: Callable[[], object]) -> float:
    """Time of one run."""
    start = clock()
    action()
    return clock() - start


def peak() -> float:
    """Peak memory of this process in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def machine() -> str:
    """Name the processor, the kernels of BLAS and the threads."""
    blas = {
        one.get("architecture", "?") for one in threadpoolctl.threadpool_info() if one["user_api"] == "blas"
    }
    kind = "processor time" if clock is time.process_time else "wall time"
    return f"{processor()}, BLAS for {', '.join(sorted(blas))}, {ntklib.get_threads()} threads, {kind}"


def warm_up(X: np.ndarray, y: np.ndarray) -> None:
    """Run everything once on few rows."""
    NTKRegressor(KERNEL, solver=Nystrom(100)).fit(X[:5000], y[:5000])


def parts_of_a_pass(n: int, d: int, M: int) -> dict[str, float]:
    """Seconds of the parts, each timed on as many tiles as there are threads and multiplied up."""
    threads = ntklib.get_threads()
    X, _ = data(TILE * threads, d)
    C = X[:M]
    triangle = np.asfortranarray(np.linalg.cholesky(KERNEL(C.astype(float))), dtype=np.float32)
    tiles = [KERNEL(X[i * TILE : (i + 1) * TILE], C) for i in range(threads)]
    actions = {
        "entries": lambda i: KERNEL(X[i * TILE : (i + 1) * TILE], C),
        "strsm": lambda i: solve_lower(triangle, tiles[i].copy().T),
        "ssyrk": lambda i: add_square(tiles[i].T, np.zeros((M, M), np.float32, order="F")),
    }
    result = {}
    for name, action in actions.items():
        parallel_for(action, range(threads))
        each = min(seconds(lambda action=action: parallel_for(action, range(threads))) for _ in range(3))
        result[name] = each * n / (TILE * threads)
        print(f"  {name:10s} {result[name]:7.1f} s")
    return result


def one_pass(n: int, d: int, M: int) -> None:
    """Time of a fit without refinement over its parts."""
    parts = sum(parts_of_a_pass(n, d, M).values())
    print(f"  the pass will take about {parts:.0f} s", flush=True)
    X, y = data(n, d)
    warm_up(X, y)
    before, solver = peak(), Nystrom(centers=X[:M], refine=False)
    took = seconds(lambda: NTKRegressor(KERNEL, solver=solver).fit(X, y))
    levels = np.log2(max(n / (8 * TILE), 1))
    allowed = (3 + levels / 2) * M * M * 8 / 2**30 + 1
    print(
        f"pass, n = {n:,}, d = {d}, M = {M:,}, float32: {took:.1f} s   / parts {took / parts:.2f}   "
        f"peak memory + {peak() - before:.2f} GiB (goal {allowed:.2f})"
    )


def leave_one_out(n: int, d: int, M: int) -> None:
    """Time of a whole CV fit over the pass."""
    X, y = data(n, d)
    NTKRegressorCV([KERNEL], solver=Nystrom(100), max_search_samples=None).fit(X[:5000], y[:5000])
    solver = Nystrom(centers=X[:M], refine=False)
    alone = seconds(lambda: NTKRegressor(KERNEL, solver=solver).fit(X, y))
    print(f"  the pass took {alone:.1f} s, the fit will take about {3 * alone:.0f} s", flush=True)
    model = NTKRegressorCV([KERNEL], solver=Nystrom(M), max_search_samples=None)
    took = seconds(lambda: model.fit(X, y))
    print(
        f"CV fit, n = {n:,}, d = {d}, M = {M:,}: {took:.1f} s   / pass {took / alone:.2f}   {peak():.2f} GiB"
    )


def against_sklearn(n: int, d: int, M: int) -> None:
    """Ours and scikit-learn's Nystrom approximation of the same kernel, at the same kind of centres."""
    from sklearn.kernel_approximation import Nystroem
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline

    parts = parts_of_a_pass(n, d, M)
    X, y = data(n, d)
    new, truth = data(10_000, d, seed=1)
    warm_up(X, y)
    start, times = peak(), {}
    for refine in (False, True):
        ours = NTKRegressor(KERNEL, alpha=1.0, solver=Nystrom(M, centers="uniform", refine=refine))
        times[refine] = seconds(lambda ours=ours: ours.fit(X, y))
        error, more = np.std(ours.predict(new) - truth), peak() - start
        kind = "ours" if refine else "ours without refinement"
        print(f"{kind}: {times[refine]:.1f} s, error {error:.4f}, peak memory + {more:.2f} GiB", flush=True)
    theirs = make_pipeline(Nystroem(KERNEL, n_components=M, random_state=0), Ridge(1.0))
    other = seconds(lambda: theirs.fit(X, y))
    error, more = np.std(theirs.predict(new) - truth), peak() - start
    print(
        f"scikit-learn, n = {n:,}, d = {d}, M = {M:,}: {other:.1f} s, error {error:.4f}, peak memory + "
        f"{more:.2f} GiB   / ours {other / times[True]:.2f}   / ours without refinement "
        f"{other / times[False]:.2f}"
    )
    least = parts["entries"] + parts["ssyrk"]
    print(f"entries and one symmetric product: {least:.1f} s; scikit-learn / that {other / least:.2f}")


def conjugate_gradients(n: int, d: int) -> None:
    """Full kernel ridge regression over half the matrix's entries in each iteration."""
    X, y = data(n, d)
    strip, tasks = 4096, 2 * ntklib.get_threads()

    def compute(_: int) -> None:
        KERNEL(X[:strip], X[strip : 2 * strip])

    parallel_for(compute, range(tasks))
    entries = seconds(lambda: parallel_for(compute, range(tasks))) * n * n / 2 / (tasks * strip**2)
    print(f"  half the entries take {entries:.1f} s, 40 iterations about {42 * entries:.0f} s", flush=True)
    NTKRegressor(KERNEL, solver=ConjugateGradient(rank=50)).fit(X[:5000], y[:5000])
    before, model = peak(), NTKRegressor(KERNEL, alpha=1.0, solver=ConjugateGradient())
    took = seconds(lambda: model.fit(X, y))
    record, more = model.solve_, peak() - before
    products = record.iterations + 2  # one for the first residual, one for the last
    alone = seconds(lambda: TiledGram(lower_triangle(KERNEL, X)) @ np.ones((n, 2)))
    print(f"  one product with two vectors: {alone:.1f} s   / entries {alone / entries:.2f}")
    print(
        f"conjugate gradients, n = {n:,}, d = {d}: {took:.1f} s, {record.iterations} iterations to "
        f"{record.residual:.1e}, rank {record.rank:,}   / entries {took / (entries * products):.2f}   peak "
        f"memory + {more:.2f} GiB, the float64 matrix / that {8 * n * n / 2**30 / more:.1f}"
    )


def growth(d: int, M: int, sizes: list[int]) -> None:
    """Seconds at a fixed number of centres, rows read from a memory map."""
    times: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for n in sizes:
            X = np.memmap(Path(folder) / f"{n}.bin", np.float32, "w+", shape=(n, d))
            y = np.empty(n)
            for seed, start in enumerate(range(0, n, 10**6)):
                rows = slice(start, min(start + 10**6, n))
                X[rows], y[rows] = data(rows.stop - start, d, seed)
            centres = np.array(X[:M])
            warm_up(np.array(X[:5000]), y)
            if times:
                print(
                    f"  {n:,} rows will take about {times[-1] * n / sizes[len(times) - 1]:.0f} s", flush=True
                )
            times.append(
                seconds(lambda X=X, y=y, C=centres: NTKRegressor(KERNEL, solver=Nystrom(centers=C)).fit(X, y))
            )
            each = f"{1e6 * times[-1] / n:6.1f} microseconds a row"
            print(
                f"n = {n:>10,}, d = {d}, M = {M:,}: {times[-1]:7.1f} s, {each}, peak memory {peak():.2f} GiB"
            )
    slopes = np.diff(np.log(times)) / np.diff(np.log(sizes))
    whole = np.polyfit(np.log(sizes), np.log(times), 1)[0]
    print(f"slope {whole:.2f}; between neighbours {', '.join(f'{slope:.2f}' for slope in slopes)}")


def estimators(n: int, d: int) -> None:
    """Seconds of each estimator with its defaults."""
    X, y = data(n, d)
    labels = np.digitize(y, np.quantile(y, [1 / 3, 2 / 3]))
    warm_up(X, y)
    warnings.simplefilter("ignore", ApproximationWarning)
    for estimator in (NTKRegressor, NTKClassifier, NTKRegressorCV, NTKClassifierCV):
        target = labels if "Classifier" in estimator.__name__ else y
        took = seconds(lambda estimator=estimator, target=target: estimator().fit(X, target))
        print(
            f"{estimator.__name__}().fit, n = {n:,}, d = {d}: {took:.1f} s, peak memory {peak():.2f} GiB",
            flush=True,
        )


def search(d: int, sizes: list[int]) -> None:
    """Seconds of the default search, with and without learned features."""
    for n in sizes:
        X, y = data(n, d)
        if n == sizes[0]:
            NTKRegressorCV().fit(X[:1300], y[:1300])
        plain, whole = (
            seconds(lambda X=X, y=y, learn=learn: NTKRegressorCV(learn_features=learn).fit(X, y))
            for learn in (None, "auto")
        )
        print(
            f"NTKRegressorCV().fit, n = {n:,}, d = {d}: {whole:.1f} s, learn_features=None {plain:.1f} s",
            flush=True,
        )


PARTS: dict[str, Callable[[float], Any]] = {
    "pass": lambda s: (one_pass(int(1e6 * s), 20, 2000), one_pass(int(1e6 * s), 100, 4000)),
    "loo": lambda s: (leave_one_out(int(1e6 * s), 20, 2000), leave_one_out(int(1e6 * s), 100, 4000)),
    "sklearn": lambda s: against_sklearn(int(2e5 * s), 20, 2000),
    "cg": lambda s: conjugate_gradients(int(6e4 * s), 20),
    "growth": lambda s: growth(20, 1000, [10**k for k in (4, 5, 6, 7) if 10**k <= 1e7 * s]),
    "estimators": lambda s: estimators(int(5e4 * s), 20),
    "search": lambda s: search(20, [int(n * s) for n in (2000, 5000, 10_000)]),
}


def main() -> None:
    """Run the parts asked for, each in a process of its own."""
    global clock
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[], metavar="PART")
    parser.add_argument("--scale", type=float, default=0.1, help="1 is the size of the goals")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--cpu", action="store_true", help="processor time on one thread")
    options = parser.parse_args()
    if len(options.parts) == 1:
        if options.cpu:
            clock = time.process_time
        ntklib.set_threads(1 if options.cpu else options.threads)
        print(machine(), flush=True)
        PARTS[options.parts[0]](options.scale)
        return
    for part in options.parts or PARTS:
        rest = ["--threads", str(options.threads)] if options.threads else []
        command = [sys.executable, __file__, part, "--scale", str(options.scale), *rest]
        subprocess.run([*command, *(["--cpu"] if options.cpu else [])], check=True)


if __name__ == "__main__":
    main()
