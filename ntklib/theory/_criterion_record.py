"""What `lazy_criterion` returns."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from ntklib._core.validation import check_real

from ._curvature import Interval

__all__ = ["LazyCriterion"]

SMALL = 0.1
"""Up to which the report calls the criterion small; there is no sharp boundary."""


@dataclass(frozen=True, repr=False, eq=False)
class LazyCriterion:
    r"""The criterion of lazy training at w_0, its parts, and what one step does; from `lazy_criterion`.

    Attributes
    ----------
    scale : float
        :math:`\alpha`.
    outputs, targets : ndarray of shape (n k,)
        h(w_0), at scale 1, and y.
    differential : float
        :math:`|Dh(w_0)|`, operator norm, at scale 1.
    second_derivative : Interval
        :math:`|D^2h(w_0)|`, at scale 1.
    learning_rate : float
        :math:`\eta`.
    gradient : float
        :math:`|\nabla L(w_0)|`.
    loss_change, differential_change : float
        Measured after one step: (L(w_0) - L(w_1)) / L(w_0), and |Dh(w_1) - Dh(w_0)| / |Dh(w_0)|.
    homogeneity : int or None
        q with h(lambda w) = lambda^q h(w), None if the network is not homogeneous.
    kinks : bool
        Whether the activation's derivative jumps (ReLU): D^2h is that almost everywhere, and says nothing of
        how Dh changes when a preactivation changes its sign.
    """

    scale: float
    outputs: NDArray
    targets: NDArray
    differential: float
    second_derivative: Interval
    learning_rate: float
    gradient: float
    loss_change: float
    differential_change: float
    homogeneity: int | None
    kinks: bool

    @property
    def residual(self) -> float:
        r""":math:`|\alpha h(w_0) - y|`."""
        return float(np.linalg.norm(self.scale * self.outputs - self.targets))

    @property
    def loss(self) -> float:
        r""":math:`L(w_0) = |\alpha h(w_0) - y|^2/2`."""
        return self.residual**2 / 2

    @property
    def kappa(self) -> Interval:
        """The criterion at the network's own scale."""
        return self.at_scale(self.scale)

    @property
    def limit(self) -> Interval:
        r""":math:`|h(w_0)| |D^2h| / |Dh|^2`: what it tends to when outputs or weights are scaled up.

        It is 0, and training gets lazy, only if the outputs start at 0: in symmetric and in centred networks.
        """
        return self._ratio * float(np.linalg.norm(self.outputs))

    @property
    def predicted_loss_change(self) -> float:
        r""":math:`\eta |\nabla L|^2 / L`."""
        return self.learning_rate * self.gradient**2 / self.loss

    @property
    def predicted_differential_change(self) -> Interval:
        r""":math:`\eta |\nabla L| |D^2h| / |Dh|`, which bounds the change to first order, kinks apart."""
        return self.second_derivative * (self.learning_rate * self.gradient / self.differential)

    @property
    def _ratio(self) -> Interval:
        return self.second_derivative * self.differential**-2

    def at_scale(self, alpha: float) -> Interval:
        r"""Return :math:`\kappa_{\alpha h}(w_0) = \alpha^{-1} |\alpha h(w_0) - y| |D^2h| / |Dh|^2`.

        Parameters
        ----------
        alpha : float
            Positive.

        Raises
        ------
        ValueError, TypeError
            If it is not.
        """
        alpha = check_real(alpha, "alpha", minimum=0.0, strict=True)
        return self._ratio * float(np.linalg.norm(self.outputs - self.targets / alpha))

    def at_weights_times(self, factor: float) -> Interval:
        r"""Return the criterion at :math:`\lambda w_0`, all weights multiplied, at the network's own scale.

        With :math:`h(\lambda w) = \lambda^q h(w)` it is that at w_0 of the scale :math:`\lambda^q \alpha`.  A
        centred network is centred anew, at :math:`\lambda` times its centre.

        Parameters
        ----------
        factor : float
            :math:`\lambda`, positive.

        Raises
        ------
        ValueError, TypeError
            If it is not positive, or the network not homogeneous: it has biases, or its activation is none of
            the powers (ReLU, leaky ReLU, abs, ``RectifiedPower``, ``Monomial``, ...).
        """
        factor = check_real(factor, "factor", minimum=0.0, strict=True)
        if self.homogeneity is None:
            raise ValueError(
                "the network is not homogeneous, so that its criterion at other weights does not follow from "
                "that at these; use a power as activation and bias_std=0, or call lazy_criterion there."
            )
        with np.errstate(over="ignore"):  # refused by at_scale
            return self.at_scale(float(self.scale * np.power(factor, self.homogeneity)))

    def __repr__(self) -> str:
        kappa, limit = self.kappa, self.limit
        if self.second_derivative.upper == 0:
            tends = "0: the outputs are linear in what is trained"
        elif limit.upper == 0:
            tends = "0: the outputs start at 0"
        else:
            tends = f"{limit}, not 0: the outputs start at |h| = {np.linalg.norm(self.outputs):.4g}"
        degree = "not homogeneous" if self.homogeneity is None else f"h(c w) = c^{self.homogeneity} h(w)"
        step, bound = self.learning_rate, self.predicted_differential_change.upper
        at_most = "no bound known" if bound == inf else f"at most {_percent(bound)}"
        rows = [
            ("alpha", f"{self.scale:.4g}"),
            ("|alpha h(w0) - y|", f"{self.residual:.4g}"),
            ("|Dh(w0)|", f"{self.differential:.4g}"),
            ("|D^2h(w0)|", f"{self.second_derivative}{', without the jumps at kinks' * self.kinks}"),
            ("limit for large alpha", tends),
            ("weights", degree),
            (f"step of {step:.4g}", "first order, measured"),
            ("  L falls by", f"{_percent(self.predicted_loss_change)}, {_percent(self.loss_change)}"),
            ("  Dh changes by", f"{at_most}, {_percent(self.differential_change)}"),
        ]
        wide = max(len(name) for name, _ in rows)
        lines = [f"kappa = |alpha h - y| |D^2h| / (alpha |Dh|^2) = {kappa}: {_verdict(kappa)}"]
        return "\n".join(lines + [f"  {name:<{wide}}  {text}" for name, text in rows])


def _percent(value: float) -> str:
    return f"{100 * value:.4g} %"


def _verdict(kappa: Interval) -> str:
    if kappa.lower > SMALL:
        return "not small, training is not lazy"
    if kappa.upper <= SMALL:
        return "small, training starts lazily"
    if kappa.upper == inf:
        return "may be small, no upper end is known"
    return "may be small, the upper end decides"
