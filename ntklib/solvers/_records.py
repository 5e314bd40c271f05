"""Records of solves, and the warning that goes with a poor one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgWarning

from ntklib._core.warning import warn

DOUBTFUL = 1e-2 / float(np.finfo(np.float64).eps)
"""Condition number from which on fewer than two digits are left."""


class IllConditionedWarning(LinAlgWarning):
    """The system is singular, or nearly, at working precision; the message says what to do."""


@dataclass(frozen=True)
class Solution:
    """Solution of (K + penalty W^{-1}) a = b, with what it took to get it.

    Attributes
    ----------
    value : ndarray of shape (n, k)
        The solution a, always float64.
    outcome : {"ok", "ill-conditioned", "minimum-norm"}
        "ill-conditioned": solved as asked, but with few correct digits. "minimum-norm": the system is
        singular to working precision, and a is the limit of vanishing penalty: the fit of least squares and,
        among these, of least norm.
    method : str
        The factorisation used.
    penalty : float
        The penalty asked for.
    rank : int
        Eigenvalues above rounding; less than n only if `outcome` is "minimum-norm".
    residual : float
        Largest over the columns of :math:`|A a - b| / |b|` in the Euclidean norm, weighted by sqrt(w), for
        the system asked for: what a singular one cannot fit is part of it.
    condition : float
        Condition number of the weighted system W^{1/2} K W^{1/2} + penalty I: an estimate in the 1-norm from
        Cholesky, a lower estimate in the 2-norm from the band form, exact from the eigendecomposition;
        infinite if an eigenvalue is 0.
    dtype : numpy.dtype
        Precision of the factorisation.
    refinements : int
        Steps of iterative refinement taken (float32 factorisations only).
    """

    value: np.ndarray
    outcome: str
    method: str
    penalty: float
    rank: int
    residual: float
    condition: float
    dtype: np.dtype
    refinements: int = 0

    @property
    def words(self) -> str:
        """The record in words, as estimators with ``verbose`` say it."""
        poor = "" if self.outcome == "ok" else f" ({self.outcome})"
        return (
            f"exact fit of rank {self.rank:,}{poor}, relative residual {self.residual:.1e}, condition number "
            f"{self.condition:.1e}"
        )


@dataclass(frozen=True)
class RidgeFit:
    """A kernel ridge regression at one penalty: f(x) = sum_i dual_coef_i K(x, x_i) + intercept.

    Attributes
    ----------
    penalty : float
    dual_coef : ndarray of shape (n, k)
    intercept : ndarray of shape (k,)
        Zeros where no intercept was fitted.
    ones : ndarray of shape (n,) or None
        (K + penalty W^{-1})^{-1} 1, which the leave-one-out formula needs; None without intercept. Like
        `dual_coef` without the part that is 0 as a function where the system is singular.
    solution : Solution or None
        Record of the solve; None for the points of a path.
    loo_prediction : ndarray of shape (n, k) or None
        Prediction of each unit by the fit on all the others, when asked for.
    degrees_of_freedom : float or None
        Trace of the matrix that maps targets to fitted values, intercept included; for the points of a path.
    residual : ndarray of shape (n, k) or None
        Targets minus fitted values; for the points of a path.
    """

    penalty: float
    dual_coef: np.ndarray
    intercept: np.ndarray
    ones: np.ndarray | None
    solution: Solution | None = None
    loo_prediction: np.ndarray | None = None
    degrees_of_freedom: float | None = None
    residual: np.ndarray | None = None


def warn_poor(outcome: str, rank: int, condition: float, scale: float, below: float) -> None:
    """Warn about a system that is singular, or nearly, to working precision.

    `scale` is the largest eigenvalue, `below` how far rounding has brought the least below 0.
    """
    if outcome == "ok":
        return
    if outcome == "minimum-norm":
        what = (
            f"is singular to working precision, of rank {rank}: the fit is the one of least squares and norm"
        )
    elif condition <= DOUBTFUL:
        what = f"has eigenvalues down to {-below:.2g}, by rounding, which the penalty does not make up for"
    else:
        what = f"has condition number {condition:.1e}, so its solution has few correct digits"
    advice = (
        f"Raise the penalty to {max(1e-12 * scale, 2 * below):.2g} or more, or remove duplicate samples."
        if scale
        else ("The kernel is 0 on these rows: nothing but the constant is fitted.")
    )
    warn(f"The kernel system {what}. {advice}", IllConditionedWarning)
