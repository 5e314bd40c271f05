"""Standardised numbers drawn in where they are large."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from ntklib._core.blocks import row_blocks

SCALE = 3.0
"""Bound of squashed numbers, in standard deviations."""

_ROWS = 2**13


def squash_columns(X: NDArray, numbers: slice) -> NDArray:
    """Squash some columns of an array in place, a block of rows at a time, and return it."""
    for rows in row_blocks(len(X), _ROWS):
        X[rows, numbers] = Squash().fit_transform(X[rows, numbers])
    return X


class Squash(TransformerMixin, BaseEstimator):
    """Map standardised numbers z to z / sqrt(1 + (z / 3)^2), between -3 and 3.

    Numbers within one standard deviation shrink by about 5 % at most; a few very large ones no longer
    dominate the distances between rows.

    References
    ----------
    D. Holzmüller, L. Grinsztajn and I. Steinwart, "Better by default: strong pre-tuned MLPs and boosted
    trees on tabular data", NeurIPS 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.lab.tables import Squash
    >>> Squash().fit_transform(np.array([[0.5], [4.0], [1e9]])).round(3).ravel().tolist()
    [0.493, 2.4, 3.0]
    """

    def fit(self, X: Any, y: Any = None) -> Squash:
        """Count the columns."""
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: Any) -> NDArray:
        """Return squashed numbers."""
        return X / np.sqrt(1 + (X / SCALE) ** 2)
