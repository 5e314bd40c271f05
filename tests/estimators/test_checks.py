"""scikit-learn's own contract, without an expected failure."""

import io
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.gaussian_process.kernels import RBF, ConstantKernel
from sklearn.utils.estimator_checks import parametrize_with_checks

from ntklib.estimators import NTKClassifier, NTKClassifierCV, NTKRegressor, NTKRegressorCV
from ntklib.kernels import NTK, Laplace

ESTIMATORS = [NTKRegressor, NTKClassifier, NTKRegressorCV, NTKClassifierCV]


# Learning does the same for each kernel and penalty: one of each.
LEARNERS = [
    search(Laplace(2.0), [1.0], learn_features="diagonal") for search in (NTKRegressorCV, NTKClassifierCV)
]


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([*(estimator() for estimator in ESTIMATORS), *LEARNERS])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.standard_normal((40, 3)), rng.integers(0, 3, 40)


@pytest.mark.parametrize("make", ESTIMATORS)
def test_pickle_predicts_the_same(make, data):
    X, y = data
    model = make().fit(X, y)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(copy.predict(X), model.predict(X), rtol=1e-10)


def test_pickle_leaves_the_factor_behind(data):
    X, y = data
    model = NTKRegressor().fit(X, y)
    small = len(pickle.dumps(model))
    _, std = model.predict(X, return_std=True)
    buffer = io.BytesIO()
    pickle.dump(model, buffer)
    assert len(buffer.getvalue()) == small
    buffer.seek(0)
    np.testing.assert_allclose(pickle.load(buffer).predict(X, return_std=True)[1], std)


@pytest.mark.parametrize("make", ESTIMATORS)
def test_html_and_repr(make):
    assert make.__name__ in make()._repr_html_()
    assert repr(make()) == f"{make.__name__}()"


@pytest.mark.parametrize("make", ESTIMATORS)
def test_kernels_are_cloned_not_changed(make, data):
    X, y = data
    kernel = NTK(depth=2)
    model = make(kernel).fit(X, y)
    assert model.kernel_ is not kernel
    assert model.kernel_ == kernel
    assert clone(model).get_params() == make(kernel).get_params()


@pytest.mark.parametrize("make", ESTIMATORS)
def test_tags_follow_the_kernel(make):
    tags = make("precomputed").__sklearn_tags__().input_tags
    assert tags.pairwise
    assert not tags.sparse
    assert make().__sklearn_tags__().input_tags.sparse
    assert make(ConstantKernel() * NTK()).__sklearn_tags__().input_tags.sparse
    assert not make(NTK() + RBF()).__sklearn_tags__().input_tags.sparse
    assert not make(RBF()).__sklearn_tags__().input_tags.sparse
