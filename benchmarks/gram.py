"""Gram matrices against their floor and against peers, as ratios measured in one run.

    python benchmarks/gram.py [--n 10000] [--repeats 5] [--threads 2]

The floor is what no kernel can do without: the faster of a BLAS gemm into an array that exists and a BLAS
syrk of one triangle, and one fill of the output. Actions are timed in turn, round after round, and medians
are compared, so that a busy machine slows both sides of a ratio; what one entry costs is the least
processor time of one thread. Fresh memory is slow to touch on virtual machines; the script starts itself
again with the allocator keeping its pages (GLIBC_TUNABLES).
"""

from __future__ import annotations

import argparse
import resource
from functools import partial

import numpy as np
from peers import peers
from scipy import special
from scipy.linalg import blas
from timing import Actions, medians, processor, processor_times, restart_with_kept_pages

import ntklib
from ntklib.estimators.defaults import default_kernel
from ntklib.kernels import NTK, Laplace, NumericalActivation, RectifiedPower, ntk_kernel


def floor_actions(X: np.ndarray) -> Actions:
    """The parts of the floor, each into memory that has been touched."""
    n = X.shape[0]
    out = np.zeros((n, n), X.dtype)
    syrk = blas.dsyrk if X.dtype == np.float64 else blas.ssyrk
    transposed = np.ascontiguousarray(X.T)
    return {
        "gemm": lambda: np.matmul(X, transposed, out=out),
        "syrk": lambda: syrk(1.0, X.T, trans=1, c=out.T, overwrite_c=1, lower=1),
        "fill": lambda: out.fill(1.0),
    }


def ours(X: np.ndarray) -> Actions:
    """The kernels that have a goal."""
    found: Actions = {"ReLU NTK": lambda: ntk_kernel(X)}
    if X.shape[1] < 100:
        shifted = X + X.dtype.type(1e4)
        found |= {
            "ReLU NTK, columns shifted by 1e4": lambda: ntk_kernel(shifted),
            "z^2 1{z>=0} NTK": lambda: ntk_kernel(X, activation=RectifiedPower(2)),
            "ReLU NTK, depth 5": lambda: ntk_kernel(X, depth=5),
            "ReLU NTK, depth 5, bias": lambda: ntk_kernel(X, depth=5, bias_std=0.1),
            "erf NTK": lambda: ntk_kernel(X, activation="erf"),
            "GELU NTK": lambda: ntk_kernel(X, activation="gelu"),
            "ReLU NTK, cross, 1/10 of the columns": lambda: ntk_kernel(X, X[: len(X) // 10] + 1),
        }
    return found


FUNCTIONS = {
    "softplus": (lambda z: np.logaddexp(0, z), special.expit),
    "tanh": (np.tanh, lambda z: 4 * special.expit(2 * z) * special.expit(-2 * z)),
    "z expit(z)": (lambda z: z * special.expit(z), lambda z: special.expit(z) * (1 + z * special.expit(-z))),
    "arctan": (np.arctan, lambda z: 1 / (1 + z * z)),
    "z / (1 + |z|)": (lambda z: z / (1 + np.abs(z)), lambda z: 1 / (1 + np.abs(z)) ** 2),
    "max(z, 0)": (lambda z: np.maximum(z, 0), lambda z: 1.0 * (z > 0)),
}


def other_duals(n: int) -> None:
    """Activations whose dual is a sum over pairs of scales, and functions of a user; one thread."""
    actions: Actions = {}
    for size in (1.0, 10.0, 1000.0):
        X = size * np.random.default_rng(0).standard_normal((n, 20))
        for name in ("erf", "tanh", "softplus", "silu"):
            actions[f"{name}, size {size:g}"] = lambda X=X, name=name: ntk_kernel(X, activation=name)
        for name, parts in FUNCTIONS.items():
            activation = NumericalActivation(*parts)
            actions[f"function {name}, size {size:g}"] = lambda X=X, a=activation: ntk_kernel(X, activation=a)
    with ntklib.set_threads(1):
        times = medians(actions, 3)
    print(f"\nNTK, n = {n:,}, d = 20, float64, one thread")
    for name, seconds in times.items():
        erf = times["erf" + name[name.rindex(",") :]]
        print(f"  {name:38s} {seconds:7.3f} s   / erf {seconds / erf:6.1f}")


def entries(n: int, repeats: int) -> None:
    """What an entry costs one core: between two sets of rows, and in a symmetric Gram a pair of entries."""
    kernels = {
        "ReLU NTK": NTK(),
        "default kernel": default_kernel(),
        "erf NTK": NTK(activation="erf"),
        "GELU NTK": NTK(activation="gelu"),
    }
    for dtype in (np.float32, np.float64):
        rng = np.random.default_rng(0)
        X, Y = (rng.standard_normal((rows, 20)).astype(dtype) for rows in (2 * n, n))
        actions: Actions = {}
        for name, kernel in kernels.items():
            actions[name] = partial(kernel, X, Y)
            actions[f"{name}, symmetric"] = partial(kernel, Y)
        with ntklib.set_threads(1):
            times = processor_times(actions, repeats)
        print(
            f"\nan entry, n = {2 * n:,} and {n:,}, d = 20, {np.dtype(dtype).name}, processor time of one core"
        )
        for name in kernels:
            cross, pair = times[name] / (2 * n * n), times[f"{name}, symmetric"] / (n * (n + 1) / 2)
            print(f"  {name:38s} {cross * 1e9:6.2f} ns   symmetric, a pair {pair * 1e9:6.2f} ns")


def features(n: int, repeats: int) -> None:
    """What a feature of an entry costs one core in the Laplace kernel, all around its loop included."""
    print(f"\na feature of an entry, n = {2 * n:,} and {n:,}, float32, processor time of one core")
    for d in (20, 100):
        rng = np.random.default_rng(0)
        X, Y = (rng.standard_normal((rows, d)).astype(np.float32) for rows in (2 * n, n))
        actions: Actions = {
            f"Laplace, norm {norm}": partial(Laplace(10.0, norm=norm), X, Y) for norm in (1, 2)
        }
        with ntklib.set_threads(1):
            times = processor_times(actions, repeats)
        for name, seconds in times.items():
            print(f"  {name + f', d = {d}':38s} {seconds / (2 * n * n * d) * 1e9:6.2f} ns")


def compare(n: int, d: int, dtype: type, repeats: int) -> None:
    """One size: the floor, our kernels over it and over the ReLU NTK, and the peers over ours."""
    X = np.random.default_rng(0).standard_normal((n, d)).astype(dtype)
    others = {name: (lambda f=f: f(X)) for name, f in peers().items()}
    parts, kernels = floor_actions(X), ours(X)
    times = medians(parts | kernels | others, repeats)
    floor = min(times["gemm"], times["syrk"]) + times["fill"]
    relu = times["ReLU NTK"]
    print(f"\nn = {n:,}, d = {d}, {np.dtype(dtype).name}")
    print("  " + ", ".join(f"{name} {times[name]:.3f} s" for name in parts) + f"; floor {floor:.3f} s")
    for name in kernels:
        print(f"  {name:38s} {times[name]:7.3f} s   / floor {times[name] / floor:5.2f}   "
              f"/ ReLU NTK {times[name] / relu:5.2f}")  # fmt: skip
    for name in others:
        print(f"  {name:38s} {times[name]:7.3f} s   / ours  {times[name] / relu:5.2f}")


def main() -> None:
    """Run all sizes."""
    restart_with_kept_pages()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=None)
    options = parser.parse_args()
    ntklib.set_threads(options.threads)
    print(f"{processor()}, threads {ntklib.get_threads()}, medians of {options.repeats}")
    for d in (20, 784):
        for dtype in (np.float64, np.float32):
            compare(options.n, d, dtype, options.repeats)
    entries(options.n // 5, options.repeats)
    features(options.n // 5, options.repeats)
    other_duals(options.n // 10)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"\npeak memory of the process, peers included: {peak:.1f} GiB")


if __name__ == "__main__":
    main()
