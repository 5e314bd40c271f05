"""The kernels of other libraries and papers, in their own conventions.

Factors and parameters differ from source to source; here each is written once, in terms of the kernels of
this library, so that published numbers can be compared.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from ntklib._core.validation import check_integer, check_real

from .contract import Activation
from .functions import arc_cosine_kernel, nngp_kernel, ntk_kernel

__all__ = [
    "arora_kernel",
    "cho_saul_kernel",
    "eigenpro_kernel",
    "neural_tangents_kernel",
    "scikit_ntk_kernel",
]

_HE = sqrt(2.0)


def cho_saul_kernel(X: Any, Y: Any = None, *, degree: int = 1) -> np.ndarray:
    """Return the arc-cosine kernel with the factor of Cho & Saul, GPflow and GPJax: 2 kappa_n.

    Parameters
    ----------
    X, Y : array-like or CSR matrix of shape (n_samples, n_features)
    degree : int, default=1

    Returns
    -------
    ndarray of shape (n_samples_X, n_samples_Y)

    References
    ----------
    Cho & Saul (2009), "Kernel methods for deep learning", eq. 1.

    Examples
    --------
    >>> from ntklib.kernels.conventions import cho_saul_kernel
    >>> cho_saul_kernel([[3.0, 4.0]], degree=1)
    array([[25.]])
    """
    return 2 * arc_cosine_kernel(X, Y, degree=degree)


def neural_tangents_kernel(
    X: Any,
    Y: Any = None,
    *,
    activation: str | Activation = "relu",
    depth: int = 1,
    W_std: float = 1.0,
    b_std: float = 0.0,
    get: str = "ntk",
) -> np.ndarray:
    """Return the kernel of neural-tangents' ``stax.Dense`` layers in the NTK parameterisation.

    Its first layer is scaled by fan-in: ``input_scaling="fan_in"``, ``weight_std=W_std``, ``bias_std=b_std``.

    Parameters
    ----------
    X, Y : array-like or CSR matrix of shape (n_samples, n_features)
    activation : str or Activation, default="relu"
    depth : int, default=1
        Hidden layers.
    W_std, b_std : float, default=1.0 and 0.0
    get : {"ntk", "nngp"}, default="ntk"

    Returns
    -------
    ndarray of shape (n_samples_X, n_samples_Y)

    References
    ----------
    Novak et al. (2020), "Neural Tangents: fast and easy infinite neural networks in Python".

    Examples
    --------
    >>> from ntklib.kernels.conventions import neural_tangents_kernel
    >>> neural_tangents_kernel([[3.0, 4.0]], W_std=2**0.5)
    array([[50.]])
    """
    if get not in ("ntk", "nngp"):
        raise ValueError(f"get must be 'ntk' or 'nngp', got {get!r}.")
    return ntk_kernel(
        X,
        Y,
        activation=activation,
        depth=depth,
        weight_std=W_std,
        bias_std=b_std,
        input_scaling="fan_in",
        trainable="all" if get == "ntk" else "output",
    )


def scikit_ntk_kernel(X: Any, Y: Any = None, *, depth: int = 1, bias: float = 0.0) -> np.ndarray:
    """Return the kernel of scikit-ntk's ``NeuralTangentKernel(depth, bias=bias)`` at its factor of 1.

    With b = bias and L = depth, its bias enters T and never S, which no ``bias_std`` reproduces:

        S^1 = x.z,  T^1 = S^1 + b^2;  S^{l+1} = 2 E[s s],  T^{l+1} = S^{l+1} + b^2 + 2 T^l E[s' s']

    divided by (L + 1)(b^2 + 1).  At b = 0 it is ``ntk_kernel(depth=L, weight_std=sqrt(2)) / (2 (L + 1))``.

    Parameters
    ----------
    X, Y : array-like or CSR matrix of shape (n_samples, n_features)
    depth : int, default=1
    bias : float, default=0.0

    Returns
    -------
    ndarray of shape (n_samples_X, n_samples_Y)

    References
    ----------
    scikit-ntk, https://github.com/392781/scikit-ntk

    Examples
    --------
    >>> from ntklib.kernels.conventions import scikit_ntk_kernel
    >>> scikit_ntk_kernel([[3.0, 4.0]])
    array([[25.]])
    """
    depth = check_integer(depth, "depth", minimum=1)
    b2 = check_real(bias, "bias", minimum=0.0) ** 2
    T = _linear(X, Y) + b2
    for layer in range(1, depth + 1):
        T = nngp_kernel(X, Y, depth=layer, weight_std=_HE) / 2 + b2 + _slope(X, Y, layer) * T
    return T / ((depth + 1) * (b2 + 1))


def eigenpro_kernel(X: Any, Y: Any = None, *, depth: int = 2, bias: float = 0.0) -> np.ndarray:
    """Return EigenPro's ``ntk_relu(X, Y, depth, bias)``, whose depth counts the output layer.

    It is depth (bias^2 + 1) times the kernel of scikit-ntk with one layer less.

    Parameters
    ----------
    X, Y : array-like or CSR matrix of shape (n_samples, n_features)
    depth : int, default=2
        At least 2.
    bias : float, default=0.0

    Returns
    -------
    ndarray of shape (n_samples_X, n_samples_Y)

    References
    ----------
    EigenPro, https://github.com/EigenPro/EigenPro-pytorch

    Examples
    --------
    >>> from ntklib.kernels.conventions import eigenpro_kernel
    >>> eigenpro_kernel([[3.0, 4.0]])
    array([[50.]])
    """
    depth = check_integer(depth, "depth", minimum=2)
    return depth * (bias**2 + 1) * scikit_ntk_kernel(X, Y, depth=depth - 1, bias=bias)


def arora_kernel(X: Any, Y: Any = None, *, depth: int = 1, fixed: int = 0) -> np.ndarray:
    """Return K[depth][fixed] of the UCI experiments: ReLU NTK with the terms of the first layers dropped.

    Parameters
    ----------
    X, Y : array-like or CSR matrix of shape (n_samples, n_features)
    depth : int, default=1
        Hidden layers.
    fixed : int, default=0
        Number of first layers that are not trained; ``depth`` gives the NNGP kernel.

    Returns
    -------
    ndarray of shape (n_samples_X, n_samples_Y)

    References
    ----------
    Arora et al. (2020), "Harnessing the power of infinitely wide deep nets on small-data tasks".

    Examples
    --------
    >>> from ntklib.kernels.conventions import arora_kernel
    >>> arora_kernel([[3.0, 4.0]])
    array([[25.]])
    """
    depth = check_integer(depth, "depth", minimum=1)
    if check_integer(fixed, "fixed", minimum=0) > depth:
        raise ValueError(f"fixed must be at most depth={depth}, got {fixed}.")
    return ntk_kernel(X, Y, depth=depth, trainable=tuple(range(fixed, depth + 1)))


def _linear(X: Any, Y: Any) -> np.ndarray:
    """x.z, as the NNGP of a linear network."""
    return nngp_kernel(X, Y, activation="identity")


def _slope(X: Any, Y: Any, layer: int) -> np.ndarray:
    """2 E[s' s'] of a ReLU layer: the term of the layer below alone, divided by its covariance."""
    if layer == 1:
        return 2 * arc_cosine_kernel(X, Y, degree=0)
    below = nngp_kernel(X, Y, depth=layer - 1, weight_std=_HE)
    term = ntk_kernel(X, Y, depth=layer, weight_std=_HE, trainable=(layer - 1,))
    # a covariance of zero is a right angle, where 2 E[s' s'] = 1/2
    return np.divide(term, below, out=np.full_like(term, 0.5), where=below != 0)
