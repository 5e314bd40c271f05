"""Scores on held-out rows, each with a 95 % confidence interval that says how it was made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

LEVEL = 0.95
N_RESAMPLES = 2000


@dataclass(frozen=True)
class Score:
    """A score and its 95 % confidence interval."""

    value: float
    low: float
    high: float
    method: str


@dataclass(frozen=True)
class Metric:
    """Name of a score, and the text of its values."""

    name: str
    title: str
    larger_is_better: bool
    percent: bool = False

    def text(self, value: float) -> str:
        """Write a value for people."""
        return self.number(value) + (" %" if self.percent else "")

    def number(self, value: float, *, signed: bool = False) -> str:
        """Write a value without its unit: a percentage, a fixed three decimals near 1, else four digits."""
        value, plus = (100 * value if self.percent else value), "+" if signed else ""
        if self.percent:
            return f"{round(value, 1) + 0.0:{plus}.1f}"
        return f"{round(value, 3) + 0.0:{plus}.3f}" if abs(value) < 10 else f"{value:{plus}.4g}"


METRICS: Mapping[str, tuple[Metric, ...]] = {
    "classification": (
        Metric("accuracy", "accuracy", larger_is_better=True, percent=True),
        Metric("log_loss", "log-loss", larger_is_better=False),
    ),
    "regression": (
        Metric("r2", "R²", larger_is_better=True),
        Metric("rmse", "root mean square error", larger_is_better=False),
        Metric("mae", "mean absolute error", larger_is_better=False),
    ),
}
"""The scores of each task; the first is the one models are compared by."""


def resamples(n: int, seed: int) -> NDArray:
    """Rows of each bootstrap resample, shape (2000, n); one draw for all models keeps them paired."""
    return np.random.default_rng(seed).integers(n, size=(N_RESAMPLES, n), dtype=np.int32)


def bootstrap(statistic: Callable[[NDArray], NDArray], draws: NDArray) -> Score:
    """Return a statistic of the rows with its percentile bootstrap interval.

    Unlike that of :func:`scipy.stats.bootstrap`, the interval leaves out resamples whose statistic is not
    finite.

    Parameters
    ----------
    statistic : callable
        Maps row indices of shape (..., n) to values of shape (...).
    draws : ndarray of shape (n_resamples, n)
        From :func:`resamples`.
    """
    value = float(statistic(np.arange(draws.shape[1])))
    with np.errstate(divide="ignore", invalid="ignore"):
        values = statistic(draws)
    values = values[np.isfinite(values)]  # R2 of a resample of one repeated row does not exist
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if len(values) else (value, value)
    return Score(value, float(low), float(high), "percentile bootstrap")


def accuracy_statistic(y: NDArray, predicted: NDArray) -> Callable[[NDArray], NDArray]:
    """Return the accuracy as a function of the rows."""
    right = (y == predicted).astype(float)
    return lambda rows: right[rows].mean(axis=-1)


def r2_statistic(y: NDArray, predicted: NDArray) -> Callable[[NDArray], NDArray]:
    """Return R², 1 - sum of squared errors / sum of squares about the mean, as a function of the rows."""
    squared = (y - predicted) ** 2
    centred = y - y.mean()  # R2 ignores the mean, and the squares below lose fewer digits without it

    def r2(rows: NDArray) -> NDArray:
        drawn = centred[rows]
        return 1 - squared[rows].mean(axis=-1) / drawn.var(axis=-1)

    return r2


def score_classifier(
    y: NDArray, predicted: NDArray, log_losses: NDArray | None, draws: NDArray
) -> dict[str, Score]:
    """Return accuracy and, where there are probabilities, log-loss.

    Accuracy has Wilson's interval, which keeps its coverage near 0 and 1, where the textbook interval
    collapses; log-loss that of the bootstrap.
    """
    test = binomtest(int(np.count_nonzero(y == predicted)), len(y))
    interval = test.proportion_ci(LEVEL, method="wilson")
    scores = {"accuracy": Score(test.statistic, float(interval.low), float(interval.high), "Wilson")}
    if log_losses is not None:
        scores["log_loss"] = bootstrap(lambda rows: log_losses[rows].mean(axis=-1), draws)
    return scores


def score_regressor(y: NDArray, predicted: NDArray, draws: NDArray) -> dict[str, Score]:
    """Return R², root mean square error and mean absolute error, all by bootstrap."""
    error = y - predicted
    return {
        "r2": bootstrap(r2_statistic(y, predicted), draws),
        "rmse": bootstrap(lambda rows: np.sqrt((error[rows] ** 2).mean(axis=-1)), draws),
        "mae": bootstrap(lambda rows: np.abs(error[rows]).mean(axis=-1), draws),
    }


def losses_of(probabilities: NDArray, classes: NDArray, y: NDArray) -> NDArray:
    """Return -log of the probability given to each row's true class.

    Probabilities are clipped at the smallest the type can tell from 0, as scikit-learn's ``log_loss`` does;
    a class that was not in training has probability 0.
    """
    position = {label: j for j, label in enumerate(classes.tolist())}
    eps = np.finfo(probabilities.dtype).eps
    given = [
        probabilities[i, position[label]] if label in position else 0.0 for i, label in enumerate(y.tolist())
    ]
    return -np.log(np.clip(given, eps, 1.0))
