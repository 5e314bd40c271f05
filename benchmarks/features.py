"""Features of a deep NTK: chosen rows of the data against random sketches, at equal numbers and seconds.

    pip install ".[bench]"
    python benchmarks/features.py                         everything (about twenty minutes on one core)
    python benchmarks/features.py --data smooth20 --features 250 2000   and 1,000, always

The kernel is the NTK of three hidden layers of ReLU with bias.  Contenders:

nystrom      NystromFeatures: kernel values on centres chosen among the training rows, whitened
sketch       the kernel's recursion in random features, layer by layer: arc-cosine features of degree 1 give
             the covariances, of degree 0 the derivatives, and the product of the latter with the layer before
             is a tensor sketch (Zandieh, Han, Avron, Shoham, Kim and Shin, "Scaling neural tangent kernels
             via sketching and random features", NeurIPS 2021, algorithm 2); with a quarter and with half of
             the features for the covariances of the last layer
gradients    TangentFeatures: gradients of a random network of width 256, projected

Data: tables of ``many_rows_tables.py``, and a smooth function with noise of 20 or 100 normal columns.
Printed are the seconds of processor time, on one thread, of the features of the training rows and a ridge fit
to them; the relative error of the kernel matrix of 1,000 new rows in the Frobenius norm; and the error of the
fit on 5,000 new rows, 1 - R^2, with the penalty chosen on a tenth of the training rows.  Then, for each
contender, the best of what takes no longer than nystrom does with 1,000 features.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from many_rows_tables import PENALTIES, TABLES, Split, load, ridge
from scipy import fft, sparse
from timing import processor

import ntklib
from ntklib import NTK, ArcCosineFeatures, NystromFeatures, TangentFeatures
from ntklib.networks import MLP

SETTINGS = {"weight_std": 2**0.5, "bias_std": 1.0, "input_scaling": "fan_in"}
KERNEL = NTK(depth=3, **SETTINGS)
NEW, PAIRS, BLOCK, WIDTH, REFERENCE = 5000, 1000, 2048, 256, 1000


class SketchFeatures:
    """Random features of the kernel, right on average up to what the layers before err.

    A share of the m features is for the covariances of the last layer, the rest for the tensor sketch.
    """

    def __init__(self, m: int, share: float, seed: int = 0) -> None:
        self.m, self.n_neurons, self.rng = m, int(share * m), np.random.default_rng(seed)

    def fit(self, X: np.ndarray) -> SketchFeatures:
        self.layers: list[tuple[Any, ...]] = []
        n_sketch = self.m - self.n_neurons - 1
        psi, phi = self._first(X[:10]), self._first(X[:10])
        for _ in range(KERNEL.depth):
            options = {"sampling": "sphere", "random_state": self.rng}
            maps = [ArcCosineFeatures(degree, self.n_neurons, **options) for degree in (1, 0)]
            hashes = [self._hash(n, n_sketch) for n in (self.n_neurons, phi.shape[1])]
            self.layers.append((*(own.fit(psi) for own in maps), *hashes))
            psi, phi = self._next(psi, phi, *self.layers[-1])
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        return np.concatenate(list(self._blocks(X)))

    def _blocks(self, X: np.ndarray) -> Iterator[np.ndarray]:
        for start in range(0, len(X), BLOCK):
            psi = phi = self._first(X[start : start + BLOCK])
            for layer in self.layers:
                psi, phi = self._next(psi, phi, *layer)
            yield phi

    def _first(self, X: np.ndarray) -> np.ndarray:
        """Features whose products are the covariance of the first layer, w^2 <x, z> / d + b^2."""
        return with_bias(np.float32(KERNEL.weight_std / X.shape[1] ** 0.5) * X)

    def _next(self, psi, phi, relu, step, hash_step, hash_phi):
        """Features of the covariance and of the kernel, one layer further."""
        scale = np.float32(KERNEL.weight_std)
        spectra = (fft.rfft(values, axis=1) for values in (step.transform(psi) @ hash_step, phi @ hash_phi))
        product = fft.irfft(np.multiply(*spectra), n=hash_phi.shape[1], axis=1)
        psi = with_bias(scale * relu.transform(psi))
        return psi, np.hstack([psi, scale * product])

    def _hash(self, rows: int, columns: int) -> sparse.csr_array:
        """Count sketch: each of the rows goes to a random column, with a random sign."""
        signs = self.rng.choice(np.array([-1, 1], np.float32), rows)
        places = np.arange(rows), self.rng.integers(columns, size=rows)
        return sparse.csr_array((signs, places), shape=(rows, columns))


def with_bias(X: np.ndarray) -> np.ndarray:
    """Rows with one more column, the bias."""
    return np.hstack([X, np.full((len(X), 1), KERNEL.bias_std, np.float32)])


CONTENDERS: dict[str, Callable[[int], Any]] = {
    "nystrom": lambda m: NystromFeatures(KERNEL, m),
    "sketch 1/4": lambda m: SketchFeatures(m, 0.25),
    "sketch 1/2": lambda m: SketchFeatures(m, 0.5),
    "gradients": lambda m: TangentFeatures(MLP((WIDTH,) * KERNEL.depth, **SETTINGS), n_components=m),
}


def smooth(d: int, rows: int) -> Split:
    """Normal rows, and a smooth function with noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows + NEW, d), dtype=np.float32)
    y = np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.1 * rng.standard_normal(len(X))
    return X[:rows], y[:rows], X[rows:], y[rows:]


DATA: dict[str, Callable[[int], Split]] = {
    **{name: lambda rows, name=name: load(name, rows) for name in TABLES},
    "smooth20": lambda rows: smooth(20, rows),
    "smooth100": lambda rows: smooth(100, rows),
}


def measure(map_: Any, split: Split) -> tuple[float, float, float]:
    """Seconds, error of the kernel and of the fit."""
    X, y, new, truth = split
    start = time.process_time()
    Z = map_.fit(X).transform(X).astype(float)
    rows = np.random.default_rng(0).permutation(len(X))
    held_out, rest = rows[: len(X) // 10], rows[len(X) // 10 :]
    weights, level = ridge(Z[rest], y[rest])
    best = np.argmin(np.mean((Z[held_out] @ weights + level - y[held_out, None]) ** 2, axis=0))
    seconds = time.process_time() - start
    Z = map_.transform(new[:NEW]).astype(float)
    guesses, truth = Z @ weights[:, best] + level[best], truth[:NEW]
    exact, pairs = KERNEL(new[:PAIRS].astype(float)), Z[:PAIRS]
    kernel = np.linalg.norm(pairs @ pairs.T - exact) / np.linalg.norm(exact)
    return seconds, float(kernel), float(np.mean((guesses - truth) ** 2) / np.mean((truth - y.mean()) ** 2))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = ["flights", "census", "smooth20", "smooth100"]
    parser.add_argument("--data", nargs="+", choices=DATA, default=names)
    parser.add_argument("--features", nargs="+", type=int, default=[250, 500, 2000, 4000], metavar="M")
    parser.add_argument("--rows", type=int, default=20_000, help="training rows (default: 20,000)")
    options = parser.parse_args()
    ntklib.set_threads(1)
    print(f"{processor()}, one thread, processor time; {options.rows:,} rows, {len(PENALTIES)} penalties")
    for name in options.data:
        split = DATA[name](options.rows)
        found: dict[str, dict[int, tuple[float, float, float]]] = {}
        for contender, make in CONTENDERS.items():
            measure(make(50), tuple(part[:200] for part in split))  # compiles
            found[contender] = {}
            for m in sorted({*options.features, REFERENCE}):
                found[contender][m] = seconds, kernel, error = measure(make(m), split)
                print(
                    f"{name:10} {split[0].shape[1]:4} columns  {contender:11} {m:5} features {seconds:7.1f} s"
                    f"   kernel {kernel:.4f}   error {error:.4f}",
                    flush=True,
                )
        limit = found["nystrom"][REFERENCE][0]
        for contender, own in found.items():
            within = [values for values in own.values() if values[0] <= limit]
            best = [f"{min(column):.4f}" for column in list(zip(*within, strict=True))[1:]] or ["-", "-"]
            print(f"{name:10} within {limit:.1f} s: {contender:11} kernel {best[0]}   error {best[1]}")


if __name__ == "__main__":
    main()
