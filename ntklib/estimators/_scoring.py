"""Criteria of the search: what a set of held-out predictions is worth.

A criterion takes held-out values of shape (m, k) and the rows of the units they belong to, and returns a
pair: the score, larger is better, and a second number that decides between equal scores. Averages run over
all copies, by their importance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import get_scorer

from ntklib.estimators._calibration import calibrated_log_loss, fit_temperature, probabilities
from ntklib.estimators._defaults import CLASSIFIER_SCORING
from ntklib.estimators._units import Units

Criterion = Callable[[np.ndarray, np.ndarray], tuple[float, float]]
Metadata = Callable[[np.ndarray], dict[str, Any]]

_MOST_COPIES = 10_000_000  # handed to a scorer that takes no weights


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
    if scoring is None:

        def negative_squared_loss(values, rows):
            return -squared_loss(values, targets[rows], _at(rows, weights)), 0.0

        return negative_squared_loss

    scorer = get_scorer(scoring)

    def scored(values, rows):
        truth, values = targets[rows], np.asarray(values)
        if targets.shape[1] == 1:
            truth, values = truth[:, 0], values[:, 0]
        return _call(scorer, _StandInRegressor(), values, truth, rows, units, metadata), 0.0

    return scored


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

    return scored


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
