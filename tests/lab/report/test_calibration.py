"""Calibration: bins of test rows, their means and intervals."""

from types import SimpleNamespace

import numpy as np
import pytest

from ntklib.lab.report._calibration import MAX_BINS, calibrate

from .pages import render

RNG = np.random.default_rng(0)


def page(result, task):
    data = SimpleNamespace(task=task, target="price")
    return render("calibration", calibration=result, data=data, ours=SimpleNamespace(title="kernel machine"))


def classifier(shares, classes):
    return SimpleNamespace(predict_proba=lambda X: shares, classes_=np.array(classes))


def test_two_classes_that_come_as_often_as_said():
    p = RNG.random(2000)
    y = np.where(RNG.random(2000) < p, "yes", "no")
    result = calibrate(classifier(np.stack([1 - p, p], axis=1), ["no", "yes"]), "classification", p, y)
    assert result.predicts == "class yes"
    np.testing.assert_allclose(result.predicted, (np.arange(MAX_BINS) + 0.5) / MAX_BINS, atol=0.03)
    assert ((result.low < result.predicted) & (result.predicted < result.high)).sum() >= 8
    assert result.mean_observed == np.mean(y == "yes")
    assert "gave class yes a probability of" in page(result, "classification")


def test_a_classifier_that_is_too_sure():
    shares = np.tile([0.98, 0.01, 0.01], (300, 1))
    y = np.repeat([0, 1, 2], 100)
    result = calibrate(classifier(shares, [0, 1, 2]), "classification", shares, y)
    assert result.predicts == "class named"
    assert result.mean_predicted == pytest.approx(0.98)
    assert result.mean_observed == pytest.approx(1 / 3)
    html = page(result, "classification")
    assert "probability of\n98.0 % on average, and 33.3 %" in html
    assert "<svg" in html


def test_means_of_a_number():
    truth = np.linspace(0, 10, 500)
    y = truth + RNG.normal(size=500)
    result = calibrate(SimpleNamespace(predict=lambda X: 2 * X), "regression", truth, y)
    np.testing.assert_allclose(result.predicted, 2 * (np.arange(MAX_BINS) + 0.5), atol=0.02)
    np.testing.assert_allclose(result.observed, result.predicted / 2, atol=0.6)
    half = 1.96 * np.sqrt((1 + 1 / 12) / 50)  # noise, and the spread of the truth within a bin
    np.testing.assert_allclose(result.high - result.low, 2 * half, rtol=0.5)
    assert np.sum((result.low <= result.predicted) & (result.predicted <= result.high)) <= 1
    assert "predicts 10 on average" in page(result, "regression")


def test_few_rows_make_no_picture():
    rows = np.arange(19.0)
    assert calibrate(SimpleNamespace(predict=lambda X: X), "regression", rows, rows) is None
    assert page(None, "regression") is None
