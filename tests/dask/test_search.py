"""Choice of kernel and penalty on Dask collections: that of the same blocks in memory, to the last bit."""

import dask
import dask.array as da
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import KFold

from ntklib import NNGP, NTK, NTKClassifierCV, NTKRegressorCV
from ntklib.dask import DaskNTKClassifierCV, DaskNTKRegressorCV
from ntklib.dask._rows import RowSample
from ntklib.estimators.rows import RowView

from .helpers import SIZES, SOLVER, N, chunked, make_rows

GRID = [NTK(bias_std=1.0), NNGP(bias_std=0.5), NTK(depth=2)]
SEARCH = {
    "solver": SOLVER, "max_search_samples": 200, "alphas": [0.01, 1.0, 3.0], "store_held_out": True,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def in_memory(X):
    """The same rows in the same blocks."""
    return RowView(X, ends=tuple(np.cumsum(SIZES)))


def same(model, local):
    """Compare all that a search leaves."""
    names = "dual_coef_", "intercept_", "alpha_", "best_score_", "support_", "X_fit_", "held_out_predictions_"
    for name in names:
        assert np.asarray(getattr(model, name)).tobytes() == np.asarray(getattr(local, name)).tobytes()
    assert model.kernel_ == local.kernel_
    assert model.loo_path_.scores.tobytes() == local.loo_path_.scores.tobytes()
    for name in ("n_samples", "param_alpha", "mean_test_score", "rank_test_score"):
        assert model.cv_results_[name].tolist() == local.cv_results_[name].tolist()


@pytest.mark.parametrize(
    ("options", "dtype"),
    [
        ({}, np.float32),
        ({"cv": "gcv"}, np.float64),
        ({"alpha_per_target": True}, np.float64),
        ({"max_search_samples": None}, np.float64),
        ({"scoring": "r2"}, np.float64),
        ({"learn_features": "diagonal", "max_search_samples": 60}, np.float64),
        ({"learn_features": "diagonal", "max_search_samples": N // 2 + 1}, np.float64),
    ],
    ids=str,
)
def test_a_regression_is_that_of_the_same_blocks_in_memory(options, dtype):
    X, y = make_rows(dtype)
    Y = np.column_stack([y, 3 * X[:, 1] ** 2])
    model = DaskNTKRegressorCV(GRID, **SEARCH | options).fit(chunked(X), chunked(Y))
    local = NTKRegressorCV(GRID, **SEARCH | options).fit(in_memory(X), Y)
    same(model, local)
    assert model.target_scale_.tobytes() == local.target_scale_.tobytes()
    assert type(model.to_local()) is NTKRegressorCV
    np.testing.assert_allclose(model.predict(chunked(X)), local.predict(X), rtol=1e-5)


def test_the_default_grid_and_limits_are_those_of_the_same_blocks_in_memory():
    X, y = make_rows()
    options = SEARCH | {"alphas": [0.01], "max_search_samples": 60}
    model = DaskNTKRegressorCV(**options).fit(chunked(X), chunked(y))
    same(model, NTKRegressorCV(**options).fit(in_memory(X), y))
    far = 100 * X[:5]
    assert model.prediction_limits_.tolist() == model.to_local().prediction_limits_.tolist()
    np.testing.assert_allclose(
        model.prediction_limits_, [y.min() - 0.1 * np.ptp(y), y.max() + 0.1 * np.ptp(y)]
    )
    assert model.to_local().predict(far).max() <= model.prediction_limits_[1]


@pytest.mark.parametrize("weights", [None, [0, 1, 3], [0, 0.5, 1.3]], ids=["none", "counts", "importances"])
def test_a_classification_is_that_of_the_same_blocks_in_memory(weights):
    X, y = make_rows()
    labels = np.array(["a", "b", "c"])[np.digitize(y, [-0.7, 0.7])]
    w = None if weights is None else np.resize(np.array(weights, dtype=float), N)
    # "balanced" ones follow from sums of weights, whose last digits the order of additions decides
    options = SEARCH | {"class_weight": {"a": 2.0} if w is not None and (w % 1).any() else "balanced"}
    model = DaskNTKClassifierCV(GRID, **options)
    model.fit(chunked(X), chunked(labels), None if w is None else chunked(w))
    kept = np.ones(N, dtype=bool) if w is None else w > 0
    ends = np.concatenate([[0], np.cumsum(kept)])[np.cumsum(SIZES)]
    rows = RowView(X[kept], ends=tuple(ends))
    local = NTKClassifierCV(GRID, **options).fit(rows, labels[kept], None if w is None else w[kept])
    same(model, local)
    assert model.temperature_ == local.temperature_
    np.testing.assert_array_equal(model.predict(chunked(X)), local.predict(X))
    np.testing.assert_allclose(model.predict_proba(chunked(X)), local.predict_proba(X), rtol=1e-12)


@pytest.mark.parametrize("n_search", [60, N // 2 + 1])
def test_a_classification_with_learned_scales_is_that_of_the_same_blocks_in_memory(n_search):
    """On few rows of the search, whose penalty the others judge, and on too many."""
    X, y = make_rows()
    options = SEARCH | {"learn_features": "diagonal", "max_search_samples": n_search}
    model = DaskNTKClassifierCV(GRID[:1], **options).fit(chunked(X), chunked(y > 0))
    local = NTKClassifierCV(GRID[:1], **options).fit(in_memory(X), y > 0)
    same(model, local)
    assert model.temperature_ == local.temperature_


def test_rows_of_the_comparison_do_not_depend_on_the_chunks():
    X, y = make_rows()
    model = DaskNTKRegressorCV(GRID, **SEARCH)
    one = model.fit(chunked(X), chunked(y)).cv_results_["mean_test_score"]
    other = clone(model).fit(da.from_array(X, chunks=(100, 3)), da.from_array(y))
    np.testing.assert_array_equal(one, other.cv_results_["mean_test_score"])
    np.testing.assert_allclose(model.dual_coef_, other.dual_coef_, rtol=1e-6)


def test_scores_of_many_rows_are_of_a_draw(monkeypatch):
    X, y = make_rows()
    # limits are of the targets drawn
    options = SEARCH | {"max_search_samples": 50, "alphas": [1.0], "clip": False}
    every = DaskNTKRegressorCV(GRID[:1], **options).fit(chunked(X), chunked(y))
    monkeypatch.setattr("ntklib.dask._ridge.HELD_OUT", 400)
    some = DaskNTKRegressorCV(GRID[:1], **options).fit(chunked(X), chunked(y))
    assert every.loo_path_.n_samples == N
    np.testing.assert_array_equal(every.held_out_rows_, np.arange(N))
    held = every.held_out_predictions_[some.held_out_rows_]
    np.testing.assert_allclose(some.held_out_predictions_, held, rtol=1e-9)
    assert some.loo_path_.n_samples == 400
    np.testing.assert_allclose(some.loo_path_.scores, every.loo_path_.scores, rtol=0.3)
    assert not np.array_equal(some.loo_path_.scores, every.loo_path_.scores)
    # the sums, and so the fit, are of all rows
    assert some.dual_coef_.tobytes() == every.dual_coef_.tobytes()
    assert some.target_scale_ == every.target_scale_


def test_the_sample_is_read_once(monkeypatch):
    readings, read = [], RowSample._read

    def counting(self, numbers):
        readings.append(len(numbers))
        return read(self, numbers)

    monkeypatch.setattr(RowSample, "_read", counting)
    X, y = make_rows()
    DaskNTKRegressorCV(GRID, **SEARCH).fit(chunked(X), chunked(y))
    assert readings == [200, 300]  # the comparison, and the rows that centres are chosen among


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cv": 3}, "cv=3 needs all rows on one machine"),
        ({"cv": KFold(3)}, "needs all rows on one machine"),
        ({"cv": "loo"}, "cv must be"),
        ({"combine": "stack"}, "combine='stack' needs all rows on one machine"),
        ({"kernels": "precomputed"}, "precomputed"),
        ({"kernels": []}, "kernels is empty"),
        ({"solver": "cg"}, "solver must be 'auto', 'nystrom' or a Nystrom object"),
        ({"cv": "gcv", "scoring": "r2"}, "leave scoring=None"),
    ],
)
def test_what_needs_all_rows_in_one_place_is_refused(change, message):
    X, y = make_rows()
    with pytest.raises(ValueError, match=message):
        DaskNTKRegressorCV(**SEARCH | {"kernels": GRID} | change).fit(chunked(X), chunked(y))


def test_parameters_are_those_of_the_local_twin():
    assert DaskNTKRegressorCV().get_params() == NTKRegressorCV().get_params()
    assert DaskNTKClassifierCV().get_params() == NTKClassifierCV().get_params()
    model = DaskNTKRegressorCV(GRID, solver=SOLVER)
    assert clone(model).set_params(solver__n_centers=5).solver.n_centers == 5
    assert repr(DaskNTKClassifierCV(cv="gcv")) == "DaskNTKClassifierCV(cv='gcv')"
