"""Classifiers that add up fits by default: threads, weights of samples and classes, and gradients."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

from ntklib import NTKClassifier, NTKClassifierCV, set_threads

ALPHAS = [0.03, 1.0]
RNG = np.random.default_rng(0)
X = RNG.standard_normal((130, 2))
NEW = RNG.standard_normal((6, 2))
HEIGHT = np.sin(2 * X[:, 0]) + X[:, 1] + 0.3 * RNG.standard_normal(130)
LABELS = {2: HEIGHT > 0, 3: np.digitize(HEIGHT, [-0.5, 0.6])}
HALVES = RNG.integers(1, 4, 130) / 2


def fitted(classes=3, rows=slice(None), weights=None, **options):
    """A fit that adds up several kernels."""
    model = NTKClassifierCV(**{"alphas": ALPHAS} | options).fit(X[rows], LABELS[classes][rows], weights)
    assert np.count_nonzero(model.stack_["weight"]) > 1
    return model


def by_hand(model, weights, classes=3, **options):
    """Decision values of the sum of plain fits at new rows."""
    parts = [part for part in zip(*model.stack_.values(), strict=True) if part[2] > 0]
    fits = [NTKClassifier(kernel, alpha=alpha, calibrate=False, **options) for kernel, alpha, _ in parts]
    values = [fit.fit(X, LABELS[classes], weights).decision_function(NEW) for fit in fits]
    return sum(part[2] * value for part, value in zip(parts, values, strict=True))


def same(one, other):
    np.testing.assert_array_equal(one.stack_["param_alpha"], other.stack_["param_alpha"])
    np.testing.assert_allclose(one.stack_["weight"], other.stack_["weight"], atol=1e-5)
    np.testing.assert_allclose(one.decision_function(NEW), other.decision_function(NEW), atol=1e-5)
    np.testing.assert_allclose(one.predict_proba(NEW), other.predict_proba(NEW), atol=1e-5)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_same_bytes_at_any_number_of_threads(classes):
    answers = []
    for threads in (1, 2, 3):
        with set_threads(threads):
            model = fitted(classes)
        answers.append(
            [model.stack_["weight"].tobytes(), model.predict_proba(NEW).tobytes(), model.best_score_]
        )
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("weights", [None, HALVES], ids=["plain", "weights"])
def test_the_sum_is_that_of_plain_fits_with_the_weights(classes, weights):
    model = fitted(classes, weights=weights)
    np.testing.assert_allclose(
        model.decision_function(NEW), by_hand(model, weights, classes), rtol=1e-8, atol=1e-9
    )


def test_rows_of_weight_zero_are_left_out():
    weights = np.where(np.arange(130) < 110, HALVES, 0.0)
    same(fitted(weights=weights), fitted(rows=slice(110), weights=HALVES[:110]))


def test_whole_weights_are_repetitions():
    weights = RNG.integers(1, 4, 130)
    again = np.repeat(np.arange(130), weights)
    same(fitted(weights=weights), fitted(rows=again))


def test_class_weights_are_sample_weights():
    shares = {0: 0.5, 1: 2.0, 2: 3.0}
    by_class = np.vectorize(shares.get)(LABELS[3])
    same(fitted(class_weight=shares), fitted(weights=by_class))
    same(fitted(class_weight=shares, weights=HALVES), fitted(weights=by_class * HALVES))
    balanced = 130 / (3 * np.bincount(LABELS[3]))[LABELS[3]]
    same(fitted(class_weight="balanced"), fitted(weights=balanced))


@pytest.mark.parametrize("classes", [2, 3])
def test_gradients_are_differences_of_decision_values(classes):
    model, step = fitted(classes), 1e-5
    rises = [
        model.decision_function(NEW + move) - model.decision_function(NEW - move) for move in step * np.eye(2)
    ]
    slopes = model.decision_gradient(NEW)
    np.testing.assert_allclose(slopes, np.stack(rises, axis=1) / (2 * step), atol=1e-6)
    np.testing.assert_allclose(model.decision_gradient(sparse.csr_array(NEW)), slopes, rtol=1e-9, atol=1e-10)


def test_sparse_rows_and_single_precision():
    model = fitted()
    thin = clone(model).fit(sparse.csr_array(X), LABELS[3])
    same(model, thin)
    single = clone(model).fit(X.astype(np.float32), LABELS[3])
    np.testing.assert_allclose(single.predict_proba(NEW), model.predict_proba(NEW), atol=0.01)
