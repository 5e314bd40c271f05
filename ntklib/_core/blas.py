"""BLAS routines that let other threads run meanwhile.

SciPy's wrappers keep Python's lock for a whole call, so that threads of ours take turns. Here the same
routines are called at their addresses in ``scipy.linalg.cython_blas``, as compiled code calls them, through
ctypes, which lets go of the lock.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np
from numba.extending import get_cython_function_address
from numpy.typing import NDArray

__all__ = ["add_square", "solve_lower"]

_NUMBERS = {np.dtype(np.float32): ("s", ctypes.c_float), np.dtype(np.float64): ("d", ctypes.c_double)}
_LARGEST = 2**31 - 1  # that BLAS counts to


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


def _check(a: NDArray, square: NDArray, shape: tuple[int, int]) -> None:
    """Refuse arrays that a routine would read or write out of bounds."""
    if a.dtype not in _NUMBERS or square.dtype != a.dtype:
        raise TypeError(f"arrays must be float32 or float64, and alike; got {a.dtype} and {square.dtype}.")
    if square.shape != shape or max(a.shape) > _LARGEST:
        raise ValueError(f"arrays of shapes {a.shape} and {square.shape} do not go together.")
    if not (a.flags.f_contiguous and square.flags.f_contiguous):
        raise ValueError("arrays must be in Fortran order.")


def _call(name: str, like: NDArray, *arguments: Any) -> None:
    """Call the routine for the type of an array; BLAS takes the addresses of all arguments."""
    prefix, number = _NUMBERS[like.dtype]
    kinds = {bytes: ctypes.c_char, int: ctypes.c_int, float: number}
    held: list[Any] = [
        argument if isinstance(argument, np.ndarray) else kinds[type(argument)](argument)
        for argument in arguments
    ]
    _routine(prefix + name, len(held))(
        *(one.ctypes.data if isinstance(one, np.ndarray) else ctypes.addressof(one) for one in held)
    )


@cache
def _routine(name: str, n_arguments: int) -> Any:
    address = get_cython_function_address("scipy.linalg.cython_blas", name)
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * n_arguments)(address)
