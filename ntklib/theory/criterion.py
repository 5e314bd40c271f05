r"""The criterion of lazy training at the start: how much faster the loss changes than the differential."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntklib._core.blocks import row_blocks, working_memory
from ntklib._core.text import text_list
from ntklib._core.validation import check_real, check_rows
from ntklib.dynamics import SquaredError
from ntklib.kernels import Activation, Homogeneous
from ntklib.networks import Params
from ntklib.networks.params import in_float64

from ._curvature import Interval, second_derivative_norm
from ._neurons import base_network, unscaled

__all__ = ["LazyCriterion", "lazy_criterion"]

FRACTION = 1e-3
"""Of the largest stable step: the default learning rate."""

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
        Measured after one step: :math:`(L(w_0) - L(w_1)) / L(w_0)`, and
        :math:`|Dh(w_1) - Dh(w_0)| / |Dh(w_0)|`.
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
        title = f"kappa = |alpha h - y| |D^2h| / (alpha |Dh|^2) = {kappa}: {_verdict(kappa)}"
        return "\n".join([title, *text_list(rows)])


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


def lazy_criterion(
    net: Any,
    params: Params,
    X: Any,
    y: ArrayLike,
    *,
    learning_rate: float | None = None,
    random_state: int = 0,
) -> LazyCriterion:
    r"""Return the criterion of lazy training of a network at its own scale, with all its parts.

    A step of gradient descent of size :math:`\eta` changes the loss :math:`L = |\alpha h(w) - y|^2/2` and the
    differential Dh, relative to their sizes, by

    .. math::
        \Delta(L) \approx \eta \frac{|\nabla L|^2}{L}, \qquad
        \Delta(Dh) \lesssim \eta \frac{|\nabla L| \, |D^2h|}{|Dh|}

    to first order.  Training is lazy if the loss changes much more.  With :math:`|\nabla L|` at its largest,
    :math:`\alpha |Dh| |\alpha h - y|`, the second is half of

    .. math:: \kappa = \frac{|\alpha h(w_0) - y| \, |D^2h(w_0)|}{\alpha \, |Dh(w_0)|^2}

    times the first.  Norms of derivatives are operator norms; :math:`|D^2h|` is an interval
    (`second_derivative_norm`), and so is :math:`\kappa`.  The step is taken, too, and both changes measured.

    Parameters
    ----------
    net : TwoLayerNet, MLP, or one of these centred (``net.centered_at(params)``)
        With its scale :math:`\alpha`; h is the network at scale 1.
    params : Params
        w_0.
    X : array-like or CSR matrix of shape (n, d)
    y : array-like of shape (n,) or (n, k)
        Targets.
    learning_rate : float or None, default=None
        :math:`\eta`, positive; None is a thousandth of the largest stable step of the tangent model,
        :math:`2/(\alpha |Dh|)^2`.  Step multipliers of the parameterisation do not count.
    random_state : int, default=0
        Of the search for the lower end of :math:`|D^2h|`.

    Returns
    -------
    LazyCriterion

    Raises
    ------
    TypeError
        If ``net`` is no network.
    ValueError
        If rows, targets and parameters do not go together, or the criterion says nothing: the outputs are the
        targets already, or do not depend on the trained parameters.

    References
    ----------
    L. Chizat, E. Oyallon and F. Bach, "On lazy training in differentiable programming", NeurIPS 2019,
    section 1.2.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.networks import TwoLayerNet
    >>> from ntklib.theory import lazy_criterion
    >>> net = TwoLayerNet(1000, activation="erf", symmetric=True)
    >>> criterion = lazy_criterion(net, net.init(2, random_state=0), np.eye(2), [1.0, -1.0])
    >>> print(criterion.kappa)
    0.09478
    >>> print(criterion.at_scale(10.0))
    0.009478
    """
    model, scale = unscaled(net), float(base_network(net).scale)
    params, X = in_float64(params), check_rows(X).astype(np.float64, copy=False)
    outputs = model.apply(params, X)
    targets = SquaredError().risk(y, outputs.shape).targets.astype(np.float64, copy=False)
    residual = scale * outputs - targets
    if not residual.any():
        raise ValueError("the outputs are the targets already: there is nothing to train.")
    differential = _differential_norm(model, params, X)
    if differential == 0:
        raise ValueError("the outputs do not depend on the trained parameters at these rows: Dh is 0.")
    if learning_rate is None:
        rate = FRACTION * 2 / (scale * differential) ** 2
    else:
        rate = check_real(learning_rate, "learning_rate", minimum=0.0, strict=True)
    gradient = scale * model.vjp(params, X, residual)
    loss = float(np.square(residual).sum()) / 2
    with np.errstate(over="ignore", invalid="ignore"):  # of a step that is far too large: refused
        moved = model.ravel(params) - rate * gradient
        after = model.unravel(params, moved) if np.isfinite(moved).all() else params
        gained = scale * (model.apply(after, X) - outputs)
        loss_change = -float((gained * (residual + gained / 2)).sum()) / loss
        change = _difference(model, params, after, X) / differential
    if not np.isfinite([*moved, loss_change, change]).all():
        raise ValueError(f"a step of {rate:.4g} leaves the floating-point numbers; lower learning_rate.")
    return LazyCriterion(
        scale=scale,
        outputs=outputs.ravel(),
        targets=targets.ravel(),
        differential=differential,
        second_derivative=second_derivative_norm(net, params, X, random_state=random_state),
        learning_rate=rate,
        gradient=float(np.linalg.norm(gradient)),
        loss_change=loss_change,
        differential_change=change,
        homogeneity=_homogeneity(net),
        kinks=_has_kinks(base_network(net).spec.activation),
    )


def _differential_norm(model: Any, params: Params, X: Any) -> float:
    """Return the operator norm |Dh|, the root of the largest eigenvalue of the tangent kernel."""
    k = model.n_outputs
    kernel = model.ntk(params, X, output="full" if k > 1 else "trace")
    return _root(kernel.reshape(k * len(kernel), -1))


def _root(gram: NDArray) -> float:
    if not np.isfinite(gram).all():
        return inf
    return float(np.sqrt(max(np.linalg.eigvalsh(gram)[-1], 0.0)))


def _difference(model: Any, before: Params, after: Params, X: Any) -> float:
    """The operator norm of Dh(after) - Dh(before), whose rows need not fit in memory all at once."""
    n, k, p = X.shape[0], model.n_outputs, model.n_params(X.shape[1])
    gram = np.empty((n * k, n * k))

    def rows(block: slice) -> NDArray:
        J = model.jacobian(after, X[block])
        J -= model.jacobian(before, X[block])
        return J.reshape(-1, p)

    blocks = list(row_blocks(n, max(1, working_memory() // (32 * k * p))))
    for i, one in enumerate(blocks):
        here = rows(one)
        for other in blocks[: i + 1]:
            product = here @ (here if other is one else rows(other)).T
            place = slice(one.start * k, one.stop * k), slice(other.start * k, other.stop * k)
            gram[place], gram[place[::-1]] = product, product.T
    return _root(gram)


def _has_kinks(activation: Activation) -> bool:
    try:
        return bool(np.isinf(activation.derivative_bounds(-1.0, 1.0)[1]))
    except ValueError:  # known at points only
        return False


def _homogeneity(net: Any) -> int | None:
    r"""Return q with :math:`h(\lambda w) = \lambda^q h(w)` for every positive :math:`\lambda`; None if none.

    It is 1 + n + ... + n^depth for activations of degree n and layers without biases: ``depth + 1`` for ReLU.
    """
    spec = base_network(net).spec
    if spec.biases or not isinstance(spec.activation, Homogeneous):
        return None
    degree = spec.activation.parts()[0]
    return sum(degree**layer for layer in range(spec.depth + 1))
