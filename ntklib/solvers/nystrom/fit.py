"""Choice of centres, and fits on them with targets of any size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntklib._core.exponents import scaled_back
from ntklib._core.progress import step
from ntklib._core.warning import warn

from .._records import IllConditionedWarning
from ..solver import Nystrom, choose_rows
from ._basis import make_basis
from ._pivots import pivoted_cholesky
from .regression import GOAL, CentreFit, CentrePosterior, CentreRegression
from .rows import CentreRows

__all__ = ["CentreModel", "CentreSolution", "CentreSums", "choose_centres", "sum_on_centres"]

FACTORS = 3
"""Penalties up to which Cholesky factors take less time than an eigendecomposition."""

POOR = 1e-6
"""Relative residual above which a fit is warned about."""

LOST, LOST_UNREFINED = 1e-5, 1e-3
"""Rounding, in units of what light rows contribute, above which a fit is warned about; the second for float32
sums that are not to be refined."""


@dataclass(frozen=True)
class CentreSolution:
    """Record of a fit on centres at one penalty.

    Attributes
    ----------
    outcome : {"ok", "ill-conditioned", "unrefined"}
        "ill-conditioned": weights are so far apart that rounding of heavy rows hides light ones.
        "unrefined": the residual is above 1e-10, since the kernel's values do not allow for less, or
        refinement was not asked for.
    method : str
        "nystrom".
    penalty : float
    n_centers : int
        Centres that do not depend on others.
    centers : str
        How they were chosen.
    residual : float
        Relative residual of the system for the coefficients in float64; NaN without refinement.
    refinements : int
    lack : float
        Trace of what the centres lack of the kernel matrix, over its trace.
    distance : float
        Bound on the root mean square over the rows of the difference to the exact fit at the same penalty,
        the largest of all targets; in units of the targets.  Infinite if the outcome is "ill-conditioned".
    degrees_of_freedom : float
    dtype : numpy.dtype
        Precision of the tiles.
    """

    outcome: str
    method: str
    penalty: float
    n_centers: int
    centers: str
    residual: float
    refinements: int
    lack: float
    distance: float
    degrees_of_freedom: float
    dtype: np.dtype

    @property
    def words(self) -> str:
        """The record in words, as estimators with ``verbose`` say it."""
        refined = "" if np.isnan(self.residual) else f", relative residual {self.residual:.1e}"
        return (
            f"{self.n_centers:,} centres, which lack {100 * self.lack:.2g} % of the kernel's trace{refined}; "
            f"within {self.distance:.2g} of the exact fit, root mean square"
        )


@dataclass(frozen=True)
class CentreModel:
    """Fits on centres, one column a target.

    Attributes
    ----------
    centres : array or CSR matrix of shape (M, d)
    chosen : ndarray of int, shape (M,)
        Rows that are the centres; -1 for centres that were given.
    dual_coef : ndarray of shape (M, k)
    intercept : ndarray of shape (k,)
    solutions : list of CentreSolution
        One a distinct penalty.
    posterior : CentrePosterior
    root_form : ndarray of shape (k,)
        Root of the quadratic form y^T C y of each target.
    """

    centres: Any
    chosen: NDArray
    dual_coef: NDArray
    intercept: NDArray
    solutions: list[CentreSolution]
    posterior: CentrePosterior
    root_form: NDArray


@dataclass(frozen=True)
class CentreSums:
    """Centres and the sums over rows, ready for fits at any penalty.

    Attributes
    ----------
    regression : CentreRegression
        Of targets divided by powers of two.
    exponents : ndarray of int, shape (k,)
        Of these powers.
    chosen : ndarray of int, shape (M,)
        Rows that are the centres; -1 for centres that were given.
    rule : str
        How they were chosen.
    rows : CentreRows or None
        The rows, with targets divided by the powers; None where they are gone: there is no refinement then,
        and no leave-one-out.
    """

    regression: CentreRegression
    exponents: NDArray
    chosen: NDArray
    rule: str
    rows: CentreRows | None

    @property
    def dtype(self) -> np.dtype:
        """Precision of the tiles."""
        single = self.rows is not None and self.rows.X.dtype == np.float32
        return np.dtype(np.float32 if single else np.float64)

    @property
    def scale(self) -> float:
        """Weighted mean of K(x, x) over the rows."""
        return self.regression.sums.diagonal / self.regression.sums.weight

    def held_out(self, penalties: NDArray) -> NDArray:
        """Leave-one-out values of the rows at each penalty, shape (n, k, n_penalties), in a second pass."""
        if self.rows is None:
            raise ValueError("leave-one-out needs the rows, and those of a stream are gone.")
        values = self.regression.held_out(penalties, self.rows, self.dtype)
        return scaled_back(values, self.exponents[:, None])

    def left_out(self, penalties: NDArray) -> NDArray:
        """Leave-one-out values of the rows by the fit of each target at its penalty, shape (n, k)."""
        distinct, at = np.unique(penalties, return_inverse=True)
        return self.held_out(distinct)[:, np.arange(len(penalties)), at]

    def gcv(self, penalty: float, columns: slice, exponent: int) -> float:
        """Negative generalised cross-validation, the mean over some targets, in units of 2^(2 exponent)."""
        sums = self.regression.sums
        share = self.regression.free(penalty) / sums.count
        if share <= 1e-12:  # 0 but for rounding: the fit has as many parameters as samples
            return -np.inf
        squares = self.regression.residual_squares(penalty)[columns]
        loss = np.ldexp(squares, 2 * (self.exponents[columns] - exponent)).mean() / sums.weight
        return -float(loss) / share**2

    def root_form(self, penalties: NDArray) -> NDArray:
        """Root of the quadratic form y^T C y of each target at its penalty."""
        form = np.full(len(penalties), np.nan)
        for penalty in np.unique(penalties[penalties > 0]):
            columns = penalties == penalty
            form[columns] = self.regression.objective(float(penalty))[columns] / penalty
        return scaled_back(np.sqrt(form), self.exponents)

    def fit(self, penalties: NDArray, *, refine: bool = True) -> CentreModel:
        """Fit every target at its penalty."""
        regression, powers = self.regression, self.exponents
        dual, intercept = np.empty(regression.moments.shape), np.empty(len(penalties))
        solutions, distinct = [], np.unique(penalties)
        if len(distinct) > FACTORS:
            _ = regression.spectrum
        for penalty in distinct:
            columns = penalties == penalty
            fit = regression.fit(float(penalty), self.rows if refine else None)
            dual[:, columns] = scaled_back(fit.dual_coef, powers)[:, columns]
            intercept[columns] = scaled_back(fit.intercept, powers)[columns]
            root = np.sqrt(regression.distance(float(penalty)) / regression.sums.weight)
            hidden = self._hides_light_rows(fit)
            outcome = "ok" if fit.residual <= GOAL else "unrefined"
            solutions.append(
                CentreSolution(
                    outcome="ill-conditioned" if hidden else outcome,
                    method="nystrom",
                    penalty=float(penalty),
                    n_centers=len(self.chosen),
                    centers=self.rule,
                    residual=fit.residual,
                    refinements=fit.refinements,
                    lack=regression.lack / regression.sums.diagonal if regression.sums.diagonal else 0.0,
                    distance=np.inf if hidden else float(scaled_back(root, powers)[columns].max()),
                    degrees_of_freedom=fit.degrees_of_freedom,
                    dtype=self.dtype,
                )
            )
        if not (np.isfinite(dual).all() and np.isfinite(intercept).all()):
            raise ValueError(
                "the fit on centres leaves the range of floats: scale the features, the targets and the "
                "sample weights, or give solver='cholesky'."
            )
        worst = max((one.residual for one in solutions), default=0.0)
        if worst > POOR:
            warn(
                f"the system on the centres is solved to a relative residual of {worst:.1g} only: the "
                "penalty is small beside the rounding of the sums. Raise alpha, or give solver='cholesky'.",
                IllConditionedWarning,
            )
        elif any(one.outcome == "ill-conditioned" for one in solutions):
            warn(
                "sample weights are so far apart that the rounding of heavy rows hides light ones from a fit "
                "on centres: give weights nearer to each other, float64 rows, a larger alpha, or "
                "solver='cholesky'.",
                IllConditionedWarning,
            )
        return CentreModel(
            regression.basis.centres,
            self.chosen,
            dual,
            intercept,
            solutions,
            regression.posterior(penalties),
            self.root_form(penalties),
        )

    def _hides_light_rows(self, fit: CentreFit) -> bool:
        """Say if rounding of the system is large beside what light rows contribute to it."""
        unit, limit = len(self.chosen) * float(np.finfo(np.float64).eps), LOST
        if not np.isnan(fit.residual):
            unit += fit.residual
        elif self.dtype == np.float32:
            unit, limit = float(np.finfo(np.float32).eps), LOST_UNREFINED
        return unit * self.regression.spread(fit.penalty) > limit


def sum_on_centres(
    cross: Callable[[Any, Any], NDArray],
    diagonal: Callable[[Any], NDArray],
    rows: CentreRows,
    solver: Nystrom,
    *,
    fit_intercept: bool,
) -> CentreSums:
    """Choose centres and sum over the rows.

    Parameters
    ----------
    cross, diagonal : callable
        Kernel matrix of two sets of rows, and kernel of rows with themselves.
    rows : CentreRows
    solver : Nystrom
    fit_intercept : bool

    Returns
    -------
    CentreSums

    Raises
    ------
    ValueError
        If given centres do not have as many columns as the rows, or the kernel is 0 on all centres.
    """
    chosen, centres = choose_centres(cross, diagonal, rows.X, solver)
    basis = make_basis(cross, diagonal, centres, centred=fit_intercept)
    powers = rows.exponents()
    unit = replace(rows, powers=powers)
    dtype = np.float32 if rows.X.dtype == np.float32 else np.float64
    regression = CentreRegression.of(basis, unit, fit_intercept=fit_intercept, dtype=dtype)
    return CentreSums(regression, powers, chosen[basis.kept], solver.rule, unit)


def choose_centres(
    cross: Callable[[Any, Any], NDArray],
    diagonal: Callable[[Any], NDArray],
    X: Any,
    solver: Nystrom,
    count: int | None = None,
) -> tuple[NDArray, Any]:
    """Choose centres as a solver says.

    Parameters
    ----------
    cross, diagonal : callable
        Kernel matrix of two sets of rows, and kernel of rows with themselves.
    X : array or CSR matrix of shape (n, d)
    solver : Nystrom
    count : int or None, default=None
        Number of centres at most; None is as many as the solver takes for these rows.

    Returns
    -------
    chosen : ndarray of int, shape (M,)
        Numbers of the rows that are the centres; -1 for centres that were given.
    centres : array or CSR matrix of shape (M, d)

    Raises
    ------
    ValueError
        If given centres do not have as many columns as X, or the kernel is 0 on all rows.
    """
    given = solver.given_centers(X)
    if given is not None:
        return np.full(given.shape[0], -1), given
    rng = np.random.default_rng(solver.random_state)
    count = solver.count(X.shape[0]) if count is None else min(count, X.shape[0])
    if solver.centers == "rpcholesky":
        among = np.sort(rng.choice(X.shape[0], solver.count_among(X.shape[0], count), replace=False))
        subset = X[among]
        with step("choosing centres", count, "centre") as gauge:
            factor = pivoted_cholesky(cross, diagonal(subset), subset, count, rng=rng, each=gauge.reach)
        chosen = among[factor.pivots]
        if len(chosen) == 0:
            raise ValueError("the kernel is 0 on these rows: nothing but a constant can be fitted.")
    else:
        chosen = choose_rows(X, count, solver, rng)
    return chosen, X[chosen]
