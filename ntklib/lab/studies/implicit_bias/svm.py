"""The hard-margin support vector machine without intercept, by its active set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

__all__ = ["MaxMargin", "max_margin"]


@dataclass(frozen=True, eq=False)
class MaxMargin:
    r"""The separator of largest margin through the origin.

    Attributes
    ----------
    weights : ndarray of shape (p,)
        :math:`\hat w`, the shortest w with :math:`y_i\, \phi_i \cdot w \ge 1` for all i.
    multipliers : ndarray of shape (n,)
        :math:`\alpha \ge 0` with :math:`\hat w = \sum_i \alpha_i y_i \phi_i`; positive on support vectors.
    margin : float
        :math:`1/|\hat w|`, the distance of the nearest samples from the separating plane.
    """

    weights: NDArray
    multipliers: NDArray
    margin: float

    @property
    def support(self) -> NDArray:
        """Mask of the support vectors, shape (n,)."""
        return self.multipliers > 0

    @property
    def direction(self) -> NDArray:
        """Weights of length 1."""
        return self.weights * self.margin


def max_margin(signed: NDArray) -> MaxMargin | None:
    r"""Find the separator of largest margin through the origin.

    .. math:: \min_w \tfrac12 |w|^2 \quad \text{subject to} \quad y_i\, \phi_i \cdot w \ge 1

    is a least-distance problem, which Lawson and Hanson turn into nonnegative least squares:
    with :math:`u \ge 0` minimising :math:`|E u - e_{p+1}|`, :math:`E` holding the columns
    :math:`(y_i \phi_i, 1)`, and the residual r of it, :math:`w = -r_{1..p}/r_{p+1}` and
    :math:`\alpha = -u/r_{p+1}`; the residual is 0 if and only if no plane separates.  The active set is found
    exactly, in finitely many steps.

    Parameters
    ----------
    signed : ndarray of shape (n, p)
        Rows :math:`y_i \phi_i`, labels being +1 and -1.

    Returns
    -------
    MaxMargin or None
        None if no plane through the origin separates the two classes.

    References
    ----------
    C. L. Lawson and R. J. Hanson, "Solving least squares problems", 1974, chapter 23.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.lab.studies.implicit_bias.svm import max_margin
    >>> machine = max_margin(np.array([[2.0, 0.0], [2.0, 1.0], [5.0, -1.0]]))
    >>> machine.weights.round(12).tolist(), machine.support.tolist(), round(machine.margin, 12)
    ([0.5, 0.0], [True, False, False], 2.0)
    """
    signed = np.asarray(signed, dtype=np.float64)
    size = np.linalg.norm(signed, axis=1).max()
    if not size > 0:
        return None
    n, p = signed.shape
    target = np.zeros(p + 1)
    target[p] = 1.0
    matrix = np.vstack([signed.T / size, np.ones(n)])
    dual, length = nnls(matrix, target, maxiter=30 * (n + p))
    if length < 1e-7:  # what remains of 0 after rounding; the margin would be as small, relative to the rows
        return None
    residual = matrix @ dual - target
    weights = -residual[:p] / residual[p] / size
    return MaxMargin(weights, -dual / residual[p] / size**2, 1 / float(np.linalg.norm(weights)))
