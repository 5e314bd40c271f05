r"""Certificates of lazy training: from constants at the start, what the whole run will do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import ceil, inf, isfinite
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntklib._core.text import text_list
from ntklib._core.validation import check_option, check_real
from ntklib.networks import Params

from .._jacobian_lipschitz import OUTWARD
from .._neurons import EPS, base_network
from ._constants import AnyBall, GivenBalls, LazyConstants, constants_of, targets_like
from ._theorems import THEOREMS, Promise, Reach, times_rate

__all__ = ["LazyCertificate", "certificate_from_constants", "lazy_certificate"]

HUGE = 1e70


@dataclass(frozen=True, repr=False, eq=False)
class LazyCertificate:
    r"""Statement of a lazy-training theorem on gradient flow on the square loss, from constants at its start.

    The clock is that of :math:`\dot w = -\nabla L`, :math:`L(w) = \frac12 |\alpha h(w) - y|^2`; rates are of
    the loss.  All numbers are rounded outward: limits, intervals and rates down, distances and losses up.

    Attributes
    ----------
    theorem : {"A", "A'", "B"}
    scale : float
        :math:`\alpha`.
    holds : bool
        Whether the theorem applies; if not, it promises nothing: ``rate`` is 0 and bounds are infinite.  At
        the very threshold it does.
    failures : tuple of str
        Assumptions that do not hold, each with its number.
    sigma_min, sigma_max : float
        Extreme singular values of the Jacobian of h at the start.
    eigenvalue_error : float
        Bound on the rounding errors of their squares.
    jacobian_lipschitz : float
        :math:`\beta`, a bound on the Lipschitz constant of the Jacobian of h within ``radius``.
    radius : float
        Of the ball around the start that is needed.
    residual : float
        :math:`|h_0 - y/\alpha|`; for theorem B the larger one of :math:`|h_0|` and :math:`|y|/\alpha`.
    residual_limit : float
        What it may be at most.
    initial_loss : float
        :math:`L_0`.
    scale_interval : (float, float) or None
        The scales that are certified: a half-line, a bounded interval, or none.
    scale_threshold : float
        Its lower end, infinite if it is empty.
    rate : float
        :math:`L(t) \le L_0 e^{-rate\, t}`.  Of theorem A' it is the rate in the end, which may be 0 at the
        threshold; ``loss_bound`` is sharper at all times.
    linear_rate : float
        The same for the linearised model, :math:`2 \alpha^2 \sigma_{\min}^2`.
    distance_bound, linear_distance_bound : float
        How far the parameters of the network, and of the linearised model, move at most.
    """

    theorem: str
    scale: float
    holds: bool
    failures: tuple[str, ...]
    sigma_min: float
    sigma_max: float
    eigenvalue_error: float
    jacobian_lipschitz: float
    radius: float
    residual: float
    residual_limit: float
    initial_loss: float
    scale_interval: tuple[float, float] | None
    rate: float
    linear_rate: float
    distance_bound: float
    linear_distance_bound: float
    constants: LazyConstants

    @property
    def scale_threshold(self) -> float:
        """The lower end of the interval of certified scales, infinite if there are none."""
        return inf if self.scale_interval is None else self.scale_interval[0]

    @property
    def condition_number(self) -> float:
        """(sigma_max / sigma_min)^2, that of the tangent kernel."""
        return (self.sigma_max / self.sigma_min) ** 2 if self.sigma_min else inf

    @cached_property
    def certifying_width(self) -> int | None:
        """About the width from which on scale 1 would be certified.

        None where none is known, and where the width does not matter.  For networks in the NTK
        parameterisation; it takes sigma_min, sigma_max and h_0 as they are, and beta to fall like the root of
        the width, which neglects that the largest of more weights is a little larger.
        """
        start, theorem = self.constants, THEOREMS[self.theorem]
        if start.width is None or start.sigma_min == 0 or start.beta(0.0) == inf:
            return None
        demand = theorem.demand(start.h0, start.y, 1.0)
        strain = theorem.strain(start.sigma_min, start.sigma_max, start.beta, demand)
        return max(1, ceil(start.width * strain**2)) if 0 < strain < 1e100 else None

    @property
    def loss_limit(self) -> float:
        r"""Limit of the loss, at most: 0 if the theorem holds.

        If the residual e exceeds the limit c, the loss still falls at least to
        :math:`\alpha^2 (e - c)^2 / 2`; only, nothing bounds how far the parameters move.
        """
        if self.holds:
            return 0.0
        left = self.scale * max(self.constants.residual(self.scale) - self.residual_limit, 0.0)
        return left * left / 2 * (1 + 8 * EPS)

    def loss_bound(self, t: ArrayLike) -> NDArray:
        r"""Return what the network's loss is at most at times t, an array like t; infinite if none is.

        By theorem A', with :math:`q = \sigma_{\min}^2 - 2 \beta e`,

        .. math::
            L(t) \le L_0 \left[1 + \sigma_{\min}^2 \frac{e^{\alpha^2 q t} - 1}{q}\right]^{-2}, \qquad
            q = 0: \quad L(t) \le \frac{L_0}{(1 + \sigma_{\min}^2 \alpha^2 t)^2}

        By theorems A and B, :math:`L(t) \le L_0 e^{-rate\, t}`.
        """
        times = _times(t)
        if not self.holds:
            return np.full(times.shape, inf)
        left = self._left(times)
        return np.asarray(self.initial_loss * left * left)  # the square alone may be too small a number

    def linear_loss_bound(self, t: ArrayLike) -> NDArray:
        """Return what the loss of the linearised model is at most at times t, an array like t."""
        return np.asarray(self.initial_loss * np.exp(-times_rate(self.linear_rate, _times(t))))

    def distance_left(self, t: ArrayLike) -> NDArray:
        r"""Return how far parameters still move from times t on, at most; infinite if nothing is known.

        With :math:`\rho(t)` the bound on :math:`|\alpha h - y|/\alpha` at time t, it is
        :math:`(\sqrt{q + 2 \beta \rho(t)} - \sqrt q) / \beta` by theorem A', at time 0 the length of the
        whole path; and :math:`2 \rho(t) / \sigma_{\min}` by A and B.
        """
        times = _times(t)
        if not self.holds:
            return np.full(times.shape, inf)
        left = self._left(times)
        in_the_end = self.rate / self.linear_rate if self.linear_rate else 0.0
        slopes = THEOREMS[self.theorem].slopes(in_the_end, left)
        # of no residual nothing is left, by slopes of 0 too
        far = np.divide(left, slopes, out=np.zeros_like(left), where=left > 0)
        longest = 2 * self.constants.residual(self.scale) / self.sigma_min * (1 + 16 * EPS)
        return np.minimum(longest * far, self.distance_bound)

    def time_to(self, loss: ArrayLike) -> NDArray:
        """Return by when the network's loss has fallen to a value, an array like it; infinite if never.

        The inverse of ``loss_bound``; 0 for losses of ``initial_loss`` or more.
        """
        losses = np.asarray(loss, dtype=np.float64)
        if not (losses >= 0).all():
            raise ValueError("loss must be at least 0.")
        start = self.initial_loss
        if not self.holds:
            return np.where(losses >= start, 0.0, inf)
        share = np.ones(losses.shape)
        if start > 0:  # roots, as the quotient may be too small a number
            share = np.minimum(np.sqrt(losses) / np.sqrt(start), 1.0)
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            times = THEOREMS[self.theorem].time(self.rate, self._speed, share)
        return np.where(share < 1, times, 0.0)

    @property
    def _speed(self) -> float:
        """alpha^2 sigma_min^2, rounded down."""
        return self.linear_rate / 2

    def _left(self, times: NDArray) -> NDArray:
        """The share of the residual that is left at most."""
        return np.asarray(THEOREMS[self.theorem].left(self.rate, self._speed, times))

    def at_scale(self, scale: float, theorem: str | None = None) -> LazyCertificate:
        """Return the certificate of the same model at another scale.

        Parameters
        ----------
        scale : float
        theorem : {"A", "A'", "B"} or None, default=None
            None is the same theorem.

        Raises
        ------
        ValueError, TypeError
            If the scale is not positive or there is no such theorem.
        """
        scale, name = check_real(scale, "scale", minimum=0.0, strict=True), theorem or self.theorem
        return _certify(self.constants, scale, check_option(name, "theorem", THEOREMS))

    def __repr__(self) -> str:
        verdict = "holds" if self.holds else "does not hold"
        lines = [f"LazyCertificate: theorem {self.theorem} at scale {self.scale:.6g} {verdict}"]
        lines += [f"  because of {failure}" for failure in self.failures]
        lines += text_list(self.findings().items())
        if self.holds:
            lines.append(
                "  The bounds are for gradient flow, dw/dt = -grad L; of gradient descent with small steps,"
            )
            lines.append(
                "  t is the number of steps times the learning rate (times the step multiplier, if any)."
            )
        return "\n".join(lines)

    def findings(self) -> dict[str, str]:
        """Return what the certificate says, in words, by subject."""
        what = "max(|h_0|, |y|/alpha)" if self.theorem == "B" else "|h_0 - y/alpha|"
        low, high = self.scale_interval or (inf, inf)
        certified = f"from {low:.4g} on" if high == inf else f"from {low:.4g} to {high:.4g}"
        lines = {
            "Jacobian": f"sigma_min = {self.sigma_min:.4g}, sigma_max = {self.sigma_max:.4g} "
            f"(condition number {self.condition_number:.3g})",
            "curvature": f"beta = {self.jacobian_lipschitz:.4g} within {self.radius:.4g} of the start",
            "residual": f"{what} = {self.residual:.4g}, at most {self.residual_limit:.4g} is allowed",
            "scales": "none is certified" if low == inf else f"certified {certified}",
        }
        if self.holds:
            lines["loss"] = (
                f"L(t) <= {self.initial_loss:.4g} {THEOREMS[self.theorem].formula(self.rate, self._speed)}"
            )
            lines["distance"] = f"|w(t) - w(0)| <= {self.distance_bound:.4g}"
        width = self.certifying_width
        if width is not None:
            rounded = float(f"{width:.3g}")
            about = f"{rounded:,.0f}" if width < 10**12 else f"{rounded:g}"
            lines["width"] = f"about {about} would certify scale 1; it is {self.constants.width:,}"
        return lines


def _times(t: ArrayLike) -> NDArray:
    times = np.asarray(t, dtype=np.float64)
    if not (times >= 0).all():
        raise ValueError("t must be at least 0: the bounds look forward in time.")
    return times


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
    return _certify(constants_of(net, params, X, y), float(network.scale), name)


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
        beta = GivenBalls(jacobian_lipschitz)
    else:
        beta = AnyBall(check_real(jacobian_lipschitz, "jacobian_lipschitz", minimum=0.0))
    failures = [] if low else ["rank deficiency: sigma_min = 0"]
    if beta(0.0) == inf:
        failures.append("curvature: jacobian_lipschitz is infinite on every ball")
    constants = LazyConstants(h0.ravel(), targets_like(h0, y), 0.0, low, high, 0.0, beta, tuple(failures))
    return _certify(constants, check_real(scale, "scale", minimum=0.0, strict=True), name)


def _certify(constants: LazyConstants, scale: float, name: str) -> LazyCertificate:
    """Return what a theorem says at a scale, rounded outward."""
    if not (1 / HUGE <= scale <= HUGE and np.linalg.norm(constants.y) <= HUGE):
        raise ValueError(
            f"scale and y must be within 1e-70 and 1e70 for squares to be representable, got {scale:g}."
        )
    if not (max(scale, 1.0) * constants.sigma_max <= 1e153 and np.abs(constants.h0).max(initial=0.0) <= HUGE):
        raise ValueError(
            "for squares to be representable outputs must be at most 1e70, sigma_max times scale 1e153."
        )
    theorem, failures = THEOREMS[name], list(constants.failures)
    low, high, beta, error = constants.sigma_min, constants.sigma_max, constants.beta, constants.output_error
    e = constants.residual(scale)
    reach, interval, holds = Reach(0.0, 0.0), None, False
    if not failures:
        reach = theorem.reach(low, high, beta)
        limit = reach.limit - error * OUTWARD
        interval = theorem.scales(constants.h0, constants.y, limit)
        holds = theorem.met(constants.h0, constants.y, scale, limit)
    promise = Promise(0.0, inf, reach.radius)
    if holds:
        promise = theorem.promise(low, high, beta, reach.radius, e)
    elif not failures:
        failures = [_out_of_reach(constants, scale, interval, reach.limit)]
    return LazyCertificate(
        theorem=name,
        scale=scale,
        holds=holds,
        failures=tuple(failures),
        sigma_min=low,
        sigma_max=high,
        eigenvalue_error=constants.eigenvalue_error,
        jacobian_lipschitz=beta(promise.radius) if isfinite(promise.radius) else 0.0,
        radius=promise.radius,
        residual=theorem.demand(constants.h0, constants.y, scale) + error * OUTWARD,
        residual_limit=reach.limit,
        initial_loss=(scale * e) * (scale * e) / 2 * (1 + 4 * EPS),
        scale_interval=interval,
        rate=scale**2 * promise.rate,
        linear_rate=2 * (scale * low) * (scale * low) * (1 - 8 * EPS),
        distance_bound=promise.distance,
        linear_distance_bound=e / low * OUTWARD if low else inf,
        constants=constants,
    )


def _out_of_reach(
    constants: LazyConstants, scale: float, interval: tuple[float, float] | None, limit: float
) -> str:
    if interval is not None:
        low, high = interval
        return f"scale: {scale:.6g} is outside the certified ones, {low:.6g} to {high:.6g}"
    start = float(np.linalg.norm(constants.h0))
    return (
        f"scale: none is certified, as |h_0| = {start:.4g} and the limit is {limit:.4g}; outputs that start "
        "at 0, by symmetric=True or net.centered_at(params), have one"
    )
