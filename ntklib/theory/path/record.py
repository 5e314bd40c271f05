"""What `path_certificate` returns: a bound on the loss of a run from what was read along its path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

__all__ = ["PathCertificate"]


@dataclass(frozen=True, eq=False, repr=False)
class PathCertificate:
    r"""What the smallest eigenvalues read along a run of gradient descent say about its loss.

    Attributes
    ----------
    steps : ndarray of int of shape (T,)
    times : ndarray of shape (T,)
        Sums of the learning rates; of a fixed one, ``steps * learning_rate``.
    loss : ndarray of shape (T,)
        As trained, a sum or a mean.
    loss_bound : ndarray of shape (T,) or None
        What the loss is at most, discretisation and rounding included; None if ``rigorous`` is False.
    exponent : ndarray of shape (T,)
        :math:`2 \int_0^t \lambda_{\min}(J J^T)`, J being the Jacobian of the outputs with their scale (hence
        :math:`\alpha^2` times that at scale 1), by the trapezoidal rule.
    measured : ndarray of shape (T,)
        The loss at the start times exp(-exponent): the bound of the gradient flow, up to quadrature.  Proves
        nothing by itself, and where ``rigorous`` is False it may be less than the loss.
    rigorous : bool
    reason : str
        Why it is not rigorous, or "".
    jacobian_lipschitz : float
        Lipschitz constant of w -> J, scale included, on the ball of ``radius``; infinite if not rigorous.
    radius : float
        Largest distance from the start.
    path_length : float
        Sum of the lengths of the steps.
    reading_steps : ndarray of int of shape (S,)
        Steps at which the smallest eigenvalue was read.
    min_eigenvalues : ndarray of shape (S,)
        Of J J^T.
    eigenvalue_error : float
        What rounding may have changed in them; NaN if not rigorous.
    contraction : ndarray of shape (T - 1,) or None
        By how much each step shrinks the residual at least, its second order aside; None if not rigorous.
    sign_flips, units : int
        Hidden preactivations on the training rows whose sign at the end (or, where the monitor
        "sign_changes" was read, at the worst reading) differs from the start, and their number.
    interval_change : float or None
        Last exponent from all readings minus that from every second one; None of fewer than three readings.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.dynamics import train
    >>> from ntklib.networks import TwoLayerNet
    >>> from ntklib.theory import path_certificate
    >>> net = TwoLayerNet(256, activation="erf", symmetric=True, scale=20.0)
    >>> run = train(net, np.eye(2), [1.0, -1.0], steps=30, record_every=1, monitors="min_eigenvalue")
    >>> found = path_certificate(run)
    >>> found.rigorous, bool((run.loss <= found.loss_bound).all())
    (True, True)
    """

    steps: NDArray
    times: NDArray
    loss: NDArray
    loss_bound: NDArray | None
    exponent: NDArray
    measured: NDArray
    rigorous: bool
    reason: str
    jacobian_lipschitz: float
    radius: float
    path_length: float
    reading_steps: NDArray
    min_eigenvalues: NDArray
    eigenvalue_error: float
    contraction: NDArray | None
    sign_flips: int
    units: int
    interval_change: float | None

    def plot(self, ax: Any = None, **kwargs: Any) -> Any:
        """Draw the loss under its bound against the number of steps.

        Parameters
        ----------
        ax : matplotlib axes or None, default=None
        **kwargs
            For matplotlib's ``plot``.

        Returns
        -------
        HistoryDisplay
        """
        from ntklib.plotting import HistoryDisplay

        curves = {"loss": (self.steps, self.loss)}
        if self.loss_bound is not None:
            curves["certified bound of this run"] = (self.steps, self.loss_bound)
        curves["exp(-2 $\\int \\lambda_{\\min}$), measured"] = (self.steps, self.measured)
        return HistoryDisplay(curves, end=None if self.rigorous else "no certificate").plot(ax, **kwargs)

    def __repr__(self) -> str:
        title = "PathCertificate: bounds the loss of this very run, discretisation and rounding included"
        if not self.rigorous:
            title = f"PathCertificate: measured only, no certificate: {self.reason}"
        start, end = self.loss[[0, -1]]
        rows = {
            "steps": f"{self.steps[-1]}, to time {self.times[-1]:.4g}",
            "loss": f"{start:.6g} -> {end:.6g}",
            "loss bound": "" if self.loss_bound is None else f"{start:.6g} -> {self.loss_bound[-1]:.6g}",
            "measured": f"{start:.6g} exp(-{self.exponent[-1]:.4g}) = {self.measured[-1]:.6g}",
            "min eigenvalue": f"{self.min_eigenvalues.min():.6g} to {self.min_eigenvalues.max():.6g} in "
            f"{len(self.min_eigenvalues)} readings",
            "way": f"{self.path_length:.4g} long, at most {self.radius:.4g} from the start",
        }
        if self.rigorous:
            rows["lipschitz"] = f"{self.jacobian_lipschitz:.4g} on the ball of that radius"
        else:
            rows["sign flips"] = f"{self.sign_flips} of {self.units} preactivations"
        if self.interval_change is not None:
            rows["exponent"] = f"changed by {self.interval_change:.2g} as the reading interval was halved"
        return "\n".join([title, *(f"  {name:<16} {text}" for name, text in rows.items() if text)])

    def __len__(self) -> int:
        return len(self.steps)
