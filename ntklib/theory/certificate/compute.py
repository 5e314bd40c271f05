r"""Certificates of lazy training: from constants at the start, what the whole run will do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ntklib._core.validation import check_option, check_real
from ntklib.networks import Params

from .._constants import LazyConstants, constants_of, targets_like
from .._neurons import base_network
from ._theorems import THEOREMS
from .record import LazyCertificate, certify

__all__ = ["certificate_from_constants", "lazy_certificate"]


def lazy_certificate(
    net: Any, params: Params, X: Any, y: ArrayLike, *, theorem: str = "A'"
) -> LazyCertificate:
    r"""Certify, from its start alone, that gradient flow on a network will be lazy.

    With :math:`e = |h_0 - y/\alpha|`, where :math:`\alpha` is the ``scale`` of the network and h its outputs
    at scale 1, :math:`\sigma_{\min}, \sigma_{\max}` the extreme singular values of :math:`Dh(w_0)` and
    :math:`\beta` from `jacobian_lipschitz` on the ball that is needed:

    - A': if :math:`q = \sigma_{\min}^2 - 2 \beta e \ge 0`, then
      :math:`L(t) \le L_0 / [1 + \sigma_{\min}^2 (e^{\alpha^2 q t} - 1)/q]^2`, which is at most
      :math:`L_0 e^{-2 \alpha^2 q t}` and for q = 0 reads :math:`L_0 / (1 + \sigma_{\min}^2 \alpha^2 t)^2`;
      and the path is no longer than :math:`(\sigma_{\min} - \sqrt q)/\beta`;
    - A: if :math:`e \le \sigma_{\min}^3 / (12 \beta \sigma_{\max})`, then
      :math:`L(t) \le L_0 e^{-\alpha^2 \sigma_{\min}^2 t / 2}` and
      :math:`|w - w_0| \le 6 \sigma_{\max} e / \sigma_{\min}^2`;
    - B: if :math:`|h_0|` and :math:`|y|/\alpha` are below :math:`\sigma_{\min}^3 / (32 \beta \sigma_{\max})`,
      then the same rate, and :math:`|w - w_0| \le 8 \sigma_{\max} e / \sigma_{\min}^2`.

    The flow is plain, without step multipliers: of a network with parameterisation "mean_field" and no
    biases, which `train` moves faster by its width, time goes by faster as much; "mup" has several.

    Parameters
    ----------
    net : TwoLayerNet, MLP of one hidden layer, or one of these centred
    params : Params
        The start.
    X : array-like or CSR matrix of shape (n, d)
    y : array-like of shape (n,) or (n, k)
    theorem : {"A", "A'", "B"}, default="A'"
        A' is the sharpest: whatever A or B certifies, A' does, with better bounds.

    Returns
    -------
    LazyCertificate
        With ``failures`` that name what does not hold, such as an activation whose derivative jumps.

    Raises
    ------
    ValueError
        If the network has more than one hidden layer, nothing is known of the activation's derivatives
        between points, the theorem is unknown, or shapes do not go together.
    TypeError
        If ``net`` is no network.

    References
    ----------
    L. Chizat, E. Oyallon and F. Bach, "On lazy training in differentiable programming", NeurIPS 2019,
    theorem 2.4 (B); A is a form of it that circulates in lecture notes.  Proofs, and A': ``docs/theory.md``.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.networks import TwoLayerNet
    >>> from ntklib.theory import lazy_certificate
    >>> net = TwoLayerNet(4000, activation="erf", symmetric=True, scale=20.0)
    >>> params = net.init(2, random_state=0)
    >>> certificate = lazy_certificate(net, params, np.eye(2), [1.0, -1.0])
    >>> certificate.holds, round(certificate.scale_threshold, 1)
    (True, 0.3)
    >>> bool(certificate.loss_bound(0.01) < 0.9 * certificate.initial_loss)
    True
    """
    name = check_option(theorem, "theorem", THEOREMS)
    network = base_network(net)
    return certify(constants_of(net, params, X, y), float(network.scale), name)


def certificate_from_constants(
    h0: ArrayLike,
    y: ArrayLike,
    *,
    sigma_min: float,
    sigma_max: float,
    jacobian_lipschitz: float | Callable[[float], float],
    scale: float = 1.0,
    theorem: str = "A'",
) -> LazyCertificate:
    r"""Certify lazy training of any model whose constants are known: see `lazy_certificate`.

    Numbers are taken to be right to a few units in the last place: a residual that exceeds the limit of
    theorem A' by no more than that is at the threshold, q = 0.

    Parameters
    ----------
    h0, y : array-like of shape (n,)
        Outputs at the start, at scale 1, and targets.
    sigma_min, sigma_max : float
        Extreme singular values of the Jacobian at the start, 1e153 at most.
    jacobian_lipschitz : float or callable
        Of the Jacobian: everywhere, or a function of the radius of a ball around the start, never falling.
    scale : float, default=1
    theorem : {"A", "A'", "B"}, default="A'"

    Returns
    -------
    LazyCertificate

    Raises
    ------
    ValueError, TypeError
        If a number is not as above.

    Examples
    --------
    >>> from ntklib.theory import certificate_from_constants
    >>> certificate_from_constants(  # h(w) = w - w^2 / 8, which is nowhere larger than 2
    ...     [0.0], [1.0], sigma_min=1.0, sigma_max=1.0, jacobian_lipschitz=0.25
    ... ).scale_threshold.__round__(6)
    0.5
    """
    name = check_option(theorem, "theorem", THEOREMS)
    h0 = np.atleast_1d(np.asarray(h0, dtype=np.float64))
    if not np.isfinite(h0).all():
        raise ValueError("h0 holds NaN or infinity.")
    low = check_real(sigma_min, "sigma_min", minimum=0.0)
    high = check_real(sigma_max, "sigma_max", minimum=low)
    beta: Callable[[float], float]
    if callable(jacobian_lipschitz):
        beta = _Checked(jacobian_lipschitz)
    else:
        beta = _Constant(check_real(jacobian_lipschitz, "jacobian_lipschitz", minimum=0.0))
    failures = [] if low else ["rank deficiency: sigma_min = 0"]
    if beta(0.0) == inf:
        failures.append("curvature: jacobian_lipschitz is infinite on every ball")
    constants = LazyConstants(h0.ravel(), targets_like(h0, y), 0.0, low, high, 0.0, beta, tuple(failures))
    return certify(constants, check_real(scale, "scale", minimum=0.0, strict=True), name)


@dataclass(frozen=True)
class _Constant:
    value: float

    def __call__(self, radius: float) -> float:
        return self.value


@dataclass(frozen=True)
class _Checked:
    function: Callable[[float], float]

    def __call__(self, radius: float) -> float:
        value = self.function(float(radius))
        if not (isinstance(value, Real) and value >= 0):
            raise ValueError(
                f"jacobian_lipschitz must return a number of at least 0, got {value!r} at radius {radius:g}."
            )
        return float(value)
