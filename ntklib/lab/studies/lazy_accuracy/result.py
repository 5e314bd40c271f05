"""The result of `lazy_accuracy_study`: networks by output scale, and linear models beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ntklib.lab.result import StudyResult, column, entry, result

from .pictures import draw_accuracy, draw_changes

__all__ = ["MODELS", "LazyAccuracyStudy", "LinearModel"]

MODELS = {
    "tangent": "tangent model of the network",
    "ntk": "analytic NTK",
    "random_features": "random features (output layer only)",
}
"""Models that the networks are compared with, with their names for people."""


@dataclass(frozen=True)
class LinearModel:
    """A model that is linear in its parameters, trained for as many steps as the networks, and forever.

    Attributes
    ----------
    accuracy, accuracy_se : float
        On the test rows, mean of the draws and standard error.
    limit_accuracy, limit_accuracy_se : float
        The same after infinitely many steps.
    loss : float
        Relative to the start, mean of the draws.
    """

    accuracy: float
    accuracy_se: float
    limit_accuracy: float
    limit_accuracy_se: float
    loss: float


@result("lazy-accuracy", pictures={"accuracy": draw_accuracy, "changes": draw_changes})
class LazyAccuracyStudy(StudyResult):
    """Networks that learn features more or less, by output scale; from `lazy_accuracy_study`.

    Means over the draws; NaN at scales where a network diverged.
    """

    scale: NDArray = column("The factor alpha of the outputs.")
    accuracy: NDArray = column("Share of the test rows that the network classifies correctly.")
    accuracy_se: NDArray = column("Its standard error.")
    advantage: NDArray = column("Its accuracy minus that of its own tangent model, draw by draw.")
    advantage_se: NDArray = column("Its standard error.")
    agreement: NDArray = column("Share of the test rows to which both give the same class.")
    distance: NDArray = column("Distance of their outputs on the test rows, relative to the tangent model's.")
    sign_changes: NDArray = column(
        "Share of the hidden preactivations on the training rows with another sign at the end than at the "
        "start: 1 minus the stability of activations."
    )
    sign_changes_se: NDArray = column("Its standard error.")
    kernel: NDArray = column("Relative change of the tangent kernel in Frobenius norm.")
    movement: NDArray = column("Relative change of the parameters, ``|w_T - w_0| / |w_0|``.")
    loss: NDArray = column("At the end, relative to the start.")
    linear_models: Mapping[str, LinearModel] = entry('"tangent", "ntk" and "random_features".')
    draws: Mapping[str, NDArray] = entry("The draws of the columns, of shape (n_scales, n_draws).")
    network: str = entry("The network, at scale 1.")
    learning_rate: float = entry("At scale 1 in the first draw.")
    steps: int = entry("Number of steps.")
    n_train: int = entry("Number of training rows.")
    n_test: int = entry("Number of test rows.")
    n_features: int = entry("Number of inputs.")
    n_classes: int = entry("Number of classes.")
    n_draws: int = entry("Number of networks and splits.")
    random_state: int = entry("Seed.")

    def headline(self) -> str:
        """Compare the networks at both ends of the scale with the linear models."""
        lines = [
            f"{self.network}, {self.n_draws} draws of network and split: {self.n_train} training and "
            f"{self.n_test} test rows of {self.n_features} features, {self.n_classes} classes",
            f"test accuracy after {self.steps} steps (and after infinitely many):",
        ]
        wide = len(max(MODELS.values(), key=len))
        for name, model in self.linear_models.items():
            lines.append(
                f"  {MODELS[name]:<{wide}}  {model.accuracy:.4f} +- {model.accuracy_se:.4f}  "
                f"({model.limit_accuracy:.4f} +- {model.limit_accuracy_se:.4f})"
            )
        for index in sorted({int(np.argmin(self.scale)), int(np.argmax(self.scale))}):
            title = f"network at scale {self.scale[index]:g}"
            lines.append(
                f"  {title:<{wide}}  {self.accuracy[index]:.4f} +- {self.accuracy_se[index]:.4f}  "
                f"{self.sign_changes[index]:.1%} of the activations changed sign"
            )
        return "\n".join(lines)
