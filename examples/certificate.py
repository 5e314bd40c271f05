"""What is certain before training and what is proved by it: a network on a few wines, and three bounds.

python examples/certificate.py [--out FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

from ntklib.dynamics import integrate_flow, train
from ntklib.networks import TwoLayerNet
from ntklib.theory import lazy_certificate, path_certificate

ROWS = [0, 30, 60, 90, 130, 160]  # two wines of each cultivar
SCALES = (1.0, 10.0)


def main() -> None:
    """Certify a network at two scales, follow its flow under the bound, and check a run of descent."""
    parser = argparse.ArgumentParser(description="certificates of lazy training, before and after")
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="save the run under its bound here")
    out = parser.parse_args().out

    wines, cultivar = load_wine(return_X_y=True)
    X = StandardScaler().fit_transform(wines)[ROWS]
    y = np.where(cultivar[ROWS] == 1, 1.0, -1.0)
    for scale in SCALES:
        net = network(scale)
        params = net.init(X.shape[1], random_state=0)
        print(lazy_certificate(net, params, X, y), end="\n\n")

    # the last of the scales is certified: the flow stays below its bound, whatever the time
    certificate = lazy_certificate(net, params, X, y)
    times = np.linspace(0, 4 / certificate.rate, 5)
    flow = integrate_flow(net, X, y, times, params=params)
    print(f"gradient flow at scale {SCALES[-1]:g}: {'time':>12} {'loss':>10} {'at most':>10}")
    for time, loss, bound in zip(times, flow.loss, certificate.loss_bound(times), strict=True):
        print(f"{time:>40.4g} {loss:>10.3g} {bound:>10.3g}")
    print(f"moved by {flow.distance[-1]:.3g}, at most {certificate.distance_bound:.3g}\n")

    # nothing is certain of scale 1 beforehand, but the run itself has a bound
    read = ("min_eigenvalue", "max_eigenvalue")
    run = train(network(1.0), X, y, params=params, steps=60, record_every=1, monitor_every=5, monitors=read)
    proved = path_certificate(run)
    print("gradient descent at scale 1:")
    print(proved)
    if out is not None:
        save_run(proved, out)


def network(scale: float) -> TwoLayerNet:
    """Return a smooth network that starts at 0."""
    return TwoLayerNet(512, activation="erf", input_scaling="fan_in", symmetric=True, scale=scale)


def save_run(proved, folder: Path) -> None:
    """Draw the loss of the run under its bound into a file."""
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    proved.plot(figure.add_subplot())
    figure.savefig(folder / "certificate.png", dpi=150)
    print(f"\nfigure: {folder / 'certificate.png'}")


if __name__ == "__main__":
    main()
