"""Choice of the preprocessing of numbers: as they are once standardised, or squashed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ntklib._core.sampling import sample_rows
from ntklib.lab.tables import Squash

MAX_ROWS = 1000
"""Rows that the two are compared on: a second or two."""

LARGE = 3.0
"""Standard deviations; where no number is larger there is nothing to draw in."""


def squash_helps(task: str, X: NDArray, y: NDArray, numbers: slice, random_state: int = 0) -> bool:
    """Say whether squashed numbers predict better than standardised ones.

    Ridge regression with the NTK of three hidden ReLU layers, the default of the estimators without a search,
    is fitted to both, of classes to +1 and -1 for each, and compared by the squared error of exact
    leave-one-out predictions at the best of 15 penalties.

    Parameters
    ----------
    task : {"regression", "classification"}
    X : ndarray of shape (n_samples, n_features)
        Preprocessed rows, of which at most 1,000 are used.
    y : ndarray of shape (n_samples,)
    numbers : slice
        Columns of standardised numbers.
    random_state : int, default=0
        Of the rows drawn.

    Returns
    -------
    bool
        False without a comparison where no number is beyond three standard deviations.
    """
    rows = sample_rows(len(X), MAX_ROWS, random_state)
    plain, target = np.array(X[rows]), y[rows]
    values = plain[:, numbers]
    if values.size == 0 or np.abs(values).max() <= LARGE or len(np.unique(target)) < 2:
        return False
    if task == "classification":
        target = np.where(target[:, None] == np.unique(target), 1.0, -1.0)
    else:
        target = target[:, None].astype(np.float64)
    squashed = plain.copy()
    squashed[:, numbers] = Squash().fit_transform(values)
    return _error(squashed, target) < _error(plain, target)


def _error(X: NDArray, y: NDArray) -> float:
    """Mean square error of leave-one-out predictions at the best penalty."""
    from ntklib.kernels import NTK
    from ntklib.solvers import EigenFactor, leave_one_out, ridge

    K = NTK(depth=3, weight_std=np.sqrt(2.0), bias_std=1.0, input_scaling="fan_in")(X)
    penalties = K.diagonal().mean() * np.logspace(1, -6, 15)
    factor = EigenFactor(K)
    left_out = (leave_one_out(factor, y, ridge(factor, y, penalty)) for penalty in penalties)
    return min(float(((y - one) ** 2).mean()) for one in left_out)
