"""Weights of fits in their sum, by the predictions that these have of held-out samples.

References
----------
D. H. Wolpert, "Stacked generalization", Neural Networks 5, 1992.
L. Breiman, "Stacked regressions", Machine Learning 24, 1996.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, nnls
from scipy.special import log_softmax

from .._calibration import fit_temperature, logits, smoothed_targets

__all__ = ["log_loss_weights", "squared_error_weights"]

_PENALTY = 0.1  # on |w|^2, relative to the squared error of the best fit
_STEPS = 1000  # of the minimisation at most; ten kernels take some twenty


def squared_error_weights(residuals: NDArray) -> NDArray:
    r"""Weights of sum 1 that make the squared error of a sum of fits least, with a penalty on large ones.

    .. math:: \min_{w \ge 0} |R w|^2 + 0.1 |w|^2 \min_k |R_k|^2, \quad \sum_k w_k = 1,

    R the residuals (n, K). Of fits that are equally good, all count. The solution of nonnegative least
    squares with the sum as one more equation is a multiple of the weights.
    """
    size = np.abs(residuals).max()
    residuals = residuals / (size or 1.0)
    n, k = residuals.shape
    penalty = np.sqrt(_PENALTY * np.square(residuals).sum(axis=0).min())
    rows = np.vstack([residuals, penalty * np.eye(k), np.ones((1, k))])
    solution = nnls(rows, np.r_[np.zeros(n + k), 1.0])[0]
    return solution / solution.sum()


def log_loss_weights(
    scores: Sequence[NDArray], labels: NDArray, weights: NDArray | None, n_copies: float | None = None
) -> NDArray:
    r"""Weights w >= 0 of sum 1 of decision values, in the proportion that makes their log-loss least.

    .. math:: \min_{w \ge 0} -\sum_i \log p_i(y_i), \quad p_i = \mathrm{softmax} \sum_k w_k f_k(x_i),

    which is convex; the size of the w is the inverse of a temperature.

    Parameters
    ----------
    scores : sequence of K arrays of shape (n, 1) for two classes, else (n, n_classes)
    labels, weights, n_copies
        As of `fit_temperature`, whose smoothed targets these are.
    """
    z = np.stack([logits(f) for f in scores])
    sizes = np.abs(z).max(axis=(1, 2))
    sizes[sizes == 0] = 1.0
    z /= sizes[:, None, None]
    targets = smoothed_targets(labels, z.shape[2], n_copies)
    shares = np.ones(len(labels)) if weights is None else weights
    shares = (shares / shares.sum())[:, None]

    def loss(w: NDArray) -> tuple[float, NDArray]:
        log_p = log_softmax(np.tensordot(w, z, 1), axis=1)
        slope = shares * (np.exp(log_p) - targets)
        return -float((shares * targets * log_p).sum()), np.tensordot(z, slope, 2)

    alone = [fit_temperature(f, labels, weights, n_copies) for f in scores]
    start = sizes / alone / len(z)
    options = {"maxiter": _STEPS, "ftol": 1e-13, "gtol": 1e-9}
    solution = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(z), options=options
    ).x
    if not solution.any():  # none speaks for the labels
        solution = np.ones(len(z))
    solution = solution / sizes
    return solution / solution.sum()
