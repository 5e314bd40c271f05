"""A model on fixed rows, at parameters that are moved in place: what training evaluates step after step.

Nothing is checked, copied or allocated here that could be once before: parameters are arrays that an
optimiser writes to, gradients are written to the same memory every time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ntklib._core.blocks import row_blocks, working_memory
from ntklib._core.threads import parallel_for

from .. import binding as binding
from ..params import Params, cast
from ._sweep import Sweep

if TYPE_CHECKING:
    from .._model import Model

__all__ = ["CenteredOnRows", "LinearOnRows", "NetworkOnRows", "OnRows"]

Position = Mapping[str, np.ndarray]
Cotangent = Callable[[slice, np.ndarray], np.ndarray]
Rows = np.ndarray | slice

_ROWS, _COLUMNS = 256, 32768  # of a task with a Jacobian


class OnRows:
    """A model on fixed rows, at parameters that are moved in place.

    ``vector`` holds the trained parameters, to be moved, and ``arrays`` its parts by name; `evaluate` writes
    their gradients to ``gradients``.  All are of the common type of parameters and rows.
    """

    def __init__(self, model: Model, params: Params, X: Any) -> None:
        self.X = binding.check_inputs(params, X)
        self.dtype = np.result_type(params.dtype, self.X.dtype)
        self.model: Any = model
        self.start = cast(params, self.dtype)
        shapes = model.trained_shapes(self.X.shape[1])
        self.vector = model.ravel(params).astype(self.dtype)
        self.gradient = np.zeros_like(self.vector)
        self.arrays = binding.named(shapes, self.vector)
        self.gradients = binding.named(shapes, self.gradient)

    def evaluate(
        self, position: Position, cotangent: Cotangent | None = None, rows: Rows = slice(None)
    ) -> np.ndarray:
        """Return the outputs of some rows at a position; with a cotangent, write the gradient of <c, f>.

        Parameters
        ----------
        position : mapping of str to ndarray
            Trained arrays.
        cotangent : callable, default=None
            Receives a slice of the chosen rows and their outputs, and returns c: see `value_and_vjp`.
        rows : slice or ndarray of int, default=slice(None)

        Returns
        -------
        ndarray of shape (rows,) or (rows, k)
            NaN if the position holds numbers that are not finite.
        """
        vector = self._flat(position)
        X = self.X[rows]
        if not np.isfinite(vector).all():
            k = self.model.n_outputs
            return np.full((X.shape[0], k) if k > 1 else X.shape[0], np.nan, self.dtype)
        params = self.model.unravel(self.start, vector)
        outputs = self.model.apply(params, X)
        if cotangent is not None:
            self._pull(params, X, np.asarray(cotangent(slice(0, len(outputs)), outputs), self.dtype))
        return outputs

    def params(self, vector: np.ndarray) -> Params:
        """Return a record of the parameters with the trained ones taken from a vector."""
        return self.model.unravel(self.start, vector)

    def _pull(self, params: Params, X: Any, c: np.ndarray) -> None:
        """Write J^T c, or NaN if c is not finite."""
        self.gradient[:] = self.model.vjp(params, X, c) if np.isfinite(c).all() else np.nan

    def _flat(self, position: Position) -> np.ndarray:
        if position is self.arrays:
            return self.vector
        return np.concatenate([position[name].ravel() for name in self.arrays])


class NetworkOnRows(OnRows):
    """A network itself."""

    def __init__(self, model: Any, params: Params, X: Any) -> None:
        super().__init__(model, params, X)
        self.spec = model.spec
        self.parts = binding.layered(self.spec, self.X.shape[1], self.gradient)
        self.sweep = Sweep(self.spec, self.X.shape[0], self.dtype)

    def evaluate(
        self, position: Position, cotangent: Cotangent | None = None, rows: Rows = slice(None)
    ) -> np.ndarray:
        copies = binding.bind(self.spec, {**dict(self.start.items()), **position}, self.dtype)
        single = self.spec.n_outputs == 1

        def squeezed(block: slice, f: np.ndarray) -> np.ndarray:
            assert cotangent is not None
            return cotangent(block, f[:, 0] if single else f)

        outputs = self.sweep(copies, self.X[rows], None if cotangent is None else squeezed, self.parts)
        return outputs[:, 0] if single else outputs


class CenteredOnRows(OnRows):
    """A model minus its outputs at fixed parameters."""

    def __init__(self, model: Any, params: Params, X: Any) -> None:
        super().__init__(model, params, X)
        self.inner = model.model.on_rows(params, X)
        self.arrays, self.gradients = self.inner.arrays, self.inner.gradients
        self.vector, self.gradient = self.inner.vector, self.inner.gradient
        reference = model.model.on_rows(model.params, X)
        self.offset = reference.evaluate(reference.arrays).astype(self.dtype, copy=False)

    def evaluate(
        self, position: Position, cotangent: Cotangent | None = None, rows: Rows = slice(None)
    ) -> np.ndarray:
        offset = self.offset[rows]

        def shifted(block: slice, f: np.ndarray) -> np.ndarray:
            assert cotangent is not None
            return cotangent(block, f - offset[block])

        return self.inner.evaluate(position, None if cotangent is None else shifted, rows) - offset


class LinearOnRows(OnRows):
    """A linearisation: by its Jacobian where that fits in the working memory, else by products with it.

    Both are cut into tasks that do not depend on the number of threads.
    """

    def __init__(self, model: Any, params: Params, X: Any) -> None:
        super().__init__(model, params, X)
        base = model.model
        self.offset = base.apply(model.params, self.X).astype(self.dtype, copy=False)
        self.origin = base.ravel(model.params).astype(self.dtype, copy=False)
        self.J: np.ndarray | None = None
        if self.offset.size * self.vector.size * self.dtype.itemsize <= working_memory():
            J = base.jacobian(model.params, self.X).astype(self.dtype, copy=False)
            self.J = J.reshape(len(self.offset), -1, self.vector.size)

    def evaluate(
        self, position: Position, cotangent: Cotangent | None = None, rows: Rows = slice(None)
    ) -> np.ndarray:
        moved = self._flat(position) - self.origin
        J = None if self.J is None else self.J[rows]
        X, model = self.X[rows], self.model
        outputs = self.offset[rows].copy()

        def add(block: slice) -> None:
            if J is not None:
                outputs[block] += (J[block] @ moved).reshape(outputs[block].shape)
            else:
                outputs[block] += model.jvp(model.params, X[block], moved)

        if J is None and not np.isfinite(moved).all():
            return np.full_like(outputs, np.nan)
        self._in_tasks(add, len(outputs), _ROWS)
        if cotangent is None:
            return outputs
        c = np.asarray(cotangent(slice(0, len(outputs)), outputs), self.dtype)
        if J is None:
            self._pull(self.model.params, X, c)
            return outputs
        flat, weights = J.reshape(-1, self.vector.size), c.ravel()

        def pull(columns: slice) -> None:
            np.matmul(weights, flat[:, columns], out=self.gradient[columns])

        self._in_tasks(pull, self.vector.size, _COLUMNS)
        return outputs

    def _in_tasks(self, work: Callable[[slice], None], n: int, size: int) -> None:
        def quiet(part: slice) -> None:
            with np.errstate(all="ignore"):  # each thread has its own
                work(part)

        numbers = 0 if self.J is None else self.J.size
        parallel_for(quiet, row_blocks(n, size), threads=1 if 0 < numbers < 1e6 else None)
