"""Activations whose dual is summed from Hermite coefficients: named ones, and any function of the user's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import atanh, sqrt
from typing import Any

import numpy as np
from scipy import special

from ..contract import Activation, as_floats
from ..duals.quadrature import QuadratureDual
from . import mixtures

__all__ = ["Logistic", "NumericalActivation", "SiLU", "Softplus", "Tanh"]


class _Approximate(Activation):
    """An activation whose dual is computed with a known error."""

    @property
    def dual(self) -> mixtures.MixtureDual | QuadratureDual:
        raise NotImplementedError  # pragma: no cover

    def dual_error(self, variances: Any) -> float:
        """Return a bound on the error of E[sigma(u) sigma(v)] at these variances, at any correlation.

        Parameters
        ----------
        variances : array-like of float, each at least 0

        Returns
        -------
        float
            Truncation (by Parseval's identity), quadrature and rounding added up.

        Examples
        --------
        >>> from ntklib.kernels import Tanh
        >>> bool(Tanh().dual_error([0.01, 1.0]) < 1e-10)
        True
        """
        q = np.atleast_1d(np.asarray(variances, np.float64)).ravel()
        if q.size == 0 or not np.all(np.isfinite(q)) or np.any(q < 0):
            raise ValueError("variances must be one or more finite numbers of at least 0.")
        return self.dual.error(q)


@dataclass(frozen=True)
class NumericalActivation(_Approximate):
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
class Tanh(_Approximate):
    """sigma(z) = tanh(z)."""

    def __call__(self, z):
        return np.tanh(as_floats(z))

    def derivative(self, z):
        decay = np.exp(-2 * np.abs(as_floats(z)))  # cosh would overflow, in float32 from 89
        return 4 * decay / (1 + decay) ** 2

    def second_derivative(self, z):
        return -2 * self(z) * self.derivative(z)

    def _turning_points(self):
        steepest = atanh(sqrt(1 / 3))
        return (0.0,), (-steepest, steepest)

    @property
    def dual(self) -> mixtures.MixtureDual:
        return mixtures.tanh_dual()


@dataclass(frozen=True)
class Logistic(_Approximate):
    """sigma(z) = 1 / (1 + exp(-z))."""

    def __call__(self, z):
        return special.expit(as_floats(z))

    def derivative(self, z):
        z = as_floats(z)
        return special.expit(z) * special.expit(-z)

    def second_derivative(self, z):
        z = as_floats(z)
        return self.derivative(z) * (special.expit(-z) - special.expit(z))

    def _turning_points(self):  # twice those of tanh
        return tuple(tuple(2 * z for z in points) for points in Tanh()._turning_points())

    @property
    def dual(self) -> mixtures.MixtureDual:
        return mixtures.logistic_dual()


@dataclass(frozen=True)
class Softplus(_Approximate):
    """sigma(z) = log(1 + exp(z))."""

    def __call__(self, z):
        z = as_floats(z)
        return np.logaddexp(z.dtype.type(0), z)

    def derivative(self, z):
        return special.expit(as_floats(z))

    def second_derivative(self, z):
        return Logistic().derivative(z)

    def _turning_points(self):
        return (), (0.0,)

    @property
    def dual(self) -> mixtures.MixtureDual:
        return mixtures.softplus_dual()


@dataclass(frozen=True)
class SiLU(_Approximate):
    """sigma(z) = z / (1 + exp(-z))."""

    def __call__(self, z):
        z = as_floats(z)
        return z * special.expit(z)

    def derivative(self, z):
        z = as_floats(z)
        return special.expit(z) * (1 + z * special.expit(-z))

    def second_derivative(self, z):
        z = as_floats(z)
        return Logistic().derivative(z) * (2 + z * (special.expit(-z) - special.expit(z)))

    def _turning_points(self):
        # the solutions of z t = 2 and of 6 t = z (3 t^2 - 1), t = tanh(z / 2)
        first, second = 2.399357280515468, 3.435840993495111
        return (-first, first), (-second, 0.0, second)

    @property
    def dual(self) -> mixtures.MixtureDual:
        return mixtures.silu_dual()
