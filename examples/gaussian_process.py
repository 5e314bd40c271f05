"""A Gaussian process with an NTK: scikit-learn's regressor learns the kernel's hyperparameters.

The kernels are ``sklearn.gaussian_process.kernels.Kernel`` objects with analytic gradients, so they add,
multiply and train like scikit-learn's own.

    python examples/gaussian_process.py [--out FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from ntklib import NNGP, NTK


def data(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy values of a wave whose pitch rises, with a gap in the middle."""
    rng = np.random.default_rng(seed)
    x = np.sort(np.concatenate([rng.uniform(-2, -0.4, n // 2), rng.uniform(0.4, 2, n - n // 2)]))
    return x[:, None], wave(x) + 0.1 * rng.standard_normal(n)


def wave(x: np.ndarray) -> np.ndarray:
    """The truth behind the data."""
    return np.sin(2 * x + 0.5 * x**2)


def main() -> None:
    """Fit three Gaussian processes, compare evidence and predictions, and draw one if asked to."""
    parser = argparse.ArgumentParser(description="NTK and NNGP inside GaussianProcessRegressor")
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="save the fit as a figure here")
    out = parser.parse_args().out

    X, y = data(60, seed=0)
    grid = np.linspace(-2.5, 2.5, 101)[:, None]
    kernels = {
        "NTK": NTK(depth=2, weight_std=1.5, bias_std=0.5) + WhiteKernel(0.1),
        "NNGP, erf": NNGP(activation="erf", weight_std=1.5, bias_std=0.5) + WhiteKernel(0.1),
        "RBF": ConstantKernel() * RBF() + WhiteKernel(0.1),
    }
    inside = np.abs(grid[:, 0]) <= 2
    print(f"{len(X)} noisy points of sin(2x + x^2/2), none between -0.4 and 0.4\n")
    print(f"{'kernel':<10} {'log evidence':>12} {'error':>8} {'noise':>7}   learned")
    models = {}
    for name, kernel in kernels.items():
        model = models[name] = GaussianProcessRegressor(kernel, random_state=0).fit(X, y)
        error = np.sqrt(np.mean((model.predict(grid[inside]) - wave(grid[inside, 0])) ** 2))
        noise = np.sqrt(model.kernel_.k2.noise_level)
        learned = {
            h.name: f"{np.exp(theta):.3g}"
            for h, theta in zip(model.kernel_.k1.hyperparameters, model.kernel_.k1.theta, strict=True)
        }
        text = ", ".join(f"{key} {value}" for key, value in learned.items())
        evidence = model.log_marginal_likelihood_value_
        print(f"{name:<10} {evidence:12.1f} {error:8.3f} {noise:7.3f}   {text}")

    _, std = models["NTK"].predict(np.array([[0.0], [1.0]]), return_std=True)
    print(
        f"\nstandard deviation of the NTK's prediction in the gap {std[0]:.2f}, among the points {std[1]:.2f}"
    )
    if out is not None:
        save_fit(models["NTK"], X, y, grid, out)


def save_fit(model, X, y, grid, folder: Path) -> None:
    """Draw data, truth, prediction and two standard deviations around it into a file."""
    from matplotlib.figure import Figure

    mean, std = model.predict(grid, return_std=True)
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    ax = figure.add_subplot()
    ax.fill_between(grid[:, 0], mean - 2 * std, mean + 2 * std, alpha=0.2, label="two standard deviations")
    ax.plot(grid[:, 0], mean, label="prediction")
    ax.plot(grid[:, 0], wave(grid[:, 0]), "--", color="0.4", label="truth")
    ax.plot(X[:, 0], y, ".", color="black", label="data")
    ax.set(xlabel="x", ylabel="y", title=f"log evidence {model.log_marginal_likelihood_value_:.1f}")
    ax.legend(frameon=False)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "gaussian-process.png", dpi=150)
    print(f"\nfigure: {folder / 'gaussian-process.png'}")


if __name__ == "__main__":
    main()
