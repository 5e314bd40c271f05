"""Eigendecomposition: one O(n^3) step, after which every penalty costs O(n^2)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.linalg import LinAlgError, eigh

from ntklib._core.blocks import row_blocks
from ntklib._core.progress import step

from ._contract import BLOCK, Factorization, check_penalty, relative_residual
from ._records import DOUBTFUL, Solution, warn_poor

_EPS = float(np.finfo(np.float64).eps)
_TINY = float(np.finfo(np.float64).tiny)
_LARGE = 3000  # rows above which the Gram's memory is worth reusing

# How far below 0, of the largest eigenvalue, rounding may bring the least. Float64: 8 units of float32, since
# many a Gram was computed in float32 and converted. Float32: 64 units, what deep kernels may lose in it.
ROUNDING = {np.dtype(np.float64): 1e-6, np.dtype(np.float32): 64 * float(np.finfo(np.float32).eps)}


class EigenFactor(Factorization):
    r"""Eigendecomposition of the weighted Gram matrix, :math:`S = W^{1/2} K W^{1/2} = Q \Lambda Q^T`.

    .. math:: (K + \lambda W^{-1})^{-1} = W^{1/2} Q (\Lambda + \lambda)^{-1} Q^T W^{1/2}.

    Always float64: the smallest penalties of a path are never safe in float32. The eigenvectors take the
    place of the Gram where `overwrite_gram` allows; LAPACK's divide and conquer needs a workspace of 2 n^2
    besides.

    The system is singular to working precision where the least eigenvalue and the penalty together are no
    more than the rounding of the decomposition, :math:`\max(10, \sqrt{n})\, \epsilon\, \lambda_{\max}`.
    Eigenvalues up to that, to twice the precision of the entries and to the size of the most negative one
    then count as 0, and their vectors are left out of every solution: the limit of vanishing penalty, which
    is the least-squares fit of least norm.

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
    cut : float
        Size up to which an eigenvalue is rounding.
    rank : int
        Number of eigenvalues above.
    root : ndarray of shape (n,) or None
        W^{1/2}, None where all weights are 1.

    Raises
    ------
    LinAlgError
        If an eigenvalue lies below 0 by more than rounding: 1e-6 of the largest, for a float32 Gram 64 times
        its precision. It is a ValueError.

    References
    ----------
    G. H. Golub and C. F. Van Loan, *Matrix Computations*, 4th ed., 2013, chapters 5 and 8.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.solvers import EigenFactor
    >>> factor = EigenFactor(np.array([[2.0, 1.0], [1.0, 2.0]]))
    >>> factor.eigenvalues.round(12).tolist(), factor.rank
    ([1.0, 3.0], 2)
    >>> factor.inverse_diagonals([0.0, 1.0]).round(12).tolist()
    [[0.666666666667, 0.666666666667], [0.375, 0.375]]
    """

    def __init__(self, gram, *, weights=None, overwrite_gram=False):
        super().__init__(gram, weights=weights, overwrite_gram=overwrite_gram, double=True)
        matrix = self._matrix
        del self._matrix
        self._decompose(matrix)

    @classmethod
    def of_weighted(
        cls, matrix: np.ndarray, root: np.ndarray | None, dtype: np.dtype, *, rounding: float = 1.0
    ) -> EigenFactor:
        """Decompose S itself, in its memory; its entries were of `dtype`, and `root` is W^{1/2}.

        `rounding` is that of S and of the decomposition together, in units of the latter.
        """
        self = cls.__new__(cls)
        self.n, self.dtype, self.root = len(matrix), dtype, root
        self._decompose(matrix, rounding)
        return self

    def _decompose(self, matrix: np.ndarray, rounding: float = 1.0) -> None:
        if not (np.isfinite(matrix.min()) and np.isfinite(matrix.max())):
            raise ValueError("the Gram matrix contains NaN or infinity: check the inputs and the kernel.")
        with step(f"eigendecomposition of {self.n:,} rows"):
            if self.n <= _LARGE:
                values, self.vectors = np.linalg.eigh(matrix)  # copies, but lets other threads run meanwhile
            else:
                values, self.vectors = eigh(matrix, overwrite_a=True, check_finite=False, driver="evd")
        top, below = max(float(values[-1]), 0.0), max(-float(values[0]), 0.0)
        if below > ROUNDING[self.dtype] * top:
            raise LinAlgError(
                f"the Gram matrix is not positive semidefinite (its least eigenvalue, {-below:.2g}, is below "
                f"0 by more than rounding; the largest is {float(values[-1]):.2g}): the kernel is not a "
                "positive definite function, the matrix was rounded, or it is not symmetric."
            )
        self._signed = values
        self.eigenvalues = np.maximum(values, 0.0)
        self._floor = max(rounding * max(10.0, np.sqrt(self.n)) * _EPS * top, _TINY)
        self.cut = max(self._floor + 2 * float(np.finfo(self.dtype).eps) * top, below)
        self.rank = int((self.eigenvalues > self.cut).sum())
        if self.rank:
            self.blur = max(self.blur, (self.cut / float(values[-self.rank])) ** 2)

    def at(self, penalty: float) -> EigenFactor:
        """Itself: it bears singular systems."""
        return self

    def singular(self, penalty: float) -> bool:
        """Say if the system at this penalty is singular to working precision."""
        return bool(self.eigenvalues[0] + check_penalty(penalty) <= self._floor)

    def inverses(self, penalty: float) -> np.ndarray:
        """1/(Lambda + penalty), and 0 for what counts as 0 in a singular system, shape (n,)."""
        kept = self.eigenvalues > self.cut if self.singular(penalty) else np.ones(self.n, dtype=bool)
        return np.divide(1.0, self.eigenvalues + penalty, out=np.zeros(self.n), where=kept)

    def null_space(self, penalty: float) -> np.ndarray:
        """Orthonormal basis of what S does not reach, (n, n - rank); empty where the system is regular."""
        return self.vectors[:, : self.n - self.rank if self.singular(penalty) else 0]

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
        singular, inverses = self.singular(penalty), self.inverses(penalty)
        z = self.vectors @ (inverses[:, None] * (self.vectors.T @ b))
        applied = self.vectors @ ((self._signed + penalty)[:, None] * (self.vectors.T @ z))
        least, top = self.eigenvalues[0] + penalty, self.eigenvalues[-1] + penalty
        condition = float(top / least) if least > top * _TINY else np.inf
        poor = condition > DOUBTFUL or self._signed[0] + penalty <= 0
        outcome = "minimum-norm" if singular else "ill-conditioned" if poor else "ok"
        rank = self.rank if singular else self.n
        warn_poor(outcome, rank, condition, float(self.eigenvalues[-1]), max(-float(self._signed[0]), 0.0))
        return Solution(
            value=self._weigh(z),
            outcome=outcome,
            method="eigendecomposition",
            penalty=float(penalty),
            rank=rank,
            residual=relative_residual(b - applied, b),
            condition=condition,
            dtype=self.vectors.dtype,
        )

    def half_solve(self, rhs, penalty: float) -> np.ndarray:
        """(Lambda + penalty)^{-1/2} Q^T W^{1/2} rhs, shape (n, k), without what counts as 0.

        The squares of a column sum to b^T (K + penalty W^{-1})^{-1} b, b the column of `rhs`.
        """
        return np.sqrt(self.inverses(penalty))[:, None] * (self.vectors.T @ self._weigh(rhs))

    def inverse_diagonals(self, penalties) -> np.ndarray:
        """Diagonals of (K + penalty W^{-1})^{-1} for every penalty, O(n^2) each and no n x n temporary.

        Parameters
        ----------
        penalties : array of shape (p,)

        Returns
        -------
        ndarray of shape (p, n)
            Without what counts as 0 where the system is singular.
        """
        inverses = np.stack([self.inverses(penalty) for penalty in penalties], axis=1)
        out = np.empty((inverses.shape[1], self.n))
        for rows in row_blocks(self.n, BLOCK):
            out[:, rows] = (np.square(self.vectors[rows]) @ inverses).T
        return out if self.root is None else self.root**2 * out

    def inverse_diagonal(self, penalty: float) -> np.ndarray:
        """Diagonal of (K + penalty W^{-1})^{-1}, shape (n,)."""
        return self.inverse_diagonals([penalty])[0]

    def path(self, rhs, penalties) -> Iterator[tuple[Factorization, np.ndarray, np.ndarray]]:
        """At each penalty in turn: itself, the solution and the inverse diagonal, O(n^2) each."""
        projected = self.vectors.T @ self._weigh(rhs)
        for penalty, diagonal in zip(penalties, self.inverse_diagonals(penalties), strict=True):
            yield self, self._weigh(self.vectors @ (projected * self.inverses(penalty)[:, None])), diagonal
