"""Activations whose dual is elementary: waves, exponential and Gaussian functions."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, sqrt

import numpy as np

from ntklib._core.validation import check_real

from .._suprema import wave_suprema
from ..contract import Activation, Dual, as_floats
from ..duals import closed_forms as duals
from ..duals.exponential import ExpDual

__all__ = ["RBF", "Cos", "Exp", "Gaussian", "Sin"]


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
        return duals.SinDual()


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
        return duals.CosDual()


@dataclass(frozen=True)
class Exp(Activation):
    """sigma(z) = exp(z)."""

    def __call__(self, z):
        return np.exp(as_floats(z))

    derivative = second_derivative = __call__

    def turning_points(self):
        return (), ()

    @property
    def dual(self) -> Dual:
        return ExpDual()


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

    def turning_points(self):
        return (-1.0, 1.0), (-sqrt(3), 0.0, sqrt(3))

    @property
    def dual(self) -> Dual:
        return duals.GaussianDual()


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
        return duals.RBFDual(float(self.gamma))
