"""Kernel ridge regression on few centres, from sums over rows."""

from ._basis import make_basis
from ._inverse import CentreSpectrum, CentreTriangle
from ._pivots import PivotedCholesky, check_finite, not_definite, pivoted_cholesky
from ._sums import RowSums, fold_sums, merge_sums
from .fit import CentreModel, CentreSolution, CentreSums, choose_centres, sum_on_centres
from .regression import CentrePosterior
from .rows import CentreRows
from .stream import CentreStream, stack_rows

__all__ = [
    "CentreModel",
    "CentrePosterior",
    "CentreRows",
    "CentreSolution",
    "CentreSpectrum",
    "CentreStream",
    "CentreSums",
    "CentreTriangle",
    "PivotedCholesky",
    "RowSums",
    "check_finite",
    "choose_centres",
    "fold_sums",
    "make_basis",
    "merge_sums",
    "not_definite",
    "pivoted_cholesky",
    "stack_rows",
    "sum_on_centres",
]
