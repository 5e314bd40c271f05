"""Importance of columns: how much worse predictions of held-out rows get when a column is shuffled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_selection import f_classif, f_regression

from ntklib._core.progress import step
from ntklib._core.sampling import sample_rows

from .scores import bootstrap, losses_of, resamples

MAX_ROWS, MIN_ROWS = 1000, 100
MAX_REPEATS = 10
WORK = 1.5e8
"""Kernel values that are computed at most: some seconds."""


@dataclass(frozen=True)
class Importance:
    """Loss that shuffling a column costs, the most important column first.

    Parameters
    ----------
    measure : {"log-loss", "R²"}
        What gets worse: the log-loss grows, R² falls.
    columns : tuple of str
        Names.
    cost : ndarray of shape (n_columns,)
        Mean over rows and shuffles.
    low, high : ndarray of shape (n_columns,)
        95 % percentile bootstrap interval over the rows.
    n_rows, n_repeats : int
        Held-out rows, and shuffles of each column.
    n_left_out : int
        Columns not looked at, those that say least of the target taken alone.
    """

    measure: str
    columns: tuple[str, ...]
    cost: NDArray
    low: NDArray
    high: NDArray
    n_rows: int
    n_repeats: int
    n_left_out: int


def row_losses(model: Any, task: str, X: NDArray, y: NDArray) -> NDArray:
    """Return the loss of each row: -log of the probability of its class, or its squared error."""
    if task == "classification":
        return losses_of(model.predict_proba(X), model.classes_, y)
    return (np.asarray(model.predict(X), dtype=float) - y) ** 2


def permutation_importance(
    model: Any,
    task: str,
    train: tuple[NDArray, NDArray],
    test: tuple[NDArray, NDArray],
    inputs: Mapping[str, NDArray],
    seed: int,
) -> Importance:
    """Shuffle each column among held-out rows, several times, and average what it costs.

    Parameters
    ----------
    model : estimator
        Fitted to preprocessed rows, with ``predict_proba`` for classes.
    task : {"regression", "classification"}
    train, test : tuple of X and y
        Preprocessed rows and their targets.
    inputs : mapping of str to ndarray of int
        The columns of X that each column of the table became; they are shuffled together.
    seed : int
        Of the rows drawn, the shuffles and the intervals.

    Returns
    -------
    Importance

    References
    ----------
    L. Breiman, "Random forests", Machine Learning 45, 2001; A. Fisher, C. Rudin and F. Dominici, "All models
    are wrong, but many are useful", Journal of Machine Learning Research 20, 2019.
    """
    X, y = test
    rows = sample_rows(len(X), MAX_ROWS, seed)
    n_fit = len(getattr(model, "X_fit_", train[0]))
    fewest = min(len(rows), MIN_ROWS)
    names = _screen(task, train, inputs, max(int(WORK / (fewest * n_fit)), 1))
    work = len(names) * n_fit
    rows = rows[: max(fewest, min(len(rows), int(WORK / work)))]
    repeats = max(1, min(MAX_REPEATS, int(WORK / (work * len(rows)))))
    X, y = X[rows], y[rows]
    unit = 1.0 if task == "classification" else max(float(y.var()), np.finfo(float).tiny)
    before = row_losses(model, task, X, y)
    rng = np.random.default_rng(seed)
    draws = resamples(len(rows), seed)
    scores = []
    for j, name in enumerate(names, 1):
        shuffled = np.tile(X, (repeats, 1))
        orders = [k * len(X) + rng.permutation(len(X)) for k in range(repeats)]
        shuffled[:, inputs[name]] = shuffled[np.concatenate(orders)][:, inputs[name]]
        with step(f"column {j} of {len(names)}"):
            after = row_losses(model, task, shuffled, np.tile(y, repeats)).reshape(repeats, -1)
        cost = (after - before).mean(axis=0) / unit
        scores.append(bootstrap(partial(_mean, cost), draws))
    order = sorted(range(len(names)), key=lambda j: -scores[j].value)
    return Importance(
        measure="log-loss" if task == "classification" else "R²",
        columns=tuple(names[j] for j in order),
        cost=np.array([scores[j].value for j in order]),
        low=np.array([scores[j].low for j in order]),
        high=np.array([scores[j].high for j in order]),
        n_rows=len(rows),
        n_repeats=repeats,
        n_left_out=len(inputs) - len(names),
    )


def _mean(values: NDArray, rows: NDArray) -> NDArray:
    return values[rows].mean(axis=-1)


def _screen(task: str, train: tuple[NDArray, NDArray], inputs: Mapping[str, NDArray], most: int) -> list[str]:
    """Return the columns to look at: of very many, those that say most of the target taken alone."""
    names = list(inputs)
    if len(names) <= most:
        return names
    test = f_classif if task == "classification" else f_regression
    with np.errstate(all="ignore"):
        strength = np.nan_to_num(test(*train)[0], posinf=np.inf)
    best = [float(strength[inputs[name]].max()) for name in names]
    kept = np.sort(np.argsort(-np.array(best), kind="stable")[:most])
    return [names[j] for j in kept]
