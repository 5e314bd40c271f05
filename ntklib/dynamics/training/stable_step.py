"""The step size that the curvature of a model at its start suggests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh

from ntklib.networks import Params
from ntklib.networks.taylor_models import QuadraticModel

from ..function_space.spectrum import top_eigenvalue
from ..losses import Risk
from ..optimizers import GradientDescent, HeavyBall, Minibatches, Momentum, Nesterov, Optimizer

__all__ = ["auto_step", "largest_eigenvalue"]

_SMALL = 32  # order up to which an operator is written out
_DENSE = 4096  # order up to which the Gram matrix is, and it serves all batches
_BATCHES = 10  # that are looked at


def auto_step(
    model: Any, params: Params, X: Any, risk: Risk, optimizer: Optimizer, batches: Minibatches, steps: int
) -> float:
    r"""Half the largest stable step at the start, :math:`(1 + \mu) / (M \lambda_{\max})`.

    :math:`\lambda_{\max}` is the largest eigenvalue of :math:`W^{1/2} J D J^T W^{1/2}`, with D the step
    multipliers and W the samples' weights; M is the loss's smoothness. For Nesterov's momentum mu counts as
    0. With minibatches the largest of the whole sample's and of n/b times the first batches'. A loss that is
    not smooth has no such step: there it is the mean error over :math:`\lambda_{\max} \sqrt{T}`, T being the
    steps. Four digits are kept: more are not known of the eigenvalue, and these are the same at any number of
    threads.

    Raises
    ------
    ValueError
        If the optimiser is not one of gradient descent, with momentum or without.
    """
    descends = isinstance(optimizer, (GradientDescent, Momentum, HeavyBall))
    if not (descends and optimizer.step_family == "gradient"):
        raise ValueError(
            f"learning_rate='auto' is half the largest stable step of gradient descent; "
            f"{type(optimizer).__name__} needs a number."
        )
    momentum = 0.0 if isinstance(optimizer, Nesterov) else getattr(optimizer, "momentum", 0.0)
    if callable(momentum):
        raise ValueError("learning_rate='auto' needs a constant momentum.")
    curvature = _by_gram if _has_gram(model, risk) else _by_products
    of_rows = curvature(model, params, X, risk)
    top = of_rows(slice(None))
    if batches.batch_size < X.shape[0]:
        for batch in map(batches.batch, range(min(_BATCHES, batches.per_epoch))):
            top = max(top, batch.scale * of_rows(batch.rows))
    if top == 0:
        return 1.0  # nothing moves
    smoothness = risk.loss.smoothness(risk.n_outputs)
    if np.isfinite(smoothness):
        return _rounded((1 + momentum) / (smoothness * top))
    error = np.abs(risk.targets - model.apply(params, X)).reshape(X.shape[0], -1).mean(axis=1)
    size = float(np.average(error, weights=risk.weights))
    return _rounded((size or 1.0) / (top * np.sqrt(max(steps, 1))))


def _rounded(step: float) -> float:
    return float(f"{step:.4g}")


def largest_eigenvalue(operator: Callable[[NDArray], NDArray], order: int) -> float:
    """Largest eigenvalue of a symmetric, positive semidefinite operator on vectors of this length."""
    if order <= _SMALL:
        matrix = np.stack([operator(row) for row in np.eye(order)])
        return max(float(np.linalg.eigvalsh((matrix + matrix.T) / 2)[-1]), 0.0)
    start = np.random.default_rng(0).standard_normal(order)
    if not operator(start).any():
        return 0.0
    linear = LinearOperator((order, order), matvec=operator, dtype=np.float64)
    # an error of the vector counts squared in the eigenvalue
    return float(eigsh(linear, 1, v0=start, tol=1e-9, return_eigenvectors=False)[0])


Curvature = Callable[[Any], float]
"""The largest eigenvalue of W^{1/2} J D J^T W^{1/2} over some rows."""


def _has_gram(model: Any, risk: Risk) -> bool:
    return risk.targets.size <= _DENSE and not isinstance(model, QuadraticModel)


def _by_gram(model: Any, params: Params, X: Any, risk: Risk) -> Curvature:
    n, k = X.shape[0], risk.n_outputs
    output = "full" if k > 1 else "trace"
    gram = model.ntk(params, X, output=output, weighted=True).reshape(n, k, n, k).astype(np.float64)
    root = _root(risk)
    gram *= root[:, :, None, None] * root

    def of_rows(rows: Any) -> float:
        part = gram[rows][:, :, rows]
        order = part.shape[0] * k
        return top_eigenvalue(part.reshape(order, order))

    return of_rows


def _by_products(model: Any, params: Params, X: Any, risk: Risk) -> Curvature:
    factors, root = _multipliers(model, X.shape[1]), _root(risk)

    def of_rows(rows: Any) -> float:
        part, own = X[rows], root[rows]

        def operator(vector: NDArray) -> NDArray:
            c = own * vector.reshape(len(own), -1)
            gradient = model.vjp(params, part, c if c.shape[1] > 1 else c[:, 0])
            moved = model.jvp(params, part, gradient if factors is None else factors * gradient)
            return (own * moved.reshape(len(own), -1)).ravel().astype(np.float64)

        return largest_eigenvalue(operator, len(own) * risk.n_outputs)

    return of_rows


def _root(risk: Risk) -> NDArray:
    """Square roots of the samples' weights, (n, 1)."""
    return np.ones((risk.shape[0], 1)) if risk.weights is None else np.sqrt(risk.weights)[:, None]


def _multipliers(model: Any, n_features: int) -> NDArray | None:
    """The step multiplier of each trained parameter, None if all are 1."""
    steps = model.step_multipliers
    shapes = model.trained_shapes(n_features)
    if all(steps[name] == 1 for name in shapes):
        return None
    return np.concatenate([np.full(int(np.prod(shape)), steps[name]) for name, shape in shapes.items()])
