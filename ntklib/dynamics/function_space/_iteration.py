r"""Training on any convex loss: :math:`f = f_0 + K a`, in the coordinates of the singular vectors of J.

With K = P P^T, the parameters' movement w - w_0 is b in these coordinates, f = f_0 + P b, and training is
training of b. What K sends to zero has no coordinate, so that nothing of it can grow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp

from ntklib._core.validation import check_real
from ntklib.solvers import EigenFactor

from ..losses import AbsoluteError, Loss, Risk
from ._absolute_flow import absolute_flow
from .records import FunctionPath, along
from .spectrum import Spectrum, stable_step


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


@dataclass(frozen=True)
class Coordinates:
    r"""A tangent model with targets in the coordinates b: :math:`f = f_0 + P b`, dual coefficients D b.

    ``top`` is the largest eigenvalue of the weighted Gram matrix.
    """

    risk: Risk
    f0: NDArray
    P: NDArray
    D: NDArray
    top: float

    @classmethod
    def of(
        cls,
        K: ArrayLike | EigenFactor,
        y: ArrayLike,
        f0: ArrayLike,
        criterion: Loss,
        sample_weight: ArrayLike | None,
    ) -> Coordinates:
        """Decompose K and bind the loss to the targets."""
        spectrum = Spectrum.of(K, sample_weight)
        risk, f0 = start(criterion, y, f0, len(spectrum.eigenvalues), spectrum.weights)
        return cls(risk, f0, *spectrum.factors(), float(spectrum.eigenvalues[-1]))

    def path(self, b: NDArray) -> FunctionPath:
        """Path of coordinates b of shape (T, rank) or (T, rank, k)."""
        outputs = self.f0 + along(self.P, b)
        distance = np.linalg.norm(b.reshape(len(b), -1), axis=1)
        return FunctionPath(along(self.D, b), outputs, self.risk.value(outputs), distance)


def descend(
    model: Coordinates,
    steps: NDArray,
    *,
    ridge: float,
    learning_rate: float,
    momentum: float,
    averaged: bool,
) -> FunctionPath:
    """Iterate b <- b - eta (P^T grad R(f_0 + P b) + ridge b) + momentum."""
    risk, f0, P = model.risk, model.f0, model.P
    _check_finite(steps, risk.loss)
    b, velocity, mean = np.zeros((3, P.shape[1], *risk.shape[1:]))
    f = f0
    last, recorded = int(steps.max()), dict.fromkeys(steps.astype(int), b)
    with np.errstate(over="ignore", invalid="ignore"):  # divergence is reported below
        for k in range(last + 1):
            if averaged:
                mean = mean + (b - mean) / (k + 1)
            if k in recorded:
                recorded[k] = mean if averaged else b
            if k < last:
                velocity = momentum * velocity - learning_rate * (P.T @ risk.gradient(f) + ridge * b)
                b = b + velocity
                f = f0 + P @ b
    if not np.isfinite(f).all():
        advice = "take a smaller one."
        if risk.loss.smooth:
            safe = stable_step(risk.loss.smoothness(risk.n_outputs) * model.top + ridge, momentum)
            advice = f"those below the largest stable step, {safe:.6g}, are safe."
        raise ValueError(
            f"gradient descent diverged within {last} steps of size {learning_rate:.4g}; {advice}"
        )
    return model.path(np.stack([recorded[int(k)] for k in steps]))


def integrate(model: Coordinates, times: NDArray, *, ridge: float, tolerance: float) -> FunctionPath:
    r"""Integrate :math:`\dot b = -P^T \nabla R(f_0 + P b) - \lambda b`.

    It is the flow of a convex function, which brings paths closer: errors made on the way do not grow. Units
    of b and of time are those in which the largest singular value is about 1. The absolute error, which has
    kinks, is followed exactly.
    """
    tolerance = check_real(tolerance, "tolerance", minimum=1e-13)
    risk, f0, P = model.risk, model.f0, model.P
    if type(risk.loss) is AbsoluteError:
        weights = np.ones(len(P)) if risk.weights is None else risk.weights
        return model.path(absolute_flow(P, f0 - risk.targets, weights, times, ridge))
    if not risk.loss.smooth:
        raise ValueError(
            f"{risk.loss.name} is not smooth: its flow slides along kinks where integrators stop."
        )
    _check_finite(times, risk.loss)
    top = float(np.linalg.norm(P[:, -1])) if P.size else 1.0
    P1, ridge = P / top, ridge / top**2
    shape = (P.shape[1], risk.n_outputs)

    def output(b: NDArray) -> NDArray:
        return f0 + (P1 @ b.reshape(shape)).reshape(risk.shape)

    def velocity(_: float, b: NDArray) -> NDArray:
        gradient = risk.gradient(output(b)).reshape(len(P1), -1)
        return -(P1.T @ gradient).ravel() - ridge * b

    def jacobian(_: float, b: NDArray) -> NDArray:
        blocks = risk.hessian(output(b)).reshape(len(P1), shape[1], shape[1])
        out = -np.einsum("ir,iac,is->rasc", P1, blocks, P1, optimize=True).reshape(b.size, b.size)
        out[np.diag_indices(b.size)] -= ridge
        return out

    moments, where = np.unique(times * top**2, return_inverse=True)
    b = np.zeros((len(moments), shape[0] * shape[1]))
    if moments[-1] > 0 and b.size:
        span = (0.0, float(moments[-1]))
        run = solve_ivp(velocity, span, b[0], "LSODA", moments, rtol=tolerance, atol=tolerance, jac=jacobian)
        if not run.success:
            raise RuntimeError(f"the integrator failed: {run.message}")
        b = run.y.T
    return model.path(b[where].reshape(len(times), -1, *risk.shape[1:]) / top)


def _check_finite(times: NDArray, criterion: Loss) -> None:
    if np.isinf(times).any():
        raise ValueError(f"no limit at infinity is known for {criterion.name} here; give a finite time.")
