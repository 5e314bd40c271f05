"""Activations that are powers on either side of zero: steps, ramps and monomials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ntklib._core.validation import check_integer, check_real

from .._suprema import power_suprema
from ..contract import Activation, as_floats
from ..duals.homogeneous import HomogeneousDual

__all__ = [
    "ABReLU",
    "Abs",
    "Homogeneous",
    "Identity",
    "LeakyReLU",
    "Monomial",
    "ReLU",
    "RectifiedPower",
    "Sign",
    "Step",
]


class Homogeneous(Activation):
    """sigma(z) = b sigma_n(z) + a sigma_n(-z)."""

    def parts(self) -> tuple[int, float, float, float]:
        """n, a, b and sigma(0)."""
        raise NotImplementedError  # pragma: no cover

    @property
    def dual(self) -> HomogeneousDual:
        return HomogeneousDual(*self.parts())

    def _powers(self, z: Any, order: int) -> np.ndarray:
        """The derivative of the given order."""
        z = as_floats(z)
        degree, a, b, _ = self.parts()
        factor = 1.0
        for _ in range(order):
            factor, degree, a = factor * degree, degree - 1, -a
        if factor == 0:
            return np.zeros_like(z)
        number = z.dtype.type
        result = np.where(z >= 0, number(factor * b), number(factor * a + 0.0))  # + 0.0: never -0.0
        if degree:
            size = np.abs(z)
            result *= size if degree == 1 else size**degree
        return result

    def __call__(self, z: Any) -> np.ndarray:
        return self._powers(z, 0)

    def derivative(self, z: Any) -> np.ndarray:
        return self._powers(z, 1)

    def second_derivative(self, z: Any) -> np.ndarray:
        return self._powers(z, 2)

    def derivative_bounds(self, low: Any, high: Any) -> tuple[np.ndarray, np.ndarray]:
        degree, a, b, _ = self.parts()
        return power_suprema(degree, a, b, np.asarray(low, np.float64), np.asarray(high, np.float64))


@dataclass(frozen=True)
class RectifiedPower(Homogeneous):
    """sigma(z) = z^degree 1{z >= 0}: degree 0 is the step, 1 the ReLU.

    Its dual is the arc-cosine kernel of that degree (Cho & Saul 2009, eq. 1, over two).

    Parameters
    ----------
    degree : int
        Power, at least 0.

    Examples
    --------
    >>> from ntklib.kernels import RectifiedPower
    >>> RectifiedPower(2)([-1.0, 3.0])
    array([0., 9.])
    """

    degree: int

    def __post_init__(self) -> None:
        check_integer(self.degree, "degree", minimum=0)

    def parts(self):
        return int(self.degree), 0.0, 1.0, 0.0 if self.degree else 1.0


@dataclass(frozen=True)
class ReLU(Homogeneous):
    """sigma(z) = max(z, 0)."""

    def parts(self):
        return 1, 0.0, 1.0, 0.0


@dataclass(frozen=True)
class Step(Homogeneous):
    """sigma(z) = 1{z >= 0}, with derivative 0 almost everywhere."""

    def parts(self):
        return 0, 0.0, 1.0, 1.0


@dataclass(frozen=True)
class Sign(Homogeneous):
    """sigma(z) = sign(z), 0 at 0, with derivative 0 almost everywhere."""

    def parts(self):
        return 0, -1.0, 1.0, 0.0

    def __call__(self, z: Any) -> np.ndarray:
        return np.sign(self._powers(z, 0) * (np.asarray(z) != 0))


@dataclass(frozen=True)
class Abs(Homogeneous):
    """sigma(z) = abs(z)."""

    def parts(self):
        return 1, 1.0, 1.0, 0.0


@dataclass(frozen=True)
class Identity(Homogeneous):
    """sigma(z) = z: a linear network."""

    def parts(self):
        return 1, -1.0, 1.0, 0.0


@dataclass(frozen=True)
class LeakyReLU(Homogeneous):
    """sigma(z) = max(z, 0) + negative_slope min(z, 0).

    Parameters
    ----------
    negative_slope : float, default=0.01
    """

    negative_slope: float = 0.01

    def __post_init__(self) -> None:
        check_real(self.negative_slope, "negative_slope", minimum=-np.inf)

    def parts(self):
        return 1, -float(self.negative_slope), 1.0, 0.0


@dataclass(frozen=True)
class ABReLU(Homogeneous):
    """sigma(z) = a min(z, 0) + b max(z, 0).

    Parameters
    ----------
    a, b : float
        Slopes on the negative and on the positive side, not both 0.
    """

    a: float
    b: float

    def __post_init__(self) -> None:
        for name in ("a", "b"):
            check_real(getattr(self, name), name, minimum=-np.inf)
        if self.a == 0 and self.b == 0:
            raise ValueError("a and b are both 0: the activation would be zero everywhere.")

    def parts(self):
        return 1, -float(self.a), float(self.b), 0.0


@dataclass(frozen=True)
class Monomial(Homogeneous):
    """sigma(z) = z^degree.

    Parameters
    ----------
    degree : int
        Power, at least 1.
    """

    degree: int

    def __post_init__(self) -> None:
        check_integer(self.degree, "degree", minimum=1)

    def parts(self):
        return int(self.degree), -1.0 if self.degree % 2 else 1.0, 1.0, 0.0
