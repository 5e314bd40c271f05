"""A network and its tangent model trained side by side: the draws of `linearization_study`."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ntklib._core.blocks import working_memory
from ntklib._core.threads import get_threads, set_threads
from ntklib.dynamics import GradientDescent, Recording, Snapshot, Trajectory, gradient_descent
from ntklib.lab.draws import measure_draws
from ntklib.lab.training import step_factors, train_whole

__all__ = ["measure", "recorded_steps"]

_RECORDS = 25


def recorded_steps(steps: int) -> np.ndarray:
    """Return the steps that are compared: every so many, and the last."""
    return np.unique(np.append(np.arange(0, steps, _every(steps)), steps))


def _every(steps: int) -> int:
    return max(1, steps // _RECORDS)


def measure(
    network: Any,
    X: Any,
    y: np.ndarray,
    X_test: Any,
    steps: int,
    eta: float,
    n_draws: int,
    seed: tuple[int, int],
) -> dict[str, np.ndarray]:
    """Return what is measured in each draw, a row a draw."""
    # several draws at a time as far as their parameters, layers and matrices fit in the working memory
    n, d = X.shape
    numbers = 8 * network.n_params(d) + 6 * y.size**2 + 4 * n * sum(network.hidden_widths)
    at_once = max(1, min(get_threads(), working_memory() // (8 * numbers)))
    compare = partial(_compare, network, X, y, X_test, steps, eta)
    with set_threads(1):  # within a draw
        return measure_draws(compare, n_draws, seed, threads=at_once)


def _compare(
    network: Any, X: Any, y: np.ndarray, X_test: Any, steps: int, eta: float, rng: np.random.Generator
) -> dict[str, Any]:
    """Train both, and measure how far they are from each other at the records."""
    params = network.init(X.shape[1], rng)
    start = network.ravel(params)
    path = _tangent(network, params, X, y, X_test, steps, eta)
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
        # monitors at the end only
        record=Recording(
            monitors=("ntk_drift", "sign_changes"),
            every=_every(steps),
            monitor_every=_every(steps) * steps,
            gradient_norms=False,
        ),
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


def _tangent(
    network: Any, params: Any, X: Any, y: np.ndarray, X_test: Any, steps: int, eta: float
) -> Trajectory:
    """Return the tangent model at the records, in closed form; several outputs are one long vector."""
    form = "trace" if y.ndim == 1 else "full"
    kernel = network.ntk(params, X, output=form, weighted=True).reshape(y.size, y.size)
    test: dict[str, Any] = {}
    if X_test is not None:
        between = network.ntk(params, X_test, X, output=form, weighted=True)
        test = {"K_test": between.reshape(-1, y.size), "f0_test": network.apply(params, X_test).ravel()}
    f0 = network.apply(params, X).ravel()
    return gradient_descent(kernel, y.ravel(), recorded_steps(steps), learning_rate=eta, f0=f0, **test)


def _away(network: Any, tangent: Any) -> np.ndarray:
    """Return the distance at each record, relative to how far the tangent model goes."""
    gap = np.linalg.norm(network.reshape(tangent.shape) - tangent, axis=1)
    return gap / np.linalg.norm(tangent - tangent[0], axis=1).max()
