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

    @property
    def gram_weights(self) -> NDArray | None:
        """Weights of the rows of the Gram matrix."""
        weights = self.risk.weights
        return weights if weights is None or not self.model.coupled else self._repeated(weights)

    @property
    def jacobian_weights(self) -> NDArray | None:
        """Weights of the rows of the Jacobian."""
        return None if self.risk.weights is None else self._repeated(self.risk.weights)

    def _repeated(self, weights: NDArray) -> NDArray:
        return np.repeat(weights, self.model.n_outputs)


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
    return _SPACES[problem.space](problem)


def product(matrix: NDArray, state: NDArray, shape: tuple[int, ...]) -> NDArray:
    """matrix @ state as outputs, where the rows of the matrix are samples, or samples and outputs."""
    columns = state if len(matrix) == shape[0] and state.ndim == 2 else state.reshape(matrix.shape[1], -1)
    return (matrix @ columns).reshape(shape)


def _gram_operators(problem: TangentProblem) -> Operators:
    K = problem.model.gram(problem.X)
    if not isinstance(problem.model, FiniteTangent):  # whose kernel is J J^T
        check_semidefinite(K)
    K = K.astype(np.float64, copy=False)
    bound = largest_stable_step(K, sample_weight=problem.gram_weights)
    shape = problem.risk.shape
    return Operators(np.zeros(shape), lambda a: product(K, a, shape), lambda c: c, 2 / bound)


def _jacobian_operators(problem: TangentProblem) -> Operators:
    J = problem.model.jacobian(problem.X).astype(np.float64, copy=False)  # type: ignore[union-attr]
    shape = problem.risk.shape
    return _with_curvature(problem, lambda v: (J @ v).reshape(shape), lambda c: J.T @ c.ravel())


def _network_operators(problem: TangentProblem) -> Operators:
    model: Any = problem.model
    return _with_curvature(problem, lambda v: model.push(problem.X, v), lambda c: model.pull(problem.X, c))


def _with_curvature(problem: TangentProblem, forward: Callable, adjoint: Callable) -> Operators:
    """The operators, with the largest eigenvalue of the smaller of J^T W J and W^{1/2} J J^T W^{1/2}."""
    p, shape = problem.model.n_params, problem.risk.shape  # type: ignore[union-attr]
    weights = np.ones(shape[0]) if problem.risk.weights is None else problem.risk.weights
    if p <= np.prod(shape):
        top = largest_eigenvalue(lambda v: adjoint(weights[:, None] * forward(v)), p)
    else:
        root = np.sqrt(weights)[:, None]
        top = largest_eigenvalue(
            lambda c: (root * forward(adjoint(root * c.reshape(shape)))).ravel(), int(np.prod(shape))
        )
    return Operators(np.zeros(p), forward, adjoint, top)


_SPACES: dict[str, Callable] = {
    "gram": _gram_operators,
    "jacobian": _jacobian_operators,
    "network": _network_operators,
}
