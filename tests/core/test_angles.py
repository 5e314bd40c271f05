"""Angles and cosines of rows and kernels."""

import numpy as np

from ntklib._core.angles import cosines, data_angles


def test_angles_of_rows():
    norm, shares = data_angles(np.array([[2.0, 0.0], [0.0, 2.0], [0.0, 0.0]]), n_bins=4)
    assert norm == 2
    assert shares.tolist() == [0, 0, 1, 0]
    assert data_angles(np.zeros((2, 2)), n_bins=2)[1].tolist() == [0.5, 0.5]


def test_cosines_leave_zero_rows_alone():
    np.testing.assert_array_equal(cosines(np.diag([4.0, 0.0])), np.diag([1.0, 0.0]))
