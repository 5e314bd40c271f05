"""The parts of `lazy_decay_study`: what is certified for a network on n rows, and single flows of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import qr
from sklearn.base import clone

from ntklib._core.progress import seconds_text
from ntklib.dynamics import integrate_flow, linearized_flow
from ntklib.lab.seeds import generator
from ntklib.networks import Params
from ntklib.theory import jacobian_lipschitz, lazy_certificate

__all__ = ["EARLY", "THEOREMS", "DecayPlan", "certify", "follow", "forecast", "in_span"]

_BALLS, _RESTART = 13, 26
"""Balls that a certificate looks at, and gradients that a step to one more time takes."""

_GRADIENTS = 10**8
"""At most: it was said beforehand how long ill-conditioned flows take."""

THEOREMS = ("A'", "A", "B")
"""In the order of their thresholds."""

EARLY = (1 / 8, 1 / 4, 1 / 2)
"""More times, as parts of the first interval."""

_STIFF = 1e3
"""Condition numbers above this are announced: explicit integration takes steps in proportion."""


class DecayPlan(NamedTuple):
    """Networks, rows, multiples of the thresholds, and times of the flows."""

    network: Any
    X: np.ndarray
    y: np.ndarray
    scales: tuple[tuple[str, float], ...]  # a theorem, and the multiple of its threshold
    times: np.ndarray  # in units of 1 / (alpha sigma_min)^2, from 0 on
    random_state: int

    def start(self, width: int, n: int) -> tuple[Any, Params, np.ndarray, np.ndarray]:
        """Return a network of a width, its parameters, the first n rows and their targets."""
        network, X = in_span(self.network.with_width(width), self.X[:n])
        return network, network.init(X.shape[1], generator(self.random_state, width, n)), X, self.y[:n]


def in_span(network: Any, X: np.ndarray) -> tuple[Any, np.ndarray]:
    """Return a network and rows of at most n features that train like these, in law.

    Gradients of the first layer are combinations of the rows, so that its weights move in the rows' span; and
    Gaussian weights have one law in every orthonormal basis.  The fan-in scaling of the inputs moves into the
    rows, where it does not go into the variance of trained weights instead.
    """
    n, d = X.shape
    fan_in = network.input_scaling == "fan_in"
    fixed = fan_in and network.parameterization not in ("ntk", "mean_field")
    if n >= d or fixed or len(np.unique(X, axis=0)) < n:  # equal rows would come out a little different
        return network, X
    basis = qr(X.T, mode="r")[0][:n].T  # X = basis @ Q.T: the same products of rows
    if fan_in:
        network, basis = clone(network).set_params(input_scaling="none"), basis / np.sqrt(d)
    return network, np.ascontiguousarray(basis)


def certify(plan: DecayPlan, width: int, n: int) -> dict[str, Any]:
    """Return the constants, which scales to run at, and the bounds there; infinite where none hold."""
    network, params, X, y = plan.start(width, n)
    network = clone(network).set_params(scale=1.0)
    certificates = [lazy_certificate(network, params, X, y, theorem=theorem) for theorem in THEOREMS]
    first = certificates[0]
    thresholds = {one.theorem: one.scale_threshold for one in certificates}
    chosen = [i for i, (theorem, _) in enumerate(plan.scales) if 0 < thresholds[theorem] < np.inf]
    if not chosen:
        if first.failures:
            raise _refusal(width, n, "; ".join(first.failures))
        raise ValueError(
            "every scale is certified, and no bound is worth a flow: outputs are linear in what is trained, "
            "or targets are all 0."
        )
    scales = np.array([plan.scales[i][1] * thresholds[plan.scales[i][0]] for i in chosen])
    at = [[one.at_scale(scale) for scale in scales] for one in certificates]
    units = (scales * first.sigma_min) ** 2
    return {
        "sigma": [first.sigma_min, first.sigma_max],
        "thresholds": list(thresholds.values()),
        # as floats: whole numbers may be too large for an array
        "certifying_widths": [float(one.certifying_width or np.nan) for one in certificates],
        "chosen": chosen,
        "scales": scales,
        "distances": [[one.distance_bound for one in row] for row in at],
        "bounds": [
            [one.loss_bound(plan.times / unit) for one, unit in zip(row, units, strict=True)] for row in at
        ],
        "linear_distances": [one.linear_distance_bound for one in at[0]],
        "linear_bounds": [
            one.linear_loss_bound(plan.times / unit) for one, unit in zip(at[0], units, strict=True)
        ],
    }


def _refusal(width: int, n: int, what: str) -> ValueError:
    return ValueError(f"no scale is certified for width {width} on {n} rows: {what}.")


def follow(plan: DecayPlan, width: int, n: int, scale: float, sigma_min: float) -> dict[str, Any]:
    """Return the losses and movements of a network and of its linearisation, and the gap between both."""
    network, params, X, y = plan.start(width, n)
    network = clone(network).set_params(scale=float(scale))
    times = plan.times / (scale * sigma_min) ** 2
    flow = integrate_flow(network, X, y, times, params=params, max_evaluations=_GRADIENTS)
    linear = linearized_flow(network, X, y, times, params=params)
    start = np.linalg.norm(flow.outputs[0] - y)
    return {
        "loss": flow.loss,
        "linear_loss": linear.loss,
        "error": flow.output_error_estimate,
        "distance": flow.distance.max(),
        "path": flow.path_length.max(),
        "moved_error": flow.error_estimate.max(),
        "linear_distance": linear.distance.max(),
        "gap": np.linalg.norm(flow.outputs - linear.outputs, axis=1).max() / start,
    }


def forecast(plan: DecayPlan, settings: Sequence[tuple[int, int]], runs: int | None = None) -> str:
    """Say how long it will take to certify networks of these widths on so many rows, and to follow the runs.

    That is all of their runs, or so many of them; then they are certified already.  Every setting is tried:
    one bound on the curvature, and a flow too short to get anywhere.
    """
    total, worst = 0.0, (0.0, 0, 0)
    for width, n in settings:
        network, params, X, y = plan.start(width, n)
        eigenvalues = np.linalg.eigvalsh(network.ntk(params, X))
        if eigenvalues[0] <= n * np.finfo(float).eps * eigenvalues[-1]:
            continue  # it will be refused, not followed
        condition = eigenvalues[-1] / eigenvalues[0]
        worst = max(worst, (float(condition), width, n))
        start = time.perf_counter()
        curvature = jacobian_lipschitz(network, params, X, 1.0)
        looked = time.perf_counter()
        if curvature.reason:  # and its flow may never end
            raise _refusal(width, n, curvature.reason)
        unit = 1 / (network.scale**2 * eigenvalues[-1])  # the time of the fastest direction
        trial = integrate_flow(network, X, y, [0.0, 10 * unit], params=params)
        each = (time.perf_counter() - looked) / trial.evaluations
        # steps end at every time that is looked at, and are no longer than stability allows
        needed = _RESTART * len(plan.times) + 3 * plan.times[-1] * condition
        total += each * needed * len(plan.scales)
        if runs is None:
            total += (looked - start) * _BALLS * (4 + len(plan.scales))
    count = len(settings) * len(plan.scales)
    if runs is not None:
        total, count = total * runs / count, runs
    condition, width, n = worst
    line = f"{count} gradient flows, about {seconds_text(max(1.0, total))}"
    if condition > _STIFF:
        line += (
            f"; the tangent kernel's condition number is {condition:.2g} at width {width} on {n} rows, and "
            "steps are so many times shorter than the flow is long"
        )
    return line
