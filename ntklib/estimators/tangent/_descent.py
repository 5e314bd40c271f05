r"""Gradient descent on a tangent model, as a sequence of stages that can be watched.

With features :math:`\Phi` (a row a sample and output), momentum mu and the loss R, a sum over samples,

.. math:: w_{k+1} = w_k - \eta \Phi^T \nabla R(f_k) + \mu (w_k - w_{k-1}), \qquad w_{-1} = w_0 .

In function space the same in coefficients a of the samples, :math:`w - w_0 = \Phi^T a`. On the square loss
the iterates are known in the eigenbasis of the weighted Gram matrix: along an eigenvector of eigenvalue s the
error has decayed by a factor p_k(s), and the state has moved by :math:`(1 - p_k)/s` times the first gradient.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ntklib._core.blocks import working_memory
from ntklib.dynamics import SquaredError
from ntklib.dynamics.function_space.filters import heavy_ball_filter
from ntklib.dynamics.function_space.spectrum import Spectrum, check_step

from ._problem import TangentProblem, operators, product

_AHEAD = 64  # steps of the closed form computed together


class Stage(NamedTuple):
    """The model after `step` steps: loss on the training samples, outputs at a view, state.

    In the problem's unit.
    """

    step: int
    loss: float
    outputs: NDArray | None
    state: NDArray


class Descent(ABC):
    """Training from the start, as often as is asked for."""

    problem: TangentProblem
    learning_rate: float

    @abstractmethod
    def stages(self, steps: Iterable[int], view: Any = None) -> Iterator[Stage]:
        """Stages after these numbers of steps, ascending; `view`, from the method, is evaluated at each."""

    @abstractmethod
    def view(self, X: Any) -> Any:
        """Make ready to evaluate stages at the rows of X."""

    def solution(self, state: NDArray) -> Any:
        """All that the model has learned, before and in this training."""
        model: Any = self.problem.model
        before = self.problem.before
        new = model.solution(self.problem.X, state * self.problem.unit, dual=self.problem.space == "gram")
        return new if before is None else model.added(before, new)

    def _features(self, X: Any) -> NDArray:
        """The matrix whose product with a state is the change of outputs at the rows of X."""
        model: Any = self.problem.model
        return model.cross(X, self.problem.X) if self.problem.space == "gram" else model.jacobian(X)


class ClosedForm(Descent):
    """The square loss: one eigendecomposition answers every step."""

    def __init__(self, problem: TangentProblem) -> None:
        self.problem = problem
        error = problem.risk.targets - problem.outputs(problem.X)
        self.spare = 0.0  # loss of the part of the error that no parameter moves
        if problem.space == "gram":
            weights = problem.weights(by_output=problem.model.coupled)
            spectrum = Spectrum.of(problem.model.gram(problem.X), weights)
            rows = spectrum.scaled(error.reshape(len(spectrum.eigenvalues), -1))
            self.basis = spectrum.scaled(spectrum.vectors)
            self.first = spectrum.vectors.T @ rows
            self.energy = np.square(self.first).sum(1)
        else:
            rows, J = error.reshape(-1, 1), problem.model.jacobian(problem.X)  # type: ignore[union-attr]
            if (weights := problem.weights(by_output=True)) is not None:
                root = np.sqrt(weights)[:, None]
                rows, J = root * rows, (root * J).astype(J.dtype, copy=False)
            spectrum = Spectrum.of(J.T @ J)
            self.basis = spectrum.vectors
            self.first = self.basis.T @ (J.T @ rows)
            moved = spectrum.eigenvalues > 0
            self.energy = np.zeros(len(moved))
            self.energy[moved] = np.square(self.first[moved, 0]) / spectrum.eigenvalues[moved]
            self.spare = max(0.5 * float(np.square(rows).sum() - self.energy.sum()), 0.0)
        self.spectrum = spectrum
        self.learning_rate = _step_size(problem, float(spectrum.eigenvalues[-1]), error)

    def stages(self, steps: Iterable[int], view: Any = None) -> Iterator[Stage]:
        rank, columns = self.first.shape
        seen = 0 if view is None else view[1].shape[0]
        ahead = max(1, min(_AHEAD, working_memory() // (8 * (rank + seen) * (columns + 4))))
        numbers = iter(steps)
        while block := list(islice(numbers, ahead)):
            at = np.array(block, dtype=np.float64)
            decay, gain = self.spectrum.filtered(self._filter(at), 0.0, len(block))
            losses = self.spare + 0.5 * np.square(decay) @ self.energy
            states = gain[:, :, None] * self.first
            outputs: Any = [None] * len(block)
            if view is not None:
                start, features = view
                wide = features @ np.moveaxis(states, 0, 1).reshape(rank, -1)
                moved = np.moveaxis(wide.reshape(seen, len(block), columns), 1, 0)
                outputs = start + moved.reshape(len(block), *start.shape)
            for step, loss, output, state in zip(block, losses, outputs, states, strict=True):
                yield Stage(step, float(loss), output, state)

    def view(self, X: Any) -> tuple[NDArray, NDArray]:
        return self.problem.outputs(X), self._features(X) @ self.basis

    def solution(self, state: NDArray) -> Any:
        own = self.basis @ state
        shape = self.problem.risk.shape if self.problem.space == "gram" else (-1,)
        return super().solution(own.reshape(shape))

    def _filter(self, at: NDArray) -> Callable[[NDArray], Any]:
        return lambda s: heavy_ball_filter(s, at, self.learning_rate, self.problem.momentum)


class Iteration(Descent):
    """Any loss, step by step."""

    def __init__(self, problem: TangentProblem) -> None:
        self.problem = problem
        self.start = problem.outputs(problem.X)
        self.operators = operators(problem)
        error = problem.risk.targets - self.start
        self.learning_rate = _step_size(problem, self.operators.curvature, error)

    def stages(self, steps: Iterable[int], view: Any = None) -> Iterator[Stage]:
        risk, (zero, forward, adjoint, _) = self.problem.risk, self.operators
        outputs, state, velocity, done = self.start, zero, zero, 0
        for step in steps:
            with np.errstate(over="ignore", invalid="ignore"):  # divergence is for the reader to see
                while done < step:
                    pulled = adjoint(risk.gradient(outputs))
                    velocity = self.problem.momentum * velocity - self.learning_rate * pulled
                    state = state + velocity
                    outputs = self.start + forward(state)
                    done += 1
                loss = risk.value(outputs)
            yield Stage(step, loss, None if view is None else view(state), state)

    def view(self, X: Any) -> Callable[[NDArray], NDArray]:
        model, start = self.problem.model, self.problem.outputs(X)
        if self.problem.space == "network":
            return lambda state: start + model.push(X, state)  # type: ignore[union-attr]
        features = self._features(X)
        return lambda state: start + product(features, state, start.shape)


def _step_size(problem: TangentProblem, curvature: float, error: NDArray) -> float:
    r"""Step size of a problem, on samples of this largest eigenvalue and these errors at the start.

    "auto" is half the largest stable step, :math:`(1 + \mu)/(M \lambda_{\max})`. A loss that is not smooth
    has none: there it is the mean error at the start over :math:`\lambda_{\max} \sqrt{T}`, which in T
    iterations travels far enough and keeps the oscillations at the end small. With the squared error a given
    step that is not stable is refused.
    """
    learning_rate, momentum, risk = problem.learning_rate, problem.momentum, problem.risk
    if learning_rate != "auto":
        square = isinstance(risk.loss, SquaredError)
        return check_step(learning_rate, curvature, momentum) if square else float(learning_rate)
    if curvature == 0:
        return 1.0  # nothing moves
    if risk.loss.smooth:
        return (1 + momentum) / (risk.loss.smoothness(risk.n_outputs) * curvature)
    size = float(np.average(np.abs(error).mean(axis=1), weights=risk.weights))
    return (size or 1.0) / (curvature * np.sqrt(problem.iterations))
