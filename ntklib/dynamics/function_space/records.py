"""Records of training paths in function space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntklib._core.text import text_table

from ..losses import Loss


@dataclass(frozen=True, eq=False, repr=False)
class Trajectory:
    r"""A tangent model along its training, :math:`f_t = f_0 + K a_t`; one row a time, always in float64.

    Attributes
    ----------
    method : {"gradient flow", "gradient descent", "averaged gradient descent"}
    times : ndarray of shape (T,)
        Times of the flow, or numbers of steps; infinity is the limit.
    outputs : ndarray of shape (T, n) or (T, n, k)
        f_t on the training samples.
    test_outputs : ndarray of shape (T, m) or (T, m, k), or None
        f_t on the test samples.
    loss : ndarray of shape (T,)
        The data loss R(f_t), a sum over samples; the ridge term is not in it.
    distance : ndarray of shape (T,)
        Distance of the parameters from where they started, :math:`|w_t - w_0| = (a_t^T K a_t)^{1/2}`.
    dual_coef : ndarray of shape (T, n) or (T, n, k)
        Coefficients a_t, with w_t = w_0 + J^T a_t; directions in the null space of K are left out.
    criterion : Loss
        The loss that was trained on.
    learning_rate : float or None
        Step size; None for the flow.
    momentum, ridge : float
    """

    method: str
    times: NDArray
    outputs: NDArray
    test_outputs: NDArray | None
    loss: NDArray
    distance: NDArray
    dual_coef: NDArray
    criterion: Loss
    learning_rate: float | None = None
    momentum: float = 0.0
    ridge: float = 0.0

    def __len__(self) -> int:
        return len(self.times)

    def predict(self, K_new: ArrayLike, f0_new: ArrayLike = 0.0) -> NDArray:
        """Outputs on further samples at every time, f_0 + K_new a_t.

        Parameters
        ----------
        K_new : array of shape (m, n)
            Kernel of the new samples (rows) with the training ones.
        f0_new : float or array of shape (m,) or (m, k), default=0
            Outputs there at initialisation.

        Returns
        -------
        ndarray of shape (T, m) or (T, m, k)

        Raises
        ------
        ValueError
            If shapes disagree.
        """
        return at_new_samples(K_new, self.dual_coef, f0_new)

    def plot(self, quantity: str = "loss", ax: Any = None, **kwargs: Any) -> Any:
        """Draw the loss, or the distance, against time.

        Parameters
        ----------
        quantity : {"loss", "distance"}, default="loss"
        ax : matplotlib axes or None, default=None
        **kwargs
            For matplotlib's ``plot``.

        Returns
        -------
        TrajectoryDisplay
        """
        from ntklib.plotting import TrajectoryDisplay

        return TrajectoryDisplay.from_trajectories({self.method: self}, quantity=quantity, ax=ax, **kwargs)

    def __repr__(self) -> str:
        settings = [self.method, f"{self.criterion.name}"]
        settings += [] if self.learning_rate is None else [f"learning rate {self.learning_rate:.4g}"]
        settings += [f"{name} {value:.4g}" for name, value in self._extras() if value]
        samples = self.outputs.shape[1]
        title = f"Trajectory: {', '.join(settings)}; {samples} samples, {len(self)} times"
        unit = "time" if self.learning_rate is None else "step"
        rows = zip(self.times, self.loss, self.distance, strict=True)
        return f"{title}\n{text_table([unit, 'loss', '|w - w_0|'], rows, digits=6, limit=6)}"

    def _extras(self) -> tuple[tuple[str, float], ...]:
        return ("momentum", self.momentum), ("ridge", self.ridge)


class FunctionPath(NamedTuple):
    """Part of a trajectory that a method computes; the rest of the record are its settings."""

    dual_coef: NDArray
    outputs: NDArray
    loss: NDArray
    distance: NDArray


def every_time(factors: NDArray, row: NDArray) -> NDArray:
    """Factors of shape (T, n) times a row of shape (n,) or (n, k): one row a time."""
    return factors * row if row.ndim == 1 else factors[:, :, None] * row


def along(matrix: NDArray, rows: NDArray) -> NDArray:
    """The matrix times every row, (T, n) or (T, n, k), in one product."""
    return np.moveaxis(np.tensordot(matrix, rows, (1, 1)), 1, 0)


def at_new_samples(kernel: ArrayLike, dual_coef: NDArray, initial: ArrayLike) -> NDArray:
    """f_0 + kernel a_t for every row a_t of coefficients, (T, m) or (T, m, k), in one product."""
    kernel = np.asarray(kernel, dtype=np.float64)
    n = dual_coef.shape[1]
    if kernel.ndim != 2 or kernel.shape[1] != n:
        raise ValueError(
            f"the kernel of the new samples must have shape (m, {n}), a row each, got {kernel.shape}."
        )
    outputs = along(kernel, dual_coef)
    initial = np.asarray(initial, dtype=np.float64)
    if initial.shape not in ((), outputs.shape[1:]):
        raise ValueError(
            f"outputs at initialisation must have shape {outputs.shape[1:]} or (), got {initial.shape}."
        )
    return outputs + initial
