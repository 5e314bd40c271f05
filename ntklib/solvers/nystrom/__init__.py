"""Kernel ridge regression on few centres, from sums over rows."""

from ._pivots import PivotedCholesky, check_finite, pivoted_cholesky
from .fit import CentreModel, CentreSolution, CentreSums, sum_on_centres
from .regression import CentrePosterior, CentreRows

__all__ = [
    "CentreModel",
    "CentrePosterior",
    "CentreRows",
    "CentreSolution",
    "CentreSums",
    "PivotedCholesky",
    "check_finite",
    "pivoted_cholesky",
    "sum_on_centres",
]
