"""A table of 300,000 rows: how many centres a kernel regression needs, and what that costs.

The demand of a made-up city for electricity, by the hour, the weekend, the temperature, the wind and the
price. An exact fit would need the kernel matrix of all rows, 335 GiB in float32; M centres take M^2 numbers.

    python examples/many_rows.py [--rows 300000] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from ntklib import NTKRegressor
from ntklib.solvers import Nystrom

NOISE = 0.3


def demand(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows in float32, on scales of about 1, and noisy demands."""
    rng = np.random.default_rng(seed)
    hour, day = rng.uniform(0, 24, n), rng.uniform(0, 365, n)
    weekend, wind, price = rng.random(n) < 2 / 7, rng.gamma(2.0, 1.0, n), rng.normal(size=n)
    temperature = 12 - 10 * np.cos(2 * np.pi * day / 365) + 4 * np.sin(2 * np.pi * (hour - 9) / 24)
    temperature += 4 * rng.standard_normal(n)
    people = np.exp(-(((hour - 8) / 2) ** 2)) * ~weekend + 1.2 * np.exp(-(((hour - 19) / 3) ** 2))
    heating, cooling = np.maximum(15 - temperature, 0) / 10, np.maximum(temperature - 22, 0) / 5
    y = 2 * people * (1 - 0.1 * price) + heating * (1 + 0.3 * wind / (1 + wind)) + cooling**1.5
    clock = 2 * np.pi * hour / 24
    columns = [np.sin(clock), np.cos(clock), temperature / 10 - 1.2, weekend, wind - 2, price]
    return np.column_stack(columns).astype(np.float32), y + NOISE * rng.standard_normal(n)


def main() -> None:
    """Fit with more and more centres, compare with an exact fit of few rows, and draw if asked to."""
    parser = argparse.ArgumentParser(description="kernel regression on a table of many rows")
    parser.add_argument("--rows", type=int, default=300_000, help="rows to learn from")
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="save the errors as a figure here")
    options = parser.parse_args()

    X, y = demand(options.rows, seed=0)
    new, truth = demand(min(20_000, options.rows), seed=1)
    few = min(2000, options.rows)
    exact = NTKRegressor(alpha=0.1, solver="cholesky").fit(X[:few], y[:few])
    base = np.sqrt(np.mean((exact.predict(new) - truth) ** 2))
    print(f"{len(y):,} rows, noise {NOISE}; an exact fit of {few:,} of them has error {base:.3f}\n")
    print(f"{'centres':>8} {'seconds':>8} {'error':>7}   share of the kernel that they lack")
    centres = [M for M in (50, 100, 200, 400, 800) if options.rows >= 4 * M]
    errors = []
    for M in centres:
        start = time.perf_counter()
        model = NTKRegressor(alpha=0.1, solver=Nystrom(M)).fit(X, y)
        seconds = time.perf_counter() - start
        errors.append(np.sqrt(np.mean((model.predict(new) - truth) ** 2)))
        print(f"{M:8,} {seconds:8.1f} {errors[-1]:7.3f}   {model.solve_.lack:.2%}")

    share = errors[-1] / base
    print(f"\nall rows on {M:,} centres have {share:.2f} times the error of {few:,} rows and an exact fit")
    if options.out is not None:
        save_errors(centres, errors, few, base, len(y), options.out)


def save_errors(centres, errors, few: int, base: float, n: int, folder: Path) -> None:
    """Draw the error against the number of centres into a file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    ax = figure.add_subplot()
    ax.plot(centres, errors, "o-", label=f"{n:,} rows, M centres")
    ax.axhline(base, color="C1", linestyle="--", label=f"{few:,} rows, exact")
    ax.axhline(NOISE, color="0.4", linestyle=":", label="the noise itself")
    ax.set(xscale="log", xlabel="centres M", ylabel="root mean squared error on new rows")
    ax.set_xticks(centres, [str(M) for M in centres])
    ax.minorticks_off()
    ax.set_title("Few centres of many rows, or all of few")
    ax.legend(frameon=False)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "many-rows.png", dpi=150)
    print(f"\nfigure: {folder / 'many-rows.png'}")


if __name__ == "__main__":
    main()
