"""Lazy or not? Networks scaled up train like their tangent models, scaled down they learn features.

python examples/lazy_or_not.py [--out FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sklearn.datasets import load_digits

from ntklib.lab.studies import lazy_accuracy_study, linearization_study
from ntklib.networks import TwoLayerNet


def main() -> None:
    """Compare networks with their tangent models: by width through training, by scale on new digits."""
    parser = argparse.ArgumentParser(description="networks against their tangent models")
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="save the accuracies against scale here")
    out = parser.parse_args().out
    digits = load_digits()

    X = digits.data[:60] / 16
    odd = digits.target[:60] % 2 * 2.0 - 1
    print("distance between network and tangent model in training, by power of the width:")
    for activation in ("erf", "relu"):
        network = TwoLayerNet(1, activation=activation, input_scaling="fan_in", symmetric=True)
        study = linearization_study(X, odd, (64, 256, 1024), network=network, steps=15, n_draws=4)
        powers = (
            f"{name} {law.exponent:.2f} +- {law.standard_error:.2f}" for name, law in study.slopes.items()
        )
        print(f"  {activation:5}{', '.join(powers)}")

    scales = (0.03, 0.3, 3.0)
    study = lazy_accuracy_study(digits.data, digits.target, scales, n_train=100, steps=300, n_draws=2)
    print(f"\n{study}")
    if out is not None:
        save_accuracies(study, out)


def save_accuracies(study, folder: Path) -> None:
    """Draw the test accuracies against the scale into a file."""
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    study.plot(figure.add_subplot())
    figure.savefig(folder / "lazy-or-not.png", dpi=150)
    print(f"\nfigure: {folder / 'lazy-or-not.png'}")


if __name__ == "__main__":
    main()
