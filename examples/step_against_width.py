"""A step size tuned on a narrow network: where it serves a wide one, and where it ruins it.

python examples/step_against_width.py [--out FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import StandardScaler

from ntklib.dynamics import Adam, GradientDescent, Optimizer, train
from ntklib.lab.studies import ParameterizationStudy, parameterization_study
from ntklib.networks import TwoLayerNet

WIDTHS = (64, 256, 1024)
STEPS = 15


OPTIMIZERS = {"gradient descent": GradientDescent(), "Adam": Adam()}


def transfer(study: ParameterizationStudy, optimizer: Optimizer, X: np.ndarray, y: np.ndarray) -> None:
    """Train the widest network with the step that was best for the narrowest, and with its own."""
    narrow, wide = WIDTHS[0], WIDTHS[-1]
    print(f"\nwidth {wide} after {STEPS} steps, loss left with the best step size of")
    print(f"{'':<10} {f'width {narrow}':>10} {f'width {wide}':>11}")
    for name in study.parameterizations:
        rates = study.best_step[study.parameterization == name]
        net = TwoLayerNet(wide, parameterization=name)
        params = net.init(X.shape[1], random_state=1)
        target = y + net.apply(params, X)  # outputs count from where they start
        left = []
        for rate in (rates[0], rates[-1]):
            run = train(net, X, target, params=params, optimizer=optimizer, learning_rate=rate, steps=STEPS)
            lost = run.status == "diverged" or run.loss[-1] > run.loss[0]
            left.append("diverges" if lost else f"{run.loss[-1] / run.loss[0]:.3f}")
        print(f"{name:<10} {left[0]:>10} {left[1]:>11}")


def main() -> None:
    """Measure, compare with theory, and use what was learned."""
    parser = argparse.ArgumentParser(description="step sizes against the width of a network")
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="save the step sizes against width here")
    out = parser.parse_args().out

    X, y = load_diabetes(return_X_y=True)
    X, y = StandardScaler().fit_transform(X)[:40], (y[:40] - y[:40].mean()) / y[:40].std()
    studies = {}
    for name, optimizer in OPTIMIZERS.items():
        study = parameterization_study(X, y, WIDTHS, optimizer=optimizer, n_draws=4, steps=STEPS)
        print(f"\n{name}: {study.headline()}")
        transfer(study, optimizer, X, y)
        studies[name] = study

    if out is not None:
        from matplotlib.figure import Figure

        out.mkdir(parents=True, exist_ok=True)
        figure = Figure(figsize=(10, 8), layout="constrained")
        for row, (name, study) in zip(figure.subplots(2, 2), studies.items(), strict=True):
            for ax, parameterization in zip(row, ("standard", "mup"), strict=True):
                study.plot(ax, picture=f"sweep-{parameterization}")
                ax.set_title(f"{name}, {parameterization}")
        path = out / "step-transfer.png"
        figure.savefig(path, dpi=90)
        print(f"\nfigure: {path}")


if __name__ == "__main__":
    main()
