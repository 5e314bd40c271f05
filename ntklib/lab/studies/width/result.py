"""The result of `width_study`: errors against width, with their fits."""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import NDArray

from ntklib._core.validation import check_real
from ntklib.lab.power_law import PowerLaw
from ntklib.lab.result import StudyResult, column, entry, result

from .pictures import draw_eigenvalue, draw_error

__all__ = ["WidthStudy"]


@result("width", pictures={"error": draw_error, "eigenvalue": draw_eigenvalue})
class WidthStudy(StudyResult):
    """Errors of the tangent kernels of finite networks against their limit; from `width_study`.

    All errors are relative to the same norm of the limit.  Arrays have one value a width, raw draws are of
    shape (n_widths, n_draws).
    """

    width: NDArray = column("Units of the hidden layers.")
    error: NDArray = column("Root mean square over the draws of the Frobenius norm of the error.")
    error_se: NDArray = column("Its standard error.")
    exact_error: NDArray = column("Exact expectation of ``error``; NaN where there is no formula.")
    operator_error: NDArray = column("Root mean square over the draws of the operator norm of the error.")
    operator_error_se: NDArray = column("Its standard error.")
    min_eigenvalue: NDArray = column("Mean over the draws of the smallest eigenvalue of the kernel matrix.")
    min_eigenvalue_se: NDArray = column("Its standard error.")
    slope: PowerLaw = entry("Power of the width in ``error``: -1/2 in theory.")
    operator_slope: PowerLaw = entry("Power of the width in ``operator_error``: -1/2 in theory.")
    limit_eigenvalue: float = entry("Smallest eigenvalue of the limit.")
    squared_errors: NDArray = entry("Squared relative Frobenius errors of the draws.")
    operator_errors: NDArray = entry("Relative operator errors of the draws.")
    eigenvalues: NDArray = entry("Smallest eigenvalues of the draws.")
    network: str = entry("The network, its widths written as m.")
    n_samples: int = entry("Number of rows.")
    n_features: int = entry("Number of inputs.")
    n_draws: int = entry("Number of networks a width.")
    random_state: int = entry("Seed.")

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
