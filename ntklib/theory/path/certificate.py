"""Certificates of recorded runs: a bound on the loss by the eigenvalues met on the way."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import cumulative_trapezoid

from ntklib._core.text import text_list
from ntklib.dynamics import History
from ntklib.dynamics.training.monitor import flips, hidden_units

from ._bound import NoBound, bound_path
from ._reading import RecordedPath, read_path

__all__ = ["PathCertificate", "path_certificate"]


@dataclass(frozen=True, eq=False, repr=False)
class PathCertificate:
    r"""Bound on the loss of a run of gradient descent by the smallest eigenvalues read along it.

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
    >>> from ntklib.dynamics import Recording, train
    >>> from ntklib.networks import TwoLayerNet
    >>> from ntklib.theory import path_certificate
    >>> net = TwoLayerNet(256, activation="erf", symmetric=True, scale=20.0)
    >>> every = Recording(every=1, monitors="min_eigenvalue")
    >>> run = train(net, np.eye(2), [1.0, -1.0], steps=30, record=every)
    >>> certificate = path_certificate(run)
    >>> certificate.rigorous, bool((run.loss <= certificate.loss_bound).all())
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
        return "\n".join([title, *text_list((name, text) for name, text in rows.items() if text)])

    def __len__(self) -> int:
        return len(self.steps)


def path_certificate(history: History) -> PathCertificate:
    r"""Bound the loss of a run of gradient descent by the smallest eigenvalues that were read along it.

    Under gradient flow :math:`L(t) \le L_0 \exp(-2 \int_0^t \lambda_{\min}(J J^T))`.  Gradient descent takes
    steps, and eigenvalues are read at some of them.  Where the Jacobian has a Lipschitz constant
    :math:`\beta` on the ball that holds the path, all of that is accounted for: with :math:`d_k` the steps,

    .. math::
        |r_{k+1}| \le \rho_k |r_k| + \tfrac{\beta}{2} |d_k|^2, \qquad
        \rho_k = \max(1 - \eta s_k^2,\ \eta S_k^2 - 1), \qquad \eta J_k^T r_k = -d_k

    where :math:`s_k` is the root of the smallest eigenvalue at the reading before or after, the better one,
    less :math:`\beta` times the way in between, and :math:`S_k = \sigma_{\max}(J_0) + \beta |w_k - w_0|`, or
    what readings of the largest eigenvalue say in the same way, if there are any: they help where steps are
    long.  Errors of rounding are added.  The bound is of the very run that was recorded.

    Activations whose derivative jumps, such as ReLU, have no :math:`\beta`, and the flow may slide along the
    jump where the Jacobian that acts is none of those read: there the integral is returned as ``measured``,
    and nothing is certified.

    Parameters
    ----------
    history : History
        Of ``train`` with the square loss (a sum or a mean), plain gradient descent at any learning rates, all
        rows and no weights, in float64, with ``Recording(every=1, monitors=["min_eigenvalue"])``, better
        ``["min_eigenvalue", "max_eigenvalue"]``, at any ``monitor_every``.  Networks, centred and linearised
        ones; neither they nor the rows may have been changed since.

    Returns
    -------
    PathCertificate

    Raises
    ------
    TypeError
        If it is no History, or the model is neither a network nor made from one in these ways.
    ValueError
        If the run was trained otherwise, or its record lacks something: the message names the options.  Or if
        the model or the rows are not what they were.

    References
    ----------
    S. Du, X. Zhai, B. Poczos and A. Singh, "Gradient descent provably optimizes over-parameterized neural
    networks", ICLR 2019, section 3 (the flow); the discrete bound is derived in ``docs/theory.md``.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.dynamics import Recording, train
    >>> from ntklib.networks import TwoLayerNet
    >>> from ntklib.theory import path_certificate
    >>> net = TwoLayerNet(256, activation="erf", symmetric=True, scale=20.0)
    >>> every = Recording(every=1, monitors="min_eigenvalue")
    >>> run = train(net, np.eye(2), [1.0, -1.0], steps=30, record=every)
    >>> bool((run.loss <= path_certificate(run).loss_bound).all())
    True
    """
    path = read_path(history)
    reason, bound = "", None
    try:
        bound = bound_path(history, path)
    except NoBound as why:
        reason = str(why)
    exponent = _exponent(path, path.readings)
    change = None
    if len(path.readings) > 2:
        half = path.readings[::2]
        if half[-1] != path.readings[-1]:
            half = np.append(half, path.readings[-1])
        change = float(exponent[-1] - _exponent(path, half)[-1])
    count, units = _sign_flips(history)
    return PathCertificate(
        steps=history.steps,
        times=path.times,
        loss=path.loss,
        loss_bound=None if bound is None else _loss(bound.residual, path.weight),
        exponent=exponent,
        measured=path.loss[0] * np.exp(-exponent),
        rigorous=bound is not None,
        reason=reason,
        jacobian_lipschitz=inf if bound is None else bound.jacobian_lipschitz,
        radius=path.radius,
        path_length=float(path.moves.sum()),
        reading_steps=path.readings,
        min_eigenvalues=path.eigenvalues,
        eigenvalue_error=nan if bound is None else bound.eigenvalue_error,
        contraction=None if bound is None else bound.contraction,
        sign_flips=count,
        units=units,
        interval_change=change,
    )


def _loss(residual: NDArray, weight: float) -> NDArray:
    with np.errstate(over="ignore"):
        return weight * residual**2 / 2


def _exponent(path: RecordedPath, readings: NDArray) -> NDArray:
    """Twice the integral of the eigenvalue, interpolated between some of the readings."""
    chosen = np.isin(path.readings, readings)
    clock = np.concatenate([[0.0], np.cumsum(path.rates)])
    values = np.interp(clock, clock[readings], path.eigenvalues[chosen])
    return 2 * cumulative_trapezoid(values, clock, initial=0.0)


def _sign_flips(history: History) -> tuple[int, int]:
    """Signs of preactivations that differ from the start, at the end or the worst reading; and all."""
    units = history.X.shape[0] * hidden_units(history.params)
    patterns = [
        history.model.activation_pattern(params, history.X)
        for params in (history.initial_params, history.params)
    ]
    worst = max(history.monitors.get("sign_changes", np.zeros(1)))
    return max(flips(*patterns), round(float(worst) * units)), units
