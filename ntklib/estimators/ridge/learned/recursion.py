"""A recursive feature machine: fit, differentiate, weigh the columns by the gradients, fit again.

Of a kernel K the rounds are fits of K(s x, s z), with s = 1 in the first and made of the gradients of the fit
before in each that follows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntklib._core.exponents import exponents
from ntklib.kernels import Scaled, gradient_x
from ntklib.solvers import CholeskyFactor, RidgeFit, ridge

from ..._kernel import cross_gram, gram
from ..._units import Units
from .gradients import column_scales, gradient_squares

__all__ = ["Recursion", "rows_of_gradients"]

_LOOKED_AT = 250  # rows at most that gradients are averaged over

Penalties = Callable[[float], NDArray]


@dataclass
class Recursion:
    """The rounds on some units, one at a time.

    Parameters
    ----------
    base : Kernel
        K.
    units : Units
        Rows in memory, to fit.
    penalties : function
        Penalties to choose from, for a Gram matrix of this mean diagonal.
    fit_intercept : bool
    sample : ndarray of int
        Rows that gradients are averaged over.
    scales : ndarray of shape (d,) or None
        s of this round; None is 1.
    """

    base: Any
    units: Units
    penalties: Penalties
    fit_intercept: bool
    sample: NDArray
    scales: NDArray | None = None

    def begin(self) -> None:
        """Make ready for the fits of a round."""
        matrix, ours = gram(self.kernel, self.units.X)
        self.alphas = self.penalties(float(np.average(matrix.diagonal(), weights=self.units.weights)))
        self._factor = CholeskyFactor(matrix, weights=self.units.weights, overwrite_gram=ours)

    def end(self) -> None:
        """Let go of the matrix."""
        del self._factor

    @property
    def kernel(self) -> Any:
        """Kernel of this round."""
        return self.base if self.scales is None else Scaled(self.base, self.scales)

    def fit(self, place: int) -> RidgeFit:
        """Fit at one of the penalties."""
        return ridge(
            self._factor, self.units.targets, float(self.alphas[place]), fit_intercept=self.fit_intercept
        )

    def predict_from(self, X: Any) -> Callable[[RidgeFit], NDArray]:
        """Return what gives the values of a fit of this round at other rows."""
        cross = cross_gram(self.kernel, X, self.units.X)
        return lambda fit: cross @ fit.dual_coef + fit.intercept

    def advance(self, fit: RidgeFit) -> bool:
        """Take the scales of the next round from a fit; False where it is constant, or beyond the floats."""
        units, weights = self.units, self.units.weights
        if not np.isfinite(fit.dual_coef).all():
            return False
        coefficients = np.ldexp(
            fit.dual_coef, -exponents(fit.dual_coef)
        )  # squares of theirs are representable
        squares = gradient_squares(
            lambda rows: gradient_x(self.kernel, rows, units.X, coefficients),
            units.X[self.sample],
            coefficients.shape[1],
            None if weights is None else weights[self.sample],
        )
        scales = column_scales(squares)
        if scales is not None:
            self.scales = scales
        return scales is not None

    def repeat(self, place: int) -> None:
        """Go through a round at a known penalty."""
        self.begin()
        self.advance(self.fit(place))
        self.end()


def rows_of_gradients(order: NDArray, among: NDArray) -> NDArray:
    """Places in `among`, of at most 250 units, those that come first in an order of all units."""
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(len(order))
    return np.sort(np.argsort(rank[among])[:_LOOKED_AT])
