"""Importances of the columns of a fitted expansion, by its gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError

from ntklib._core.exponents import units

from ..._kernel import is_precomputed
from .gradients import gradient_squares

__all__ = ["FeatureImportances"]

_LOOKED_AT = 1000  # rows at most


class FeatureImportances:
    """Mixin of expansions over `X_fit_`."""

    kernel_: Any
    X_fit_: Any
    dual_coef_: NDArray
    _weights: NDArray | None
    _slopes: Callable[[Any], NDArray]

    @property
    def feature_importances_(self) -> NDArray:
        r"""Importance of each column, shape (d,): the mean square of the derivative along it, over their sum.

        The diagonal of the average gradient outer product, :math:`\sum_i w_i \sum_p (\partial_j f_p(x_i))^2`
        over the rows of `X_fit_`, at most 1,000 of them at random, and over the outputs p. It is in squares
        of the unit of a column: standardise columns that are to be compared. A constant column has 0; of a
        constant function all are 0. Computed anew each time; absent where the kernel has no gradients.
        """
        if not hasattr(self, "dual_coef_"):
            raise NotFittedError(f"{type(self).__name__} has feature_importances_ after fit only.")
        if is_precomputed(self.kernel_):
            raise AttributeError("feature_importances_ need rows, and kernel='precomputed' has none.")
        X, weights, n = self.X_fit_, self._weights, self.X_fit_.shape[0]
        if n > _LOOKED_AT:
            rows = np.sort(np.random.default_rng(0).permutation(n)[:_LOOKED_AT])
            X, weights = X[rows], None if weights is None else weights[rows]
        unit = units(self.dual_coef_)
        try:
            squares = gradient_squares(
                lambda rows: self._slopes(rows) / unit, X, self.dual_coef_.size // n, weights
            )
        except TypeError as error:
            raise AttributeError(f"feature_importances_ need gradients: {error}") from error
        return squares / (squares.sum() or 1.0)
