"""Four parameterisations of one network: where their tangent kernels start, and how far training moves them.

python examples/parameterizations.py [--out FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import StandardScaler

import ntklib
from ntklib.networks import TwoLayerNet

WIDTHS = (64, 256, 1024)
NAMES = ("ntk", "standard", "mean_field", "mup")
STEPS = 30


def build(name: str, width: int) -> TwoLayerNet:
    """A tanh network whose two copies start at f = 0, so that every parameterisation starts alike."""
    return TwoLayerNet(width, activation="tanh", parameterization=name, symmetric=True)


def train(net: TwoLayerNet, X: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Gradient descent on |f - y|^2/2; the loss it leaves, how much Theta changed, and Theta_0's size.

    Each array has its own multiple of one learning rate, which is set by the kernel at the start.  Kernel and
    change are those that training sees: weighted by the same multiples.
    """
    params = net.init(X.shape[1], random_state=0)
    start = net.ntk(params, X, weighted=True)
    largest = float(np.linalg.eigvalsh(start)[-1])
    multipliers = net.step_multipliers
    steps = np.concatenate([np.full(params[name].size, multipliers[name]) for name in params])  # as in ravel
    for _ in range(STEPS):
        gradient = net.vjp(params, X, net.apply(params, X) - y)
        params = net.unravel(params, net.ravel(params) - steps * gradient / (2 * largest))
    loss = float(np.sum((net.apply(params, X) - y) ** 2) / np.sum(y**2))
    change = net.ntk(params, X, weighted=True) - start
    return loss, float(np.linalg.norm(change) / np.linalg.norm(start)), largest


def main() -> None:
    """Train every parameterisation at every width and print what happened to its kernel."""
    parser = argparse.ArgumentParser(description="parameterisations of a two-layer network")
    parser.add_argument(
        "--out", metavar="FOLDER", type=Path, help="save the kernels' change against width here"
    )
    out = parser.parse_args().out

    X, y = load_diabetes(return_X_y=True)
    X, y = StandardScaler().fit_transform(X)[:40], (y[:40] - y[:40].mean()) / y[:40].std()
    X /= np.sqrt(X.shape[1])
    print(f"{len(X)} patients, {STEPS} steps of gradient descent, learning rate 1/(2 lambda_max)\n")

    changes: dict[str, list[float]] = {name: [] for name in NAMES}
    print(
        f"{'parameterisation':<17} {'width':>6} {'lambda_max':>11} {'to limit':>9} {'loss left':>10} "
        f"{'change':>8}"
    )
    for name in NAMES:
        for width in WIDTHS:
            net = build(name, width)
            with ntklib.set_threads(1):  # the products are small
                loss, change, largest = train(net, X, y)
            changes[name].append(change)
            distance = f"{100 * to_limit(net, X):.1f} %" if name != "standard" else "none"
            print(
                f"{name:<17} {width:>6} {largest:>11.3g} {distance:>9} {loss:>10.3f} {100 * change:>6.2f} %"
            )
    print("\nfrom the narrowest network to the widest the kernel's change shrinks by the factor")
    for name, values in changes.items():
        print(f"  {name:<11} {values[0] / values[-1]:6.1f}")
    print("With one hidden layer mean_field and mup are the same network, written in two ways.")

    if out is not None:
        save(out, changes)


def to_limit(net: TwoLayerNet, X: np.ndarray) -> float:
    """Relative distance of the kernel at the start from its limit at infinite width."""
    limit = net.limit_kernel()(X)
    kernel = net.ntk(net.init(X.shape[1], random_state=0), X, weighted=True)
    return float(np.linalg.norm(kernel - limit) / np.linalg.norm(limit))


def save(folder: Path, changes: dict[str, list[float]]) -> None:
    """Draw the relative change of the kernel against width into a file."""
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    ax = figure.add_subplot()
    for (name, values), style in zip(changes.items(), ("o-", "s-", "D-", "x--"), strict=True):
        ax.loglog(WIDTHS, values, style, markersize=8, label=name)
    ax.set_xticks(WIDTHS, [str(width) for width in WIDTHS])
    ax.set_xticks([], minor=True)
    ax.set_xlabel("width")
    ax.set_ylabel("relative change of the tangent kernel in training")
    ax.legend(frameon=False)
    figure.savefig(folder / "parameterizations.png", dpi=150)
    print(f"\nfigure: {folder / 'parameterizations.png'}")


if __name__ == "__main__":
    main()
