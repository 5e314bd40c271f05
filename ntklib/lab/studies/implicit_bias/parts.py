"""The pieces that the study of implicit bias is computed in, and the records they make up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from ntklib.kernels import NTK
from ntklib.networks import MLP, TwoLayerNet

from .data import Sample, gram_features
from .influence import Influence, network_influence, ridge_influence
from .margin import MarginPath, margin_path, network_margin_path
from .norm import MinimumNorm, minimum_norm
from .weights import WeightEffect, network_weight_effect, weight_effect

__all__ = ["PARTS", "jobs", "split"]

RECORDS: dict[str, type] = {
    "norm": MinimumNorm,
    "margin": MarginPath,
    "weights": WeightEffect,
    "influence": Influence,
}
PARTS = tuple(RECORDS)

DEPTHS, UNITS = (1, 3), 20
"""Hidden layers of the networks in the part on influence, and their width."""

_PER_DECADE, _PROBES = 10, 20

Job = Callable[[], Mapping[str, Any]]


def jobs(
    sample: Sample,
    parts: list[str],
    *,
    width: int,
    noise: float,
    weight: float,
    penalty: float,
    horizon: float,
    network_horizon: float,
    steps: int,
    left_out: int,
    random_state: int,
) -> dict[str, Job]:
    """Return what is to be computed, by names "part: model"."""
    X, signs = sample.X, sample.signs
    rngs = [np.random.default_rng(np.random.SeedSequence(random_state, spawn_key=(1 + k,))) for k in range(3)]
    noisy, probes = sample.with_wrong_labels(noise, rngs[0]), sample.between(rngs[1])
    network = TwoLayerNet(width)
    start = network.init(X.shape[1], random_state)
    centred = TwoLayerNet(width, symmetric=True)  # starts at f = 0, as the linear model does
    origin = centred.init(X.shape[1], random_state)
    K, K_probe = centred.ntk(origin, X), centred.ntk(origin, probes, X)
    tangent, tangent_probes = gram_features(K, K_probe)
    times, early = _log_times(horizon), _log_times(network_horizon)

    def weighted(features: Any, further: Any, labels: np.ndarray, **options: Any) -> Job:
        return partial(weight_effect, features, further, labels, _weights(labels, weight), times, **options)

    def norms(J: np.ndarray, residual: np.ndarray, w: np.ndarray) -> Job:
        return partial(minimum_norm, J, residual, w, steps=steps, random_state=random_state)

    design, target, w = (rngs[2].standard_normal(size) for size in ((20, 60), 20, 60))
    kernel = NTK()
    found: dict[str, Job] = {
        "norm: linear": norms(design, target - design @ w, w),
        "norm: tangent": lambda: norms(
            network.jacobian(start, X), signs - network.apply(start, X), network.ravel(start)
        )(),
        "margin: linear": partial(margin_path, X, signs, times),
        "margin: tangent": partial(margin_path, tangent, signs, times),
        "margin: network": partial(network_margin_path, network, X, signs, start, early),
        "weights: linear": weighted(X, probes, signs),
        "weights: linear, wrong labels": weighted(X, probes, noisy.signs),
        "weights: tangent, wrong labels": weighted(tangent, tangent_probes, noisy.signs),
        "weights: tangent, penalty": weighted(tangent, tangent_probes, noisy.signs, ridge=penalty),
        "weights: network": partial(
            network_weight_effect, network, X, probes, signs, _weights(signs, weight), start, early
        ),
        "influence: kernel ridge": lambda: ridge_influence(
            kernel(X), kernel(probes[:_PROBES], X), noisy.signs, penalty
        ),
    }
    chosen = np.linspace(0, len(X) - 1, min(left_out, len(X))).astype(int)
    for depth in DEPTHS:
        deep = MLP((UNITS,) * depth, activation="gelu", weight_std=2**0.5, bias_std=0.1)
        arguments = (deep, X, probes[:_PROBES], noisy.signs, penalty, chosen)
        name = f"influence: {depth} hidden layer{'s' if depth > 1 else ''}"
        found[name] = partial(network_influence, *arguments, random_state=random_state)
    return {name: job for name, job in found.items() if name.partition(":")[0] in parts}


def split(values: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, dict[str, Any]]:
    """Return the records of each part by model; a model without a result has none."""
    records: dict[str, dict[str, Any]] = {part: {} for part in PARTS}
    for name, found in values.items():
        part, model = name.split(": ")
        fields: dict[str, Any] = dict(found)
        afresh = [fields.pop(key, None) for key in ("afresh", "probe_afresh")]
        if fields:
            records[part][model] = RECORDS[part](**fields)
        if afresh[0] is not None:  # one piece, two records
            again = {"actual": afresh[0], "probe_actual": afresh[1]}
            records[part][f"{model}, afresh"] = Influence(**{**fields, **again})
    return records


def _log_times(horizon: float) -> np.ndarray:
    return np.geomspace(0.1, horizon, round(_PER_DECADE * np.log10(horizon / 0.1)) + 1)


def _weights(signs: np.ndarray, weight: float) -> np.ndarray:
    return np.where(signs < 0, weight, 1.0)
