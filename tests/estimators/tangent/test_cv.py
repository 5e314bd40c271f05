"""The search for a stopping time, scikit-learn's contract, and life in its pipelines and grid searches."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from ntklib import (
    NTK,
    TangentClassifier,
    TangentClassifierCV,
    TangentRegressor,
    TangentRegressorCV,
    set_threads,
)
from ntklib.dynamics.function_space.spectrum import Spectrum
from ntklib.estimators._calibration import fit_temperature, probabilities
from ntklib.networks import MLP, TwoLayerNet
from ntklib.plotting import StoppingPathDisplay
from tests.estimators.tangent.naive import losses

mpl.use("Agg")

ESTIMATORS = [TangentRegressor, TangentClassifier, TangentRegressorCV, TangentClassifierCV]
STEPS = [1, 5, 20, 80]
SCORES = {"squared_error": "neg_mean_squared_error", "absolute_error": "neg_mean_absolute_error"}


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [
        TangentRegressor(),
        TangentClassifier(max_iter=200),
        TangentRegressorCV(),
        TangentClassifierCV(max_iters=[1, 30]),
    ]
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def data(n=40):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 3))
    y = np.column_stack([np.sin(2 * X[:, 0]), X[:, 1] * X[:, 2]])
    return X, y + 0.3 * rng.standard_normal(y.shape)


X, Y = data()
LABELS = np.digitize(Y[:, 0], [-0.5, 0.5])


@pytest.mark.parametrize("chosen", [{"kernel": NTK()}, {"network": MLP((6,))}], ids=["kernel", "network"])
@pytest.mark.parametrize("loss", ["squared_error", "huber"])
def test_scores_are_those_of_separate_fits(loss, chosen):
    settings = {"loss": loss, "momentum": 0.4, "random_state": 1, **chosen}
    search = TangentRegressorCV(max_iters=STEPS, **settings).fit(X, Y)
    for i, (rows, held) in enumerate(KFold(5).split(X)):
        model = TangentRegressor(max_iter=80, tol=None, **settings).fit(X[rows], Y[rows])
        stages = list(model.staged_predict(X[held]))
        expected = [-losses(loss, stages[t - 1], Y[held]).mean() for t in STEPS]
        np.testing.assert_allclose(search.cv_results_[f"split{i}_test_score"], expected, rtol=1e-8)
    best = TangentRegressor(max_iter=search.max_iter_, tol=None, **settings).fit(X, Y)
    np.testing.assert_allclose(search.predict(X), best.predict(X), rtol=1e-8)
    np.testing.assert_allclose(list(search.staged_predict(X))[-1], best.predict(X), rtol=1e-8)


@pytest.mark.parametrize("loss", SCORES)
def test_scorers_are_those_of_scikit_learn(loss):
    search = TangentRegressorCV(kernel=NTK(), max_iters=STEPS, scoring=SCORES[loss]).fit(X, Y)
    models = [TangentRegressor(kernel=NTK(), max_iter=t, tol=None) for t in STEPS]
    expected = [cross_val_score(model, X, Y, scoring=SCORES[loss], cv=5) for model in models]
    np.testing.assert_allclose(search.stopping_path_.fold_scores.T, expected, rtol=1e-8)
    assert search.max_iter_ == STEPS[np.mean(expected, axis=1).argmax()]


@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss", None])
def test_scores_of_classes(scoring):
    search = TangentClassifierCV(kernel=NTK(), max_iters=STEPS, scoring=scoring, cv=4).fit(X, LABELS)
    models = [TangentClassifier(kernel=NTK(), max_iter=t, tol=None) for t in STEPS]
    name = scoring or "neg_log_loss"
    expected = [cross_val_score(model, X, LABELS, scoring=name, cv=4) for model in models]
    np.testing.assert_allclose(search.stopping_path_.fold_scores.T, expected, rtol=1e-8)
    best = models[STEPS.index(search.max_iter_)].fit(X, LABELS)
    np.testing.assert_allclose(search.predict_proba(X), best.predict_proba(X), rtol=1e-8)


def test_two_classes_and_their_probabilities():
    y = LABELS > 0
    search = TangentClassifierCV(kernel=NTK(), max_iters=STEPS).fit(X, y)
    p = 1 / (1 + np.exp(-search.decision_function(X)))
    np.testing.assert_allclose(search.predict_proba(X)[:, 1], p, rtol=1e-12)


def test_squares_of_classes_are_calibrated_on_held_out_samples():
    search = TangentClassifierCV(kernel=NTK(), loss="squared_error", max_iters=STEPS).fit(X, LABELS)
    held_out, labels = [], []
    for rows, held in StratifiedKFold(5).split(X, LABELS):
        model = TangentClassifier(
            kernel=NTK(), loss="squared_error", max_iter=search.max_iter_, tol=None
        ).fit(X[rows], LABELS[rows])
        held_out.append(model.decision_function(X[held]))
        labels.append(LABELS[held])
    temperature = fit_temperature(np.concatenate(held_out), np.concatenate(labels), None)
    assert search.temperature_ == pytest.approx(temperature, rel=1e-6)
    expected = probabilities(search.decision_function(X), temperature)
    np.testing.assert_allclose(search.predict_proba(X), expected, rtol=1e-6)
    assert log_loss(LABELS, expected) < np.log(3)


@pytest.mark.parametrize("threads", [1, 3])
def test_one_eigendecomposition_per_fold(monkeypatch, threads):
    made = []
    original = Spectrum.of.__func__

    def counting(cls, *arguments):
        made.append(1)
        return original(cls, *arguments)

    monkeypatch.setattr(Spectrum, "of", classmethod(counting))
    with set_threads(threads):
        search = TangentRegressorCV(TwoLayerNet(50), cv=4).fit(X, Y)
    assert len(made) == 4 + 1
    assert len(search.stopping_path_.max_iters) == 25
    assert search.stopping_path_.max_iters[-1] == 10**6


def test_weights_folds_and_gram_matrices():
    weights = np.arange(40) % 3
    splits = list(KFold(3, shuffle=True, random_state=0).split(X))
    settings = {"max_iters": STEPS, "cv": splits}
    direct = TangentRegressorCV(kernel=NTK(), **settings).fit(X, Y, weights)
    given = TangentRegressorCV(kernel="precomputed", **settings).fit(NTK()(X), Y, weights)
    np.testing.assert_allclose(given.stopping_path_.scores, direct.stopping_path_.scores, rtol=1e-9)
    np.testing.assert_allclose(given.predict(NTK()(X)), direct.predict(X), rtol=1e-9)
    rows, held = splits[0]
    model = TangentRegressor(kernel=NTK(), max_iter=80, tol=None).fit(X[rows], Y[rows], weights[rows])
    expected = -np.average(losses("squared_error", model.predict(X[held]), Y[held]), weights=weights[held])
    assert direct.stopping_path_.fold_scores[0, -1] == pytest.approx(expected, rel=1e-9)


def test_the_smallest_of_equal_numbers_is_chosen():
    search = TangentRegressorCV(kernel=NTK(), max_iters=[7, 3], scoring=lambda *_: 1.0).fit(X, Y)
    assert search.max_iter_ == 7  # equal scores: the loss decides
    search = TangentRegressorCV(kernel=NTK(), max_iters=[10**7, 10**8]).fit(X, 0 * Y)
    assert search.max_iter_ == search.n_iter_ == 10**7
    assert search.cv_results_["rank_test_score"].tolist() == [1, 1]


@pytest.mark.parametrize(
    "chosen", [{"kernel": NTK(bias_std=1.0)}, {"network": TwoLayerNet(30, bias_std=1.0)}]
)
def test_endless_training_interpolates(chosen):
    """The limit of gradient descent is the interpolant of least displacement, or of least norm."""
    few, y = X[:12], Y[:12]
    model = TangentRegressorCV(max_iters=[10**9], random_state=0, cv=3, **chosen).fit(few, y)
    if "kernel" in chosen:
        expected = chosen["kernel"](X, few) @ np.linalg.solve(chosen["kernel"](few), y)
    else:
        net, w_0 = model.network_, model.params_
        J, J_all = (net.jacobian(w_0, rows).reshape(2 * len(rows), -1) for rows in (few, X))
        moved = np.linalg.lstsq(J, (y - net.apply(w_0, few)).ravel())[0]
        expected = net.apply(w_0, X) + (J_all @ moved).reshape(-1, 2)
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-6, atol=1e-7)


def test_the_path_prints_draws_and_makes_a_frame():
    search = TangentRegressorCV(kernel=NTK(), max_iters=STEPS).fit(X, Y)
    assert "4 numbers of iterations, 1 to 80, on 5 folds of 40 samples" in repr(search.stopping_path_)
    frame = pd.DataFrame(search.cv_results_)
    assert frame.set_index("param_max_iter")["rank_test_score"].idxmin() == search.max_iter_
    display = search.stopping_path_.plot()
    assert display.ax_.get_xlabel() == "iterations"
    assert f"{search.max_iter_} iterations" in display.ax_.get_legend().get_texts()[1].get_text()
    again = StoppingPathDisplay.from_estimator(make_pipeline(StandardScaler(), search).fit(X, Y))
    assert again.best[0] in STEPS
    assert StoppingPathDisplay([1, 2], [[1.0, 2.0]]).plot().best is None
    for arguments, message in (
        (([1, 2], [[1.0]]), "one row a fold"),
        (([0, 2], [[1.0, 2.0]]), "positive"),
    ):
        with pytest.raises(ValueError, match=message):
            StoppingPathDisplay(*arguments)
    with pytest.raises(ValueError, match="searched no numbers"):
        StoppingPathDisplay.from_estimator(TangentRegressor(kernel=NTK()).fit(X, Y))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_iters": []}, "whole numbers"),
        ({"max_iters": [0, 3]}, "at least 1"),
        ({"max_iters": [1.5]}, "whole numbers"),
        ({"max_iters": "many"}, "whole numbers"),
        ({"cv": [(np.arange(0), np.arange(3))]}, "no training or no test samples"),
        ({"kernel": NTK(), "network": TwoLayerNet(3)}, "both given"),
    ],
    ids=str,
)
def test_bad_parameters_of_the_search(settings, message):
    with pytest.raises(ValueError, match=message):
        TangentRegressorCV(**settings).fit(X, Y)


def test_pipelines_and_grid_searches():
    X, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), TangentClassifier(TwoLayerNet(8), max_iter=50, random_state=0))
    grid = {
        "tangentclassifier__network__width": [2, 32],
        "tangentclassifier__network__activation": ["relu", "erf"],
    }
    search = GridSearchCV(pipeline, grid, cv=3).fit(X, y)
    assert (
        search.best_estimator_[-1].network_.width == search.best_params_["tangentclassifier__network__width"]
    )
    assert search.best_score_ > 0.8
    kernels = GridSearchCV(TangentClassifier(kernel=NTK()), {"kernel__depth": [1, 2], "max_iter": [20]}, cv=3)
    assert kernels.fit(X, y).best_score_ > 0.9


@pytest.mark.parametrize("make", ESTIMATORS)
def test_frames_come_in(make):
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    y = pd.Series(LABELS if "Classifier" in make.__name__ else Y[:, 0])
    settings = {"max_iters": STEPS} if make.__name__.endswith("CV") else {"max_iter": 20}
    model = make(kernel=NTK(), **settings).fit(frame, y)
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    np.testing.assert_allclose(model.predict(frame), make(kernel=NTK(), **settings).fit(X, y).predict(X))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["b", "a", "c"]])
