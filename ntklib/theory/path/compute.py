"""What a run of gradient descent proves about itself: a bound on its loss by the eigenvalues it met."""

from __future__ import annotations

from math import inf, nan

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import cumulative_trapezoid

from ntklib.dynamics import History
from ntklib.dynamics.training.monitor import flips, hidden_units

from ._bound import NoBound, bound_path
from ._reading import Path, read_path
from .record import PathCertificate

__all__ = ["path_certificate"]


def path_certificate(history: History) -> PathCertificate:
    r"""Bound the loss of a run of gradient descent by the smallest eigenvalues that were read along it.

    Under gradient flow :math:`L(t) \le L_0 \exp(-2 \int_0^t \lambda_{\min}(J J^T))`.  Gradient descent takes
    steps, and eigenvalues are read at some of them.  Where the Jacobian has a Lipschitz constant
    :math:`\beta` on the ball that holds the path, all of that is accounted for: with :math:`d_k` the steps,

    .. math::
        |r_{k+1}| \le \rho_k |r_k| + \tfrac{\beta}{2} |d_k|^2, \qquad
        \rho_k = \max(1 - \eta s_k^2,\ \eta S_k^2 - 1), \qquad \eta J_k^T r_k = -d_k

    where :math:`s_k` is the root of the smallest eigenvalue at the reading before or after, the better one,
    less :math:`\beta` times the way in between, and :math:`S_k = \sigma_{\max}(J_0) + \beta |w_k - w_0|`, or
    what readings of the largest eigenvalue say in the same way, if there are any: they help where steps are
    long.  Errors of rounding are added.  The bound is of the very run that was recorded.

    Activations whose derivative jumps, such as ReLU, have no :math:`\beta`, and the flow may slide along the
    jump where the Jacobian that acts is none of those read: there the integral is returned as ``measured``,
    and nothing is certified.

    Parameters
    ----------
    history : History
        Of ``train`` with the square loss (a sum or a mean), plain gradient descent at any learning rates, all
        rows and no weights, in float64, with ``record_every=1`` and ``monitors=["min_eigenvalue"]``, better
        ``["min_eigenvalue", "max_eigenvalue"]``, at any ``monitor_every``.  Networks, centred and linearised
        ones; neither they nor the rows may have been changed since.

    Returns
    -------
    PathCertificate

    Raises
    ------
    TypeError
        If it is no History, or the model is neither a network nor made from one in these ways.
    ValueError
        If the run was trained otherwise, or its record lacks something: the message names the options.  Or if
        the model or the rows are not what they were.

    References
    ----------
    S. Du, X. Zhai, B. Poczos and A. Singh, "Gradient descent provably optimizes over-parameterized neural
    networks", ICLR 2019, section 3 (the flow); the discrete bound is derived in ``docs/theory.md``.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.dynamics import train
    >>> from ntklib.networks import TwoLayerNet
    >>> from ntklib.theory import path_certificate
    >>> net = TwoLayerNet(256, activation="erf", symmetric=True, scale=20.0)
    >>> run = train(net, np.eye(2), [1.0, -1.0], steps=30, record_every=1, monitors="min_eigenvalue")
    >>> bool((run.loss <= path_certificate(run).loss_bound).all())
    True
    """
    path = read_path(history)
    reason, found = "", None
    try:
        found = bound_path(history, path)
    except NoBound as why:
        reason = str(why)
    exponent = _exponent(path, path.readings)
    change = None
    if len(path.readings) > 2:
        half = path.readings[::2]
        if half[-1] != path.readings[-1]:
            half = np.append(half, path.readings[-1])
        change = float(exponent[-1] - _exponent(path, half)[-1])
    count, units = _sign_flips(history)
    return PathCertificate(
        steps=history.steps,
        times=path.times,
        loss=path.loss,
        loss_bound=None if found is None else _loss(found.residual, path.weight),
        exponent=exponent,
        measured=path.loss[0] * np.exp(-exponent),
        rigorous=found is not None,
        reason=reason,
        jacobian_lipschitz=inf if found is None else found.jacobian_lipschitz,
        radius=path.radius,
        path_length=float(path.moves.sum()),
        reading_steps=path.readings,
        min_eigenvalues=path.eigenvalues,
        eigenvalue_error=nan if found is None else found.eigenvalue_error,
        contraction=None if found is None else found.contraction,
        sign_flips=count,
        units=units,
        interval_change=change,
    )


def _loss(residual: NDArray, weight: float) -> NDArray:
    with np.errstate(over="ignore"):
        return weight * residual**2 / 2


def _exponent(path: Path, readings: NDArray) -> NDArray:
    """Twice the integral of the eigenvalue, interpolated between some of the readings."""
    chosen = np.isin(path.readings, readings)
    clock = np.concatenate([[0.0], np.cumsum(path.rates)])
    values = np.interp(clock, clock[readings], path.eigenvalues[chosen])
    return 2 * cumulative_trapezoid(values, clock, initial=0.0)


def _sign_flips(history: History) -> tuple[int, int]:
    """Signs of preactivations that differ from the start, at the end or the worst reading; and all."""
    units = history.X.shape[0] * hidden_units(history.params)
    patterns = [
        history.model.activation_pattern(params, history.X)
        for params in (history.initial_params, history.params)
    ]
    worst = max(history.monitors.get("sign_changes", np.zeros(1)))
    return max(flips(*patterns), round(float(worst) * units)), units
