"""The way that a tangent model is trained, by size.

All ways give the same iterates. In function space the state is a coefficient per sample and output, and a
step is a product with the Gram matrix of the features; in parameter space it is the displacement w - w_0, and
a step multiplies with the Jacobian and its transpose, held as an array or passed through the network. On the
square loss one eigendecomposition of the smaller of the two Gram matrices takes the place of all steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ntklib._core.blocks import available_memory

from .._forecast import multiplication_seconds
from ._models import FiniteTangent, Tangent

# Nanoseconds on one core of 2023: what they amount to decides, not what they are.
_EIGEN = 0.12  # per cube of the order
_STREAM = 0.25  # per number of a matrix, in a product with a vector
_MULTIPLY = 0.05  # per multiplication in a product of matrices
_UNIT = 50.0  # per hidden unit and row, once forward and once back
_STEP, _PASS = 3e4, 3e5  # per step; per step through the network

_CLOSED_BONUS = 3.0  # how much dearer a closed form may be: it is exact, and further iterations cost nothing


@dataclass(frozen=True, order=True)
class Route:
    """The place of the state, and if iterates come from a closed form.

    `space` is "gram" (function space), "jacobian" or "network" (parameter space).
    """

    space: str
    closed: bool

    def __str__(self) -> str:
        place = {
            "gram": "function space",
            "jacobian": "parameter space",
            "network": "parameter space, through the network",
        }
        return f"{place[self.space]}, {'closed form' if self.closed else 'iterated'}"


def choose_route(model: Tangent, n: int, *, square: bool, iterations: float) -> Route:
    """The cheapest way to make `iterations` steps on n samples that the memory has room for.

    With the `square` loss there are closed forms.
    """
    free = available_memory() or np.inf
    costs = [
        (cost / (_CLOSED_BONUS if route.closed else 1.0), route)
        for route, cost, numbers in _candidates(model, n, float(iterations))
        if (square or not route.closed) and 8 * numbers <= free
    ]
    return min(costs, default=(0.0, Route("gram", square)))[1]


def route_seconds(model: Tangent, n: int, route: Route, iterations: float) -> float:
    """Expected seconds of a route, by the speed of products of matrices here and now."""
    cost = next(cost for one, cost, _ in _candidates(model, n, iterations) if one == route)
    return cost * multiplication_seconds() / _MULTIPLY


def numbers_held(model: Tangent, n: int, route: Route) -> int:
    """Numbers that the matrices of a route take."""
    return next(numbers for one, _, numbers in _candidates(model, n, 0.0) if one == route)


def _candidates(model: Tangent, n: int, steps: float):
    """Routes, their costs, and the numbers each holds in memory."""
    k = model.n_outputs
    order = n * k if model.coupled else n
    columns = 1 if model.coupled else k
    forming = 10.0 * n**2
    if isinstance(model, FiniteTangent):
        forming = _MULTIPLY * model.units * n**2 * (4 + k**2)
    yield Route("gram", True), forming + _EIGEN * order**3, 3 * order**2
    product = (_STREAM + _MULTIPLY * (columns - 1)) * order**2
    yield Route("gram", False), forming + steps * (_STEP + product), order**2
    if not isinstance(model, FiniteTangent):
        return
    p = model.n_params
    forming = 5.0 * order * p
    yield Route("jacobian", True), forming + _MULTIPLY * order * p**2 + _EIGEN * p**3, order * p + 3 * p**2
    yield Route("jacobian", False), forming + steps * (_STEP + 2 * _STREAM * order * p), order * p
    through = _PASS + n * (_UNIT * model.units + 5 * _MULTIPLY * p)
    yield Route("network", False), steps * through, 10 * n * k + 6 * p
