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

    The NTK of three hidden ReLU layers, the default of the estimators without a search, is fitted to both,
    each at its best penalty of the default grid, on at most 1,000 rows, and compared by the exact
    leave-one-out score that the estimators compare kernels by.

    Parameters
    ----------
    task : {"regression", "classification"}
    X : ndarray of shape (n_samples, n_features)
        Preprocessed rows.
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
    from ntklib.estimators import NTKClassifierCV, NTKRegressorCV
    from ntklib.kernels import NTK

    rows = sample_rows(len(X), MAX_ROWS, random_state)
    plain, target = np.array(X[rows]), y[rows]
    values = plain[:, numbers]
    if values.size == 0 or np.abs(values).max() <= LARGE or len(np.unique(target)) < 2:
        return False
    squashed = plain.copy()
    squashed[:, numbers] = Squash().fit_transform(values)
    kernel = NTK(depth=3, weight_std=np.sqrt(2.0), bias_std=1.0, input_scaling="fan_in")
    search = NTKClassifierCV if task == "classification" else NTKRegressorCV
    scores = [
        float(search([kernel], solver="cholesky").fit(one, target).best_score_) for one in (plain, squashed)
    ]
    return scores[1] > scores[0]
