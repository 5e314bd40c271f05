"""Kernel ridge regression on few centres, from sums over rows."""

from ._basis import make_basis
from ._inverse import CentreSpectrum, CentreTriangle
from ._pivots import PivotedCholesky, check_finite, pivoted_cholesky
from .fit import CentreModel, CentreSolution, CentreSums, choose_centres, sum_on_centres
from .regression import CentrePosterior, CentreRows
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
    "check_finite",
    "choose_centres",
    "make_basis",
    "pivoted_cholesky",
    "stack_rows",
    "sum_on_centres",
]
