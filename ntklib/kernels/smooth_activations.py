"""Activations with a smooth dual: closed forms, Hermite polynomials, and any function by quadrature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import factorial, pi, sqrt
from typing import Any

import numpy as np
from scipy import special

from .._validation import check_integer, check_real
from . import _closed_forms as closed
from ._dual import Dual
from ._hermite import PolynomialDual
from ._quadrature import QuadratureDual
from .activations import Activation

__all__ = [
    "GELU",
    "RBF",
    "Cos",
    "Erf",
    "Exp",
    "Gaussian",
    "Hermite",
    "Logistic",
    "NumericalActivation",
    "SiLU",
    "Sin",
    "Softplus",
    "Tanh",
]


def _floats(z: Any) -> np.ndarray:
    z = np.asarray(z)
    return z if z.dtype == np.float32 else z.astype(np.float64)


def _density(z: np.ndarray) -> np.ndarray:
    return np.exp(-z * z / 2) / sqrt(2 * pi)


@dataclass(frozen=True)
class Erf(Activation):
    """sigma(z) = erf(z) (dual: Williams 1997, eq. 11)."""

    def __call__(self, z):
        return special.erf(_floats(z))

    def derivative(self, z):
        z = _floats(z)
        return 2 / sqrt(pi) * np.exp(-z * z)

    def second_derivative(self, z):
        return -2 * _floats(z) * self.derivative(z)

    @property
    def dual(self) -> Dual:
        return closed.ErfDual()


@dataclass(frozen=True)
class GELU(Activation):
    """sigma(z) = z Phi(z), Phi the normal distribution function (dual: Tsuchida et al. 2021)."""

    def __call__(self, z):
        z = _floats(z)
        return z * special.ndtr(z)

    def derivative(self, z):
        z = _floats(z)
        return special.ndtr(z) + z * _density(z)

    def second_derivative(self, z):
        z = _floats(z)
        return (2 - z * z) * _density(z)

    @property
    def dual(self) -> Dual:
        return closed.GELUDual()


@dataclass(frozen=True)
class Sin(Activation):
    """sigma(z) = sin(z)."""

    def __call__(self, z):
        return np.sin(_floats(z))

    def derivative(self, z):
        return np.cos(_floats(z))

    def second_derivative(self, z):
        return -np.sin(_floats(z))

    @property
    def dual(self) -> Dual:
        return closed.SinDual()


@dataclass(frozen=True)
class Cos(Activation):
    """sigma(z) = cos(z)."""

    def __call__(self, z):
        return np.cos(_floats(z))

    def derivative(self, z):
        return -np.sin(_floats(z))

    def second_derivative(self, z):
        return -np.cos(_floats(z))

    @property
    def dual(self) -> Dual:
        return closed.CosDual()


@dataclass(frozen=True)
class Exp(Activation):
    """sigma(z) = exp(z)."""

    def __call__(self, z):
        return np.exp(_floats(z))

    derivative = second_derivative = __call__

    @property
    def dual(self) -> Dual:
        return closed.ExpDual()


@dataclass(frozen=True)
class Gaussian(Activation):
    """sigma(z) = exp(-z^2/2)."""

    def __call__(self, z):
        z = _floats(z)
        return np.exp(-z * z / 2)

    def derivative(self, z):
        return -_floats(z) * self(z)

    def second_derivative(self, z):
        z = _floats(z)
        return (z * z - 1) * self(z)

    @property
    def dual(self) -> Dual:
        return closed.GaussianDual()


@dataclass(frozen=True)
class RBF(Activation):
    """sigma(z) = sqrt(2) sin(sqrt(2 gamma) z + pi/4), whose dual is exp(-gamma E[(u - v)^2]).

    Parameters
    ----------
    gamma : float, default=1.0
        Greater than 0.
    """

    gamma: float = 1.0

    def __post_init__(self) -> None:
        check_real(self.gamma, "gamma", minimum=0.0, strict=True)

    def __call__(self, z):
        return sqrt(2) * np.sin(sqrt(2 * self.gamma) * _floats(z) + pi / 4)

    def derivative(self, z):
        return 2 * sqrt(self.gamma) * np.cos(sqrt(2 * self.gamma) * _floats(z) + pi / 4)

    def second_derivative(self, z):
        return -2 * self.gamma * self(z)

    @property
    def dual(self) -> Dual:
        return closed.RBFDual(float(self.gamma))


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
        z, n = _floats(z), self.degree - order
        if n < 0:
            return np.zeros_like(z)
        return special.eval_hermitenorm(n, z) * (sqrt(factorial(self.degree)) / factorial(n))

    def __call__(self, z):
        return self._value(z, 0)

    def derivative(self, z):
        return self._value(z, 1)

    def second_derivative(self, z):
        return self._value(z, 2)

    @property
    def dual(self) -> Dual:
        return PolynomialDual(int(self.degree))


class _ByQuadrature(Activation):
    """An activation whose dual is the sum over its Hermite coefficients."""

    @property
    def dual(self) -> Dual:
        return QuadratureDual(self, self.derivative)

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
        return QuadratureDual(self, self.derivative).error(q)


@dataclass(frozen=True)
class NumericalActivation(_ByQuadrature):
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
        return np.asarray(self.function(_floats(z)))

    def derivative(self, z):
        return np.asarray(self.derivative_function(_floats(z)))

    def second_derivative(self, z):
        """Return sigma''(z) by a central difference of sigma', good to about 1e-10."""
        z = _floats(z)
        step = 1e-3 * np.maximum(1, np.abs(z))
        far = (self.derivative(z + 2 * step) - self.derivative(z - 2 * step)) / (4 * step)
        near = (self.derivative(z + step) - self.derivative(z - step)) / (2 * step)
        return (4 * near - far) / 3


@dataclass(frozen=True)
class Tanh(_ByQuadrature):
    """sigma(z) = tanh(z)."""

    def __call__(self, z):
        return np.tanh(_floats(z))

    def derivative(self, z):
        return 1 / np.cosh(np.clip(_floats(z), -350, 350)) ** 2

    def second_derivative(self, z):
        return -2 * self(z) * self.derivative(z)


@dataclass(frozen=True)
class Logistic(_ByQuadrature):
    """sigma(z) = 1 / (1 + exp(-z))."""

    def __call__(self, z):
        return special.expit(_floats(z))

    def derivative(self, z):
        z = _floats(z)
        return special.expit(z) * special.expit(-z)

    def second_derivative(self, z):
        z = _floats(z)
        return self.derivative(z) * (special.expit(-z) - special.expit(z))


@dataclass(frozen=True)
class Softplus(_ByQuadrature):
    """sigma(z) = log(1 + exp(z))."""

    def __call__(self, z):
        z = _floats(z)
        return np.logaddexp(z.dtype.type(0), z)

    def derivative(self, z):
        return special.expit(_floats(z))

    def second_derivative(self, z):
        return Logistic().derivative(z)


@dataclass(frozen=True)
class SiLU(_ByQuadrature):
    """sigma(z) = z / (1 + exp(-z))."""

    def __call__(self, z):
        z = _floats(z)
        return z * special.expit(z)

    def derivative(self, z):
        z = _floats(z)
        return special.expit(z) * (1 + z * special.expit(-z))

    def second_derivative(self, z):
        z = _floats(z)
        return Logistic().derivative(z) * (2 + z * (special.expit(-z) - special.expit(z)))
