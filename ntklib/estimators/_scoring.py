"""Criteria of the search: scores of held-out predictions.

A criterion takes held-out values of shape (m, k) and the rows of the units they belong to, and returns a
pair: the score, larger is better, and a second number that decides between equal scores. Averages run over
all copies, by their importance. Errors are measured in powers of two near the largest target: choices are the
same in every unit of y, also where the squares of its errors are not representable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config, metrics
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import get_scorer

from ntklib._core.exponents import exponents, scaled_back
from ntklib._core.warning import warn

from ._calibration import calibrated_log_loss, fit_temperature, probabilities
from ._routing import Metadata
from ._units import Units, at_rows
from .defaults import CLASSIFIER_SCORING

Judge = Callable[[NDArray, NDArray], tuple[float, float]]

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

    def __call__(self, values: NDArray, rows: NDArray) -> tuple[float, float]:
        return self.judge(values, rows)

    def reported(self, scores: Any) -> Any:
        """Scores in the user's units: 0 or infinite where they are not representable there."""
        return scaled_back(scores, self.exponent)


def comparable(scores: Any) -> NDArray:
    """Scores to choose by: those that are not finite are the worst."""
    return np.where(np.isfinite(scores), scores, -np.inf)


def check_scores(best: float, finite: bool, name: str) -> None:
    """Refuse a choice by no score at all, and tell of scores that are not `finite`."""
    if not np.isfinite(best):
        raise ValueError(
            f"nothing can be chosen: all scores are NaN or infinite ({name}). Look at what scoring returns "
            "for these targets, or leave scoring=None."
        )
    if not finite:
        warn(
            f"some scores are NaN or infinite ({name}), and their parameters are not chosen; cv_results_ has "
            "them all.",
            UserWarning,
        )


class _StandInRegressor(RegressorMixin, BaseEstimator):
    """A regressor whose rows are its predictions, so that any scorer can judge stored ones."""

    def predict(self, values: NDArray) -> NDArray:
        return values


class _StandInClassifier(ClassifierMixin, BaseEstimator):
    """A classifier whose rows are its decision values; `temperature` is called for probabilities only."""

    def __init__(self, classes=None, temperature=None):
        self.classes_ = classes
        self.temperature = temperature

    def decision_function(self, scores: NDArray) -> NDArray:
        return decision_values(scores)

    def predict(self, scores: NDArray) -> NDArray:
        return self.classes_[predicted_labels(scores)]

    def predict_proba(self, scores: NDArray) -> NDArray:
        return probabilities(scores, self.temperature())


def decision_values(scores: NDArray) -> NDArray:
    """Decision values, of shape (m,) for two classes."""
    return scores[:, 0] if scores.shape[1] == 1 else scores


def predicted_labels(scores: NDArray) -> NDArray:
    """Index of the class each row of decision values speaks for."""
    return (scores[:, 0] > 0).astype(int) if scores.shape[1] == 1 else scores.argmax(axis=1)


def squared_loss(values: NDArray, targets: NDArray, weights: NDArray | None) -> float:
    """Weighted mean over units, and mean over outputs, of the squared error."""
    return float(np.average(np.square(values - targets).mean(axis=1), weights=weights))


def regression_criterion(scoring: Any, units: Units, metadata: Metadata) -> Criterion:
    """Negative mean squared error for None, else any scorer of predictions, with its metadata of the rows."""
    targets, weights = units.targets, units.weights
    exponent = int(exponents(targets)) if targets.any() else _LEAST  # zeros set no unit for other targets
    if scoring is None:
        scaled = np.ldexp(targets, -exponent)

        def negative_squared_loss(values, rows):
            return -squared_loss(np.ldexp(values, -exponent), scaled[rows], at_rows(weights, rows)), 0.0

        return Criterion(negative_squared_loss, 2 * exponent)

    scorer = get_scorer(scoring)
    degree, shift = _measure(scorer, targets)

    def scored(values, rows):
        truth, values = np.ldexp(targets[rows], -shift), np.ldexp(values, -shift)
        if targets.shape[1] == 1:
            truth, values = truth[:, 0], values[:, 0]
        return _call(scorer, _StandInRegressor(), values, truth, rows, units, metadata), 0.0

    return Criterion(scored, degree * exponent)


def _measure(scorer: Any, targets: NDArray) -> tuple[int, NDArray | int]:
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
    """Say if a scorer asks, under metadata routing, not to be given sample weights."""
    if not get_config()["enable_metadata_routing"] or not hasattr(scoring, "get_metadata_routing"):
        return False
    return scoring.get_metadata_routing().score.requests.get("sample_weight") is False


def classification_criterion(
    scoring: Any,
    units: Units,
    classes: NDArray,
    temperature: float | None,
    metadata: Metadata,
) -> Criterion:
    """A scorer of decision values; equal scores, common with accuracy, are decided by the squared loss.

    None is `CLASSIFIER_SCORING`. Scorers of probabilities see those at `temperature`, None at the best one
    for the values at hand.
    """
    scoring = CLASSIFIER_SCORING if scoring is None else scoring
    own = scoring in ("accuracy", CLASSIFIER_SCORING)
    scorer, labels = None if own else get_scorer(scoring), units.labels
    assert labels is not None

    def scored(values, rows):
        truth, weights = labels[rows], at_rows(units.weights, rows)
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


def _call(
    scorer: Any,
    stand_in: Any,
    values: NDArray,
    truth: NDArray,
    rows: NDArray,
    units: Units,
    metadata: Metadata,
) -> float:
    """Score by the weights; a scorer that takes none is given every copy, whose importance it cannot know."""
    weights, counts = at_rows(units.weights, rows), at_rows(units.counts, rows)
    accepts = getattr(scorer, "_accept_sample_weight", None)
    given: dict[str, Any] = {}
    if refuses_weights(scorer):
        pass
    elif weights is not None and accepts is not None and accepts():
        given = {"sample_weight": weights}
    elif counts is not None:
        if counts.sum() > _MOST_COPIES:
            raise ValueError(
                f"scoring takes no sample_weight, so all {counts.sum():.6g} copies would be handed to it; "
                "use one that does, made by sklearn.metrics.make_scorer, or divide the sample weights."
            )
        copies = np.repeat(np.arange(len(rows)), counts.astype(int))
        values, truth, rows = values[copies], truth[copies], rows[copies]
    return float(scorer(stand_in, values, truth, **given | metadata.score_at(units.support[rows])))


def ranking(scores: NDArray) -> NDArray:
    """Ranks of scores, 1 the best; equal ones share theirs."""
    order = comparable(scores)
    return 1 + np.searchsorted(np.sort(-order), -order)
