"""Influence functions against leaving samples out: off by a known factor for kernels, unreliable for nets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.stats import spearmanr

from ntklib._core.threads import parallel_for
from ntklib.solvers import EigenFactor

__all__ = ["Influence", "network_influence", "ridge_influence"]

_CUT_SHORT = 1e-3  # of that where a run starts: one that ends above this was stopped on its way
_TOLERANCE = 1e-10  # of the gradient, relative to that at w = 0


@dataclass(frozen=True, eq=False)
class Influence:
    r"""Changes when samples are left out, as influence functions predict them and as they are.

    Attributes
    ----------
    predicted, actual : ndarray of shape (n,)
        Change of the output at the sample left out.
    leverage : ndarray of shape (n,)
        :math:`h_i`, the derivative of the fitted value :math:`f_i` in the target :math:`y_i`.
    probe_predicted, probe_actual : ndarray of shape (n, m)
        Change of the outputs at further samples.
    """

    predicted: NDArray
    actual: NDArray
    leverage: NDArray
    probe_predicted: NDArray
    probe_actual: NDArray

    @property
    def corrected(self) -> NDArray:
        """Predictions divided by 1 - h_i, exact for models that are linear in their parameters."""
        return self.predicted / (1 - self.leverage)

    @property
    def slope(self) -> float:
        """Predicted change for a unit of actual change, by least squares; 1 for a perfect prediction."""
        return float(self.predicted @ self.actual / (self.actual @ self.actual))

    @property
    def error(self) -> float:
        """Root-mean-square error of the prediction relative to the root mean square of the change."""
        return float(np.linalg.norm(self.predicted - self.actual) / np.linalg.norm(self.actual))

    @property
    def corrected_error(self) -> float:
        """The same of `corrected`."""
        return float(np.linalg.norm(self.corrected - self.actual) / np.linalg.norm(self.actual))

    @property
    def rank_correlation(self) -> float:
        """Spearman's correlation of predicted and actual changes at further samples."""
        return float(spearmanr(self.probe_predicted.ravel(), self.probe_actual.ravel()).statistic)


def ridge_influence(K: NDArray, K_probe: NDArray, y: NDArray, penalty: float) -> dict[str, NDArray]:
    r"""Compare influence with leave-one-out for kernel ridge regression without intercept.

    With :math:`H = K (K + \lambda I)^{-1}` and :math:`r = y - H y`, taking sample i out changes its output by

    .. math:: -\frac{H_{ii} r_i}{1 - H_{ii}}, \qquad \text{and influence functions say} \quad -H_{ii} r_i ;

    at any other sample, too, they are short by the factor :math:`1 - H_{ii}`.

    Parameters
    ----------
    K : ndarray of shape (n, n)
    K_probe : ndarray of shape (m, n)
        Kernel of further samples with these.
    y : ndarray of shape (n,)
    penalty : float
        Positive.

    Returns
    -------
    dict of str to ndarray
        Fields of an `Influence`; the actual changes are those of n refits.

    References
    ----------
    R. D. Cook and S. Weisberg, "Residuals and influence in regression", 1982.
    """
    n = len(y)
    factor = EigenFactor(K)
    inverse = factor.solve(np.eye(n), penalty).value
    dual = inverse @ y
    fitted = y - penalty * dual  # H y, and H_ii = 1 - penalty (K + penalty I)^-1_ii
    leverage = 1 - penalty * np.diag(inverse)
    residual = penalty * dual
    actual, probe_actual = np.empty(n), np.empty((n, len(K_probe)))
    for i in range(n):
        rest = np.delete(np.arange(n), i)
        fit = np.linalg.solve(K[np.ix_(rest, rest)] + penalty * np.eye(n - 1), y[rest])
        actual[i] = K[i, rest] @ fit - fitted[i]
        probe_actual[i] = K_probe[:, rest] @ fit - K_probe @ dual
    return {
        "predicted": -leverage * residual,
        "actual": actual,
        "leverage": leverage,
        "probe_predicted": -residual[:, None] * (K_probe @ inverse).T,
        "probe_actual": probe_actual,
    }


def network_influence(
    network: Any,
    X: NDArray,
    probes: NDArray,
    y: NDArray,
    penalty: float,
    left_out: Iterable[int],
    *,
    random_state: int,
) -> dict[str, NDArray]:
    r"""Compare influence with retraining for a network.

    The loss is :math:`\tfrac12 |f - y|^2 + \tfrac{\lambda}{2} |w|^2`.  At a minimum with Hessian A,
    influence functions say that without sample i the parameters move by
    :math:`-r_i A^{-1} \nabla f_i` and the output there by :math:`-h_i r_i`,
    :math:`h_i = \nabla f_i^T A^{-1} \nabla f_i`.  All runs go to a minimum by L-BFGS: influence functions
    are about minima, and a run cut short would be held against them.

    Parameters
    ----------
    network : Network
        With a smooth activation.
    X, probes : ndarray of shape (n, d), (m, d)
    y : ndarray of shape (n,)
    penalty : float
        Positive.
    left_out : iterable of int
        Samples to leave out.
    random_state : int
        Of the initialisation, common to all runs.

    Returns
    -------
    dict of str to ndarray
        Fields of an `Influence` for retraining from the minimum; ``afresh`` and ``probe_afresh`` hold the
        changes for retraining from the initialisation.

    References
    ----------
    P. W. Koh and P. Liang, "Understanding black-box predictions via influence functions", ICML 2017;
    S. Basu, P. Pope and S. Feizi, "Influence functions in deep learning are fragile", ICLR 2021.
    """
    start = network.init(X.shape[1], random_state)
    first = network.ravel(start)
    everything = np.ones(len(X))
    best = _minimise(network, X, y, everything, penalty, start, first)
    params = network.unravel(start, best)
    outputs, J, J_probe = (
        network.apply(params, X),
        network.jacobian(params, X),
        network.jacobian(params, probes),
    )
    residual = y - outputs
    hessian = J.T @ J + penalty * np.eye(len(best))
    hessian -= np.stack([network.hvp(params, X, residual, e) for e in np.eye(len(best))])
    chosen = np.asarray(list(left_out))
    try:
        moves = -residual[chosen] * cho_solve(cho_factor((hessian + hessian.T) / 2), J[chosen].T)
    except LinAlgError:
        raise ValueError(
            "training ended at a saddle, where influence is not defined; raise the penalty."
        ) from None
    predicted = np.einsum("ip,pi->i", J[chosen], moves)
    base = network.apply(params, probes)
    changes = np.empty((2, len(chosen), 1 + len(probes)))  # from the minimum, and afresh

    def leave_out(run: tuple[int, int]) -> None:
        way, position = run
        i = chosen[position]
        kept = everything.copy()
        kept[i] = 0.0
        again = network.unravel(start, _minimise(network, X, y, kept, penalty, start, (best, first)[way]))
        changes[way, position, 0] = network.apply(again, X[[i]])[0] - outputs[i]
        changes[way, position, 1:] = network.apply(again, probes) - base

    parallel_for(leave_out, product((0, 1), range(len(chosen))))
    on, afresh = changes
    return {
        "predicted": predicted,
        "actual": on[:, 0],
        "leverage": -predicted / residual[chosen],
        "probe_predicted": (J_probe @ moves).T,
        "probe_actual": on[:, 1:],
        "afresh": afresh[:, 0],
        "probe_afresh": afresh[:, 1:],
    }


def _minimise(
    network: Any, X: NDArray, y: NDArray, kept: NDArray, penalty: float, start: Any, w: NDArray
) -> NDArray:
    """A minimum of the penalised loss near w."""
    model = network.on_rows(start, X)

    def objective(at: NDArray) -> tuple[float, NDArray]:
        model.vector[:] = at
        f = model.evaluate(model.arrays, lambda rows, f: kept[rows] * (f - y[rows]))
        value = 0.5 * float(kept @ (f - y) ** 2) + 0.5 * penalty * float(at @ at)
        return value, model.gradient + penalty * at

    size = float(np.abs(objective(w)[1]).max())
    options = {"maxiter": 20_000, "maxfun": 40_000, "ftol": 0.0, "gtol": _TOLERANCE * size, "maxcor": 30}
    end = minimize(objective, w, jac=True, method="L-BFGS-B", options=options)
    reached = float(np.abs(objective(end.x)[1]).max())
    if reached > _CUT_SHORT * size:  # a run cut short would be held against influence functions
        raise RuntimeError(
            f"a network did not reach its minimum ({end.message}): its gradient is {reached:.2g}, "
            f"{size:.2g} at the start; use a larger penalty or a narrower network."
        )
    return end.x
