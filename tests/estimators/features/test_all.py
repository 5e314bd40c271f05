"""The laws of feature maps: scikit-learn's contract, types, blocks, threads, memory, copies."""

import pickle
import tracemalloc

import numpy as np
import pandas
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import ntklib
from ntklib import NTK, ArcCosine, ArcCosineFeatures, NystromFeatures, TangentFeatures

MAPS = [
    ArcCosineFeatures(0, 40),
    ArcCosineFeatures(3, 40, sampling="sphere"),
    NystromFeatures(NTK(depth=2, bias_std=1.0), 40),
    NystromFeatures(n_components=30, centers="kmeans++"),
]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 3))


def name(model):
    return " ".join(repr(model).split())


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([ArcCosineFeatures(2, 20, sampling="sphere"), NystromFeatures(n_components=10)])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def test_bad_numbers_are_named_by_row_and_column():
    bad = X.copy()
    bad[217, 1] = np.nan
    for model in (*MAPS, TangentFeatures(n_components=5)):
        fitted = clone(model).fit(X)
        for call in (clone(model).fit, fitted.transform):
            for rows in (bad, sparse.csr_array(bad)):
                with pytest.raises(ValueError, match="Input X contains NaN in row 217, column 1"):
                    call(rows)


@pytest.mark.parametrize("model", MAPS, ids=name)
def test_float32_and_sparse_rows_have_the_features_of_the_same_numbers(model):
    thin = np.where(X > 0, X, 0).astype(np.float32)
    model = clone(model).fit(thin.astype(np.float64))
    exact = model.transform(thin.astype(np.float64))
    assert exact.dtype == np.float64
    single = model.transform(thin)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, exact, atol=1e-5 * np.abs(exact).max())
    for make in (sparse.csr_array, sparse.csr_matrix):
        np.testing.assert_allclose(model.transform(make(thin.astype(np.float64))), exact, atol=1e-10)
    for form in (thin, sparse.csr_array(thin)):
        again = clone(model).fit(form)
        assert again.error_ == pytest.approx(model.error_, rel=1e-3)
        np.testing.assert_allclose(again.transform(form), exact, atol=1e-5 * np.abs(exact).max())


@pytest.mark.parametrize("model", MAPS, ids=name)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_same_bytes_at_any_number_of_threads_and_in_any_memory(model, dtype):
    rows = np.random.default_rng(1).normal(size=(9_000, 2)).astype(dtype)
    answers = set()
    for threads, memory in ((1, 1024), (2, 1024), (3, 1)):
        with ntklib.set_threads(threads), config_context(working_memory=memory):
            fitted = clone(model).fit(rows[:600])
            answers.add((fitted.transform(rows).tobytes(), fitted.components_.tobytes(), fitted.error_))
    assert len(answers) == 1


@pytest.mark.parametrize("model", MAPS[1:3], ids=name)
def test_beside_the_features_memory_is_bounded(model):
    rows = np.random.default_rng(1).normal(size=(60_000, 2)).astype(np.float32)
    fitted = clone(model).fit(rows[:100])
    with config_context(working_memory=4), ntklib.set_threads(4):
        fitted.transform(rows[:10])
        tracemalloc.start()
        features = fitted.transform(rows)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < features.nbytes + 4 * 2**20


@pytest.mark.parametrize("model", MAPS, ids=name)
def test_the_error_is_the_relative_one_on_the_training_rows(model):
    fitted = clone(model).fit(X)
    kernel = fitted.kernel_.__call__(X)
    features = fitted.transform(X)
    lack = np.linalg.norm(features @ features.T - kernel) / np.linalg.norm(kernel)
    assert fitted.error_ == pytest.approx(lack, rel=1e-6)
    assert 0 < fitted.error_ < 1.5


def test_the_error_is_measured_on_at_most_500_rows():
    many, sizes = np.random.default_rng(2).normal(size=(1500, 3)), []

    def kernel(A, B):
        sizes.append((len(A), len(B)))
        return NTK(bias_std=1.0)(A, B)

    error = NystromFeatures(kernel, 20, centers="uniform").fit(many).error_
    assert (500, 500) in sizes
    assert max(map(max, sizes)) == 500
    features = NystromFeatures(kernel, 20, centers="uniform").fit_transform(many)
    exact = NTK(bias_std=1.0)(many)
    assert error == pytest.approx(
        np.linalg.norm(features @ features.T - exact) / np.linalg.norm(exact), rel=0.2
    )


@pytest.mark.parametrize("model", MAPS, ids=name)
def test_seeds_clones_and_pickles(model):
    first, second = (clone(model).fit(X) for _ in "ab")
    np.testing.assert_array_equal(first.transform(X), second.transform(X))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(first)).transform(X), first.transform(X))
    other = clone(model).set_params(random_state=7).fit(X)
    assert not np.array_equal(other.transform(X), first.transform(X))
    for make in (np.random.default_rng, np.random.RandomState):
        one, two = (clone(model).set_params(random_state=make(3)).fit_transform(X) for _ in "ab")
        np.testing.assert_array_equal(one, two)
    clone(model).set_params(random_state=None).fit(X)


@pytest.mark.parametrize("model", MAPS, ids=name)
def test_the_rows_may_be_used_again(model):
    lent = X.copy()
    fitted = clone(model).fit(lent)
    before = fitted.transform(X)
    lent[:] = 7
    np.testing.assert_array_equal(fitted.transform(X), before)


def test_in_tables_and_grids():
    frame = pandas.DataFrame(X, columns=list("abc"))
    for model in (ArcCosineFeatures(n_components=4), NystromFeatures(n_components=4)):
        table = clone(model).set_output(transform="pandas").fit(frame).transform(frame)
        assert list(table.columns) == [f"{type(model).__name__.lower()}{i}" for i in range(4)]
        np.testing.assert_array_equal(table, clone(model).fit(X).transform(X))
    y = np.sin(X[:, 0])
    grid = {"nystromfeatures__kernel__depth": [1, 2], "nystromfeatures__n_components": [3, 60]}
    search = GridSearchCV(make_pipeline(NystromFeatures(NTK(bias_std=1.0)), Ridge(0.1)), grid, cv=2).fit(X, y)
    assert search.best_params_["nystromfeatures__n_components"] == 60


@pytest.mark.parametrize("make", [ArcCosineFeatures, lambda: NystromFeatures(ArcCosine(1))])
def test_one_feature_and_no_bias_is_warned_about(make):
    with pytest.warns(UserWarning, match="with one feature and no bias") as caught:
        make().fit(X[:, :1])
    assert caught[0].filename == __file__


@pytest.mark.parametrize("model", MAPS, ids=name)
def test_bad_rows_and_too_many(model, monkeypatch):
    fitted = clone(model).fit(X)
    with pytest.raises(ValueError, match="features"):
        fitted.transform(X[:, :2])
    with pytest.raises(ValueError, match="NaN"):
        fitted.transform(np.full((1, 3), np.nan))
    monkeypatch.setattr("ntklib._core.blocks.available_memory", lambda: 2000)
    with pytest.raises(MemoryError, match=r"array of features needs .* transform fewer rows"):
        fitted.transform(X)
