"""Limit of training on the logistic loss: the separator of largest margin, at the pace of 1/log t."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit, logsumexp

from .flow import homogeneity, linear_flow, network_flow
from .svm import MaxMargin, max_margin

__all__ = ["MarginPath", "asymptotic_offset", "expansion", "margin_path", "network_margin_path"]


@dataclass(frozen=True, eq=False)
class MarginPath:
    r"""A model along the gradient flow of the logistic loss, against the hard-margin machine in its features.

    Features are :math:`x` for the linear model, :math:`\nabla f(x; w_0)` for a tangent model and
    :math:`\nabla f(x; w_t)`, which moves, for a network.

    Attributes
    ----------
    log_time : ndarray of shape (T,)
        :math:`\log(1 + t)`.
    distance : ndarray of shape (T,)
        Between the direction :math:`w_t/|w_t|` and the machine's; NaN where nothing separates yet.
    gap : ndarray of shape (T,)
        Share of the largest margin that is still missing, :math:`1 - \min_i y_i f_i / (|w_t|\, \gamma)`.
    expected_distance, expected_gap : ndarray of shape (T,)
        The same from :math:`w = \hat w \log t + \tilde w`; NaN for networks.
    angle : ndarray of shape (T,)
        Between the parameters and the negative gradient, in radians.  Both turn to one ray, along which a
        step changes no direction any more.
    distance_rate, gap_rate : ndarray of shape ()
        What distance and gap times log t tend to; NaN for networks.
    share : ndarray of shape (T, n)
        Share of each sample in the gradient, :math:`p_i / \sum_j p_j`, about in proportion to
        :math:`e^{-y_i f_i}`.
    multipliers : ndarray of shape (n,)
        Of the support vector machine (at the last time, for networks), added up to 1.
    margin : ndarray of shape (T,)
        Largest margin in the features; NaN where nothing separates.
    log_loss : ndarray of shape (T,)
        Logarithm of the loss.
    """

    log_time: NDArray
    distance: NDArray
    gap: NDArray
    expected_distance: NDArray
    expected_gap: NDArray
    angle: NDArray
    distance_rate: NDArray
    gap_rate: NDArray
    share: NDArray
    multipliers: NDArray
    margin: NDArray
    log_loss: NDArray

    @property
    def support_share(self) -> NDArray:
        """Share of the support vectors in the gradient, shape (T,)."""
        return self.share[:, self.multipliers > 0].sum(axis=1)

    @property
    def expected_angle(self) -> NDArray:
        """The angle from the expansion, gradients being along its leading term, shape (T,)."""
        return 2 * np.arcsin(self.expected_distance / 2)

    def exponent(self, name: str = "gap") -> float:
        """Return the exponent of log t that a quantity falls with, from its last decade."""
        values = getattr(self, name)
        late = self.log_time >= self.log_time[-1] / 10.01
        return float(np.polyfit(np.log(self.log_time[late]), np.log(values[late]), 1)[0])


def asymptotic_offset(
    signed: NDArray, machine: MaxMargin, end: NDArray, weights: NDArray | None = None
) -> NDArray:
    r"""Return :math:`\tilde w` of :math:`w(t) = \hat w \log t + \tilde w + o(1)`.

    In the span of the support vectors it is known exactly: their pulls :math:`\omega_i e^{-y_i f_i}` have to
    be :math:`\alpha_i / t`, hence :math:`y_i \phi_i \cdot \tilde w = \log(\omega_i/\alpha_i)`.  Perpendicular
    to it :math:`w(t)` has a limit, which depends on the whole path and is read off its end.

    References
    ----------
    D. Soudry et al., "The implicit bias of gradient descent on separable data", JMLR 19, 2018, theorem 4.
    """
    support = machine.support
    logs = -np.log(machine.multipliers[support])
    if weights is not None:
        logs = logs + np.log(weights[support])
    rows = signed[support]
    spanned = np.linalg.lstsq(rows, logs, rcond=None)[0]
    return spanned + end - np.linalg.lstsq(rows, rows @ end, rcond=None)[0]


def expansion(machine: MaxMargin, offset: NDArray, log_times: NDArray) -> NDArray:
    r"""Return :math:`\hat w \log t + \tilde w` at given times, shape (T, p)."""
    return np.outer(log_times, machine.weights) + offset


def margin_path(features: NDArray, signs: NDArray, log_times: NDArray) -> dict[str, NDArray]:
    r"""Follow a model that is linear in its parameters, from w = 0, and compare it with the SVM.

    With :math:`w(t) = \hat w \log t + \tilde w`, direction and margin approach their limits as

    .. math:: \log t \left| \frac{w}{|w|} - \frac{\hat w}{|\hat w|} \right| \to
              \frac{|P_{\perp \hat w} \tilde w|}{|\hat w|}, \qquad
              \log t \left(1 - \frac{\min_i y_i f_i}{|w| \gamma}\right) \to
              \log \max_i \alpha_i - \frac{\sum_i \alpha_i \log \alpha_i}{\sum_i \alpha_i} .

    Parameters
    ----------
    features : ndarray of shape (n, p)
    signs : ndarray of shape (n,)
        Labels, +1 and -1.
    log_times : ndarray of shape (T,)
        Ascending and positive.

    Returns
    -------
    dict of str to ndarray
        Fields of a `MarginPath`; empty if no plane through the origin separates the classes.
    """
    signed = features * signs[:, None]
    machine = max_margin(signed)
    if machine is None:
        return {}
    path = linear_flow(signed, log_times)
    offset = asymptotic_offset(signed, machine, path[-1])
    compared, expected = (
        [_compare(w, signed @ w, machine, 1) for w in course]
        for course in (path, expansion(machine, offset, log_times))
    )
    along = machine.direction * (offset @ machine.direction)
    alpha = machine.multipliers[machine.support]
    entropy = np.log(alpha.max()) - (alpha @ np.log(alpha)) / alpha.sum()
    distance_rate = float(np.linalg.norm(offset - along)) * machine.margin
    margins = path @ signed.T
    angle = [_angle(w, share @ signed) for w, share in zip(path, _shares(margins), strict=True)]
    return _fields(log_times, margins, compared, expected, angle, machine, (distance_rate, float(entropy)))


def network_margin_path(
    network: Any, X: NDArray, signs: NDArray, start: Any, log_times: NDArray
) -> dict[str, NDArray]:
    r"""Follow a homogeneous network, :math:`f(c w) = c^q f(w)`, and compare it with the SVM in its gradients.

    Since :math:`f(x; w) = \langle \nabla f(x; w), w \rangle / q`, a direction is a Karush-Kuhn-Tucker point
    of the largest-margin problem of the network if and only if it is that of the SVM in the features
    :math:`\nabla f(x; w)`.

    References
    ----------
    K. Lyu and J. Li, "Gradient descent maximizes the margin of homogeneous neural networks", ICLR 2020;
    Z. Ji and M. Telgarsky, "Directional convergence and alignment in deep learning", NeurIPS 2020.
    """
    path = network_flow(network, X, signs, start, log_times)
    degree = homogeneity(network, start, X)
    margins, compared, angle, machine = [], [], [], None
    for w in path:
        params = network.unravel(start, w)
        margins.append(signs * network.apply(params, X))
        signed = network.jacobian(params, X) * signs[:, None]
        machine = max_margin(signed)
        compared.append(_compare(w, margins[-1], machine, degree))
        angle.append(_angle(w, _shares(margins[-1]) @ signed))
    if machine is None:
        return {}
    unknown = [[np.nan] * 3] * len(path)
    return _fields(log_times, np.array(margins), compared, unknown, angle, machine, (np.nan, np.nan))


def _compare(w: NDArray, margins: NDArray, machine: MaxMargin | None, degree: int) -> list[float]:
    """Distance of the directions, missing share of the margin, and the largest margin."""
    length = float(np.linalg.norm(w))
    if machine is None or not length > 0:
        return [np.nan] * 3
    distance = float(np.linalg.norm(w / length - machine.direction))
    return [distance, 1 - degree * float(margins.min()) / (length * machine.margin), machine.margin]


def _angle(a: NDArray, b: NDArray) -> float:
    """Angle between two vectors, accurate where it is small."""
    return 2 * float(np.arcsin(np.linalg.norm(a / np.linalg.norm(a) - b / np.linalg.norm(b)) / 2))


def _shares(margins: NDArray) -> NDArray:
    """Shares of the samples in the gradient."""
    pulls = log_expit(-margins)
    return np.exp(pulls - logsumexp(pulls, axis=-1, keepdims=True))


def _fields(
    log_times: NDArray,
    margins: NDArray,
    compared: list[list[float]],
    expected: list[list[float]],
    angle: list[float],
    machine: MaxMargin,
    rates: tuple[float, float],
) -> dict[str, NDArray]:
    distance, gap, margin = np.array(compared).T
    return {
        "log_time": log_times,
        "distance": distance,
        "gap": gap,
        "expected_distance": np.array(expected)[:, 0],
        "expected_gap": np.array(expected)[:, 1],
        "angle": np.array(angle),
        "distance_rate": np.array(rates[0]),
        "gap_rate": np.array(rates[1]),
        "share": _shares(margins),
        "multipliers": machine.multipliers / machine.multipliers.sum(),
        "margin": margin,
        # the logarithm of log(1 + e^-m), -m from where e^-m is lost in rounding
        "log_loss": logsumexp(
            np.where(margins > 40, -margins, np.log(-log_expit(np.minimum(margins, 40)))), axis=1
        ),
    }
