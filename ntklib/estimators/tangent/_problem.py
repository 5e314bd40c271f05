r"""A training problem: a tangent model, rows, a loss bound to their targets; and the two products of a step.

A state is what training moves: coefficients of the samples in function space, (n, k), or the displacement
in parameter space, (p,).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ntklib.dynamics import Risk, largest_stable_step
from ntklib.dynamics.training.stable_step import largest_eigenvalue
from ntklib.solvers import check_semidefinite

from ._models import FiniteTangent, Tangent


@dataclass(frozen=True)
class TangentProblem:
    """A tangent model, rows, a loss bound to their targets, and the result of training `before`.

    Targets, outputs and states are measured in a power of two, `unit`, in which their squares are
    representable; the model and its learning are not. The learning rate, a number or "auto", is in this unit,
    too, and "auto" ones may depend on the number of `iterations`. See `Route` for the `space`.
    """

    model: Tangent
    X: Any
    risk: Risk
    before: Any
    unit: float
    space: str
    learning_rate: Any
    momentum: float
    iterations: float

    def outputs(self, X: Any) -> NDArray:
        """Outputs before the first step at the rows of X, (m, k)."""
        return outputs_before(self.model, self.before, X) / self.unit

    def weights(self, *, by_output: bool) -> NDArray | None:
        """Weights of the samples, or of samples and outputs."""
        weights = self.risk.weights
        return weights if weights is None or not by_output else np.repeat(weights, self.model.n_outputs)


def outputs_before(model: Tangent, before: Any, X: Any) -> NDArray:
    """Outputs at the rows of X, (m, k), of a model that has learned this much, or nothing (None)."""
    start = model.start(X)
    return start if before is None else start + model.evaluate(before, X)


class Operators(NamedTuple):
    """State zero, both products, and the largest eigenvalue of the weighted Gram matrix."""

    zero: NDArray
    forward: Callable[[NDArray], NDArray]
    adjoint: Callable[[NDArray], NDArray]
    curvature: float


def operators(problem: TangentProblem) -> Operators:
    """The products in the space of a problem."""
    model: Any = problem.model
    X, shape = problem.X, problem.risk.shape
    if problem.space == "gram":
        K = model.gram(X)
        if not isinstance(model, FiniteTangent):  # whose kernel is J J^T
            check_semidefinite(K)
        K = K.astype(np.float64, copy=False)
        bound = largest_stable_step(K, sample_weight=problem.weights(by_output=model.coupled))
        return Operators(np.zeros(shape), lambda a: product(K, a, shape), lambda c: c, 2 / bound)
    if problem.space == "jacobian":
        J = model.jacobian(X).astype(np.float64, copy=False)
        return _with_curvature(problem, lambda v: (J @ v).reshape(shape), lambda c: J.T @ c.ravel())
    return _with_curvature(problem, lambda v: model.push(X, v), lambda c: model.pull(X, c))


def _with_curvature(problem: TangentProblem, forward: Callable, adjoint: Callable) -> Operators:
    """The operators, with the largest eigenvalue of the smaller of J^T W J and W^{1/2} J J^T W^{1/2}."""
    p, shape = problem.model.n_params, problem.risk.shape  # type: ignore[union-attr]
    size = int(np.prod(shape))
    weights = (np.ones(shape[0]) if problem.risk.weights is None else problem.risk.weights)[:, None]
    root = np.sqrt(weights)
    if p <= size:
        top = largest_eigenvalue(lambda v: adjoint(weights * forward(v)), p)
    else:
        top = largest_eigenvalue(lambda c: (root * forward(adjoint(root * c.reshape(shape)))).ravel(), size)
    return Operators(np.zeros(p), forward, adjoint, top)


def product(matrix: NDArray, state: NDArray, shape: tuple[int, ...]) -> NDArray:
    """matrix @ state as outputs, where the rows of the matrix are samples, or samples and outputs."""
    columns = state if len(matrix) == shape[0] and state.ndim == 2 else state.reshape(matrix.shape[1], -1)
    return (matrix @ columns).reshape(shape)
