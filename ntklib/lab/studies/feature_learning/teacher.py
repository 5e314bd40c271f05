"""Teachers and students: sums of few ReLU neurons, rows on a sphere, and how well their neurons agree."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ntklib.networks import Params, TwoLayerNet

__all__ = ["COSINES", "Student", "TaughtRows", "Teacher", "draw_sample", "neurons", "rescaled", "student"]

COSINES = np.linspace(-1, 1, 201)
"""Grid of cosines on which their distributions are tabulated."""


class Teacher(NamedTuple):
    """A ReLU network of few neurons, ``amplitude * sum_k sign_k relu(<direction_k, x>)``."""

    directions: NDArray
    signs: NDArray
    amplitude: float

    def __call__(self, X: NDArray) -> NDArray:
        """Return the outputs, (n,)."""
        return self.amplitude * (np.maximum(X @ self.directions.T, 0) @ self.signs)

    def kernel(self, X: NDArray) -> NDArray:
        """Return the tangent kernel of the sum at output and hidden weights of one size, (n, n).

        Neurons of a student that has found these directions have it too, times the mass per neuron, however
        many share a direction: at one size the squares of both weights are that mass.
        """
        Z = X @ self.directions.T
        active = (Z > 0).astype(float)
        A = np.maximum(Z, 0)
        return self.amplitude * (A @ A.T + (X @ X.T) * (active @ active.T))

    def curvature(self, X: NDArray) -> float:
        """Return the largest eigenvalue of that kernel."""
        return float(np.linalg.eigvalsh(self.kernel(X))[-1])

    def alignment(self, W: NDArray, v: NDArray) -> float:
        """Return the mean cosine between neurons and the nearest direction of a teacher neuron of their sign.

        Neurons count by their mass ``|v_j| |w_j|``; one whose sign no teacher neuron has counts as 0.
        """
        cosines, share = self._nearest(W, v)
        return float(cosines @ share)

    def law(self, W: NDArray, v: NDArray) -> NDArray:
        """Return the share of the mass whose cosine is at most each of `COSINES`."""
        cosines, share = self._nearest(W, v)
        return (cosines[:, None] <= COSINES).T @ share

    def _nearest(self, W: NDArray, v: NDArray) -> tuple[NDArray, NDArray]:
        """Return the cosine of every neuron, and its share of the mass."""
        length = np.linalg.norm(W, axis=1)
        mass = length * np.abs(v)
        cosines = (W @ self.directions.T) / np.where(length > 0, length, 1)[:, None]
        same = np.sign(v)[:, None] == self.signs
        nearest = np.where(same, cosines, -np.inf).max(axis=1)
        return np.where(same.any(axis=1), nearest, 0.0), mass / mass.sum()


class TaughtRows(NamedTuple):
    """A teacher, training rows and test rows with the teacher's outputs."""

    teacher: Teacher
    X: NDArray
    y: NDArray
    X_test: NDArray
    y_test: NDArray


class Student(NamedTuple):
    """A network ``factor * sum_j v_j relu(<w_j, x>)`` of ``width`` neurons in opposite pairs."""

    network: TwoLayerNet
    factor: float

    def learning_rate(self, start: float, teacher: float) -> float:
        """Return half the largest stable step for the sum of two curvatures: at the start, and at the end.

        The first is that of a lazy student all along; the second that of one which has become the teacher,
        whose kernel is the teacher's times the factor and the multiplier of its steps.
        """
        multiplier = self.network.step_multipliers["W0"]
        return float(1 / (start + multiplier * self.factor * teacher))


def student(width: int, parameterization: str) -> Student:
    """Return a student of an even width whose outputs are 0 at the start.

    The factor is 1 ("sum"), 1/sqrt(width) ("ntk"), or 1/width ("mean_field", with steps in proportion to
    the width).  Half of the neurons are drawn, with Gaussian weights; each has a twin of opposite output.
    """
    half = width // 2
    if parameterization == "sum":
        return Student(TwoLayerNet(half, symmetric=True, scale=float(np.sqrt(width))), 1.0)
    if parameterization == "ntk":
        return Student(TwoLayerNet(half, symmetric=True), 1 / float(np.sqrt(width)))
    mean = TwoLayerNet(half, parameterization="mean_field", symmetric=True, scale=1 / float(np.sqrt(2)))
    return Student(mean, 1 / width)


def neurons(params: Params) -> tuple[NDArray, NDArray]:
    """Return the hidden weights, (width, d), and signed output weights, (width,), of a student."""
    W = np.concatenate([params["W0"], params["mirror_W0"]])
    return W, np.concatenate([params["W1"][0], -params["mirror_W1"][0]])


def rescaled(params: Params, scale: float) -> Params:
    """Return the parameters of both layers multiplied by the scale: outputs by its square."""
    return Params({name: scale * array for name, array in params.items()})


def draw_sample(
    rng: np.random.Generator,
    *,
    n_features: int,
    n_train: int,
    n_test: int,
    teacher_width: int,
    amplitude: float = 1.0,
) -> TaughtRows:
    """Draw a teacher of unit neurons with random signs, and rows on the unit sphere."""
    widest = np.cos(np.pi / (2 * teacher_width))
    while True:
        directions = _on_sphere(rng, teacher_width, n_features)
        teacher = Teacher(directions, rng.choice([-1.0, 1.0], teacher_width), amplitude)
        X, X_test = _on_sphere(rng, n_train, n_features), _on_sphere(rng, n_test, n_features)
        sample = TaughtRows(teacher, X, teacher(X), X_test, teacher(X_test))
        # neurons on nearly one line could not be told apart; in the plane that is likely
        cosines = np.abs(directions @ directions.T)[~np.eye(teacher_width, dtype=bool)]
        if (cosines <= widest).all() and sample.y.any() and sample.y_test.any():
            return sample


def _on_sphere(rng: np.random.Generator, n: int, d: int) -> Any:
    rows = rng.standard_normal((n, d))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
