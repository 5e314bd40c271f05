"""Base of the activations whose dual is computed with a known error."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..contract import Activation

__all__ = ["Approximate"]


class Approximate(Activation):
    """An activation whose dual is computed with a known error."""

    def dual_error(self, variances: Any) -> float:
        """Return a bound on the error of E[sigma(u) sigma(v)] at these variances, at any correlation.

        Parameters
        ----------
        variances : array-like of float, each at least 0

        Returns
        -------
        float
            Truncation (by Parseval's identity), quadrature and rounding added up.

        Examples
        --------
        >>> from ntklib.kernels import Tanh
        >>> bool(Tanh().dual_error([0.01, 1.0]) < 1e-10)
        True
        """
        q = np.atleast_1d(np.asarray(variances, np.float64)).ravel()
        if q.size == 0 or not np.all(np.isfinite(q)) or np.any(q < 0):
            raise ValueError("variances must be one or more finite numbers of at least 0.")
        dual: Any = self.dual
        return dual.error(q)
