import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_wine
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ntklib.estimators import NTKClassifier, NTKClassifierCV, NTKRegressor
from ntklib.estimators._calibration import fit_temperature
from ntklib.kernels import NTK
from tests.solvers import brute_ridge


def blobs(n_classes, n=60, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    return rng.standard_normal((n, 2)) + 1.2 * np.eye(max(n_classes, 2))[y][:, :2], np.array(list("cabd"))[y]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_one_regression_per_class(n_classes):
    X, y = blobs(n_classes)
    w = np.random.default_rng(1).uniform(0.5, 2, len(y))
    model = NTKClassifier(alpha=0.5).fit(X, y, w)
    classes = model.classes_[1:] if n_classes == 2 else model.classes_
    targets = np.where(y[:, None] == classes, 1.0, -1.0)
    scores = NTKRegressor(alpha=0.5).fit(X, targets, w).predict(X)
    np.testing.assert_allclose(
        model.decision_function(X), scores[:, 0] if n_classes == 2 else scores, atol=1e-11
    )
    labels = (scores[:, 0] > 0).astype(int) if n_classes == 2 else scores.argmax(axis=1)
    np.testing.assert_array_equal(model.predict(X), model.classes_[labels])


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("search", [False, True])
def test_temperature_minimises_the_log_loss_of_refits(n_classes, search):
    """Brute-force left-out scores, the smoothed log-loss written out, a minimiser of its own."""
    X, y = blobs(n_classes)
    w = np.random.default_rng(1).uniform(0.5, 2, len(y))
    kernel = NTK(depth=2)
    model = NTKClassifierCV(kernel, [0.5]) if search else NTKClassifier(kernel, alpha=0.5)
    model.fit(X, y, w)
    labels = np.searchsorted(model.classes_, y)
    targets = 2.0 * np.eye(n_classes)[labels] - 1
    scores = brute_ridge.left_out(kernel(X), targets, 0.5, w)
    belief = np.where(np.eye(n_classes)[labels] > 0, 1 - 1 / (len(y) + 2), 1 / (len(y) + 2) / (n_classes - 1))

    def loss(log_temperature):
        p = np.exp(scores / np.exp(log_temperature))
        return -np.average((belief * np.log(p / p.sum(axis=1, keepdims=True))).sum(axis=1), weights=w)

    best = minimize_scalar(loss, bounds=(-5, 5), method="bounded", options={"xatol": 1e-9})
    np.testing.assert_allclose(model.temperature_, np.exp(best.x), rtol=1e-6)
    p = model.predict_proba(X)
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    np.testing.assert_array_equal(model.classes_[p.argmax(axis=1)], model.predict(X))


def test_temperature_of_separated_and_of_useless_scores_is_finite():
    labels = np.arange(20) % 2
    sharp = fit_temperature(np.where(labels, 1.0, -1.0)[:, None], labels, None)
    assert 0.1 < sharp < 1
    flat = fit_temperature(np.where(labels, -1.0, 1.0)[:, None], labels, None)
    assert flat == 1e4
    faint = np.where(labels, 1e-6, -1e-6)[:, None]
    assert fit_temperature(faint, labels, None) == 1e-4


def test_class_weight_is_sample_weight():
    X, y = blobs(3)
    X, y = X[:45], np.where(np.arange(45) < 30, y[:45], "c")
    counts = {label: (y == label).sum() for label in "abc"}
    w = np.array([len(y) / 3 / counts[label] for label in y])
    balanced = NTKClassifier(class_weight="balanced").fit(X, y)
    np.testing.assert_allclose(
        balanced.decision_function(X), NTKClassifier().fit(X, y, w).decision_function(X)
    )


def test_copies_are_one_unit():
    """A sample listed three times is never predicted from its own copies."""
    X, y = blobs(2)
    w = np.ones(len(y))
    w[5] = 3
    repeated = np.r_[np.arange(len(y)), 5, 5]
    for make in (NTKClassifier, NTKClassifierCV):
        weighted, listed = make().fit(X, y, w), make().fit(X[repeated], y[repeated])
        assert len(listed.X_fit_) == len(y)
        np.testing.assert_allclose(listed.predict_proba(X), weighted.predict_proba(X), rtol=1e-9)


def test_without_calibration_there_are_no_probabilities():
    X, y = blobs(2)
    model = NTKClassifier(calibrate=False).fit(X, y)
    assert not hasattr(model, "predict_proba")
    assert not hasattr(model, "temperature_")


def test_a_class_without_weight_is_absent():
    X, y = blobs(3)
    model = NTKClassifier().fit(X, y, np.where(y == "a", 0.0, 1.0))
    assert model.classes_.tolist() == ["b", "c"]
    rest = NTKClassifier().fit(X[y != "a"], y[y != "a"])
    np.testing.assert_allclose(model.predict_proba(X), rest.predict_proba(X))
    with pytest.raises(ValueError, match="1 class"):
        NTKClassifier().fit(X, y, y == "a")


@pytest.mark.parametrize("alpha", [[0.1, 0.2], -1.0])
def test_bad_penalty(alpha):
    with pytest.raises(ValueError, match="alpha must be"):
        NTKClassifier(alpha=alpha).fit(*blobs(2))


@pytest.mark.parametrize("model", [NTKClassifier(), NTKClassifierCV()], ids=["default", "cv"])
def test_log_loss_beats_a_calibrated_svm(model):
    X, y = load_wine(return_X_y=True)
    losses = [
        log_loss(y[1::2], make_pipeline(StandardScaler(), m).fit(X[::2], y[::2]).predict_proba(X[1::2]))
        for m in (model, CalibratedClassifierCV(SVC()))
    ]
    assert losses[0] < losses[1]
