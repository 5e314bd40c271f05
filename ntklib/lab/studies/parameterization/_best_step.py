"""The best constant step size of short trainings: a sweep, then a search between its neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from ntklib._core.threads import parallel_for
from ntklib.dynamics import GradientDescent, Optimizer, Recording
from ntklib.lab.training import train_whole
from ntklib.networks import Params

__all__ = ["DIVERGED", "best_steps"]

DIVERGED = 1e3
"""Loss relative to the start at which a training counts as diverged."""

_PER_OCTAVE = 2
_BELOW, _ABOVE = 3, 2  # octaves of the sweep around the stability limit, widened until the best is inside
_WIDENED = 40


def best_steps(
    network: Any,
    starts: list[Params],
    X: Any,
    y: np.ndarray,
    limit: float,
    steps: int,
    optimizer: Optimizer | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the step sizes that leave the smallest loss after some steps of an optimiser.

    Parameters
    ----------
    network : TwoLayerNet or MLP
    starts : list of Params
        One a draw; in float32 training is, too, which is precise enough.
    X, y : ndarray
        Outputs count from where they start: each training has targets y + f_0.
    limit : float
        The step size to look around.
    steps : int
        Of every training.
    optimizer : Optimizer, default=None
        Whose learning rate is varied; None is gradient descent.

    Returns
    -------
    rates : ndarray of shape (k,)
        Powers of the square root of 2.
    losses : ndarray of shape (k,)
        What each leaves of the loss, geometric mean over the draws; at most `DIVERGED`.
    best : ndarray of shape (n_draws,)
        The best step size of each draw, to a percent or so.
    """
    X = X.astype(np.float32)
    optimizer = GradientDescent() if optimizer is None else optimizer
    descents = [partial(_log_loss, network, start, X, y, steps, optimizer) for start in starts]
    center = round(_PER_OCTAVE * np.log2(limit))
    low, high = center - _BELOW * _PER_OCTAVE, center + _ABOVE * _PER_OCTAVE
    results = {k: _row(descents, k) for k in range(low, high + 1)}
    for _ in range(_WIDENED):
        exponents = sorted(results)
        best = [exponents[i] for i in np.argmin([results[k] for k in exponents], axis=0)]
        ends = {min(results): min(results) - 1, max(results): max(results) + 1}
        beyond = [ends[k] for k in set(best) & set(ends)]
        if not beyond:
            break
        results |= {k: _row(descents, k) for k in beyond}
    exponents = sorted(results)
    return (
        np.array([_rate(k) for k in exponents]),
        np.exp([results[k].mean() for k in exponents]),
        _each(lambda draw: _refine(descents[draw], best[draw]), len(starts)),
    )


def _rate(k: float) -> float:
    return float(2 ** (k / _PER_OCTAVE))


def _row(descents: Sequence[Callable[[float], float]], k: int) -> np.ndarray:
    return _each(lambda draw: descents[draw](k), len(descents))


def _refine(descent: Callable[[float], float], k: int) -> float:
    """Search the steps between the neighbours of the best of the sweep."""
    best = minimize_scalar(descent, bounds=(k - 1, k + 1), method="bounded", options={"xatol": 0.03})
    return _rate(best.x)


def _each(function: Callable[[int], float], count: int) -> np.ndarray:
    results = np.empty(count)

    def work(index: int) -> None:
        results[index] = function(index)

    parallel_for(work, range(count))
    return results


def _log_loss(
    network: Any, start: Params, X: Any, y: np.ndarray, steps: int, optimizer: Optimizer, k: float
) -> float:
    """Logarithm of what training leaves of the loss."""
    history = train_whole(
        network,
        X,
        y + network.apply(start, X),
        params=start,
        optimizer=optimizer,
        learning_rate=_rate(k),
        steps=steps,
        record=Recording(every=steps, gradient_norms=False),
    )
    if history.status == "diverged":
        return float(np.log(DIVERGED))
    left = history.loss[-1] / history.loss[0]
    return float(np.log(np.clip(left, 1e-300, DIVERGED)))
