"""The kernels as scikit-learn ``gaussian_process.kernels.Kernel`` objects.

That one interface is what every estimator takes, ours and scikit-learn's.  Some hosts validate nothing
and some pass X twice; both are taken care of behind ``__call__``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel

from ntklib._core.namespaces import namespace_of
from ntklib._core.tokens import Tokened

from .activations import RectifiedPower
from .array_api import network_diagonal, network_matrix, refuse_gradient
from .combined import Combinable
from .contract import Activation, Architecture
from .duals.quadrature import QuadratureDual
from .gram.driver import diagonal, gram, gram_gradient
from .gram.inputs import expansion_gradient
from .gram.lower import LowerTriangle
from .input_gradients import InputGradients
from .parameters import architecture

__all__ = ["NNGP", "NTK", "ArcCosine", "lower_triangle"]


class _NetworkKernel(Combinable, Tokened, InputGradients, Kernel):
    """Base of the kernels: evaluation by the Gram driver and derivatives in log theta."""

    def _architecture(self) -> Architecture:
        raise NotImplementedError  # pragma: no cover

    def __call__(self, X: Any, Y: Any = None, eval_gradient: bool = False) -> Any:
        """Return the kernel k(X, Y) and optionally its gradient.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples_X, n_features)
        Y : array-like or CSR matrix of shape (n_samples_Y, n_features), default=None
            X if None.
        eval_gradient : bool, default=False
            Also return the gradient in the logarithm of the hyperparameters; only if Y is None.

        Returns
        -------
        K : ndarray of shape (n_samples_X, n_samples_Y)
            Under scikit-learn's ``array_api_dispatch``, of the library and on the device of X.
        K_gradient : ndarray of shape (n_samples_X, n_samples_X, n_dims)
            Only if ``eval_gradient``; float64, whatever the precision of X and K.
        """
        net, xp = self._architecture(), namespace_of(X, Y)
        if xp is not None:
            refuse_gradient(eval_gradient)
            return network_matrix(net, X, Y, xp)
        K = gram(net, X, Y)
        if not eval_gradient:
            return K
        if Y is not None:
            raise ValueError("the gradient is only available for Y=None.")
        free = [not h.fixed for h in self.hyperparameters]
        if not any(free):
            return K, np.empty((*K.shape, 0))
        order = [{"weight_std": 0, "bias_std": 1}[h.name] for h in self.hyperparameters if not h.fixed]
        return K, gram_gradient(net, X)[:, :, order]

    def diag(self, X: Any) -> np.ndarray:
        """Return the diagonal of k(X), the same bytes as in the matrix.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        xp = namespace_of(X)
        return (
            diagonal(self._architecture(), X) if xp is None else network_diagonal(self._architecture(), X, xp)
        )

    def _expansion_gradient(self, X: Any, Y: Any, weights: np.ndarray) -> np.ndarray:
        return expansion_gradient(self._architecture(), X, Y, weights)

    def is_stationary(self) -> bool:
        """Return False: these kernels depend on where the rows lie, not only on their difference."""
        return False

    def __repr__(self) -> str:
        text = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"{type(self).__name__}({text})"


def lower_triangle(kernel: Any, X: Any) -> LowerTriangle | None:
    """Return k(X) on and below the diagonal, block by block.

    None for kernels of other kinds, subclasses included, and for functions whose series, of every row and
    layer, would be held all the time.
    """
    if type(kernel) not in (ArcCosine, NNGP, NTK):
        return None
    net = kernel._architecture()
    return None if isinstance(net.activation.dual, QuadratureDual) else LowerTriangle(net, X)


def _hyperparameter(name: str, value: float, bounds: Any) -> Hyperparameter:
    """A structural zero is no hyperparameter: its logarithm does not exist, and a fit must not change it."""
    return Hyperparameter(name, "numeric", "fixed" if value == 0 else bounds)


class ArcCosine(_NetworkKernel):
    r"""Arc-cosine kernel of any degree, :math:`|x|^n |z|^n J_n(\theta) / (2\pi)`, without hyperparameters.

    Parameters
    ----------
    degree : int, default=1
        n, at least 0.
    normalized : bool, default=False
        K / sqrt(K_xx K_zz) instead.

    Notes
    -----
    There is no bias: an angle and two lengths are all it sees of two rows. Of a single feature that is the
    sign and the size, and the functions of its space are multiples of :math:`|x|^n` on either side of 0;
    estimators warn. ``NNGP(1, RectifiedPower(degree), bias_std=b)`` has biases: it is this kernel on rows
    with one more column, b, plus :math:`b^2`.

    References
    ----------
    Cho & Saul (2009), "Kernel methods for deep learning", eq. 1-6, halved.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib import ArcCosine
    >>> ArcCosine(degree=0)(np.eye(2))
    array([[0.5 , 0.25],
           [0.25, 0.5 ]])
    >>> from ntklib import NNGP
    >>> from ntklib.kernels import RectifiedPower
    >>> X, ones = np.array([[1.0], [3.0]]), np.ones((2, 1))
    >>> biased = NNGP(1, RectifiedPower(0), bias_std=1.0)(X)
    >>> bool(np.allclose(biased, ArcCosine(degree=0)(np.hstack([X, ones])) + 1))
    True
    """

    def __init__(self, degree: int = 1, *, normalized: bool = False) -> None:
        self.degree = degree
        self.normalized = normalized

    def _architecture(self) -> Architecture:
        return architecture(
            activation=RectifiedPower(self.degree),
            depth=1,
            weight_std=1.0,
            bias_std=0.0,
            input_scaling="none",
            trainable="output",
            normalized=self.normalized,
        )


class _DeepKernel(_NetworkKernel):
    """Base of the kernels of networks of any depth, with the scales of weights and biases to be learned."""

    def __init__(
        self,
        depth: int = 1,
        activation: str | Activation = "relu",
        *,
        weight_std: float = 1.0,
        bias_std: float = 0.0,
        input_scaling: str = "none",
        normalized: bool = False,
        weight_std_bounds: Any = (1e-2, 1e2),
        bias_std_bounds: Any = (1e-3, 1e2),
    ) -> None:
        self.depth = depth
        self.activation = activation
        self.weight_std = weight_std
        self.bias_std = bias_std
        self.input_scaling = input_scaling
        self.normalized = normalized
        self.weight_std_bounds = weight_std_bounds
        self.bias_std_bounds = bias_std_bounds

    @property
    def hyperparameter_weight_std(self) -> Hyperparameter:
        """Standard deviation of the weights."""
        return _hyperparameter("weight_std", self.weight_std, self.weight_std_bounds)

    @property
    def hyperparameter_bias_std(self) -> Hyperparameter:
        """Standard deviation of the biases; fixed at 0."""
        return _hyperparameter("bias_std", self.bias_std, self.bias_std_bounds)

    def _architecture(self) -> Architecture:
        return architecture(
            activation=self.activation,
            depth=self.depth,
            weight_std=self.weight_std,
            bias_std=self.bias_std,
            input_scaling=self.input_scaling,
            trainable=self._trainable(),
            normalized=self.normalized,
        )

    def _trainable(self) -> Any:
        raise NotImplementedError  # pragma: no cover


class NNGP(_DeepKernel):
    r"""Covariance of the outputs of an infinitely wide network with Gaussian weights.

    .. math::
        S^1 = \sigma_w^2 \langle x, z \rangle / s^2 + \sigma_b^2, \qquad
        S^{l+1} = \sigma_w^2\, E[\sigma(u) \sigma(v)] + \sigma_b^2

    with (u, v) Gaussian of covariance :math:`S^l`; the kernel is :math:`S^{L+1}` for L hidden layers, the
    matrix that :func:`~ntklib.kernels.nngp_kernel` returns.

    Parameters
    ----------
    depth : int, default=1
        L, the number of hidden layers.
    activation : str or Activation, default="relu"
        :math:`\sigma`.
    weight_std : float, default=1.0
        :math:`\sigma_w`, greater than 0.
    bias_std : float, default=0.0
        :math:`\sigma_b`. Exactly 0 is structural: no bias, absent from ``theta``, and no fit changes it.
    input_scaling : {"none", "fan_in"}, default="none"
        "fan_in" divides the first layer's weighted sum by :math:`s = \sqrt d`, with d the number of features.
    normalized : bool, default=False
        K / sqrt(K_xx K_zz) instead.
    weight_std_bounds, bias_std_bounds : pair of floats or "fixed"
        Where a fit may move them.

    References
    ----------
    Lee et al. (2018), "Deep neural networks as Gaussian processes", eq. 3-5.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib import NNGP
    >>> NNGP(depth=2, weight_std=np.sqrt(2))(np.eye(2)).round(4)
    array([[2.    , 0.9875],
           [0.9875, 2.    ]])
    >>> from ntklib.kernels import nngp_kernel
    >>> bool((NNGP(depth=2)(np.eye(2)) == nngp_kernel(np.eye(2), depth=2)).all())
    True
    """

    def _trainable(self) -> Any:
        return "output"


class NTK(_DeepKernel):
    r"""Neural tangent kernel of an infinitely wide network.

    .. math:: T^1 = S^1, \qquad T^{l+1} = S^{l+1} + \sigma_w^2\, T^l\, E[\sigma'(u) \sigma'(v)]

    with the covariances :math:`S^l` of `NNGP` and (u, v) Gaussian of covariance :math:`S^l`; the kernel is
    :math:`T^{L+1}` for L hidden layers, the matrix that :func:`~ntklib.kernels.ntk_kernel` returns.

    Parameters
    ----------
    depth : int, default=1
        L, the number of hidden layers.
    activation : str or Activation, default="relu"
        :math:`\sigma`.
    weight_std : float, default=1.0
        :math:`\sigma_w`, greater than 0.
    bias_std : float, default=0.0
        :math:`\sigma_b`. Exactly 0 is structural: no bias, absent from ``theta``, and no fit changes it.
    input_scaling : {"none", "fan_in"}, default="none"
        "fan_in" divides the first layer's weighted sum by :math:`s = \sqrt d`, with d the number of features.
    trainable : {"all", "hidden", "output"} or tuple of int, default="all"
        The layers that are trained, by index from 0; the others' terms :math:`S^l` are dropped.
    normalized : bool, default=False
        K / sqrt(K_xx K_zz) instead.
    weight_std_bounds, bias_std_bounds : pair of floats or "fixed"
        Where a fit may move them.

    References
    ----------
    Jacot et al. (2018), "Neural tangent kernel", theorem 1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.kernel_ridge import KernelRidge
    >>> from ntklib import NTK
    >>> X = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
    >>> KernelRidge(kernel=NTK(bias_std=0.1)).fit(X, [0, 1, 2]).predict(X).round(2)
    array([0.2 , 0.92, 1.68])
    >>> from ntklib.kernels import ntk_kernel
    >>> bool((NTK(depth=2)(X) == ntk_kernel(X, depth=2)).all())
    True
    """

    def __init__(
        self,
        depth: int = 1,
        activation: str | Activation = "relu",
        *,
        weight_std: float = 1.0,
        bias_std: float = 0.0,
        input_scaling: str = "none",
        trainable: str | tuple[int, ...] = "all",
        normalized: bool = False,
        weight_std_bounds: Any = (1e-2, 1e2),
        bias_std_bounds: Any = (1e-3, 1e2),
    ) -> None:
        super().__init__(
            depth,
            activation,
            weight_std=weight_std,
            bias_std=bias_std,
            input_scaling=input_scaling,
            normalized=normalized,
            weight_std_bounds=weight_std_bounds,
            bias_std_bounds=bias_std_bounds,
        )
        self.trainable = trainable

    def _trainable(self) -> Any:
        return self.trainable

    def nngp(self) -> NNGP:
        """Return the matching NNGP kernel: the same network, only its output layer trained.

        Examples
        --------
        >>> from ntklib import NTK
        >>> NTK(depth=2).nngp().depth
        2
        """
        parameters = self.get_params()
        del parameters["trainable"]
        return NNGP(**parameters)
