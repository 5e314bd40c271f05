"""Learning curves of kernel regression, from the kernel's eigenvalues and the target's coefficients."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, log
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh
from scipy.optimize import brentq

from ntklib._core.blocks import require_memory
from ntklib._core.text import text_table
from ntklib._core.validation import check_integer, check_integers, check_real

__all__ = ["LearningCurve", "eigenlearning_curve", "eigenlearning_from_spectrum"]


@dataclass(frozen=True, repr=False, eq=False)
class LearningCurve:
    r"""Predicted errors of kernel regression by number of training rows; from `eigenlearning_curve`.

    Errors are mean squares, summed over the outputs.  Rows of arrays are the numbers of training rows.

    Attributes
    ----------
    n_train : ndarray of int of shape (m,)
        :math:`n`.
    kappa : ndarray of shape (m,)
        :math:`\kappa`: eigenvalues far above it are learned, those far below are not.
    learnability : ndarray of shape (m, r)
        :math:`L_k = \lambda_k/(\lambda_k + \kappa)`, the share of an eigenfunction that is learned; they sum
        to n without a penalty and to less with one.
    test_error : ndarray of shape (m,)
        On rows of the whole population, those that are trained on among them.
    train_error : ndarray of shape (m,)
        On the training rows.
    unseen_error : ndarray of shape (m,)
        On rows that are not trained on: equal to ``test_error`` if the population is infinite.
    eigenvalues : ndarray of shape (r,)
        :math:`\lambda_k` of the kernel over the population, the largest first.
    power : ndarray of shape (r,)
        :math:`v_k^2`, the target's square coefficients, summed over the outputs.
    penalty : float
    noise : float
        Variance of the labels' noise, part of all three errors.
    population : float
        :math:`N`, infinite if rows are drawn from a distribution.

    Examples
    --------
    >>> from ntklib.theory import eigenlearning_from_spectrum
    >>> eigenlearning_from_spectrum([1.0] * 4, [1.0] * 4, [1, 2])
    LearningCurve(4 eigenvalues, penalty 0, infinite population)
    n train  kappa  test error  train error  unseen error
          1      3           3            0             3
          2      1           2            0             2
    """

    n_train: NDArray
    kappa: NDArray
    learnability: NDArray
    test_error: NDArray
    train_error: NDArray
    unseen_error: NDArray
    eigenvalues: NDArray
    power: NDArray
    penalty: float
    noise: float
    population: float

    def __repr__(self) -> str:
        names = ("n_train", "kappa", "test_error", "train_error", "unseen_error")
        rows = zip(*(getattr(self, name) for name in names), strict=True)
        size = "infinite population" if self.population == inf else f"population {self.population:.0f}"
        head = f"LearningCurve({self.eigenvalues.size} eigenvalues, penalty {self.penalty:g}, {size})"
        return f"{head}\n{text_table([name.replace('_', ' ') for name in names], rows)}"


def eigenlearning_curve(
    K: ArrayLike, y: ArrayLike, n_train: int | Iterable[int], *, penalty: float = 0.0
) -> LearningCurve:
    r"""Return the predicted errors of kernel regression on n of N rows, drawn without replacement.

    Kernel regression on rows S with targets :math:`y_S` predicts
    :math:`K_{\cdot S} (K_{SS} + \delta I)^{-1} y_S`.  With :math:`\lambda_k` and :math:`\phi_k` the
    eigenvalues and unit eigenvectors of K/N, :math:`v_k = \phi_k \cdot y/\sqrt N` and
    :math:`L_k = \lambda_k/(\lambda_k + \kappa)`, where :math:`\kappa` solves

    .. math:: \sum_k L_k + \frac{\delta}{\kappa} \Bigl(1 - \frac 1N \sum_k L_k\Bigr) = n ,

    the mean over S of the mean squared error on all N rows is predicted to be

    .. math::
        E = B\, \frac{q + g D_2}{q}, \quad B = \sum_k (1 - L_k)^2 v_k^2, \quad q = n - D + g (D - D_2),
        \quad D = \sum_k L_k, \quad D_2 = \sum_k L_k^2, \quad g = 1 - \frac{\delta}{N \kappa}

    that on the training rows
    :math:`E_{\mathrm{train}} = (\delta/\kappa)^2 (1 - D/N)\, B/(n q)`, and so that on the others
    :math:`(N E - n E_{\mathrm{train}})/(N - n)`.

    Parameters
    ----------
    K : array-like of shape (N, N)
        Gram matrix of the population, symmetric and positive semidefinite.
    y : array-like of shape (N,) or (N, k)
        Targets of all of its rows; noise of the labels is a part of them.
    n_train : int or iterable of int
        :math:`n`, at least 1 and less than N.
    penalty : float, default=0.0
        :math:`\delta`, not divided by the number of rows; 0 interpolates.

    Returns
    -------
    LearningCurve

    Raises
    ------
    ValueError, TypeError
        If shapes disagree, a number is not finite or out of range, or K is not symmetric or has an
        eigenvalue below 0 by more than rounding.

    Notes
    -----
    The formulas are exact in the limit of large n and N if the eigenvectors are as good as random directions,
    and an approximation, good in practice, otherwise.  As N grows at fixed eigenvalues they are those of
    Simon et al. for rows from a distribution, which `eigenlearning_from_spectrum` has as well.  Taking N for
    infinite where n is not far below it predicts errors too low: eigenvalues of N rows are those of the
    distribution for the large ones only, and cease at the N-th.

    References
    ----------
    J. B. Simon, M. Dickens, D. Karkada and M. R. DeWeese, "The eigenlearning framework: a conservation law
    perspective on kernel ridge regression and wide neural networks", TMLR 2023 (arXiv 2110.03922); for N
    infinite.  The correction for a finite population is this library's.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from ntklib import NTK
    >>> from ntklib.theory import eigenlearning_curve
    >>> X, y = load_iris(return_X_y=True)
    >>> curve = eigenlearning_curve(NTK()(X), y - y.mean(), [15, 30, 60], penalty=0.1)
    >>> curve.unseen_error.round(3)
    array([0.047, 0.037, 0.028])
    """
    K = np.asarray(K, dtype=np.float64)
    if K.ndim != 2 or K.shape[0] != K.shape[1] or not K.size:
        raise ValueError(f"K must be a square matrix, the Gram of the population; got shape {K.shape}.")
    size = K.shape[0]
    y = _finite(y, "y")
    if y.ndim not in (1, 2) or y.shape[0] != size:
        raise ValueError(f"y must hold a target for each of the {size} rows of K, got shape {y.shape}.")
    scale = float(np.abs(_finite(K, "K")).max())
    if np.abs(K - K.T).max() > 1e-8 * scale:
        raise ValueError("K is not symmetric.")
    require_memory((3, size, size), np.float64, "eigendecomposition of K", "", single=False)
    values, vectors = eigh(K / size, driver="evd", check_finite=False)
    values, vectors = values[::-1], vectors[:, ::-1]
    rounding = size * np.finfo(float).eps * max(values[0], -values[-1])
    if values[-1] < -1e4 * rounding:
        raise ValueError(f"K is not positive semidefinite: N times {values[-1]:.3g} is an eigenvalue.")
    values = np.where(values > rounding, values, 0.0)
    coefficients = vectors.T @ y / np.sqrt(size)
    penalty = check_real(penalty, "penalty", minimum=0.0)
    return _curve(values, coefficients, n_train, penalty, 0.0, float(size))


def eigenlearning_from_spectrum(
    eigenvalues: ArrayLike,
    coefficients: ArrayLike,
    n_train: int | Iterable[int],
    *,
    penalty: float = 0.0,
    noise: float = 0.0,
) -> LearningCurve:
    r"""Return the predicted errors of kernel regression on n rows drawn from a distribution.

    With the Mercer decomposition :math:`K(x, z) = \sum_k \lambda_k \phi_k(x) \phi_k(z)`, eigenfunctions of
    mean square 1, and the target :math:`\sum_k v_k \phi_k` plus noise of variance :math:`\sigma^2`,

    .. math::
        \sum_k L_k + \frac{\delta}{\kappa} = n, \qquad
        E = \frac{\sum_k (1 - L_k)^2 v_k^2 + \sigma^2}{1 - \sum_k L_k^2/n}, \qquad
        E_{\mathrm{train}} = \Bigl(\frac{\delta}{n \kappa}\Bigr)^2 E, \qquad
        L_k = \frac{\lambda_k}{\lambda_k + \kappa} .

    Parameters
    ----------
    eigenvalues : array-like of shape (r,)
        :math:`\lambda_k`, at least 0, not all 0.
    coefficients : array-like of shape (r,) or (r, k)
        :math:`v_k`.  What the eigenfunctions do not span is the coefficient of an eigenvalue 0.
    n_train : int or iterable of int
        :math:`n`, at least 1.
    penalty : float, default=0.0
        :math:`\delta`, not divided by n.
    noise : float, default=0.0
        :math:`\sigma^2`, summed over the outputs.  It is in the test error too: that is on noisy labels.

    Returns
    -------
    LearningCurve
        Its ``eigenvalues`` are sorted, the largest first.

    Raises
    ------
    ValueError, TypeError
        If shapes disagree, or a number is not finite or out of range.

    References
    ----------
    J. B. Simon, M. Dickens, D. Karkada and M. R. DeWeese, "The eigenlearning framework: a conservation law
    perspective on kernel ridge regression and wide neural networks", TMLR 2023 (arXiv 2110.03922).

    Examples
    --------
    Least squares on r equal eigenvalues, with noise alone: the error is :math:`\sigma^2 n/(n - r)`.

    >>> from ntklib.theory import eigenlearning_from_spectrum
    >>> eigenlearning_from_spectrum([1.0] * 10, [0.0] * 10, [20, 40], noise=1.0).test_error.round(12)
    array([2.        , 1.33333333])
    """
    values = _finite(eigenvalues, "eigenvalues")
    if values.ndim != 1 or not values.size or values.min() < 0 or not values.any():
        raise ValueError("eigenvalues must be a sequence of numbers of at least 0, not all 0.")
    v = _finite(coefficients, "coefficients")
    if v.ndim not in (1, 2) or v.shape[0] != values.size:
        raise ValueError(f"coefficients must be {values.size}, one an eigenvalue, got shape {v.shape}.")
    order = np.argsort(-values, kind="stable")
    penalty, noise = check_real(penalty, "penalty", minimum=0.0), check_real(noise, "noise", minimum=0.0)
    return _curve(values[order], v[order], n_train, penalty, noise, inf)


def _finite(values: Any, name: str) -> NDArray:
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} contains NaN or infinity.")
    return array


def _curve(
    values: NDArray, coefficients: NDArray, n_train: Any, penalty: float, noise: float, population: float
) -> LearningCurve:
    if isinstance(n_train, Iterable):
        sizes = check_integers(n_train, "n_train", minimum=1, example="(50, 100, 200)")
    else:
        sizes = [check_integer(n_train, "n_train", minimum=1)]
    if sizes[-1] >= population:
        raise ValueError(
            f"n_train={sizes[-1]} of {population:.0f} rows leaves none unseen; "
            f"take {population - 1:.0f} at most."
        )
    if not values.any():
        raise ValueError("K is 0: there is nothing to learn with.")
    power = np.square(coefficients).reshape(values.size, -1).sum(axis=1)
    points = [_point(values, power, n, penalty, noise, population) for n in sizes]
    kappa, learnability, test, train = (np.array(column) for column in zip(*points, strict=True))
    n = np.array(sizes)
    unseen = test if population == inf else (population * test - n * train) / (population - n)
    return LearningCurve(
        n, kappa, learnability, test, train, unseen, values, power, penalty, noise, population
    )


def _point(
    values: NDArray, power: NDArray, n: int, penalty: float, noise: float, population: float
) -> tuple[float, NDArray, float, float]:
    """Kappa, learnabilities, test error and training error of one number of rows."""
    kappa = _kappa(values, n, penalty, population)
    if kappa > 0:
        learnability, unlearned = values / (values + kappa), kappa / (values + kappa)
        pull = penalty / kappa
    else:  # no penalty, and rows enough for all that the kernel can represent: least squares
        learnability, unlearned = (values > 0).astype(float), (values == 0).astype(float)
        pull = (n - learnability.sum()) / (1 - learnability.sum() / population)
    missed = np.square(unlearned) @ power + noise
    if missed == 0:
        return kappa, learnability, 0.0, 0.0
    outside = 1 - learnability.sum() / population
    g = 1 - pull / population
    q = pull * outside + g * (learnability @ unlearned)  # the first term is n - D, without cancellation
    if q == 0:  # as many rows as eigenvalues and no penalty: noise is amplified without bound
        return kappa, learnability, inf, 0.0
    test = missed * (1 + g * np.square(learnability).sum() / q)
    return kappa, learnability, test, pull**2 * outside * missed / (n * q)


def _kappa(values: NDArray, n: int, penalty: float, population: float) -> float:
    r"""Solve for kappa.

    The equation is :math:`\sum_{k \le N} (\lambda_k + \delta/N)/(\lambda_k + \kappa) = n`, eigenvalues 0
    counted: its left side falls, and lies between values that are easily solved for.
    """
    positive = values[values > 0]
    spare = positive.size - n  # eigenvalues in excess of rows
    if penalty == 0 and spare <= 0:
        return 0.0
    each = penalty / population  # 0 if infinite
    zeros = population - positive.size

    def excess(log_kappa: float) -> float:
        kappa = np.exp(log_kappa)
        rest = penalty / kappa if population == inf else each * zeros / kappa
        return float(((positive + each) / (positive + kappa)).sum() + rest - n)

    low = max(penalty / n, positive[-1] * spare / n)
    high = (positive.sum() + penalty) / n
    # both ends may be the root itself, up to rounding
    return float(np.exp(brentq(excess, log(low) - 1e-6, log(high) + 1e-6, xtol=1e-14, rtol=1e-14)))
