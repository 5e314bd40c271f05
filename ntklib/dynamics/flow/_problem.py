r"""A model on rows with targets as a differential equation in the displacement.

For :math:`f = \alpha h`, :math:`\delta = \alpha (w - w_0)` solves, in the time :math:`\tau = \alpha^2 t`,

.. math:: \frac{d\delta}{d\tau} = -Dh(w_0 + \delta/\alpha)^T (\alpha h(w_0 + \delta/\alpha) - y),

whose right-hand side stays of one size as :math:`\alpha` grows: the linearised model is its limit.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import DOP853

from ntklib._core.progress import SILENT, talk
from ntklib._core.threads import get_threads, set_threads
from ntklib._core.validation import check_rows
from ntklib.networks import Params
from ntklib.networks.params import in_float64

from ..losses import Risk, SquaredError
from .record import Flow

__all__ = ["FlowProblem"]

_EPS = float(np.finfo(np.float64).eps)
_SHORT = 1e7  # entries of a Jacobian up to which threads of BLAS wait for each other more than they work


class FlowProblem:
    """A model on rows with targets, at parameters to start from, in float64.

    ``outputs`` and ``residual`` are those at the start, ``scale`` is alpha, and ``size`` the Frobenius norm
    of Dh(w_0).
    """

    def __init__(self, model: Any, X: Any, y: ArrayLike, params: Params | None) -> None:
        params = getattr(model, "params", None) if params is None else params
        if params is None:
            raise ValueError("params is needed to start from: pass params=net.init(n_features, seed).")
        self.scale = _scale(model)
        rows = check_rows(X).astype(np.float64, copy=False)
        start = in_float64(params)
        if not hasattr(model, "on_rows"):
            raise TypeError(f"model must be a network, or made from one, got {type(model).__name__}.")
        self.on = model.on_rows(start, rows)
        self.model, self.X, self.start = model, self.on.X, start
        self.origin = self.on.vector.copy()
        k, n = model.n_outputs, self.X.shape[0]
        self.risk: Risk = SquaredError().risk(y, (n,) if k == 1 else (n, k))
        with np.errstate(all="ignore"):
            self.outputs = self.on.evaluate(self.on.arrays).copy()
        self.residual = self.outputs - self.risk.targets
        if not np.isfinite(self.risk.value(self.outputs)):
            raise ValueError("the outputs at the start are not finite: scale the rows or the parameters.")
        with np.errstate(all="ignore"):
            self.size = float(np.sqrt(model.ntk_diag(start, self.X).sum())) / self.scale
        if not np.isfinite(self.size):
            raise ValueError("the Jacobian at the start is not finite: scale the rows or the parameters.")

    def rounding(self, times: NDArray) -> tuple[NDArray, NDArray]:
        """Estimated effect of rounding on w_t - w_0 and on f_t."""
        typical = max(1.0, float(np.linalg.norm(self.origin)) / np.sqrt(max(self.origin.size, 1)))
        sizes = np.linalg.norm(self.outputs) + np.linalg.norm(self.risk.targets)
        rho = 4 * _EPS * (self.scale * self.size * typical + float(sizes))
        return 0.64 * np.sqrt(times) * rho, np.full(len(times), 2 * rho)

    def velocity(self, delta: NDArray) -> tuple[NDArray, NDArray]:
        """d delta/d tau and the outputs, NaN where they are not finite."""
        self.on.vector[:] = self.origin + delta / self.scale
        targets = self.risk.targets
        outputs = self.on.evaluate(self.on.arrays, lambda rows, f: f - targets[rows])
        if not np.isfinite(outputs).all():
            return np.full_like(delta, np.nan), outputs
        return self.on.gradient / -self.scale, outputs

    def integrate(self, times: NDArray, rtol: float, budget: int, keep: bool, progress: bool) -> Flow:
        """Follow the flow to all times."""
        moments, where = np.unique(self.scale**2 * times, return_inverse=True)
        threads = 1 if self.X.shape[0] * self.origin.size < _SHORT else get_threads()
        showing = talk("gradient flow", 1, float(moments[-1])) if progress else nullcontext(SILENT)
        # a trial step may overflow: it is made again, shorter
        with set_threads(threads), np.errstate(all="ignore"), showing as gauge:
            states, steps, evaluations, tolerance = self._run(moments, rtol, budget, gauge)
            outputs = np.stack([self.velocity(state[:-1])[1].copy() for state in states])
        delta, path = states[:, :-1] / self.scale, states[:, -1] / self.scale
        rounding, output_rounding = self.rounding(times)
        integration = (steps * tolerance)[where]
        return Flow(
            method="integrated",
            scale=self.scale,
            times=times,
            loss=self.risk.value(outputs)[where],
            outputs=outputs[where],
            distance=np.linalg.norm(delta, axis=1)[where],
            path_length=path[where],
            vectors=delta[where] if keep else None,
            params=self.model.unravel(self.start, self.origin + delta[-1]),
            initial_params=self.start,
            evaluations=evaluations,
            error_estimate=integration / self.scale + rounding,
            output_error_estimate=self.size * integration + output_rounding,
        )

    def _run(
        self, moments: NDArray, rtol: float, budget: int, gauge: Any
    ) -> tuple[NDArray, NDArray, int, float]:
        """The states (delta and alpha times the length of its path) and the steps taken to each moment."""
        count = 0

        def slope(_: float, state: NDArray) -> NDArray:
            nonlocal count
            count += 1
            v, _outputs = self.velocity(state[:-1])
            return np.append(v, np.linalg.norm(v))

        state, now, end = np.zeros(self.origin.size + 1), 0.0, float(moments[-1])
        states, steps = np.empty((len(moments), state.size)), np.zeros(len(moments))
        speed = float(np.linalg.norm(slope(0.0, state)))
        tolerance = self._tolerance(rtol, speed, end)
        taken, length = 0, None
        for i, moment in enumerate(moments):
            if moment > now and speed > 0:  # from time to time: no error of interpolation
                first = None if length is None else min(length, moment - now)
                options = {"rtol": 100 * _EPS, "atol": tolerance / np.sqrt(state.size)}
                solver = DOP853(slope, now, state, moment, first_step=first, **options)
                while solver.status == "running":
                    message = solver.step()
                    if message is not None or (count > budget and solver.status == "running"):
                        raise RuntimeError(_stuck(solver.t, end, self.scale, count, message))
                    taken += 1
                    if solver.status == "running" or length is None:
                        length = solver.step_size
                    gauge.reach(solver.t)
                state, now = solver.y, float(moment)
            states[i], steps[i] = state, taken
        return states, steps, count, tolerance

    def _tolerance(self, rtol: float, speed: float, end: float) -> float:
        """Error that a step may make in delta; not less than rounding lets it be."""
        if speed == 0 or end == 0:
            return 0.0
        unit = min(speed * end, float(np.square(self.residual).sum()) / speed)
        length = self.scale * float(np.linalg.norm(self.origin))
        floor = self.rounding(np.zeros(1))[1][0] / self.size
        return max(rtol * (min(unit, length) if length > 0 else unit), floor)


def _scale(model: Any) -> float:
    """The factor of the outputs of the network that a model is or was made from."""
    while not hasattr(model, "scale") and hasattr(model, "model"):
        model = model.model
    return float(getattr(model, "scale", 1.0))


def _stuck(moment: float, end: float, scale: float, count: int, message: str | None) -> str:
    reason = f"{count} gradients" if message is None else message.strip().rstrip(".")
    return (
        f"the gradient flow came to time {moment / scale**2:.4g} of {end / scale**2:.4g} only ({reason}). "
        "Ask for shorter times or a larger rtol, or raise max_evaluations; flows of activations with kinks, "
        "such as relu, may slide along one, where they cannot be integrated."
    )
