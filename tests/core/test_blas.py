"""Routines called by their addresses: the bytes of SciPy's wrappers, without Python's lock."""

import sys
import threading

import numpy as np
import pytest
from scipy.linalg.blas import dsyrk, dtrsm, ssyrk, strsm

from ntklib._core.blas import add_square, solve_lower
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


def test_nothing_is_done_to_nothing():
    for shape in ((0, 3), (3, 0)):
        a, square = np.ones(shape, order="F"), np.asfortranarray(np.eye(shape[0]))
        add_square(a, square)
        solve_lower(square, a)
        np.testing.assert_array_equal(square, np.eye(shape[0]))


@pytest.mark.parametrize("function", [add_square, lambda a, square: solve_lower(square, a)])
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
        with pytest.raises(TypeError, match="float32 or float64, and alike"):
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
        (add_square, lambda a, square: dsyrk(1.0, a, 1.0, square, lower=1, overwrite_c=1)),
        (
            lambda a, square: solve_lower(square, a),
            lambda a, square: dtrsm(1.0, square, a, lower=1, overwrite_b=1),
        ),
    ],
)
def test_other_threads_run_meanwhile(ours, theirs, quick_switches):
    """Theirs keep the lock, which leaves turns before and after the call only."""
    a, square = arrays(1500, 1500, np.float64)
    square = np.asfortranarray(np.nan_to_num(square))
    with set_threads(1):
        assert turns_during(lambda: ours(a, square)) > 5 * turns_during(lambda: theirs(a, square))
