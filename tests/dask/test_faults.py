"""What is wrong with the input is named, and the call that is named mends it: here it is made."""

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from ntklib import NTKRegressor
from ntklib.dask import DaskNTKClassifier, DaskNTKRegressor

from .helpers import KERNEL, SIZES, SOLVER, N, chunked, make_rows

NAMES = list("abc")


@pytest.fixture(autouse=True)
def _one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def fit(X, y, weights=None):
    return DaskNTKRegressor(KERNEL, solver=SOLVER).fit(X, y, weights)


def classify(X, y, weights=None):
    return DaskNTKClassifier(KERNEL, solver=SOLVER, calibrate=False).fit(X, y, weights)


def frame():
    """The rows and targets as a data frame with divisions."""
    X, y = make_rows()
    return dd.from_pandas(pd.DataFrame(X, columns=NAMES).assign(y=y, label=y > 0, one=1.0), npartitions=4)


def unknown():
    """The same one without divisions."""
    whole = frame().compute()
    return dd.from_map(lambda i: whole.iloc[i * 180 : (i + 1) * 180], range(4))


def arrays(part):
    """What the message says to do."""
    if isinstance(part, da.Array):
        return part.compute_chunk_sizes()
    return part.to_dask_array(lengths=True)


def some(part):
    """The rows of a chunked array where its twin of the rows is large; sizes are unknown."""
    return part[chunked(make_rows()[0])[:, 0] > 0.3]


MISMATCHES = {
    "frame and array": lambda X, y: (frame()[NAMES], chunked(y)),
    "as many chunks": lambda X, y: (frame()[NAMES], da.from_array(y, chunks=(500, 73, 70, 54))),
    "array and series": lambda X, y: (chunked(X), frame().y),
    "frames": lambda X, y: (frame()[NAMES], frame().y.repartition(npartitions=2)),
    "frames without divisions": lambda X, y: (unknown()[NAMES], unknown().y.repartition(npartitions=2)),
    "arrays": lambda X, y: (some(chunked(X)), da.from_array(y[X[:, 0] > 0.3], chunks=50)),
    "arrays of unknown sizes": lambda X, y: (some(chunked(X)), some(da.from_array(y, chunks=(100,)))),
}  # fmt: skip


@pytest.mark.parametrize("kind", MISMATCHES)
@pytest.mark.parametrize("part", ["y", "weights"])
def test_what_mends_chunks_that_do_not_match(kind, part):
    X, y = MISMATCHES[kind](*make_rows())
    data = (X, y) if part == "y" else (X, X[:, 0] if isinstance(X, da.Array) else X.a, abs(y))
    match = r"X has .* (y|sample_weight) .*: make arrays of both, of known sizes: X.to_dask_array\(lengths"
    with pytest.raises(
        ValueError, match=match + r"=True\) of a data frame or series, X.compute_chunk_sizes\("
    ):
        fit(*data)
    Z, t = arrays(X), arrays(y)
    rows, targets = np.asarray(Z), np.asarray(t)
    if part == "y":
        model, local = fit(Z, t), NTKRegressor(KERNEL, solver=SOLVER).fit(rows, targets)
    else:
        model = fit(Z, Z[:, 0], abs(t))
        local = NTKRegressor(KERNEL, solver=SOLVER).fit(rows, rows[:, 0], abs(targets))
    np.testing.assert_allclose(model.predict(Z).compute(), local.predict(rows), rtol=1e-7)


def column(X):
    return da.from_array(np.column_stack([X[:, 0], X[:, 1]]), chunks=(SIZES, (2,)))


def unknown_columns(X):
    return chunked(X).map_blocks(lambda block: block, chunks=(SIZES, (np.nan,)))


def half_sparse(X):
    empty = sparse.csr_matrix((0, 0))
    return da.concatenate([chunked(X)[:300], chunked(X)[300:].map_blocks(sparse.csr_matrix, meta=empty)])


@pytest.mark.parametrize(
    ("method", "make", "message", "mend"),
    [
        (
            fit,
            lambda X, y: (frame().a, frame().y, None),
            r"got 1 dimensions: X.to_frame\(\) makes a column",
            lambda X, y, w: (X.to_frame(), y, w),
        ),
        (
            fit,
            lambda X, y: (chunked(X)[:, 0], chunked(y), None),
            r"got 1 dimensions: X\[:, None\] makes a column",
            lambda X, y, w: (X[:, None], y, w),
        ),
        (
            fit,
            lambda X, y: (unknown_columns(X), chunked(y), None),
            r"unknown number of columns: X.compute_chunk_sizes\(\) counts them",
            lambda X, y, w: (X.compute_chunk_sizes(), y, w),
        ),
        (
            fit,
            lambda X, y: (half_sparse(X), chunked(y), None),
            r"chunks 0 and \d+ of X are not of one kind.*X.map_blocks\(scipy.sparse.csr_matrix\)",
            lambda X, y, w: (X.map_blocks(sparse.csr_matrix), y, w),
        ),
        (
            fit,
            lambda X, y: (chunked(X), chunked(y), column(abs(X))),
            r"sample_weight must have shape \(n,\), got 2 dimensions: give sample_weight\[:, 0\]",
            lambda X, y, w: (X, y, w[:, 0]),
        ),
        (
            fit,
            lambda X, y: (frame()[NAMES], frame().y, frame()[["one", "a"]]),
            r"weight must have shape \(n,\), got a data frame of 2 columns: give sample_weight\['one'\]",
            lambda X, y, w: (X, y, w["one"]),
        ),
        (
            classify,
            lambda X, y: (chunked(X), chunked(y[:, None] > 0), None),
            r"y must have shape \(n,\), got 2 dimensions: give y\[:, 0\]",
            lambda X, y, w: (X, y[:, 0], w),
        ),
        (
            classify,
            lambda X, y: (frame()[NAMES], frame()[["label", "y"]], None),
            r"y must have shape \(n,\), got a data frame of 2 columns: give y\['label'\]",
            lambda X, y, w: (X, y["label"], w),
        ),
        (
            fit,
            lambda X, y: (chunked(X), chunked(y + 1j), None),
            r"chunk 0.*: y holds complex numbers: give their real parts, y.real",
            lambda X, y, w: (X, y.real, w),
        ),
        (
            fit,
            lambda X, y: (chunked(X + 1j), chunked(y), None),
            r"chunk 0.*: X holds complex numbers: give their real parts, X.real\.$",
            lambda X, y, w: (X.real, y, w),
        ),
    ],
)
def test_what_mends_other_input(method, make, message, mend):
    data = make(*make_rows())
    with pytest.raises(ValueError, match=message):
        method(*data)
    X, *_ = mended = mend(*data)
    assert len(method(*mended).predict(X).compute()) == N


@pytest.mark.parametrize(
    ("method", "make", "error", "message"),
    [
        (fit, lambda X, y: (X, None), ValueError, "DaskNTKRegressor needs targets y, got None"),
        (classify, lambda X, y: (X, None), ValueError, "DaskNTKClassifier needs targets y, got None"),
        (fit, lambda X, y: (X, da.from_array(np.array(1.0))), ValueError, "y must have shape .*got 0 dim"),
        (fit, lambda X, y: (X, y[:, None, None]), ValueError, r"y must have shape .*got 3 dimensions\.$"),
        (fit, lambda X, y: (X, y, y[:, None, None]), ValueError, r"weight must have shape \(n,\), got 3 dim"),
        (fit, lambda X, y: (X[:, :0], y), ValueError, "X has no columns"),
        (fit, lambda X, y: (frame()[[]], frame().y), ValueError, "X has no columns"),
        (
            fit,
            lambda X, y: (X, y, 1e308),
            ValueError,
            "sample weights, times those of the classes, are too la",
        ),
        (
            fit,
            lambda X, y: (pd.DataFrame(np.ones((4, 2))), y),
            TypeError,
            r"got DataFrame: NTKRegressor takes .*dask.dataframe.from_pandas\(..., npartitions=...\) makes",
        ),
        (
            fit,
            lambda X, y: (np.ones((4, 2)), y),
            TypeError,
            r"got ndarray: NTKRegressor takes .*dask.array.from_array\(..., chunks=...\) makes",
        ),
        (classify, lambda X, y: (X, da.zeros(N, dtype=int)), ValueError, r"got 1 class: 0\.$"),
    ],
)
def test_what_cannot_be_mended_is_named(method, make, error, message):
    X, y = make_rows()
    with pytest.raises(error, match=message):
        method(*make(chunked(X), chunked(y)))


def test_a_score_is_that_of_the_local_twin():
    X, y = make_rows()
    Z, t, w = chunked(X), chunked(y), chunked(abs(y))
    kept = X[:, 0] > 0.3
    model = fit(Z, t)
    local = model.to_local()
    assert model.score(some(Z), some(t)) == pytest.approx(local.score(X[kept], y[kept]))
    assert model.score(Z, t, w) == pytest.approx(local.score(X, y, abs(y)))
    table = frame()
    assert model.score(Z, table.y) == pytest.approx(local.score(X, y))
    model = classify(some(Z), some(t) > 0)
    assert model.score(some(Z), some(t) > 0, some(w)) == pytest.approx(
        model.to_local().score(X[kept], y[kept] > 0, abs(y[kept]))
    )


def test_predictions_have_the_names_of_the_targets():
    table = frame()
    model = fit(table[NAMES], table[["y", "one"]])
    values = model.predict(table[NAMES])
    assert values.columns.tolist() == values.compute().columns.tolist() == ["y", "one"]
    X, _ = make_rows()
    assert model.predict(chunked(X)).chunks == (SIZES, (2,))
