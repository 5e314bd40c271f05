"""Regression on a real table: kernel and penalty chosen by exact leave-one-out, error bars, a held-out test.

python examples/regression.py [--out FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ntklib import NTKRegressorCV


def main() -> None:
    """Fit, say what was chosen and how well it predicts, and draw the leave-one-out path if asked to."""
    parser = argparse.ArgumentParser(description="NTK regression on scikit-learn's diabetes data")
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="save the leave-one-out path here")
    out = parser.parse_args().out

    X, y = load_diabetes(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    model = make_pipeline(StandardScaler(), NTKRegressorCV()).fit(X_train, y_train)
    regressor = model[-1]

    print(f"diabetes: {len(X_train)} patients to train, {len(X_test)} to test, {X.shape[1]} features")
    kernel = regressor.kernel_
    print(f"\nchosen of {len(set(map(id, regressor.cv_results_['param_kernel'])))} kernels:")
    print(f"  {type(kernel).__name__} of depth {kernel.depth}, bias_std {kernel.bias_std:.3g}")
    print(f"  penalty {regressor.alpha_:.3g}")

    print("\nits leave-one-out error (root mean square) along the path of penalties:")
    path = regressor.loo_path_
    for alpha, score in sorted(zip(path.alphas, path.scores, strict=True)):
        error = np.sqrt(-score)
        mark = "  <- chosen" if alpha == regressor.alpha_ else ""
        print(f"  {alpha:10.3g}  {error:6.1f}{mark}")

    print(f"\nR^2 on the test patients: {model.score(X_test, y_test):.3f}")
    mean, std = model.predict(X_test, return_std=True, include_noise=True)
    print("\n  truth  prediction")
    for truth, value, spread in list(zip(y_test, mean, std, strict=True))[:5]:
        print(f"  {truth:5.0f}  {value:5.0f} +- {spread:.0f}")
    print(f"within 2 standard deviations: {np.mean(abs(y_test - mean) < 2 * std):.0%} of the test patients")

    if out is not None:
        save_path(model, out)


def save_path(model, folder: Path) -> None:
    """Draw the leave-one-out paths of all kernels into a file."""
    from matplotlib.figure import Figure

    from ntklib.plotting import LeaveOneOutPathDisplay

    folder.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    LeaveOneOutPathDisplay.from_estimator(model, ax=figure.add_subplot())
    figure.savefig(folder / "leave-one-out-path.png", dpi=150)
    print(f"\nfigure: {folder / 'leave-one-out-path.png'}")


if __name__ == "__main__":
    main()
