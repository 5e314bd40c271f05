"""Features of tiles against the triangle written out."""

import numpy as np
import pytest
from scipy.linalg import solve_triangular

from ntklib import NTK
from ntklib.solvers.nystrom._basis import make_basis
from ntklib.solvers.nystrom._tiles import TileFeatures


@pytest.mark.parametrize("M", [40, 400])  # without and with columns left out of the solution
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-11), (np.float32, 2e-3)])
def test_features_of_a_tile_stay_when_the_next_is_computed(M, dtype, tolerance):
    """And whitened in the end they are L^{-1} (k - means), whatever the sizes of the tiles."""
    kernel, rng = NTK(depth=2, bias_std=0.5), np.random.default_rng(0)
    X = rng.standard_normal((M + 100, 30))
    basis = make_basis(kernel, kernel.diag, X[:M], centred=True)
    assert (basis.lead < M) == (M == 400)
    features = TileFeatures(basis, dtype)
    parts = [features(X[rows]) for rows in (slice(0, 50), slice(50, 130), slice(130, 140))]
    assert all(part.dtype == dtype and part.flags.f_contiguous for part in parts)
    got = np.hstack(parts).astype(np.float64)
    got[basis.lead :] = basis.rest @ got[basis.lead :]
    exact = solve_triangular(basis.triangle, (kernel(X[:140], basis.centres) - basis.means).T, lower=True)
    np.testing.assert_allclose(got, exact, atol=tolerance * np.abs(exact).max())
