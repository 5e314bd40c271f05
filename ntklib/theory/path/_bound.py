r"""The residuals of gradient descent, step by step, bounded by the eigenvalues read on the way.

With residuals :math:`r_k`, steps :math:`d_k = -\eta J_k^T r_k` and a Jacobian that is :math:`\beta`-Lipschitz
on a ball that holds the path,

.. math::
    r_{k+1} = (I - \eta J_k J_k^T) r_k + e_k, \quad |e_k| \le \tfrac{\beta}{2} |d_k|^2.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntklib.dynamics import History
from ntklib.networks.taylor_models import LinearizedModel

from .._jacobian import JacobianSpectrum, jacobian_spectrum
from .._jacobian_lipschitz import OUTWARD, bound
from .._neurons import EPS, Neurons
from ._reading import RecordedPath

__all__ = ["NoBound", "PathBound", "bound_path"]

_GROWTH = 4.0
"""Times which rounding errors at the start count along the path, where the Jacobian is no larger."""


class NoBound(Exception):
    """There is no finite Lipschitz constant; the message says why."""


@dataclass(frozen=True)
class PathBound:
    """Bound on the residuals, and its parts."""

    residual: NDArray  # norms, at most (T,)
    contraction: NDArray  # norms of I - eta J J^T, at most (T - 1,)
    jacobian_lipschitz: float
    eigenvalue_error: float


def bound_path(history: History, path: RecordedPath) -> PathBound:
    """Bound the residuals of a run.

    Raises
    ------
    NoBound
        If the Jacobian has no known Lipschitz constant on the ball.
    ValueError
        If the model or the rows are not those of the run any more.
    """
    model = history.model
    linear = isinstance(model, LinearizedModel)
    params = model.params if linear else history.initial_params
    try:
        neurons = Neurons.of(model.model if linear else model, params, history.X)
        lipschitz = None if linear else bound(neurons.distinct(), path.radius * OUTWARD)
    except ValueError as error:  # several hidden layers, or an activation known at points only
        raise NoBound(str(error).rstrip(".")) from None
    if lipschitz is not None and lipschitz.value == inf:
        raise NoBound(lipschitz.reason)
    beta = 0.0 if lipschitz is None else lipschitz.value
    spectrum = jacobian_spectrum(model, params, history.X, neurons)
    rounding = _Rounding.of(model, history, path, neurons, spectrum, beta)
    _check_unchanged(history, 2 * rounding.output)
    lengths = np.concatenate([[0.0], np.cumsum(path.moves + rounding.move)]) * OUTWARD
    least, most = _singular_values(path, lengths, beta, rounding.eigenvalue)
    most = np.minimum(most, spectrum.sigma_max + beta * path.distance) * OUTWARD
    h = path.rates
    contraction = np.maximum(1 - h * least[:-1] ** 2, h * most[:-1] ** 2 - 1) * OUTWARD + 8 * EPS
    second = beta / 2 * ((path.moves + rounding.move) * OUTWARD) ** 2
    slips = most[:-1] * (h * rounding.jacobian * path.residual[:-1] + rounding.move)
    slips += h * most[:-1] ** 2 * rounding.output
    residual = np.empty(len(path.loss))
    residual[0] = path.residual[0] + rounding.output
    with np.errstate(over="ignore"):  # what grows beyond all numbers proves nothing, and is no error
        for k in range(len(h)):
            residual[k + 1] = contraction[k] * residual[k] + second[k] + slips[k]
    return PathBound((residual + rounding.output) * OUTWARD, contraction, beta, rounding.eigenvalue)


def _check_unchanged(history: History, tolerance: float) -> None:
    """Refuse a record whose model or rows, which it only refers to, have been changed since."""
    same = set(history.model.trained_shapes(history.X.shape[1])) == set(history.gradient_norms)
    outputs = history.model.apply(history.params, history.X)
    if not same or np.linalg.norm(outputs - history.outputs[-1]) > tolerance:
        raise ValueError("the model or the rows have been changed since this run was recorded; train again.")


@dataclass(frozen=True)
class _Rounding:
    """Effect of rounding anywhere on the path, at most: on an eigenvalue, the Jacobian, a step, the outputs.

    Errors are bounded at the start, for any order of summation, and enlarged for the way.
    """

    eigenvalue: float
    jacobian: float
    move: float
    output: float

    @classmethod
    def of(
        cls,
        model: Any,
        history: History,
        path: RecordedPath,
        neurons: Neurons,
        spectrum: JacobianSpectrum,
        beta: float,
    ) -> _Rounding:
        order, radius, targets = len(spectrum.eigenvalues), path.radius, history.risk.targets
        size = float(np.sqrt(np.maximum(spectrum.eigenvalues, 0.0).sum()))
        growth = _GROWTH * (1 + np.sqrt(order) * beta * radius / size) ** 2 if size > 0 else _GROWTH
        start = float(np.linalg.norm(model.ravel(history.initial_params)))
        # of the outputs, of those that a centred model subtracts, and of the subtractions
        largest = path.residual[0] + float(np.linalg.norm(targets))
        output = 2 * neurons.output_rounding(largest) + 4 * EPS * largest
        if isinstance(model, LinearizedModel):  # products of the Jacobian with the displacement
            output += model.ravel(model.params).size * EPS * size * radius
        share = spectrum.eigenvalue_error / size if size > 0 else 0.0
        return cls(
            eigenvalue=growth * spectrum.eigenvalue_error,
            jacobian=growth * (share + order * EPS * size),
            move=2 * EPS * (start + radius),
            output=growth * output,
        )


def _singular_values(
    path: RecordedPath, lengths: NDArray, beta: float, error: float
) -> tuple[NDArray, NDArray]:
    """Least and largest singular values at each point, at worst, by the readings before and after it."""
    small = np.sqrt(np.maximum(path.eigenvalues - error, 0.0)) / OUTWARD
    large = np.full_like(small, inf) if path.largest is None else np.sqrt(path.largest + error) * OUTWARD
    points, last = np.arange(len(lengths)), len(path.readings) - 1
    before = np.searchsorted(path.readings, points, side="right") - 1
    after = np.minimum(np.searchsorted(path.readings, points, side="left"), last)
    least, most = np.zeros(len(lengths)), np.full(len(lengths), inf)
    for nearest in (before, after):
        point = path.readings[nearest]
        apart = np.minimum(np.abs(lengths - lengths[point]), path.distance + path.distance[point])
        moved = beta * np.where(point == points, 0.0, apart * OUTWARD)
        least, most = np.maximum(least, small[nearest] - moved), np.minimum(most, large[nearest] + moved)
    return least, most
