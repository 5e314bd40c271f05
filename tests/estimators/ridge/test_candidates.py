"""The grids that a search compares, and the scales that training rows set."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import pdist
from sklearn.base import clone
from sklearn.gaussian_process.kernels import RBF
from sklearn.model_selection import GroupKFold, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ntklib import NNGP, NTK, Laplace, NTKClassifierCV, NTKRegressor, NTKRegressorCV
from ntklib.estimators.defaults import CLASSIFICATION_GRID, REGRESSION_GRID
from ntklib.estimators.ridge._candidates import candidates_of, typical_distance
from ntklib.solvers import Nystrom
from tests.solvers import brute_ridge

ALPHAS = [0.001, 0.03, 1.0]
PRODUCTS = {(1, 1.0): [0.5, 2.0, 8.0], (2, 1.0): [], (2, 2.0): []}  # of the median, by norm and exponent
WITH_EUCLIDEAN = PRODUCTS | {(2, 1.0): [0.5], (2, 2.0): [2.0]}


@pytest.fixture(scope="module")
def data():
    """Rows whose target is a sum of steps, one in each coordinate: for a product kernel."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((90, 3))
    return X, np.sign(X).sum(axis=1) + 0.01 * rng.standard_normal(90)


def scales_of(model, norm=1, exponent=1.0):
    kernels = [kernel for kernel in model.cv_results_["param_kernel"] if isinstance(kernel, Laplace)]
    return sorted({k.length_scale for k in kernels if (k.norm, k.exponent) == (norm, exponent)})


def median(X, norm=1):
    return np.median(pdist(np.unique(np.asarray(X, dtype=float), axis=0), "minkowski", p=norm))


@pytest.mark.parametrize("kind", [NTKRegressorCV, NTKClassifierCV])
def test_the_default_grid(kind, data):
    X, y = data
    model = kind(alphas=ALPHAS).fit(X, y if kind is NTKRegressorCV else y > 0)
    kernels = model.cv_results_["param_kernel"][:: len(ALPHAS)].tolist()
    common = {"weight_std": np.sqrt(2), "bias_std": 1.0, "input_scaling": "fan_in"}
    regression = kind is NTKRegressorCV
    networks = [NTK(1, **common), NTK(3, **common), NNGP(1, **common), NNGP(3, **common)]
    networks = networks[: 4 if regression else 3]
    assert kernels[: len(networks)] == networks
    for (norm, exponent), multiples in (PRODUCTS if regression else WITH_EUCLIDEAN).items():
        scales = scales_of(model, norm, exponent)
        np.testing.assert_allclose(scales, np.array(multiples) * median(X, norm), rtol=1e-12)
        assert all(type(scale) is float for scale in scales)
    assert len(kernels) == (7 if regression else 8)


@pytest.mark.parametrize("kind", [NTKRegressorCV, NTKClassifierCV])
def test_ntk_is_a_grid_of_kernels_of_networks(kind, data):
    X, y = data
    model = kind("ntk", ALPHAS).fit(sparse.csr_array(X), y if kind is NTKRegressorCV else y > 0)
    kernels = model.cv_results_["param_kernel"]
    assert {(type(k), k.depth, round(k.bias_std**2, 9)) for k in kernels} == {
        (kind, depth, variance)
        for kind, depths in ((NTK, (1, 3, 5)), (NNGP, (1, 3)))
        for depth in depths
        for variance in (0.1, 1.0)
    }


def test_a_chosen_laplace_kernel_serves_for_everything(data):
    X, y = data
    model = make_pipeline(StandardScaler(), NTKRegressorCV(alphas=ALPHAS)).fit(X, y)[-1]
    assert isinstance(model.kernel_, Laplace)
    rows = StandardScaler().fit_transform(X)
    left_out = brute_ridge.left_out(model.kernel_(rows), y[:, None], model.alpha_, None)[:, 0]
    np.testing.assert_allclose(model.best_score_, -np.mean((y - left_out) ** 2), rtol=1e-8)
    mean, std = pickle.loads(pickle.dumps(model)).predict(rows, return_std=True)
    single = NTKRegressor(model.kernel_, alpha=model.alpha_).fit(rows, y)
    np.testing.assert_allclose(mean, single.predict(rows))
    assert std.min() > 0
    assert model.predict_gradient(rows[:2]).shape == (2, 3)


def test_folds_set_the_scales_anew(data, monkeypatch):
    monkeypatch.setattr(NTKRegressorCV, "_grid", CLASSIFICATION_GRID)  # the one with all kinds of distances
    X, y = data
    X = X * np.where(np.arange(90) < 30, 1.0, 4.0)[:, None]  # training rows of other scales than all
    w = np.random.default_rng(1).uniform(0.5, 2, 90)
    folds = list(KFold(3).split(X))
    model = NTKRegressorCV(alphas=ALPHAS, cv=folds, clip=False, store_held_out=True).fit(X, y, w)
    table = model.cv_results_
    chosen = np.flatnonzero([isinstance(kernel, Laplace) for kernel in table["param_kernel"]])
    assert len(chosen) == 15
    for i in chosen:
        whole = table["param_kernel"][i]
        norm, exponent = whole.norm, whole.exponent
        multiple = whole.length_scale / median(X, norm)
        assert np.isclose(WITH_EUCLIDEAN[norm, exponent], multiple).any()
        losses, held_out = [], np.empty(90)
        for train, test in folds:
            kernel = Laplace(multiple * median(X[train], norm), norm=norm, exponent=exponent)
            fit = NTKRegressor(kernel, alpha=table["param_alpha"][i]).fit(X[train], y[train], w[train])
            held_out[test] = fit.predict(X[test])
            losses.append(np.average((y[test] - held_out[test]) ** 2, weights=w[test]))
        np.testing.assert_allclose(table["mean_test_score"][i], -np.mean(losses), rtol=1e-8)
        if table["rank_test_score"][i] == 1:
            np.testing.assert_allclose(model.held_out_predictions_, held_out, rtol=1e-7)
    assert isinstance(model.kernel_, Laplace)


def test_groups_and_several_targets(data):
    X, y = data
    groups = np.arange(90) // 6
    model = NTKRegressorCV(alphas=ALPHAS, cv=GroupKFold(3)).fit(X, np.c_[y, -y], groups=groups)
    assert isinstance(model.kernel_, Laplace)
    assert model.predict(X).shape == (90, 2)


@pytest.mark.filterwarnings("ignore::ntklib.estimators.ScaleWarning")  # of rows of zeros
def test_equal_training_rows_keep_the_scale_of_all(data):
    X, y = data
    X = np.vstack([np.zeros((45, 3)), X[:45]])
    folds = [(np.arange(45), np.arange(45, 90)), (np.arange(45, 90), np.arange(45))]
    model = NTKRegressorCV(alphas=[1.0], cv=folds, fit_intercept=False).fit(X, y)
    for kernel, score in zip(
        *(model.cv_results_[name] for name in ("param_kernel", "mean_test_score")), strict=True
    ):
        if isinstance(kernel, Laplace):
            norm = kernel.norm
            multiple = kernel.length_scale / median(X, norm)
            losses = []
            for (train, test), scale in zip(folds, (median(X, norm), median(X[45:], norm)), strict=True):
                laplace = Laplace(multiple * scale, norm=norm, exponent=kernel.exponent)
                fit = NTKRegressor(laplace, fit_intercept=False).fit(X[train], y[train])
                losses.append(np.mean((y[test] - fit.predict(X[test])) ** 2))
            np.testing.assert_allclose(score, -np.mean(losses))


def test_rows_that_set_no_scale_leave_kernels_of_networks(data):
    model = NTKRegressorCV().fit(np.ones((5, 2)), np.arange(5.0))
    assert {type(kernel) for kernel in model.cv_results_["param_kernel"]} == {NTK, NNGP}
    assert typical_distance(np.full((4, 2), 1e308) * np.array([1, -1, 1, -1])[:, None]) is None


class TestTypicalDistance:
    def test_different_rows_of_positive_weight_count(self, data):
        X, y = data
        w = np.where(np.arange(90) < 20, 0.0, 1.0)
        assert scales_of(NTKRegressorCV(alphas=[1.0]).fit(X, y, w)) == scales_of(
            NTKRegressorCV(alphas=[1.0]).fit(X[20:], y[20:])
        )
        repeated = np.vstack([X, X[:40], X[:10], -0.0 * X[:1], 0.0 * X[:1]])
        np.testing.assert_allclose(typical_distance(repeated), median(repeated), rtol=1e-12)

    @pytest.mark.parametrize("make", [np.asarray, sparse.csr_array, np.float32])
    def test_of_every_form_of_rows(self, data, make):
        X = np.where(np.abs(data[0]) < 0.5, 0, data[0].round(2))
        np.testing.assert_allclose(typical_distance(make(X)), median(X), rtol=1e-6)
        np.testing.assert_allclose(typical_distance(make(X[:, :1])), median(X[:, :1]), rtol=1e-6)

    def test_of_many_rows_it_is_that_of_a_draw(self, monkeypatch):
        X = np.random.default_rng(0).standard_normal((3000, 4))
        distance = typical_distance(X)
        np.testing.assert_allclose(distance, median(X), rtol=0.03)
        assert distance != median(X)
        shuffled = np.random.default_rng(1).permutation(np.r_[:3000, :500])
        assert np.isclose(typical_distance(X[shuffled]), distance, rtol=1e-12)
        monkeypatch.setattr("ntklib.estimators.ridge._candidates._LOOKED_AT", 600)
        assert typical_distance(X) == typical_distance(X[::5])


def test_on_centres(data):
    X, y = data
    model = NTKRegressorCV(alphas=ALPHAS, solver=Nystrom(60)).fit(X.astype(np.float32), y)
    assert isinstance(model.kernel_, Laplace)
    assert model.solve_.n_centers == 60
    assert model.score(X.astype(np.float32), y) > 0.9


def test_what_is_printed_names_the_choice(data):
    X, y = data
    model = NTKRegressorCV(alphas=[0.03])
    assert repr(model) == "NTKRegressorCV(alphas=[0.03])"
    model.fit(X, y)
    scale = f"{model.kernel_.length_scale:.4g}"
    assert (
        repr(model) == f"NTKRegressorCV(alphas=[0.03])  # chosen: Laplace(length_scale={scale}), penalty 0.03"
    )
    assert eval(repr(model)).get_params() == clone(model).get_params()
    assert repr(make_pipeline(model)) == "Pipeline(steps=[('ntkregressorcv', NTKRegressorCV(alphas=[0.03]))])"
    several = NTKRegressorCV(RBF(), [0.1, 1.0], alpha_per_target=True).fit(X, np.c_[y, X[:, 0]])
    assert repr(several).endswith("# chosen: RBF(), penalty 0.1 to 1")


def test_candidates_are_named_before_their_scale_is_known():
    for grid in (REGRESSION_GRID, CLASSIFICATION_GRID):
        assert {one.name for one in candidates_of(None, grid)} == {"NTK", "NNGP", "Laplace"}
