"""Units of a fit as rows of the solvers for many rows."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntklib.kernels.objects import lower_triangle
from ntklib.solvers import ConjugateGradient, Nystrom, Solver
from ntklib.solvers.conjugate_gradient import IterativeFit, ridge_by_iterations
from ntklib.solvers.nystrom import CentreSums, sum_on_centres

from .._kernel import adds_noise, cross_gram, gram, gram_diagonal, is_precomputed
from .._units import Units
from ..rows import RowView, whole

__all__ = ["check_blockwise", "iterate_units", "sum_units"]


def sum_units(kernel: Any, units: Units, solver: Nystrom, *, fit_intercept: bool) -> CentreSums:
    """Sums over the units for regression on centres among them."""
    check_blockwise(kernel, units.X.shape[1], solver)
    view = units.X if isinstance(units.X, RowView) else RowView(units.X)
    rows = view.driver(units.targets, units.weights, units.counts)
    cross, diagonal = partial(cross_gram, kernel), partial(gram_diagonal, kernel)
    return sum_on_centres(cross, diagonal, rows, solver, fit_intercept=fit_intercept)


def iterate_units(
    kernel: Any, units: Units, penalties: NDArray, solver: ConjugateGradient, *, fit_intercept: bool
) -> IterativeFit:
    """Fit the units by conjugate gradients."""
    check_blockwise(kernel, units.X.shape[1], solver)

    def values(X: Any, Y: Any = None) -> NDArray:
        return gram(kernel, X)[0] if Y is None else cross_gram(kernel, X, Y)

    return ridge_by_iterations(
        values,
        gram_diagonal(kernel, units.X),
        units.X,
        units.targets,
        penalties,
        solver,
        triangle=lower_triangle(kernel, whole(units.X)),
        weights=units.weights,
        fit_intercept=fit_intercept,
    )


def check_blockwise(kernel: Any, n_features: int, solver: Solver) -> None:
    """Refuse kernels that are not known block by block."""
    name = "cg" if isinstance(solver, ConjugateGradient) else "nystrom"
    if is_precomputed(kernel):
        raise ValueError(
            f"solver={name!r} computes the kernel block by block, and kernel='precomputed' is the whole "
            "matrix: leave solver='auto', or give the kernel."
        )
    if adds_noise(kernel, np.ones((1, n_features))):
        raise ValueError(
            f"solver={name!r} takes no kernel with noise of its own, such as WhiteKernel: leave the noise "
            "to alpha, or give solver='cholesky'."
        )
