"""Interface of all differentiable models: networks, their Taylor polynomials, and centred ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.gaussian_process.kernels import Kernel

from .derivatives.on_rows import OnRows
from .params import Params

__all__ = ["Model"]


class Model:
    """A function f(X; w) of rows and parameters, with its first and second derivatives in w.

    With n rows, k outputs and p trained parameters, ``apply`` returns (n,) for one output and (n, k) for
    several, and derivatives follow suit.  Vectors in parameter space are (p,), in the order of `ravel`.
    """

    def apply(self, params: Params, X: Any) -> np.ndarray:
        """Return the outputs f(X; w)."""
        raise NotImplementedError  # pragma: no cover

    def jacobian(self, params: Params, X: Any) -> np.ndarray:
        """Return J = Df(X; w), (n, p) or (n, k, p)."""
        raise NotImplementedError  # pragma: no cover

    def jvp(self, params: Params, X: Any, vector: Any) -> np.ndarray:
        """Return J v, shaped like the outputs."""
        raise NotImplementedError  # pragma: no cover

    def vjp(self, params: Params, X: Any, cotangent: Any) -> np.ndarray:
        """Return J^T c, (p,), for a ``cotangent`` shaped like the outputs."""
        raise NotImplementedError  # pragma: no cover

    def value_and_vjp(
        self, params: Params, X: Any, cotangent: Callable[[slice, np.ndarray], np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return f(X; w) and J^T c, where ``cotangent(rows, f)`` gives c for a slice of rows and outputs."""
        f = self.apply(params, X)
        return f, self.vjp(params, X, cotangent(slice(0, len(f)), f))

    def hvp(self, params: Params, X: Any, cotangent: Any, vector: Any) -> np.ndarray:
        """Return the Hessian of <cotangent, f(X; w)> times a vector, (p,)."""
        raise NotImplementedError  # pragma: no cover

    def second_derivative(self, params: Params, X: Any, u: Any, v: Any) -> np.ndarray:
        """Return D^2 f(X; w)[u, v], shaped like the outputs."""
        raise NotImplementedError  # pragma: no cover

    def ntk(
        self, params: Params, X: Any, Y: Any = None, *, output: str | int = "trace", weighted: bool = False
    ) -> np.ndarray:
        """Return the tangent kernel J(X) J(Y)^T."""
        raise NotImplementedError  # pragma: no cover

    def ntk_diag(
        self, params: Params, X: Any, *, output: str | int = "trace", weighted: bool = False
    ) -> np.ndarray:
        """Return the tangent kernel of each row with itself."""
        raise NotImplementedError  # pragma: no cover

    def ntk_layers(
        self, params: Params, X: Any, Y: Any = None, *, output: str | int = "trace", weighted: bool = False
    ) -> np.ndarray:
        """Return what each layer contributes to the tangent kernel."""
        raise NotImplementedError  # pragma: no cover

    def ntk_matvec(
        self, params: Params, X: Any, vector: Any, Y: Any = None, *, weighted: bool = False
    ) -> np.ndarray:
        """Return J(X) J(Y)^T v without the kernel."""
        raise NotImplementedError  # pragma: no cover

    def nngp(self, params: Params, X: Any, Y: Any = None) -> np.ndarray:
        """Return the empirical NNGP kernel."""
        raise NotImplementedError  # pragma: no cover

    def n_params(self, n_features: int) -> int:
        """Return p, the number of trained parameters, for rows of ``n_features`` numbers."""
        raise NotImplementedError  # pragma: no cover

    def trained_shapes(self, n_features: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the trained arrays, in the order of the Jacobian's columns."""
        raise NotImplementedError  # pragma: no cover

    def on_rows(self, params: Params, X: Any) -> OnRows:
        """Return the model on fixed rows, at parameters that can be moved in place, for training loops."""
        return OnRows(self, params, X)

    def activation_pattern(self, params: Params, X: Any) -> np.ndarray:
        """Return the signs of the hidden preactivations, (n, ...) bytes of eight units each; 1 is z >= 0."""
        raise NotImplementedError  # pragma: no cover

    @property
    def step_multipliers(self) -> dict[str, float]:
        """Factor of the learning rate for each array in gradient descent: ``multipliers_for("gradient")``."""
        return self.multipliers_for("gradient")

    def multipliers_for(self, family: str) -> dict[str, float]:
        """Return the factor of the learning rate for each array, for one family of optimisers."""
        raise NotImplementedError  # pragma: no cover

    @property
    def gradient_sizes(self) -> dict[str, float]:
        """Size of the entries of each array's gradient as a power of the width."""
        raise NotImplementedError  # pragma: no cover

    def ravel(self, params: Params) -> np.ndarray:
        """Return the trained parameters as a vector, in the order of the Jacobian's columns."""
        raise NotImplementedError  # pragma: no cover

    def unravel(self, params: Params, vector: Any) -> Params:
        """Return ``params`` with the trained ones replaced by a vector's."""
        raise NotImplementedError  # pragma: no cover

    def init(self, n_features: int, random_state: Any = None, *, dtype: Any = np.float64) -> Params:
        """Draw parameters for rows of ``n_features`` numbers."""
        raise NotImplementedError  # pragma: no cover

    def limit_kernel(self) -> Kernel:
        """Return the analytic kernel that the model's tangent kernel tends to with width."""
        raise NotImplementedError  # pragma: no cover
