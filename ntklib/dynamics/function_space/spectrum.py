"""A Gram matrix in its eigenbasis, and the largest step size that its largest eigenvalue allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh
from scipy.sparse.linalg import ArpackError, eigsh

from ntklib._core.blocks import row_blocks
from ntklib._core.validation import check_integer, check_real
from ntklib.solvers import EigenFactor

from ..losses import Loss, as_loss
from .filters import Filter

_STRIP = 256  # rows compared at once
_SMALL = 1000  # rows up to which the largest eigenvalue is computed directly


@dataclass(frozen=True, eq=False)
class Spectrum:
    r"""The weighted Gram matrix :math:`S = W^{1/2} K W^{1/2} = Q \Lambda Q^T` and its numerical rank.

    Eigenvalues up to rounding are 0: training does not move the model along their eigenvectors.
    """

    eigenvalues: NDArray
    vectors: NDArray
    root: NDArray | None  # W^{1/2}, None for ones

    @classmethod
    def of(cls, K: ArrayLike | EigenFactor, sample_weight: ArrayLike | None = None) -> Spectrum:
        """Decompose a Gram matrix, or take its decomposition."""
        if isinstance(K, EigenFactor):
            if sample_weight is not None:
                raise ValueError("give the sample weights to the EigenFactor: it holds them already.")
            factor = K
        else:
            factor = EigenFactor(check_gram(K), weights=sample_weight)
        values = factor.eigenvalues
        return cls(np.where(values > factor.cut, values, 0.0), factor.vectors, factor.root)

    @property
    def weights(self) -> NDArray | None:
        """Sample weights."""
        return None if self.root is None else np.square(self.root)

    def factors(self) -> tuple[NDArray, NDArray]:
        r"""P and D of shape (n, rank): K = P P^T, and P b = K a for a = D b.

        With w - w_0 = b in the basis of the singular vectors of J: f = f_0 + P b and |b| = |w - w_0|.
        """
        active = self.eigenvalues > 0
        sizes, vectors = np.sqrt(self.eigenvalues[active]), self.vectors[:, active]
        return self.unscaled(vectors * sizes), self.scaled(vectors / sizes)

    def scaled(self, rows: NDArray) -> NDArray:
        """W^{1/2} rows, for rows of shape (n, ...)."""
        return rows if self.root is None else rows * self.root.reshape(-1, *[1] * (rows.ndim - 1))

    def unscaled(self, rows: NDArray) -> NDArray:
        """W^{-1/2} rows, for rows of shape (n, ...)."""
        return rows if self.root is None else rows / self.root.reshape(-1, *[1] * (rows.ndim - 1))

    def filtered(self, filters: Callable[[NDArray], Filter], ridge: float, n_times: int) -> Filter:
        r"""Residual factor :math:`1 - l g` and gain g of every eigenvalue l, (n_times, n).

        The filter is that of :math:`s = l + \lambda`; on the kernel the residual stays and the gain is 0.
        """
        l = self.eigenvalues  # noqa: E741
        active = l > 0
        remaining, gain = np.ones((n_times, len(l))), np.zeros((n_times, len(l)))
        s = l[active] + ridge
        decay, gain[:, active] = filters(s)
        remaining[:, active] = (ridge + l[active] * decay) / s
        return Filter(remaining, gain)


def check_gram(K: ArrayLike) -> NDArray:
    """A square, symmetric, finite matrix, float32 kept."""
    gram = np.asarray(K)
    if gram.dtype not in (np.float32, np.float64):
        gram = gram.astype(np.float64)
    if gram.ndim != 2 or gram.shape[0] != gram.shape[1] or not gram.size:
        raise ValueError(
            f"K must be a square matrix, got shape {gram.shape}; coupled outputs, (n, k, n, k), are reshaped "
            "to (n k, n k) and y raveled."
        )
    if not np.isfinite(gram).all():
        raise ValueError("K contains NaN or infinity: check the inputs and the kernel.")
    tolerance = 100 * np.finfo(gram.dtype).eps * max(gram.max(), -gram.min())
    for rows in row_blocks(len(gram), _STRIP):  # no second matrix
        if np.abs(gram[rows] - gram[:, rows].T).max() > tolerance:
            raise ValueError("K is not symmetric; give the kernel of the training samples with themselves.")
    return gram


def largest_stable_step(
    K: ArrayLike | EigenFactor,
    *,
    momentum: float = 0.0,
    ridge: float = 0.0,
    loss: str | Loss = "squared_error",
    n_outputs: int = 1,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Return the step size below which gradient descent is stable.

    .. math:: \eta_{\max} = \frac{2 (1 + \mu)}{M \lambda_{\max} + \lambda}

    with M the smoothness of the loss and :math:`\lambda` the ridge penalty. On the square loss (M = 1)
    descent converges if and only if the step is below. On other smooth losses every smaller step decreases
    the penalised loss without momentum, and is locally stable with it; larger ones may still be.

    Parameters
    ----------
    K : array of shape (n, n), or EigenFactor
        Gram matrix.
    momentum : float, default=0.0
        mu, at least 0 and less than 1.
    ridge : float, default=0.0
    loss : str or Loss, default="squared_error"
    n_outputs : int, default=1
        Outputs, on which the smoothness of the log-loss depends.
    sample_weight : array of shape (n,), default=None

    Returns
    -------
    float
        Infinity if K and the penalty are 0.

    Raises
    ------
    ValueError
        If the loss is not smooth (absolute error: no constant step converges), or a parameter out of range.

    References
    ----------
    B. Polyak (1964), "Some methods of speeding up the convergence of iteration methods".

    Examples
    --------
    >>> from ntklib.dynamics import largest_stable_step
    >>> round(largest_stable_step([[3.0, 1.0], [1.0, 3.0]]), 12), largest_stable_step([[4.0]], momentum=0.5)
    (0.5, 0.75)
    """
    momentum, ridge = check_momentum(momentum), check_real(ridge, "ridge", minimum=0)
    smoothness = as_loss(loss).smoothness(check_integer(n_outputs, "n_outputs", minimum=1))
    if not np.isfinite(smoothness):
        raise ValueError(
            f"{as_loss(loss).name} is not smooth: a constant step ends in oscillations of its own size; "
            "choose a small one, or average."
        )
    if isinstance(K, EigenFactor):
        top = float(Spectrum.of(K, sample_weight).eigenvalues[-1])
    else:
        gram = check_gram(K)
        if sample_weight is not None:
            root = np.sqrt(np.asarray(sample_weight, dtype=np.float64))
            gram = root[:, None] * gram * root
        top = top_eigenvalue(gram.astype(np.float64, copy=False))
    return stable_step(smoothness * top + ridge, momentum)


def check_momentum(momentum: Any) -> float:
    """A float in [0, 1)."""
    momentum = check_real(momentum, "momentum", minimum=0)
    if momentum >= 1:
        raise ValueError(f"momentum must be less than 1, got {momentum}: the iteration would never settle.")
    return momentum


def check_step(learning_rate: float, curvature: float, momentum: float) -> float:
    """A positive step that is stable for a quadratic of this largest curvature."""
    learning_rate = check_real(learning_rate, "learning_rate", minimum=0, strict=True)
    bound = stable_step(curvature, momentum)
    if learning_rate >= bound:
        raise ValueError(
            f"learning_rate={learning_rate:.6g} diverges: it must be less than the largest stable step, "
            f"{bound:.6g} = 2 (1 + momentum)/(largest eigenvalue + ridge)."
        )
    return learning_rate


def stable_step(curvature: float, momentum: float) -> float:
    """Largest stable step of the heavy ball on a quadratic of this largest curvature."""
    return 2 * (1 + momentum) / curvature if curvature > 0 else np.inf


def top_eigenvalue(gram: NDArray) -> float:
    """Largest eigenvalue of a Gram matrix, by Lanczos' method if it is large."""
    n = len(gram)
    if n > _SMALL:
        try:
            return float(eigsh(gram, 1, v0=np.ones(n), return_eigenvectors=False)[0])
        except ArpackError:  # not converged, or a start that the matrix sends to zero
            pass
    return max(float(eigh(gram, eigvals_only=True, subset_by_index=[n - 1, n - 1])[0]), 0.0)
