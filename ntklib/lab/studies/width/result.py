"""The result of `width_study`: a table of errors against width, its fits and its pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

from ntklib._core.validation import check_real
from ntklib.lab._power_law import PowerLaw
from ntklib.lab.studies.width.pictures import WidthStudyDisplay
from ntklib.lab.result import StudyResult

__all__ = ["WidthStudy"]


@dataclass(frozen=True, repr=False, eq=False)
class WidthStudy(StudyResult):
    """Errors of the tangent kernels of finite networks against their limit; from `width_study`.

    All errors are relative to the same norm of the limit.  Arrays have one value a width, raw draws one row
    a width.

    Attributes
    ----------
    width : ndarray of int
    error, error_se : ndarray
        Root mean square over the draws of the Frobenius norm of the error, and its standard error.
    exact_error : ndarray
        What the first is in expectation, exactly; NaN where there is no formula.
    operator_error, operator_error_se : ndarray
        The same of the operator norm.
    min_eigenvalue, min_eigenvalue_se : ndarray
        Mean over the draws of the smallest eigenvalue of the kernel matrix.
    slope, operator_slope : PowerLaw
        Of the errors against width: the exponent is -1/2 in theory.
    limit_eigenvalue : float
        Smallest eigenvalue of the limit.
    squared_errors, operator_errors, eigenvalues : ndarray of shape (n_widths, n_draws)
        The draws: squared relative Frobenius errors, relative operator errors, smallest eigenvalues.
    network : str
        The network, its widths written as m.
    n_samples, n_features, n_draws, random_state : int
    """

    study = "width"
    columns = (
        "width",
        "error",
        "error_se",
        "exact_error",
        "operator_error",
        "operator_error_se",
        "min_eigenvalue",
        "min_eigenvalue_se",
    )

    width: np.ndarray
    error: np.ndarray
    error_se: np.ndarray
    exact_error: np.ndarray
    operator_error: np.ndarray
    operator_error_se: np.ndarray
    min_eigenvalue: np.ndarray
    min_eigenvalue_se: np.ndarray
    slope: PowerLaw
    operator_slope: PowerLaw
    limit_eigenvalue: float
    squared_errors: np.ndarray
    operator_errors: np.ndarray
    eigenvalues: np.ndarray
    network: str
    n_samples: int
    n_features: int
    n_draws: int
    random_state: int

    @property
    def exact_ratio(self) -> tuple[float, float]:
        """Mean squared error over its exact expectation, pooled over the widths, with its standard error."""
        exact = np.where(self.exact_error > 0, self.exact_error, np.nan)
        ratios = self.squared_errors / (exact**2)[:, None]
        return float(ratios.mean()), float(ratios.std(ddof=1) / np.sqrt(ratios.size))

    def width_for(self, error: float) -> int:
        """Return the width at which the root-mean-square relative error is about ``error``.

        From the exact errors where they are known, else from those measured and the rate width^-1/2.

        Raises
        ------
        ValueError
            If ``error`` is not positive.
        """
        error = check_real(error, "error", minimum=0.0, strict=True)
        known = self.exact_error if np.isfinite(self.exact_error).all() else self.error
        return max(1, ceil(float((self.width * known**2).mean()) / error**2))

    def headline(self) -> str:
        """Say how fast the error falls, and how it compares with the exact expectation."""
        lines = [
            f"{self.network} at {len(self.width)} widths, {self.n_draws} draws each, on "
            f"{self.n_samples} rows of {self.n_features} features",
            f"relative error of the kernel matrix ~ width^{self.slope}",
            f"in operator norm                    ~ width^{self.operator_slope}",
        ]
        ratio, error = self.exact_ratio
        if np.isfinite(ratio):
            lines.append(f"mean squared error / exact expectation = {ratio:.4f} +- {error:.4f}")
        return "\n".join(lines)

    def plot(self, ax: Any = None) -> WidthStudyDisplay:
        """Draw the errors against width, with the fits and the exact expectation."""
        return WidthStudyDisplay.from_study(self, ax=ax)

    def plot_eigenvalue(self, ax: Any = None) -> WidthStudyDisplay:
        """Draw the smallest eigenvalue against width, with that of the limit."""
        return WidthStudyDisplay.from_study(self, ax=ax, what="eigenvalue")

    def pictures(self) -> Mapping[str, Callable[[Any], Any]]:
        """Return the drawings that `save` makes."""
        return {"error": self.plot, "eigenvalue": self.plot_eigenvalue}
