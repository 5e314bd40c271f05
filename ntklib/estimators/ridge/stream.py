"""Fits of a stream of rows, which come in pieces and are not kept."""

from __future__ import annotations

from abc import abstractmethod
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import clone
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from ntklib._core.blocks import row_blocks
from ntklib._core.threads import single_threaded
from ntklib.solvers import Cholesky, Nystrom
from ntklib.solvers.nystrom import CentreStream, CentreSums
from ntklib.solvers.solver import resolve_solver

from .._kernel import cross_gram, gram_diagonal, resolve_kernel
from .._units import warn_scale
from ..rows import RowView, check_finite_values
from ._clipping import joined_range, target_range
from ._estimator import RidgeEstimator
from ._many_rows import check_blockwise
from ._stream_rows import Reservoir, StreamRows

__all__ = ["HELD_OUT", "Stream", "StreamEstimator", "streams"]

HELD_OUT = 1_000
"""Rows at most that are kept out of the sums, for the temperature."""

PIECE = 32_768
"""Rows that are converted at once."""


def streams(estimator: Any) -> bool:
    """Say if an estimator takes its rows piece by piece: if its solver is Nystrom."""
    return isinstance(estimator.solver, Nystrom) or estimator.solver == "nystrom"


@dataclass(frozen=True)
class Stream:
    """All that a stream has left behind.

    Attributes
    ----------
    solver : Nystrom
    settings : dict
        Other parameters of the estimator that are the same for all rows.
    reservoir : Reservoir
        Rows kept out of the sums.
    n_seen : int
        Rows so far, those of weight 0 included.
    n_rows : int
        Rows of positive weight.
    whole_weights : bool
        All sample weights are whole numbers: they are counts.
    is_sparse : bool
    buffer : StreamRows or None
        All rows, as long as they are few.
    numbers : ndarray
        Places in the stream of the rows that centres were chosen among.
    centres : CentreStream or None
        None as long as rows are few.
    targets : ndarray of shape (2, k) or None
        Least and largest targets of positive weight.
    """

    solver: Nystrom
    settings: dict[str, Any]
    reservoir: Reservoir
    is_sparse: bool
    n_seen: int = 0
    n_rows: int = 0
    whole_weights: bool = True
    buffer: StreamRows | None = None
    numbers: NDArray | None = None
    centres: CentreStream | None = None
    targets: NDArray | None = None

    def extended(self, rows: StreamRows, kernel: Any, *, fit_intercept: bool) -> Stream:
        """Return the stream with further rows."""
        if len(rows) == 0:
            return self
        whole = self.whole_weights and bool((rows.sample_weights == np.floor(rows.sample_weights)).all())
        targets = joined_range(self.targets, target_range(rows.targets))
        grown = replace(self, n_rows=self.n_rows + len(rows), whole_weights=whole, targets=targets)
        if grown.centres is None:
            buffer = rows if self.buffer is None else self.buffer.joined(rows)
            if len(buffer) < self.solver.stream_start():
                return replace(grown, buffer=buffer)
            first, rows = buffer.take(slice(self.solver.stream_start())), buffer
            centres = CentreStream.start(
                partial(cross_gram, kernel),
                partial(gram_diagonal, kernel),
                first.X,
                first.targets,
                self.solver,
                fit_intercept=fit_intercept,
            )
            grown = replace(grown, buffer=None, numbers=first.numbers, centres=centres)
        reservoir, rows = self.reservoir.extended(rows)
        assert grown.centres is not None
        if len(rows):
            block = rows.X, rows.targets, rows.weights, rows.sample_weights
            grown = replace(grown, centres=grown.centres.extended(block))
        return replace(grown, reservoir=reservoir)

    def own(self, X: Any) -> Any:
        """Rows of a piece as they are kept: in float64, dense or CSR as the first piece was."""
        if self.is_sparse:
            return sparse.csr_array(X, dtype=np.float64, copy=True)
        return np.array(X.toarray() if sparse.issparse(X) else X, dtype=np.float64)

    @property
    def support(self) -> NDArray:
        """Places of the centres in the stream; -1 for centres that were given."""
        assert self.centres is not None
        assert self.numbers is not None
        chosen = self.centres.chosen
        return np.where(chosen < 0, -1, self.numbers[chosen])


class StreamEstimator(RidgeEstimator):
    """A ridge estimator that also learns from a stream."""

    _stream: Stream

    @abstractmethod
    def _complete_stream(self, stream: Stream, sums: CentreSums) -> None:
        """Complete a fit on centres that was just stored."""

    @property
    def _n_held_out(self) -> int:
        """Rows at most that the fit of a stream does without."""
        return 0

    @available_if(streams)
    def refit_alpha(self, alpha: Any) -> Self:
        """Solve again at another penalty, from what the stream has left behind.

        Parameters
        ----------
        alpha : float or array of shape (n_targets,)
            Becomes the parameter `alpha`, which further calls of `partial_fit` use as well.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the penalty is negative, the model was fitted by `fit`, which keeps no sums, or another
            parameter was changed that all rows share.
        """
        check_is_fitted(self)
        if self._begins:
            raise ValueError(
                "refit_alpha needs the sums of a stream, which fit does not keep: use partial_fit."
            )
        with self._fitting():
            self._check_settings()
            self.alpha = alpha
            self._check_penalties(self._penalties_for(len(self._penalties)), self._stream.solver)
            self._fit_stream(self._stream)
        return self

    @property
    def _begins(self) -> bool:
        """Say if the next piece is the first of a stream."""
        return self.__dict__.get("_stream") is None

    def _learn(
        self, X: Any, targets: NDArray, labels: NDArray, importances: NDArray, sample_weight: Any
    ) -> None:
        """Add a piece to the stream and fit."""
        weights = None
        if (
            sample_weight is not None
            and np.shape(sample_weight) == (X.shape[0],)
            and not np.any(sample_weight)
        ):
            weights = np.zeros(X.shape[0])  # as if absent: no fault where there are other pieces
        elif sample_weight is not None:
            check_finite_values(sample_weight, "sample_weight")
            weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        view, first = RowView(X), self._begins
        if not first:
            self._check_settings()
        stream = self._begin(X) if first else self._stream
        self._check_penalties(self._penalties_for(targets.shape[1]), stream.solver)
        kernel = resolve_kernel(self.kernel) if first else self.kernel_
        if first:
            check_blockwise(kernel, X.shape[1], stream.solver)
            warn_scale(view)
        for rows in row_blocks(X.shape[0], PIECE):
            ones = np.ones(rows.stop - rows.start) if weights is None else weights[rows]
            numbers = stream.n_seen + np.arange(len(ones))
            piece = StreamRows(
                stream.own(view[rows]), targets[rows], ones, importances[rows], labels[rows], numbers
            )
            positive = piece.weights > 0
            stream = stream.extended(
                piece if positive.all() else piece.take(np.flatnonzero(positive)),
                kernel,
                fit_intercept=self.fit_intercept,
            )
            stream = replace(stream, n_seen=stream.n_seen + len(ones))
        self.kernel_ = kernel
        self._fit_stream(stream)
        self._stream = stream

    def _begin(self, X: Any) -> Stream:
        solver = clone(self._stream_solver())  # whose parameters may be set in place
        solver.check_stream(X)
        size = min(self._n_held_out, max(1, solver.stream_start() // 4))
        reservoir = Reservoir.seeded(size, solver.random_state)
        return Stream(solver, self._settings(), reservoir, sparse.issparse(X))

    def _stream_solver(self) -> Nystrom:
        solver = resolve_solver(self.solver, 1)
        assert isinstance(solver, Nystrom)
        return solver

    def _settings(self) -> dict[str, Any]:
        """Parameters that are the same for all rows of a stream, besides kernel and solver."""
        names = ("fit_intercept", "class_weight", "calibrate")
        return {name: copy(getattr(self, name)) for name in names if hasattr(self, name)}

    def _check_settings(self) -> None:
        """Refuse parameters that have changed since the stream began, and cannot apply to what is gone."""
        stream, solver = self._stream, self._stream_solver()
        now = {"kernel": resolve_kernel(self.kernel), **solver.get_params(), **self._settings()}
        then = {"kernel": self.kernel_, **stream.solver.get_params(), **stream.settings}
        for name, value in now.items():
            if not _equal(value, then[name]):
                raise ValueError(
                    f"{name} is {value!r}, and the stream began with {then[name]!r}, which cannot be changed "
                    "for rows that are gone: set it back, or begin anew with sklearn.base.clone(model)."
                )

    def _fit_stream(self, stream: Stream) -> None:
        """Fit what the stream has left behind: exactly as long as all rows are at hand."""
        if stream.n_rows == 0:
            raise ValueError("the stream has no row of positive weight so far: nothing can be fitted.")
        if stream.centres is None:
            assert stream.buffer is not None
            units = stream.buffer.units(whole_weights=stream.whole_weights)
            self._fit_at(units, self._penalties_for(units.targets.shape[1]), Cholesky())
        else:
            single_threaded(self._fit_sums, stream, stream.centres)
        self._shape_fit()

    def _fit_sums(self, stream: Stream, centres: CentreStream) -> None:
        penalties = self._penalties_for(len(centres.powers))
        sums = centres.sums(whole_weights=stream.whole_weights, fit_intercept=self.fit_intercept)
        self._store_centres(stream.support, sums.fit(penalties, refine=False), penalties)
        self._complete_stream(stream, sums)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return type(one) is type(other) and np.array_equal(one, other)
    return bool(one == other)
