"""Exact variance of the tangent kernel of a net of finite width about its limit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, sqrt
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import safe_sparse_dot

from ntklib._core.validation import check_integer, check_option, check_real, check_rows, check_same_features
from ntklib.kernels import Homogeneous, RectifiedPower, nngp_kernel
from ntklib.kernels.activations import as_activation
from ntklib.kernels.contract import check_trainable

__all__ = ["NTKVariance", "ntk_variance", "ntk_variance_of"]

_FOURTH_MOMENTS = {"gaussian": 3.0, "rademacher": 1.0}


@dataclass(frozen=True, repr=False, eq=False)
class NTKVariance:
    """Exact mean and variance of the tangent kernel of a net of a given width, over its initialisation.

    Attributes
    ----------
    kernel : ndarray of shape (n, m)
        The mean at every width, which is the limit.
    variance : ndarray of shape (n, m)
        The variance of each entry; the neurons are independent, so it is that of one neuron's part over
        ``width``.
    width : int
        Hidden neurons.
    """

    kernel: np.ndarray
    variance: np.ndarray
    width: int

    @property
    def expected_squared_error(self) -> float:
        """Mean of the squared Frobenius norm of the error, the sum of the variances."""
        return float(self.variance.sum())

    @property
    def relative_error(self) -> float:
        """Root of the mean squared Frobenius norm of the error, over the Frobenius norm of the limit."""
        norm = float(np.linalg.norm(self.kernel))
        return sqrt(self.expected_squared_error) / norm if norm else 0.0

    def width_for(self, relative_error: float) -> int:
        """Return the least width at which the root-mean-square relative error is at most the one given.

        Raises
        ------
        ValueError
            If the error is not positive.
        """
        target = check_real(relative_error, "relative_error", minimum=0.0, strict=True)
        # a width that this very record gave must come back: the division may round up by one unit
        return max(1, ceil(self.width * (self.relative_error / target) ** 2 * (1 - 1e-12)))

    def at(self, width: int) -> NTKVariance:
        """Return the same for another width."""
        width = check_integer(width, "width", minimum=1)
        return replace(self, variance=self.variance * (self.width / width), width=width)

    def __repr__(self) -> str:
        n, m = self.kernel.shape
        return (
            f"NTKVariance(width={self.width}, {n} x {m} entries, relative_error={self.relative_error:.4g}, "
            f"1 % at width {self.width_for(0.01):,})"
        )


def ntk_variance(
    X: Any,
    Y: Any = None,
    *,
    degree: int = 1,
    width: int,
    output_init: str = "gaussian",
    trainable: str | tuple[int, ...] = "all",
) -> NTKVariance:
    r"""Return the exact variance of the tangent kernel of a two-layer net with sigma_n(z) = z^n 1{z>=0}.

    The net is :math:`f(x) = m^{-1/2} \sum_r v_r \sigma_n(w_r \cdot x)` with independent standard Gaussian
    weights, or signs for the v_r; with :math:`\kappa` the arc-cosine kernels of this library,

    .. math::
        m \operatorname{Var} \Theta_m(x, z) = \kappa_{2n} + 2 n^2 \langle x, z \rangle \kappa_{2n-1}
            + E[v^4] n^4 \langle x, z \rangle^2 \kappa_{2n-2} - \Theta(x, z)^2

    with :math:`E[v^4]` 3 for Gaussians and 1 for signs.  Training the hidden layer only leaves the third term
    and the last, the output layer only the first and the last.  It holds for rows of any length, on the
    diagonal too, and for symmetrised nets of two copies of that width.

    Parameters
    ----------
    X : array-like or CSR matrix of shape (n_samples_X, n_features)
    Y : array-like or CSR matrix of shape (n_samples_Y, n_features), default=None
        X if None.
    degree : int, default=1
        n, at least 0.
    width : int
        m, at least 1.
    output_init : {"gaussian", "rademacher"}, default="gaussian"
        The law of the output weights.
    trainable : {"all", "hidden", "output"} or tuple of int, default="all"

    Returns
    -------
    NTKVariance

    Raises
    ------
    ValueError, TypeError
        If a parameter or an array is not as above, or the degree is 0 and only the hidden layer trained.

    References
    ----------
    The neurons are independent, so the variance is that of one; its moments are arc-cosine kernels: Cho &
    Saul (2009), "Kernel methods for deep learning", eq. 1-6.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.theory import ntk_variance
    >>> law = ntk_variance(np.eye(2), width=100)
    >>> law.variance.round(4)  # (3/2 + 1 + 3/2 - 1) / 100 on the diagonal
    array([[0.03  , 0.0022],
           [0.0022, 0.03  ]])
    >>> law.width_for(0.01)
    31451
    """
    first, last = check_trainable(trainable, 1)
    law = _NeuronLaw(
        activation=RectifiedPower(degree),
        weight=1.0,
        bias=0.0,
        output=float(last),
        first_weight=float(first),
        first_bias=0.0,
        constant=0.0,
        fourth_moment=_FOURTH_MOMENTS[check_option(output_init, "output_init", _FOURTH_MOMENTS)],
    )
    return _record(law, X, Y, check_integer(width, "width", minimum=1))


def ntk_variance_of(network: Any, X: Any, Y: Any = None) -> NTKVariance:
    """Return the exact variance of ``network.ntk(params, X, Y, weighted=True)`` over its initialisation.

    It is `ntk_variance` with all that a network of one hidden layer may have besides: another homogeneous
    activation (leaky ReLU, abs, monomials, ...), ``weight_std``, ``bias_std``, ``input_scaling``, ``scale``,
    ``symmetric``, and every parameterisation that has a limit.

    Parameters
    ----------
    network : TwoLayerNet or MLP
        Of one hidden layer and one output.
    X : array-like or CSR matrix of shape (n_samples_X, n_features)
    Y : array-like or CSR matrix of shape (n_samples_Y, n_features), default=None
        X if None.

    Returns
    -------
    NTKVariance

    Raises
    ------
    ValueError
        If there is no such formula: more layers or outputs, an activation that is not homogeneous, or a
        trained output layer in the standard parameterisation, whose kernel has no limit.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.networks import TwoLayerNet
    >>> from ntklib.theory import ntk_variance_of
    >>> net = TwoLayerNet(100, activation="abs", bias_std=0.5)
    >>> ntk_variance_of(net, np.eye(2)).width_for(0.1)
    87
    """
    activation = as_activation(network.activation)
    if network.depth != 1 or network.n_outputs != 1:
        raise ValueError("the exact variance is known for networks of one hidden layer and one output.")
    if not isinstance(activation, Homogeneous):
        raise ValueError(f"the exact variance is known for homogeneous activations, not for {activation!r}.")
    (width,), (first, last) = network.hidden_widths, check_trainable(network.trainable, 1)
    if network.parameterization == "standard" and last:
        raise ValueError("the tangent kernel of the standard parameterisation grows with the width.")
    n_features = np.shape(X)[1] if np.ndim(X) == 2 else 1
    spread = network.weight_std / (sqrt(n_features) if network.input_scaling == "fan_in" else 1.0)
    # where the spreads are inside the weights, gradients go without
    inside = network.parameterization in ("standard", "mup")
    weight, bias = (1.0, float(network.bias_std > 0)) if inside else (spread, network.bias_std)
    back = network.scale * network.weight_std
    law = _NeuronLaw(
        activation=activation,
        weight=spread,
        bias=network.bias_std,
        output=last * (network.scale if inside else back) ** 2,
        first_weight=first * back * weight,
        first_bias=first * back * bias,
        constant=last * (network.scale * bias) ** 2,
        fourth_moment=_FOURTH_MOMENTS[network.output_init],
    )
    return _record(law, X, Y, width)


def _record(law: _NeuronLaw, X: Any, Y: Any, width: int) -> NTKVariance:
    mean, variance = law.moments(X, Y)
    return NTKVariance(mean, variance / width, width)


@dataclass(frozen=True)
class _Power(Homogeneous):
    """b z^degree for z >= 0, a abs(z)^degree for z < 0: what squares and products of such functions are."""

    degree: int
    a: float
    b: float
    at_zero: float = 0.0

    def parts(self):
        return self.degree, self.a, self.b, self.at_zero


@dataclass(frozen=True)
class _NeuronLaw:
    """The law of T = c s(u) s(u') + v^2 q s'(u) s'(u') for a homogeneous activation s.

    A net of width m has the tangent kernel (1/m) sum of m independent copies of T, plus a constant.  The
    preactivations of two rows are Gaussian with covariance weight^2 <x, z> + bias^2; q, what the first
    layer's parameters bring, is first_weight^2 <x, z> + first_bias^2; E[v^2] = 1.
    """

    activation: Homogeneous
    weight: float
    bias: float
    output: float  # c; 0 where the output layer is not trained
    first_weight: float  # both 0 where the first layer is not trained
    first_bias: float
    constant: float  # of the output's bias
    fourth_moment: float  # E[v^4]

    def moments(self, X: Any, Y: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean of the net's tangent kernel, and width times its variance."""
        X = check_rows(X).astype(np.float64, copy=False)
        if Y is not None:
            Y = check_rows(Y, "Y").astype(np.float64, copy=False)
            check_same_features(X, Y)
        inputs = self._with_bias(X), None if Y is None else self._with_bias(Y)
        n, a, b, at_zero = self.activation.parts()

        def expectation(*power: float) -> np.ndarray:
            return nngp_kernel(*inputs, activation=_Power(*power))  # type: ignore[arg-type]

        mean: Any = 0.0
        second: Any = 0.0
        if self.output:
            mean += self.output * expectation(n, a, b, at_zero)
            second += self.output**2 * expectation(2 * n, a * a, b * b, at_zero**2)
        if n and (self.first_weight or self.first_bias):
            product = safe_sparse_dot(X, (X if Y is None else Y).T, dense_output=True)
            q = n * n * (self.first_weight**2 * product + self.first_bias**2)
            mean += q * expectation(n - 1, -a, b)
            second += self.fourth_moment * q * q * expectation(2 * n - 2, a * a, b * b)
            if self.output:
                second += 2 * self.output * q * expectation(2 * n - 1, -a * a, b * b)
        if np.ndim(mean) == 0:
            raise ValueError(
                f"{self.activation!r} has derivative 0, so that nothing trains its hidden layer; train the "
                "output layer."
            )
        # A rectified power is silent on half of all inputs, so that mean^2 <= second / 2: no digits are lost.
        return mean + self.constant, np.maximum(second - mean * mean, 0.0)

    def _with_bias(self, X: Any) -> Any:
        """Rows whose products are the covariances: a bias is one more column."""
        X = X * self.weight
        if not self.bias:
            return X
        column = np.full((X.shape[0], 1), self.bias)
        return sparse.hstack([X, column], format="csr") if sparse.issparse(X) else np.hstack([X, column])
