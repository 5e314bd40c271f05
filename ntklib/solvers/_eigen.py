"""Eigendecomposition: one O(n^3) step, after which every penalty costs O(n^2)."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh

from ntklib._blocks import row_blocks
from ntklib.solvers._base import BLOCK, Factorization, check_penalty, relative_residual
from ntklib.solvers._records import Solution, warn_poor

_EPS = float(np.finfo(np.float64).eps)
_LARGE = 3000  # rows above which the Gram's memory is worth reusing


class Eigendecomposition(Factorization):
    r"""Eigendecomposition of the weighted Gram matrix, :math:`S = W^{1/2} K W^{1/2} = Q \Lambda Q^T`.

    .. math:: (K + \lambda W^{-1})^{-1} = W^{1/2} Q (\Lambda + \lambda)^{-1} Q^T W^{1/2}.

    Always float64: the smallest penalties of a path are never safe in float32. The eigenvectors take the
    place of the Gram where `overwrite_gram` allows; LAPACK's divide and conquer needs a workspace of 2 n^2
    besides.

    Parameters
    ----------
    gram : array of shape (n, n)
        Symmetric positive semidefinite.
    weights : array of shape (n,), default=None
        Positive weights.
    overwrite_gram : bool, default=False
        Decompose in the memory of `gram`.

    Attributes
    ----------
    eigenvalues : ndarray of shape (n,)
        Of S, ascending; values below 0 (rounding) are set to 0.
    vectors : ndarray of shape (n, n)
        Q, a column an eigenvector.

    References
    ----------
    G. H. Golub and C. F. Van Loan, *Matrix Computations*, 4th ed., 2013, chapter 8.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.solvers import Eigendecomposition
    >>> factor = Eigendecomposition(np.array([[2.0, 1.0], [1.0, 2.0]]))
    >>> factor.eigenvalues.round(12).tolist()
    [1.0, 3.0]
    >>> factor.inverse_diagonals([0.0, 1.0]).round(12).tolist()
    [[0.666666666667, 0.666666666667], [0.375, 0.375]]
    """

    def __init__(self, gram, *, weights=None, overwrite_gram=False):
        super().__init__(gram, weights=weights, overwrite_gram=overwrite_gram)
        matrix = self._matrix.astype(np.float64, copy=False)
        del self._matrix
        if not (np.isfinite(matrix.min()) and np.isfinite(matrix.max())):
            raise ValueError("the Gram matrix contains NaN or infinity: check the inputs and the kernel.")
        if self.n <= _LARGE:
            values, self.vectors = np.linalg.eigh(matrix)  # copies, but lets other threads run meanwhile
        else:
            values, self.vectors = eigh(matrix, overwrite_a=True, check_finite=False, driver="evd")
        self.eigenvalues = np.maximum(values, 0.0)

    @property
    def floor(self) -> float:
        """Smallest value of eigenvalue + penalty that means anything at working precision."""
        return _EPS * max(float(self.eigenvalues[-1]), np.finfo(np.float64).tiny)

    def denominators(self, penalty: float) -> tuple[np.ndarray, float]:
        """Lambda + penalty + jitter, and the jitter that keeps its least entry at the floor."""
        penalty = check_penalty(penalty)
        jitter = max(0.0, self.floor - (self.eigenvalues[0] + penalty))
        return self.eigenvalues + (penalty + jitter), jitter

    def solve(self, rhs, penalty: float) -> Solution:
        """Solve (K + penalty W^{-1}) a = rhs.

        Parameters
        ----------
        rhs : array of shape (n,) or (n, k)
        penalty : float
            Nonnegative.

        Returns
        -------
        Solution
            Its residual is measured in the eigenbasis, the Gram itself being gone.

        Raises
        ------
        ValueError
            If shapes disagree or the penalty is negative.
        """
        b = self._weigh(rhs)
        denominators, jitter = self.denominators(penalty)
        z = self.vectors @ ((self.vectors.T @ b) / denominators[:, None])
        applied = self.vectors @ ((denominators - jitter)[:, None] * (self.vectors.T @ z))
        condition = float(denominators[-1] / denominators[0])
        outcome = "jittered" if jitter else "ok"
        warn_poor(outcome, jitter, condition, float(denominators[-1]))
        return Solution(
            value=self._weigh(z),
            outcome=outcome,
            method="eigendecomposition",
            penalty=float(penalty),
            jitter=jitter,
            residual=relative_residual(b - applied, b),
            condition=condition,
            dtype=self.vectors.dtype,
        )

    def inverse_diagonals(self, penalties) -> np.ndarray:
        """Diagonals of (K + penalty W^{-1})^{-1} for every penalty, O(n^2) each and no n x n temporary.

        Parameters
        ----------
        penalties : array of shape (p,)

        Returns
        -------
        ndarray of shape (p, n)
        """
        inverses = 1 / np.stack([self.denominators(penalty)[0] for penalty in penalties], axis=1)
        out = np.empty((inverses.shape[1], self.n))
        for rows in row_blocks(self.n, BLOCK):
            out[:, rows] = (np.square(self.vectors[rows]) @ inverses).T
        return out if self._root is None else self._root**2 * out

    def inverse_diagonal(self, penalty: float) -> np.ndarray:
        """Diagonal of (K + penalty W^{-1})^{-1}, shape (n,)."""
        return self.inverse_diagonals([penalty])[0]
