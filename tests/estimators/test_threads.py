"""Fitted models are read-only: what many threads ask of one model at once is what one thread is told."""

import copy
import inspect
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone, is_classifier

from ntklib import NTK, Laplace, NTKClassifier, NTKRegressor, NTKRegressorCV, estimators, set_threads
from ntklib.networks import TwoLayerNet
from ntklib.solvers import Nystrom

PUBLIC = [
    value
    for name in estimators.__all__
    if inspect.isclass(value := getattr(estimators, name)) and issubclass(value, BaseEstimator)
]
QUESTIONS = (
    *("predict", "predict_proba", "decision_function", "transform", "standard_error", "error_bound"),
    *("staged_predict", "staged_decision_function", "staged_predict_proba"),
)
SPREADS = ("return_std", "return_cov", "include_noise")


def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((150, 3))
    Y = np.column_stack([X[:, 0], np.sin(2 * X[:, 1]), X[:, 2] ** 2])
    return X, Y, rng.standard_normal((24, 3))


def fitted(kind):
    X, Y, _ = data()
    settings = {"random_state": 0, "max_iter": 5, "max_iters": [1, 4], "tol": None}
    settings = {k: v for k, v in settings.items() if k in inspect.signature(kind).parameters}
    if "network" in inspect.signature(kind).parameters:
        settings["network"] = TwoLayerNet(16)
    models = [kind(**settings)]
    if "kernel" in inspect.signature(kind).parameters and "network" in settings:
        models.append(kind(**(settings | {"network": None, "kernel": NTK(depth=2)})))
    if kind is NTKRegressor:
        models += [kind(alpha=[0.1, 10.0, 0.1]), kind(alpha=0.0), kind(alpha=[0.0, 1e-3, 1.0])]
    targets = np.digitize(Y[:, 0], [-0.5, 0.5]) if is_classifier(models[0]) else Y
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for model in models:
            rows = np.r_[np.arange(150), np.arange(20)]  # repeated, so that penalty 0 is singular
            model.fit(X[rows], targets[rows])
            yield model


def questions(model):
    """All that can be asked of a fitted model, as functions of rows."""
    for name in QUESTIONS:
        if not hasattr(model, name):
            continue
        method = getattr(model, name)
        yield lambda rows, method=method: method(rows)
        for flag in SPREADS:
            if flag in inspect.signature(method).parameters:
                options = {flag: True} | ({"return_std": True} if flag == "include_noise" else {})
                yield lambda rows, method=method, options=options: method(rows, **options)


def answer(question, rows):
    """The bytes of an answer; an error's text where the model has none."""
    try:
        found = question(rows)
        found = list(found) if inspect.isgenerator(found) or isinstance(found, map) else found
    except ValueError as error:
        return str(error)
    return [np.asarray(part).tobytes() for part in (found if isinstance(found, (tuple, list)) else [found])]


@pytest.mark.parametrize("kind", PUBLIC)
def test_every_answer_is_the_same_from_many_threads(kind):
    _, _, rows = data()
    with set_threads(1):  # BLAS rounds otherwise by the number of its own threads
        for model in fitted(kind):
            alone = copy.deepcopy(model)
            right = [answer(question, rows) for question in questions(alone)]
            tasks = list(enumerate(questions(model))) * 8  # all begin on a model that nothing was asked
            with ThreadPoolExecutor(8) as pool:
                got = list(pool.map(lambda task: (task[0], answer(task[1], rows)), tasks))
            assert {i for i, found in got if found != right[i]} == set()


def test_several_penalties_share_one_factorisation():
    X, Y, rows = data()
    model = NTKRegressor(alpha=[0.1, 10.0, 0.1]).fit(X, Y)
    std = model.predict(rows, return_std=True)[1]
    for j, alpha in enumerate([0.1, 10.0, 0.1]):
        single = NTKRegressor(alpha=alpha).fit(X, Y[:, j]).predict(rows, return_std=True)[1]
        np.testing.assert_allclose(std[:, j], single, rtol=1e-9)


@pytest.mark.parametrize("kind", [NTKRegressor, NTKRegressorCV])
def test_asking_changes_nothing_that_is_stored(kind):
    X, Y, rows = data()
    model = kind().fit(X, Y)
    before = pickle.dumps(model)
    model.predict(rows, return_std=True)
    assert pickle.dumps(model) == before


@pytest.mark.parametrize("solver", ["cholesky", Nystrom(150)], ids=["exact", "centres"])
@pytest.mark.parametrize(
    "model",
    [
        NTKRegressor(alpha=0.1, target_scale="fit"),
        NTKClassifier(alpha=0.1),
        NTKRegressorCV(Laplace(2.0), [0.1, 1.0], learn_features="diagonal", max_search_samples=200),
        NTKRegressorCV([Laplace(1.0), NTK()], [0.1, 1.0], combine="stack", store_held_out=True),
    ],
    ids=["regression", "classification", "learned", "stack"],
)
def test_fits_have_the_same_bytes_at_any_number_of_threads(model, solver):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((600, 4))
    y = np.sin(2 * X[:, 0]) + 0.1 * rng.standard_normal(600)
    if is_classifier(model):
        y = np.digitize(y, [-0.5, 0.5])
    answers = []
    for threads in (1, 2, 3):
        with set_threads(threads):
            fit = clone(model).set_params(solver=solver).fit(X, y)
        answers.append(
            (fit.dual_coef_.tobytes(), fit.predict(X).tobytes(), np.ravel(fit.intercept_).tobytes())
        )
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize(
    "model",
    [
        NTKRegressor(alpha=0.1),
        NTKRegressor(alpha=[0.1, 1.0]),
        NTKRegressorCV([Laplace(1.0), NTK()], [0.1, 1.0], combine="stack"),
    ],
    ids=["one penalty", "two penalties", "stack"],
)
def test_spreads_have_the_same_bytes_at_any_number_of_threads(model):
    rng = np.random.default_rng(0)
    X, new = rng.standard_normal((600, 4)), rng.standard_normal((300, 4))
    Y = np.sin(2 * X[:, :2]) + 0.1 * rng.standard_normal((600, 2))
    answers = []
    for threads in (1, 2, 3):
        with set_threads(threads):
            fit = clone(model).fit(X, Y)
            spreads = [fit.predict(new, return_std=True), fit.predict(new, return_cov=True)]
            draws = fit.sample_y(new, 3)
        answers.append([part.tobytes() for parts in (*spreads, (draws,)) for part in parts])
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize(
    "model", [NTKRegressor(alpha=0.1), NTKClassifier(alpha=0.1)], ids=["regression", "classes"]
)
def test_streams_have_the_same_bytes_at_any_number_of_threads(model):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((600, 4))
    y, options = np.sin(2 * X[:, 0]), {}
    if is_classifier(model):
        y, options = np.digitize(y, [-0.5, 0.5]), {"classes": [0, 1, 2]}
    answers = []
    for threads in (1, 2, 3):
        with set_threads(threads):
            fit = clone(model).set_params(solver=Nystrom(150, n_init=300)).partial_fit(X, y, **options)
        answers.append((fit.dual_coef_.tobytes(), np.ravel(fit.intercept_).tobytes()))
    assert answers[0] == answers[1] == answers[2]
