"""BLAS and LAPACK routines that let other threads run meanwhile.

SciPy's wrappers keep Python's lock for a whole call, so that threads of ours take turns. Here the same
routines are called at their addresses in ``scipy.linalg.cython_blas`` and ``cython_lapack``, as compiled code
calls them: through ctypes, which lets go of the lock, or from compiled loops (`multiply`), which need no time
of Python's for a product of small blocks.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import get_cython_function_address, intrinsic
from numpy.typing import NDArray

from .jit import inlined

__all__ = ["add_square", "factor_band", "factor_columns", "multiply", "product_address", "solve_lower"]

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


def product_address() -> int:
    """Address of `dgemm`, which loops that call `multiply` take as an argument and hand on.

    As a number in the machine code it would hold for one process.
    """
    return _address("dgemm")


@inlined
def multiply(address, alpha, a, b, beta, c):
    """Put alpha a b + beta c in the place of c, in compiled loops.

    Neighbours in the rows of c are neighbours in memory, in those of a and b or in their columns. float64;
    shapes are not checked.
    """
    m, n, k = c.shape[0], c.shape[1], a.shape[1]
    if m == 0 or n == 0:
        return
    a_turned, b_turned = a.strides[1] != 8, b.strides[1] != 8
    _dgemm(  # rows of ours are columns of BLAS: c^T = b^T a^T
        address,
        b_turned,
        a_turned,
        n,
        m,
        k,
        alpha,
        b.ctypes.data,
        max(b.strides[1] // 8, k) if b_turned else max(b.strides[0] // 8, n),
        a.ctypes.data,
        max(a.strides[1] // 8, m) if a_turned else max(a.strides[0] // 8, k),
        beta,
        c.ctypes.data,
        max(c.strides[0] // 8, n),
    )


def _dgemm_in_python(address, a_turned, b_turned, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
    """Stand-in for `_dgemm` where nothing is compiled (NUMBA_DISABLE_JIT)."""
    letters = (ctypes.c_char(b"T" if turned else b"N") for turned in (a_turned, b_turned))
    m, n, k, lda, ldb, ldc = map(ctypes.c_int, (m, n, k, lda, ldb, ldc))
    alpha, beta = ctypes.c_double(alpha), ctypes.c_double(beta)
    held = (*letters, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
    _at(address, len(held))(*(one if isinstance(one, int) else ctypes.addressof(one) for one in held))


@intrinsic
def _dgemm_compiled(_, address, a_turned, b_turned, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
    count, number, flag = types.intp, types.float64, types.boolean
    of_matrix = count, count
    signature = types.void(
        count, flag, flag, count, count, count, number, *of_matrix, *of_matrix, number, *of_matrix
    )

    def call(context, builder, signature, values):
        byte, integer = ir.IntType(8), ir.IntType(32)
        pointer = byte.as_pointer()

        def address_of(value):
            slot = cgutils.alloca_once_value(builder, value)
            return builder.bitcast(slot, pointer)

        def argument(place, value):
            if place in (_A, _B, _C):
                return builder.inttoptr(value, pointer)
            if signature.args[place] == flag:
                return address_of(builder.select(builder.trunc(value, ir.IntType(1)), byte(84), byte(78)))
            return address_of(value if signature.args[place] == number else builder.trunc(value, integer))

        function = ir.FunctionType(ir.VoidType(), [pointer] * (len(values) - 1)).as_pointer()
        arguments = [argument(place, value) for place, value in enumerate(values) if place]
        builder.call(builder.inttoptr(values[0], function), arguments)
        return context.get_dummy_value()

    return signature, call


_A, _B, _C = 7, 9, 12  # places of the matrices' addresses
_dgemm: Any = _dgemm_compiled
if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
    _dgemm = _dgemm_in_python


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
    _at(_address(prefix + name), len(held))(
        *(one.ctypes.data if isinstance(one, np.ndarray) else ctypes.addressof(one) for one in held)
    )
    return 0 if isinstance(held[-1], np.ndarray) else held[-1].value


@cache
def _at(address: int, n_arguments: int) -> Any:
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * n_arguments)(address)


@cache
def _address(name: str) -> int:
    module = "cython_lapack" if name[1:] in ("geqrt", "pbtrf") else "cython_blas"
    return get_cython_function_address(f"scipy.linalg.{module}", name)
