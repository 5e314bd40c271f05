"""Interpolants that optimisers end at: the nearest one, if their steps are made of gradients."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import svd

from ntklib.dynamics import (
    Adam,
    GradientDescent,
    Minibatches,
    Momentum,
    Optimizer,
    SignDescent,
    gradient_descent,
)

__all__ = ["MinimumNorm", "minimum_norm"]


@dataclass(frozen=True, eq=False)
class MinimumNorm:
    r"""Runs of optimisers on a least-squares problem with more parameters than samples.

    Attributes
    ----------
    method : ndarray of str of shape (M,)
    step : ndarray of int of shape (T,)
        Steps at which the runs were looked at.
    error : ndarray of shape (M, T)
        :math:`|w_k - w_*| / |w_* - w_0|`, with :math:`w_* = w_0 + J^+ (y - f_0)` from ``numpy.linalg.lstsq``.
    predicted : ndarray of shape (T,)
        The same for gradient descent, from its closed form in function space.
    outside : ndarray of shape (M, T)
        Share of the way :math:`w_k - w_0` that is perpendicular to all gradients, the range of :math:`J^T`.
    length : ndarray of shape (M, T)
        :math:`|w_k - w_0| / |w_* - w_0|`.
    residual : ndarray of shape (M, T)
        :math:`|f_k - y| / |f_0 - y|`.
    """

    method: NDArray
    step: NDArray
    error: NDArray
    predicted: NDArray
    outside: NDArray
    length: NDArray
    residual: NDArray


def minimum_norm(
    J: NDArray, residual: NDArray, start: NDArray, *, steps: int, random_state: int
) -> dict[str, NDArray]:
    r"""Minimise :math:`\tfrac12 |f_0 + J (w - w_0) - y|^2` by several methods from w_0.

    Any method whose steps are combinations of gradients stays in :math:`w_0 + \mathrm{range}(J^T)`, where one
    point alone fits: :math:`w_0 + J^+ (y - f_0)`, the interpolant nearest to the start.  Methods that divide
    by the size of each entry of the gradient leave it.

    Parameters
    ----------
    J : ndarray of shape (n, p)
        Jacobian, or the features of a linear model.
    residual : ndarray of shape (n,)
        :math:`y - f_0`.
    start : ndarray of shape (p,)
        :math:`w_0`.
    steps : int
    random_state : int
        Of the minibatches.

    Returns
    -------
    dict of str to ndarray
        Fields of a `MinimumNorm`.

    References
    ----------
    S. Gunasekar et al., "Characterizing implicit bias in terms of optimization geometry", ICML 2018.
    """
    _, singular, right = svd(J, full_matrices=False)
    right = right[singular > singular[0] * max(J.shape) * np.finfo(float).eps]
    target = np.linalg.lstsq(J, residual, rcond=None)[0]
    scale, size = float(np.linalg.norm(target)), float(np.linalg.norm(residual))
    marks = np.unique(np.concatenate([[0], np.geomspace(1, steps, 60).astype(int)]))
    top, low = singular[0] ** 2, singular[len(right) - 1] ** 2
    # the fastest of constant steps, kept apart from the largest stable one where rounding would join them
    rate = min(2 / (top + low), (1 - 1e-6) * 2 / top)
    courses: dict[str, list[NDArray]] = {"error": [], "outside": [], "length": [], "residual": []}
    methods = _methods(len(J), J, rate, float(low / top), scale, steps, random_state)
    for optimizer, batches in methods.values():
        way = _run(optimizer, batches, J, residual, start, marks) - start
        length = np.linalg.norm(way, axis=1)
        perpendicular = np.linalg.norm(way - (way @ right.T) @ right, axis=1)
        courses["error"].append(np.linalg.norm(way - target, axis=1) / scale)
        courses["outside"].append(
            np.divide(perpendicular, length, out=np.zeros_like(length), where=length > 0)
        )
        courses["length"].append(length / scale)
        courses["residual"].append(np.linalg.norm(way @ J.T - residual, axis=1) / size)
    gram = J @ J.T
    dual = gradient_descent(gram, residual, [*marks, np.inf], learning_rate=rate).dual_coef
    missing = dual[:-1] - dual[-1]
    squares = np.einsum("ti,ij,tj->t", missing, gram, missing)
    return {
        "method": np.array(list(methods)),
        "step": marks,
        "predicted": np.sqrt(np.maximum(squares, 0)) / scale,
        **{name: np.stack(values) for name, values in courses.items()},
    }


def _methods(
    n: int, J: NDArray, rate: float, spread: float, scale: float, steps: int, random_state: int
) -> dict[str, tuple[Optimizer, Minibatches]]:
    """The methods, with steps that suit the problem: none of them needs tuning to make its point."""
    beta = ((1 - spread**0.5) / (1 + spread**0.5)) ** 2
    everything = Minibatches(n)
    part = max(1, n // 4)
    few = Minibatches(n, part, random_state=random_state)

    def falling(k: int) -> float:
        return float(scale / np.sqrt(J.shape[1])) * 0.03 * max(1e-12, (1 - k / steps)) ** 3

    return {
        "gradient descent": (GradientDescent(rate), everything),
        "momentum": (Momentum(rate, beta), everything),
        "minibatches": (GradientDescent(rate * part / n), few),
        "Adam": (Adam(falling), everything),
        "sign descent": (SignDescent(falling), everything),
    }


def _run(
    optimizer: Optimizer,
    batches: Minibatches,
    J: NDArray,
    residual: NDArray,
    start: NDArray,
    marks: NDArray,
) -> NDArray:
    """Positions at the marks."""
    state = optimizer.start(start)
    path = [start]
    for begin, end in pairwise(marks):
        for k in range(begin, end):
            batch = batches.batch(k)
            rows, goal = J[batch.rows], residual[batch.rows]

            def gradient(w: NDArray, rows=rows, goal=goal, scale=batch.scale) -> NDArray:
                return scale * (rows.T @ (rows @ (w - start) - goal))

            optimizer.step(state, gradient)
        path.append(np.array(state.position))
    return np.stack(path)
