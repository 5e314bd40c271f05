"""Early stopping in place of a ridge penalty: a network linearised at its start, and one of infinite width.

python examples/early_stopping.py [--out FOLDER]

With the square loss one eigendecomposition per fold tells how well every number of iterations, from one to a
million, predicts patients that were left out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ntklib import NTK, NTKRegressor, NTKRegressorCV, TangentRegressor, TangentRegressorCV
from ntklib.networks import TwoLayerNet

SETTINGS = {"bias_std": 1.0, "input_scaling": "fan_in"}
KERNEL = NTK(**SETTINGS)
NETWORK = TwoLayerNet(256, **SETTINGS)


def standardised(model) -> TransformedTargetRegressor:
    """The model on features and targets of mean 0 and deviation 1: a tangent model has no intercept."""
    return TransformedTargetRegressor(make_pipeline(StandardScaler(), model), transformer=StandardScaler())


def main() -> None:
    """Stop in time, say when, and compare with ridge and with training to the end."""
    parser = argparse.ArgumentParser(
        description="early stopping of tangent models on scikit-learn's diabetes data"
    )
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="save the stopping paths here")
    out = parser.parse_args().out

    X, y = load_diabetes(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    contenders = {
        "infinite width, stopped": TangentRegressorCV(kernel=KERNEL),
        "infinite width, ridge": NTKRegressorCV(KERNEL, fit_intercept=False),
        "infinite width, interpolated": NTKRegressor(KERNEL, alpha=0.0, fit_intercept=False),
        "network of 256, stopped": TangentRegressorCV(NETWORK, random_state=0),
        "network of 256, watched": TangentRegressor(
            NETWORK, early_stopping=True, max_iter=20_000, random_state=0
        ),
    }
    fitted = {name: standardised(model).fit(X_train, y_train) for name, model in contenders.items()}

    print(f"diabetes: {len(X_train)} patients to train, {len(X_test)} to test")
    print(f"\n{'R^2 on the test patients':>34}   iterations")
    for name, model in fitted.items():
        iterations = getattr(model.regressor_[-1], "n_iter_", None)
        print(f"{name:28} {model.score(X_test, y_test):5.3f} {iterations or '':>12}")

    stopped = fitted["infinite width, stopped"].regressor_
    path = stopped[-1].stopping_path_
    print("\nheld-out squared error along training, infinite width (half of it, a patient):")
    for steps, score in list(zip(path.max_iters, path.scores, strict=True))[::2]:
        print(f"  {steps:9,} iterations  {-score:6.4f}")
    print(f"  {path.max_iter:9,} iterations  {-path.best_score:6.4f}  <- chosen")

    transformed = stopped[:-1].transform(X_test[:5])
    mean, std = stopped[-1].predict(transformed, return_std=True)
    unit = np.std(y_train)
    print("\ntrained networks of infinite width differ, by their random starts:")
    for value, spread in zip(np.mean(y_train) + unit * mean, unit * std, strict=True):
        print(f"  {value:5.0f} +- {spread:.0f}")

    if out is not None:
        save_paths(
            {name: model.regressor_ for name, model in fitted.items() if name.endswith("stopped")}, out
        )


def save_paths(models: dict, folder: Path) -> None:
    """Draw how well each number of iterations predicts, for every model, into a file."""
    from matplotlib.figure import Figure

    from ntklib.plotting import StoppingPathDisplay

    folder.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    for ax, (name, model) in zip(figure.subplots(1, len(models)), models.items(), strict=True):
        StoppingPathDisplay.from_estimator(model, ax=ax)
        ax.set_title(name.split(",")[0])
    figure.savefig(folder / "stopping-paths.png", dpi=150)
    print(f"\nfigure: {folder / 'stopping-paths.png'}")


if __name__ == "__main__":
    main()
