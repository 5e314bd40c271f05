r"""Solvers of the kernel ridge system.

With a Gram matrix :math:`K`, weights :math:`W = \mathrm{diag}(w)` and a penalty :math:`\lambda` the system
is

.. math:: (K + \lambda W^{-1})\, a = b .

A :class:`Factorization` takes the Gram once and then solves for any number of right-hand sides and penalties:
:class:`CholeskyFactor` in the Gram's own memory, for one penalty or a few; :class:`EigenFactor`
for whole paths of penalties and for singular systems, which have the answer of least norm;
:class:`BandFactor` for paths of penalties of many rows. Every answer is a frozen :class:`Solution` that
tells what was done: rank, residual, condition number. :func:`ridge` and :func:`ridge_path` add the
unpenalised intercept and exact leave-one-out predictions.

For estimators a :class:`Solver` says how the system is solved: :class:`Cholesky`, :class:`Nystrom` on a few
centres, or :class:`ConjugateGradient` without the matrix.

All that a fit on centres needs of rows are sums over them: :class:`CentreRows` runs through rows in memory or
in a memory map, and a driver for rows that are elsewhere has its methods and combines its :class:`RowSums`
with :func:`fold_sums`.
"""

from ._band import BandFactor
from ._cholesky import CholeskyFactor, check_semidefinite
from ._contract import Factorization
from ._eigen import EigenFactor
from ._path_factor import path_factor
from ._records import IllConditionedWarning, RidgeFit, Solution
from ._ridge import half_constant, leave_one_out, ridge, ridge_path
from .conjugate_gradient import IterativeSolution
from .nystrom import (
    CentrePosterior,
    CentreRows,
    CentreSolution,
    CentreSpectrum,
    CentreTriangle,
    RowSums,
    fold_sums,
    merge_sums,
)
from .solver import ApproximationWarning, Cholesky, ConjugateGradient, Nystrom, Solver

__all__ = [
    "ApproximationWarning",
    "BandFactor",
    "CentrePosterior",
    "CentreRows",
    "CentreSolution",
    "CentreSpectrum",
    "CentreTriangle",
    "Cholesky",
    "CholeskyFactor",
    "ConjugateGradient",
    "EigenFactor",
    "Factorization",
    "IllConditionedWarning",
    "IterativeSolution",
    "Nystrom",
    "RidgeFit",
    "RowSums",
    "Solution",
    "Solver",
    "check_semidefinite",
    "fold_sums",
    "half_constant",
    "leave_one_out",
    "merge_sums",
    "path_factor",
    "ridge",
    "ridge_path",
]
