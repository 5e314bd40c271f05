"""What learned features bring where few of many columns matter, and what they cost.

    python benchmarks/learned_features.py            500 and 1,000 rows (about two minutes on two cores)
    python benchmarks/learned_features.py --rows 300

Tables are simulated: 32 independent standard normal columns, of which two decide, in three ways (smooth,
multiplicative, threshold), with noise of a fifth of the signal's standard deviation. Printed are R^2 on 5,000
new rows and seconds of a fit: of ``NTKRegressorCV()``, of the same without learned features, and of the grid
of ten NTKs and NNGPs without them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

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


def simulate(signal: str, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows, the last `NEW` to judge on, and targets of unit signal variance."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((rows + NEW, COLUMNS))
    values = SIGNALS[signal](X[:, 0], X[:, 1])
    return X, values / values.std() + 0.2 * rng.standard_normal(len(X))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[500, 1000])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    X, y = simulate("smooth", 150, 0)
    ntklib.NTKRegressorCV().fit(X[:150], y[:150])  # compiles
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


if __name__ == "__main__":
    main()
