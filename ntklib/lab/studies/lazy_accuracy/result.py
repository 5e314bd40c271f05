"""The result of `lazy_study`: networks by output scale, and the linear models they are compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ntklib.lab.result import StudyResult
from ntklib.lab.studies.lazy_accuracy.pictures import LazyStudyDisplay

__all__ = ["MODELS", "LazyStudy", "LinearModel"]

MODELS = {
    "tangent": "tangent model of the network",
    "ntk": "analytic NTK",
    "random_features": "random features (output layer only)",
}
"""What the networks are compared with, and its name for people."""


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


@dataclass(frozen=True, repr=False, eq=False)
class LazyStudy(StudyResult):
    """Networks that learn features more or less, by the scale of their outputs; from `lazy_study`.

    Means over the draws; NaN at scales where a network diverged.

    Attributes
    ----------
    scale : ndarray
        The factor alpha of the outputs.
    accuracy, accuracy_se : ndarray
        Share of the test rows that the network classifies correctly, and its standard error.
    advantage, advantage_se : ndarray
        Its accuracy minus that of its own tangent model, draw by draw.
    agreement : ndarray
        Share of the test rows to which both give the same class.
    distance : ndarray
        Distance of their outputs on the test rows, relative to the tangent model's.
    sign_changes, sign_changes_se : ndarray
        Share of the hidden preactivations on the training rows with another sign at the end than at the
        start: 1 minus the stability of activations.
    kernel : ndarray
        Relative change of the tangent kernel in Frobenius norm.
    movement : ndarray
        Relative change of the parameters, ``|w_T - w_0| / |w_0|``.
    loss : ndarray
        At the end, relative to the start.
    linear_models : mapping of str to LinearModel
        "tangent", "ntk" and "random_features".
    draws : mapping of str to ndarray of shape (n_scales, n_draws)
        The draws of the columns.
    network : str
        The network, at scale 1.
    learning_rate : float
        At scale 1 in the first draw.
    steps, n_train, n_test, n_features, n_classes, n_draws, random_state : int
    """

    study = "lazy-accuracy"
    columns = (
        "scale",
        "accuracy",
        "accuracy_se",
        "advantage",
        "advantage_se",
        "agreement",
        "distance",
        "sign_changes",
        "sign_changes_se",
        "kernel",
        "movement",
        "loss",
    )

    scale: np.ndarray
    accuracy: np.ndarray
    accuracy_se: np.ndarray
    advantage: np.ndarray
    advantage_se: np.ndarray
    agreement: np.ndarray
    distance: np.ndarray
    sign_changes: np.ndarray
    sign_changes_se: np.ndarray
    kernel: np.ndarray
    movement: np.ndarray
    loss: np.ndarray
    linear_models: Mapping[str, LinearModel]
    draws: Mapping[str, np.ndarray]
    network: str
    learning_rate: float
    steps: int
    n_train: int
    n_test: int
    n_features: int
    n_classes: int
    n_draws: int
    random_state: int

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

    def plot(self, ax: Any = None) -> LazyStudyDisplay:
        """Draw the test accuracy against the scale, with the linear models'."""
        return LazyStudyDisplay.from_study(self, ax=ax)

    def plot_changes(self, ax: Any = None) -> LazyStudyDisplay:
        """Draw what changed in training against the scale: signs, kernel, parameters, outputs."""
        return LazyStudyDisplay.from_study(self, ax=ax, what="changes")

    def pictures(self) -> Mapping[str, Callable[[Any], Any]]:
        """Return the drawings that `save` makes."""
        return {"accuracy": self.plot, "changes": self.plot_changes}
