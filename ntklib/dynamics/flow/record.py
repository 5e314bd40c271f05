"""Record of a gradient flow in parameter space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntklib._core.text import text_table
from ntklib._core.validation import check_option
from ntklib.networks import Params

__all__ = ["Flow"]


@dataclass(frozen=True, eq=False, repr=False)
class Flow:
    r"""A model along its gradient flow, :math:`\dot w = -\nabla_w \tfrac12 |f(w) - y|^2`; one row a time.

    Attributes
    ----------
    method : {"integrated", "closed form"}
        How it was found.
    scale : float
        Factor alpha of the model's outputs.
    times : ndarray of shape (T,)
        As they were asked for.
    loss : ndarray of shape (T,)
        :math:`\tfrac12 |f_t - y|^2`, a sum over samples and outputs.
    outputs : ndarray of shape (T, n) or (T, n, k)
        f_t on the rows.
    distance : ndarray of shape (T,)
        :math:`|w_t - w_0|` of the trained parameters.
    path_length : ndarray of shape (T,)
        Length of the way from w_0 to w_t.
    vectors : ndarray of shape (T, p) or None
        :math:`w_t - w_0`, in the order of ``ravel``, if they were kept.
    params, initial_params : Params
        At the latest time, and at the start.
    evaluations : int
        Gradients that were computed.
    error_estimate : ndarray of shape (T,)
        Estimated size of the error of w_t - w_0, by integration and by rounding: see `integrate_flow`.
    output_error_estimate : ndarray of shape (T,)
        The same of f_t, in the Euclidean norm.

    Examples
    --------
    >>> from ntklib.dynamics import integrate_flow
    >>> from ntklib.networks import TwoLayerNet
    >>> net = TwoLayerNet(16, activation="erf")
    >>> flow = integrate_flow(net, [[1.0, 0.0]], [1.0], [0.0, 0.5, 1.0], params=net.init(2, 0))
    >>> flow.outputs.shape, bool(flow.loss[-1] < flow.loss[0]), bool(flow.error_estimate[-1] < 1e-8)
    ((3, 1), True, True)
    """

    method: str
    scale: float
    times: NDArray
    loss: NDArray
    outputs: NDArray
    distance: NDArray
    path_length: NDArray
    vectors: NDArray | None
    params: Params
    initial_params: Params
    evaluations: int
    error_estimate: NDArray
    output_error_estimate: NDArray

    def __len__(self) -> int:
        return len(self.times)

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

        check_option(quantity, "quantity", ("loss", "distance"))
        curve = self.times, getattr(self, quantity)
        return TrajectoryDisplay({"gradient flow": curve}, quantity=quantity).plot(ax, **kwargs)

    def __repr__(self) -> str:
        n = self.outputs.shape[1]
        title = f"Flow: {self.method}, scale {self.scale:.6g}; {n} samples, {len(self)} times, "
        if self.method == "integrated":
            title += f"{self.evaluations} gradients, "
        worst = np.max(self.error_estimate), np.max(self.output_error_estimate)
        title += "estimated errors {:.1e} of parameters, {:.1e} of outputs".format(*worst)
        rows = zip(self.times, self.loss, self.distance, self.path_length, strict=True)
        table = text_table(["time", "loss", "|w - w_0|", "path length"], rows, digits=6, limit=6)
        return f"{title}\n{table}"
