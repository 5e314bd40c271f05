"""Activations that are steps and ramps smoothed on one scale, or on a mixture of scales.

Sources of the closed forms: steps, Williams (1997), "Computing with infinite networks", eq. 11; gated ramps,
Tsuchida et al. (2021), "Avoiding kernel fixed points", in the shorter form that two steps of Gaussian
integration by parts give; smoothed ramps, Cho & Saul (2009), eq. 6, of the lengthened rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import atanh, pi, sqrt

import numpy as np
from scipy import special

from ..contract import Activation, as_floats
from ..duals.mixtures import RampDual, StepDual
from ._approximate import Approximate
from ._logistic import logistic_rule

__all__ = ["GELU", "Erf", "Logistic", "SiLU", "Softplus", "Tanh"]


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

    def turning_points(self):
        return (0.0,), (-sqrt(0.5), sqrt(0.5))

    @property
    def dual(self) -> StepDual:
        return StepDual((sqrt(0.5),), (1.0,))  # 2 Phi(sqrt(2) z) - 1


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

    def turning_points(self):
        return (-sqrt(2), sqrt(2)), (-2.0, 0.0, 2.0)

    @property
    def dual(self) -> RampDual:
        return RampDual((1.0,), (1.0,))


@dataclass(frozen=True)
class Tanh(Approximate):
    """sigma(z) = tanh(z)."""

    def __call__(self, z):
        return np.tanh(as_floats(z))

    def derivative(self, z):
        decay = np.exp(-2 * np.abs(as_floats(z)))  # cosh would overflow, in float32 from 89
        return 4 * decay / (1 + decay) ** 2

    def second_derivative(self, z):
        return -2 * self(z) * self.derivative(z)

    def turning_points(self):
        steepest = atanh(sqrt(1 / 3))
        return (0.0,), (-steepest, steepest)

    @property
    def dual(self) -> StepDual:
        scales, weights = logistic_rule()  # tanh z is twice the logistic function of 2 z less 1
        return StepDual(tuple(s / 2 for s in scales), weights)


@dataclass(frozen=True)
class Logistic(Approximate):
    """sigma(z) = 1 / (1 + exp(-z))."""

    def __call__(self, z):
        return special.expit(as_floats(z))

    def derivative(self, z):
        z = as_floats(z)
        return special.expit(z) * special.expit(-z)

    def second_derivative(self, z):
        z = as_floats(z)
        return self.derivative(z) * (special.expit(-z) - special.expit(z))

    def turning_points(self):  # twice those of tanh
        return tuple(tuple(2 * z for z in points) for points in Tanh().turning_points())

    @property
    def dual(self) -> StepDual:
        return StepDual(*logistic_rule(), height=0.5, constant=0.5)


@dataclass(frozen=True)
class Softplus(Approximate):
    """sigma(z) = log(1 + exp(z))."""

    def __call__(self, z):
        z = as_floats(z)
        return np.logaddexp(z.dtype.type(0), z)

    def derivative(self, z):
        return special.expit(as_floats(z))

    def second_derivative(self, z):
        return Logistic().derivative(z)

    def turning_points(self):
        return (), (0.0,)

    @property
    def dual(self) -> RampDual:
        return RampDual(*logistic_rule(), gated=False)


@dataclass(frozen=True)
class SiLU(Approximate):
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

    def turning_points(self):
        # the solutions of z t = 2 and of 6 t = z (3 t^2 - 1), t = tanh(z / 2)
        first, second = 2.399357280515468, 3.435840993495111
        return (-first, first), (-second, 0.0, second)

    @property
    def dual(self) -> RampDual:
        return RampDual(*logistic_rule())
