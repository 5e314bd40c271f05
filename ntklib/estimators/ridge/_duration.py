"""Expected duration of the fits of kernel ridge regression, solver by solver."""

from __future__ import annotations

from typing import Any

import numpy as np

from ntklib.solvers import ConjugateGradient, Nystrom, Solver

from .._forecast import multiplication_seconds, value_seconds
from .._units import Units
from ._halving import Round, first_part

__all__ = ["fit_seconds", "learning_seconds", "search_seconds"]

_EIGEN = 2.2  # multiplications that an eigendecomposition and its path are worth, per cube of the order
_SLOW = 1200  # order at which factorisations take twice the time of as many multiplications of matrices
_ITERATIONS = 30  # of conjugate gradients; it is known at the end only
_REFINEMENTS = 2
_ROUNDS, _PENALTIES = 4, 4  # of learning scales, and of each of its rounds
_FEW_PENALTIES = 2  # of a round whose penalty a part of the rows has found
_SLOPES, _SLOPE = 250, 6  # rows to differentiate at, and kernel values that a derivative is worth


def fit_seconds(kernel: Any, units: Units, solver: Solver, *, left_out: bool) -> float:
    """Seconds of a fit at given penalties."""
    n, double = len(units), multiplication_seconds()
    value = value_seconds(kernel, units.X)
    if isinstance(solver, Nystrom):
        return _centres(n, units, solver, value, double, left_out=left_out)
    if isinstance(solver, ConjugateGradient):
        rank = solver.count(n)
        once = n**2 / 2 * value + n**2 * units.targets.shape[1] * double
        return n * rank * value + n * rank**2 * double + (_ITERATIONS + 2) * once
    return n**2 / 2 * value + n**3 * (1 / 6 + left_out / 3) * double


def search_seconds(kernels: list[Any], units: Units, rounds: list[Round], solver: Solver) -> float:
    """Seconds of a comparison of kernels in rounds on some rows, and of the fit of the best on all."""
    double = multiplication_seconds()
    values = [value_seconds(kernel, units.X) for kernel in kernels]
    n, mean = len(units), float(np.mean(values))
    rows = len(rounds[-1].rows)
    compared = sum(this.n_kernels * _decomposed(len(this.rows), mean, double) for this in rounds)
    if rows == n and not isinstance(solver, Nystrom):
        return compared
    if isinstance(solver, Nystrom):
        each = _centres(n, units, solver, mean, double, left_out=True)
        return each * len(kernels) if rows == n else compared + each
    if isinstance(solver, ConjugateGradient):
        return compared + fit_seconds(kernels[0], units, solver, left_out=False)
    return compared + _decomposed(n, mean, double)


def learning_seconds(kernels: list[Any], units: Units, n_rows: int, n_folds: int) -> float:
    """Seconds of learning scales of the columns for these kernels on some rows."""
    double = multiplication_seconds()
    value = float(np.mean([value_seconds(kernel, units.X) for kernel in kernels]))

    def rounds(rows: int, penalties: int) -> float:
        n = rows * (1 - 1 / n_folds)
        each = n**2 * value + penalties * _cube(n) / 6 * double + _SLOPES * n * _SLOPE * value
        return _ROUNDS * n_folds * each

    part = first_part(n_rows)
    if not part:
        return len(kernels) * rounds(n_rows, _PENALTIES)
    return len(kernels) * rounds(part, _PENALTIES) + rounds(n_rows, _FEW_PENALTIES)


def _decomposed(n: int, value: float, multiplication: float) -> float:
    return n**2 / 2 * value + _EIGEN * _cube(n) * multiplication


def _cube(n: float) -> float:
    """Multiplications that those of a factorisation are worth, which take longer in small matrices."""
    return n**2 * (n + _SLOW)


def _centres(n: int, units: Units, solver: Nystrom, value: float, double: float, *, left_out: bool) -> float:
    tile = multiplication_seconds(units.X.dtype)
    M = solver.count(n) if isinstance(solver.centers, str) else np.shape(solver.centers)[0]
    among = solver.count_among(n, M)
    chosen = among * M * value + among * M**2 / 2 * double
    summed = n * M * value + n * M**2 * tile
    refined = solver.refine * _REFINEMENTS * n * M * 2 * value
    held_out = left_out * (n * M * value + 1.5 * n * M**2 * tile)
    return chosen + summed + refined + held_out + _EIGEN * _cube(M) * double
