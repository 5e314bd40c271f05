"""What learned features bring where few of many columns matter, and what they cost.

    python benchmarks/learned_features.py            500 and 1,000 rows (about two minutes on two cores)
    python benchmarks/learned_features.py --rows 300

Tables are simulated: 32 independent standard normal columns, of which two decide, in three ways (smooth,
multiplicative, threshold), with noise of a fifth of the signal's standard deviation. Printed are R^2 on 5,000
new rows and seconds of a fit: of ``NTKRegressorCV()``, of the same without learned features, and of the grid
of ten NTKs and NNGPs without them.

Then, where a search on 300 rows is followed by a fit of 1,800, with noise of half of the signal's standard
deviation and as large: R^2 with ``learn_features="diagonal"`` at the penalty of the search, at that searched
again on all rows, as the estimators do, and at the best of eleven on the new rows.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from timing import processor

import ntklib

COLUMNS, NEW = 32, 5000

SIGNALS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "smooth": lambda a, b: np.sin(2 * a + b) + b**2 / 2,
    "multiplicative": lambda a, b: a * b,
    "threshold": lambda a, b: 1.0 * ((a > 0.3) != (b > -0.2)),
}

MODELS = {
    "default": {},
    "learn_features=None": {"learn_features": None},
    "kernels='ntk', None": {"kernels": "ntk", "learn_features": None},
}


def simulate(signal: str, rows: int, seed: int, noise: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """Rows, the last `NEW` to judge on, and targets of unit signal variance."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((rows + NEW, COLUMNS))
    values = SIGNALS[signal](X[:, 0], X[:, 1])
    return X, values / values.std() + noise * rng.standard_normal(len(X))


def penalties(search: int, rows: int, seed: int) -> None:
    """R^2 of learned scales at the penalty of a search on few rows, and of one more search on all."""
    print(f"\nsearch on {search:,} rows, fit of {rows:,}; R^2 at the penalty of")
    print(f"{'signal':16}{'noise':>6}{'the search':>12}{'all rows':>12}{'the new rows':>14}")
    for noise in (0.5, 1.0):
        for signal in SIGNALS:
            X, y = simulate(signal, rows, seed, noise)
            options = {"learn_features": "diagonal", "max_search_samples": search}
            again = ntklib.NTKRegressorCV(**options).fit(X[:rows], y[:rows])
            first = ntklib.NTKRegressorCV(**options, solver="cg").fit(X[:rows], y[:rows]).alpha_  # keeps it

            def score(alpha: float, X=X, y=y, kernel=again.kernel_) -> float:
                return (
                    ntklib.NTKRegressor(kernel, alpha=alpha).fit(X[:rows], y[:rows]).score(X[rows:], y[rows:])
                )

            best = max(score(again.alpha_ * 10.0**power) for power in np.linspace(-2, 2, 11))
            print(
                f"{signal:16}{noise:6.1f}{score(first):12.4f}{score(again.alpha_):12.4f}{best:14.4f}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[500, 1000])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    X, y = simulate("smooth", 150, 0)
    ntklib.NTKRegressorCV().fit(X[:150], y[:150])  # compiles
    print(f"{processor()}, threads {ntklib.get_threads()}")
    print(f"{'signal':16}{'rows':>6}" + "".join(f"{name:>28}" for name in MODELS))
    for rows in options.rows:
        for signal in SIGNALS:
            X, y = simulate(signal, rows, options.seed)
            cells = []
            for settings in MODELS.values():
                start = time.perf_counter()
                model = ntklib.NTKRegressorCV(**settings).fit(X[:rows], y[:rows])
                seconds = time.perf_counter() - start
                cells.append(f"{model.score(X[rows:], y[rows:]):.3f} ({seconds:.1f} s)")
            print(f"{signal:16}{rows:6}" + "".join(f"{cell:>28}" for cell in cells), flush=True)
    penalties(300, 1800, options.seed)


if __name__ == "__main__":
    main()
