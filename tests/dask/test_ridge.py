"""Fits to Dask collections: those of the local twin, to the last bit; input of all kinds."""

import pickle

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

from ntklib import NTKClassifier, NTKRegressor
from ntklib.dask import DaskNTKClassifier, DaskNTKRegressor, DaskNystromFeatures
from ntklib.dask.graph import Graph, add_sums
from ntklib.estimators import ScaleWarning
from ntklib.estimators._calibration import fit_temperature
from ntklib.solvers import ConjugateGradient, Nystrom

from .helpers import KERNEL, SIZES, SOLVER, N, chunked, in_blocks, make_rows, sums_in_blocks


@pytest.fixture(autouse=True)
def _one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def fit(X, y, weights=None, **parameters):
    return DaskNTKRegressor(KERNEL, solver=SOLVER, **parameters).fit(X, y, weights)


@pytest.mark.parametrize(
    ("dtype", "scheduler"), [(np.float64, "threads"), (np.float32, "threads"), (np.float64, "synchronous")]
)
def test_a_fit_is_that_of_the_same_blocks_in_memory(dtype, scheduler):
    X, y = make_rows(dtype)
    with dask.config.set(scheduler=scheduler):
        model = fit(chunked(X), chunked(np.column_stack([y, 3 * y**2])), alpha=[0.1, 2.0])
    Y = np.column_stack([y, 3 * y**2])
    for j, alpha in enumerate([0.1, 2.0]):
        reference = in_blocks(X, Y, alpha=alpha)
        assert model.dual_coef_[:, j].tobytes() == reference.dual_coef[:, j].tobytes()
        assert model.intercept_[j] == reference.intercept[j]
    assert model.X_fit_.dtype == dtype
    np.testing.assert_array_equal(model.support_, reference.chosen)
    assert all(one.outcome == "ok" for one in model.solve_)


def test_chunks_of_the_size_of_blocks_give_the_local_fit():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(4096 + 700, 2))
    y, labels = X[:, 0] ** 2, np.digitize(X[:, 1], [-0.5, 0.5])
    Z, one = da.from_array(X, chunks=(4096, 1)), NTKRegressor(KERNEL, solver=SOLVER, target_scale="fit")
    model = fit(Z, da.from_array(y, chunks=1000), target_scale="fit")
    one.fit(X, y)
    assert model.dual_coef_.tobytes() == one.dual_coef_.tobytes()
    assert model.target_scale_ == one.target_scale_
    mean, std = model.to_local().predict(X[:9], return_std=True)
    np.testing.assert_array_equal((mean, std), one.predict(X[:9], return_std=True))
    names = np.array(["a", "b", "c"])[labels]
    options = {"solver": SOLVER, "class_weight": "balanced"}
    two = NTKClassifier(KERNEL, **options).fit(X, names)
    model = DaskNTKClassifier(KERNEL, **options).fit(Z, da.from_array(names, chunks=-1))
    assert model.temperature_ == two.temperature_
    np.testing.assert_array_equal(model.predict_proba(Z), two.predict_proba(X))
    np.testing.assert_array_equal(model.decision_function(Z), two.decision_function(X))
    assert model.score(Z, da.from_array(names)) == two.score(X, names)


@pytest.mark.parametrize("weights", [[0, 1, 3], [0, 0.5, 1.3]], ids=["counts", "importances"])
def test_weights_are_those_of_the_local_fit(weights):
    X, y = make_rows()
    w = np.resize(np.array(weights, dtype=float), N)
    w[: SIZES[0]] = 0  # a chunk without any row
    model = fit(da.from_array(X), da.from_array(y), da.from_array(w), target_scale="fit")
    local = NTKRegressor(KERNEL, solver=SOLVER, target_scale="fit").fit(X[w > 0], y[w > 0], w[w > 0])
    assert model.dual_coef_.tobytes() == local.dual_coef_.tobytes()
    assert model.target_scale_ == local.target_scale_
    pieces = fit(chunked(X), chunked(y), chunked(w))
    np.testing.assert_allclose(pieces.predict(chunked(X)), local.predict(X), rtol=1e-9, atol=1e-9)
    labels = np.where(y > 0, "up", "down")
    model = DaskNTKClassifier(KERNEL, solver=SOLVER, class_weight={"up": 2.0}).fit(
        chunked(X), chunked(labels), chunked(w)
    )
    local = NTKClassifier(KERNEL, solver=SOLVER, class_weight={"up": 2.0}).fit(X, labels, w)
    np.testing.assert_allclose(model.predict_proba(chunked(X)), local.predict_proba(X), rtol=1e-6)


def test_a_number_is_the_weight_of_all_rows():
    X, y = make_rows()
    model = fit(chunked(X), chunked(y), 2)
    assert (
        model.dual_coef_.tobytes()
        == fit(chunked(X), chunked(y), chunked(np.full(N, 2.0))).dual_coef_.tobytes()
    )


def test_chunks_of_unknown_sizes_and_empty_ones_are_taken():
    X, y = make_rows()
    Z, t = chunked(X), chunked(y)
    some = Z[:, 0] > 0.3
    model = fit(Z[some], t[some])
    local = NTKRegressor(KERNEL, solver=SOLVER).fit(X[X[:, 0] > 0.3], y[X[:, 0] > 0.3])
    values = model.predict(Z[some])
    assert np.isnan(values.shape[0])
    np.testing.assert_allclose(values.compute(), local.predict(X[X[:, 0] > 0.3]), rtol=1e-9)
    nothing = da.from_array(np.empty((0, 3)))
    assert model.predict(nothing).compute().shape == (0,)


def test_sparse_chunks_are_those_of_dense_ones():
    X, y = make_rows()
    X[X < 0.4] = 0
    Z = chunked(X).map_blocks(sparse.csr_matrix, meta=sparse.csr_matrix((0, 0)))
    model = fit(Z, chunked(y))
    assert sparse.issparse(model.X_fit_)
    np.testing.assert_allclose(model.predict(Z).compute(), fit(chunked(X), chunked(y)).to_local().predict(X))


def test_a_data_frame_keeps_its_index_and_names():
    X, y = make_rows()
    frame = pd.DataFrame(X, columns=["a", "b", "c"], index=np.arange(N) * 3 + 7)
    table = dd.from_pandas(frame, npartitions=4)
    target = dd.from_pandas(pd.Series(y, index=frame.index), npartitions=4)
    model = fit(table, target)
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    values = model.predict(table)
    assert values._meta.dtype == np.float64
    pd.testing.assert_index_equal(values.compute().index, frame.index)
    np.testing.assert_allclose(values.compute(), model.to_local().predict(frame), rtol=1e-12)
    classifier = DaskNTKClassifier(KERNEL, solver=SOLVER).fit(table, target > 0)
    assert classifier.predict_proba(table).compute().columns.tolist() == [False, True]
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(table[["b", "a", "c"]])
    with pytest.raises(ValueError, match=r"the columns t of X hold no numbers: leave them out"):
        fit(table.assign(t="x"), target)
    with pytest.raises(ValueError, match=r"X has 4 chunks and y 2, of unknown sizes: make arrays of both"):
        fit(table, target.repartition(npartitions=2))


def test_predictions_are_lazy_arrays_in_the_chunks_of_the_rows():
    X, y = make_rows()
    Z = chunked(X)
    model = fit(Z, chunked(np.column_stack([y, y])))
    values = model.predict(Z)
    assert isinstance(values, da.Array)
    assert values.chunks == (SIZES, (2,))
    assert (values._meta.ndim, values._meta.dtype) == (2, np.float64)
    classifier = DaskNTKClassifier(KERNEL, solver=SOLVER, calibrate=False).fit(
        Z, chunked(np.digitize(y, [-1, 1]))
    )
    assert classifier.predict(Z).dtype == classifier.classes_.dtype
    assert classifier.predict(Z).chunks == (SIZES,)
    assert classifier.decision_function(Z).chunks == (SIZES, (3,))
    assert not hasattr(classifier, "predict_proba")


def test_the_local_twin_serves_without_dask():
    X, y = make_rows()
    model = fit(chunked(X), chunked(y))
    local = model.to_local()
    assert type(local) is NTKRegressor
    values = local.predict(X)
    np.testing.assert_allclose(model.predict(chunked(X)), values, rtol=1e-12)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(local)).predict(X), values)
    np.testing.assert_array_equal(FrozenEstimator(local).fit(X, y).predict(X), values)
    assert clone(local).get_params().keys() == local.get_params().keys()
    with pytest.raises(ValueError, match="X has 2 features"):
        local.predict(X[:, :2])
    local.alpha = 7.0
    assert model.alpha == model.to_local().alpha == 1.0
    before = model.dual_coef_.copy()
    local.dual_coef_ *= 0
    local.X_fit_ *= 0
    np.testing.assert_array_equal(model.dual_coef_, before)
    np.testing.assert_array_equal(model.to_local().predict(X), values)


def local_twins():
    """Fitted twins; small ones, since most checks fit a clone."""
    X, y = (part[:80] for part in make_rows())
    Z, t = da.from_array(X, chunks=(40, 3)), da.from_array(y, chunks=40)
    solver = Nystrom(100)  # more than any check has rows: with fewer, weights are not copies
    with dask.config.set(scheduler="synchronous"):
        return [
            DaskNTKRegressor(KERNEL, solver=solver).fit(Z, t).to_local(),
            DaskNTKClassifier(KERNEL, solver=solver).fit(Z, t > 0).to_local(),
            DaskNystromFeatures(KERNEL, n_components=8).fit(Z).to_local(),
        ]


@parametrize_with_checks(local_twins())
def test_local_twins_pass_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_the_estimator_is_one_of_scikit_learn():
    X, y = make_rows()
    model = fit(chunked(X), chunked(y))
    assert repr(DaskNTKRegressor(alpha=2.0)) == "DaskNTKRegressor(alpha=2.0)"
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(chunked(X)), model.predict(chunked(X)))
    assert DaskNTKRegressor().get_params() == NTKRegressor().get_params()
    assert DaskNTKClassifier().get_params() == NTKClassifier().get_params()
    assert clone(model).set_params(solver__n_centers=5).fit(chunked(X), chunked(y)).X_fit_.shape == (5, 3)
    with pytest.raises(Exception, match="not fitted"):
        DaskNTKRegressor().predict(chunked(X))


def test_centres_do_not_depend_on_the_chunks():
    X, y = make_rows()
    one, other = fit(chunked(X), chunked(y)), fit(da.from_array(X, chunks=(100, 3)), da.from_array(y))
    np.testing.assert_array_equal(one.support_, other.support_)


def test_leave_one_out_of_many_rows_is_of_a_draw(monkeypatch):
    monkeypatch.setattr("ntklib.dask._ridge.HELD_OUT", 100)
    X, y = make_rows()
    labels = y > 0
    model = DaskNTKClassifier(KERNEL, solver=SOLVER).fit(chunked(X), chunked(labels))
    values = sums_in_blocks(X, np.where(labels, 1.0, -1.0)[:, None]).held_out(np.ones(1))[:, :, 0]
    rows = np.random.default_rng([SOLVER.random_state, 100]).choice(N, 100, replace=False)
    expected = fit_temperature(values[rows], labels[rows].astype(int), np.ones(100), 100)
    assert model.temperature_ == pytest.approx(expected, rel=1e-9)
    everything = fit_temperature(values, labels.astype(int), np.ones(N), N)
    assert abs(model.temperature_ - everything) > 1e-6


def test_a_constant_kernel_leaves_the_shares_of_the_classes():
    X = da.ones((40, 2), chunks=(10, 2))
    y = da.from_array(np.repeat([0, 1], [10, 30]), chunks=10)
    model = DaskNTKClassifier(solver=SOLVER).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X).compute()[0], [0.25, 0.75])


def test_graphs_grow_with_the_number_of_chunks():
    def count(n):
        graph = Graph("test", [])
        add_sums(graph, "add", "zeros", [(i, None, None) for i in range(n)], "recipe")
        return len(graph)

    assert [count(n) for n in (1, 8, 9, 4000)] == [1, 15, 17, 7999]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"X": np.ones((4, 3))},
            TypeError,
            "X must be a Dask array or data frame, got ndarray: NTKRegressor",
        ),
        ({"y": np.ones(N)}, TypeError, "y must be a Dask array"),
        ({"y": da.ones(N - 1)}, ValueError, f"X has {N} rows and y {N - 1}"),
        ({"y": chunked(np.ones(N))[:-40]}, ValueError, "X has"),
        (
            {"weights": chunked(-np.ones(N))},
            ValueError,
            "chunk 0.*weights must be finite and nonnegative",
        ),
        ({"weights": 0}, ValueError, "no row of positive weight"),
        ({"solver": "cholesky"}, ValueError, "solver must be 'auto', 'nystrom' or a Nystrom object"),
        ({"solver": ConjugateGradient()}, ValueError, "solver must be 'auto', 'nystrom' or a Nystrom object"),
        ({"alpha": -1.0}, ValueError, "alpha must be finite and nonnegative"),
        ({"kernel": "precomputed"}, ValueError, "precomputed"),
    ],
)
def test_bad_input_is_answered(change, error, message):
    X, y = make_rows()
    data = {"X": chunked(X), "y": chunked(y), "weights": None}
    parameters = {name: value for name, value in change.items() if name not in data}
    data |= {name: value for name, value in change.items() if name in data}
    with pytest.raises(error, match=message):
        DaskNTKRegressor(**{"solver": SOLVER, **parameters}).fit(*data.values())


def test_bad_rows_are_named_by_their_chunk():
    X, y = make_rows()
    X[45, 2] = np.nan
    with pytest.raises(ValueError, match=r"chunk 1, .* at row 40: Input X contains NaN in row 5, column 2"):
        fit(chunked(X), chunked(y))
    X, y = make_rows()
    Z, t = chunked(X), chunked(y)
    with pytest.raises(ValueError, match=r"chunk 0.*X has \d+ rows there and y \d+.*compute_chunk_sizes"):
        fit(Z[Z[:, 0] > 0], t[t > 0])
    labels = dd.from_pandas(pd.Series(["a", None, "b"] * 3), npartitions=1)
    with pytest.raises(ValueError, match=r"chunk 0.*Input y has no value in row 1"):
        DaskNTKClassifier().fit(dd.from_pandas(pd.DataFrame(X[:9]), npartitions=1), labels)
    with pytest.raises(ValueError, match=r"got 3 dimensions\.$"):
        fit(Z[:, :, None], t)
    with pytest.raises(ValueError, match="2 classes"):
        DaskNTKClassifier().fit(Z, da.ones(N, dtype=int))
    with pytest.raises(ValueError, match="continuous"):
        DaskNTKClassifier().fit(Z, t)
    with pytest.warns(ScaleWarning, match="far from 1"):
        fit(Z * 1e4, t)
