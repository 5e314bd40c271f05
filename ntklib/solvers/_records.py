"""What a solve returns: frozen records, and the warning that goes with a poor one."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgWarning


class IllConditionedWarning(LinAlgWarning):
    """The system is singular, or nearly, at working precision; the message says what to do."""


@dataclass(frozen=True)
class Solution:
    """Solution of (K + penalty W^{-1}) a = b, with what it took to get it.

    Attributes
    ----------
    value : ndarray of shape (n, k)
        The solution a, always float64.
    outcome : {"ok", "ill-conditioned", "jittered"}
        "ill-conditioned": solved as asked, but `condition` exceeds 1/eps, so digits mean little. "jittered":
        the system was not positive definite to working precision and `jitter` was added to the diagonal.
    method : str
        The factorisation used.
    penalty : float
        The penalty asked for.
    jitter : float
        What was added to the penalty; 0 unless `outcome` is "jittered".
    residual : float
        Largest over the columns of |A a - b| / |b| in the Euclidean norm, weighted by sqrt(w), for the
        system asked for (without jitter).
    condition : float
        Condition number of the weighted system W^{1/2} K W^{1/2} + (penalty + jitter) I: an estimate in the
        1-norm from Cholesky, exact in the 2-norm from the eigendecomposition.
    dtype : numpy.dtype
        Precision of the factorisation.
    refinements : int
        Steps of iterative refinement taken (float32 factorisations only).
    """

    value: np.ndarray
    outcome: str
    method: str
    penalty: float
    jitter: float
    residual: float
    condition: float
    dtype: np.dtype
    refinements: int = 0


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
        (K + penalty W^{-1})^{-1} 1, which the leave-one-out formula and the standard deviation need; None
        without intercept.
    solution : Solution or None
        Record of the solve; None for the points of a path.
    loo_prediction : ndarray of shape (n, k) or None
        Prediction of each unit by the fit on all the others, when asked for.
    degrees_of_freedom : float or None
        Trace of the matrix that maps targets to fitted values, intercept included; for the points of a path.
    jitter : float
        What was added to the penalty.
    """

    penalty: float
    dual_coef: np.ndarray
    intercept: np.ndarray
    ones: np.ndarray | None
    solution: Solution | None = None
    loo_prediction: np.ndarray | None = None
    degrees_of_freedom: float | None = None
    jitter: float = 0.0


def warn_poor(outcome: str, jitter: float, condition: float, scale: float, stacklevel: int = 4) -> None:
    """Warn about a system that is not positive definite, or barely, to working precision."""
    if outcome == "ok":
        return
    floor = scale * 1e-12
    if outcome == "jittered":
        what = f"is not positive definite to working precision; {jitter:.2g} was added to its diagonal"
    else:
        what = f"has condition number {condition:.1e}, so its solution has no correct digits to speak of"
    warnings.warn(
        f"The kernel system {what}. Raise the penalty to {floor:.2g} or more, or remove duplicate samples.",
        IllConditionedWarning,
        stacklevel=stacklevel,
    )
