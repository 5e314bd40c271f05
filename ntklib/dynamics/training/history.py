"""Records of training: snapshots on the way, and its whole course with where it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntklib._core.text import text_table
from ntklib.networks import Params

from ..losses import Loss, Risk
from ..optimizers import Optimizer

__all__ = ["Callback", "History", "Snapshot"]

_REASONS = {
    "finished": "all {taken} steps done",
    "stopped": "stopped by a callback at step {taken}",
    "interrupted": "interrupted at step {taken}",
    "diverged": "diverged at step {at}, the record ends at step {taken}",
}


@dataclass(frozen=True, eq=False, repr=False)
class Snapshot:
    """Training at a step that is recorded; callbacks receive one, and stop training by returning True.

    Attributes
    ----------
    step : int
        Steps taken so far.
    loss : float
    outputs : ndarray of shape (n,) or (n, k)
        On the training rows.
    test_outputs : ndarray of shape (m,) or (m, k), or None
    distance : float
        Movement :math:`|w - w_0|`.
    seconds : float
        Since training began.

    Examples
    --------
    >>> from ntklib.dynamics import train
    >>> from ntklib.networks import TwoLayerNet
    >>> def enough(snapshot):
    ...     return snapshot.loss < 0.01
    >>> history = train(TwoLayerNet(64), [[1.0, 0.0], [0.0, 1.0]], [1.0, -1.0], callbacks=enough)
    >>> history.status
    'stopped'
    """

    step: int
    loss: float
    outputs: NDArray
    test_outputs: NDArray | None
    distance: float
    seconds: float
    _params: Callable[[], Params]

    @property
    def params(self) -> Params:
        """The parameters: a copy, so ask only where they are needed."""
        return self._params()

    def __repr__(self) -> str:
        return f"Snapshot(step {self.step}, loss {self.loss:.6g}, distance {self.distance:.6g})"


Callback = Callable[[Snapshot], Any]
"""Receives a snapshot at every record, and stops training by returning True."""


@dataclass(frozen=True, eq=False, repr=False)
class History:
    r"""The course of a training; rows of arrays are the recorded steps.  No entry is ever NaN or infinite.

    Attributes
    ----------
    steps : ndarray of int of shape (T,)
        Steps taken at each record, 0 first.
    loss : ndarray of shape (T,)
        Of all training rows, a sum or a mean as trained.
    outputs : ndarray of shape (T, n) or (T, n, k)
        On the training rows; of the last record only, (1, n) or (1, n, k), if the others were not kept.
    test_outputs : ndarray of shape (T, m) or (T, m, k), or None
        Likewise.
    distance : ndarray of shape (T,)
        :math:`|w_t - w_0|` of the trained parameters.
    gradient_norms : dict of str to ndarray of shape (T,)
        Euclidean norm of the gradient of the whole loss in each trained array; empty if not asked for.
    monitor_steps : ndarray of int of shape (S,)
        Steps at which monitors were read.
    monitors : dict of str to ndarray of shape (S,)
        ``ntk_drift``, ``kernel_alignment``, ``min_eigenvalue``, ``max_eigenvalue``, ``sign_changes``: those
        asked for.
    params, initial_params : Params
        At the end (of the record) and at the start.
    status : {"finished", "stopped", "interrupted", "diverged"}
    stopped_at : int
        Step at which training ended; of a divergence, where it showed.
    optimizer : Optimizer
        With the learning rate that was used.
    model : Model
    X : ndarray or CSR matrix of shape (n, d)
        The training rows themselves, not a copy.
    risk : Risk
        The loss with targets and sample weights, a sum over rows.
    reduction : {"sum", "mean"}
    batch_size : int or None
        None is all rows.
    seconds : float

    Examples
    --------
    >>> from ntklib.dynamics import train
    >>> from ntklib.networks import TwoLayerNet
    >>> history = train(TwoLayerNet(64), [[1.0, 0.0], [0.0, 1.0]], [1.0, -1.0], steps=50, record=25)
    >>> history.steps.tolist(), history.outputs.shape, list(history.gradient_norms), history.status
    ([0, 25, 50], (3, 2), ['W0', 'W1'], 'finished')
    """

    steps: NDArray
    loss: NDArray
    outputs: NDArray
    test_outputs: NDArray | None
    distance: NDArray
    gradient_norms: dict[str, NDArray]
    monitor_steps: NDArray
    monitors: dict[str, NDArray]
    params: Params
    initial_params: Params
    status: str
    stopped_at: int
    optimizer: Optimizer
    model: Any
    X: Any
    risk: Risk
    reduction: str
    batch_size: int | None
    seconds: float

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def n_steps(self) -> int:
        """Steps that led to ``params``."""
        return int(self.steps[-1])

    @property
    def criterion(self) -> Loss:
        """The loss of one sample."""
        return self.risk.loss

    @property
    def gradient_norm(self) -> NDArray:
        """Norm of the whole gradient at each record, (T,)."""
        if not self.gradient_norms:
            raise ValueError("gradients were not recorded; train with record=Recording(gradient_norms=True).")
        return np.sqrt(sum(np.square(norms) for norms in self.gradient_norms.values()))

    @property
    def stop_reason(self) -> str:
        """Reason why training ended, in words."""
        return _REASONS[self.status].format(taken=self.n_steps, at=self.stopped_at)

    def plot(self, quantity: str = "loss", ax: Any = None, **kwargs: Any) -> Any:
        """Draw a quantity against the number of steps.

        Parameters
        ----------
        quantity : str, default="loss"
            "loss", "distance", "gradient_norms", or the name of a monitor.
        ax : matplotlib axes or None, default=None
        **kwargs
            For matplotlib's ``plot``.

        Returns
        -------
        HistoryDisplay
        """
        from ntklib.plotting import HistoryDisplay

        return HistoryDisplay.from_history(self, quantity=quantity, ax=ax, **kwargs)

    def __repr__(self) -> str:
        batch = "all rows" if self.batch_size is None else f"batches of {self.batch_size}"
        title = f"History: {self.optimizer!r} on {self.criterion.name} ({self.reduction}), {batch}; "
        columns: list[Iterable[Any]] = [self.steps, self.loss, self.distance]
        for values in self.monitors.values():
            readings = dict(zip(self.monitor_steps, values, strict=True))
            columns.append([readings.get(step, "") for step in self.steps])
        head = ["step", "loss", "|w - w_0|", *self.monitors]
        table = text_table(head, zip(*columns, strict=True), digits=6, limit=6)
        return f"{title}{self.stop_reason}\n{table}"
