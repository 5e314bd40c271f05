"""A network and its tangent model trained side by side: the draws of `linearization_study`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ntklib._core.blocks import working_memory
from ntklib._core.threads import get_threads, parallel_for, set_threads
from ntklib.dynamics import GradientDescent, Snapshot, Trajectory, gradient_descent
from ntklib.lab.training import train_whole

__all__ = ["Task", "draws", "recorded", "step_factors"]

_RECORDS = 25


class Task(NamedTuple):
    """What all networks are trained on, and how."""

    X: Any
    y: np.ndarray
    X_test: Any
    steps: int
    learning_rate: float


def recorded(steps: int) -> np.ndarray:
    """Return the steps that are compared: every so many, and the last."""
    return np.unique(np.append(np.arange(0, steps, _every(steps)), steps))


def _every(steps: int) -> int:
    return max(1, steps // _RECORDS)


def draws(network: Any, task: Task, n_draws: int, seed: tuple[int, int]) -> dict[str, np.ndarray]:
    """Return what is measured in each draw, a row a draw."""
    found: list[dict[str, Any]] = [{} for _ in range(n_draws)]

    def draw(index: int) -> None:
        rng = np.random.default_rng(np.random.SeedSequence(seed[0], spawn_key=(seed[1], index)))
        found[index] = _compare(network, task, rng)

    # several draws at a time as far as their parameters, layers and matrices fit in the working memory
    n, d = task.X.shape
    numbers = 8 * network.n_params(d) + 6 * task.y.size**2 + 4 * n * sum(network.hidden_widths)
    at_once = min(get_threads(), working_memory() // (8 * numbers))
    with set_threads(1):  # within a draw
        parallel_for(draw, range(n_draws), threads=max(1, at_once))
    return {name: np.array([one[name] for one in found]) for name in found[0]}


def _compare(network: Any, task: Task, rng: np.random.Generator) -> dict[str, Any]:
    """Train both, and measure how far they are from each other at the records."""
    X, y, X_test, steps, eta = task
    params = network.init(X.shape[1], rng)
    start = network.ravel(params)
    path = _tangent(network, params, task)
    if not path.loss[0] > 0:
        raise ValueError("the targets are the network's outputs at the start: there is nothing to learn.")
    multipliers = step_factors(network, X.shape[1])
    moved: list[float] = []
    apart: list[float] = []

    def compare_parameters(now: Snapshot) -> None:
        coef = path.dual_coef[len(apart)].reshape(y.shape)
        move = multipliers * network.vjp(params, X, coef)
        moved.append(float(np.linalg.norm(move)))
        apart.append(float(np.linalg.norm(network.ravel(now.params) - start - move)))

    history = train_whole(
        network,
        X,
        y,
        params=params,
        optimizer=GradientDescent(eta),
        steps=steps,
        X_test=X_test,
        callbacks=compare_parameters,
        monitors=("ntk_drift", "sign_changes"),
        record_every=_every(steps),
        monitor_every=_every(steps) * steps,  # at the end only
        gradient_norms=False,
    )
    if history.status != "finished":
        raise ValueError(
            f"a network with layers of {network.hidden_widths} diverged; choose a smaller learning_rate "
            f"than {eta:.4g}, or wider networks."
        )
    outputs = _away(history.outputs, path.outputs)
    return {
        "outputs": outputs.max(),
        "test_outputs": np.nan if X_test is None else _away(history.test_outputs, path.test_outputs).max(),
        "parameters": np.max(apart) / np.max(moved),
        "kernel": history.monitors["ntk_drift"][-1],
        "sign_changes": history.monitors["sign_changes"][-1],
        "output_paths": outputs,
        "loss_paths": history.loss / history.loss[0],
        "tangent_loss_paths": path.loss / path.loss[0],
    }


def _tangent(network: Any, params: Any, task: Task) -> Trajectory:
    """Return the tangent model at the records, in closed form; several outputs are one long vector."""
    X, y, X_test, steps, eta = task
    form = "trace" if y.ndim == 1 else "full"
    kernel = network.ntk(params, X, output=form, weighted=True).reshape(y.size, y.size)
    test: dict[str, Any] = {}
    if X_test is not None:
        between = network.ntk(params, X_test, X, output=form, weighted=True)
        test = {"K_test": between.reshape(-1, y.size), "f0_test": network.apply(params, X_test).ravel()}
    f0 = network.apply(params, X).ravel()
    return gradient_descent(kernel, y.ravel(), recorded(steps), learning_rate=eta, f0=f0, **test)


def step_factors(network: Any, n_features: int) -> np.ndarray:
    """Return the factor of the learning rate for each trained parameter."""
    factors = network.step_multipliers
    shapes = network.trained_shapes(n_features)
    return np.concatenate([np.full(int(np.prod(shape)), factors[name]) for name, shape in shapes.items()])


def _away(network: Any, tangent: Any) -> np.ndarray:
    """Return the distance at each record, relative to how far the tangent model goes."""
    gap = np.linalg.norm(network.reshape(tangent.shape) - tangent, axis=1)
    return gap / np.linalg.norm(tangent - tangent[0], axis=1).max()
