"""Products of small matrices in compiled loops, by the address of BLAS."""

import numpy as np
import pytest

from ntklib._core.blas import product_address
from ntklib._core.jit import compiled
from ntklib.solvers._band_loops import multiply


@compiled
def product(address, alpha, a, b, beta, c):
    multiply(address, alpha, a, b, beta, c)


@pytest.mark.compiled
@pytest.mark.parametrize("a_turned", [False, True])
@pytest.mark.parametrize("b_turned", [False, True])
def test_products_in_place(a_turned, b_turned):
    """Of matrices in others, rows or columns contiguous, of every small shape; around c nothing changes."""

    def matrix(m, n, turned):
        inside = rng.standard_normal((n + 3, m + 2) if turned else (m + 3, n + 2))[2:-1, 1:-1]
        whole = np.ascontiguousarray(inside)
        return [one.T if turned else one for one in (inside, whole)]

    rng = np.random.default_rng(0)
    for m, n, k in (*np.ndindex(4, 4, 4), (40, 70, 30)):
        for a, b in zip(matrix(m, k, a_turned), matrix(k, n, b_turned), strict=True):
            for alpha, beta in ((1.0, 0.0), (-2.0, 1.0), (1.0, 0.5)):
                outer = rng.standard_normal((m + 3, n + 2))
                expected, c = outer.copy(), outer[2:-1, 1:-1]
                expected[2:-1, 1:-1] = alpha * (a @ b) + beta * c
                product(product_address(), alpha, a, b, beta, c)
                np.testing.assert_allclose(outer, expected, atol=1e-13)
