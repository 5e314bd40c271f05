"""A model that is made from another one at given parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._model import Model
from .params import Params

__all__ = ["AtParams"]


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
        """Return the number of trained parameters."""
        return self.model.n_params(n_features)

    def trained_shapes(self, n_features: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the trained arrays."""
        return self.model.trained_shapes(n_features)

    def activation_pattern(self, params: Params, X: Any) -> np.ndarray:
        """Return the signs of the preactivations where the expansion is made: they do not move."""
        return self.model.activation_pattern(self.params, X)

    def multipliers_for(self, family: str) -> dict[str, float]:
        """Return the factor of the learning rate for each array."""
        return self.model.multipliers_for(family)

    @property
    def gradient_sizes(self) -> dict[str, float]:
        """Size of the entries of each array's gradient as a power of the width."""
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


def _shapes(params: Params) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in params.items()}
