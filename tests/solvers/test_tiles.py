"""Features of tiles against the triangle written out."""

import numpy as np
import pytest
from scipy.linalg import solve_triangular

from ntklib import NTK
from ntklib.solvers.nystrom import _tiles
from ntklib.solvers.nystrom._basis import make_basis
from ntklib.solvers.nystrom._tiles import TileFeatures


@pytest.mark.parametrize("M", [40, 400])  # without and with columns left out of the solution
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-11), (np.float32, 2e-3)])
def test_features_of_tiles_of_any_size(M, dtype, tolerance):
    """Whitened in the end they are L^{-1} (k - means); memory is that of the tile before."""
    kernel, rng = NTK(depth=2, bias_std=0.5), np.random.default_rng(0)
    X = rng.standard_normal((M + 100, 30))
    basis = make_basis(kernel, kernel.diag, X[:M], centred=True)
    assert (basis.lead < M) == (M == 400)
    features = TileFeatures(basis, dtype)
    parts = []
    for rows in (slice(0, 50), slice(50, 130), slice(130, 140)):
        part = features(X[rows])
        assert part.dtype == dtype
        assert part.flags.f_contiguous
        parts.append(part.copy())
    assert np.shares_memory(part, features(X[:50]))
    got = np.hstack(parts).astype(np.float64)
    got[basis.lead :] = basis.rest @ got[basis.lead :]
    exact = solve_triangular(basis.triangle, (kernel(X[:140], basis.centres) - basis.means).T, lower=True)
    np.testing.assert_allclose(got, exact, atol=tolerance * np.abs(exact).max())


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_strips_do_not_change_features(dtype, monkeypatch):
    kernel, rng = NTK(bias_std=0.5), np.random.default_rng(1)
    X = rng.standard_normal((1400, 3)).astype(dtype)
    basis = make_basis(kernel, kernel.diag, X[:20], centred=True)
    whole = TileFeatures(basis, dtype)(X).copy()
    monkeypatch.setattr(_tiles, "KEPT", 0)  # strips of 512 rows
    tolerance = {np.float64: 1e-12, np.float32: 1e-4}[dtype]
    np.testing.assert_allclose(TileFeatures(basis, dtype)(X), whole, atol=tolerance * np.abs(whole).max())
