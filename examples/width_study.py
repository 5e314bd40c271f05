"""How wide is wide? Tangent kernels of random networks against their limit, on handwritten digits.

python examples/width_study.py [--out FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.preprocessing import StandardScaler

from ntklib.kernels import RectifiedPower
from ntklib.lab.studies import width_study
from ntklib.networks import MLP, TwoLayerNet
from ntklib.theory import ntk_variance

WIDTHS = (64, 256, 1024)
DRAWS = 40


def main() -> None:
    """Compare measured errors with the exact formula, activations with each other, shallow nets with deep."""
    parser = argparse.ArgumentParser(description="tangent kernels of finite networks against their limit")
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="save the errors against width here")
    out = parser.parse_args().out

    X = StandardScaler().fit_transform(load_digits().data)[:100]
    study = width_study(X, WIDTHS, n_draws=DRAWS)
    print(study)

    print("\nhidden neurons for a relative error of 1 %, from the exact variance:")
    for degree in (1, 2, 3):
        for output_init in ("gaussian", "rademacher"):
            law = ntk_variance(X, width=1, degree=degree, output_init=output_init)
            print(f"  z^{degree} for z >= 0, {output_init:10} output weights: {law.width_for(0.01):>10,}")

    print("\nexponent of the width, -1/2 in theory:")
    for title, network in (
        ("squared ReLU", TwoLayerNet(1, activation=RectifiedPower(2))),
        ("two layers, biases", MLP((1, 1), weight_std=1.4, bias_std=0.1)),
        ("mean-field, erf", TwoLayerNet(1, activation="erf", parameterization="mean_field")),
    ):
        slope = width_study(X, WIDTHS, network=network, n_draws=DRAWS).slope
        print(f"  {title:18} {slope.exponent:.3f} +- {slope.standard_error:.3f}")

    if out is not None:
        save_errors(study, out)


def save_errors(study, folder: Path) -> None:
    """Draw the errors against width into a file."""
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    study.plot(figure.add_subplot())
    figure.savefig(folder / "width-study.png", dpi=150)
    print(f"\nfigure: {folder / 'width-study.png'}")


if __name__ == "__main__":
    main()
