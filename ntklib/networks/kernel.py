"""The tangent kernel of a finite network as a scikit-learn kernel object."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.gaussian_process.kernels import Kernel

from ntklib._core.tokens import Tokened
from ntklib._core.validation import check_integer, check_rows

from .network import Network
from .params import Params

__all__ = ["EmpiricalNTK"]


class EmpiricalNTK(Tokened, Kernel):
    r"""Tangent kernel :math:`\Theta(x, z) = \langle Df(x; w), Df(z; w)\rangle` of a network of finite width.

    It has no hyperparameters to be fitted by gradients; a grid over ``kernel__network__width`` works.

    Parameters
    ----------
    network : TwoLayerNet or MLP
    params : Params, default=None
        w; None draws them for the width of the rows at hand, always the same ones.
    random_state : int, default=0
        Seed of that draw.
    output : "trace" or int, default="trace"
        Sum over the network's outputs, or one of them.

    Raises
    ------
    TypeError, ValueError
        In a call, if the network is none, the parameters are another network's, or there is no such output.

    See Also
    --------
    ntklib.TangentFeatures : The features whose inner products the kernel is.

    References
    ----------
    Jacot et al. (2018), "Neural tangent kernel", section 4.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib import EmpiricalNTK, NTKRegressor
    >>> from ntklib.networks import TwoLayerNet
    >>> X, y = np.eye(3), np.arange(3.0)
    >>> model = NTKRegressor(EmpiricalNTK(TwoLayerNet(256)), alpha=1e-8).fit(X, y)
    >>> model.predict(X).round(3)
    array([0., 1., 2.])
    """

    def __init__(
        self,
        network: Network,
        params: Params | None = None,
        *,
        random_state: int = 0,
        output: str | int = "trace",
    ) -> None:
        self.network = network
        self.params = params
        self.random_state = random_state
        self.output = output

    def __call__(self, X: Any, Y: Any = None, eval_gradient: bool = False) -> Any:
        """Return the kernel k(X, Y) and optionally its gradient.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples_X, n_features)
        Y : array-like or CSR matrix of shape (n_samples_Y, n_features), default=None
            X if None.
        eval_gradient : bool, default=False
            Also return the gradient in the hyperparameters, of which there are none.

        Returns
        -------
        K : ndarray of shape (n_samples_X, n_samples_Y)
        K_gradient : ndarray of shape (n_samples_X, n_samples_X, 0)
            Only if ``eval_gradient``.
        """
        params = self._params(X)
        K = self.network.ntk(params, X, Y, output=self._form())
        if not eval_gradient:
            return K
        if Y is not None:
            raise ValueError("the gradient is only available for Y=None.")
        return K, np.empty((*K.shape, 0))

    def diag(self, X: Any) -> np.ndarray:
        """Return the diagonal of k(X), the same bytes as in the matrix.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        params = self._params(X)
        return self.network.ntk_diag(params, X, output=self._form())

    def is_stationary(self) -> bool:
        """Return False: the kernel depends on where the rows lie, not only on their difference."""
        return False

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, with ``deep`` those of the network too.

        Parameters
        ----------
        deep : bool, default=True

        Returns
        -------
        dict
        """
        parameters = super().get_params(deep=False)
        if deep and hasattr(self.network, "get_params"):
            inner = self.network.get_params(deep=True)
            parameters.update((f"network__{name}", value) for name, value in inner.items())
        return parameters

    def __sklearn_clone__(self) -> EmpiricalNTK:
        return type(self)(
            clone(self.network), self.params, random_state=self.random_state, output=self.output
        )

    def __repr__(self) -> str:
        parts = [repr(self.network)]
        parts += [repr(self.params)] if self.params is not None else []
        parts += [f"random_state={self.random_state!r}"] if self.random_state != 0 else []
        parts += [f"output={self.output!r}"] if self.output != "trace" else []
        return f"EmpiricalNTK({', '.join(parts)})"

    def _form(self) -> str | int:
        if isinstance(self.output, str) and self.output != "trace":
            raise ValueError(f"output must be 'trace' or the index of an output, got {self.output!r}.")
        return self.output

    def _params(self, X: Any) -> Params:
        if not isinstance(self.network, Network):
            raise TypeError(f"network must be a TwoLayerNet or an MLP, got {self.network!r}.")
        if self.params is not None:
            return self.params
        seed = check_integer(self.random_state, "random_state", minimum=0)
        X = check_rows(X)
        return self.network.init(X.shape[1], seed, dtype=X.dtype)
