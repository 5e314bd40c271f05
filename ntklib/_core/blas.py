"""BLAS and LAPACK routines that let other threads run meanwhile.

SciPy's wrappers keep Python's lock for a whole call, so that threads of ours take turns. Here the same
routines are called at their addresses in ``scipy.linalg.cython_blas`` and ``cython_lapack``, as compiled code
calls them: through ctypes, which lets go of the lock, or by compiled loops that are given the address.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np
from numba.extending import get_cython_function_address
from numpy.typing import NDArray

__all__ = [
    "add_square",
    "factor_band",
    "factor_columns",
    "factor_definite",
    "function_at",
    "product_address",
    "reciprocal_condition",
    "solve_factored",
    "solve_lower",
]

_NUMBERS = {np.dtype(np.float32): ("s", ctypes.c_float), np.dtype(np.float64): ("d", ctypes.c_double)}
_LARGEST = 2**31 - 1  # that BLAS counts to
_DOUBLE = np.dtype(np.float64)


def add_square(a: NDArray, square: NDArray) -> None:
    """Add the lower triangle of a a^T to that of a matrix.

    Parameters
    ----------
    a : ndarray of shape (m, n), Fortran order, float32 or float64
    square : ndarray of shape (m, m), Fortran order
        Of the type of `a`; its other triangle stays as it is.
    """
    m, n = a.shape
    _check(a, square, (m, m))
    if a.size:
        _call("syrk", a, b"L", b"N", m, n, 1.0, a, m, 1.0, square, m)


def solve_lower(triangle: NDArray, values: NDArray) -> None:
    """Solve with a lower triangle, in the place of the right-hand sides.

    Parameters
    ----------
    triangle : ndarray of shape (m, m), Fortran order, float32 or float64
        What is above the diagonal is not looked at.
    values : ndarray of shape (m, n), Fortran order
        Of the type of `triangle`; overwritten.
    """
    m, n = values.shape
    _check(values, triangle, (m, m))
    if values.size:
        _call("trsm", values, b"L", b"L", b"N", b"N", m, n, 1.0, triangle, m, values, m)


def factor_columns(a: NDArray, triangle: NDArray) -> None:
    """QR decomposition by reflections in place, as LAPACK's `dgeqrt` leaves it.

    Parameters
    ----------
    a : ndarray of shape (m, n), Fortran order, float64
        R on and above the diagonal afterwards, below it the vectors V of the reflections, whose product is
        I - V T V^T.
    triangle : ndarray of shape (min(m, n), min(m, n)), Fortran order, float64
        T afterwards, on and above the diagonal.
    """
    m, n = a.shape
    size = min(m, n)
    _check(a, triangle, (size, size), _DOUBLE)
    if size:
        _call("geqrt", a, m, n, size, a, m, triangle, size, np.empty(size * n), 0)


def factor_band(band: NDArray) -> bool:
    """Cholesky factor of a positive definite band, in its place; False if it is not definite.

    Parameters
    ----------
    band : ndarray of shape (width + 1, n), Fortran order, float64
        ``band[i - j, j]`` is entry (i, j) of the lower triangle, as LAPACK's `dpbtrf` has it.
    """
    width, n = band.shape
    _check(band, band, band.shape, _DOUBLE)
    return not n or _call("pbtrf", band, b"L", n, width - 1, band, width, 0) == 0


def factor_definite(a: NDArray) -> bool:
    """Cholesky factor of a positive definite matrix in the place of its lower triangle; False if it has none.

    Parameters
    ----------
    a : ndarray of shape (n, n), Fortran order, float32 or float64
        Its upper triangle stays as it is.
    """
    n = len(a)
    _check(a, a, (n, n))
    return not n or _call("potrf", a, b"L", n, a, n, 0) == 0


def reciprocal_condition(factor: NDArray, norm: float) -> float:
    """Estimate of one over the condition number in the 1-norm, by the factor that `factor_definite` leaves.

    Parameters
    ----------
    factor : ndarray of shape (n, n), Fortran order, float32 or float64
    norm : float
        The 1-norm of the matrix.
    """
    n = len(factor)
    _check(factor, factor, (n, n))
    out, work, counts = np.ones(1, factor.dtype), np.empty(3 * n, factor.dtype), np.empty(n, np.int32)
    if n:
        _call("pocon", factor, b"L", n, factor, n, float(norm), out, work, counts, 0)
    return float(out[0])


def solve_factored(factor: NDArray, values: NDArray) -> None:
    """Solve by the factor that `factor_definite` leaves, in the place of the right-hand sides.

    Parameters
    ----------
    factor : ndarray of shape (n, n), Fortran order, float32 or float64
    values : ndarray of shape (n, k), Fortran order
        Of the type of `factor`; overwritten.
    """
    n, k = values.shape
    _check(values, factor, (n, n))
    if values.size:
        _call("potrs", values, b"L", n, k, factor, n, values, n, 0)


def product_address() -> int:
    """Address of `dgemm`, which compiled loops take as an argument.

    As a number in the machine code it would hold for one process.
    """
    return _address("dgemm")


def _check(a: NDArray, square: NDArray, shape: tuple[int, int], *dtypes: np.dtype) -> None:
    """Refuse arrays that a routine would read or write out of bounds."""
    if a.dtype not in (dtypes or _NUMBERS) or square.dtype != a.dtype:
        allowed = "float64" if dtypes else "float32 or float64"
        raise TypeError(f"arrays must be {allowed}, and alike; got {a.dtype} and {square.dtype}.")
    if square.shape != shape or max(a.shape) > _LARGEST:
        raise ValueError(f"arrays of shapes {a.shape} and {square.shape} do not go together.")
    if not (a.flags.f_contiguous and square.flags.f_contiguous):
        raise ValueError("arrays must be in Fortran order.")


def _call(name: str, like: NDArray, *arguments: Any) -> int:
    """Call the routine for the type of an array, and return the last number, LAPACK's `info`.

    BLAS takes the addresses of all arguments.
    """
    prefix, number = _NUMBERS[like.dtype]
    kinds = {bytes: ctypes.c_char, int: ctypes.c_int, float: number}
    held: list[Any] = [
        argument if isinstance(argument, np.ndarray) else kinds[type(argument)](argument)
        for argument in arguments
    ]
    function_at(_address(prefix + name), len(held))(
        *(one.ctypes.data if isinstance(one, np.ndarray) else ctypes.addressof(one) for one in held)
    )
    return 0 if isinstance(held[-1], np.ndarray) else held[-1].value


@cache
def function_at(address: int, n_arguments: int) -> Any:
    """Routine without a result at an address, whose arguments are addresses."""
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * n_arguments)(address)


@cache
def _address(name: str) -> int:
    module = "cython_blas" if name[1:] in ("gemm", "syrk", "trsm") else "cython_lapack"
    return get_cython_function_address(f"scipy.linalg.{module}", name)
