"""Solver objects: ways to solve the kernel ridge system, as the parameter ``solver`` takes them."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.cluster import kmeans_plusplus
from sklearn.utils import check_array

from ntklib._core.blocks import require_memory
from ntklib._core.tokens import Tokened
from ntklib._core.validation import check_flag, check_integer, check_option, check_real
from ntklib._core.warning import warn

__all__ = [
    "ApproximationWarning",
    "Cholesky",
    "ConjugateGradient",
    "Nystrom",
    "Solver",
    "resolve_solver",
]

EXACT_ROWS, EXACT_SEARCH_ROWS = 30_000, 10_000
"""Rows up to which "auto" solves exactly: a factorisation, and the decompositions of a search."""

LEAST_CENTERS, MOST_CENTERS, OPERATIONS = 1_000, 4_000, 4e12
"""Centres of "auto": as many as rows times their square stay below the operations, within these limits."""

CENTER_RULES = ("rpcholesky", "uniform", "kmeans++")

MOST_AMONG, FACTOR_NUMBERS, LEAST_AMONG = 50_000, 2**27, 4
"""Rows that centres are chosen among by default: at most; as many as their factor has numbers for, which is a
GiB; and rows for each centre at least."""

STREAM_ROWS, LEAST_START = 1_000_000, 4_096
"""Rows that a stream is taken to have, and the fewest that its centres are chosen among by default."""


class ApproximationWarning(UserWarning):
    """A fit uses centres since there are too many rows for an exact one."""


class Solver(Tokened, BaseEstimator):
    """A way to solve the kernel ridge system."""

    def _check(self) -> None:
        """Refuse parameters that are out of range."""

    def check_rows(self, X: Any) -> None:
        """Refuse rows that this solver cannot fit, by their shape and the memory they need, before any work.

        Parameters
        ----------
        X : array, CSR matrix or view of shape (n, d)

        Raises
        ------
        MemoryError
            If the memory does not suffice, with the figure and the way out.
        ValueError
            If given centres do not have as many columns as the rows.
        """


class Cholesky(Solver):
    """Exact solution by a Cholesky factorisation, or an eigendecomposition where the system is singular.

    Time grows with the cube of the number of rows n, memory with its square.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib import NTKRegressor
    >>> from ntklib.solvers import Cholesky
    >>> X = np.linspace(-2, 2, 30)[:, None]
    >>> NTKRegressor(solver=Cholesky()).fit(X, np.sin(X[:, 0])).solve_.method
    'cholesky'
    """

    def check_rows(self, X: Any) -> None:
        require_memory((X.shape[0], X.shape[0]), X.dtype)


class Nystrom(Solver):
    """Regression on centres (Nystrom, subset of regressors): one pass over the rows for all targets.

    The function is an expansion over M centres only; time grows with n M^2, memory with M^2.

    Parameters
    ----------
    n_centers : int or "auto", default="auto"
        Number of centres M.  "auto" is 4,000 up to 250,000 rows, fewer beyond, 1,000 at least.
    centers : {"rpcholesky", "uniform", "kmeans++"} or array of shape (M, d), default="rpcholesky"
        Choice of rows: by randomly pivoted Cholesky, uniformly, or spread out by distance; or the centres
        themselves.
    subset : int or "auto", default="auto"
        Rows at most, but M at least, drawn uniformly, among which "rpcholesky" and "kmeans++" choose.  "auto"
        is 50,000, or as many as keep the factor that chooses, `subset` times M, in a GiB, 4 M at least:
        33,554 for 4,000 centres.
    refine : bool, default=True
        Refine float32 sums by residuals in float64, down to a relative residual of 1e-10.
    n_init : int or "auto", default="auto"
        Rows of a stream (``partial_fit``) among which its centres are chosen; until there are as many it is
        fitted exactly.  "auto" is twice the number of centres, 4,096 at least.  `n_centers="auto"` is 2,000
        for a stream.
    random_state : int, default=0

    References
    ----------
    C. Williams and M. Seeger (2001), "Using the Nystrom method to speed up kernel machines"; A. Rudi,
    R. Camoriano and L. Rosasco (2015), "Less is more: Nystrom computational regularization".

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib import NTKRegressor
    >>> from ntklib.solvers import Nystrom
    >>> X = np.linspace(-2, 2, 300)[:, None]
    >>> model = NTKRegressor(solver=Nystrom(n_centers=20)).fit(X, np.sin(X[:, 0]))
    >>> model.X_fit_.shape, model.solve_.method
    ((20, 1), 'nystrom')
    """

    def __init__(
        self,
        n_centers="auto",
        *,
        centers="rpcholesky",
        subset="auto",
        refine=True,
        n_init="auto",
        random_state=0,
    ):
        self.n_centers = n_centers
        self.centers = centers
        self.subset = subset
        self.refine = refine
        self.n_init = n_init
        self.random_state = random_state

    def _check(self) -> None:
        check_count(self.n_centers, "n_centers")
        if isinstance(self.centers, str):
            check_option(self.centers, "centers", CENTER_RULES)
        check_count(self.subset, "subset")
        check_flag(self.refine, "refine")
        check_count(self.n_init, "n_init", minimum=2)
        check_integer(self.random_state, "random_state", minimum=0)

    @property
    def rule(self) -> str:
        """Name of the choice of centres, "given" for those that are given."""
        return self.centers if isinstance(self.centers, str) else "given"

    def count(self, n: int) -> int:
        """Number of centres for n rows."""
        if isinstance(self.n_centers, Integral):
            return min(n, int(self.n_centers))
        return min(n, int(np.clip(np.sqrt(OPERATIONS / n), LEAST_CENTERS, MOST_CENTERS)))

    def count_among(self, n: int, M: int) -> int:
        """Number of rows, of n, that M centres are chosen among."""
        if isinstance(self.subset, Integral):
            most = int(self.subset)
        else:
            most = min(MOST_AMONG, max(FACTOR_NUMBERS // M, LEAST_AMONG * M))
        return min(n, max(most, M))

    def stream_centers(self) -> int:
        """Number of centres of a stream, whose length is not known."""
        return self.count(STREAM_ROWS)

    def stream_start(self) -> int:
        """Number of rows of a stream that centres are chosen among."""
        if isinstance(self.n_init, Integral):
            return int(self.n_init)
        return max(2 * self.stream_centers(), LEAST_START)

    def check_rows(self, X: Any) -> None:
        self._check_memory(X, self.count(X.shape[0]), X.shape[0])

    def check_stream(self, X: Any) -> None:
        """Refuse the rows that begin a stream where memory does not suffice, or centres do not suit them."""
        self._check_memory(X, self.stream_centers(), self.stream_start())

    def _check_memory(self, X: Any, M: int, n: int) -> None:
        given, less = self.given_centers(X), "give Nystrom a smaller n_centers"
        M = M if given is None else given.shape[0]
        require_memory((3, M, M), np.float64, "set of sums on centres", less, rows=False, single=False)
        self.check_factor(n, M, less)

    def check_factor(self, n: int, M: int, less: str) -> None:
        """Refuse the factor that chooses M centres among n rows where memory does not suffice for it."""
        if self.rule == "rpcholesky":
            shape = self.count_among(n, M), M
            less = f"{less} or subset"
            require_memory(shape, np.float64, "factor that chooses centres", less, rows=False, single=False)

    def given_centers(self, X: Any) -> Any:
        """Centres that were given, checked to suit the rows of X; None where they are chosen."""
        if isinstance(self.centers, str):
            return None
        accept = "csr" if sparse.issparse(X[:1]) else False
        dense = sparse.issparse(self.centers) and not accept
        given = self.centers.toarray() if dense else self.centers
        try:
            centres = check_array(given, accept_sparse=accept, dtype=X.dtype, input_name="centers")
        except (TypeError, ValueError) as error:
            rules = ", ".join(map(repr, CENTER_RULES))
            raise ValueError(f"centers must be {rules} or an array of rows: {error}") from error
        if centres.shape[1] != X.shape[1]:
            raise ValueError(
                f"centers must have shape (n_centers, {X.shape[1]}), one row a centre; got {centres.shape}."
            )
        return centres


class ConjugateGradient(Solver):
    """Full kernel ridge regression without the matrix, by preconditioned conjugate gradients.

    Every iteration computes half the kernel matrix tile by tile; memory grows with n times the rank of the
    preconditioner.  Leave-one-out and standard deviations are not available.

    Parameters
    ----------
    rank : int or "auto", default="auto"
        Rank of the preconditioner, a randomly pivoted Cholesky factor.  "auto" is the root of n times 8, at
        most 2,000.
    tol : float, default=1e-6
        Relative residual at which to stop.
    max_iter : int, default=1000
    random_state : int, default=0

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib import NTKRegressor
    >>> from ntklib.solvers import ConjugateGradient
    >>> X = np.linspace(-2, 2, 300)[:, None]
    >>> model = NTKRegressor(solver=ConjugateGradient(rank=20)).fit(X, np.sin(X[:, 0]))
    >>> model.solve_.outcome, model.solve_.residual <= 1e-6
    ('ok', True)
    """

    def __init__(self, rank="auto", *, tol=1e-6, max_iter=1000, random_state=0):
        self.rank = rank
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    def _check(self) -> None:
        check_count(self.rank, "rank")
        check_real(self.tol, "tol", minimum=0, strict=True)
        check_integer(self.max_iter, "max_iter", minimum=1)
        check_integer(self.random_state, "random_state", minimum=0)

    def count(self, n: int) -> int:
        """Rank for n rows."""
        return min(n, int(self.rank) if isinstance(self.rank, Integral) else int(min(8 * np.sqrt(n), 2000)))

    def check_rows(self, X: Any) -> None:
        rows = 0 if sparse.issparse(X[:1]) else X.shape[1]  # a copy, of which products are computed
        shape, less = (X.shape[0], self.count(X.shape[0]) + rows), "give ConjugateGradient a smaller rank"
        require_memory(shape, np.float64, "preconditioner beside the rows", less, single=False)


_NAMED: dict[str, type[Solver]] = {"cholesky": Cholesky, "nystrom": Nystrom, "cg": ConjugateGradient}


def check_count(value: Any, name: str, minimum: int = 1) -> None:
    """Refuse what is neither "auto" nor an integer of this size."""
    if not (isinstance(value, str) and value == "auto"):
        check_integer(value, name, minimum=minimum)


def check_solver(solver: Any, name: str = "solver") -> None:
    """Refuse what is no solver."""
    if isinstance(solver, Solver):
        solver._check()
    elif not (isinstance(solver, str) and (solver == "auto" or solver in _NAMED)):
        raise ValueError(
            f"{name} must be 'auto', {', '.join(map(repr, _NAMED))} or a solver such as "
            f"ntklib.solvers.Nystrom(n_centers=2000); got {solver!r}."
        )


def resolve_solver(solver: Any, n: int, *, search: bool = False, exact: bool = False) -> Solver:
    """Return the solver object for n rows.

    "auto" depends on the number of rows and the task alone: `search` says that decompositions are made, and
    `exact` that nothing but an exact fit is possible, as on a precomputed matrix.
    """
    check_solver(solver)
    if isinstance(solver, Solver):
        return solver
    if solver != "auto":
        return _NAMED[solver]()
    limit = EXACT_SEARCH_ROWS if search else EXACT_ROWS
    if exact or n <= limit:
        return Cholesky()
    chosen = Nystrom()
    warn(
        f"{n:,} rows are more than the {limit:,} up to which solver='auto' is exact: the fit uses "
        f"{chosen.count(n):,} of them as centres (solver='nystrom'). Give solver='nystrom' to accept this in "
        "silence, 'cholesky' or 'cg' for the exact fit.",
        ApproximationWarning,
    )
    return chosen


def choose_rows(X: Any, count: int, solver: Nystrom, rng: np.random.Generator) -> NDArray:
    """Rows to be centres, "uniform" or "kmeans++"."""
    n = X.shape[0]
    if solver.centers == "uniform":
        return np.sort(rng.choice(n, size=count, replace=False))
    among = np.sort(rng.choice(n, size=solver.count_among(n, count), replace=False))
    seed = int(rng.integers(2**31 - 1))
    return among[kmeans_plusplus(X[among], count, random_state=seed)[1]]
