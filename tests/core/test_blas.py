"""Routines called by their addresses: the bytes of SciPy's wrappers, without Python's lock."""

import sys
import threading

import numpy as np
import pytest
from scipy.linalg import cholesky_banded
from scipy.linalg.blas import dsyrk, dtrsm, ssyrk, strsm
from scipy.linalg.lapack import dgeqrt, dpbtrf, dpocon, dpotrf, dpotrs, spocon, spotrf, spotrs

from ntklib._core.blas import (
    add_square,
    factor_band,
    factor_columns,
    factor_definite,
    reciprocal_condition,
    solve_factored,
    solve_lower,
)
from ntklib._core.threads import set_threads

SHAPES = [(1, 1), (3, 5), (40, 7), (130, 300)]


def arrays(m, n, dtype):
    rng = np.random.default_rng(m)
    a = np.asfortranarray(rng.standard_normal((m, n)), dtype=dtype)
    triangle = np.asfortranarray(np.tril(rng.standard_normal((m, m)), -1) / m + 2 * np.eye(m), dtype=dtype)
    return a, triangle + np.asfortranarray(np.triu(np.full((m, m), np.nan), 1), dtype=dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_bytes_are_those_of_scipy(shape, dtype):
    single = dtype == np.float32
    a, triangle = arrays(*shape, dtype)
    with set_threads(1):
        total = np.asfortranarray(np.tril(np.ones((len(a),) * 2)), dtype=dtype)
        expected = (ssyrk if single else dsyrk)(1.0, a, 1.0, total.copy(order="F"), lower=1)
        add_square(a, total)
        np.testing.assert_array_equal(total, expected)
        np.testing.assert_allclose(
            np.tril(total), np.tril(a @ a.T + 1), rtol=1e-4 if single else 1e-12, atol=1e-4
        )
        solved = a.copy(order="F")
        solve_lower(triangle, solved)
        np.testing.assert_array_equal(solved, (strsm if single else dtrsm)(1.0, triangle, a, lower=1))
        np.testing.assert_allclose(np.tril(triangle) @ solved, a, atol=1e-5 if single else 1e-13)


@pytest.mark.parametrize("shape", [*SHAPES, (300, 64), (64, 64), (7, 64)])
def test_columns_are_factored_by_reflections(shape):
    a, _ = arrays(*shape, np.float64)
    size = min(shape)
    packed, T = a.copy(order="F"), np.full((size, size), np.nan, order="F")
    with set_threads(1):
        factor_columns(packed, T)
        expected, their_T, _ = dgeqrt(size, a)
    np.testing.assert_array_equal(packed, expected)
    np.testing.assert_array_equal(np.triu(T), np.triu(their_T[:, :size]))
    V = np.tril(packed[:, :size], -1) + np.eye(*packed[:, :size].shape)
    Q = np.eye(len(a)) - V @ np.triu(T) @ V.T
    np.testing.assert_allclose(Q.T @ Q, np.eye(len(a)), atol=1e-13)
    np.testing.assert_allclose(Q @ np.triu(packed), a, atol=1e-12)


@pytest.mark.parametrize(("width", "n"), [(0, 3), (2, 9), (5, 3), (64, 200)])
def test_a_band_has_a_cholesky_factor_if_it_is_definite(width, n):
    band = np.asfortranarray(np.random.default_rng(0).uniform(-1, 1, (width + 1, n)))
    band[0] = 2 * width + 1
    factor = band.copy(order="F")
    with set_threads(1):
        assert factor_band(factor)
        np.testing.assert_array_equal(factor, cholesky_banded(band, lower=True))
    below = np.subtract.outer(np.arange(n), np.arange(n))
    inside = (below >= 0) & (below <= width)
    A, L = (np.where(inside, one[np.where(inside, below, 0), np.arange(n)], 0.0) for one in (band, factor))
    np.testing.assert_allclose(np.tril(L @ L.T), A, atol=1e-13 * (width + 1))
    band[0, n // 2] = -1.0
    assert not factor_band(band)
    assert factor_band(np.ones((1, 0), order="F"))
    for wrong in (np.ones((2, 4)), np.ones((2, 4), order="F")[:, ::2]):
        with pytest.raises(ValueError, match="Fortran order"):
            factor_band(wrong)
    with pytest.raises(TypeError, match="must be float64"):
        factor_band(np.ones((2, 4), np.float32, order="F"))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "k"), [(1, 1), (5, 3), (130, 1), (300, 7)])
def test_definite_systems_have_the_bytes_of_scipy(n, k, dtype):
    single = dtype == np.float32
    potrf, pocon, potrs = (spotrf, spocon, spotrs) if single else (dpotrf, dpocon, dpotrs)
    rng = np.random.default_rng(n)
    A = rng.standard_normal((n, n))
    A = np.asfortranarray(A @ A.T / n + np.eye(n), dtype=dtype)
    b = np.asfortranarray(rng.standard_normal((n, k)), dtype=dtype)
    above = np.triu(np.full((n, n), np.inf), 1)
    factor, x = np.asfortranarray(np.tril(A) + np.nan_to_num(above), dtype=dtype), b.copy(order="F")
    with set_threads(1):
        expected = potrf(A, lower=1, clean=1)[0]
        norm = float(np.abs(A).sum(axis=0).max())
        assert factor_definite(factor)
        np.testing.assert_array_equal(np.tril(factor), expected)
        np.testing.assert_array_equal(np.triu(factor, 1), np.triu(np.nan_to_num(above), 1).astype(dtype))
        assert reciprocal_condition(factor, norm) == pocon(expected, norm, uplo="L")[0]
        solve_factored(factor, x)
        np.testing.assert_array_equal(x, potrs(expected, b, lower=1)[0])
    np.testing.assert_allclose(A @ x, b, atol=1e-3 if single else 1e-11)
    exact = 1 / (norm * np.abs(np.linalg.inv(A.astype(float))).sum(axis=0).max())
    assert exact * 0.99 < reciprocal_condition(factor, norm) < 10 * exact  # an estimate of it from above
    A[n // 2, n // 2] = -1.0
    assert not factor_definite(A)
    with pytest.raises(ValueError, match="do not go together"):
        solve_factored(factor, np.ones((n + 1, k), dtype, order="F"))
    with pytest.raises(ValueError, match="Fortran order"):
        factor_definite(np.ones((3, 3)))


def test_nothing_is_done_to_nothing():
    for shape in ((0, 3), (3, 0)):
        a, square = np.ones(shape, order="F"), np.asfortranarray(np.eye(shape[0]))
        add_square(a, square)
        solve_lower(square, a)
        factor_columns(a, np.ones((0, 0), order="F"))
        np.testing.assert_array_equal(square, np.eye(shape[0]))
    nothing = np.ones((0, 0), order="F")
    assert factor_definite(nothing)
    assert reciprocal_condition(nothing, 0.0) == 1.0
    solve_factored(nothing, nothing)


@pytest.mark.parametrize("function", [add_square, factor_columns, lambda a, square: solve_lower(square, a)])
def test_what_would_be_read_out_of_bounds_is_refused(function):
    a, square = np.ones((4, 6), order="F"), np.asfortranarray(np.eye(4))
    for wrong in (
        np.ones((4, 6)),
        np.ones((8, 6), order="F")[::2],
        np.ones((4, 12), order="F")[:, ::2].T.copy().T[:3],
    ):
        with pytest.raises(ValueError, match=r"Fortran order|do not go together"):
            function(wrong, square)
    for other in (np.asfortranarray(np.eye(5)), np.ones((4, 4, 1)), np.tile(np.eye(4), (1, 2))[:, ::2]):
        with pytest.raises(ValueError, match=r"Fortran order|do not go together"):
            function(a, other)
    for one, other in ((a.astype(np.float32), square), (a.astype(int), square.astype(int))):
        with pytest.raises(TypeError, match="float64, and alike"):
            function(one, other)


@pytest.fixture
def quick_switches():
    """Python threads take turns every 10 us: what a thread runs is not what another's turn leaves it."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def turns_during(call):
    """Turns of a loop in this thread while another one makes the call."""
    inside, done, turns = threading.Event(), threading.Event(), 0

    def run():
        inside.set()
        call()
        done.set()

    thread = threading.Thread(target=run)
    thread.start()
    inside.wait()
    while not done.is_set():
        turns += 1
    thread.join()
    return turns


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (
            lambda a, square, band: add_square(a, square),
            lambda a, square, band: dsyrk(1.0, a, 1.0, square, lower=1, overwrite_c=1),
        ),
        (
            lambda a, square, band: solve_lower(square, a),
            lambda a, square, band: dtrsm(1.0, square, a, lower=1, overwrite_b=1),
        ),
        (
            lambda a, square, band: factor_columns(a, square),
            lambda a, square, band: dgeqrt(len(a), a, overwrite_a=1),
        ),
        (
            lambda a, square, band: factor_band(band),
            lambda a, square, band: dpbtrf(band, lower=1, overwrite_ab=1),
        ),
        (
            lambda a, square, band: factor_definite(square),
            lambda a, square, band: dpotrf(square, lower=1, overwrite_a=1, clean=0),
        ),
    ],
)
def test_other_threads_run_meanwhile(ours, theirs, quick_switches):
    """Theirs keep the lock, which leaves turns before and after the call only: more on a busy machine."""

    def turns(call):
        a, square = arrays(1500, 1500, np.float64)
        square = np.asfortranarray(np.nan_to_num(square))
        np.fill_diagonal(square, 1e4)
        band = np.ones((601, 4000), order="F")
        band[0] = 1300.0
        return turns_during(lambda: call(a, square, band))

    with set_threads(1):
        assert max(turns(ours) for _ in range(3)) > 5 * min(turns(theirs) for _ in range(3))
