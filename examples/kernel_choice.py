"""Which activation, how deep? Leave-one-out on handwritten digits, and the kernels as functions of the angle.

python examples/kernel_choice.py [--out FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.preprocessing import StandardScaler

from ntklib import NTK, NTKClassifierCV

ANGLES = np.array([0, 15, 30, 60, 90, 120, 180])


def build(activation: str, depth: int) -> NTK:
    """The kernel under trial: He weights, a bias, and inputs scaled by their number."""
    return NTK(depth, activation, weight_std=np.sqrt(2), bias_std=0.3, input_scaling="fan_in")


def against_angle(kernel: NTK, n_features: int) -> np.ndarray:
    """The kernel of two rows of standardised size at the given angles, relative to coincident ones."""
    radians = np.radians(ANGLES)
    rows = np.zeros((len(ANGLES), n_features))
    rows[:, 0], rows[:, 1] = np.cos(radians), np.sin(radians)
    rows *= np.sqrt(n_features)
    return kernel(rows[:1], rows)[0] / kernel.diag(rows[:1])


def main() -> None:
    """Score every kernel by leave-one-out, and show what it makes of angles."""
    parser = argparse.ArgumentParser(description="compare kernels on handwritten digits")
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="save kernels against angle here")
    parser.add_argument("--samples", type=int, default=400, help="digits to use (default: 400)")
    arguments = parser.parse_args()

    X, y = load_digits(return_X_y=True)
    X, y = StandardScaler().fit_transform(X)[: arguments.samples], y[: arguments.samples]
    print(f"{len(X)} digits of {X.shape[1]} pixels; leave-one-out accuracy at the best penalty\n")
    print(
        f"{'activation':<10} {'depth':>5} {'accuracy':>9}   kernel at {', '.join(map(str, ANGLES))} degrees"
    )
    scores = {}
    for activation in ("relu", "erf", "gelu", "abs", "identity"):
        for depth in (1, 3):
            kernel = build(activation, depth)
            model = NTKClassifierCV([kernel], scoring="accuracy").fit(X, y)
            scores[activation, depth] = model.best_score_
            curve = "  ".join(f"{value:5.2f}" for value in against_angle(kernel, X.shape[1]))
            print(f"{activation:<10} {depth:>5} {100 * model.best_score_:>7.1f} %   {curve}")
    activation, depth = max(scores, key=scores.__getitem__)
    print(f"\nbest here: {activation}, depth {depth}; a linear network (identity) sees only the cosine")

    if arguments.out is not None:
        save_angles(arguments.out, X.shape[1])


def save_angles(folder: Path, n_features: int) -> None:
    """Draw the kernels of depth 3 against the angle into a file."""
    from matplotlib.figure import Figure

    from ntklib.plotting import KernelAngleDisplay

    folder.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    kernels = {f"{name}, depth 3": build(name, 3) for name in ("relu", "erf", "gelu", "abs", "identity")}
    KernelAngleDisplay.from_kernels(
        kernels, norm=np.sqrt(n_features), n_features=n_features, ax=figure.add_subplot()
    )
    figure.savefig(folder / "kernel-against-angle.png", dpi=150)
    print(f"\nfigure: {folder / 'kernel-against-angle.png'}")


if __name__ == "__main__":
    main()
