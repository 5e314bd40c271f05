"""Kernel ridge regression on few centres, from sums over rows."""

from ._basis import make_basis
from ._inverse import CentreSpectrum, CentreTriangle
from ._pivots import PivotedCholesky, check_finite, pivoted_cholesky
from .fit import CentreModel, CentreSolution, CentreSums, choose_centres, sum_on_centres
from .regression import CentrePosterior, CentreRows

__all__ = [
    "CentreModel",
    "CentrePosterior",
    "CentreRows",
    "CentreSolution",
    "CentreSpectrum",
    "CentreSums",
    "CentreTriangle",
    "PivotedCholesky",
    "check_finite",
    "choose_centres",
    "make_basis",
    "pivoted_cholesky",
    "sum_on_centres",
]
