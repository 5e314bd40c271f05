"""Activations whose smooth dual has a closed form, and the Hermite polynomials."""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial, pi, sqrt
from typing import Any

import numpy as np
from scipy import special

from ntklib._core.validation import check_integer, check_real

from .._suprema import wave_suprema
from ..contract import Activation, Dual, as_floats
from ..duals import closed_forms as closed
from ..duals.hermite import PolynomialDual
from . import mixtures

__all__ = ["GELU", "RBF", "Cos", "Erf", "Exp", "Gaussian", "Hermite", "Sin"]


def _density(z: np.ndarray) -> np.ndarray:
    return np.exp(-z * z / 2) / sqrt(2 * pi)


@dataclass(frozen=True)
class Erf(Activation):
    """sigma(z) = erf(z) (dual: Williams 1997, eq. 11)."""

    def __call__(self, z):
        return special.erf(as_floats(z))

    def derivative(self, z):
        z = as_floats(z)
        return 2 / sqrt(pi) * np.exp(-z * z)

    def second_derivative(self, z):
        return -2 * as_floats(z) * self.derivative(z)

    def _turning_points(self):
        return (0.0,), (-sqrt(0.5), sqrt(0.5))

    @property
    def dual(self) -> Dual:
        return mixtures.erf_dual()


@dataclass(frozen=True)
class GELU(Activation):
    """sigma(z) = z Phi(z), Phi the normal distribution function (dual: Tsuchida et al. 2021)."""

    def __call__(self, z):
        z = as_floats(z)
        return z * special.ndtr(z)

    def derivative(self, z):
        z = as_floats(z)
        return special.ndtr(z) + z * _density(z)

    def second_derivative(self, z):
        z = as_floats(z)
        return (2 - z * z) * _density(z)

    def _turning_points(self):
        return (-sqrt(2), sqrt(2)), (-2.0, 0.0, 2.0)

    @property
    def dual(self) -> Dual:
        return mixtures.gelu_dual()


@dataclass(frozen=True)
class Sin(Activation):
    """sigma(z) = sin(z)."""

    def __call__(self, z):
        return np.sin(as_floats(z))

    def derivative(self, z):
        return np.cos(as_floats(z))

    def second_derivative(self, z):
        return -np.sin(as_floats(z))

    def derivative_bounds(self, low, high):
        return wave_suprema(np.asarray(low, np.float64), np.asarray(high, np.float64))

    @property
    def dual(self) -> Dual:
        return closed.SinDual()


@dataclass(frozen=True)
class Cos(Activation):
    """sigma(z) = cos(z)."""

    def __call__(self, z):
        return np.cos(as_floats(z))

    def derivative(self, z):
        return -np.sin(as_floats(z))

    def second_derivative(self, z):
        return -np.cos(as_floats(z))

    def derivative_bounds(self, low, high):
        return wave_suprema(np.asarray(low, np.float64), np.asarray(high, np.float64))[::-1]

    @property
    def dual(self) -> Dual:
        return closed.CosDual()


@dataclass(frozen=True)
class Exp(Activation):
    """sigma(z) = exp(z)."""

    def __call__(self, z):
        return np.exp(as_floats(z))

    derivative = second_derivative = __call__

    def _turning_points(self):
        return (), ()

    @property
    def dual(self) -> Dual:
        return closed.ExpDual()


@dataclass(frozen=True)
class Gaussian(Activation):
    """sigma(z) = exp(-z^2/2)."""

    def __call__(self, z):
        z = as_floats(z)
        return np.exp(-z * z / 2)

    def derivative(self, z):
        return -as_floats(z) * self(z)

    def second_derivative(self, z):
        z = as_floats(z)
        return (z * z - 1) * self(z)

    def _turning_points(self):
        return (-1.0, 1.0), (-sqrt(3), 0.0, sqrt(3))

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
        return sqrt(2) * np.sin(sqrt(2 * self.gamma) * as_floats(z) + pi / 4)

    def derivative(self, z):
        return 2 * sqrt(self.gamma) * np.cos(sqrt(2 * self.gamma) * as_floats(z) + pi / 4)

    def second_derivative(self, z):
        return -2 * self.gamma * self(z)

    def derivative_bounds(self, low, high):
        phase = [sqrt(2 * self.gamma) * np.asarray(z, np.float64) + pi / 4 for z in (low, high)]
        first, second = wave_suprema(*phase)
        return 2 * sqrt(self.gamma) * first, 2 * self.gamma * sqrt(2) * second

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

    def _turning_points(self):  # He_n' = n He_{n-1}
        degrees = self.degree - 2, self.degree - 3
        return tuple(special.roots_hermitenorm(n)[0] if n > 0 else () for n in degrees)

    @property
    def dual(self) -> Dual:
        return PolynomialDual(int(self.degree))
