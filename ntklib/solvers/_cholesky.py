r"""Cholesky in place.

LAPACK's potrf reads and writes one triangle. The other still holds S when it is done, so a residual, another
penalty or another precision needs no second n x n array: only the diagonal is saved apart.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.linalg.blas import get_blas_funcs
from scipy.linalg.lapack import get_lapack_funcs

from ntklib._core.blas import factor_definite, reciprocal_condition, solve_factored
from ntklib._core.blocks import require_memory, row_blocks
from ntklib._core.exponents import units
from ntklib._core.progress import step

from ._contract import BLOCK, Factorization, check_penalty, mirror_upper, relative_residual, upper_product
from ._eigen import ROUNDING, EigenFactor
from ._records import DOUBTFUL, Solution

_SINGLE_EPS = float(np.finfo(np.float32).eps)
_TINY = float(np.finfo(np.float64).tiny)
_MAX_REFINEMENTS = 8
_PRODUCTS = 8  # matrix-vector products that find the largest eigenvalue, nearly
_REFINED, _ACCEPTED = 1e-13, 1e-10  # relative residuals to aim at, and to put up with


class CholeskyFactor(Factorization):
    r"""Cholesky factorisation of the weighted Gram matrix, in its own memory.

    Factored on the first :meth:`solve` at a penalty and kept until another penalty is asked for. A float32
    Gram is factored in float32 only where

    .. math:: \epsilon_{32}\, (\|S\|_1 + \lambda)/\lambda \le 10^{-2},

    which bounds the condition number so that iterative refinement with float64 residuals converges to the
    accuracy of a float64 factorisation; otherwise the matrix is converted to float64 first.

    Where S + lambda I has no Cholesky factor, or a condition number beyond 4e13 that is not owed to the
    spread of the weights, the matrix is decomposed into eigenvalues instead, in the same memory and for good;
    a singular system then has the answer of least norm. The spread of the weights costs no digits here; an
    eigendecomposition loses the lightest samples in the rounding of the heaviest.

    Parameters
    ----------
    gram : array of shape (n, n)
        Symmetric positive semidefinite.
    weights : array of shape (n,), default=None
        Positive weights.
    overwrite_gram : bool, default=False
        Factor in the memory of `gram`.
    double : bool, default=False
        Work in float64 whatever the penalty. Rounding of float32 in the weighted matrix would tell equal rows
        apart, which leave-one-out at a small penalty takes for knowledge.

    References
    ----------
    N. J. Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., SIAM 2002, chapters 10 and 12.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.solvers import CholeskyFactor
    >>> factor = CholeskyFactor(np.array([[2.0, 1.0], [1.0, 2.0]]))
    >>> solution = factor.solve([6.0, 0.0], penalty=1.0)
    >>> solution.value.ravel().round(12).tolist(), solution.outcome
    ([2.25, -0.75], 'ok')
    """

    def __init__(self, gram, *, weights=None, overwrite_gram=False, double=False):
        super().__init__(gram, weights=weights, overwrite_gram=overwrite_gram, double=double)
        self._diagonal = self._matrix.diagonal().astype(np.float64)
        (asum,) = get_blas_funcs(("asum",), (self._matrix,))
        self._norm = max(float(asum(self._matrix[:, j])) for j in range(self.n))
        if not np.isfinite(self._norm):
            raise ValueError(
                "the Gram matrix contains NaN or infinity, or its entries, times the weights, are too large "
                "to be added up: check the inputs, the kernel and the weights."
            )
        self._penalty: float | None = None  # the penalty now factored
        self._whole = True  # both triangles hold S, so nothing has to be mirrored back
        self._spectral: EigenFactor | None = None  # in place of the matrix, once that was singular

    def largest_eigenvalue(self) -> float:
        """Lower bound on the largest eigenvalue of S, and close to it: a Rayleigh quotient."""
        vector = np.eye(1, self.n, int(np.argmax(self._diagonal)))[0]
        for _ in range(_PRODUCTS):
            image = upper_product(self._matrix, self._diagonal, vector[:, None])[:, 0]
            largest = max(float(vector @ image), 0.0)
            vector = image / (np.linalg.norm(image) or 1.0)
        return largest

    def single_precision_is_safe(self, penalty: float) -> bool:
        """Say if a float32 factorisation at this penalty can be refined to full accuracy."""
        return _SINGLE_EPS * (self._norm + penalty) <= 1e-2 * penalty

    def at(self, penalty: float) -> Factorization:
        """Itself, factored at this penalty; the eigendecomposition if the system is singular, or nearly."""
        penalty = check_penalty(penalty)
        if self._spectral is None and not self._factor(penalty):
            what = "workspace to solve a singular system"
            require_memory((2 * self.n, self.n), np.float64, what, single=False)
            self._to_double()
            self._spectral = EigenFactor.of_weighted(self._matrix, self.root, self.dtype)
            del self._matrix
        return self if self._spectral is None else self._spectral

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
            Its `value` has shape (n, k), with k = 1 for a vector.

        Raises
        ------
        ValueError
            If shapes disagree, or the matrix is far from positive semidefinite (LinAlgError, a ValueError).
        """
        b = self._weigh(rhs)
        factor = self.at(penalty)
        if factor is not self:
            return factor.solve(rhs, penalty)
        penalty = float(penalty)
        if self._matrix.dtype == np.float32:
            z, residual, steps = self._refine(b, penalty)
            if not residual <= _ACCEPTED:  # refinement stalled: the rule was too bold here
                self._to_double()
                return self.solve(rhs, penalty)
        else:
            z, steps = self._potrs(b), 0
            residual = relative_residual(b - upper_product(self._matrix, self._diagonal + penalty, z), b)
        return Solution(
            value=self._weigh(z),
            outcome="ok",
            method="cholesky",
            penalty=penalty,
            rank=self.n,
            residual=residual,
            condition=self._condition,
            dtype=self._matrix.dtype,
            refinements=steps,
        )

    def half_solve(self, rhs, penalty: float) -> np.ndarray:
        """L^{-1} W^{1/2} rhs with L L^T = S + penalty I.

        The squares of a column sum to b^T (K + penalty W^{-1})^{-1} b, b the column of `rhs`.

        Parameters
        ----------
        rhs : array of shape (n, k)
        penalty : float

        Returns
        -------
        ndarray of shape (n, k)
        """
        factor = self.at(penalty)
        if factor is not self:
            return factor.half_solve(rhs, penalty)
        if self._matrix.dtype == np.float32:
            self._to_double()  # variances subtract nearly equal numbers
            self._factor(penalty)
        b = np.asfortranarray(self._weigh(rhs))
        (trsm,) = get_blas_funcs(("trsm",), (self._matrix,))
        return trsm(1.0, self._matrix, b, lower=1, overwrite_b=b is not rhs)

    def inverse_diagonal(self, penalty: float) -> np.ndarray:
        """Diagonal of (K + penalty W^{-1})^{-1}, from the inverse of the triangular factor, in its place.

        Costs as much again as the factorisation; the next solve at this penalty has to factor anew.
        """
        factor = self.at(penalty)
        if factor is not self:
            return factor.inverse_diagonal(penalty)
        if self._matrix.dtype == np.float32:
            self._to_double()
            self._factor(penalty)
        (trtri,) = get_lapack_funcs(("trtri",), (self._matrix,))
        self._penalty = None
        with step("inverse of the factor, for leave-one-out"):
            inverse, _ = trtri(self._matrix, lower=1, overwrite_c=1)
        out = np.empty(self.n)
        for columns in row_blocks(self.n, BLOCK):
            below, square = inverse[columns.stop :, columns], np.tril(inverse[columns, columns])
            out[columns] = np.einsum("ij,ij->j", below, below) + np.einsum("ij,ij->j", square, square)
        return out if self.root is None else self.root**2 * out

    def path(self, rhs, penalties) -> Iterator[tuple[Factorization, np.ndarray, np.ndarray]]:
        """At each penalty in turn: the factorisation to solve with, the solution and the inverse diagonal."""
        for i, penalty in enumerate(penalties):
            factor = self.at(penalty)
            if factor is not self:
                yield from factor.path(rhs, penalties[i:])
                return
            yield self, self.solve(rhs, penalty).value, self.inverse_diagonal(penalty)

    def _to_double(self) -> None:
        """Take S back from the upper triangle, in float64."""
        self._restore(0.0)
        self._matrix = self._matrix.astype(np.float64, order="F", copy=False)
        self._penalty = None

    def _restore(self, shift: float) -> None:
        """Make the matrix S + shift I again, whatever a factorisation left in it."""
        if self._whole:
            np.fill_diagonal(self._matrix, self._diagonal + shift)
        else:
            mirror_upper(self._matrix, self._diagonal + shift)
        self._whole = True

    def _factor(self, penalty: float) -> bool:
        """Factor at this penalty, and tell whether that went well."""
        if penalty == self._penalty:
            return True
        if self._matrix.dtype == np.float32 and not self.single_precision_is_safe(penalty):
            self._to_double()
        self._penalty = None
        self._restore(penalty)
        self._whole = False
        with step(f"Cholesky factorisation of {self.n:,} rows"):
            definite = factor_definite(self._matrix)
        if not definite or self._norm + penalty < _TINY:
            return False
        rcond = reciprocal_condition(self._matrix, self._norm + penalty)
        self._condition = 1 / max(rcond, _TINY)
        if self._condition > DOUBTFUL:
            self._condition = min(self._condition, self._scaled_condition(penalty))
        if self._condition > DOUBTFUL:
            return False
        self._penalty = penalty
        return True

    def _scaled_condition(self, penalty: float) -> float:
        """Condition number of what is left of S + penalty I when the spread of the weights is taken out.

        Rows and columns are divided by d_i = sqrt(w_i max K + penalty). In the 1-norm, estimated; that of the
        matrix itself is taken for its largest row sum.
        """
        if self.root is None:
            return self._condition
        largest = float((self._diagonal / self.root / self.root).max())
        d = np.hypot(self.root * np.sqrt(largest), np.sqrt(penalty))[:, None]
        row_sums = upper_product(self._matrix, self._diagonal + penalty, 1 / d) / d
        rcond = reciprocal_condition(np.asfortranarray(self._matrix / d), float(np.abs(row_sums).max()))
        return 1 / max(rcond, _TINY)

    def _potrs(self, b: np.ndarray) -> np.ndarray:
        z = b.astype(self._matrix.dtype, order="F")
        solve_factored(self._matrix, z)
        return z.astype(np.float64, copy=False)

    def _refine(self, b: np.ndarray, penalty: float) -> tuple[np.ndarray, float, int]:
        """Float32 solves corrected by float64 residuals, until they are small or stop falling."""
        z, last = np.zeros_like(b), np.inf
        scale = units(b, axis=0)  # float32 would over- or underflow
        r = b
        for count in range(_MAX_REFINEMENTS + 1):
            z = z + self._potrs(r / scale) * scale
            r = b - upper_product(self._matrix, self._diagonal + penalty, z)
            size = relative_residual(r, b)
            if size <= _REFINED or size > 0.5 * last:
                return z, size, count
            last = size
        return z, last, _MAX_REFINEMENTS


def check_semidefinite(gram: np.ndarray) -> None:
    """Refuse a symmetric matrix that is not positive semidefinite, for a copy and n^3/3 operations.

    Raises
    ------
    LinAlgError
        By the rule of :class:`EigenFactor`, which decides wherever there is doubt.
    """
    factor = CholeskyFactor(gram)
    factor.at(ROUNDING[factor.dtype] * factor.largest_eigenvalue())
