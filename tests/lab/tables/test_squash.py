"""Squashed numbers: the formula, in a pipeline and in place."""

from dataclasses import replace

import numpy as np
import pytest

from ntklib.lab.tables import Schema, Squash, make_preprocessor, with_squash
from ntklib.lab.tables.squash import squash_columns

RNG = np.random.default_rng(0)
Z = RNG.standard_t(1, size=(200, 3))


def test_the_formula():
    squashed = Squash().fit_transform(Z)
    np.testing.assert_allclose(squashed, Z / np.sqrt(1 + (Z / 3) ** 2), rtol=1e-15)
    assert np.abs(squashed).max() <= 3
    np.testing.assert_allclose(squashed / np.sqrt(1 - (squashed / 3) ** 2), Z, rtol=1e-6)  # one to one


def test_columns_in_place_of_blocks_of_rows(monkeypatch):
    monkeypatch.setattr("ntklib.lab.tables.squash._ROWS", 7)
    X = Z.copy()
    assert squash_columns(X, slice(1, 3)) is X
    np.testing.assert_array_equal(X[:, 0], Z[:, 0])
    np.testing.assert_array_equal(X[:, 1:], Squash().fit_transform(Z[:, 1:]))


@pytest.mark.parametrize("impute", [None, "median"])
def test_a_fitted_preprocessor_that_learns_to_squash(impute):
    X = np.hstack([Z.astype(object), RNG.choice(["oak", "elm"], (200, 1)).astype(object)])
    if impute:
        X[3, 1] = np.nan
    schema = Schema((*"abct",), ("numeric",) * 3 + ("text",), impute)
    plain = make_preprocessor(schema).fit(X)
    before = plain.transform(X)
    ours, theirs = with_squash(plain), make_preprocessor(replace(schema, squash=True)).fit(X)
    np.testing.assert_array_equal(ours.transform(X), theirs.transform(X))
    np.testing.assert_array_equal(plain.transform(X), before)  # unchanged
    assert ours.get_params().keys() == theirs.get_params().keys()
    np.testing.assert_array_equal(ours.transform(X)[:, :3], Squash().fit_transform(before[:, :3]))
