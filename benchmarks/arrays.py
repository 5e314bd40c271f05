"""A fit on centres of rows on a device, over its parts and over the fit of NumPy rows.

    python benchmarks/arrays.py [--library torch] [--device cuda] [--rows 100000] [--centres 1000]

For float64 and float32 rows: seconds of the pass (centres chosen before), of its kernel values and products
alone, rows a second, and how far predictions are from those of NumPy rows, relative to the targets' spread.
``--device cuda`` needs torch with CUDA; ``--compare`` fits that many of the rows as NumPy arrays as well.
"""

from __future__ import annotations

import os

os.environ["SCIPY_ARRAY_API"] = "1"  # before SciPy is imported

import argparse
import importlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import sklearn
from timing import processor

import ntklib
from ntklib import NTK, NTKRegressor
from ntklib.solvers import Nystrom

KERNEL = NTK(depth=3, weight_std=2**0.5, bias_std=1.0, input_scaling="fan_in")


def data(n: int, d: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows and targets of a smooth function with noise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X, np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.1 * rng.standard_normal(n)


def seconds(action: Callable[[], object], wait: Callable[[], object]) -> float:
    """Time of one run, to the end of all that it has begun on the device."""
    wait()
    start = time.perf_counter()
    action()
    wait()
    return time.perf_counter() - start


def measure(library: Any, options: argparse.Namespace, dtype: str, wait: Callable[[], object]) -> None:
    """Print the figures of one precision."""
    n, d, M = options.rows, options.features, options.centres
    X, y = data(n, d)
    X = X.astype(dtype)
    solver = Nystrom(centers=X[:M], refine=False)
    model, local = (NTKRegressor(KERNEL, alpha=1.0, solver=solver) for _ in range(2))
    place = {} if options.device is None else {"device": options.device}
    x, t = library.asarray(X, **place), library.asarray(y, **place)
    few = min(n, max(2 * M, 10_000))
    model.fit(x[:few], t[:few])
    took = seconds(lambda: model.fit(x, t), wait)
    block = min(n, max(1, 2**26 // M))
    values = KERNEL(x[:block], x[:M])
    entries = seconds(lambda: KERNEL(x[:block], x[:M]), wait) * n / block
    product = seconds(lambda: values.T @ values, wait) * n / block
    predicted = seconds(lambda: model.predict(x[:few]), wait) * n / few
    print(
        f"{dtype}, n = {n:,}, d = {d}, M = {M:,}: fit {took:.2f} s, {n / took:,.0f} rows a second; kernel "
        f"values {entries:.2f} s, one product of features {product:.2f} s; predictions {predicted:.2f} s",
        flush=True,
    )
    if options.compare:
        some = min(n, options.compare)
        local_seconds = seconds(lambda: local.fit(X[:some], y[:some]), lambda: None)
        model.fit(x[:some], t[:some])
        new = data(2000, d, seed=1)[0].astype(dtype)
        own = np.asarray(model.predict(library.asarray(new, **place)).tolist())
        apart = np.abs(own - local.predict(new)).max() / y.std()
        print(
            f"  NumPy rows, n = {some:,}, {ntklib.get_threads()} threads: {some / local_seconds:,.0f} rows a "
            f"second; predictions differ by {apart:.1e} of the targets' spread at most",
            flush=True,
        )


def main() -> None:
    """Fit in both precisions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--library", default="torch")
    parser.add_argument("--device", default=None)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--features", type=int, default=20)
    parser.add_argument("--centres", type=int, default=1000)
    parser.add_argument("--compare", type=int, default=20_000, metavar="ROWS")
    options = parser.parse_args()
    library = importlib.import_module(options.library)
    wait: Callable[[], object] = lambda: None  # noqa: E731
    name = processor()
    if options.device is not None and options.device.startswith("cuda"):
        wait, name = library.cuda.synchronize, library.cuda.get_device_name(options.device)
    print(f"{options.library} {library.__version__} on {name}; NumPy rows on {processor()}", flush=True)
    with sklearn.config_context(array_api_dispatch=True):
        for dtype in ("float64", "float32"):
            measure(library, options, dtype, wait)


if __name__ == "__main__":
    main()
