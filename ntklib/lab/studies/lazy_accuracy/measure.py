"""One draw of `lazy_accuracy_study`: a network trained at all scales, and linear models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import train_test_split

from ntklib._core.blocks import require_memory
from ntklib._core.threads import get_threads, parallel_for, set_threads
from ntklib.dynamics import Momentum, Recording, Trajectory, gradient_descent, largest_stable_step
from ntklib.lab.training import step_factors, train_whole

__all__ = ["MEASURES", "LabelledSplit", "compare", "draw_split"]

MEASURES = ("accuracy", "agreement", "distance", "sign_changes", "kernel", "movement", "loss")
"""Names of the measures of a network."""


class LabelledSplit(NamedTuple):
    """Centred and scaled rows with their labels, and the targets: centred one-hot labels."""

    X: np.ndarray
    labels: np.ndarray
    targets: np.ndarray
    X_test: np.ndarray
    labels_test: np.ndarray


def compare(
    network: Any, split: LabelledSplit, scales: Sequence[float], steps: int, momentum: float, rng: Any
) -> dict[str, np.ndarray]:
    """Return the measures, one value a scale, and of each linear model accuracy, that in the limit, loss."""
    params = network.init(split.X.shape[1], rng, dtype=np.float32)
    limit = clone(network).set_params(n_outputs=1, symmetric=False).limit_kernel()
    K = limit(split.X)
    eta = largest_stable_step(K) / 2
    descend = partial(gradient_descent, steps=[steps, np.inf], learning_rate=eta, momentum=momentum)
    values: dict[str, Any] = {"learning_rate": np.array(eta)}

    def ntk() -> None:
        values["ntk"] = _scores(split, descend(K, split.targets, K_test=limit(split.X_test, split.X)))

    def random_features() -> None:
        one = {"output": 0, "weighted": True}  # of the outputs' kernels, which are equal
        features = clone(network).set_params(trainable="output")
        across = features.ntk(params, split.X_test, split.X, **one)
        path = descend(features.ntk(params, split.X, **one), split.targets, K_test=across)
        values["random_features"] = _scores(split, path)

    def tangent() -> None:
        path, values["tangent_outputs"] = _tangent(network, params, split, descend)
        values["tangent"] = _scores(split, path, values["tangent_outputs"])

    def at_scale(alpha: float) -> None:
        scaled = clone(network).set_params(scale=alpha)
        optimizer = Momentum(eta / max(alpha, alpha**2), momentum)
        values[f"scale {alpha}"] = _train(scaled, params, split, optimizer, steps)

    jobs: list[Callable[[], None]] = [tangent, *(partial(at_scale, alpha) for alpha in scales)]
    threads = get_threads()
    with set_threads(1):  # within a job; the longest begins first
        parallel_for(lambda job: job(), [*jobs, ntk, random_features], threads=threads)
    linear = values.pop("tangent_outputs")[0]
    rows = [_measures(split, linear, *values.pop(f"scale {alpha}")) for alpha in scales]
    return {**values, **{name: np.array([row[name] for row in rows]) for name in MEASURES}}


def draw_split(X: np.ndarray, labels: np.ndarray, n_train: int, rng: np.random.Generator) -> LabelledSplit:
    """Return training and test rows, drawn class by class."""
    X, X_test, labels, labels_test = train_test_split(
        X, labels, train_size=n_train, stratify=labels, random_state=int(rng.integers(2**31))
    )
    center = X.mean(axis=0)
    length = np.sqrt(np.square(X - center).sum(axis=1).mean())
    if not length > 0:
        raise ValueError("all training rows are equal.")
    k = int(labels.max()) + 1
    X, X_test = (X - center) / length, (X_test - center) / length
    return LabelledSplit(X, labels, np.eye(k)[labels] - 1 / k, X_test, labels_test)


def _train(
    network: Any, params: Any, split: LabelledSplit, optimizer: Momentum, steps: int
) -> tuple[np.ndarray, dict]:
    """Train the network at a scale: its test outputs, and what changed; NaN if it diverged."""
    history = train_whole(
        network,
        split.X.astype(np.float32),
        split.targets,
        params=params,
        optimizer=optimizer,
        steps=steps,
        X_test=split.X_test.astype(np.float32),
        record=Recording(monitors=("ntk_drift", "sign_changes"), every=steps, gradient_norms=False),
    )
    assert history.test_outputs is not None
    start = np.linalg.norm(network.ravel(params).astype(np.float64))
    changes = {
        "kernel": history.monitors["ntk_drift"][-1],
        "sign_changes": history.monitors["sign_changes"][-1],
        "movement": history.distance[-1] / start,
        "loss": history.loss[-1] / history.loss[0],
    }
    if history.status == "diverged":
        return np.full_like(history.test_outputs[0], np.nan), dict.fromkeys(changes, np.nan)
    return history.test_outputs[-1], changes


def _measures(
    split: LabelledSplit, linear: np.ndarray, outputs: np.ndarray, changes: dict
) -> dict[str, float]:
    if np.isnan(outputs).any():
        return dict.fromkeys(MEASURES, np.nan)
    classes = outputs.argmax(axis=1)
    return {
        "accuracy": float(np.mean(classes == split.labels_test)),
        "agreement": float(np.mean(classes == linear.argmax(axis=1))),
        "distance": float(np.linalg.norm(outputs - linear) / np.linalg.norm(linear)),
        **changes,
    }


def _tangent(
    network: Any, params: Any, split: LabelledSplit, descend: Callable[..., Trajectory]
) -> tuple[Trajectory, np.ndarray]:
    """Train the tangent model in closed form: its path, and its test outputs, which need no kernel."""
    size = split.targets.size
    require_memory((5, size, size), np.float64, "set of matrices of all outputs", "", single=False)
    kernel = network.ntk(params, split.X, output="full", weighted=True).reshape(size, size)
    path = descend(kernel, split.targets.ravel())
    outputs, factors = [], step_factors(network, split.X.shape[1])
    for coef in path.dual_coef:
        move = factors * network.vjp(params, split.X, coef.reshape(split.targets.shape))
        outputs.append(network.jvp(params, split.X_test, move))
    return path, np.stack(outputs)


def _scores(split: LabelledSplit, path: Trajectory, test_outputs: np.ndarray | None = None) -> np.ndarray:
    """Return accuracy after the steps, accuracy in the limit, and loss relative to the start."""
    outputs = path.test_outputs if test_outputs is None else test_outputs
    right = [np.mean(f.argmax(axis=1) == split.labels_test) for f in outputs]  # type: ignore[union-attr]
    return np.array([*right, path.loss[0] / (0.5 * np.square(split.targets).sum())])
