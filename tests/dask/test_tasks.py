"""How tasks are made: what they send, the threads and the memory they take, rows of absent classes."""

from contextlib import contextmanager

import dask
import numpy as np
import pytest
import threadpoolctl
from dask.callbacks import Callback

import ntklib
from ntklib import NTKClassifier, NTKClassifierCV
from ntklib.dask import DaskNTKClassifier, DaskNTKClassifierCV, DaskNTKRegressor
from ntklib.solvers.nystrom import RowSums

from .helpers import KERNEL, SIZES, SOLVER, N, chunked, make_rows


@pytest.fixture(autouse=True)
def _one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def test_sums_are_sent_as_triangles():
    sent = {"sums": [], "merge": []}

    def look(key, result, *_):
        kind = key[0].split("-")[1] if isinstance(key, tuple) else ""
        if kind in sent:
            sent[kind].append(result)

    X, y = make_rows()
    with Callback(posttask=look):
        DaskNTKRegressor(KERNEL, solver=SOLVER).fit(chunked(X), chunked(y))
    for kind, count in (("sums", len(SIZES)), ("merge", len(SIZES) - 1)):
        assert all(isinstance(sums, RowSums) for sums in sent[kind])
        # a pass for the squares, and one without them, for residuals
        assert [sums.squares.shape for sums in sent[kind]].count((12 * 13 // 2,)) == count
        assert {sums.squares.shape for sums in sent[kind]} == {(12 * 13 // 2,), (0,)}


def test_tasks_take_one_thread_and_keep_memory(monkeypatch):
    """Threads of our loops and of BLAS in each call of the kernel by a task, and if memory is kept."""
    state = {"task": None, "kept": False}
    seen = set()

    @contextmanager
    def keeping():
        state["kept"] = True
        yield
        state["kept"] = False

    def kernel(X, Y):
        if state["task"] is not None:
            blas = {
                pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"
            }
            seen.add((state["task"], ntklib.get_threads(), *blas, state["kept"]))
        return KERNEL(X, Y)

    def begin(key, *_):
        name = key[0] if isinstance(key, tuple) else key
        state["task"] = name.split("-")[1] if name.startswith("ntklib") else name.split("-")[0]

    def end(*_):
        state["task"] = None

    monkeypatch.setattr("ntklib.dask._chunks.kept_memory", keeping)
    X, y = make_rows()
    Z = chunked(X)
    with ntklib.set_threads(2), Callback(pretask=begin, posttask=end):
        model = DaskNTKClassifier(kernel, solver=SOLVER).fit(Z, chunked(y > 0))
        model.predict(Z).compute()
    assert {one for one in seen if one[0] in ("sums", "values")} == {
        ("sums", 1, 1, True), ("values", 1, 1, True),
    }  # fmt: skip
    assert {one[1:3] for one in seen} == {(1, 1)}
    assert len({one[0] for one in seen}) > 2  # predictions as well


WEIGHTS = [{"a": 0.0, "b": 1.0, "c": 2.0}, {"a": 3, "b": 0, "c": 1}]


def labelled_rows():
    X, y = make_rows()
    return X, np.array(["a", "b", "c"])[np.digitize(y, [-0.7, 0.7])]


@pytest.mark.parametrize("class_weight", WEIGHTS, ids=str)
@pytest.mark.parametrize("weights", [None, [0, 1, 3]], ids=["none", "counts"])
def test_rows_of_classes_of_weight_0_are_as_if_absent(class_weight, weights):
    """The fit without them, but that their class is known; centres and temperature included."""
    X, labels = labelled_rows()
    w = np.ones(N) if weights is None else np.resize(np.array(weights, dtype=float), N)
    options = {"solver": SOLVER, "class_weight": class_weight}
    model = DaskNTKClassifier(KERNEL, **options)
    model.fit(chunked(X), chunked(labels), None if weights is None else chunked(w))
    local = NTKClassifier(KERNEL, **options).fit(X, labels, w)
    np.testing.assert_array_equal(model.classes_, local.classes_)
    kept = (w > 0) & (np.array([class_weight[label] for label in labels]) > 0)
    # one number is among all rows, the other among those of positive weight
    np.testing.assert_array_equal(np.flatnonzero(kept)[model.support_], local.support_)
    np.testing.assert_array_equal(model.X_fit_, local.X_fit_)
    assert model.temperature_ == pytest.approx(local.temperature_, rel=1e-9)
    np.testing.assert_allclose(model.predict_proba(chunked(X)), local.predict_proba(X), rtol=1e-7)


@pytest.mark.parametrize(
    "options", [{}, {"cv": "gcv"}, {"max_search_samples": None}, {"max_search_samples": N // 2}], ids=str
)
@pytest.mark.parametrize("two", [True, False], ids=["two", "three"])
def test_a_search_drops_classes_of_weight_0_as_in_memory(options, two):
    X, labels = labelled_rows()
    class_weight = WEIGHTS[0]
    if two:
        labels, class_weight = np.where(labels == "a", "a", "b"), {"a": 0, "b": 1.0}
    options = {"solver": SOLVER, "max_search_samples": 60, "alphas": [0.1, 1.0]} | options
    model = DaskNTKClassifierCV([KERNEL], class_weight=class_weight, **options)
    model.fit(chunked(X), chunked(labels))
    kept = labels != "a"
    local = NTKClassifierCV([KERNEL], class_weight=class_weight, **options).fit(X, labels)
    assert model.alpha_ == local.alpha_
    np.testing.assert_array_equal(np.flatnonzero(kept)[model.support_], local.support_)
    assert model.temperature_ == pytest.approx(local.temperature_, rel=1e-9)
    np.testing.assert_allclose(model.loo_path_.scores, local.loo_path_.scores, rtol=1e-9)
    np.testing.assert_allclose(model.predict_proba(chunked(X)), local.predict_proba(X), rtol=1e-7)


def test_a_chunk_of_the_size_of_a_block_has_the_bytes_of_memory_without_absent_classes():
    X, labels = labelled_rows()
    options = {"solver": SOLVER, "class_weight": WEIGHTS[0]}
    model = DaskNTKClassifier(KERNEL, **options).fit(chunked(X).rechunk(-1), chunked(labels).rechunk(-1))
    local = NTKClassifier(KERNEL, **options).fit(X, labels)
    assert model.dual_coef_.tobytes() == local.dual_coef_.tobytes()
    assert model.temperature_ == local.temperature_
    with pytest.raises(ValueError, match="no row of positive weight"):
        DaskNTKClassifier(class_weight={"a": 0, "b": 0, "c": 0}).fit(chunked(X), chunked(labels))
    for cls in (DaskNTKClassifier, NTKClassifier):
        with pytest.raises(ValueError, match="class_weight of 'b' must be a nonnegative number, got -1"):
            cls(class_weight={"b": -1}).fit(chunked(X), chunked(labels))
