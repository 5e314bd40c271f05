"""Cost of the fits, as ratios measured in one run.

    python benchmarks/fit.py [--n 10000] [--d 20] [--repeats 3]
    python benchmarks/fit.py --part halving      default searches at 2,000, 5,000 and 10,000 rows
    python benchmarks/fit.py --part band         paths by the band form and by eigenvalues
    python benchmarks/fit.py --part gradients    derivatives of kernels in the inputs, over their values

A fit is held against its own parts: the Gram matrix and LAPACK's Cholesky factorisation of it in place; a
leave-one-out path against one eigendecomposition; a search with the default grid against the same. Every
figure is the least of `repeats`, all taken in turn, so that a busy machine slows both sides of a ratio. Run
it with the allocator keeping its pages, since fresh memory is slow to touch on virtual machines:

    GLIBC_TUNABLES=glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=200000000000 python benchmarks/fit.py
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.linalg import eigh
from scipy.linalg.lapack import dpotrf

import ntklib
from ntklib import NTK, Laplace
from ntklib.estimators import NTKClassifier, NTKClassifierCV, NTKRegressor, NTKRegressorCV
from ntklib.estimators.defaults import default_kernel, default_penalties
from ntklib.solvers import BandFactor, EigenFactor, ridge_path

SEARCH_SIZE = 1797  # scikit-learn's digits


def least(
    actions: dict[str, Callable[[], object]], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Least time of each action in seconds, taken in turn."""
    times = dict.fromkeys(actions, np.inf)
    for _ in range(repeats):
        for name, action in actions.items():
            start = clock()
            action()
            times[name] = min(times[name], clock() - start)
    return times


def data(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Standardised features and a smooth target with noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    return X, np.sin(X[:, 0]) + X[:, 1] * X[:, 2] + 0.1 * rng.standard_normal(n)


def gram_and_cholesky(X: np.ndarray) -> None:
    """What no fit can do without."""
    K = default_kernel()(X)
    K[np.diag_indices_from(K)] += 0.1
    dpotrf(K.T, lower=1, overwrite_a=1, clean=0)


def show(what: str, seconds: float, reference: float, goal: float | None) -> None:
    """One line: the time, its ratio to the reference, the goal."""
    aim = "" if goal is None else f"   (goal {goal:g})"
    print(f"{what:58s} {seconds:8.3f} s   ratio {seconds / reference:6.3f}{aim}")


def fits(n: int, d: int, repeats: int) -> None:
    """A fit at one penalty against the Gram and its Cholesky factorisation."""
    X, y = data(n, d)
    labels = np.digitize(y, [-0.5, 0.5])
    times = least(
        {
            "Gram + Cholesky": lambda: gram_and_cholesky(X),
            "NTKRegressor.fit": lambda: NTKRegressor().fit(X, y),
            "NTKRegressor.fit, weighted": lambda: NTKRegressor().fit(X, y, np.full(n, 2.0)),
            "NTKClassifier.fit, calibrate=False": lambda: NTKClassifier(calibrate=False).fit(X, labels),
            "NTKClassifier.fit": lambda: NTKClassifier().fit(X, labels),
        },
        repeats,
    )
    print(f"n = {n}, d = {d}")
    for name, seconds in times.items():
        goal = 1.15 if name == "NTKRegressor.fit" else None
        show(name, seconds, times["Gram + Cholesky"], goal)


def path(n: int, d: int, repeats: int) -> None:
    """A leave-one-out path of 30 penalties by eigenvalues against one eigendecomposition."""
    X, y = data(n, d)
    K = default_kernel()(X)
    penalties = K[0, 0] * np.geomspace(1e-6, 1e2, 30)

    def whole_path() -> None:
        for _ in ridge_path(EigenFactor(K.copy(), overwrite_gram=True), y[:, None], penalties):
            pass

    times = least(
        {
            "one eigendecomposition": lambda: eigh(
                K.copy().T, overwrite_a=True, check_finite=False, driver="evd"
            ),
            "leave-one-out path of 30 penalties": whole_path,
        },
        repeats,
    )
    print(f"n = {n}")
    for name, seconds in times.items():
        show(name, seconds, times["one eigendecomposition"], 1.3 if "path" in name else None)


def searches(n: int, d: int, repeats: int, *, goal: float, full: bool) -> None:
    """A fit with ten kernels of networks and the default penalties against one eigendecomposition."""
    X, y = data(n, d)
    labels = np.digitize(y, np.quantile(y, np.linspace(0.1, 0.9, 9)))
    K = default_kernel()(X)
    actions: dict[str, Callable[[], object]] = {
        "one eigendecomposition": lambda: eigh(
            K.copy().T, overwrite_a=True, check_finite=False, driver="evd"
        ),
        "NTKRegressorCV.fit": lambda: NTKRegressorCV("ntk").fit(X, y),
        "NTKClassifierCV.fit, 10 classes": lambda: NTKClassifierCV("ntk").fit(X, labels),
    }
    if full:
        part, target = X[:3000], y[:3000]
        actions["its search on 3000 samples"] = lambda: NTKRegressorCV("ntk").fit(part, target)
        del actions["NTKClassifierCV.fit, 10 classes"]
    times = least(actions, repeats)
    one = times["one eigendecomposition"]
    print(f"n = {n}, d = {d}, {len(default_penalties(1.0))} penalties a kernel")
    for name, seconds in times.items():
        show(name, seconds, one, goal if ".fit" in name and not full else None)
    if full:
        less = times["NTKRegressorCV.fit"] - times["its search on 3000 samples"]
        show("NTKRegressorCV.fit without the search", less, one, goal)


def halving(sizes: list[int], d: int) -> None:
    """Default searches with all kernels on all rows over those by successive halving."""
    for n in sizes:
        X, y = data(n, d)
        for kind, target in ((NTKRegressorCV, y), (NTKClassifierCV, np.digitize(y, [-0.5, 0.5]))):
            models = {"halving": kind(), "all on all": kind(halving=False)}
            fits = {name: partial(model.fit, X, target) for name, model in models.items()}
            ours, theirs = least(fits, 1).values()
            line = f"{kind.__name__}, n = {n:6,}: {ours:.1f} s; halving=False {theirs:.1f} s"
            print(f"{line}, {theirs / ours:.2f} x")


def path_by(kind: type, K: np.ndarray, y: np.ndarray) -> None:
    """A leave-one-out path of the default penalties."""
    for _ in ridge_path(kind(K.copy(), overwrite_gram=True), y[:, None], default_penalties(K[0, 0])):
        pass


def band(sizes: list[int], d: int) -> None:
    """Paths by eigenvalues over those by the band form."""
    for n in sizes:
        X, y = data(n, d)
        K = default_kernel()(X)
        kinds = {kind.__name__: partial(path_by, kind, K, y) for kind in (BandFactor, EigenFactor)}
        ours, theirs = least(kinds, 1 if n > 5000 else 2).values()
        print(f"path, n = {n:6,}: band {ours:.1f} s; eigenvalues {theirs:.1f} s, {theirs / ours:.2f} x")


def gradients(n: int, d: int, repeats: int) -> None:
    """Gradients of an expansion at 250 rows, by processor time of one thread, and kernel values."""
    X, _ = data(n, d)
    weights = np.random.default_rng(1).standard_normal(n)
    bias = {"weight_std": 2**0.5, "bias_std": 1.0, "input_scaling": "fan_in"}
    with ntklib.set_threads(1):
        kernels = {f"NTK({depth}, bias_std=1)": NTK(depth, **bias) for depth in (1, 3)}
        kernels |= {f"Laplace(norm={norm})": Laplace(5.0, norm=norm) for norm in (1, 2)}
        for name, kernel in kernels.items():
            actions = {
                "slopes": partial(kernel.gradient_x, X[:250], X, weights),
                "values": partial(kernel, X[:250], X),
            }
            times = least(actions, repeats, time.process_time)
            slope, value = (1e9 * seconds / (250 * n) for seconds in times.values())
            print(f"{name:18} {d} derivatives of a pair {slope:.1f} ns, value {value:.1f} ns")


def main() -> None:
    """Run all of it, or a part."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--d", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--part", choices=("all", "halving", "band", "gradients"), default="all")
    parser.add_argument("--sizes", type=int, nargs="+", default=[2000, 5000, 10_000], help="of those parts")
    options = parser.parse_args()
    if options.part in ("all", "band"):
        band(options.sizes, options.d)
    if options.part in ("all", "halving"):
        halving(options.sizes, options.d)
    if options.part in ("all", "gradients"):
        gradients(1333, options.d, max(options.repeats, 10))
    if options.part != "all":
        return
    fits(options.n, options.d, options.repeats)
    path(options.n, options.d, 1 if options.n > 5000 else options.repeats)
    searches(SEARCH_SIZE, 64, options.repeats, goal=30, full=False)
    searches(options.n, options.d, 1, goal=1.5, full=True)


if __name__ == "__main__":
    main()
