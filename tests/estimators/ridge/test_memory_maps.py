"""Rows in memory maps: never copied whole, the same bytes as in memory, errors that name the row."""

import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy import sparse

import ntklib
from ntklib import NNGP, NTK, NTKClassifier, NTKClassifierCV, NTKRegressor, NTKRegressorCV
from ntklib._core import blocks
from ntklib.estimators.rows import RowView, check_finite_rows
from ntklib.solvers import Nystrom

SOLVER = Nystrom(30, subset=200)
SEARCH = {"alphas": [0.1, 1.0], "solver": SOLVER, "max_search_samples": 60}
GRID = [NTK(bias_std=1.0), NNGP(bias_std=0.5)]
MODELS = [
    NTKRegressor(solver=SOLVER),
    NTKClassifier(solver=SOLVER),
    NTKRegressorCV(GRID, **SEARCH),
    NTKClassifierCV(GRID, **SEARCH),
]


def named(model):
    return type(model).__name__


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory):
    """A function that writes an array to disk and opens it as a memory map."""
    folder, opened = tmp_path_factory.mktemp("maps"), []

    def write(array):
        path = folder / f"{len(opened)}.npy"
        np.save(path, array)
        opened.append(np.load(path, mmap_mode="r"))
        return opened[-1]

    return write


def table(n, d, dtype):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    X = (np.round(4 * X) if np.dtype(dtype).kind in "iu" else X).astype(dtype)
    X[7] = X[3]
    y = (X[:, 0] > 0) + (X[:, 1] > 1)
    weights = rng.integers(0, 3, size=n)
    return X, y, weights


def answers(model, new):
    values = [model.predict(new), model.X_fit_, model.support_]
    if hasattr(model, "predict_proba"):
        return [*values, model.predict_proba(new), model.decision_function(new)]
    return [*values, model.predict(new, return_std=True)[1]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, ">f8", np.float16])
@pytest.mark.parametrize("model", MODELS, ids=named)
def test_the_same_bytes_as_in_memory(model, dtype, on_disk):
    X, y, weights = table(300, 4, dtype)
    floats = X.astype(np.float32 if dtype == np.float32 else np.float64)
    memory = answers(model.fit(floats, y, weights), floats[:50])
    mapped = answers(model.fit(on_disk(X), on_disk(y), weights), on_disk(X[:50]))
    for one, other in zip(memory, mapped, strict=True):
        assert one.tobytes() == other.tobytes()
    assert type(model.X_fit_) is np.ndarray  # of our own, not a view of the file


@pytest.mark.parametrize("model", [MODELS[0], MODELS[3]], ids=named)
def test_peak_memory_is_a_few_blocks(model, on_disk):
    """Also with rows that are left out or merged: views do not copy what they leave."""
    X, y, weights = table(60_000, 60, np.float64)
    X = on_disk(X)
    with ntklib.set_threads(1), sklearn.config_context(working_memory=2), warnings.catch_warnings():
        warnings.simplefilter("error")
        tracemalloc.start()
        model.fit(X, y, weights)
        peaks = [tracemalloc.get_traced_memory()[1]]
        for name in ("predict", "predict_proba", "decision_function"):
            if hasattr(model, name):
                tracemalloc.reset_peak()
                getattr(model, name)(X)
                peaks.append(tracemalloc.get_traced_memory()[1])
        if not hasattr(model, "predict_proba"):
            tracemalloc.reset_peak()
            model.predict(X, return_std=True)
            peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    fit, *later = peaks
    assert fit < 0.75 * X.nbytes  # six copies of a block of 4,096 rows, and vectors
    assert max(later) < 0.3 * X.nbytes


@pytest.mark.parametrize("model", MODELS, ids=named)
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_the_first_bad_row_is_named(model, form):
    X, y, _ = table(5000, 3, np.float64)
    for value, kind in ((np.nan, "NaN"), (-np.inf, "infinity")):
        X[4321, 2] = X[4900, 0] = value
        with pytest.raises(ValueError, match=rf"Input X contains {kind}.* in row 4321, column 2"):
            model.fit(form(X), y)
    clean = np.nan_to_num(X, neginf=0.0)
    fitted = model.fit(form(clean[:200]), y[:200])
    with pytest.raises(ValueError, match=r"Input X contains infinity.* in row 4321, column 2"):
        fitted.predict(form(X))


def test_bad_targets_are_named_too():
    X, y, _ = table(5000, 3, np.float64)
    y = y.astype(float)
    y[4500] = np.nan
    with pytest.raises(ValueError, match="Input y contains NaN in row 4500"):
        NTKRegressor().fit(X, y)
    with pytest.raises(ValueError, match="Input y contains NaN in row 4500, column 1"):
        NTKRegressor().fit(X, np.column_stack([X[:, 0], y]))


def test_sums_that_overflow_are_no_infinity():
    check_finite_rows(np.full((3, 2), 1e308))
    with sklearn.config_context(assume_finite=True):
        NTKRegressor(kernel=lambda A, B: np.ones((len(A), len(B)))).fit([[np.nan], [1.0]], [0.0, 1.0])


def test_views_are_the_rows_they_say():
    X = np.arange(40).reshape(10, 4)
    for source in (X, sparse.csr_array(X)):
        view = RowView(source, ends=(3, 3, 8, 10)).take(np.array([0, 2, 5, 9])).take(np.array([1, 2, 3]))
        rows = view[:].toarray() if sparse.issparse(view[:]) else view[:]
        np.testing.assert_array_equal(rows, X[[2, 5, 9]])
        assert rows.dtype == np.float64
        assert view.shape == (3, 4)
        assert view.blocks() == [slice(0, 1), slice(1, 1), slice(1, 2), slice(2, 3)]
    assert not np.shares_memory(RowView(X.astype(float)).owned(), X)


def unused(A, B):
    raise AssertionError("the search has begun")


@pytest.mark.parametrize("model", MODELS[2:], ids=named)
def test_size_is_checked_before_kernels_are_compared(model, monkeypatch):
    X, y, _ = table(300, 4, np.float64)
    given = {"kernels": [unused, unused], "max_search_samples": 60}
    search = type(model)(**given, solver=Nystrom(centers=np.zeros((5, 3))))
    with pytest.raises(ValueError, match=r"centers must have shape \(n_centers, 4\)"):
        search.fit(X, y)
    monkeypatch.setattr(blocks, "available_memory", lambda: 10_000)
    for solver, message in (
        (Nystrom(50), "set of sums on centres needs .*give Nystrom a smaller n_centers"),
        (Nystrom(10), "factor that chooses centres needs .*n_centers or subset"),
        ("cholesky", "299 x 299 float64 Gram matrix needs"),
        ("cg", "preconditioner beside the rows needs .*smaller rank"),
    ):
        with pytest.raises(MemoryError, match=message):
            type(model)(**given, solver=solver).fit(X, y)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA], ids=str)
def test_missing_labels_are_named_by_their_row(missing):
    labels = ["a", "b", "a", missing, "b", "a"]
    for y in (labels, np.array(labels, dtype=object), pd.Series(labels)):
        for model in (NTKClassifier(), NTKClassifierCV(solver="nystrom")):
            with pytest.raises(ValueError, match="Input y has no value in row 3, but"):
                model.fit(np.eye(6), y)
    with pytest.raises(ValueError, match="Input y has no value in row 3, but"):
        NTKClassifier(solver="nystrom").partial_fit(np.eye(6), labels, classes=["a", "b"])
    with pytest.raises(ValueError, match="Input y has no value in row 1, but None"):
        NTKRegressor().fit(np.eye(2), [1.0, None])


@pytest.mark.parametrize("solver", ["cholesky", "nystrom"])
def test_targets_and_weights_that_are_not_finite_are_named_by_their_row(solver):
    X, y, bad = np.eye(6), np.arange(6.0), np.array([1, 1, 1, 1, np.nan, 1])
    for kind in (np.asarray, pd.Series):
        with pytest.raises(ValueError, match="Input y contains NaN in row 4"):
            NTKRegressor(solver=solver).fit(X, kind(bad))
        for model in (NTKRegressor(solver=solver), NTKClassifier(solver=solver)):
            with pytest.raises(ValueError, match="Input sample_weight contains NaN in row 4"):
                model.fit(X, y > 2, kind(bad))
    with pytest.raises(ValueError, match="Input sample_weight contains NaN in row 4"):
        NTKRegressor(solver="nystrom").partial_fit(X, y, bad)
