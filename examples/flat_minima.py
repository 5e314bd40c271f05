"""Which of many minima? Sharpness-aware steps against gradient descent in a valley that widens.

python examples/flat_minima.py [--out FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ntklib.dynamics import USAM
from ntklib.lab.landscapes import WideningValley
from ntklib.lab.studies import valley_study

START = np.array([3.0, 0.0, 1.0])  # u = (3, 0), v = 1
RHOS = (0.0, 0.02, 0.05, 0.1, 0.2)


def one_start(learning_rate: float) -> None:
    """Go down from one point with several rhos, and compare the end with where small steps would lead."""
    valley = WideningValley()
    print(f"from |u| = 3, v = 1 with learning rate {learning_rate:g}; every minimum has loss 0\n")
    print(f"{'rho':>5} {'loss':>9} {'trace':>7} {'small steps':>12} {'can hold':>9}")
    for rho in RHOS:
        end = USAM(learning_rate, rho).run(valley.gradient, START, 400)[-1]
        limit = valley.trace(valley.flow_limit(START, rho))
        stable = valley.sharpest_stable(learning_rate, rho)
        print(f"{rho:>5g} {valley.value(end):>9.1e} {valley.trace(end):>7.3f} {limit:>12.3f} {stable:>9.3f}")
    print("\nrho = 0 is gradient descent; the trace of the Hessian measures how sharp the minimum is")


def main() -> None:
    """One start in detail, then many."""
    parser = argparse.ArgumentParser(description="flat minima, with and without sharpness-aware steps")
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="save the paths on the loss surface here")
    parser.add_argument("--starts", type=int, default=10, help="random starts (default: 10)")
    arguments = parser.parse_args()

    one_start(0.05)
    study = valley_study((0.02, 0.05), RHOS, n_starts=arguments.starts, steps=2000)
    print(f"\n{study.headline()}")

    if arguments.out is not None:
        from matplotlib.figure import Figure

        arguments.out.mkdir(parents=True, exist_ok=True)
        figure = Figure(figsize=(7, 4.5), layout="constrained")
        study.plot(figure.add_subplot())
        path = arguments.out / "flat_minima.png"
        figure.savefig(path, dpi=120)
        print(f"\nfigure: {path}")


if __name__ == "__main__":
    main()
