"""The result of `learning_curve_study`: predicted and measured errors by number of training rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ntklib.lab.result import StudyResult, column, entry, result

from .pictures import draw_curve, draw_learnability, draw_ratio

__all__ = ["LearnabilityByMode", "LearningCurveStudy"]


@dataclass(frozen=True)
class LearnabilityByMode:
    """Shares of single eigenfunctions that kernel regression learns.

    Attributes
    ----------
    mode : ndarray of int of shape (k,)
        Numbers of some eigenfunctions, 1 that of the largest eigenvalue.
    eigenvalue : ndarray of shape (k,)
        Of the Gram matrix over the number of rows.
    power : ndarray of shape (k,)
        Share of the target's mean square that this eigenfunction has.
    predicted, measured, measured_se : ndarray of shape (m, k)
        Learnability by number of training rows: predicted, the mean of the draws and its standard error.
    """

    mode: NDArray
    eigenvalue: NDArray
    power: NDArray
    predicted: NDArray
    measured: NDArray
    measured_se: NDArray


@result(
    "learning-curve", pictures={"curve": draw_curve, "ratio": draw_ratio, "learnability": draw_learnability}
)
class LearningCurveStudy(StudyResult):
    """Predicted and measured learning curves of a kernel and of networks; from `learning_curve_study`.

    Errors are mean squares relative to the target's, on rows not trained on unless they say otherwise; means
    over the draws, NaN where a network diverged.
    """

    model: NDArray = column('"kernel" (kernel regression) or "network".')
    width: NDArray = column("Hidden units of the network, NaN for the kernel.")
    n_train: NDArray = column("Training rows.")
    error: NDArray = column("Measured error.")
    error_se: NDArray = column("Its standard error.")
    predicted: NDArray = column("Predicted error of the kernel, for rows drawn from those that there are.")
    uncorrected: NDArray = column("The same if these rows are taken for infinitely many.")
    train_error: NDArray = column("Measured on the training rows.")
    predicted_train_error: NDArray = column("Predicted for the kernel.")
    learnability: LearnabilityByMode = entry("Of single eigenfunctions, by the kernel.")
    kappa: NDArray = entry("Eigenvalue that is half learned, by number of training rows.")
    draws: Mapping[str, NDArray] = entry(
        'Draws of "error" and "train_error" of the kernel, of shape (n_sizes, n_draws), and of '
        '"network error" and "network train_error", of shape (n_widths, n_sizes, n_network_draws).'
    )
    kernel: str = entry("The kernel.")
    penalty: float = entry("Added to the diagonal of the Gram matrix of the training rows.")
    population: int = entry("Number of rows in all.")
    n_features: int = entry("Number of inputs.")
    n_draws: int = entry("Draws of training rows for the kernel.")
    network_draws: int = entry("Draws of training rows and networks.")
    random_state: int = entry("Seed.")

    def rows(self, width: float | None = None) -> NDArray:
        """Return the indices of the rows of networks of a width, or of the kernel."""
        if width is None:
            return np.flatnonzero(self.model == "kernel")
        return np.flatnonzero(self.width == width)

    @property
    def widths(self) -> NDArray:
        """Widths of the networks, ascending."""
        return np.unique(self.width[self.model == "network"])

    def headline(self) -> str:
        """Compare what is predicted with what is measured, for the kernel."""
        kernel = self.rows()
        lines = [
            f"{self.kernel} on {self.population} rows of {self.n_features} features, penalty "
            f"{self.penalty:g}; {self.n_draws} draws of training rows, the others unseen",
            "relative errors, measured / predicted / predicted for infinitely many rows:",
        ]
        lines += [
            f"  {self.n_train[i]:>6} rows  {self.error[i]:.4f} +- {self.error_se[i]:.4f} / "
            f"{self.predicted[i]:.4f} / {self.uncorrected[i]:.4f}"
            for i in kernel
        ]
        for width in self.widths:
            over = self.error[self.rows(width)] / self.error[kernel] - 1
            lines.append(
                f"networks of width {width:.0f}: error {over.min():+.1%} to {over.max():+.1%} of the kernel's"
            )
        return "\n".join(lines)
