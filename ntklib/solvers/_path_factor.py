"""The factorisation that a whole path of penalties is computed with."""

from __future__ import annotations

import numpy as np

from ._band import BandFactor
from ._cholesky import CholeskyFactor
from ._contract import Factorization
from ._eigen import EigenFactor

_LARGE = 1200  # rows above which the band form is the faster one
_SPREAD = 1e6  # ratio of weights that leaves an eigendecomposition nine digits of the lightest sample


def path_factor(gram, *, weights=None, overwrite_gram=False) -> Factorization:
    """The factorisation for a path of penalties, exact for light samples and heavy ones.

    One eigendecomposition, above 1,200 rows one reduction to a band, unless the weights are so far apart that
    the rounding of the heaviest samples would drown the lightest; then a Cholesky factor for each penalty, at
    a few times the cost for the usual fifteen.

    Parameters
    ----------
    gram : array of shape (n, n)
    weights : array of shape (n,), default=None
    overwrite_gram : bool, default=False
    """
    if weights is not None and np.max(weights) / _SPREAD > np.min(weights):
        return CholeskyFactor(gram, weights=weights, overwrite_gram=overwrite_gram, double=True)
    kind = EigenFactor if len(gram) <= _LARGE else BandFactor
    return kind(gram, weights=weights, overwrite_gram=overwrite_gram)
