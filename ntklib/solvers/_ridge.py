r"""Kernel ridge regression with weights, an unpenalised intercept and exact leave-one-out.

The fit minimises, over functions f of the kernel's space and constants b,

.. math:: \sum_i w_i (y_i - f(x_i) - b)^2 + \lambda \|f\|^2 .

With :math:`M = (K + \lambda W^{-1})^{-1}` and :math:`C = M - M 1 1^T M / (1^T M 1)` (without an intercept C
= M) the dual coefficients are C y. Since C 1 = 0, any constant may be taken off y first; the weighted mean
is, so that a large offset costs no digits.

The residuals are :math:`(I - H) y = \lambda W^{-1} C y`. A unit of weight :math:`w_i = k_i c_i` stands for
:math:`k_i` copies, which share :math:`H_{ii}` equally; the error in predicting one of them from all else,
its twins included, is

.. math:: \frac{((I - H) y)_i}{1 - H_{ii}/k_i} = \frac{k_i\, ((I - H) y)_i}{k_i - 1 + (I - H)_{ii}}
          = \frac{(\lambda/c_i)\, (C y)_i}{k_i - 1 + (\lambda/c_i)\, C_{ii}/k_i} .

The last form subtracts nothing, and is :math:`(C y)_i / C_{ii}` for one copy, also without a penalty.

A system that is singular to working precision has the limit of all this for a vanishing penalty. With P the
projection on the null space of S = W^{1/2} K W^{1/2} and A the inverse on the rest, M is P / lambda + A in
the scaled system: where P counts, it alone does, and elsewhere A. The coefficients leave P out, which adds
nothing to the function.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ._contract import Factorization
from ._records import RidgeFit


def ridge(factorization: Factorization, y, penalty: float, *, fit_intercept: bool = True) -> RidgeFit:
    """Fit at one penalty.

    Parameters
    ----------
    factorization : Factorization
        Of the Gram matrix with its weights.
    y : array of shape (n, k)
    penalty : float
        Nonnegative.
    fit_intercept : bool, default=True
        Fit an unpenalised constant.

    Returns
    -------
    RidgeFit

    Raises
    ------
    ValueError
        If shapes disagree or the penalty is negative.

    References
    ----------
    C. Saunders, A. Gammerman and V. Vovk, "Ridge regression learning algorithm in dual variables", ICML 1998.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.solvers import CholeskyFactor, ridge
    >>> fit = ridge(CholeskyFactor(np.eye(3)), np.array([[1.0], [2.0], [6.0]]), 1.0)
    >>> fit.dual_coef.ravel().round(12).tolist(), fit.intercept.round(12).tolist()
    ([-1.0, -0.5, 1.5], [3.0])
    """
    factor = factorization.at(penalty)
    centre, rhs = _right_hand_sides(factor, y, fit_intercept)
    solution = factor.solve(rhs, penalty)
    lost = _Lost.of(factor, rhs, penalty, fit_intercept)
    return replace(_fit(factor, solution.value, lost, centre, penalty, fit_intercept), solution=solution)


def leave_one_out(factorization: Factorization, y, fit: RidgeFit, *, counts=None) -> np.ndarray:
    r"""Predict each unit by the fit on all else: on the other units, and on its own copies but one.

    .. math:: y_i - \frac{(\lambda/c_i)\, (C y)_i}{k_i - 1 + (\lambda/c_i)\, C_{ii}/k_i},
              \qquad c_i = w_i / k_i,

    with w the weights of the factorisation and k the counts; :math:`y_i - (C y)_i / C_{ii}` for one copy.

    Parameters
    ----------
    factorization : Factorization
        The one `fit` was made with.
    y : array of shape (n, k)
    fit : RidgeFit
    counts : array of shape (n,), default=None
        How many copies each unit stands for, at least 1; its weight is their sum. None is one each.

    Returns
    -------
    ndarray of shape (n, k)
        With an intercept and a single copy of a single unit nothing is left to fit: NaN.

    Raises
    ------
    ValueError
        If a count is less than 1, or their shape is another.

    References
    ----------
    G. H. Golub, M. Heath and G. Wahba, "Generalized cross-validation as a method for choosing a good ridge
    parameter", Technometrics 21, 1979.

    Examples
    --------
    The same value twice and another, with nothing but the mean to predict by:

    >>> import numpy as np
    >>> from ntklib.solvers import CholeskyFactor, leave_one_out, ridge
    >>> y, counts = np.array([[1.0], [4.0]]), [2, 1]
    >>> factor = CholeskyFactor(np.zeros((2, 2)), weights=counts)
    >>> leave_one_out(factor, y, ridge(factor, y, 1.0), counts=counts).ravel().round(12).tolist()
    [2.5, 1.0]
    """
    counts = _checked(counts, factorization.n)
    factor, intercept = factorization.at(fit.penalty), fit.ones is not None
    _, rhs = _right_hand_sides(factor, y, intercept)
    lost = _Lost.of(factor, rhs, fit.penalty, intercept)
    return _left_out(factor, y, fit, lost, factor.inverse_diagonal(fit.penalty), counts)


def half_constant(factorization: Factorization, penalty: float) -> tuple[np.ndarray, float]:
    r"""The half solve of the constant, (r,), and :math:`1^T (K + \lambda W^{-1})^{-1} 1`.

    What the variance of an intercept is made of. Where the system is singular and no function of the kernel's
    space is constant on the units, the second number grows as the penalty vanishes.
    """
    factor = factorization.at(penalty)
    ones = np.ones((factor.n, 1))
    half = factor.half_solve(ones, penalty)[:, 0]
    lost = _Lost.of(factor, np.column_stack([ones, ones]), penalty, True).whole
    with np.errstate(divide="ignore", over="ignore"):
        beyond = np.divide(lost, penalty) if lost > 0 else 0.0
    return half, float(half @ half + beyond)


def ridge_path(
    factorization: Factorization, y, penalties, *, fit_intercept: bool = True, counts=None
) -> Iterator[RidgeFit]:
    """Fits with leave-one-out predictions and degrees of freedom along a path of penalties, one at a time.

    Parameters
    ----------
    factorization : Factorization
        Of the Gram matrix with its weights. An :class:`EigenFactor` serves all penalties at once;
        :class:`CholeskyFactor` factors for each, and is exact whatever the sizes of the weights.
    y : array of shape (n, k)
    penalties : array of shape (p,)
    fit_intercept : bool, default=True
    counts : array of shape (n,), default=None
        How many copies each unit stands for, as in :func:`leave_one_out`.

    Yields
    ------
    RidgeFit
        In the order of `penalties`.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.solvers import EigenFactor, ridge_path
    >>> path = ridge_path(EigenFactor(np.eye(3)), np.array([[1.0], [2.0], [6.0]]), [1.0])
    >>> [fit.loo_prediction.ravel().round(12).tolist() for fit in path]
    [[4.0, 3.5, 1.5]]
    """
    penalties = np.atleast_1d(np.asarray(penalties, dtype=np.float64))
    counts = _checked(counts, factorization.n)
    centre, rhs = _right_hand_sides(factorization, y, fit_intercept)
    path = factorization.path(rhs, penalties)
    for penalty, (factor, values, diagonal) in zip(penalties, path, strict=True):
        lost = _Lost.of(factor, rhs, penalty, fit_intercept)
        fit = _fit(factor, values, lost, centre, penalty, fit_intercept)
        rank = factor.n - lost.basis.shape[1]
        freedom = rank - float((penalty * diagonal / _weights(factor)).sum())
        if lost.whole > 0:
            freedom += 1.0
        elif fit.ones is not None:
            share = fit.ones / fit.ones.sum()
            freedom += float(share @ (penalty * fit.ones / _weights(factor)))
        left_out = _left_out(factor, y, fit, lost, diagonal, counts)
        yield replace(fit, loo_prediction=left_out, degrees_of_freedom=freedom)


def _right_hand_sides(factorization, y, fit_intercept) -> tuple[np.ndarray, np.ndarray]:
    """The constants taken off the columns of y, and [y - centre, 1] (y alone without intercept)."""
    y = np.asarray(y, dtype=np.float64)
    if y.ndim != 2 or len(y) != factorization.n:
        raise ValueError(f"y must have shape ({factorization.n}, k), got {y.shape}.")
    if not fit_intercept:
        return np.zeros(y.shape[1]), y
    centre = np.average(y, axis=0, weights=None if factorization.root is None else factorization.root**2)
    return centre, np.column_stack([y - centre, np.ones(len(y))])


def _weights(factor: Factorization) -> np.ndarray:
    return np.ones(factor.n) if factor.root is None else factor.root**2


@dataclass(frozen=True)
class _Lost:
    """Part that a singular system cannot fit, in the null space of the scaled matrix; else empty."""

    basis: np.ndarray  # (n, n - rank)
    targets: np.ndarray  # coordinates of W^{1/2} (y - centre)
    constant: np.ndarray  # those of W^{1/2} 1; 0 if the kernel's functions make a constant on the units

    @classmethod
    def of(cls, factor: Factorization, rhs: np.ndarray, penalty: float, fit_intercept: bool) -> _Lost:
        basis = factor.null_space(penalty)
        coordinates = basis.T @ factor._weigh(rhs)
        if not fit_intercept:
            return cls(basis, coordinates, np.zeros(basis.shape[1]))
        targets, constant = coordinates[:, :-1], coordinates[:, -1]
        reached = constant @ constant <= factor.blur * _weights(factor).sum()
        return cls(basis, targets, np.zeros_like(constant) if reached else constant)

    @property
    def whole(self) -> float:
        """Square of the length of the constant's part."""
        return float(self.constant @ self.constant)


def _fit(factor, values, lost: _Lost, centre, penalty, fit_intercept) -> RidgeFit:
    """Coefficients, intercept and residual from M [y - centre, 1]."""
    ones, dual, shift = None, values, np.zeros(len(centre))
    if fit_intercept:
        ones = values[:, -1]
        if lost.whole > 0:
            shift = lost.constant @ lost.targets / lost.whole
        else:
            shift = values[:, :-1].sum(axis=0) / ones.sum()
        dual = values[:, :-1] - np.outer(ones, shift)
    weights = _weights(factor)[:, None]
    unfitted = lost.basis @ (lost.targets - np.outer(lost.constant, shift))
    residual = penalty * dual / weights + unfitted / np.sqrt(weights)
    return RidgeFit(float(penalty), dual, centre + shift, ones, residual=residual)


def _checked(counts, n: int) -> np.ndarray:
    """Counts as floats of shape (n, 1)."""
    counts = np.ones(n) if counts is None else np.asarray(counts, dtype=np.float64)
    if counts.shape != (n,) or not (np.isfinite(counts).all() and counts.min() >= 1):
        raise ValueError(f"counts must be {n} finite numbers, none below 1.")
    return counts[:, None]


def _left_out(
    factor: Factorization, y, fit: RidgeFit, lost: _Lost, diagonal: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    assert fit.residual is not None
    dual, weights = fit.dual_coef, _weights(factor)
    free = np.einsum("ij,ij->i", lost.basis, lost.basis)  # diagonal of I - H where a unit is not fitted
    if fit.ones is not None and lost.whole > 0:
        along = lost.basis @ lost.constant
        free = free - along**2 / lost.whole
        along = along * np.sqrt(weights) / lost.whole
        dual = dual - np.outer(along, dual.sum(axis=0))
        diagonal = diagonal - 2 * along * fit.ones + along**2 * fit.ones.sum()
    elif fit.ones is not None:
        diagonal = diagonal - fit.ones * (fit.ones / fit.ones.sum())
    if fit.ones is not None and factor.n == 1:  # C = 0, of which rounding would leave something
        free, diagonal = np.zeros(1), np.where(counts[0] > 1, 0.0, np.nan)
    unfitted = free > factor.blur
    free = np.where(unfitted, free, fit.penalty * diagonal / weights)[:, None]
    by_residual = (counts > 1) | unfitted[:, None]
    error = np.where(by_residual, counts * fit.residual, dual)
    error = error / np.where(by_residual, counts - 1 + free, diagonal[:, None])
    return np.asarray(y, dtype=np.float64) - error
