"""Fitted models are their own: whoever lent them arrays may use the memory again."""

from typing import ClassVar

import numpy as np
import pandas
import pytest
import sklearn
from scipy import sparse
from sklearn.gaussian_process.kernels import RBF

from ntklib.estimators import (
    NetworkClassifier,
    NetworkRegressor,
    NTKClassifier,
    NTKClassifierCV,
    NTKRegressor,
    NTKRegressorCV,
    TangentClassifier,
    TangentClassifierCV,
    TangentFeatures,
    TangentRegressor,
    TangentRegressorCV,
)
from ntklib.kernels import NTK
from ntklib.networks import EmpiricalNTK, Params, TwoLayerNet

NET, KERNEL = TwoLayerNet(8), NTK(bias_std=1.0)
ESTIMATORS = [
    NTKRegressor(KERNEL),
    NTKClassifier(KERNEL),
    NTKRegressorCV(KERNEL, [0.1, 1.0]),
    NTKClassifierCV(KERNEL, [0.1, 1.0]),
    NTKRegressor(lambda A, B: KERNEL(A, B)),
    *(kind(kernel=KERNEL, max_iter=5) for kind in (TangentRegressor, TangentClassifier)),
    *(kind(NET, max_iter=5, random_state=0) for kind in (TangentRegressor, TangentClassifier)),
    *(
        kind(kernel=KERNEL, max_iters=[1, 5], random_state=0)
        for kind in (TangentRegressorCV, TangentClassifierCV)
    ),
    *(kind(NET, max_iter=5, random_state=0) for kind in (NetworkRegressor, NetworkClassifier)),
]


def answers(model, new):
    """All that a fitted model can be asked."""
    names = ("decision_function", "predict_proba", "staged_predict", "staged_decision_function")
    found = [model.predict(new)] + [getattr(model, name)(new) for name in names if hasattr(model, name)]
    if isinstance(model, NTKRegressor | NTKRegressorCV):
        found += model.predict(new, return_std=True)
    return [np.array(list(values)) for values in found]


def data(form):
    rng = np.random.default_rng(0)
    X, y, w = rng.standard_normal((20, 3)), rng.integers(0, 2, 20).astype(float), rng.uniform(1, 2, 20)
    new = rng.standard_normal((4, 3))
    if form == "whole weights":
        w = np.ceil(w)
    if form == "single":
        X, new = X.astype(np.float32), new.astype(np.float32)
    if form == "sparse":
        X[X < 0] = 0
        X, new = sparse.csr_array(X), sparse.csr_array(new)
    return X, y, w, new


@pytest.mark.parametrize("form", ["dense", "single", "sparse", "whole weights", "column order"])
@pytest.mark.parametrize("model", ESTIMATORS, ids=lambda model: str(model)[:40])
def test_arrays_lent_to_fit_may_be_used_again(model, form):
    X, y, w, new = data(form)
    if form == "column order":
        X = np.asfortranarray(X)
    model.fit(X, y, w)
    before = answers(model, new)
    (X.data if sparse.issparse(X) else X)[:] = 7
    if sparse.issparse(X):
        X.indices[:] = 0
    y[:], w[:] = 1 - y, 0.01
    if hasattr(model, "_variance_factor"):
        model._variance_factor = None  # as after pickling
    for a, b in zip(before, answers(model, new), strict=True):
        np.testing.assert_array_equal(a, b)


def test_frames_too():
    X, y, w, new = data("dense")
    frame = pandas.DataFrame(X.copy(), columns=list("abc"), copy=False)
    model = NTKRegressor(KERNEL).fit(frame, y, w)
    before = model.predict(pandas.DataFrame(new, columns=list("abc")))
    frame.iloc[:] = 7.0
    np.testing.assert_array_equal(model.predict(pandas.DataFrame(new, columns=list("abc"))), before)


@pytest.mark.parametrize(
    "model", [TangentRegressor(kernel="precomputed", max_iter=5), NTKRegressor("precomputed")], ids=repr
)
def test_a_gram_matrix_may_be_used_again(model):
    X, y, w, new = data("dense")
    K, cross = KERNEL(X), KERNEL(new, X)
    model.fit(K, y, w)
    names = ["predict"] + ["staged_predict"] * hasattr(model, "staged_predict")
    before = [list(getattr(model, name)(cross)) for name in names]
    kept = K.copy()
    K[:] = 7
    np.testing.assert_array_equal([list(getattr(model, name)(cross)) for name in names][-1], before[-1])
    np.testing.assert_array_equal(model.X_fit_, kept)


def test_going_on_leaves_the_first_samples_behind():
    X, y, _, new = data("dense")
    ours, theirs = (
        TangentRegressor(kernel=KERNEL, max_iter=5, warm_start=True).fit(A, y) for A in (X, X.copy())
    )
    second = X + 1
    X[:] = 7
    np.testing.assert_array_equal(ours.fit(second, y).predict(new), theirs.fit(second.copy(), y).predict(new))


def test_parameters_of_networks_are_copied_even_from_read_only_memory():
    X, y, _, new = data("dense")
    drawn = NET.init(3, 0)
    arrays = {name: np.array(array) for name, array in drawn.items()}
    for array in arrays.values():
        array.flags.writeable = False
    params = Params(arrays)
    model = NTKRegressor(EmpiricalNTK(NET, params)).fit(X, y)
    features = TangentFeatures(NET, params=params).fit(X)
    before = model.predict(new), features.transform(new)
    for array in arrays.values():
        array.flags.writeable = True
        array[:] = 7
    np.testing.assert_array_equal(model.predict(new), before[0])
    np.testing.assert_array_equal(features.transform(new), before[1])
    assert params == drawn


def test_penalties_and_intercept_are_those_of_the_fit():
    X, y, _, new = data("dense")
    alpha = np.array([0.1, 1.0])
    model = NTKRegressor(KERNEL, alpha=alpha).fit(X, np.column_stack([y, X[:, 0]]))
    before = model.predict(new, return_std=True)[1]
    alpha[:] = 100
    model.set_params(fit_intercept=False)
    model._variance_factor = None
    np.testing.assert_array_equal(model.predict(new, return_std=True)[1], before)


class Remembering(RBF):
    """A kernel that computes no matrix twice."""

    known: ClassVar[dict] = {}

    def __call__(self, X, Y=None, eval_gradient=False):
        key = X.tobytes(), None if Y is None else Y.tobytes()
        return self.known.setdefault(key, super().__call__(X, Y))


@pytest.mark.parametrize("make", [NTKRegressor, lambda kernel: NTKRegressorCV(kernel, [0.1, 1.0])])
def test_what_a_kernel_keeps_is_not_written_to(make):
    X, y, _, new = data("dense")
    Remembering.known.clear()
    expected = make(RBF()).fit(X, y).predict(new)
    for _ in range(2):
        np.testing.assert_array_equal(make(Remembering()).fit(X, y).predict(new), expected)


def test_tangent_models_predict_as_they_were_fitted():
    X, labels, _, new = data("dense")
    y = X[:, 0]
    weights = np.where(np.arange(len(y)) == 0, 0.0, 1.0)
    model = TangentRegressor(kernel="precomputed", max_iter=5).fit(KERNEL(X), y, weights)
    before = model.predict(KERNEL(new, X))
    np.testing.assert_array_equal(model.set_params(kernel=KERNEL).predict(KERNEL(new, X)), before)
    model = TangentRegressor(kernel=KERNEL, max_iter=5).fit(X, y, weights)
    before = model.predict(new)
    np.testing.assert_array_equal(model.set_params(kernel="precomputed").predict(new), before)
    model = TangentClassifier(kernel=KERNEL, loss="squared_error", max_iter=5).fit(X, labels)
    assert not hasattr(model.set_params(loss="log_loss"), "predict_proba")
    model.fit(X, labels)
    before = model.predict_proba(new)
    np.testing.assert_array_equal(model.set_params(loss="squared_error").predict_proba(new), before)


@pytest.mark.parametrize("make", [NTKRegressor, TangentRegressor])
def test_new_rows_come_in_batches(make):
    """As many at once as the kernel with all samples has room for in the working memory."""
    rng = np.random.default_rng(0)
    X, y, new = rng.standard_normal((64, 3)), rng.standard_normal(64), rng.standard_normal((25, 3))
    sizes = []

    def kernel(A, B):
        if len(B) == 64:
            sizes.append(len(A))
        return KERNEL(A, B)

    model = make(kernel=kernel).fit(X, y)
    asked = [{}, {"return_std": True}] if make is NTKRegressor else [{}]
    for options in asked:
        whole = model.predict(new, **options)
        sizes.clear()
        with sklearn.config_context(working_memory=10 * 64 * 8 / 2**20):
            np.testing.assert_allclose(model.predict(new, **options), whole, rtol=1e-12)
        assert sizes == [10, 10, 5] * (1 + len(options))
