"""The gradient flow of the square loss in parameter space, integrated accurately at any output scale."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntklib._core.validation import check_integer, check_real
from ntklib.networks import Params

from ..function_space.closed_forms import check_times
from ._problem import FlowProblem
from .record import Flow

__all__ = ["check_finite_times", "integrate_flow"]

_LOOSER = 10.0  # times the tolerance, for the second run that measures the error


def integrate_flow(
    model: Any,
    X: Any,
    y: ArrayLike,
    times: ArrayLike,
    *,
    params: Params | None = None,
    rtol: float = 1e-10,
    keep_params: bool = False,
    measure_error: bool = False,
    max_evaluations: int = 1_000_000,
    progress: bool = False,
) -> Flow:
    r"""Follow the gradient flow :math:`\dot w = -\nabla_w \tfrac12 |f(w) - y|^2` from w_0.

    It is integrated by the Runge-Kutta method of order 8 of Dormand and Prince, in the displacement
    :math:`\alpha (w - w_0)` and the time :math:`\alpha^2 t`, where :math:`\alpha` is the ``scale`` of the
    network that the model is or was made from: the accuracy, and the number of steps to one
    :math:`\alpha^2 t`, do not depend on it.

    Parameters
    ----------
    model : TwoLayerNet, MLP, or a model made from one
        ``net.centered_at(params)``, ``linearize(net, params)``.  Step multipliers do not count.
    X : array-like or CSR matrix of shape (n, d)
    y : array-like of shape (n,) or (n, k)
        Targets, shaped like the outputs.
    times : float or array of shape (T,)
        Nonnegative and finite, in any order.
    params : Params, default=None
        w_0; needed for networks.  None takes those that the model was made at.
    rtol : float, default=1e-10
        Error that a step may make in the displacement, at least 1e-14, relative to the least of: its first
        speed times the longest time, :math:`|r_0|^2 / |J_0^T r_0|` with r_0 the residuals at the start (the
        linearised model moves by more in the end), and :math:`\alpha |w_0|`.  Where rounding is larger, that
        is the tolerance.
    keep_params : bool, default=False
        Keep w_t - w_0 at all times.
    measure_error : bool, default=False
        Integrate a second time with ten times the tolerance, and take the differences for the errors of
        integration.
    max_evaluations : int, default=1_000_000
        Gradients after which to give up.
    progress : bool, default=False
        Show how far it is on standard error: a bar on a terminal, a line every half minute elsewhere.

    Returns
    -------
    Flow
        All in float64.

    Raises
    ------
    ValueError
        If shapes disagree, a time is negative or infinite, or the model cannot be evaluated at the start.
    RuntimeError
        If there is no end within ``max_evaluations``.

    Notes
    -----
    The estimates of the error assume that errors do not grow along the flow, as holds near the linearised
    model: the tolerances of all steps, added, and rounding. If that of the outputs is
    :math:`\rho = 4 \epsilon\, (\alpha |Dh(w_0)|_F \max(1, |w_0|/\sqrt p) + |f_0| + |y|)`, with
    :math:`\epsilon = 2.2 \times 10^{-16}`, that of w_t - w_0 is at most :math:`0.64 \sqrt t\, \rho`, since
    :math:`(1 - e^{-\lambda t}) / \sqrt\lambda \le 0.64 \sqrt t`. Flows that are far from linear can multiply
    errors: ``measure_error=True`` shows it.

    The activation should be smooth: kinks cost many steps, and where the flow slides along one (as
    :math:`f = -|w|` at w = 0, if y > 0) no integrator of this kind gets on.

    References
    ----------
    L. Chizat, E. Oyallon and F. Bach, "On lazy training in differentiable programming", NeurIPS 2019;
    E. Hairer, S. Norsett and G. Wanner, "Solving ordinary differential equations I", section II.10.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.dynamics import gradient_flow, integrate_flow
    >>> from ntklib.networks import TwoLayerNet, linearize
    >>> net, X, y = TwoLayerNet(32, activation="erf", scale=100.0), np.eye(2), np.array([1.0, -1.0])
    >>> params = net.init(2, random_state=0)
    >>> flow = integrate_flow(net.centered_at(params), X, y, [1e-4, 1e-3])
    >>> exact = gradient_flow(net.ntk(params, X), y, [1e-4, 1e-3])  # of the linearised model
    >>> bool(np.abs(flow.outputs - exact.outputs).max() < 0.01)
    True
    """
    problem = FlowProblem(model, X, y, params)
    moments = check_finite_times(times)
    rtol = check_real(rtol, "rtol", minimum=1e-14)
    budget = check_integer(max_evaluations, "max_evaluations", minimum=1)
    flow = problem.integrate(moments, rtol, budget, keep_params or measure_error, progress)
    if not measure_error:
        return flow
    other = problem.integrate(moments, _LOOSER * rtol, budget, True, progress)
    assert flow.vectors is not None
    assert other.vectors is not None
    rounding, output_rounding = problem.rounding(moments)
    differences = (flow.outputs - other.outputs).reshape(len(moments), -1)
    return replace(
        flow,
        vectors=flow.vectors if keep_params else None,
        evaluations=flow.evaluations + other.evaluations,
        error_estimate=np.linalg.norm(flow.vectors - other.vectors, axis=1) + rounding,
        output_error_estimate=np.linalg.norm(differences, axis=1) + output_rounding,
    )


def check_finite_times(times: ArrayLike) -> NDArray:
    """Nonnegative, finite times, one axis."""
    checked = check_times(times)
    if np.isinf(checked).any():
        raise ValueError("times must be finite: no limit is computed here.")
    return checked
