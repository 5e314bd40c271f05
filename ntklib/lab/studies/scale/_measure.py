"""The models of `scale_study` and one flow of each: how far the network and its linearisation get."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone

from ntklib.dynamics import integrate_flow, linearized_flow
from ntklib.networks import Params

__all__ = ["MEASURES", "MODELS", "Plan", "Start", "measure", "starts"]

MODELS = {
    "centred": "centred, h - h(w_0)",
    "symmetric": "symmetrised",
    "plain": "plain, h(w_0) not 0",
    "offset": "symmetrised, a little off",
}
"""The models by name, and how they start."""

MEASURES = (
    "movement",
    "parameter_gap",
    "output_gap",
    "parameter_error",
    "output_error",
    "parameter_rounding",
    "output_rounding",
    "loss",
    "linear_loss",
)
"""What is measured of each model at each scale."""


class Start(NamedTuple):
    """A model at scale 1 as a function of the scale, and where it starts."""

    params: Params
    at_scale: Callable[[float], Any]
    length: float  # |w_0|


class Plan(NamedTuple):
    """What is trained on what, and for how long."""

    starts: dict[str, Start]
    X: np.ndarray
    y: np.ndarray
    time: float  # alpha^2 t
    rtol: float


def starts(network: Any, n_features: int, random_state: int, offset: float) -> dict[str, Start]:
    """The models made from one network: its own start, and that of its symmetrised twin."""
    twin = clone(network).set_params(symmetric=True)
    params = network.init(n_features, random_state)
    even = twin.init(n_features, random_state)
    last = f"mirror_W{network.depth}"
    odd = even.replace(**{last: (1 + offset) * even[last]})

    def start(net: Any, at: Params, *, centred: bool = False) -> Start:
        def at_scale(alpha: float) -> Any:
            scaled = clone(net).set_params(scale=alpha)
            return scaled.centered_at(at) if centred else scaled

        return Start(at, at_scale, float(np.linalg.norm(net.ravel(at))))

    return {
        "centred": start(network, params, centred=True),
        "symmetric": start(twin, even),
        "plain": start(network, params),
        "offset": start(twin, odd),
    }


def measure(plan: Plan, scale: float) -> dict[str, np.ndarray]:
    """The measures at one scale, an array over the models each."""
    rows = [_gaps(plan, start, scale) for start in plan.starts.values()]
    return {name: np.array([row[name] for row in rows]) for name in MEASURES}


def _gaps(plan: Plan, start: Start, scale: float) -> dict[str, float]:
    """Distances between a network and its linearisation, relative to |w_0| and to |f_0 - y|."""
    model, time = start.at_scale(scale), plan.time / scale**2
    job: dict[str, Any] = {"params": start.params, "keep_params": True}
    flow = integrate_flow(model, plan.X, plan.y, [0.0, time], rtol=plan.rtol, **job)
    linear = linearized_flow(model, plan.X, plan.y, [0.0, time], **job)
    assert flow.vectors is not None
    assert linear.vectors is not None
    residual = np.sqrt(2 * flow.loss[0])
    rounding = linear.error_estimate[1], linear.output_error_estimate[1]
    return {
        "movement": flow.distance[1] / start.length,
        "parameter_gap": np.linalg.norm(flow.vectors[1] - linear.vectors[1]) / start.length,
        "output_gap": np.linalg.norm(flow.outputs[1] - linear.outputs[1]) / residual,
        "parameter_error": (flow.error_estimate[1] + rounding[0]) / start.length,
        "output_error": (flow.output_error_estimate[1] + rounding[1]) / residual,
        "parameter_rounding": 2 * rounding[0] / start.length,
        "output_rounding": 2 * rounding[1] / residual,
        "loss": flow.loss[1] / flow.loss[0],
        "linear_loss": linear.loss[1] / linear.loss[0],
    }
