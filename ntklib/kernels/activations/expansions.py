"""Activations whose dual is summed from Hermite coefficients: Hermite polynomials, and any function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import factorial, sqrt
from typing import Any

import numpy as np
from scipy import special

from ntklib._core.validation import check_integer

from ..contract import Activation, as_floats
from ..duals.hermite import PolynomialDual
from ..duals.quadrature import QuadratureDual
from ._approximate import Approximate

__all__ = ["Hermite", "NumericalActivation"]


@dataclass(frozen=True)
class NumericalActivation(Approximate):
    """Any activation, with its dual by quadrature.

    The dual is the sum over Hermite coefficients (``docs/kernels.md``); fast for smooth functions, slow and
    less exact for those with kinks, as `dual_error` tells.

    Parameters
    ----------
    function, derivative_function : callable
        sigma and sigma', elementwise on float64 arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.kernels import NumericalActivation
    >>> softsign = NumericalActivation(lambda z: np.arctan(z), lambda z: 1 / (1 + z * z))
    >>> bool(softsign.dual_error([1.0]) < 1e-10)
    True
    """

    function: Callable[[np.ndarray], np.ndarray]
    derivative_function: Callable[[np.ndarray], np.ndarray]

    def __post_init__(self) -> None:
        for part in (self.function, self.derivative_function):
            if not callable(part):
                raise TypeError(f"function and derivative must be callable, got {part!r}.")

    def __call__(self, z):
        return np.asarray(self.function(as_floats(z)))

    def derivative(self, z):
        return np.asarray(self.derivative_function(as_floats(z)))

    @property
    def dual(self) -> QuadratureDual:
        return QuadratureDual(self, self.derivative)

    def second_derivative(self, z):
        """Return sigma''(z) by a central difference of sigma', good to about 1e-10."""
        z = as_floats(z)
        step = 1e-3 * np.maximum(1, np.abs(z))
        far = (self.derivative(z + 2 * step) - self.derivative(z - 2 * step)) / (4 * step)
        near = (self.derivative(z + step) - self.derivative(z - step)) / (2 * step)
        return (4 * near - far) / 3


@dataclass(frozen=True)
class Hermite(Activation):
    """sigma(z) = He_n(z) / sqrt(n!), the orthonormal probabilists' Hermite polynomial.

    Parameters
    ----------
    degree : int
        n, at least 0.
    """

    degree: int

    def __post_init__(self) -> None:
        check_integer(self.degree, "degree", minimum=0)

    def _value(self, z: Any, order: int) -> np.ndarray:
        z, n = as_floats(z), self.degree - order
        if n < 0:
            return np.zeros_like(z)
        return special.eval_hermitenorm(n, z) * (sqrt(factorial(self.degree)) / factorial(n))

    def __call__(self, z):
        return self._value(z, 0)

    def derivative(self, z):
        return self._value(z, 1)

    def second_derivative(self, z):
        return self._value(z, 2)

    def turning_points(self):  # He_n' = n He_{n-1}
        degrees = self.degree - 2, self.degree - 3
        return tuple(special.roots_hermitenorm(n)[0] if n > 0 else () for n in degrees)

    @property
    def dual(self) -> PolynomialDual:
        return PolynomialDual(int(self.degree))
