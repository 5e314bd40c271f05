r"""The gradient flow of the absolute error: piecewise, in closed form.

Residuals r = f_0 + P b - y that are not 0 pull with constant force, each sample with its weight. One that
reaches 0 stays there while that weight can hold against the others: the flow of a convex function follows the
**shortest** subgradient, :math:`\dot b = -(P^T g + \lambda b)` with g_i = w_i sign(r_i) where r_i != 0, and
elsewhere the |g_i| <= w_i that make it shortest. Until another residual reaches 0 nothing of g changes, and

.. math:: b(t + \tau) = b - u\, (P^T g + \lambda b), \qquad u = (1 - e^{-\lambda \tau})/\lambda,

so that residuals are linear in u and the next event is known. There are about as many events as samples, each
a least-squares problem in the samples held: this is for hundreds of samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

_EVENTS = 1000  # a sample, far more than are needed: an end to loops that rounding might make
_STILL = 1e-11  # forces below this, relative to the largest there can be, are rounding


def absolute_flow(P: NDArray, residual: NDArray, weights: NDArray, times: NDArray, ridge: float) -> NDArray:
    """Coordinates b at all times, (T, rank) or (T, rank, k), started at 0.

    ``residual`` is f_0 - y, of shape (n,) or (n, k), whose columns do not meet.  Infinity is the limit, which
    is reached after finitely many events.
    """
    if residual.ndim == 2:
        columns = [absolute_flow(P, column, weights, times, ridge) for column in residual.T]
        return np.stack(columns, axis=-1)
    b, r, now = np.zeros(P.shape[1]), residual.copy(), 0.0
    still = _STILL * np.linalg.norm(weights) * np.linalg.norm(P)
    out = np.empty((len(times), len(b)))
    pending = np.ones(len(times), dtype=bool)
    for _ in range(_EVENTS * len(r)):
        if not pending.any():
            return out
        g = _shortest(P, b, r, weights, ridge)
        velocity = -(P.T @ g + ridge * b)
        if np.linalg.norm(velocity) <= still:
            out[pending] = b
            return out
        rate, sign = P @ velocity, np.sign(g)
        # of the residuals at 0, those that leave follow their force, the others stay
        leaving = np.where(np.abs(g) == weights, sign * np.maximum(sign * rate, 0), 0)
        rate = np.where(r != 0, rate, leaving)
        meets = np.where(r * rate < 0, -r / np.where(rate == 0, 1, rate), np.inf)
        u = meets.min()
        then = now + _elapsed(u, ridge)
        for i in np.flatnonzero(pending & ((times < then) | np.isinf(then))):
            out[i] = b + _unit(times[i] - now, ridge) * velocity
            pending[i] = False
        if not np.isfinite(then):
            return out
        b, r, now = b + u * velocity, np.where(meets <= u * (1 + 1e-12), 0.0, r + u * rate), then
    raise RuntimeError(
        "the flow of the absolute error did not settle; the kernel may be singular to rounding."
    )


def _shortest(P: NDArray, b: NDArray, r: NDArray, weights: NDArray, ridge: float) -> NDArray:
    """The subgradient g that makes P^T g + ridge b shortest."""
    g = weights * np.sign(r)
    held = r == 0
    if held.any():
        pull, bound = P.T @ g + ridge * b, weights[held]
        force = lsq_linear(P[held].T, -pull, (-bound, bound), method="bvls", tol=1e-14).x
        # at a bound means at it, though the solver stops a rounding error before
        g[held] = np.where(np.abs(force) > (1 - 1e-10) * bound, np.sign(force) * bound, force)
    return g


def _unit(elapsed: float, ridge: float) -> float:
    """u of a time."""
    return -np.expm1(-ridge * elapsed) / ridge if ridge else elapsed


def _elapsed(u: float, ridge: float) -> float:
    """The time in which u is reached, infinity if it is not."""
    if not ridge:
        return u
    return -np.log1p(-ridge * u) / ridge if ridge * u < 1 else np.inf
