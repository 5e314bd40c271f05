"""What drives the predictions: importance by shuffling and partial dependence, against formulas."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.inspection import permutation_importance as shuffled_by_scikit_learn
from sklearn.linear_model import LogisticRegression

import ntklib.lab.report._importance as importance_module
from ntklib.lab.report._dependence import MAX_TEXTS, N_VALUES, partial_dependence
from ntklib.lab.report._importance import permutation_importance
from ntklib.lab.tables import Schema, Table, make_preprocessor

from .pages import render

RNG = np.random.default_rng(0)


class Formula:
    """A model that is a function of the rows."""

    def __init__(self, function):
        self.predict = function


def importance(model, X, y, inputs=None, task="regression"):
    inputs = inputs or {f"x{j}": np.array([j]) for j in range(X.shape[1])}
    return permutation_importance(model, task, (X, y), (X, y), inputs, 0)


def test_shuffling_a_column_costs_twice_its_share_of_the_variance():
    X = RNG.normal(size=(800, 3))
    y = 3 * X[:, 0] + X[:, 1] + RNG.normal(size=800)
    result = importance(Formula(lambda X: 3 * X[:, 0] + X[:, 1]), X, y)
    assert result.columns == ("x0", "x1", "x2")
    assert (result.measure, result.n_rows, result.n_repeats, result.n_left_out) == ("R²", 800, 10, 0)
    # E (f(x') - f(x))^2 = 2 var f for independent x' and x, over var y = 11
    np.testing.assert_allclose(result.cost[:2], [18 / 11, 2 / 11], rtol=0.15)
    assert result.cost[2] == result.low[2] == result.high[2] == 0
    assert (result.low[:2] < [18 / 11, 2 / 11]).all()
    assert (result.high[:2] > [18 / 11, 2 / 11]).all()


def test_inputs_of_one_column_are_shuffled_together():
    X = np.repeat(np.eye(2), 200, axis=0)
    y = X[:, 0]
    both = importance(Formula(lambda X: X[:, 0] * X[:, 1] + X[:, 0]), X, y, {"kind": np.array([0, 1])})
    # half of the rows get the other kind; none gets both or neither, which would cost more
    np.testing.assert_allclose(both.cost, [0.5 / 0.25], rtol=0.2)


def test_the_log_loss_of_a_classifier_against_scikit_learn():
    X = RNG.normal(size=(400, 3))
    y = np.where(2 * X[:, 0] - X[:, 1] + RNG.logistic(size=400) > 0, "yes", "no")
    model = LogisticRegression().fit(X, y)
    result = importance(model, X, y, task="classification")
    theirs = shuffled_by_scikit_learn(
        model, X, y, scoring="neg_log_loss", n_repeats=10, random_state=1
    ).importances_mean
    assert result.measure == "log-loss"
    np.testing.assert_allclose(result.cost, np.sort(theirs)[::-1], rtol=0.1, atol=0.005)


def test_work_is_bounded_by_rows_shuffles_and_columns(monkeypatch):
    X = RNG.normal(size=(300, 8))
    y = X[:, 5] + 0.1 * X[:, 2]
    seen = []

    def predict(X):
        seen.append(len(X))
        return X[:, 5] + 0.1 * X[:, 2]

    for work, expected in ((1e9, (300, 10, 0)), (2e6, (300, 2, 0)), (4e5, (166, 1, 0)), (6e4, (100, 1, 6))):
        monkeypatch.setattr(importance_module, "WORK", work)
        result = importance(Formula(predict), X, y)
        assert (result.n_rows, result.n_repeats, result.n_left_out) == expected
        assert result.columns[0] == "x5"
    assert set(result.columns) == {"x5", "x2"}  # those that say most taken alone


def table(**columns):
    values = tuple(
        np.array(cells) if cells[0] != str(cells[0]) else np.array(cells, dtype=object)
        for cells in columns.values()
    )
    return Table("t", tuple(columns), values, np.arange(len(values[0])))


def dependence(column, data, function, kinds, classes=None):
    schema = Schema(tuple(kinds), tuple(kinds.values()), "median")
    preprocessor = make_preprocessor(schema).fit(schema.encode_block(data))

    def raw(X):  # undo the preprocessing of the numbers, which come first
        scaler = preprocessor.named_transformers_["numeric"][1]
        width = len(scaler.mean_)
        return np.hstack([X[:, :width] * scaler.scale_ + scaler.mean_, X[:, width:]])

    model = SimpleNamespace(predict=lambda X: function(raw(X)))
    if classes is not None:
        model.predict_proba, model.classes_ = model.predict, np.array(classes)
    return partial_dependence(column, schema, preprocessor, model, data, data.take(np.arange(20)))


def test_dependence_is_the_mean_over_rows_with_one_column_set():
    data = table(a=RNG.normal(size=90).tolist(), b=RNG.normal(size=90).tolist())
    a, b = (data.column(name)[:20] for name in "ab")
    result = dependence("a", data, lambda X: X[:, 0] ** 2 * X[:, 1] + X[:, 1], dict.fromkeys("ab", "numeric"))
    assert result.labels is None
    assert len(result.values) == N_VALUES
    low, high = np.quantile(data.column("a"), [0.02, 0.98])
    np.testing.assert_allclose(result.values[[0, -1]], [low, high])
    np.testing.assert_allclose(result.curves["mean prediction"], (result.values**2 + 1) * b.mean())
    assert not np.allclose(a, result.values[0])


def test_dependence_on_texts_and_gaps():
    texts = [f"t{i % 10}" for i in range(95)]
    data = table(a=[np.nan, *range(94)], b=texts)
    result = dependence("b", data, lambda X: X[:, 1] + X[:, 0] * 0, {"a": "numeric", "b": "text"})
    assert result.labels == tuple(f"t{i}" for i in range(MAX_TEXTS))
    np.testing.assert_allclose(result.curves["mean prediction"], [1, *[0] * (MAX_TEXTS - 1)], atol=1e-12)
    assert dependence("a", table(a=[2.0] * 30), lambda X: X[:, 0], {"a": "numeric"}) is None


def test_classes_that_change_most_are_drawn():
    data = table(a=np.linspace(0, 1, 40).tolist())

    def shares(X):
        a = X[:, :1]
        return np.hstack([0.1 + 0 * a, 0.4 * a, 0.3 - 0.3 * a, 0.2 - 0.1 * a, 0.4 + 0 * a])

    result = dependence("a", data, shares, {"a": "numeric"}, classes=[*"vwxyz"])
    assert list(result.curves) == [*"wxy"]
    two = dependence("a", data, lambda X: np.hstack([1 - X, X]), {"a": "numeric"}, classes=["no", "yes"])
    assert list(two.curves) == ["yes"]
    np.testing.assert_allclose(two.curves["yes"], two.values)


@pytest.mark.parametrize("measure", ["R²", "log-loss"])
def test_the_section_names_what_matters_beyond_chance(measure):
    result = SimpleNamespace(
        measure=measure,
        columns=("a<b", "c$x$", "d"),
        cost=np.array([0.5, 0.1, 0.0]),
        low=np.array([0.4, 0.01, -0.1]),
        high=np.array([0.6, 0.2, 0.1]),
        n_rows=100,
        n_repeats=3,
        n_left_out=2,
    )
    data = SimpleNamespace(task="regression", target="y")
    ours = SimpleNamespace(title="kernel machine")
    html = render("drivers", importance=result, dependences=(), data=data, ours=ours)
    assert "2 of 3 columns looked at\nmatter beyond chance" in html
    assert "<b>a&lt;b</b>, <b>c$x$</b>." in html
    assert "2 columns that say least" in html
    assert render("drivers", importance=None, dependences=(), data=data, ours=ours) is None
