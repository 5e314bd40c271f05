"""Suprema of derivatives over intervals: against dense grids, and as bounds of how far functions change."""

from __future__ import annotations

import numpy as np
import pytest

from ntklib import kernels
from tests.theory.cases import ROUGH, SMOOTH


@pytest.mark.parametrize("sigma", SMOOTH, ids=repr)
def test_suprema_over_intervals(sigma):
    """Never below a dense grid, and no higher than the grid's spacing explains."""
    rng = np.random.default_rng(1)
    low = rng.uniform(-6, 5, size=300)
    high = low + rng.exponential(1.0, size=300) * rng.integers(0, 2, size=300)
    low[:3], high[:3] = [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]
    inside = low + np.linspace(0, 1, 4001)[:, None] * (high - low)
    inside = np.minimum(inside, high)
    first, second = sigma.derivative_bounds(low, high)
    for bound, values in ((first, sigma.derivative(inside)), (second, sigma.second_derivative(inside))):
        grid = np.abs(values).max(axis=0)
        assert np.all(grid <= bound * (1 + 1e-12))
        jump = (low <= 0) & (high >= 0)  # sigma_2'' jumps at 0, where the bound takes the larger side
        assert np.all((bound <= grid * (1 + 1e-4) + 1e-9) | jump)


@pytest.mark.parametrize("sigma", SMOOTH, ids=repr)
def test_suprema_bound_how_far_derivatives_change(sigma):
    """|sigma(a) - sigma(b)| and |sigma'(a) - sigma'(b)| over |a - b|: no derivative is used."""
    rng = np.random.default_rng(2)
    a, b = rng.uniform(-3, 3, size=(2, 4000))
    first, second = sigma.derivative_bounds(np.minimum(a, b), np.maximum(a, b))
    assert np.all(np.abs(sigma(a) - sigma(b)) <= first * np.abs(a - b) * (1 + 1e-9) + 1e-12)
    gap = np.abs(sigma.derivative(a) - sigma.derivative(b))
    assert np.all(gap <= second * np.abs(a - b) * (1 + 1e-9) + 1e-12)


@pytest.mark.parametrize("sigma", ROUGH, ids=repr)
def test_kinks_have_no_bound(sigma):
    first, second = sigma.derivative_bounds([-1.0, 1.0], [1.0, 2.0])
    assert np.all(np.isfinite(first))
    assert np.all(np.isinf(second))


def test_what_is_known_at_points_only():
    sigma = kernels.NumericalActivation(np.arctan, lambda z: 1 / (1 + z * z))
    with pytest.raises(ValueError, match="at points only"):
        sigma.derivative_bounds(0.0, 1.0)
