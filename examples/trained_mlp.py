"""The tangent kernel of a network that scikit-learn trains, and ridge regression with it, epoch by epoch.

python examples/trained_mlp.py [--out FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.neural_network import MLPRegressor

from ntklib import EmpiricalNTK, NTKRegressorCV
from ntklib.networks import MLP

EPOCHS = (0, 1, 2, 5, 10, 20, 40, 80)
OPTIONS = {"hidden_layer_sizes": (100,), "alpha": 0.01, "random_state": 0}


def data(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A function of one direction in twenty dimensions, with a kink, and noise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 20))
    return X, np.abs(X[:, :4].sum(axis=1)) / 2 + 0.1 * rng.standard_normal(n)


def snapshots(X: np.ndarray, y: np.ndarray) -> dict[int, MLPRegressor]:
    """The network after some epochs of training; steps of size 1e-300 leave it where it starts."""
    networks = {0: MLPRegressor(**OPTIONS, learning_rate_init=1e-300).partial_fit(X, y)}
    for epoch in EPOCHS[1:]:
        trained = MLPRegressor(**OPTIONS, learning_rate_init=0.01)
        for _ in range(epoch):
            trained.partial_fit(X, y)
        networks[epoch] = trained
    return networks


def alignment(kernel: np.ndarray, y: np.ndarray) -> float:
    """Cosine between the kernel and y y^T, both centred: 1 if the kernel knows nothing but the target."""
    y, kernel = y - y.mean(), kernel - kernel.mean(axis=0)
    kernel = kernel - kernel.mean(axis=1, keepdims=True)
    return float(y @ kernel @ y / (y @ y) / np.linalg.norm(kernel))


def main() -> None:
    """Follow the kernel through training."""
    parser = argparse.ArgumentParser(description="the tangent kernel of a network that scikit-learn trains")
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="save the figure here")
    out = parser.parse_args().out

    (X, y), (X_test, y_test) = data(300, 0), data(1000, 1)
    print(f"{len(X)} samples, {X.shape[1]} features, 100 hidden units; R^2 on {len(X_test)} other samples\n")
    print(f"{'epochs':>6} {'network':>8} {'its kernel':>11} {'alignment':>10} {'change of the kernel':>21}")
    start, rows = None, []
    for epoch, trained in snapshots(X, y).items():
        network, params = MLP.from_sklearn(trained)
        kernel = network.ntk(params, X)
        start = kernel if start is None else start
        change = float(np.linalg.norm(kernel - start) / np.linalg.norm(start))
        machine = NTKRegressorCV([EmpiricalNTK(network, params)]).fit(X, y)
        row = trained.score(X_test, y_test), machine.score(X_test, y_test), alignment(kernel, y), change
        rows.append(row)
        print(f"{epoch:>6} {row[0]:>8.3f} {row[1]:>11.3f} {row[2]:>10.3f} {100 * change:>19.0f} %")
    infinite = NTKRegressorCV().fit(X, y).score(X_test, y_test)
    print(f"\nregression with kernels of infinite width: {infinite:.3f}")
    print(f"with the kernel of the trained network:    {rows[-1][1]:.3f}")

    if out is not None:
        save(out, np.array(rows), infinite)


def save(folder: Path, rows: np.ndarray, infinite: float) -> None:
    """Draw scores, alignment and change against epochs into a file."""
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(9.5, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    places = np.arange(len(EPOCHS))
    left.plot(places, np.maximum(rows[:, 0], 0), "o-", label="the network (below 0 drawn at 0)")
    left.plot(places, rows[:, 1], "s-", label="ridge regression with its kernel")
    left.axhline(infinite, color="0.5", linestyle="--", label="kernels of infinite width")
    left.set_ylim(-0.05, 1.25)  # with room for the legend
    left.set_ylabel("$R^2$ on new samples")
    right.plot(places, rows[:, 2], "o-", label="alignment with the target")
    right.plot(places, rows[:, 3], "s-", label="relative change since the start")
    right.set_ylabel("of the tangent kernel")
    for ax in (left, right):
        ax.set_xticks(places, [str(epoch) for epoch in EPOCHS])
        ax.set_xlabel("epochs of training")
        ax.legend(frameon=False, loc="upper left")
    figure.savefig(folder / "trained-mlp.png", dpi=150)
    print(f"\nfigure: {folder / 'trained-mlp.png'}")


if __name__ == "__main__":
    main()
