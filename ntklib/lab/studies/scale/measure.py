"""The models of `scale_study` and one flow of each: how far the network and its linearisation get."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone

from ntklib.dynamics import integrate_flow, linearized_flow
from ntklib.networks import Params

__all__ = ["MEASURES", "MODELS", "TRUST", "ScaledModel", "measure", "scaled_models"]

TRUST = 1e3
"""Times the error that a gap must be to count."""

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
"""Names of the measurements of each model at each scale."""


class ScaledModel(NamedTuple):
    """A model as a function of the scale of its outputs, and where it starts."""

    params: Params
    at_scale: Callable[[float], Any]
    length: float  # |w_0|


def scaled_models(network: Any, n_features: int, random_state: int, offset: float) -> dict[str, ScaledModel]:
    """The models made from one network: its own start, and that of its symmetrised twin."""
    twin = clone(network).set_params(symmetric=True)
    params = network.init(n_features, random_state)
    even = twin.init(n_features, random_state)
    last = f"mirror_W{network.depth}"
    odd = even.replace(**{last: (1 + offset) * even[last]})

    def start(net: Any, at: Params, *, centred: bool = False) -> ScaledModel:
        def at_scale(alpha: float) -> Any:
            scaled = clone(net).set_params(scale=alpha)
            return scaled.centered_at(at) if centred else scaled

        return ScaledModel(at, at_scale, float(np.linalg.norm(net.ravel(at))))

    return {
        "centred": start(network, params, centred=True),
        "symmetric": start(twin, even),
        "plain": start(network, params),
        "offset": start(twin, odd),
    }


def measure(
    models: Mapping[str, ScaledModel], X: Any, y: np.ndarray, scale: float, time: float, rtol: float
) -> dict[str, np.ndarray]:
    """Return the measures at one scale and the time alpha^2 t, an array over the models each.

    Raises
    ------
    ValueError
        If a flow cannot be integrated.
    """
    try:
        rows = [_gaps(model, X, y, scale, time / scale**2, rtol) for model in models.values()]
    except RuntimeError as error:
        raise ValueError(f"scale {scale:g}: {error}") from error
    return {name: np.array([row[name] for row in rows]) for name in MEASURES}


def _gaps(
    model: ScaledModel, X: Any, y: np.ndarray, scale: float, time: float, rtol: float
) -> dict[str, float]:
    """Distances between a network and its linearisation, relative to |w_0| and to |f_0 - y|."""
    network = model.at_scale(scale)
    job: dict[str, Any] = {"params": model.params, "keep_params": True}
    flow = integrate_flow(network, X, y, [0.0, time], rtol=rtol, **job)
    linear = linearized_flow(network, X, y, [0.0, time], **job)
    assert flow.vectors is not None
    assert linear.vectors is not None
    residual, length = np.sqrt(2 * flow.loss[0]), model.length
    rounding = linear.error_estimate[1], linear.output_error_estimate[1]
    return {
        "movement": flow.distance[1] / length,
        "parameter_gap": np.linalg.norm(flow.vectors[1] - linear.vectors[1]) / length,
        "output_gap": np.linalg.norm(flow.outputs[1] - linear.outputs[1]) / residual,
        "parameter_error": (flow.error_estimate[1] + rounding[0]) / length,
        "output_error": (flow.output_error_estimate[1] + rounding[1]) / residual,
        "parameter_rounding": 2 * rounding[0] / length,
        "output_rounding": 2 * rounding[1] / residual,
        "loss": flow.loss[1] / flow.loss[0],
        "linear_loss": linear.loss[1] / linear.loss[0],
    }
