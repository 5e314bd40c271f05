"""Another driver than the local one: the same blocks give the same bytes, and blocks may be the caller's."""

import pickle
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
from sklearn.base import clone

import ntklib
from ntklib import NNGP, NTK, NTKClassifier, NTKClassifierCV, NTKRegressor, NTKRegressorCV
from ntklib._core.threads import parallel_for
from ntklib.estimators.rows import RowView
from ntklib.solvers import CentreRows, Nystrom, RowSums, fold_sums
from ntklib.solvers.nystrom._sums import CHAIN, tree_sum

SOLVER = Nystrom(15, subset=200)
GRID = [NTK(bias_std=1.0), NNGP(bias_std=0.5)]
SEARCH = {"solver": SOLVER, "max_search_samples": 60, "alphas": [0.01, 1.0]}
MODELS = [
    NTKRegressor(solver=SOLVER, target_scale="fit"),
    NTKClassifier(solver=SOLVER),
    NTKRegressorCV(GRID, **SEARCH),
    NTKRegressorCV(GRID, **SEARCH, cv="gcv", store_held_out=True),
    NTKClassifierCV(GRID, **SEARCH),
]


class Workers(CentreRows):
    """A driver whose blocks are worked on out of order, each by itself, and whose sums are pickled."""

    def fold(self, add, zeros):
        def task(at):
            sums = zeros()
            add(sums, self.block(at))
            return pickle.dumps(sums)

        slices = list(self._slices())
        results = {at.stop: alone(partial(task, at)) for at in reversed(slices) if at.stop > at.start}
        return fold_sums([pickle.loads(results[at.stop]) if at.stop > at.start else zeros() for at in slices])

    def map(self, function, shape):
        parts = [alone(partial(function, self.block(at))) for at in reversed(list(self._slices()))]
        return np.concatenate(parts[::-1])


def alone(task):
    """Run a task with one BLAS thread, as workers do."""
    results = []
    parallel_for(lambda task: results.append(task()), [task])
    return results[0]


@dataclass(frozen=True)
class Elsewhere(RowView):
    elsewhere = True

    def driver(self, targets, weights, counts):
        return Workers(self, targets, weights, counts, blocks=self.blocks())


def data(n, dtype):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 3)).astype(dtype)
    X[7] = X[3]
    return X, X[:, 0] + X[:, 1] ** 2 > 1, rng.integers(0, 3, size=n)


def answers(model, new):
    values = [
        model.X_fit_,
        model.support_,
        model.dual_coef_,
        np.asarray(model.intercept_),
        model.predict(new),
    ]
    values += [np.asarray(getattr(model, name)) for name in ("alpha_", "best_score_") if hasattr(model, name)]
    if hasattr(model, "held_out_predictions_"):
        values.append(model.held_out_predictions_)
    if hasattr(model, "predict_proba"):
        return [*values, np.asarray(model.temperature_), model.predict_proba(new)]
    return [*values, np.asarray(model.target_scale_), model.predict(new, return_std=True)[1]]


def same(one, other, new):
    for a, b in zip(answers(one, new), answers(other, new), strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: f"{type(model).__name__}-{vars(model).get('cv')}")
def test_every_driver_gives_the_same_bytes(model, dtype):
    """Blocks of 1 row, of none, of more than 4,096, and more of them than a chain has."""
    X, y, weights = data(6000, dtype)
    if not hasattr(model, "predict_proba"):
        y = np.column_stack([y, X[:, 1] * X[:, 2]])
    ends = (1, 1, 30, 50, 4600, *range(4700, 6000, 150), 6000)
    with ntklib.set_threads(1):
        elsewhere = answers(model.fit(Elsewhere(X, ends=ends), y, weights), X[:50])
    with ntklib.set_threads(3):
        local = answers(model.fit(RowView(X, ends=ends), y, weights), X[:50])
    for one, other in zip(elsewhere, local, strict=True):
        assert one.tobytes() == other.tobytes()
    if dtype == np.float64:  # other blocks: equal to rounding
        plain = clone(model).set_params(solver=Nystrom(centers=model.X_fit_))
        plain.fit(X, y, weights)
        np.testing.assert_allclose(model.predict(X[:50]), plain.predict(X[:50]), rtol=1e-6, atol=1e-6)


def test_blocks_of_4096_rows_are_the_default():
    X, y, _ = data(6000, np.float32)
    X[7] += 1
    model = NTKClassifier(solver=SOLVER)
    same(model.fit(RowView(X, ends=(4096, 6000)), y), NTKClassifier(solver=SOLVER).fit(X, y), X[:50])
    with pytest.raises(ValueError, match="X has 2 features, but NTKClassifier is expecting 3"):
        model.predict(RowView(X[:, :2]))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(RowView(X), y[1:])


@pytest.mark.parametrize("n_blocks", [1, 2, CHAIN, CHAIN + 1, 5 * CHAIN + 3, 8 * CHAIN])
def test_folded_sums_are_those_of_the_tree(n_blocks):
    values = np.random.default_rng(n_blocks).normal(size=(n_blocks, 2, 2)) * 10.0 ** np.arange(-8, 8)[:2]

    def sums(value):
        return replace(RowSums.zeros(2, 1), squares=np.asfortranarray(np.tril(value)), n_rows=1)

    def add(total, value):
        total.merge(sums(value))

    parts = [sums(value) for value in values]
    got = fold_sums(parts)
    np.testing.assert_array_equal(got.squares, tree_sum(values, add, partial(RowSums.zeros, 2, 1)).squares)
    assert got.n_rows == n_blocks
    np.testing.assert_array_equal(parts[0].squares, np.tril(values[0]))  # not written to
