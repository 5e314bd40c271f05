"""The section on what training ends at: the chosen kernel on rows of two classes, and on a number."""

import numpy as np
import pytest

from ntklib import NTK
from ntklib.lab.report._bias import N_ROWS, follow

RNG = np.random.default_rng(0)
X = RNG.normal(size=(150, 4))


def test_classes():
    y = np.array(["ash", "beech", "cedar"])[(X[:, 0] > -0.4).astype(int) + (X[:, 0] > 1.5)]
    found = follow(NTK(), X, y, "classification", 0.5, 0)
    assert found.classes == ("ash", "beech")
    assert found.n_rows == N_ROWS
    assert found.penalty == pytest.approx(0.5 * N_ROWS / np.isin(y, ["ash", "beech"]).sum())
    path = found.margin
    assert path.distance[-1] * 1000 == pytest.approx(path.expected_distance[-1] * 1000, rel=0.1)
    assert path.share.shape == (len(path.log_time), N_ROWS)
    assert found.influence.corrected_error < 1e-9
    again = follow(NTK(), X, y, "classification", 0.5, 0)
    np.testing.assert_array_equal(again.margin.gap, path.gap)


def test_a_number():
    found = follow(NTK(), X[:30], X[:30, 0] * 100 + 7, "regression", 0.0, 0)
    assert found.margin is None
    assert found.classes is None
    assert found.n_rows == 30
    assert found.penalty > 0  # none was chosen: as little as can be solved with
    changes = found.influence
    np.testing.assert_allclose(changes.corrected, changes.actual, rtol=1e-5, atol=1e-8)


def test_classes_that_the_kernel_does_not_separate():
    twice = np.repeat(X[:20], 2, axis=0)
    found = follow(NTK(), twice, np.tile([0, 1], 20), "classification", 0.1, 0)
    assert found.margin is None
    assert found.classes is None
