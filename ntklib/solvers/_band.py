"""Band form: two thirds of an eigendecomposition's work, after which every penalty costs O(n^2)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_solve_banded, eigvals_banded
from scipy.linalg.lapack import dtbtrs

from ntklib._core.blas import factor_band
from ntklib._core.blocks import require_memory, row_blocks
from ntklib._core.progress import step
from ntklib._core.threads import parallel_for

from ._band_loops import BLOCK, WIDTH, prepare_sweep, sweep
from ._band_reduction import form_orthogonal, reduce_to_band
from ._contract import Factorization, check_penalty, mirror_upper, relative_residual
from ._eigen import ROUNDING, EigenFactor
from ._records import DOUBTFUL, Solution, warn_poor

_EPS = float(np.finfo(np.float64).eps)
_TINY = float(np.finfo(np.float64).tiny)
_ROWS, _BLOCK = 128, 512
_AT_ONCE = 16  # penalties whose band factors are in memory together
_COLUMNS = 64  # of solutions that are lifted together
_NEGATIVE = 1e-3  # of the penalty: what an eigenvalue may lie below 0 by rounding
_REBUILT = 4.0  # rounding of Q B Q^T and a decomposition of it, in units of the latter
_INVERSIONS = 8  # solves that find the least eigenvalue, nearly


class BandFactor(Factorization):
    r"""Band form of the weighted Gram matrix, :math:`S = W^{1/2} K W^{1/2} = Q B Q^T`.

    B has 64 diagonals below its main one; at each penalty it has a Cholesky factor,
    :math:`B + \lambda I = L L^T`, and

    .. math:: (K + \lambda W^{-1})^{-1} = W^{1/2} Q (B + \lambda I)^{-1} Q^T W^{1/2},
              \qquad \mathrm{diag} = w_i \sum_j (L^{-1} Q^T)_{ji}^2 .

    What an :class:`EigenFactor` gives, as exactly, and faster from about 1,200 rows on: reflections are
    products of matrices in tiles, on threads of our own, so that results are the same bytes at any number of
    them. Q takes the place of the Gram, and no array of its size stands beside it.

    Where the system is singular to working precision, or rounding has brought an eigenvalue below 0 by more
    than a thousandth of the penalty, the matrix is decomposed into eigenvalues instead, for good.

    Parameters
    ----------
    gram : array of shape (n, n)
        Symmetric positive semidefinite.
    weights : array of shape (n,), default=None
        Positive weights.
    overwrite_gram : bool, default=False
        Work in the memory of `gram`.

    Raises
    ------
    LinAlgError
        By the rule of :class:`EigenFactor`. It is a ValueError.

    References
    ----------
    C. H. Bischof, B. Lang and X. Sun, "A framework for symmetric band reduction", ACM Transactions on
    Mathematical Software 26, 2000.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.solvers import BandFactor
    >>> factor = BandFactor(np.array([[2.0, 1.0], [1.0, 2.0]]))
    >>> factor.inverse_diagonals([1.0, 3.0]).round(12).tolist()
    [[0.375, 0.375], [0.208333333333, 0.208333333333]]
    """

    def __init__(self, gram, *, weights=None, overwrite_gram=False):
        super().__init__(gram, weights=weights, overwrite_gram=overwrite_gram, double=True)
        self._matrix: NDArray = self._matrix.T  # rows are contiguous
        if not (np.isfinite(self._matrix.min()) and np.isfinite(self._matrix.max())):
            raise ValueError("the Gram matrix contains NaN or infinity: check the inputs and the kernel.")
        self._diagonal = self._matrix.diagonal().copy()
        self._floor = max(max(10.0, np.sqrt(self.n)) * _EPS * float(self._diagonal.sum()), _TINY)
        self._formed = False  # whether Q has taken the place of the matrix
        self._spectral: EigenFactor | None = None  # in place of all this, once the system was singular
        with step(f"reduction of {self.n:,} rows to a band"):
            parallel_for(self._reduce, [self._matrix])  # in a pool of one, for BLAS to have one thread
        self._top = max(float(eigvals_banded(self._band[:, : 4 * WIDTH], lower=True)[-1]), 0.0)
        if not self._definite(max(ROUNDING[self.dtype] * self._top, _TINY)):
            self._decompose()

    def _reduce(self, matrix: NDArray) -> None:
        self._band, self._triangles = reduce_to_band(matrix)

    def _cholesky(self, shift: float) -> NDArray:
        band = self._band.copy(order="F")
        band[0] += shift
        if not factor_band(band):
            raise LinAlgError("the band is not positive definite.")
        return band

    def _definite(self, shift: float) -> bool:
        try:
            self._cholesky(shift)
        except LinAlgError:
            return False
        return True

    def _decompose(self) -> None:
        """Eigenvalues in place of the band."""
        what = "workspace to solve a singular system"
        require_memory((2 * self.n, self.n), np.float64, what, single=False)
        if self._formed:
            self._matrix = self._lift(self._times_band(self._matrix.T))
        else:
            mirror_upper(self._matrix, self._diagonal)
        rounding = _REBUILT if self._formed else 1.0
        self._spectral = EigenFactor.of_weighted(self._matrix.T, self.root, self.dtype, rounding=rounding)
        del self._matrix

    def at(self, penalty: float) -> Factorization:
        """Itself; the eigendecomposition if the system is singular, or nearly."""
        penalty = check_penalty(penalty)
        if self._spectral is None and not self._definite(min(_NEGATIVE * penalty, penalty - self._floor)):
            self._decompose()
        return self if self._spectral is None else self._spectral

    @property
    def _orthogonal(self) -> NDArray:
        """Q, made when it is asked for first."""
        if not self._formed:
            parallel_for(lambda matrix: form_orthogonal(matrix, self._triangles), [self._matrix])
            self._formed = True
            self._triangles = []
        return self._matrix

    def _lift(self, columns: NDArray) -> NDArray:
        """Q @ columns."""
        return _product(self._orthogonal, columns)

    def _project(self, columns: NDArray) -> NDArray:
        """Q^T @ columns."""
        return _product(self._orthogonal.T, columns)

    def _times_band(self, columns: NDArray) -> NDArray:
        """B @ columns."""
        diagonal, below = _blocks(self._band)
        padded = np.zeros((len(diagonal), WIDTH, columns.shape[1]))
        padded.reshape(-1, columns.shape[1])[: self.n] = columns
        out = (diagonal + np.tril(diagonal, -1).transpose(0, 2, 1)) @ padded
        out[1:] += below[:-1] @ padded[:-1]
        out[:-1] += below[:-1].transpose(0, 2, 1) @ padded[1:]
        return out.reshape(-1, columns.shape[1])[: self.n]

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
            Its residual is measured in the basis of the band, the Gram itself being gone, and its condition
            number is a lower estimate in the 2-norm.

        Raises
        ------
        ValueError
            If shapes disagree or the penalty is negative.
        """
        b, factor = self._weigh(rhs), self.at(penalty)
        if factor is not self:
            return factor.solve(rhs, penalty)
        cholesky = self._cholesky(penalty), True
        z = self._lift(cho_solve_banded(cholesky, self._project(b), check_finite=False))
        projected = self._project(z)
        applied = self._lift(self._times_band(projected) + penalty * projected)
        vector, largest = np.full(self.n, self.n**-0.5), 0.0
        for _ in range(_INVERSIONS):
            image = cho_solve_banded(cholesky, vector, check_finite=False)
            largest = float(vector @ image)
            vector = image / np.linalg.norm(image)
        condition = max((self._top + penalty) * largest, 1.0)
        outcome = "ok" if condition <= DOUBTFUL else "ill-conditioned"
        warn_poor(outcome, self.n, condition, self._top, 0.0)
        return Solution(
            value=self._weigh(z),
            outcome=outcome,
            method="band reduction",
            penalty=float(penalty),
            rank=self.n,
            residual=relative_residual(b - applied, b),
            condition=condition,
            dtype=self._band.dtype,
        )

    def half_solve(self, rhs, penalty: float) -> NDArray:
        """L^{-1} Q^T W^{1/2} rhs, shape (n, k).

        The squares of a column sum to b^T (K + penalty W^{-1})^{-1} b, b the column of `rhs`.
        """
        factor = self.at(penalty)
        if factor is not self:
            return factor.half_solve(rhs, penalty)
        return dtbtrs(self._cholesky(penalty), self._project(self._weigh(rhs)), uplo="L")[0]

    def inverse_diagonals(self, penalties) -> NDArray:
        """Diagonals of (K + penalty W^{-1})^{-1} for every penalty, O(n^2) each and no n x n temporary.

        Parameters
        ----------
        penalties : array of shape (p,)

        Returns
        -------
        ndarray of shape (p, n)
        """
        penalties = np.atleast_1d(np.asarray(penalties, dtype=np.float64))
        if not len(penalties):
            return np.empty((0, self.n))
        factor = self.at(penalties.min())
        if isinstance(factor, EigenFactor):
            return factor.inverse_diagonals(penalties)
        groups = [self._diagonals(penalties[some]) for some in row_blocks(len(penalties), _AT_ONCE)]
        out = np.concatenate(groups)
        return out if self.root is None else self.root**2 * out

    def _diagonals(self, penalties: NDArray) -> NDArray:
        """Diagonals of Q (B + penalty)^{-1} Q^T, (p, n), by block forward substitution on rows of Q."""
        Q, out = self._orthogonal, np.empty((len(penalties), self.n))
        sweeps = np.empty((len(penalties), -(-self.n // BLOCK), BLOCK + WIDTH, BLOCK))

        def prepare(place: int) -> None:
            prepare_sweep(self._cholesky(penalties[place]), sweeps[place])

        def fill(rows: slice) -> None:
            out[:, rows] = sweep(Q[rows], sweeps)

        parallel_for(prepare, range(len(penalties)))
        parallel_for(fill, row_blocks(self.n, _ROWS))
        return out

    def inverse_diagonal(self, penalty: float) -> NDArray:
        """Diagonal of (K + penalty W^{-1})^{-1}, shape (n,)."""
        return self.inverse_diagonals([penalty])[0]

    def path(self, rhs, penalties) -> Iterator[tuple[Factorization, NDArray, NDArray]]:
        """At each penalty in turn: the factorisation, the solution and the inverse diagonal, O(n^2) each."""
        factor = self.at(min(penalties)) if len(penalties) else self
        if factor is not self:
            yield from factor.path(rhs, penalties)
            return
        projected, diagonals = self._project(self._weigh(rhs)), self.inverse_diagonals(penalties)
        for some in row_blocks(len(penalties), max(_COLUMNS // max(projected.shape[1], 1), 1)):
            solutions = np.empty((self.n, some.stop - some.start, projected.shape[1]))

            def solve(place: int, solutions=solutions, first=some.start) -> None:
                cholesky = self._cholesky(penalties[first + place]), True
                solutions[:, place] = cho_solve_banded(cholesky, projected, check_finite=False)

            parallel_for(solve, range(solutions.shape[1]))
            lifted = self._lift(solutions.reshape(self.n, -1)).reshape(solutions.shape)
            for place, diagonal in enumerate(diagonals[some]):
                yield self, self._weigh(lifted[:, place]), diagonal


def _product(matrix: NDArray, columns: NDArray) -> NDArray:
    """matrix @ columns, in blocks that do not depend on the number of threads."""
    out = np.empty((len(matrix), columns.shape[1]))

    def multiply(rows: slice) -> None:
        out[rows] = matrix[rows] @ columns

    parallel_for(multiply, row_blocks(len(matrix), _BLOCK))
    return out


def _blocks(band: NDArray) -> tuple[NDArray, NDArray]:
    """Lower triangles of the blocks on the diagonal and the blocks below these, (m, WIDTH, WIDTH) each.

    Beyond its end the band goes on with ones on the diagonal.
    """
    count = -(-band.shape[1] // WIDTH)
    padded = np.zeros((WIDTH + 1, count * WIDTH))
    padded[0] = 1.0
    padded[:, : band.shape[1]] = band
    padded = padded.reshape(WIDTH + 1, count, WIDTH)
    rows, columns = np.indices((WIDTH, WIDTH))
    offset = rows - columns
    diagonal = np.where(offset >= 0, np.moveaxis(padded[np.maximum(offset, 0), :, columns], 2, 0), 0.0)
    below = np.where(
        offset <= 0, np.moveaxis(padded[np.minimum(WIDTH + offset, WIDTH), :, columns], 2, 0), 0.0
    )
    return diagonal, below
