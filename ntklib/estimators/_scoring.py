"""Criteria of the search: what a set of held-out predictions is worth.

A criterion takes held-out values of shape (m, k) and the rows of the units they belong to, and returns a
pair: the score, larger is better, and a second number that decides between equal scores. Averages run over
all copies, by their importance. Errors are measured in powers of two near the largest target: choices are the
same in every unit of y, also where the squares of its errors are not representable.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn import get_config, metrics
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import get_scorer

from ntklib._core.scaling import exponents, scaled_back

from ._calibration import calibrated_log_loss, fit_temperature, probabilities
from ._units import Units
from .defaults import CLASSIFIER_SCORING

Judge = Callable[[np.ndarray, np.ndarray], tuple[float, float]]
Metadata = Callable[[np.ndarray], dict[str, Any]]

# Powers of the unit of y in which scorers measure.
_DEGREES = {
    metrics.mean_squared_error: 2,
    metrics.root_mean_squared_error: 1,
    metrics.mean_absolute_error: 1,
    metrics.median_absolute_error: 1,
    metrics.mean_pinball_loss: 1,
    metrics.max_error: 1,
    metrics.r2_score: 0,
    metrics.explained_variance_score: 0,
    metrics.d2_absolute_error_score: 0,
    metrics.d2_pinball_score: 0,
}

_LEAST = -1074  # exponent of the smallest number there is
_MOST_COPIES = 10_000_000  # handed to a scorer that takes no weights


@dataclass(frozen=True)
class Criterion:
    """Judges held-out values by scores in units of 2^exponent."""

    judge: Judge
    exponent: int = 0

    def __call__(self, values: np.ndarray, rows: np.ndarray) -> tuple[float, float]:
        return self.judge(values, rows)

    def reported(self, scores: Any) -> Any:
        """Scores in the user's units: 0 or infinite where they are not representable there."""
        return scaled_back(scores, self.exponent)


def comparable(ranks: Any) -> np.ndarray:
    """Ranks to choose by: what is not finite is the worst."""
    return np.where(np.isfinite(ranks), ranks, -np.inf)


def check_scores(best: float, finite: bool, what: str) -> None:
    """Refuse a choice by no score at all, and tell of scores that are not `finite`."""
    if not np.isfinite(best):
        raise ValueError(
            f"nothing can be chosen: all scores are NaN or infinite ({what}). Look at what scoring returns "
            "for these targets, or leave scoring=None."
        )
    if not finite:
        warnings.warn(
            f"some scores are NaN or infinite ({what}), and their parameters are not chosen; cv_results_ has "
            "them all.",
            UserWarning,
            stacklevel=5,
        )


def no_metadata(rows: np.ndarray) -> dict[str, Any]:
    """Nothing more for the scorer."""
    return {}


class _StandInRegressor(RegressorMixin, BaseEstimator):
    """Predicts what it is given, so that any scorer can judge stored predictions."""

    def predict(self, values: np.ndarray) -> np.ndarray:
        return values


class _StandInClassifier(ClassifierMixin, BaseEstimator):
    """The same for stored decision values; `temperature` is called if a scorer asks for probabilities."""

    def __init__(self, classes=None, temperature=None):
        self.classes_ = classes
        self.temperature = temperature

    def decision_function(self, scores: np.ndarray) -> np.ndarray:
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, scores: np.ndarray) -> np.ndarray:
        return self.classes_[predicted_labels(scores)]

    def predict_proba(self, scores: np.ndarray) -> np.ndarray:
        return probabilities(scores, self.temperature())


def predicted_labels(scores: np.ndarray) -> np.ndarray:
    """Index of the class each row of decision values speaks for."""
    return (scores[:, 0] > 0).astype(int) if scores.shape[1] == 1 else scores.argmax(axis=1)


def squared_loss(values: np.ndarray, targets: np.ndarray, weights: np.ndarray | None) -> float:
    """Weighted mean over units, and mean over outputs, of the squared error."""
    return float(np.average(np.square(values - targets).mean(axis=1), weights=weights))


def regression_criterion(scoring: Any, units: Units, metadata: Metadata = no_metadata) -> Criterion:
    """Negative mean squared error for None, else any scorer of predictions, with its metadata of the rows."""
    targets, weights = units.targets, units.weights
    exponent = int(exponents(targets)) if targets.any() else _LEAST  # zeros set no unit for other targets
    if scoring is None:
        scaled = np.ldexp(targets, -exponent)

        def negative_squared_loss(values, rows):
            return -squared_loss(np.ldexp(values, -exponent), scaled[rows], _at(rows, weights)), 0.0

        return Criterion(negative_squared_loss, 2 * exponent)

    scorer = get_scorer(scoring)
    degree, shift = _measure(scorer, targets)

    def scored(values, rows):
        truth, values = np.ldexp(targets[rows], -shift), np.ldexp(values, -shift)
        if targets.shape[1] == 1:
            truth, values = truth[:, 0], values[:, 0]
        return _call(scorer, _StandInRegressor(), values, truth, rows, units, metadata), 0.0

    return Criterion(scored, degree * exponent)


def _measure(scorer: Any, targets: np.ndarray) -> tuple[int, np.ndarray | int]:
    """Degree of a scorer in the unit of y, and the exponents of the units to hand it the targets in.

    One for all columns, or one each where columns are scored each by itself. Scorers that are not known are
    given the targets as they are.
    """
    degree = _DEGREES.get(getattr(scorer, "_score_func", None))
    if degree is None:
        return 0, 0
    apart = degree == 0 and getattr(scorer, "_kwargs", {}).get("multioutput", "") in ("", "uniform_average")
    return degree, exponents(targets, axis=0 if apart else None)


def refuses_weights(scoring: Any) -> bool:
    """Whether a scorer asks, under metadata routing, not to be given sample weights."""
    if not get_config()["enable_metadata_routing"] or not hasattr(scoring, "get_metadata_routing"):
        return False
    return scoring.get_metadata_routing().score.requests.get("sample_weight") is False


def classification_criterion(
    scoring: Any,
    units: Units,
    labels: np.ndarray,
    classes: np.ndarray,
    temperature: float | None = None,
    metadata: Metadata = no_metadata,
) -> Criterion:
    """A scorer of decision values; equal scores, common with accuracy, are decided by the squared loss.

    `labels` are those of the units. Scorers of probabilities see those at `temperature`, None at the best one
    for the values at hand.
    """
    own = scoring in ("accuracy", CLASSIFIER_SCORING)
    scorer = None if own else get_scorer(scoring)

    def scored(values, rows):
        truth, weights = labels[rows], _at(rows, units.weights)
        n_copies = len(rows) if units.counts is None else units.counts[rows].sum()
        tie = -squared_loss(values, units.targets[rows], weights)
        if scoring == CLASSIFIER_SCORING:
            return -calibrated_log_loss(values, truth, weights, n_copies), tie
        if scorer is None:
            return float(np.average(predicted_labels(values) == truth, weights=weights)), tie

        def suited():
            return temperature or fit_temperature(values, truth, weights, n_copies)

        stand_in = _StandInClassifier(classes, suited)
        return _call(scorer, stand_in, values, classes[truth], rows, units, metadata), tie

    return Criterion(scored)


def _at(rows: np.ndarray, values: np.ndarray | None) -> np.ndarray | None:
    return None if values is None else values[rows]


def _call(
    scorer: Any,
    stand_in: Any,
    values: np.ndarray,
    truth: np.ndarray,
    rows: np.ndarray,
    units: Units,
    metadata: Metadata,
) -> float:
    """Score by the weights; a scorer that takes none is given every copy, whose importance it cannot know."""
    weights, counts = _at(rows, units.weights), _at(rows, units.counts)
    if refuses_weights(scorer):
        return float(scorer(stand_in, values, truth, **metadata(rows)))
    accepts = getattr(scorer, "_accept_sample_weight", None)
    if weights is not None and accepts is not None and accepts():
        return float(scorer(stand_in, values, truth, **({"sample_weight": weights} | metadata(rows))))
    if counts is not None:
        if counts.sum() > _MOST_COPIES:
            raise ValueError(
                f"scoring takes no sample_weight, so all {counts.sum():.6g} copies would be handed to it; "
                "use one that does, made by sklearn.metrics.make_scorer, or divide the sample weights."
            )
        copies = np.repeat(np.arange(len(rows)), counts.astype(int))
        values, truth, rows = values[copies], truth[copies], rows[copies]
    return float(scorer(stand_in, values, truth, **metadata(rows)))
