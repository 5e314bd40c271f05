r"""Gradient flow of the logistic loss to times that no number of plain steps would reach.

Once the classes are separated the loss falls like 1/t, gradients with it, and directions change with log t.
Models that are linear in their parameters are followed in :math:`s = \log(1 + t)`,

.. math:: \frac{dw}{ds} = -e^s \nabla L(w) = \sum_i \omega_i\, e^s p_i\, y_i \phi_i - e^s \lambda w, \qquad
          p_i = \frac{1}{1 + e^{y_i \phi_i \cdot w}},

whose right-hand side stays of order one: :math:`e^s p_i` tends to the multipliers of the support vector
machine.  Formed as one exponential it neither overflows nor underflows at any s.  Networks take steps
:math:`\eta_k \propto 1/L(w_k)`, which keep pace with the falling loss, on the clock
:math:`t_k = \sum_{j<k} \eta_j`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.linalg import solve
from scipy.special import expit, log_expit, logsumexp

__all__ = ["homogeneity", "linear_flow", "network_flow"]

_REST = 1e-7  # gradient, relative to the sum of its terms' lengths, at which Newton's method takes over
_MEASURED = 25  # steps between readings of the largest gradient


def linear_flow(
    signed: NDArray,
    log_times: NDArray,
    *,
    weights: NDArray | None = None,
    ridge: float = 0.0,
    tolerance: float = 1e-9,
) -> NDArray:
    """Return w at given values of log(1 + t), from w = 0.

    Parameters
    ----------
    signed : ndarray of shape (n, p)
        Rows y_i phi_i.
    log_times : ndarray of shape (T,)
        Ascending, nonnegative.
    weights : ndarray of shape (n,) or None, default=None
        Positive weights of the samples' losses.
    ridge : float, default=0.0
        Penalty lambda on |w|^2/2.
    tolerance : float, default=1e-9
        Relative error that a step of the integrator may make.

    Returns
    -------
    ndarray of shape (T, p)
        Where the flow has a limit (a penalty, or classes that no plane separates) it stays there once it has
        come to rest.

    Raises
    ------
    RuntimeError
        If the integrator fails.
    """
    log_weights = np.zeros(len(signed)) if weights is None else np.log(weights)
    lengths = np.linalg.norm(signed, axis=1)

    def force(s: float, w: NDArray) -> NDArray:
        pull = np.exp(s + log_weights + log_expit(-(signed @ w)))
        return pull @ signed - (np.exp(s) * ridge) * w if ridge else pull @ signed

    def jacobian(s: float, w: NDArray) -> NDArray:
        margins = signed @ w
        bend = np.exp(s + log_weights + log_expit(-margins) + log_expit(margins))
        bent = -(signed.T * bend) @ signed
        return bent - np.exp(s) * ridge * np.eye(len(w)) if ridge else bent

    def rest(s: float, w: NDArray) -> float:
        total = float(np.exp(s + log_weights + log_expit(-(signed @ w))) @ lengths)
        return float(np.linalg.norm(force(s, w))) / total - _REST

    rest.terminal = True  # type: ignore[attr-defined]
    run = solve_ivp(
        force,
        (0.0, float(log_times[-1])),
        np.zeros(signed.shape[1]),
        "LSODA",
        t_eval=log_times,
        events=rest,
        jac=jacobian,
        rtol=tolerance,
        atol=1e-10,
    )
    if run.status < 0:
        raise RuntimeError(f"the integrator failed: {run.message}")
    path = run.y.T
    if run.status == 1:
        limit = _minimiser(signed, run.y_events[0][0], np.exp(log_weights), ridge)
        path = np.vstack([path, np.tile(limit, (len(log_times) - len(path), 1))])
    return path


def _minimiser(signed: NDArray, start: NDArray, weights: NDArray, ridge: float) -> NDArray:
    """Minimiser of the weighted logistic loss by Newton's method, from where the flow came to rest."""
    w = start
    for _ in range(20):
        margins = signed @ w
        gradient = ridge * w - (weights * expit(-margins)) @ signed
        hessian = (signed.T * (weights * expit(-margins) * expit(margins))) @ signed + ridge * np.eye(len(w))
        step = solve(hessian, gradient, assume_a="pos")
        w = w - step
        if np.linalg.norm(step) <= 1e-13 * np.linalg.norm(w):
            break
    return w


def network_flow(
    network: Any,
    X: NDArray,
    signs: NDArray,
    start: Any,
    log_times: NDArray,
    *,
    weights: NDArray | None = None,
    stride: float = 0.5,
    max_steps: int = 1_000_000,
) -> NDArray:
    r"""Return the parameters of a homogeneous network at given values of log(1 + t).

    With shares :math:`q_i = \omega_i p_i / \sum_j \omega_j p_j` a step is
    :math:`w \leftarrow w + h \sum_i q_i y_i \nabla f_i(w)`, gradient descent with
    :math:`\eta = h / \sum_j \omega_j p_j`.  To first order in f it is stable for
    :math:`h \max_i |\nabla f_i|^2 < 2`; that norm is measured now and then, and follows
    :math:`|w|^{2(q-1)}` in between.

    Parameters
    ----------
    network : Network
        Without biases and with a homogeneous activation, so that f(c w) = c^q f(w).
    X : ndarray of shape (n, d)
    signs : ndarray of shape (n,)
        Labels, +1 and -1.
    start : Params
    log_times : ndarray of shape (T,)
        Ascending, nonnegative.
    weights : ndarray of shape (n,) or None, default=None
    stride : float, default=0.5
        h times that norm, less than 2.
    max_steps : int, default=1_000_000
        Where to give up.

    Returns
    -------
    ndarray of shape (T, p)
        At the first step past each time.

    Raises
    ------
    ValueError
        If the network is not homogeneous.
    RuntimeError
        If ``max_steps`` steps do not reach the last time.
    """
    log_weights = np.zeros(len(X)) if weights is None else np.log(weights)
    degree = homogeneity(network, start, X)
    model = network.on_rows(start, X)
    w = model.vector
    reference = 0.0  # log of the sum of pulls, a step ago: keeps the exponentials in range
    scale = 0.0  # |w|^(2q - 2) / max |grad f|^2

    def pulls(rows: slice, outputs: NDArray) -> NDArray:
        return log_weights[rows] + log_expit(-signs[rows] * outputs)

    def cotangent(rows: slice, outputs: NDArray) -> NDArray:
        return signs[rows] * np.exp(pulls(rows, outputs) - reference)

    path, log_t, steps = [], -np.inf, 0
    for s in log_times:
        while np.logaddexp(0.0, log_t) < s:
            if steps == max_steps:
                raise RuntimeError(f"{max_steps} steps do not reach log t = {s:g}; choose a shorter horizon.")
            size = float(w @ w) ** (degree - 1)
            if steps % _MEASURED == 0:
                scale = size / float(network.ntk_diag(model.params(w), X).max())
            outputs = model.evaluate(model.arrays, cotangent)
            total = float(logsumexp(pulls(slice(None), outputs)))
            h = stride * scale / size
            w += (h * np.exp(reference - total)) * model.gradient
            log_t = float(np.logaddexp(log_t, np.log(h) - total))
            reference, steps = total, steps + 1
        path.append(w.copy())
    return np.stack(path)


def homogeneity(network: Any, params: Any, X: NDArray) -> int:
    """Return q of f(c w) = c^q f(w), by Euler's identity <grad f, w> = q f.

    Raises
    ------
    ValueError
        If there is none.
    """
    outputs = network.apply(params, X)
    slopes = network.jvp(params, X, network.ravel(params))
    degree = round(float(slopes @ outputs) / max(float(outputs @ outputs), np.finfo(float).tiny))
    if degree < 1 or not np.allclose(slopes, degree * outputs, rtol=1e-6, atol=1e-9 * np.abs(slopes).max()):
        raise ValueError(
            f"{network!r} is not homogeneous in its trained parameters; take a power of ReLU, bias_std=0 and "
            "trainable='all'."
        )
    return degree
