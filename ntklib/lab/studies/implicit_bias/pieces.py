"""The rows in two classes, and the pieces that the study of implicit bias is computed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntklib._core.validation import check_rows
from ntklib.kernels import NTK
from ntklib.lab.seeds import generator
from ntklib.networks import MLP, TwoLayerNet

from .decay import InfluenceDecay, influence_against_decay
from .influence import Influence, network_influence, ridge_influence
from .margin import MarginPath, margin_path, network_margin_path
from .norm import MinimumNorm, minimum_norm
from .weights import WeightEffect, network_weight_effect, weight_effect

__all__ = ["PARTS", "TwoClasses", "draw_sample", "given_sample", "gram_features", "pieces", "split"]

RECORDS: dict[str, type] = {
    "norm": MinimumNorm,
    "margin": MarginPath,
    "weights": WeightEffect,
    "influence": Influence,
    "decay": InfluenceDecay,
}
PARTS = tuple(RECORDS)

DEPTHS, UNITS = (1, 3), 20
"""Hidden layers of the networks in the part on influence, and their width."""

DECAY_DEPTHS, DECAY_UNITS, DECAY_STARTS = (1, 2, 3), 8, 3
"""Hidden layers of the networks in the part on weight decay, their width, and initialisations of each."""

DECAY_FACTORS = np.array([0.5, 1.0, 2.0, 4.0])
"""Weight decays of that part, relative to the penalty."""

_PER_DECADE, _PROBES, _POINTS = 10, 20, 1000

Job = Callable[[], Mapping[str, Any]]


@dataclass(frozen=True, eq=False)
class TwoClasses:
    """Rows and their classes, +1 and -1."""

    X: NDArray
    signs: NDArray

    def with_wrong_labels(self, noise: float, rng: np.random.Generator) -> TwoClasses:
        """Return the same rows with a share of the labels turned, never all of a class."""
        signs = self.signs.copy()
        wrong = rng.permutation(len(signs))[: round(noise * len(signs))]
        signs[wrong] *= -1
        return TwoClasses(self.X, signs) if 0 < (signs > 0).sum() < len(signs) else self

    def between(self, rng: np.random.Generator) -> NDArray:
        """Return points halfway between rows of the two classes: where classifiers differ."""
        ends = [
            self.X[rng.choice(np.flatnonzero(side), _POINTS)] for side in (self.signs > 0, self.signs < 0)
        ]
        return (ends[0] + ends[1]) / 2


def draw_sample(random_state: int, n: int = 40, d: int = 5) -> TwoClasses:
    """Draw Gaussian rows with the sign of their first feature as class, and a gap between the classes."""
    rng = generator(random_state, 0)
    X = rng.standard_normal((n, d))
    signs = np.sign(X[:, 0])
    X[:, 0] += 0.3 * signs
    return TwoClasses(X, signs)


def given_sample(X: Any, y: Any) -> TwoClasses:
    """Check rows and labels of two classes; the class that sorts first is -1.

    Raises
    ------
    ValueError
        If there are not two classes, or not as many labels as rows.
    """
    X = check_rows(X)
    X = np.asarray(X.toarray() if hasattr(X, "toarray") else X, dtype=np.float64)
    if y is None:
        raise ValueError("X needs the classes of its rows: pass y too.")
    labels = np.asarray(y)
    if labels.shape != (len(X),):
        raise ValueError(f"y must hold one label for each of the {len(X)} rows, got shape {labels.shape}.")
    classes = np.unique(labels)
    if len(classes) != 2:
        raise ValueError(f"y must hold two classes, got {len(classes)}; select the rows of two of them.")
    return TwoClasses(X, np.where(labels == classes[1], 1.0, -1.0))


def gram_features(K: NDArray, K_probe: NDArray | None = None) -> tuple[NDArray, NDArray]:
    """Return features phi with phi phi^T = K, and those of further samples given their kernel with these."""
    values, vectors = np.linalg.eigh(K)
    kept = values > values[-1] * len(K) * np.finfo(float).eps
    roots, vectors = np.sqrt(values[kept]), vectors[:, kept]
    probes = np.empty((0, len(roots))) if K_probe is None else K_probe @ (vectors / roots)
    return vectors * roots, probes


def pieces(
    sample: TwoClasses,
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
    rngs = [generator(random_state, 1 + k) for k in range(3)]
    noisy, probes = sample.with_wrong_labels(noise, rngs[0]), sample.between(rngs[1])
    network = TwoLayerNet(width)
    start = network.init(X.shape[1], random_state)
    centred = TwoLayerNet(width, symmetric=True)  # starts at f = 0, as the linear model does
    origin = centred.init(X.shape[1], random_state)
    K, K_probe = centred.ntk(origin, X), centred.ntk(origin, probes, X)
    tangent, tangent_probes = gram_features(K, K_probe)
    times, early = _log_times(horizon), _log_times(network_horizon)

    def weighted(features: Any, further: Any, labels: NDArray, **options: Any) -> Job:
        return partial(weight_effect, features, further, labels, _weights(labels, weight), times, **options)

    def norms(J: NDArray, residual: NDArray, w: NDArray) -> Job:
        return partial(minimum_norm, J, residual, w, steps=steps, random_state=random_state)

    design, target, w = (rngs[2].standard_normal(size) for size in ((20, 60), 20, 60))
    kernel = NTK()
    jobs: dict[str, Job] = {
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
        arguments = (_deep(depth, UNITS), X, probes[:_PROBES], noisy.signs, penalty, chosen)
        jobs[f"influence: {_layers(depth)}"] = partial(
            network_influence, *arguments, random_state=random_state
        )
    seeds = range(random_state, random_state + DECAY_STARTS)
    for depth in DECAY_DEPTHS:
        small, penalties = _deep(depth, DECAY_UNITS), penalty * DECAY_FACTORS
        jobs[f"decay: {_layers(depth)}"] = partial(
            influence_against_decay,
            *(small, X, probes[:_PROBES], noisy.signs, penalties, chosen[::2]),
            starts=seeds,
        )
    return {name: job for name, job in jobs.items() if name.partition(":")[0] in parts}


def split(values: Mapping[str, Mapping[str, NDArray]]) -> dict[str, dict[str, Any]]:
    """Return the records of each part by model; a model without a result has none."""
    records: dict[str, dict[str, Any]] = {part: {} for part in PARTS}
    for name, arrays in values.items():
        part, model = name.split(": ")
        fields: dict[str, Any] = dict(arrays)
        afresh = [fields.pop(key, None) for key in ("afresh", "probe_afresh")]
        if fields:
            records[part][model] = RECORDS[part](**fields)
        if afresh[0] is not None:  # one piece, two records
            again = {"actual": afresh[0], "probe_actual": afresh[1]}
            records[part][f"{model}, afresh"] = Influence(**{**fields, **again})
    return records


def _log_times(horizon: float) -> NDArray:
    return np.geomspace(0.1, horizon, round(_PER_DECADE * np.log10(horizon / 0.1)) + 1)


def _deep(depth: int, units: int) -> MLP:
    return MLP((units,) * depth, activation="gelu", weight_std=2**0.5, bias_std=0.1)


def _layers(depth: int) -> str:
    return f"{depth} hidden layer{'s' if depth > 1 else ''}"


def _weights(signs: NDArray, weight: float) -> NDArray:
    return np.where(signs < 0, weight, 1.0)
