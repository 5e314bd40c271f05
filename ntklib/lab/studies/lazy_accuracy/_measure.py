"""One draw of `lazy_study`: a split and a network, trained at all scales, and the linear models beside it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import train_test_split

from ntklib._core.blocks import require_memory
from ntklib._core.threads import get_threads, parallel_for, set_threads
from ntklib.dynamics import Momentum, Trajectory, gradient_descent, largest_stable_step
from ntklib.lab.training import train_whole

from ..linearization.measure import step_factors

__all__ = ["MEASURES", "Plan", "Split", "compare"]

MEASURES = ("accuracy", "agreement", "distance", "sign_changes", "kernel", "movement", "loss")
"""What is measured of each network."""


class Plan(NamedTuple):
    """What is trained on what, and how."""

    network: Any
    X: np.ndarray
    labels: np.ndarray
    n_train: int
    scales: tuple[float, ...]
    steps: int
    momentum: float


class Split(NamedTuple):
    """Centred and scaled rows with their labels, and the targets: centred one-hot labels."""

    X: np.ndarray
    labels: np.ndarray
    targets: np.ndarray
    X_test: np.ndarray
    labels_test: np.ndarray


def compare(plan: Plan, seed: tuple[int, int]) -> dict[str, np.ndarray]:
    """Return the measures, one value a scale, and of each linear model accuracy, that in the limit, loss."""
    rng = np.random.default_rng(np.random.SeedSequence(seed[0], spawn_key=(seed[1],)))
    network = plan.network
    split = _split(plan, rng)
    params = network.init(plan.X.shape[1], rng, dtype=np.float32)
    limit = clone(network).set_params(n_outputs=1, symmetric=False).limit_kernel()
    K = limit(split.X)
    eta = largest_stable_step(K) / 2
    descend = partial(
        gradient_descent,
        steps=[plan.steps, np.inf],
        learning_rate=eta,
        momentum=plan.momentum,
    )
    found: dict[str, Any] = {"learning_rate": np.array(eta)}

    def ntk() -> None:
        found["ntk"] = _scores(split, descend(K, split.targets, K_test=limit(split.X_test, split.X)))

    def random_features() -> None:
        one = {"output": 0, "weighted": True}  # of the outputs' kernels, which are equal
        features = clone(network).set_params(trainable="output")
        across = features.ntk(params, split.X_test, split.X, **one)
        path = descend(features.ntk(params, split.X, **one), split.targets, K_test=across)
        found["random_features"] = _scores(split, path)

    def tangent() -> None:
        path, found["tangent_outputs"] = _tangent(network, params, split, descend)
        found["tangent"] = _scores(split, path, found["tangent_outputs"])

    def at_scale(alpha: float) -> None:
        found[f"scale {alpha}"] = _network(plan, params, split, alpha, eta)

    jobs: list[Callable[[], None]] = [tangent, *(partial(at_scale, alpha) for alpha in plan.scales)]
    threads = get_threads()
    with set_threads(1):  # within a job; the longest begins first
        parallel_for(lambda job: job(), [*jobs, ntk, random_features], threads=threads)
    linear = found.pop("tangent_outputs")[0]
    rows = [_measures(split, linear, *found.pop(f"scale {alpha}")) for alpha in plan.scales]
    return {**found, **{name: np.array([row[name] for row in rows]) for name in MEASURES}}


def _split(plan: Plan, rng: np.random.Generator) -> Split:
    X, X_test, labels, labels_test = train_test_split(
        plan.X,
        plan.labels,
        train_size=plan.n_train,
        stratify=plan.labels,
        random_state=int(rng.integers(2**31)),
    )
    center = X.mean(axis=0)
    length = np.sqrt(np.square(X - center).sum(axis=1).mean())
    if not length > 0:
        raise ValueError("all training rows are equal.")
    k = int(plan.labels.max()) + 1
    X, X_test = (X - center) / length, (X_test - center) / length
    return Split(X, labels, np.eye(k)[labels] - 1 / k, X_test, labels_test)


def _network(plan: Plan, params: Any, split: Split, alpha: float, eta: float) -> tuple[np.ndarray, dict]:
    """Train the network at a scale: its test outputs, and what changed; NaN if it diverged."""
    history = train_whole(
        clone(plan.network).set_params(scale=alpha),
        split.X.astype(np.float32),
        split.targets,
        params=params,
        optimizer=Momentum(eta / max(alpha, alpha**2), plan.momentum),
        steps=plan.steps,
        X_test=split.X_test.astype(np.float32),
        monitors=("ntk_drift", "sign_changes"),
        record_every=plan.steps,
        gradient_norms=False,
    )
    assert history.test_outputs is not None
    start = np.linalg.norm(plan.network.ravel(params).astype(np.float64))
    changes = {
        "kernel": history.monitors["ntk_drift"][-1],
        "sign_changes": history.monitors["sign_changes"][-1],
        "movement": history.distance[-1] / start,
        "loss": history.loss[-1] / history.loss[0],
    }
    if history.status == "diverged":
        return np.full_like(history.test_outputs[0], np.nan), dict.fromkeys(changes, np.nan)
    return history.test_outputs[-1], changes


def _measures(split: Split, linear: np.ndarray, outputs: np.ndarray, changes: dict) -> dict[str, float]:
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
    network: Any, params: Any, split: Split, descend: Callable[..., Trajectory]
) -> tuple[Trajectory, np.ndarray]:
    """Train the tangent model in closed form: its path, and its test outputs, which need no kernel."""
    size = split.targets.size
    require_memory((5, size, size), np.float64, "set of matrices of all outputs")
    kernel = network.ntk(params, split.X, output="full", weighted=True).reshape(size, size)
    path = descend(kernel, split.targets.ravel())
    outputs, factors = [], step_factors(network, split.X.shape[1])
    for coef in path.dual_coef:
        move = factors * network.vjp(params, split.X, coef.reshape(split.targets.shape))
        outputs.append(network.jvp(params, split.X_test, move))
    return path, np.stack(outputs)


def _scores(split: Split, path: Trajectory, test_outputs: np.ndarray | None = None) -> np.ndarray:
    """Return accuracy after the steps, accuracy in the limit, and loss relative to the start."""
    outputs = path.test_outputs if test_outputs is None else test_outputs
    right = [np.mean(f.argmax(axis=1) == split.labels_test) for f in outputs]  # type: ignore[union-attr]
    return np.array([*right, path.loss[0] / (0.5 * np.square(split.targets).sum())])
