"""What is left when training never stops: the kernel of a network, two kinds of digits, and a few of them.

python examples/margin.py [--out FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ntklib import NTK
from ntklib.lab.studies import implicit_bias_study

N_ROWS = 60


def main() -> None:
    """Follow the logistic loss to its largest margin, and find the same with a support vector machine."""
    parser = argparse.ArgumentParser(
        description="gradient descent without end, and the support vector machine"
    )
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="save how support vectors emerge here")
    out = parser.parse_args().out

    X, digit = load_digits(return_X_y=True)
    kept = np.flatnonzero(np.isin(digit, (3, 8)))[:N_ROWS]
    X, digit = StandardScaler().fit_transform(X)[kept], digit[kept]

    study = implicit_bias_study(X, digit, parts=["margin", "weights"], network_horizon=5)
    print(study)

    print("\nshare of the gradient that comes from the support vectors of the tangent model:")
    path = study.margin["tangent"]
    for log_time in (1, 10, 100, 1000):
        at = int(np.abs(path.log_time - log_time).argmin())
        print(f"  log t = {log_time:>4}: {path.support_share[at]:.4f}")

    # the same machine for infinite width; on samples and their mirror images it has no intercept
    kernel, signs = NTK()(X), np.where(digit == 8, 1, -1)
    machine = SVC(kernel="precomputed", C=1e10)
    machine.fit(np.block([[kernel, -kernel], [-kernel, kernel]]), np.concatenate([signs, -signs]))
    exact = set(machine.support_ % N_ROWS)
    found = set(np.flatnonzero(path.multipliers > 0))
    common = len(found & exact)
    print(f"\nof its {len(found)} support vectors, {common} are among the {len(exact)} of the NTK")

    if out is not None:
        save_shares(study, out)


def save_shares(study, folder: Path) -> None:
    """Draw the share of every sample in the gradient into a file."""
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    study.plot(figure.add_subplot(), picture="support")
    figure.savefig(folder / "margin.png", dpi=150)
    print(f"\nfigure: {folder / 'margin.png'}")


if __name__ == "__main__":
    main()
