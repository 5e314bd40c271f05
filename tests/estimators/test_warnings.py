"""Warnings name the line of the caller, however deep they arise."""

import inspect
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import ntklib.solvers.solver
from ntklib import (
    NTK,
    ArcCosineFeatures,
    NTKClassifier,
    NTKClassifierCV,
    NTKRegressor,
    NTKRegressorCV,
    NystromFeatures,
)
from ntklib.estimators import ScaleWarning
from ntklib.solvers import ApproximationWarning, ConjugateGradient, IllConditionedWarning, Nystrom

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 2))
Y = X[:, 0] + X[:, 1] ** 2
LABELS = X[:, 0] > 0
GRID = [NTK(bias_std=1.0)]
STREAM = Nystrom(n_centers=5, n_init=20)
BLIND = NTK(bias_std=0.0)


def auto(model, labels=Y):
    return ApproximationWarning, lambda: model.fit(X, labels)


CASES = {
    "regressor": auto(NTKRegressor()),
    "classifier": auto(NTKClassifier(), LABELS),
    "regressor search": auto(NTKRegressorCV(GRID)),
    "classifier search": auto(NTKClassifierCV(GRID), LABELS),
    "pipeline": auto(make_pipeline(FunctionTransformer(), NTKRegressor())),
    "cross-validation": (ApproximationWarning, lambda: cross_val_score(NTKRegressor(), X, Y, cv=2)),
    "scale": (ScaleWarning, lambda: NTKRegressor().fit(1e3 * X, Y)),
    "scale of a stream": (ScaleWarning, lambda: NTKRegressor(solver=STREAM).partial_fit(1e3 * X, Y)),
    "scale of a stream, classes": (
        ScaleWarning,
        lambda: NTKClassifier(solver=STREAM).partial_fit(1e3 * X, LABELS, classes=[0, 1]),
    ),
    "singular": (IllConditionedWarning, lambda: NTKRegressor(alpha=0, solver="cholesky").fit(0 * X, Y)),
    "not converged": (
        ConvergenceWarning,
        lambda: NTKRegressor(alpha=1e-6, solver=ConjugateGradient(1, max_iter=1)).fit(X, Y),
    ),
    "one feature": (UserWarning, lambda: NTKRegressor(BLIND, solver="cholesky").fit(X[:, :1], Y)),
    "one feature on centres": (UserWarning, lambda: NTKRegressor(BLIND, solver=STREAM).fit(X[:, :1], Y)),
    "one feature of a stream": (
        UserWarning,
        lambda: NTKRegressor(BLIND, solver=STREAM).partial_fit(X[:, :1], Y),
    ),
    "features on centres": (UserWarning, lambda: NystromFeatures(BLIND, 3).fit_transform(X[:, :1])),
    "drawn features": (UserWarning, lambda: ArcCosineFeatures(1, 3).fit(X[:, :1])),
}


@pytest.mark.parametrize(("category", "call"), CASES.values(), ids=CASES)
def test_a_warning_is_at_the_callers_line(monkeypatch, category, call):
    monkeypatch.setattr(ntklib.solvers.solver, "EXACT_ROWS", 10)
    monkeypatch.setattr(ntklib.solvers.solver, "EXACT_SEARCH_ROWS", 10)
    with pytest.warns(category) as caught:
        call()
    lines, start = inspect.getsourcelines(call)
    ours = [one for one in caught if issubclass(one.category, category)]
    assert ours
    for one in ours:
        assert one.filename == __file__
        assert start <= one.lineno < start + len(lines)


def test_the_callers_line_can_be_silenced_or_raised():
    with warnings.catch_warnings():
        warnings.filterwarnings("error", category=ScaleWarning, module=__name__)
        with pytest.raises(ScaleWarning):
            NTKRegressor().fit(1e3 * X, Y)


@pytest.mark.parametrize("model", [NTKRegressor, NTKRegressorCV])
def test_a_kernel_beyond_the_floats_is_refused_without_a_warning_of_numpy(model, recwarn):
    kernel = NTK(activation="exp", depth=3, bias_std=1.0)
    for rows in (X, X[:, :1], np.ones((60, 2))):
        with pytest.raises(ValueError, match="the Gram matrix contains NaN or infinity"):
            model(kernel).fit(rows, Y)
    assert not recwarn
