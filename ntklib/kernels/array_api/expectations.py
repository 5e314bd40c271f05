r"""Gaussian expectations of activations in closed form, of variances and gaps.

Of a pair with variances q_x, q_z and correlation :math:`\rho` a layer needs
:math:`E[\sigma(u)\sigma(v)]` and :math:`E[\sigma'(u)\sigma'(v)]`; given are :math:`r = \sqrt{q_x q_z}` and
the gap :math:`g = 1 - \rho`, from which :math:`\theta = 2 \arctan(\sqrt{g / (2 - g)})`.

References
----------
Cho & Saul (2009), "Kernel methods for deep learning", eq. 1-6; Williams (1997), "Computing with infinite
networks", eq. 11.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import Any, Protocol

from ..activations.homogeneous import Homogeneous
from ..activations.mixtures import Erf
from ..contract import Activation

__all__ = ["Expectations", "expectations_of"]


class Expectations(Protocol):
    """Expectations of one activation, in the namespace `xp`."""

    def own(self, xp: Any, q: Any) -> Any:
        """E[sigma(u)^2] for u of variance q."""

    def pair(self, xp: Any, x: Any, z: Any, gap: Any) -> tuple[Any, Any, Any]:
        """E[sigma(u) sigma(v)], E[sigma'(u) sigma'(v)] and what the first lacks of its value at gap 0.

        `x` and `z` are the variances, (n, 1) and (1, m). The lack is None where a difference is as good.
        """


@dataclass(frozen=True)
class HomogeneousExpectations:
    """sigma(z) = b sigma_n(z) + a sigma_n(-z) with n = 0 or 1."""

    degree: int
    a: float
    b: float

    def own(self, xp: Any, q: Any) -> Any:
        return (self.a**2 + self.b**2) / 2 * q**self.degree

    def pair(self, xp: Any, x: Any, z: Any, gap: Any) -> tuple[Any, Any, Any]:
        even, odd = self.a**2 + self.b**2, 2 * self.a * self.b
        theta = 2 * xp.atan2(xp.sqrt(gap), xp.sqrt(2 - gap))
        same, opposite = (pi - theta) / (2 * pi), theta / (2 * pi)
        if self.degree == 0:
            return even * same + odd * opposite, xp.zeros_like(theta), (even - odd) * opposite
        r = xp.sqrt(x) * xp.sqrt(z)
        # sin theta - theta cos theta, over 2 pi, is the expectation at pi - theta
        turned = (xp.sqrt(gap * (2 - gap)) - theta * (1 - gap)) / (2 * pi)
        lack = even * (gap / 2 - turned) - odd * turned
        return r * (even / 2 - lack), even * same - odd * opposite, r * lack


@dataclass(frozen=True)
class ErfExpectations:
    """sigma = erf."""

    def own(self, xp: Any, q: Any) -> Any:
        return 2 / pi * xp.atan2(2 * q, xp.sqrt(1 + 4 * q))

    def pair(self, xp: Any, x: Any, z: Any, gap: Any) -> tuple[Any, Any, Any]:
        r = xp.sqrt(x) * xp.sqrt(z)
        root = xp.sqrt(1 + 2 * (x + z) + 4 * r * r * gap * (2 - gap))
        return 2 / pi * xp.atan2(2 * r * (1 - gap), root), 4 / pi / root, None


def expectations_of(activation: Activation) -> Expectations:
    """Expectations of an activation.

    Raises
    ------
    NotImplementedError
        If there is no closed form here.
    """
    if isinstance(activation, Homogeneous):
        degree, a, b, _ = activation.parts()
        if degree in (0, 1):
            return HomogeneousExpectations(degree, a, b)
    if isinstance(activation, Erf):
        return ErfExpectations()
    raise NotImplementedError(
        f"kernels of {activation!r} are computed from NumPy arrays only: convert the rows, numpy.asarray(X). "
        "Arrays of other libraries have Laplace kernels, and those of erf and of homogeneous activations of "
        "degree 0 and 1: ReLU, leaky ReLU, abs, step, sign and identity."
    )
