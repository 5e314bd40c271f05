r"""Training on any convex loss, in function space: :math:`f = f_0 + K a`."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp

from ntklib._validation import check_real
from ntklib.dynamics._losses import Loss, Risk
from ntklib.dynamics._records import Path
from ntklib.dynamics._spectrum import Spectrum, check_gram
from ntklib.solvers import Eigendecomposition


def start(
    criterion: Loss, y: ArrayLike, f0: ArrayLike, n: int, sample_weight: ArrayLike | None = None
) -> tuple[Risk, NDArray]:
    """Bind the loss to the targets; the outputs at initialisation in full shape, float64."""
    f0 = np.asarray(f0, dtype=np.float64)
    risk = criterion.risk(y, f0.shape if f0.ndim else None, sample_weight)
    if risk.shape[0] != n:
        raise ValueError(f"K has {n} rows and there are {risk.shape[0]} targets.")
    if not np.isfinite(f0).all():
        raise ValueError("f0 contains NaN or infinity.")
    return risk, np.broadcast_to(f0, risk.shape)


def descend(
    K: ArrayLike | Eigendecomposition,
    y: ArrayLike,
    steps: NDArray,
    f0: ArrayLike,
    ridge: float,
    criterion: Loss,
    sample_weight: ArrayLike | None,
    learning_rate: float,
    momentum: float,
    averaged: bool,
) -> Path:
    """Iterate a <- a - eta (grad R(f_0 + K a) + ridge a) + momentum, one product with K a step."""
    gram, sample_weight = _gram_and_weights(K, sample_weight)
    risk, f0 = start(criterion, y, f0, len(gram), sample_weight)
    _refuse_limits(steps, criterion)
    a, velocity, mean = np.zeros((3, *risk.shape))
    f, recorded = f0, {}
    last, wanted = int(steps.max()), set(steps.astype(int))
    with np.errstate(over="ignore", invalid="ignore"):  # divergence is reported below
        for k in range(last + 1):
            if averaged:
                mean += (a - mean) / (k + 1)
            if k in wanted:
                recorded[k] = mean.copy() if averaged else a.copy()
            if k < last:
                velocity = momentum * velocity - learning_rate * (risk.gradient(f) + ridge * a)
                a = a + velocity
                f = f0 + gram @ a
    if not np.isfinite(f).all():
        raise ValueError(
            f"gradient descent diverged within {last} steps of size {learning_rate:.4g}; "
            "largest_stable_step gives a safe one."
        )
    dual_coef = np.stack([recorded[int(k)] for k in steps])
    moved = np.einsum("ij,tj...->ti...", gram, dual_coef, optimize=True)
    axes = tuple(range(1, moved.ndim))
    squared_distance = (dual_coef * moved).sum(axis=axes)
    outputs = f0 + moved
    return Path(dual_coef, outputs, risk.value(outputs), np.sqrt(np.maximum(squared_distance, 0.0)))


def integrate(
    K: ArrayLike | Eigendecomposition,
    y: ArrayLike,
    times: NDArray,
    f0: ArrayLike,
    ridge: float,
    criterion: Loss,
    sample_weight: ArrayLike | None,
    tolerance: float,
) -> Path:
    r"""Integrate the gradient flow in coordinates b of w - w_0 along the eigenvectors of K.

    With :math:`P = Q \Lambda^{1/2}` over its largest singular value, f = f_0 + P b and, in units of time in
    which the largest eigenvalue is 1, :math:`\dot b = -P^T \nabla R(f) - \lambda b`: the flow of a convex
    function. It brings paths closer, so errors made on the way do not grow.
    """
    tolerance = check_real(tolerance, "tolerance", minimum=0, strict=True)
    if not criterion.smooth:
        raise ValueError(
            f"{criterion.name} is not smooth: its flow slides along kinks where an integrator stops. "
            "Use gradient_descent with small steps, or 'huber' with a small delta."
        )
    gram, sample_weight = _gram_and_weights(K, sample_weight)
    risk, f0 = start(criterion, y, f0, len(gram), sample_weight)
    _refuse_limits(times, criterion)
    spectrum = Spectrum.of(gram)
    active = spectrum.eigenvalues > 0
    values, vectors = spectrum.eigenvalues[active], spectrum.vectors[:, active]
    top = values[-1] if values.size else 1.0
    P = vectors * np.sqrt(values / top)
    shape = (len(values), risk.n_outputs)

    def output(b: NDArray) -> NDArray:
        return f0 + (P @ b.reshape(shape)).reshape(risk.shape)

    def velocity(_: float, b: NDArray) -> NDArray:
        gradient = risk.gradient(output(b)).reshape(len(P), -1)
        return -(P.T @ gradient).ravel() - (ridge / top) * b

    def jacobian(_: float, b: NDArray) -> NDArray:
        blocks = risk.hessian(output(b)).reshape(len(P), shape[1], shape[1])
        out = -np.einsum("ir,iac,is->rasc", P, blocks, P, optimize=True).reshape(b.size, b.size)
        out[np.diag_indices(b.size)] -= ridge / top
        return out

    moments, where = np.unique(times * top, return_inverse=True)
    b = np.zeros((len(moments), *shape))
    if moments[-1] > 0 and b.size:
        zero = np.zeros(shape[0] * shape[1])
        span = (0.0, float(moments[-1]))
        run = solve_ivp(velocity, span, zero, "LSODA", moments, rtol=tolerance, atol=tolerance, jac=jacobian)
        if not run.success:
            raise RuntimeError(f"the integrator failed: {run.message}")
        b = run.y.T.reshape(b.shape)
    b = b[where]
    # a = Q Lambda^{-1/2} (w - w_0), and w - w_0 is b in units of the largest singular value
    dual_coef = np.moveaxis(np.tensordot(vectors / np.sqrt(values * top), b, (1, 1)), 1, 0)
    outputs = f0 + np.moveaxis(np.tensordot(P, b, (1, 1)), 1, 0).reshape(len(times), *risk.shape)
    distance = np.linalg.norm(b.reshape(len(times), -1), axis=1) / np.sqrt(top)
    return Path(dual_coef.reshape(outputs.shape), outputs, risk.value(outputs), distance)


def _gram_and_weights(K, sample_weight) -> tuple[NDArray, ArrayLike | None]:
    """The Gram matrix in float64, and the weights, which a decomposition holds already."""
    if not isinstance(K, Eigendecomposition):
        return check_gram(K).astype(np.float64, copy=False), sample_weight
    spectrum = Spectrum.of(K, sample_weight)
    return spectrum.gram(), None if spectrum.root is None else spectrum.root**2


def _refuse_limits(times: NDArray, criterion: Loss) -> None:
    if np.isinf(times).any():
        raise ValueError(
            f"the limit at infinity is known for the square loss only; give {criterion.name} a finite time."
        )
