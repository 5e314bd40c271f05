"""Tangent estimators along their training: stages, stopping, going on, the spread over random starts."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.model_selection import train_test_split

from ntklib import NNGP, NTK, TangentClassifier, TangentRegressor
from ntklib.kernels import ntk_kernel
from ntklib.networks import MLP, TwoLayerNet
from tests.estimators.tangent.naive import losses

MODELS = {"kernel": {"kernel": NTK(bias_std=0.3)}, "network": {"network": MLP((8, 8))}}
FIXED = {"tol": None, "random_state": 3}


def data(n, seed=0, noise=0.0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 3))
    y = np.column_stack([np.sin(2 * X[:, 0]), X[:, 1] * X[:, 2]])
    return X, y + noise * rng.standard_normal(y.shape)


X, Y = data(25)
NEW, _ = data(7, seed=1)
LABELS = np.arange(25) % 3


@pytest.mark.parametrize("loss", ["squared_error", "huber"])
@pytest.mark.parametrize("name", MODELS)
def test_stages_are_shorter_fits(name, loss):
    model = TangentRegressor(**MODELS[name], loss=loss, max_iter=70, momentum=0.5, **FIXED).fit(X, Y)
    stages = list(model.staged_predict(NEW))
    assert len(stages) == model.n_iter_ == 70
    np.testing.assert_allclose(stages[-1], model.predict(NEW), rtol=1e-10)
    short = TangentRegressor(**MODELS[name], loss=loss, max_iter=65, momentum=0.5, **FIXED).fit(X, Y)
    np.testing.assert_allclose(stages[64], short.predict(NEW), rtol=1e-9)
    np.testing.assert_allclose(model.loss_curve_[:66], short.loss_curve_, rtol=1e-9)


def _last(stages):
    *_, last = stages
    return last


def test_stages_of_classifiers():
    model = TangentClassifier(TwoLayerNet(10), max_iter=5, **FIXED).fit(X, LABELS)
    assert (_last(model.staged_predict(NEW)) == model.predict(NEW)).all()
    np.testing.assert_allclose(_last(model.staged_predict_proba(NEW)), model.predict_proba(NEW))
    np.testing.assert_allclose(_last(model.staged_decision_function(NEW)), model.decision_function(NEW))


def test_training_stops_when_the_loss_stalls():
    stalled = TangentRegressor(kernel=NTK(), tol=1e-3, n_iter_no_change=4, max_iter=5000).fit(X, Y)
    curve = stalled.loss_curve_
    falls = -np.diff(curve) / curve[0]
    assert len(curve) == stalled.n_iter_ + 1 < 5000
    assert (falls[-4:] < 1e-3).all()
    assert falls[-5] > 1e-3


def test_a_perfect_start_ends_at_once():
    assert TangentRegressor(kernel=NTK(), n_iter_no_change=6).fit(X, 0 * Y).n_iter_ == 6


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
@pytest.mark.parametrize("name", MODELS)
def test_early_stopping_keeps_the_best_on_samples_set_aside(name, loss):
    X, Y = data(60, noise=2.0)
    settings = {"loss": loss, "max_iter": 3000, "random_state": 3, **MODELS[name]}
    model = TangentRegressor(early_stopping=True, validation_fraction=0.2, **settings).fit(X, Y)
    rows, held = train_test_split(np.arange(60), test_size=0.2, random_state=3)
    assert (model.support_ == np.sort(rows)).all()
    curve = model.validation_loss_curve_
    assert model.n_iter_ == curve.argmin() < len(curve) - 1 < 3000
    by_hand = [losses(loss, f, Y[held]).sum() for f in model.staged_predict(X[held])]
    np.testing.assert_allclose(curve[1 : model.n_iter_ + 1], by_hand, rtol=1e-9)
    settings["max_iter"] = model.n_iter_
    same = TangentRegressor(tol=None, learning_rate=model.learning_rate_, **settings)
    same.fit(X[model.support_], Y[model.support_])
    np.testing.assert_allclose(model.predict(NEW), same.predict(NEW), rtol=1e-9)


def test_early_stopping_of_weighted_gram_matrices_and_classes():
    weights = np.random.default_rng(0).uniform(0.5, 2, 25)
    settings = {"early_stopping": True, "random_state": 0, "max_iter": 50}
    direct = TangentClassifier(kernel=NTK(), **settings).fit(X, LABELS, weights)
    given = TangentClassifier(kernel="precomputed", **settings).fit(NTK()(X), LABELS, weights)
    np.testing.assert_allclose(given.validation_loss_curve_, direct.validation_loss_curve_, rtol=1e-9)
    np.testing.assert_allclose(given.predict_proba(NTK()(NEW, X)), direct.predict_proba(NEW), rtol=1e-9)


@pytest.mark.parametrize("loss", ["squared_error", "huber"])
@pytest.mark.parametrize("name", MODELS)
def test_a_warm_start_goes_on(name, loss):
    settings = {"loss": loss, "learning_rate": 0.005, **MODELS[name], **FIXED}
    whole = TangentRegressor(max_iter=60, **settings).fit(X, Y)
    halves = TangentRegressor(max_iter=30, warm_start=True, **settings).fit(X, Y).fit(X, Y)
    np.testing.assert_allclose(halves.predict(NEW), whole.predict(NEW), rtol=1e-9)
    np.testing.assert_allclose(halves.loss_curve_, whole.loss_curve_[30:], rtol=1e-9)
    stages = list(halves.staged_predict(NEW))
    np.testing.assert_allclose(stages, list(whole.staged_predict(NEW))[30:], rtol=1e-9)


@pytest.mark.parametrize("wrap", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_a_warm_start_on_other_samples(wrap):
    """From f_1, the model of the first samples, gradient descent on the others by hand."""
    kernel, settings = NTK(bias_std=0.3), {"learning_rate": 0.01, "max_iter": 40, "warm_start": True}
    model = TangentRegressor(kernel=kernel, **settings, **FIXED).fit(wrap(X[:15]), Y[:15])
    f = model.predict(wrap(np.vstack([X[15:], NEW])))
    K = kernel(np.vstack([X[15:], NEW]), X[15:])
    for _ in range(40):
        f = f - 0.01 * K @ (f[:10] - Y[15:])
    model.fit(wrap(X[15:]), Y[15:])
    np.testing.assert_allclose(model.predict(wrap(NEW)), f[10:], rtol=1e-9)
    assert model.X_fit_.shape == (25, 3)


def test_a_warm_start_must_fit_the_model():
    model = TangentRegressor(MLP((8,)), warm_start=True, max_iter=5).fit(X, Y)
    with pytest.raises(ValueError, match="as many features and outputs"):
        model.fit(X, Y[:, 0])
    with pytest.raises(ValueError, match="as many features and outputs"):
        model.fit(X[:, :2], Y)
    model.fit(X, Y)
    with pytest.raises(ValueError, match="must stay as they are"):
        model.set_params(network=MLP((9,))).fit(X, Y)
    classifier = TangentClassifier(warm_start=True, max_iter=5).fit(X, LABELS)
    with pytest.raises(ValueError, match="goes on with the classes"):
        classifier.fit(X, LABELS + 1)
    given = TangentRegressor(kernel="precomputed", warm_start=True, max_iter=5).fit(NTK()(X), Y)
    with pytest.raises(ValueError, match="precomputed"):
        given.fit(NTK()(X), Y)


@pytest.mark.parametrize("momentum", [0.0, 0.7])
def test_the_spread_is_that_of_random_starts(momentum):
    """Training is linear in f_0: follow what it does to each of the outputs' starts, and propagate theirs."""
    kernel, weights = NTK(depth=2, weight_std=1.4, bias_std=0.3), np.random.default_rng(0).uniform(0.5, 2, 25)
    model = TangentRegressor(kernel=kernel, max_iter=30, momentum=momentum, **FIXED).fit(X, Y[:, 0], weights)
    both = np.vstack([X, NEW])
    joint = NNGP(depth=2, weight_std=1.4, bias_std=0.3)(both)
    K = ntk_kernel(both, X, depth=2, weight_std=1.4, bias_std=0.3)
    now = before = np.eye(len(both))  # the outputs as a linear function of the start, for targets 0
    for _ in range(30):
        step = model.learning_rate_ * K @ (weights[:, None] * now[:25])
        now, before = now - step + momentum * (now - before), now
    covariance = (now @ joint @ now.T)[25:, 25:]
    mean, std = model.predict(NEW, return_std=True)
    _, cov = model.predict(NEW, return_cov=True)
    np.testing.assert_array_equal(mean, model.predict(NEW))
    np.testing.assert_allclose(cov, covariance, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(std, np.sqrt(np.diag(covariance)), rtol=1e-8)
    several = TangentRegressor(kernel=kernel, max_iter=30, momentum=momentum, **FIXED).fit(X, Y, weights)
    np.testing.assert_allclose(several.predict(NEW, return_std=True)[1], np.column_stack([std, std]))
    assert several.predict(NEW, return_cov=True)[1].shape == (7, 7, 2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "not with a network"),
        ({"kernel": NNGP()}, "not with NNGP"),
        ({"kernel": NTK(normalized=True)}, "normalized"),
        ({"kernel": NTK(), "loss": "huber"}, "not Gaussian"),
    ],
    ids=str,
)
def test_where_the_spread_is_not_known(settings, message):
    model = TangentRegressor(max_iter=3, **settings).fit(X, Y)
    with pytest.raises(ValueError, match=message):
        model.predict(NEW, return_std=True)


def test_the_spread_is_one_or_the_other_and_not_after_a_warm_start():
    model = TangentRegressor(kernel=NTK(), max_iter=3, warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match="exclude one another"):
        model.predict(NEW, return_std=True, return_cov=True)
    with pytest.raises(ValueError, match="warm start"):
        model.fit(X, Y).predict(NEW, return_std=True)


def test_wide_networks_tend_to_the_kernel():
    """The mean square of the difference, over starts with f_0 = 0, falls as the inverse of the width."""
    infinite = TangentRegressor(kernel=NTK(), max_iter=40, **FIXED).fit(X, Y[:, 0])
    settings = {**FIXED, "max_iter": 40, "learning_rate": infinite.learning_rate_ / 2}
    infinite = TangentRegressor(kernel=NTK(), **settings).fit(X, Y[:, 0]).predict(NEW)

    def apart(width, seed):
        network = TwoLayerNet(width, symmetric=True, output_init="rademacher")
        model = TangentRegressor(network, **{**settings, "random_state": seed}).fit(X, Y[:, 0])
        return np.square(model.predict(NEW) - infinite).mean()

    narrow, wide = ([apart(width, seed) for seed in range(20)] for width in (100, 1600))
    assert 8 < np.mean(narrow) / np.mean(wide) < 32
    assert np.mean(wide) < 1e-2 * np.square(infinite).mean()


def test_verbose_says_how_it_goes(capsys):
    TangentRegressor(kernel=NTK(), max_iter=20, verbose=1, tol=None).fit(X, Y)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("TangentRegressor: 20 iterations of size ")
    assert "in function space, closed form; " in line
    TangentRegressor(kernel=NTK(), max_iter=20, verbose=2, early_stopping=True, random_state=0).fit(X, Y)
    out, err = capsys.readouterr()
    assert "validation loss" in err
    assert "training: iteration 1 of 20, loss " in err
    assert not out


def test_random_states():
    settings = {"network": TwoLayerNet(5), "max_iter": 5}
    one, same = (TangentRegressor(random_state=7, **settings).fit(X, Y) for _ in range(2))
    assert one.params_ == same.params_ == TwoLayerNet(5, n_outputs=2).init(3, 7)
    drawn = TangentRegressor(random_state=np.random.RandomState(7), **settings).fit(X, Y)
    fresh = TangentRegressor(**settings).fit(X, Y)
    assert len({one.params_, drawn.params_, fresh.params_}) == 3
    one.set_params(network=None, kernel=NTK()).fit(X, Y)
    assert not hasattr(one, "params_")
