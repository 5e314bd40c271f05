"""Estimators that train the network itself: scikit-learn's contract, and the training loop behind them."""

import pickle
import signal

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from ntklib import NetworkClassifier, NetworkRegressor, TangentClassifier, TangentRegressor
from ntklib.dynamics import GradientDescent, Huber, Momentum, train
from ntklib.networks import MLP, TwoLayerNet

SMALL = TwoLayerNet(24, bias_std=0.5)


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [
        NetworkRegressor(TwoLayerNet(32), max_iter=25),
        NetworkClassifier(TwoLayerNet(32), max_iter=40),
    ]
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    return X, np.sin(X[:, 0]) + 0.1 * X[:, 1], np.digitize(X[:, 0], [-0.5, 0.5])


def test_defaults_learn(data):
    X, y, labels = data
    assert NetworkRegressor(random_state=0).fit(X, y).score(X, y) > 0.9
    model = NetworkClassifier(random_state=0).fit(X, labels)
    assert model.score(X, labels) > 0.95
    assert model.predict_proba(X).sum(axis=1) == pytest.approx(np.ones(60))


@pytest.mark.parametrize("loss", ["squared_error", "huber", "absolute_error", Huber(0.3)], ids=str)
@pytest.mark.parametrize("momentum", [0.0, 0.6])
def test_it_is_the_training_loop(data, loss, momentum):
    X, y, _ = data
    model = NetworkRegressor(SMALL, loss=loss, momentum=momentum, max_iter=30, tol=None, random_state=3).fit(
        X, y
    )
    optimizer = Momentum(momentum=momentum) if momentum else GradientDescent()
    history = train(
        SMALL, X, y, loss=loss, optimizer=optimizer, learning_rate="auto", steps=30, random_state=3
    )
    assert model.initial_params_ == SMALL.init(3, 3) == history.initial_params
    assert model.params_ == history.params
    assert model.n_iter_ == 30
    np.testing.assert_array_equal(model.loss_curve_, history.loss)
    np.testing.assert_array_equal(model.predict(X), SMALL.apply(history.params, X))
    assert model.learning_rate_ == history.optimizer.learning_rate


def test_batches(data):
    X, y, _ = data
    model = NetworkRegressor(SMALL, max_iter=5, batch_size=16, tol=None, random_state=3).fit(X, y)
    history = train(SMALL, X, y, steps=20, batch_size=16, random_state=3)
    assert model.params_ == history.params
    assert len(model.loss_curve_) == 6
    np.testing.assert_allclose(model.loss_curve_, history.loss[::4], rtol=1e-12)
    large = NetworkRegressor(SMALL, max_iter=5, batch_size=1000, random_state=3).fit(X, y)
    assert large.params_ == NetworkRegressor(SMALL, max_iter=5, random_state=3).fit(X, y).params_


@pytest.mark.parametrize(
    "pair", [(NetworkRegressor, TangentRegressor), (NetworkClassifier, TangentClassifier)]
)
def test_one_word_turns_lazy_training_on(data, pair):
    """The same start, step size and loss; and the wider the network, the more alike the results."""
    X, y, labels = data
    target = y if pair[0] is NetworkRegressor else labels
    gaps = []
    for width in (50, 5000):
        net = TwoLayerNet(width, activation="erf")
        real, lazy = (kind(net, max_iter=40, tol=None, random_state=0).fit(X, target) for kind in pair)
        assert real.learning_rate_ == pytest.approx(lazy.learning_rate_, rel=1e-3)
        assert real.loss_curve_[0] == pytest.approx(lazy.loss_curve_[0], rel=1e-9)
        assert real.initial_params_ == lazy.params_
        assert set(lazy.get_params()) - set(real.get_params()) == {"kernel"}
        assert set(real.get_params()) - set(lazy.get_params()) == {"batch_size"}
        outputs = [model._outputs(X) for model in (real, lazy)]
        gaps.append(np.abs(outputs[0] - outputs[1]).max())
    assert gaps[1] < 0.3 * gaps[0]


def test_staged_predictions_are_those_on_the_way(data):
    X, y, labels = data
    for batch_size in (None, 25):
        model = NetworkRegressor(SMALL, max_iter=6, batch_size=batch_size, tol=None, random_state=0).fit(X, y)
        stages = list(model.staged_predict(X[:7]))
        assert len(stages) == model.n_iter_ == 6
        np.testing.assert_allclose(stages[-1], model.predict(X[:7]), rtol=1e-12)
        shorter = clone(model).set_params(max_iter=4).fit(X, y)
        np.testing.assert_allclose(stages[3], shorter.predict(X[:7]), rtol=1e-12)
    model = NetworkClassifier(SMALL, max_iter=5, random_state=0).fit(X, labels)
    *_, last = model.staged_predict_proba(X)
    np.testing.assert_allclose(last, model.predict_proba(X), rtol=1e-12)
    *_, last = model.staged_predict(X)
    np.testing.assert_array_equal(last, model.predict(X))
    *_, last = model.staged_decision_function(X)
    np.testing.assert_allclose(last, model.decision_function(X), rtol=1e-12)


def test_early_stopping_keeps_the_best(data):
    X, _, _ = data
    y = np.random.default_rng(1).normal(size=60)  # noise: the validation loss soon rises
    model = NetworkRegressor(
        TwoLayerNet(200), early_stopping=True, validation_fraction=0.3, max_iter=400, random_state=0
    ).fit(X, y)
    curve = model.validation_loss_curve_
    assert model.n_iter_ == np.argmin(curve) < len(curve) - 1 == model.n_iter_ + 10
    held = np.setdiff1d(np.arange(60), model.support_)
    assert len(held) == 18
    best = 0.5 * np.sum((model.predict(X[held]) - y[held]) ** 2)
    assert best == pytest.approx(curve.min(), rel=1e-9)
    assert len(model.loss_curve_) == len(curve)
    again = model.set_params(early_stopping=False, max_iter=5).fit(X, y)
    assert not hasattr(again, "validation_loss_curve_")


def test_tolerance_stops(data):
    X, y, _ = data
    model = NetworkRegressor(SMALL, tol=1e-2, n_iter_no_change=3, random_state=0).fit(X, y)
    falls = -np.diff(model.loss_curve_) / model.loss_curve_[0]
    assert model.n_iter_ < 1000
    assert (falls[-3:] <= 1e-2).all()


def test_warm_start_goes_on(data):
    X, y, _ = data
    options = {"max_iter": 8, "tol": None, "random_state": 0}
    model = NetworkRegressor(SMALL, warm_start=True, **options).fit(X, y)
    rate = model.learning_rate_
    model.set_params(learning_rate=rate).fit(X, y)
    whole = NetworkRegressor(SMALL, **{**options, "max_iter": 16}).fit(X, y)
    np.testing.assert_allclose(model.predict(X), whole.predict(X), rtol=1e-10)
    with pytest.raises(ValueError, match="warm_start goes on with the fitted network"):
        model.set_params(network=TwoLayerNet(7)).fit(X, y)


def test_weights_are_repetitions(data):
    X, y, labels = data
    weights = np.random.default_rng(0).integers(0, 3, 60)
    rows = np.repeat(np.arange(60), weights)
    for kind, target in ((NetworkRegressor, y), (NetworkClassifier, labels)):
        options = {"max_iter": 50, "tol": None, "random_state": 0, "learning_rate": 1e-3}
        weighted = kind(SMALL, **options).fit(X, target, weights)
        repeated = kind(SMALL, **options).fit(X[rows], target[rows])
        np.testing.assert_allclose(weighted._outputs(X), repeated._outputs(X), rtol=1e-8, atol=1e-10)


def test_several_targets_and_two_classes(data):
    X, y, labels = data
    model = NetworkRegressor(SMALL, max_iter=50, random_state=0).fit(X, np.column_stack([y, -y]))
    assert model.predict(X).shape == (60, 2)
    assert model.network_.n_outputs == 2
    two = NetworkClassifier(SMALL, max_iter=50, random_state=0).fit(X, np.where(labels > 1, "high", "low"))
    assert two.decision_function(X).shape == (60,)
    assert two.network_.n_outputs == 1
    odds = np.log(two.predict_proba(X)[:, 1] / two.predict_proba(X)[:, 0])
    np.testing.assert_allclose(odds, two.decision_function(X), rtol=1e-9)
    square = NetworkClassifier(SMALL, loss="squared_error", max_iter=50).fit(X, labels)
    assert not hasattr(square, "predict_proba")


def test_pipelines_grid_search_pandas_and_sparse(data):
    X, y, _ = data
    frame = pd.DataFrame(X, columns=list("abc"))
    pipeline = make_pipeline(
        StandardScaler().set_output(transform="pandas"), NetworkRegressor(SMALL, max_iter=20)
    )
    pipeline.fit(frame, pd.Series(y))
    assert pipeline[-1].feature_names_in_.tolist() == ["a", "b", "c"]
    search = GridSearchCV(
        NetworkRegressor(SMALL, max_iter=20, random_state=0), {"network__width": [4, 30]}, cv=2
    ).fit(X, y)
    assert search.best_params_["network__width"] in (4, 30)
    assert search.best_estimator_.network_.width == search.best_params_["network__width"]
    assert SMALL.width == 24
    X = np.where(np.abs(X) > 0.5, X, 0)
    dense, thin = (
        NetworkRegressor(SMALL, max_iter=20, random_state=0).fit(rows, y) for rows in (X, sparse.csr_array(X))
    )
    np.testing.assert_array_equal(dense.predict(X), thin.predict(sparse.csr_array(X)))


def test_types_seeds_and_pickles(data):
    X, y, _ = data
    single = NetworkRegressor(MLP((9, 8)), max_iter=20, random_state=0).fit(X.astype(np.float32), y)
    assert single.params_.dtype == np.float32
    model = NetworkRegressor(SMALL, max_iter=20, random_state=np.random.RandomState(5)).fit(X, y)
    same = NetworkRegressor(SMALL, max_iter=20, random_state=np.random.RandomState(5)).fit(X, y)
    assert model.params_ == same.params_
    assert (
        NetworkRegressor(SMALL, max_iter=2).fit(X, y).params_
        != NetworkRegressor(SMALL, max_iter=2).fit(X, y).params_
    )
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict(X), model.predict(X))


def test_verbose_says_the_loss(data, capsys):
    X, y, _ = data
    model = NetworkRegressor(SMALL, max_iter=20, tol=None, verbose=1, random_state=0).fit(X, y)
    (line,) = capsys.readouterr().err.splitlines()
    assert f"NetworkRegressor: 20 iterations of size {model.learning_rate_:.3g}, loss " in line
    NetworkRegressor(SMALL, max_iter=3, verbose=2, early_stopping=True, random_state=0).fit(X, y)
    lines = capsys.readouterr().err.splitlines()
    said = [line for line in lines if "validation loss" in line]
    assert [line.split(",")[0] for line in said] == [f"training: iteration {k} of 3" for k in range(4)]


def test_divergence(data):
    X, y, _ = data
    with pytest.raises(ValueError, match=r"diverged at step \d+, .* with learning_rate=100"):
        NetworkRegressor(SMALL, learning_rate=100.0).fit(X, y)
    # targets so large that features move far: "auto" takes smaller steps until training holds
    model = NetworkRegressor(SMALL, random_state=0, max_iter=300).fit(X, 1e4 * y)
    at_start = train(SMALL, X, 1e4 * y, steps=0).optimizer.learning_rate
    assert model.learning_rate_ < at_start
    assert np.log2(at_start / model.learning_rate_) == pytest.approx(
        round(np.log2(at_start / model.learning_rate_)), abs=1e-9
    )
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    with pytest.warns(ConvergenceWarning, match="the loss rose"):
        NetworkRegressor(SMALL, learning_rate=0.05, max_iter=2, random_state=0).fit(X, y)


def test_interruption_leaves_the_model_as_it_was(data, monkeypatch):
    from ntklib.estimators._stopping import Watch

    X, y, _ = data
    over, seen = Watch.over, []

    def press(self, loss, outputs):
        seen.append(loss)
        if len(seen) == 5:
            signal.raise_signal(signal.SIGINT)
        return over(self, loss, outputs)

    model = NetworkRegressor(SMALL, random_state=0, max_iter=3).fit(X, y)
    before = model.predict(X)
    monkeypatch.setattr(Watch, "over", press)
    with pytest.raises(KeyboardInterrupt):
        model.set_params(max_iter=20).fit(X, y)
    assert model.n_iter_ == 3
    np.testing.assert_array_equal(model.predict(X), before)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"loss": "log_loss"}, ValueError, "loss must be one of"),
        ({"learning_rate": "fast"}, ValueError, "learning_rate must be 'auto' or a positive number"),
        ({"learning_rate": 0.0}, ValueError, "learning_rate"),
        ({"momentum": 1.0}, ValueError, "momentum must be less than 1"),
        ({"max_iter": 0}, ValueError, "max_iter must be at least 1"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"tol": -1.0}, ValueError, "tol"),
        ({"network": "mlp"}, TypeError, "network must be a TwoLayerNet or an MLP"),
        ({"network": TwoLayerNet(4, n_outputs=3)}, ValueError, "has 3 outputs"),
        ({"early_stopping": True, "validation_fraction": 1.5}, ValueError, "validation_fraction"),
    ],
)
def test_bad_parameters_are_refused(data, options, error, message):
    with pytest.raises(error, match=message):
        NetworkRegressor(**options).fit(*data[:2])
    with pytest.raises(NotFittedError):
        NetworkRegressor().predict(data[0])


def test_targets_whose_squares_underflow_are_refused():
    """Training would stop at once: the loss is 0 from the beginning."""
    X = np.random.default_rng(0).standard_normal((20, 2))
    network = TwoLayerNet(16, symmetric=True)  # f_0 = 0
    with pytest.raises(ValueError, match=r"targets of at most .*e-170 are so small .* scale them"):
        NetworkRegressor(network, max_iter=20, random_state=0).fit(X, 1e-170 * X[:, 0])
    for size, loss in ((1e-100, "squared_error"), (0.0, "squared_error"), (1e-170, "absolute_error")):
        NetworkRegressor(network, loss=loss, max_iter=20, random_state=0).fit(X, size * X[:, 0])
