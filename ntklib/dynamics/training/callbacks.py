"""What a callback of `train` is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ntklib.networks import Params

__all__ = ["Callback", "Snapshot"]


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
        |w - w_0|.
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
