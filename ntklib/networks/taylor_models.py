"""Models made from a network at given parameters: its Taylor polynomials, and itself minus its start."""

from __future__ import annotations

from typing import Any

import numpy as np

from ntklib._core.validation import check_integer, check_rows

from ._model import Model
from .derivatives.on_rows import CenteredOnRows, LinearOnRows, OnRows
from .params import Params

__all__ = ["CenteredModel", "LinearizedModel", "QuadraticModel", "linearize", "taylor"]


class AtParams(Model):
    """A model that refers to another one at fixed parameters and is the other one where it says nothing."""

    def __init__(self, model: Model, params: Params) -> None:
        if not isinstance(model, Model):
            raise TypeError(f"model must be a network or a model made from one, got {model!r}.")
        model.ravel(params)  # says so if these are another network's parameters
        self.model = model
        self.params = params

    @property
    def n_outputs(self) -> int:
        """Number of outputs."""
        return self.model.n_outputs  # type: ignore[attr-defined]

    def n_params(self, n_features: int) -> int:
        return self.model.n_params(n_features)

    def trained_shapes(self, n_features: int) -> dict[str, tuple[int, ...]]:
        return self.model.trained_shapes(n_features)

    def activation_pattern(self, params: Params, X: Any) -> np.ndarray:
        """Return the signs of the preactivations where the expansion is made: they do not move."""
        return self.model.activation_pattern(self.params, X)

    def multipliers_for(self, family: str) -> dict[str, float]:
        return self.model.multipliers_for(family)

    @property
    def gradient_sizes(self) -> dict[str, float]:
        return self.model.gradient_sizes

    def init(self, n_features: int, random_state: Any = None, *, dtype: Any = np.float64) -> Params:
        return self.model.init(n_features, random_state, dtype=dtype)

    def ravel(self, params: Params) -> np.ndarray:
        return self.model.ravel(params)

    def unravel(self, params: Params, vector: Any) -> Params:
        return self.model.unravel(params, vector)

    def limit_kernel(self):
        return self.model.limit_kernel()

    def _kernel_at(self, params: Params) -> Params:
        """The parameters whose kernel is that of this model at ``params``."""
        raise NotImplementedError  # pragma: no cover

    def ntk(self, params: Params, X: Any, Y: Any = None, **options: Any) -> np.ndarray:
        return self.model.ntk(self._kernel_at(params), X, Y, **options)

    def ntk_diag(self, params: Params, X: Any, **options: Any) -> np.ndarray:
        return self.model.ntk_diag(self._kernel_at(params), X, **options)

    def ntk_layers(self, params: Params, X: Any, Y: Any = None, **options: Any) -> np.ndarray:
        return self.model.ntk_layers(self._kernel_at(params), X, Y, **options)

    def ntk_matvec(self, params: Params, X: Any, vector: Any, Y: Any = None, **options: Any) -> np.ndarray:
        return self.model.ntk_matvec(self._kernel_at(params), X, vector, Y, **options)

    def nngp(self, params: Params, X: Any, Y: Any = None) -> np.ndarray:
        return self.model.nngp(self._kernel_at(params), X, Y)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return self.model == other.model and self.params == other.params  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((type(self), self.model, self.params))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r}, {self.params!r})"

    def _at(self, params: Params) -> Params:
        """The parameters that the model was made at, if ``params`` are of the same shapes."""
        if not isinstance(params, Params) or _shapes(params) != _shapes(self.params):
            self.ravel(params)  # says so if they are another network's
            raise ValueError(
                f"W0 has shape {params['W0'].shape}, but the model was made at parameters with one of "
                f"{self.params['W0'].shape}; use parameters for rows of the same length."
            )
        return self.params

    def _moved(self, params: Params) -> np.ndarray:
        return self.ravel(params) - self.ravel(self._at(params))


class CenteredModel(AtParams):
    """f(X; w) - f(X; w_0): see `Network.centered_at`.

    Parameters
    ----------
    model : network, or another model
    params : Params
        w_0.
    """

    def on_rows(self, params: Params, X: Any) -> OnRows:
        return CenteredOnRows(self, params, X)

    def activation_pattern(self, params: Params, X: Any) -> np.ndarray:
        """Return the signs of the hidden preactivations of the model that was centred."""
        return self.model.activation_pattern(params, X)

    def apply(self, params: Params, X: Any) -> np.ndarray:
        return self.model.apply(params, X) - self.model.apply(self.params, X)

    def jacobian(self, params: Params, X: Any) -> np.ndarray:
        return self.model.jacobian(params, X)

    def jvp(self, params: Params, X: Any, vector: Any) -> np.ndarray:
        return self.model.jvp(params, X, vector)

    def vjp(self, params: Params, X: Any, cotangent: Any) -> np.ndarray:
        return self.model.vjp(params, X, cotangent)

    def hvp(self, params: Params, X: Any, cotangent: Any, vector: Any) -> np.ndarray:
        return self.model.hvp(params, X, cotangent, vector)

    def second_derivative(self, params: Params, X: Any, u: Any, v: Any) -> np.ndarray:
        return self.model.second_derivative(params, X, u, v)

    def _kernel_at(self, params: Params) -> Params:
        return params


class LinearizedModel(AtParams):
    """f(X; w_0) + J (w - w_0): see `linearize`.

    Parameters
    ----------
    model : network, or another model
    params : Params
        w_0.
    """

    def on_rows(self, params: Params, X: Any) -> OnRows:
        return LinearOnRows(self, params, X)

    def apply(self, params: Params, X: Any) -> np.ndarray:
        return self.model.apply(self.params, X) + self.model.jvp(self.params, X, self._moved(params))

    def jacobian(self, params: Params, X: Any) -> np.ndarray:
        return self.model.jacobian(self._at(params), X)

    def jvp(self, params: Params, X: Any, vector: Any) -> np.ndarray:
        return self.model.jvp(self._at(params), X, vector)

    def vjp(self, params: Params, X: Any, cotangent: Any) -> np.ndarray:
        return self.model.vjp(self._at(params), X, cotangent)

    def hvp(self, params: Params, X: Any, cotangent: Any, vector: Any) -> np.ndarray:
        return np.zeros_like(self.vjp(params, X, cotangent))

    def second_derivative(self, params: Params, X: Any, u: Any, v: Any) -> np.ndarray:
        return np.zeros_like(self.jvp(params, X, u))

    def _kernel_at(self, params: Params) -> Params:
        return self._at(params)


class QuadraticModel(AtParams):
    """f(X; w_0) + J (w - w_0) + D^2 f[w - w_0, w - w_0] / 2: see `taylor`.

    Parameters
    ----------
    model : network, or another model
    params : Params
        w_0.
    """

    def apply(self, params: Params, X: Any) -> np.ndarray:
        moved = self._moved(params)
        first = self.model.apply(self.params, X) + self.model.jvp(self.params, X, moved)
        return first + self.model.second_derivative(self.params, X, moved, moved) / 2

    def jacobian(self, params: Params, X: Any) -> np.ndarray:
        X = check_rows(X)
        result, moved = self.model.jacobian(self.params, X), self._moved(params)
        rows = result.reshape(-1, result.shape[-1])
        k = self.n_outputs
        for index in range(len(rows)):
            one = np.zeros((1, k), rows.dtype)
            one[0, index % k] = 1
            rows[index] += self.model.hvp(self.params, X[index // k : index // k + 1], one, moved)
        return result

    def jvp(self, params: Params, X: Any, vector: Any) -> np.ndarray:
        moved = self._moved(params)
        first = self.model.jvp(self.params, X, vector)
        return first + self.model.second_derivative(self.params, X, moved, vector)

    def vjp(self, params: Params, X: Any, cotangent: Any) -> np.ndarray:
        first = self.model.vjp(self.params, X, cotangent)
        return first + self.model.hvp(self.params, X, cotangent, self._moved(params))

    def hvp(self, params: Params, X: Any, cotangent: Any, vector: Any) -> np.ndarray:
        return self.model.hvp(self._at(params), X, cotangent, vector)

    def second_derivative(self, params: Params, X: Any, u: Any, v: Any) -> np.ndarray:
        return self.model.second_derivative(self._at(params), X, u, v)

    def _kernel_at(self, params: Params) -> Params:
        raise ValueError("the quadratic model moves its kernel with its parameters; it offers ntk alone.")

    def ntk(self, params: Params, X: Any, Y: Any = None, **options: Any) -> np.ndarray:
        """Return J J^T summed over outputs, from the Jacobians themselves: meant for small problems."""
        if options.get("output", "trace") != "trace" or options.get("weighted", False):
            raise ValueError("the quadratic model's kernel has no options.")
        J = self.jacobian(params, X)
        K = J if Y is None else self.jacobian(params, Y)
        return J.reshape(len(J), -1) @ K.reshape(len(K), -1).T


def linearize(model: Model, params: Params) -> LinearizedModel:
    """Return the tangent model f(X; w_0) + J (w - w_0) at the parameters w_0.

    Parameters
    ----------
    model : network, or another model
    params : Params
        w_0.

    Returns
    -------
    LinearizedModel
        With the interface of a network: equal to it, with its Jacobian, at w_0; linear in the parameters.

    Raises
    ------
    TypeError, ValueError
        If it is no model, or the parameters are another network's.

    References
    ----------
    Lee et al. (2019), "Wide neural networks of any depth evolve as linear models", eq. 5.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.networks import TwoLayerNet, linearize
    >>> net = TwoLayerNet(32)
    >>> params = net.init(2, random_state=0)
    >>> tangent = linearize(net, params)
    >>> bool(np.all(tangent.apply(params, np.eye(2)) == net.apply(params, np.eye(2))))
    True
    """
    return LinearizedModel(model, params)


def taylor(model: Model, params: Params, order: int = 2) -> LinearizedModel | QuadraticModel:
    """Return the Taylor polynomial of a model in its parameters.

    Parameters
    ----------
    model : network, or another model
    params : Params
        w_0.
    order : {1, 2}, default=2
        1 is `linearize`; 2 adds D^2 f[w - w_0, w - w_0] / 2.

    Returns
    -------
    LinearizedModel or QuadraticModel

    Raises
    ------
    ValueError
        If the order is neither 1 nor 2.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.networks import TwoLayerNet, taylor
    >>> net = TwoLayerNet(32, activation="erf")
    >>> params = net.init(2, random_state=0)
    >>> second = taylor(net, params)
    >>> w = net.ravel(params)
    >>> near = net.unravel(params, w + 1e-3)
    >>> bool(np.abs(second.apply(near, np.eye(2)) - net.apply(near, np.eye(2))).max() < 1e-7)
    True
    """
    order = check_integer(order, "order", minimum=1)
    if order > 2:
        raise ValueError(f"order must be 1 or 2, got {order}.")
    return LinearizedModel(model, params) if order == 1 else QuadraticModel(model, params)


def _shapes(params: Params) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in params.items()}
