"""Units of a fit as rows of the solvers for many rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntklib.solvers import CentreModel, CentreRows

from .._kernel import is_precomputed
from .._units import Units

__all__ = ["centre_rows", "check_rows_kernel", "held_out_values"]


def check_rows_kernel(kernel: Any, solver: str) -> None:
    """Refuse a precomputed matrix where the kernel is needed between other rows."""
    if is_precomputed(kernel):
        raise ValueError(
            f"solver={solver!r} computes the kernel block by block, and kernel='precomputed' is the whole "
            "matrix: leave solver='auto', or give the kernel."
        )


def centre_rows(units: Units) -> CentreRows:
    """Rows of the units, in blocks."""
    return CentreRows(units.X, units.targets, units.weights, units.counts)


def held_out_values(model: CentreModel, rows: CentreRows, penalties: NDArray) -> NDArray:
    """Leave-one-out values, (n, k), of the fits at the penalties (k,), in a pass of its own."""
    distinct = np.unique(penalties)
    at = np.searchsorted(distinct, penalties)
    columns = np.arange(len(penalties))
    return np.vstack([values[:, columns, at] for values in model.held_out(distinct, rows)])
