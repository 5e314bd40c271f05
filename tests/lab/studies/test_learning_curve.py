"""Predicted and measured learning curves: brute-force fits, random eigenvectors, wide networks."""

import numpy as np
import pytest
from sklearn.datasets import load_iris

from ntklib import NTK, Laplace
from ntklib.lab.studies import LearningCurveStudy, learning_curve_study
from ntklib.lab.studies.learning_curve import measure
from ntklib.networks import TwoLayerNet

X, labels = load_iris(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
y = labels - 1.0


def rows_of(draw, n):
    """Rows that a draw trains on."""
    rng = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(0, draw)))
    return rng.permutation(len(X))[:n]


def test_fits_are_kernel_regression():
    """Errors and learnabilities by solving anew for every eigenfunction."""
    study = learning_curve_study(X, y, (10, 60), widths=(), kernel=Laplace(2.0), penalty=0.2, n_draws=3)
    K = Laplace(2.0)(X)
    vectors = np.linalg.eigh(K)[1][:, ::-1] * np.sqrt(len(X))
    for row, n in enumerate((10, 60)):
        shares = []
        for draw in range(3):
            on = rows_of(draw, n)
            inverse = np.linalg.inv(K[np.ix_(on, on)] + 0.2 * np.eye(n))
            square = (K[:, on] @ inverse @ y[on] - y) ** 2 / np.mean(y**2)
            assert study.draws["error"][row, draw] == pytest.approx(np.delete(square, on).mean())
            assert study.draws["train_error"][row, draw] == pytest.approx(square[on].mean())
            functions = vectors[:, study.learnability.mode - 1]
            fits = K[:, on] @ inverse @ functions[on]
            shares.append((fits * functions).mean(axis=0))
        np.testing.assert_allclose(study.learnability.measured[row], np.mean(shares, axis=0), atol=1e-9)
    np.testing.assert_allclose(study.error, study.draws["error"].mean(axis=1))
    assert study.learnability.power.max() < 1
    assert study.kernel == repr(Laplace(2.0))


def test_predictions_hold_for_random_eigenvectors():
    rng = np.random.default_rng(1)
    vectors = np.linalg.qr(rng.standard_normal((200, 200)))[0]
    K = vectors * (200 / np.arange(1, 201) ** 1.3) @ vectors.T
    target = vectors @ (10 / np.arange(1, 201))
    study = learning_curve_study(
        np.eye(200), target, (20, 100), widths=(), kernel=lambda rows: K, penalty=0.5, n_draws=40
    )
    assert (np.abs(study.error - study.predicted) < 4 * study.error_se + 0.04 * study.predicted).all()
    np.testing.assert_allclose(study.train_error, study.predicted_train_error, rtol=0.1)
    assert abs(study.error - study.predicted)[1] < abs(study.error - study.uncorrected)[1]
    modes = study.learnability
    assert (np.abs(modes.measured - modes.predicted) < 5 * modes.measured_se + 0.02).all()


def test_wide_networks_have_the_kernel_s_error():
    options = {"network": TwoLayerNet(activation="erf"), "n_draws": 2, "network_draws": 2, "tolerance": 1e-4}
    study = learning_curve_study(X, np.tanh(X @ [1, -1, 1, 0]), (8, 16), (4, 1024), **options)
    trained = study.draws["network error"]
    gaps = np.abs(trained / study.draws["error"][None] - 1).mean(axis=(1, 2))
    assert gaps[1] < min(0.1, gaps[0] / 2)
    assert (study.train_error[study.rows(1024)] < 1.1e-4 * 1.5).all()
    assert study.widths.tolist() == [4, 1024]


def test_the_result():
    study = learning_curve_study(X, y, widths=(8,), n_draws=2, network_draws=2, steps=20)
    assert isinstance(study, LearningCurveStudy)
    assert study.n_train[study.rows()].tolist() == [25, 50]
    assert study.table()["model"].tolist() == ["kernel"] * 2 + ["network"] * 2
    assert "networks of width 8: error" in study.headline()
    assert study.kernel == "NTK of TwoLayerNet(symmetric=True, width=m)"
    np.testing.assert_allclose(study.learnability.predicted[0] < study.learnability.predicted[1], True)
    assert study.records()[0]["predicted"] == study.records()[2]["predicted"]


def test_networks_that_diverge_leave_a_gap(monkeypatch):
    monkeypatch.setattr(measure, "largest_stable_step", lambda K: 1e6)
    study = learning_curve_study(X, y, (30,), (4,), n_draws=2, network_draws=2, steps=50)
    assert np.isnan(study.error[study.rows(4)]).all()
    assert np.isfinite(study.error[study.rows()]).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_train": (150,)}, "leave some of the 150 rows unseen"),
        ({"X": X[:40], "y": y[:40]}, "leave some of the 40 rows unseen"),
        ({"penalty": 1.0}, "a penalty: pass widths"),
        ({"kernel": NTK()}, "a kernel of your own: pass widths"),
        ({"kernel": lambda rows: rows, "widths": ()}, "square matrix"),
        ({"tolerance": 0.0}, "greater than 0"),
        ({"n_draws": 1}, "n_draws"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        learning_curve_study(**{"X": X, "y": y, **options})
