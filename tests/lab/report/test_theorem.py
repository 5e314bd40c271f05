"""The section on the lazy-training theorem: what is promised on some rows, and what the page says of it."""

import re

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.preprocessing import StandardScaler

import ntklib.lab.report._theorem as report
from ntklib import set_threads
from ntklib._core.files import plain
from ntklib.lab.report._format import large
from ntklib.lab.report._theorem import CONDITION, N_ROWS, LazyTraining, certify_rows

from .pages import render

X = np.random.default_rng(0).normal(size=(120, 5))
y = X[:, 0] * X[:, 1]


@pytest.fixture(scope="module", autouse=True)
def _narrow():
    """A sixteenth of the width: as much is certified, and sooner."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "WIDTH", 64)
        yield


@pytest.fixture(scope="module")
def found():
    return certify_rows(X, y, "regression", 3)


def test_promises_are_kept(found):
    assert isinstance(found, LazyTraining)
    assert (found.n_rows, found.n_candidates, found.n_repeated) == (N_ROWS, 120, 0)
    assert found.loss[0] == pytest.approx(found.residual**2 / 2)
    assert list(found.promises) == ["A", "A'"]
    for promise in found.promises.values():
        assert promise.scale_threshold < found.scale
        assert (found.loss <= promise.loss_bound * (1 + 1e-6)).all()
        assert found.distance <= promise.distance_bound
    first, sharper = found.promises.values()
    assert sharper.scale_threshold < first.scale_threshold
    assert sharper.certifying_width < first.certifying_width
    assert (sharper.loss_bound <= first.loss_bound).all()
    assert (found.linear_loss <= found.linear_loss_bound * (1 + 1e-6)).all()
    assert (found.run.loss <= found.run.loss_bound).all()
    assert found.run.loss_bound[-1] < 1e-3 * found.run.loss[0]
    assert found.loss[-1] < np.exp(-9) * found.loss[0]
    assert (found.sigma_max / found.sigma_min) ** 2 < 2 * CONDITION


def test_it_is_repeatable_at_any_number_of_threads(found):
    with set_threads(1):
        again = certify_rows(X, y, "regression", 3)
    assert plain(again) == plain(found)


def test_the_page_shows_numbers_and_pictures(found):
    html = render("theorem", theorem=found)
    assert html.count("<svg") == 2
    assert f"<b>{large(found.promises['A'].certifying_width)}</b>" in html
    assert f"{found.loss[-1]:.2g}" in html
    assert "step size" in html
    assert "gradient flow" in html
    assert "repeated rows" not in html
    assert re.search(r"&beta;</th><td class=\"number\">\d", html)
    assert render("theorem", theorem=None) is None


def test_repeated_rows_are_left_out_and_named():
    iris = load_iris()
    rows = StandardScaler().fit_transform(iris.data)
    labels = np.array(["ash", "beech", "cedar"])[iris.target]
    found = certify_rows(rows, labels, "classification", 0)
    assert found.n_repeated == 1
    assert found.n_rows >= 4
    assert (found.run.loss <= found.run.loss_bound).all()
    assert "repeated rows, 1 of the 150 looked at" in render("theorem", theorem=found)


@pytest.mark.parametrize(
    ("rows", "targets"),
    [
        (np.ones((30, 2)), np.arange(30.0)),  # one row only
        (np.zeros((30, 2)), np.arange(30.0)),
        (X[:30, :1], np.arange(30.0)),  # erf is odd: on a line through 0 rows hardly differ
        (X[:30], np.ones(30)),
    ],
    ids=["equal", "zero", "line", "constant"],
)
def test_few_rows_or_no_section(rows, targets):
    found = certify_rows(rows, targets, "regression", 0)
    assert found is None or (found.n_rows < N_ROWS and (found.loss <= found.promises["A"].loss_bound).all())


def test_large_widths_are_written_as_powers():
    assert large(98_000_000_000) == "10<sup>11</sup>"
