"""Calibration on the test rows: what was predicted, in bins, against what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from ntklib._core.drawing import COLORS, light_axes

from ._figures import label_text, picture
from .scores import LEVEL

if TYPE_CHECKING:
    from ._records import Analysis

MAX_BINS, FEWEST = 10, 10
"""Bins, and the test rows that each holds at least."""


@dataclass(frozen=True)
class Calibration:
    """Mean predictions and outcomes in bins of equally many test rows.

    Parameters
    ----------
    predicts : str
        What is predicted: the probability of a class, that of the class named, or the target's mean.
    predicted, observed : ndarray of shape (n_bins,)
        Means over the rows of a bin.
    low, high : ndarray of shape (n_bins,)
        95 % intervals of ``observed``: Wilson's of shares, otherwise those of the normal distribution.
    mean_predicted, mean_observed : float
        Means over all test rows.
    """

    predicts: str
    predicted: NDArray
    observed: NDArray
    low: NDArray
    high: NDArray
    mean_predicted: float
    mean_observed: float


def calibrate(model: Any, task: str, X: NDArray, y: NDArray) -> Calibration | None:
    """Bin the test rows by what a model predicts; None for fewer than twenty of them.

    For two classes that is the probability of the second one, for more the probability of the class named.
    """
    if len(y) < 2 * FEWEST:
        return None
    if task == "regression":
        predicts, predicted, outcome = "mean", np.asarray(model.predict(X), dtype=float), y.astype(float)
    else:
        shares, classes = model.predict_proba(X), model.classes_
        if len(classes) == 2:
            predicts, predicted, outcome = f"class {classes[1]}", shares[:, 1], (y == classes[1]) * 1.0
        else:
            named = shares.argmax(axis=1)
            predicts, predicted = "class named", shares.max(axis=1)
            outcome = (classes[named] == y) * 1.0
    order = np.argsort(predicted, kind="stable")
    bins = np.array_split(order, min(MAX_BINS, len(y) // FEWEST))
    observed = np.array([outcome[rows].mean() for rows in bins])
    limits = np.array([_interval(outcome[rows], task) for rows in bins])
    return Calibration(
        predicts=predicts,
        predicted=np.array([predicted[rows].mean() for rows in bins]),
        observed=observed,
        low=limits[:, 0],
        high=limits[:, 1],
        mean_predicted=float(predicted.mean()),
        mean_observed=float(outcome.mean()),
    )


def _interval(outcome: NDArray, task: str) -> tuple[float, float]:
    if task == "classification":
        ends = binomtest(int(outcome.sum()), len(outcome)).proportion_ci(LEVEL, method="wilson")
        return float(ends.low), float(ends.high)
    half = 1.959964 * outcome.std(ddof=1) / np.sqrt(len(outcome))
    return float(outcome.mean() - half), float(outcome.mean() + half)


def calibration(analysis: Analysis) -> dict[str, Any] | None:
    """Mean predictions against what came of them."""
    result = analysis.calibration
    if result is None:
        return None
    regression = analysis.data.task == "regression"
    within = int(((result.low <= result.predicted) & (result.predicted <= result.high)).sum())
    return {
        "calibration": result,
        "regression": regression,
        "within": within,
        "n_bins": len(result.predicted),
        "picture": picture(
            "calibration",
            lambda ax: _draw(ax, result, analysis.data.target if regression else None),
            alt="observed means against predicted ones in bins of test rows",
            size=(4.8, 4.0),
        ),
    }


def _draw(ax: Any, result: Calibration, target: str | None) -> None:
    low = 0.0
    if result.predicts == "class named":  # no class that is named has a small probability
        low = float(min(result.predicted.min(), result.low.min()))
    ends = [result.predicted.min(), result.predicted.max()] if target is not None else [low, 1]
    ax.plot(ends, ends, color=COLORS[1], linewidth=1.4, label="right on average")
    bars = [result.observed - result.low, result.high - result.observed]
    ax.errorbar(
        result.predicted,
        result.observed,
        yerr=bars,
        fmt="o",
        color=COLORS[0],
        markersize=6,
        linewidth=1.6,
        label="test rows",
    )
    if target is not None:
        ax.set(xlabel=f"predicted {label_text(target)}, mean", ylabel=f"true {label_text(target)}, mean")
    else:
        ax.set(xlabel="predicted probability", ylabel="share of rows")
        ax.set(xlim=(low - 0.03, 1.03), ylim=(low - 0.03, 1.03))
    light_axes(ax)
    ax.legend(frameon=False, loc="upper left")
