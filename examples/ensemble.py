"""How far apart are networks trained from different starts? Their law at infinite width, against real ones.

python examples/ensemble.py [--out FOLDER]

The standard deviation of the Gaussian process whose kernel is the NTK is often taken for that of an ensemble
of trained networks. It is another, and no network's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ntklib.dynamics import EnsembleTrajectory, ensemble, largest_stable_step
from ntklib.kernels import nngp_kernel, ntk_kernel
from ntklib.networks import TwoLayerNet

X = np.array([-2.0, -1.1, -0.7, 0.4, 0.9, 1.2])[:, None]
Y = np.sin(2 * X[:, 0])
GRID = np.linspace(-3, 3, 61)[:, None]
SETTINGS = {"activation": "erf", "weight_std": 1.5, "bias_std": 0.7}


def predicted(steps: list[int], learning_rate: float) -> EnsembleTrajectory:
    """The law of infinitely wide networks after gradient descent."""
    return ensemble(
        ntk_kernel(X, **SETTINGS),
        nngp_kernel(X, **SETTINGS),
        Y,
        steps,
        ntk_test=ntk_kernel(GRID, X, **SETTINGS),
        nngp_test=nngp_kernel(GRID, X, **SETTINGS),
        nngp_test_test=nngp_kernel(GRID, **SETTINGS).diagonal(),
        learning_rate=learning_rate,
    )


def trained(n_networks: int, width: int, steps: int, learning_rate: float) -> np.ndarray:
    """Outputs on the grid of networks of finite width, each trained from its own start."""
    outputs = []
    for seed in range(n_networks):
        net = TwoLayerNet(width, **SETTINGS)
        params = net.init(n_features=1, random_state=seed)
        for _ in range(steps):
            gradient = net.vjp(params, X, net.apply(params, X) - Y)
            params = net.unravel(params, net.ravel(params) - learning_rate * gradient)
        outputs.append(net.apply(params, GRID))
    return np.array(outputs)


def posterior_std(kernel) -> np.ndarray:
    """Standard deviation of a Gaussian process given exact values at X."""
    cross = kernel(GRID, X, **SETTINGS)
    explained = np.einsum("ij,ji->i", cross, np.linalg.solve(kernel(X, **SETTINGS), cross.T))
    return np.sqrt(np.maximum(kernel(GRID, **SETTINGS).diagonal() - explained, 0))


def main() -> None:
    """Compare the predicted standard deviation with real networks', and with two Gaussian processes'."""
    parser = argparse.ArgumentParser(description="ensembles of trained networks")
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="save the figure here")
    parser.add_argument("--networks", type=int, default=30, help="networks to train (default: 30)")
    parser.add_argument("--width", type=int, default=512, help="their hidden units (default: 512)")
    parser.add_argument("--steps", type=int, default=100, help="steps of gradient descent (default: 100)")
    arguments = parser.parse_args()

    learning_rate = largest_stable_step(ntk_kernel(X, **SETTINGS)) / 2
    law = predicted([0, arguments.steps], learning_rate)
    outputs = trained(arguments.networks, arguments.width, arguments.steps, learning_rate)
    spread = outputs.std(axis=0, ddof=1)
    curves = {
        "predicted": law.test_std[1],
        "networks": spread,
        "NTK as a GP": posterior_std(ntk_kernel),
        "NNGP": posterior_std(nngp_kernel),
    }
    error = 1 / np.sqrt(2 * (len(outputs) - 1))
    print(
        f"standard deviation after {arguments.steps} steps; {len(outputs)} networks of width "
        f"{arguments.width} (standard error {100 * error:.0f} %)\n"
    )
    print(f"{'x':>6}" + "".join(f"{name:>14}" for name in curves))
    for i in range(0, len(GRID), 10):
        print(f"{GRID[i, 0]:>6.1f}" + "".join(f"{curve[i]:>14.3f}" for curve in curves.values()))
    ratio = np.median(curves["NTK as a GP"] / curves["predicted"])
    print(f"\nthe NTK as a Gaussian process says {ratio:.1f} times as much as any trained ensemble has")

    if arguments.out is not None:
        save(arguments.out, law, outputs, curves)


def save(folder: Path, law: EnsembleTrajectory, outputs: np.ndarray, curves: dict[str, np.ndarray]) -> None:
    """Draw the networks in the predicted band, and the standard deviations beside one another."""
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    x = GRID[:, 0]
    left.plot(x, outputs[:12].T, color="#7d8590", linewidth=0.7, alpha=0.7)
    mean, std = law.test_mean[1], law.test_std[1]
    left.fill_between(
        x, mean - 2 * std, mean + 2 * std, color="#3b7dd8", alpha=0.25, label="predicted, 2 std"
    )
    left.plot(x, mean, color="#3b7dd8", linewidth=2, label="predicted mean")
    left.plot(X[:, 0], Y, "o", color="black", markersize=5, label="data")
    left.set(title="networks trained from different starts", xlabel="x")
    styles = {
        "predicted": {"color": "#3b7dd8", "linewidth": 2.5},
        "networks": {"color": "#7d8590", "marker": "o", "markersize": 3.5, "linewidth": 0},
        "NTK as a GP": {"color": "#e0702f", "linestyle": "--"},
        "NNGP": {"color": "#2f9e6e", "linestyle": ":", "linewidth": 2},
    }
    for name, curve in curves.items():
        right.plot(x, curve, label=name, **styles[name])
    right.set(title="standard deviation", xlabel="x", ylim=(0, None))
    for ax in (left, right):
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False)
    figure.savefig(folder / "ensemble.png", dpi=150)
    print(f"\nfigure: {folder / 'ensemble.png'}")


if __name__ == "__main__":
    main()
