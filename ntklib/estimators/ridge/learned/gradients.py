r"""The diagonal of the average gradient outer product, of which scales of the columns are made.

.. math:: M_{jj} = \frac{\sum_i w_i \sum_p (\partial_j f_p(x_i))^2}{\sum_i w_i}

References
----------
A. Radhakrishnan, D. Beaglehole, P. Pandit and M. Belkin, "Mechanism for feature learning in neural networks
and backpropagation-free machine learning models", Science 383, 2024.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ntklib._core.blocks import row_blocks, working_memory

__all__ = ["column_scales", "gradient_squares", "mean_scales", "varies"]

_ROWS = 256  # at most, in a block of gradients


def gradient_squares(
    gradients: Callable[[Any], NDArray], X: Any, n_outputs: int, weights: NDArray | None = None
) -> NDArray:
    """Average squares of the derivatives of functions, summed over these.

    Columns that are constant on the rows have 0: there is no direction of theirs in the data.

    Parameters
    ----------
    gradients : function
        Gradients at rows, (m, d, n_outputs).
    X : ndarray or CSR matrix of shape (n, d)
        The rows to average over.
    n_outputs : int
    weights : ndarray of shape (n,), default=None

    Returns
    -------
    ndarray of shape (d,)
    """
    n, d = X.shape
    weights = np.ones(n) if weights is None else weights / weights.max()
    total = np.zeros(d)
    for rows in row_blocks(n, min(_ROWS, max(1, working_memory() // (16 * d * n_outputs)))):
        slopes = gradients(X[rows]).astype(np.float64, copy=False)
        total += weights[rows] @ np.square(slopes, out=slopes).sum(axis=2)
    total /= weights.sum()
    total[~varies(X)] = 0.0
    return total


def varies(X: Any) -> NDArray:
    """Say of each column if it has two different values."""
    if sparse.issparse(X):
        return (X.max(axis=0).toarray() != X.min(axis=0).toarray()).ravel()
    return (X[:1] != X).any(axis=0)


def column_scales(squares: NDArray) -> NDArray | None:
    """Roots of the diagonal, scaled to the trace d; None where the function is constant."""
    total = squares.sum()
    if not (np.isfinite(total) and total > 0):
        return None
    return np.sqrt(squares * (len(squares) / total))


def mean_scales(scales: Sequence[NDArray | None]) -> NDArray | None:
    """Roots of the mean diagonal of some; None, which is 1, where these are."""
    known = [one for one in scales if one is not None]
    return np.sqrt(np.mean(np.square(known), axis=0)) if known else None
