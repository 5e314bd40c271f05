"""Nystrom features of Dask collections: those of the same rows in memory."""

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.gaussian_process.kernels import RBF

from ntklib import NystromFeatures
from ntklib.dask import DaskNystromFeatures

from .helpers import KERNEL, SIZES, N, chunked, make_rows

OPTIONS = {"n_components": 12, "subset": 300}


@pytest.fixture(autouse=True)
def _one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("centers", ["rpcholesky", "uniform", "kmeans++", "given"])
def test_features_are_those_of_the_rows_in_memory(centers, dtype):
    X, _ = make_rows(dtype)
    options = OPTIONS | {"centers": X[:7] if centers == "given" else centers}
    model = DaskNystromFeatures(KERNEL, **options).fit(chunked(X))
    local = NystromFeatures(KERNEL, **options).fit(X)
    for name in ("components_", "component_indices_", "triangle_"):
        assert getattr(model, name).tobytes() == getattr(local, name).tobytes()
    assert model.error_ == local.error_
    values = model.transform(chunked(X))
    assert isinstance(values, da.Array)
    assert values.chunks == (SIZES, (len(local.components_),))
    assert (values._meta.ndim, values._meta.dtype, values.dtype) == (2, dtype, dtype)
    np.testing.assert_allclose(
        values.compute(), local.transform(X), rtol=1e-4 if dtype == np.float32 else 1e-12
    )
    assert values.compute().dtype == dtype
    assert type(model.to_local()) is NystromFeatures


def test_a_data_frame_keeps_its_index_and_gets_names():
    X, _ = make_rows()
    frame = pd.DataFrame(X, columns=["a", "b", "c"], index=np.arange(N) + 7)
    table = dd.from_pandas(frame, npartitions=4)
    model = DaskNystromFeatures(KERNEL, **OPTIONS)
    values = model.fit_transform(table)
    expected = NystromFeatures(KERNEL, **OPTIONS).fit(frame)
    names = expected.get_feature_names_out()
    pd.testing.assert_frame_equal(
        values.compute(), pd.DataFrame(expected.transform(frame), columns=names, index=frame.index)
    )
    assert values._meta.columns.tolist() == names.tolist()
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="feature names should match"):
        model.transform(table[["b", "a", "c"]])


def test_bad_input_is_answered():
    X, _ = make_rows()
    assert DaskNystromFeatures().get_params() == NystromFeatures().get_params()
    with pytest.raises(Exception, match="not fitted"):
        DaskNystromFeatures().transform(chunked(X))
    with pytest.raises(TypeError, match="got ndarray: NystromFeatures takes data in memory"):
        DaskNystromFeatures().fit(X)
    with pytest.raises(ValueError, match="n_components must be at least 1"):
        DaskNystromFeatures(n_components=0).fit(chunked(X))
    X[45, 2] = np.inf
    with pytest.raises(ValueError, match=r"chunk 1, which begins at row 40"):
        DaskNystromFeatures(KERNEL).fit(chunked(X))
    Z = chunked(np.eye(N, 3)).map_blocks(sparse.csr_matrix, meta=sparse.csr_matrix((0, 0)))
    with pytest.raises(ValueError, match="takes no sparse rows: give dense chunks"):
        DaskNystromFeatures(RBF(), **OPTIONS).fit(Z)
    assert sparse.issparse(DaskNystromFeatures(KERNEL, **OPTIONS).fit(Z).components_)


def test_features_stay_lazy_whatever_container_is_asked_for():
    X, _ = make_rows()
    model = DaskNystromFeatures(KERNEL, **OPTIONS).fit(chunked(X))
    assert isinstance(model.set_output(transform="default").transform(chunked(X)), da.Array)
    with pytest.raises(ValueError, match=r"'pandas' would hold all features in memory: those of a Dask data"):
        model.set_output(transform="pandas")
    # the calls that the message names
    values = model.transform(dd.from_dask_array(chunked(X)))
    assert isinstance(values, dd.DataFrame)
    assert values.columns.tolist() == model.get_feature_names_out().tolist()
    assert isinstance(model.transform(chunked(X)).compute(), np.ndarray)
    with config_context(transform_output="pandas"):
        assert isinstance(model.fit_transform(chunked(X)), da.Array)
