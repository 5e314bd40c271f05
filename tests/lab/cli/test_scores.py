"""Scores in blocks, and those of predictions of left-out rows."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_wine
from sklearn.metrics import accuracy_score, r2_score, root_mean_squared_error
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.preprocessing import StandardScaler

from ntklib import NTKClassifier, NTKClassifierCV, NTKRegressor, NTKRegressorCV
from ntklib.lab.cli._scores import Scorer, held_out_scores

RNG = np.random.default_rng(0)


def test_blocks_add_up_to_the_scores_of_scikit_learn():
    y = 1e6 + RNG.normal(size=300)
    predicted = y + 0.4 * RNG.normal(size=300)
    scorer = Scorer("regression")
    for rows in np.split(np.arange(300), [0, 1, 1, 7, 250]):
        scorer.add(y[rows], predicted[rows])
    scores = scorer.scores()
    assert scores["rows"] == 300
    assert scores["R²"] == pytest.approx(r2_score(y, predicted), rel=1e-9)
    assert scores["RMSE"] == pytest.approx(root_mean_squared_error(y, predicted))
    labels, named = RNG.choice([*"abc"], (2, 300))
    scorer = Scorer("classification")
    scorer.add(labels[:100], named[:100])
    scorer.add(labels[100:], named[100:])
    assert scorer.scores() == {"rows": 300, "accuracy": accuracy_score(labels, named)}
    assert Scorer("regression").scores() == Scorer("classification").scores() == {}


def test_held_out_scores_are_those_of_refits():
    X, y = load_diabetes(return_X_y=True)
    X, y = StandardScaler().fit_transform(X[:60]), y[:60]
    model = NTKRegressorCV("ntk", store_held_out=True).fit(X, y)
    scores = held_out_scores(model, "regression", y)
    refits = cross_val_predict(NTKRegressor(model.kernel_, alpha=model.alpha_), X, y, cv=LeaveOneOut())
    assert scores["R²"] == pytest.approx(r2_score(y, refits), abs=1e-6)
    assert not hasattr(model, "held_out_predictions_")
    assert model.store_held_out is False


@pytest.mark.parametrize("n_classes", [2, 3])
def test_held_out_accuracy_is_that_of_refits(n_classes):
    X, y = load_wine(return_X_y=True)
    rows = np.flatnonzero(y < n_classes)[::4]
    X, y = StandardScaler().fit_transform(X[rows]), np.array([*"abc"])[y[rows]]
    model = NTKClassifierCV("ntk", store_held_out=True).fit(X, y)
    scores = held_out_scores(model, "classification", y)
    one = NTKClassifier(model.kernel_, alpha=model.alpha_, calibrate=False)
    assert scores["accuracy"] == accuracy_score(y, cross_val_predict(one, X, y, cv=LeaveOneOut()))


def test_rows_whose_held_out_predictions_are_not_known_do_not_count():
    class Fit:
        classes_ = np.array(["a", "b", "c"])

        def __init__(self, values):
            self.held_out_predictions_ = np.array(values)

        def set_params(self, **parameters):
            self.parameters = parameters

    scores = held_out_scores(Fit([1.0, np.nan, 4.0]), "regression", np.array([1.0, 9.0, 3.0]))
    assert scores == {"rows": 2, "R²": 0.5, "RMSE": pytest.approx(0.5**0.5)}
    values = [[3.0, 1.0, 0.0], [np.nan, 1.0, 0.0], [0.0, 1.0, 2.0]]
    assert held_out_scores(Fit(values), "classification", np.array([*"aab"])) == {"rows": 2, "accuracy": 0.5}
