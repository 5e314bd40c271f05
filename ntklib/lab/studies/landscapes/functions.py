"""Functions of the study, each with the end that gradient descent comes to at every step size."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf, nan

from ntklib.lab.landscapes import Cone, HuberLandscape, Quadratic, SquarePlusAbs

__all__ = ["SimpleFunction", "simple_functions"]


@dataclass(frozen=True)
class SimpleFunction:
    """A function in the plane whose minimum is 0, at the origin, and the end of gradient descent on it.

    Each function of the step size is NaN where the end depends on the start.

    Parameters
    ----------
    name : str
    landscape : Quadratic, Cone, HuberLandscape or SquarePlusAbs
    rate : callable
        Factor of the distance from the minimum a step, in the long run; for hops, over two steps.
    hop : callable
        Length of the steps in the end.
    loss : callable
        Loss in the end, the mean over two steps.
    """

    name: str
    landscape: Quadratic | Cone | HuberLandscape | SquarePlusAbs
    rate: Callable[[float], float]
    hop: Callable[[float], float]
    loss: Callable[[float], float]

    def has_formula(self, learning_rate: float) -> bool:
        """Return whether ``landscape.after`` knows every step of this size."""
        return learning_rate < 2 or not isinstance(self.landscape, HuberLandscape)


def simple_functions(curvatures: Iterable[float], slope: float, threshold: float) -> list[SimpleFunction]:
    """Return the functions of the study: quadratics, a cone, Huber's function and x^2/2 + |y|."""
    return [*map(_quadratic, curvatures), _cone(slope), _huber(threshold), _corner()]


def _quadratic(curvature: float) -> SimpleFunction:
    bowl = Quadratic((1.0, curvature))
    end = _end_below(bowl.largest_stable_step(), lambda eta: 0.0, lambda eta: inf)
    return SimpleFunction(f"quadratic {curvature:g}", bowl, bowl.rate, end, end)


def _cone(slope: float) -> SimpleFunction:
    """Every step is G eta long: from one side of the tip to the other in the end."""
    return SimpleFunction(
        "cone",
        Cone(slope),
        rate=lambda eta: 1.0,
        hop=lambda eta: slope * eta,
        loss=lambda eta: slope**2 * eta / 2,
    )


def _huber(threshold: float) -> SimpleFunction:
    """Beyond a step of 2 each coordinate hops to and fro, eta delta at a time, from outside of delta."""
    return SimpleFunction(
        "huber",
        HuberLandscape(threshold),
        rate=lambda eta: min(abs(1 - eta), 1.0),
        hop=_end_below(2.0, lambda eta: 0.0, lambda eta: 2**0.5 * eta * threshold),
        loss=_end_below(2.0, lambda eta: 0.0, lambda eta: threshold**2 * (eta - 1)),
    )


def _corner() -> SimpleFunction:
    return SimpleFunction(
        "square plus abs",
        SquarePlusAbs(),
        rate=lambda eta: max(abs(1 - eta), 1.0),
        hop=_end_below(2.0, lambda eta: eta, lambda eta: inf),
        loss=_end_below(2.0, lambda eta: eta / 2, lambda eta: inf),
    )


def _end_below(
    limit: float, below: Callable[[float], float], above: Callable[[float], float]
) -> Callable[[float], float]:
    """One formula below a step size, another above; at that size coordinates turn their sign for ever."""
    return lambda eta: nan if eta == limit else (below if eta < limit else above)(eta)
