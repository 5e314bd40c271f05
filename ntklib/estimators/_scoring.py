"""Criteria of the search: what a set of held-out predictions is worth.

A criterion takes held-out values of shape (m, k), the rows of the units they belong to and their weights,
and returns a pair: the score, larger is better, and a second number that decides between equal scores.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import get_scorer

from ntklib.estimators._calibration import calibrated_log_loss, fit_temperature, probabilities
from ntklib.estimators._defaults import CLASSIFIER_SCORING

Criterion = Callable[[np.ndarray, np.ndarray, np.ndarray | None], tuple[float, float]]
Metadata = Callable[[np.ndarray], dict[str, Any]]


def no_metadata(rows: np.ndarray) -> dict[str, Any]:
    """Nothing more for the scorer."""
    return {}


class _StandInRegressor(RegressorMixin, BaseEstimator):
    """Predicts what it is given, so that any scorer can judge stored predictions."""

    def predict(self, values: np.ndarray) -> np.ndarray:
        return values


class _StandInClassifier(ClassifierMixin, BaseEstimator):
    """The same for stored decision values; a temperature is fitted if a scorer asks and none is given."""

    def __init__(self, classes=None, labels=None, weights=None, temperature=None):
        self.classes_ = classes
        self.labels = labels
        self.weights = weights
        self.temperature = temperature

    def decision_function(self, scores: np.ndarray) -> np.ndarray:
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, scores: np.ndarray) -> np.ndarray:
        return self.classes_[predicted_labels(scores)]

    def predict_proba(self, scores: np.ndarray) -> np.ndarray:
        return probabilities(scores, self.temperature or fit_temperature(scores, self.labels, self.weights))


def predicted_labels(scores: np.ndarray) -> np.ndarray:
    """Index of the class each row of decision values speaks for."""
    return (scores[:, 0] > 0).astype(int) if scores.shape[1] == 1 else scores.argmax(axis=1)


def squared_loss(values: np.ndarray, targets: np.ndarray, weights: np.ndarray | None) -> float:
    """Weighted mean over units, and mean over outputs, of the squared error."""
    return float(np.average(np.square(values - targets).mean(axis=1), weights=weights))


def regression_criterion(scoring: Any, targets: np.ndarray, metadata: Metadata = no_metadata) -> Criterion:
    """Negative mean squared error for None, else any scorer of predictions, with its metadata of the rows."""
    if scoring is None:

        def negative_squared_loss(values, rows, weights):
            return -squared_loss(values, targets[rows], weights), 0.0

        return negative_squared_loss

    scorer = get_scorer(scoring)

    def scored(values, rows, weights):
        truth, values = targets[rows], np.asarray(values)
        if targets.shape[1] == 1:
            truth, values = truth[:, 0], values[:, 0]
        return _call(scorer, _StandInRegressor(), values, truth, weights, metadata(rows)), 0.0

    return scored


def classification_criterion(
    scoring: Any,
    targets: np.ndarray,
    labels: np.ndarray,
    classes: np.ndarray,
    temperature: float | None = None,
    metadata: Metadata = no_metadata,
) -> Criterion:
    """A scorer of decision values; equal scores, common with accuracy, are decided by the squared loss.

    Scorers of probabilities see those at `temperature`, None at the best one for the values at hand.
    """
    own = scoring in ("accuracy", CLASSIFIER_SCORING)
    scorer = None if own else get_scorer(scoring)

    def scored(values, rows, weights):
        tie = -squared_loss(values, targets[rows], weights)
        if scoring == CLASSIFIER_SCORING:
            return -calibrated_log_loss(values, labels[rows], weights), tie
        if scorer is None:
            return float(np.average(predicted_labels(values) == labels[rows], weights=weights)), tie
        stand_in = _StandInClassifier(classes, labels[rows], weights, temperature)
        return _call(scorer, stand_in, values, classes[labels[rows]], weights, metadata(rows)), tie

    return scored


def _call(
    scorer: Any, stand_in: Any, values: np.ndarray, truth: np.ndarray, weights: Any, metadata: dict[str, Any]
) -> float:
    accepts = getattr(scorer, "_accept_sample_weight", None)
    if weights is not None and accepts is not None and accepts():
        metadata = {"sample_weight": weights} | metadata
    return float(scorer(stand_in, values, truth, **metadata))
