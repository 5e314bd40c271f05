"""Exact mean and variance of one neuron's part in the tangent kernel of a net with one hidden layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import safe_sparse_dot

from ntklib._core.validation import check_rows, check_same_features
from ntklib.kernels import Activation, nngp_kernel
from ntklib.kernels.activations import Homogeneous

__all__ = ["NeuronLaw", "is_homogeneous"]


@dataclass(frozen=True)
class _Power(Homogeneous):
    """b z^degree for z >= 0, a abs(z)^degree for z < 0: what squares and products of such functions are."""

    degree: int
    a: float
    b: float
    at_zero: float = 0.0

    def parts(self):
        return self.degree, self.a, self.b, self.at_zero


def is_homogeneous(activation: Activation) -> bool:
    """Whether the activation is a power on either side of 0, as the formulas here need."""
    return isinstance(activation, Homogeneous)


@dataclass(frozen=True)
class NeuronLaw:
    """The law of T = c s(u) s(u') + v^2 q s'(u) s'(u') for a homogeneous activation s.

    A net of width m has the tangent kernel (1/m) sum of m independent copies of T, plus a constant.  The
    preactivations of two rows are Gaussian with covariance weight^2 <x, z> + bias^2; q, what the first
    layer's parameters bring, is first_weight^2 <x, z> + first_bias^2; E[v^2] = 1.
    """

    activation: Activation
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
        n, a, b, at_zero = self.activation.parts()  # type: ignore[attr-defined]

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
