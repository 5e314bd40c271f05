"""Whether numbers are squashed follows from what predicts left-out rows."""

import numpy as np
import pytest
from sklearn.model_selection import LeaveOneOut, cross_val_predict

from ntklib import NTK, NTKRegressor
from ntklib.lab.squash_search import LARGE, _error, squash_helps

RNG = np.random.default_rng(0)
N = 150


def heavy():
    X = RNG.standard_t(1.2, size=(N, 3))
    return (X - X.mean(axis=0)) / X.std(axis=0), np.sign(X) * np.log1p(np.abs(X))


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_heavy_tails_are_drawn_in_where_the_answer_is(task):
    X, inner = heavy()
    y = inner[:, 0] + inner[:, 1] + 0.1 * RNG.normal(size=N)
    assert squash_helps(task, X, y if task == "regression" else np.where(y > 0, "a", "b"), slice(0, 3))


def test_large_numbers_that_say_most_are_kept():
    X, _ = heavy()
    assert not squash_helps("regression", X, X @ [1.0, 2.0, -1.0], slice(0, 3))


def test_nothing_is_compared_where_there_is_nothing_to_draw_in(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError

    monkeypatch.setattr("ntklib.lab.squash_search._error", refuse)
    X = RNG.uniform(-1.7, 1.7, size=(N, 2))
    assert not squash_helps("regression", X, X[:, 0], slice(0, 2))
    far = np.hstack([X, np.full((N, 1), 2 * LARGE)])  # of text columns, say
    assert not squash_helps("regression", far, X[:, 0], slice(0, 2))
    assert not squash_helps("regression", 9 * X, np.ones(N), slice(0, 2))
    assert not squash_helps("regression", 9 * X, X[:, 0], slice(0, 0))
    with pytest.raises(AssertionError):
        squash_helps("regression", 9 * X, X[:, 0], slice(0, 2))


def test_the_error_is_that_of_refits():
    X, _ = heavy()
    X, y = X[:12], np.stack([X[:12, 0], np.sin(X[:12, 1])], axis=1)
    kernel = NTK(depth=3, weight_std=2**0.5, bias_std=1.0, input_scaling="fan_in")
    errors = []
    for penalty in kernel.diag(X).mean() * np.logspace(1, -6, 15):
        model = NTKRegressor(kernel, alpha=penalty)
        errors.append(np.mean((y - cross_val_predict(model, X, y, cv=LeaveOneOut())) ** 2))
    assert _error(X, y) == pytest.approx(min(errors), rel=1e-6)
