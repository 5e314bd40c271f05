"""Kernel matrices as plain functions, with the literal defaults of the formulas."""

from __future__ import annotations

from typing import Any

import numpy as np

from ntklib._core.validation import check_integer

from .activations import RectifiedPower
from .contract import Activation
from .duals.series import double_factorial, far_polynomial, near_polynomial
from .gram.driver import gram
from .parameters import architecture

__all__ = ["arc_cosine_kernel", "arc_cosine_of_angle", "nngp_kernel", "ntk_kernel"]


def arc_cosine_kernel(X: Any, Y: Any = None, *, degree: int = 1, normalized: bool = False) -> np.ndarray:
    r"""Return the arc-cosine kernel, E[sigma_n(w.x) sigma_n(w.z)] with w ~ N(0, I), sigma_n(t) = t^n 1{t>=0}.

    .. math:: \kappa_n(x, z) = |x|^n |z|^n J_n(\theta) / (2 \pi)

    with J_0 = pi - theta, J_1 = sin(theta) + (pi - theta) cos(theta), and so on.  It is the kernel of
    Cho & Saul halved: theirs is 2 kappa_n.

    Parameters
    ----------
    X : array-like or CSR matrix of shape (n_samples_X, n_features)
    Y : array-like or CSR matrix of shape (n_samples_Y, n_features), default=None
        X if None.
    degree : int, default=1
        n, at least 0.
    normalized : bool, default=False
        Return K / sqrt(K_xx K_zz) instead.

    Returns
    -------
    ndarray of shape (n_samples_X, n_samples_Y)
        float32 if both are float32, else float64.

    Raises
    ------
    ValueError
        If an array is empty, not finite, or of another number of features, or the degree is negative.
    MemoryError
        If the matrix would not fit; nothing has been allocated then.

    References
    ----------
    Cho & Saul (2009), "Kernel methods for deep learning", eq. 1-6.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.kernels import arc_cosine_kernel
    >>> arc_cosine_kernel(np.eye(2)).round(4)
    array([[0.5   , 0.1592],
           [0.1592, 0.5   ]])
    """
    return nngp_kernel(X, Y, activation=RectifiedPower(degree), normalized=normalized)


def nngp_kernel(
    X: Any,
    Y: Any = None,
    *,
    activation: str | Activation = "relu",
    depth: int = 1,
    weight_std: float = 1.0,
    bias_std: float = 0.0,
    input_scaling: str = "none",
    normalized: bool = False,
) -> np.ndarray:
    r"""Return the covariance of the outputs of an infinitely wide network with Gaussian weights.

    .. math::
        S^1 = \sigma_w^2 \langle x, z \rangle / s^2 + \sigma_b^2, \qquad
        S^{l+1} = \sigma_w^2 E[\sigma(u) \sigma(v)] + \sigma_b^2

    with (u, v) Gaussian of covariance S^l; the kernel is S^(depth + 1).

    Parameters
    ----------
    X : array-like or CSR matrix of shape (n_samples_X, n_features)
    Y : array-like or CSR matrix of shape (n_samples_Y, n_features), default=None
        X if None.
    activation : str or Activation, default="relu"
    depth : int, default=1
        Number of hidden layers.
    weight_std, bias_std : float, default=1.0 and 0.0
        Standard deviations sigma_w > 0 and sigma_b >= 0.
    input_scaling : {"none", "fan_in"}, default="none"
        "fan_in" divides the first layer's weighted sum by s = sqrt(n_features).
    normalized : bool, default=False
        Return K / sqrt(K_xx K_zz) instead.

    Returns
    -------
    ndarray of shape (n_samples_X, n_samples_Y)

    Raises
    ------
    ValueError, TypeError
        If a parameter or an array is not as above.
    MemoryError
        If the matrix would not fit.

    References
    ----------
    Lee et al. (2018), "Deep neural networks as Gaussian processes", eq. 3-5.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.kernels import nngp_kernel
    >>> nngp_kernel(np.eye(2), depth=2, weight_std=np.sqrt(2)).round(4)
    array([[2.    , 0.9875],
           [0.9875, 2.    ]])
    """
    net = architecture(
        activation=activation,
        depth=depth,
        weight_std=weight_std,
        bias_std=bias_std,
        input_scaling=input_scaling,
        trainable="output",
        normalized=normalized,
    )
    return gram(net, X, Y)


def ntk_kernel(
    X: Any,
    Y: Any = None,
    *,
    activation: str | Activation = "relu",
    depth: int = 1,
    weight_std: float = 1.0,
    bias_std: float = 0.0,
    input_scaling: str = "none",
    trainable: str | tuple[int, ...] = "all",
    normalized: bool = False,
) -> np.ndarray:
    r"""Return the neural tangent kernel of an infinitely wide network.

    .. math:: T^1 = S^1, \qquad T^{l+1} = S^{l+1} + \sigma_w^2 T^l E[\sigma'(u) \sigma'(v)]

    with S^l the NNGP of `nngp_kernel`; the kernel is T^(depth + 1).  With the defaults it is that of the
    two-layer network m^(-1/2) sum_r v_r max(w_r.x, 0).

    Parameters
    ----------
    X : array-like or CSR matrix of shape (n_samples_X, n_features)
    Y : array-like or CSR matrix of shape (n_samples_Y, n_features), default=None
        X if None.
    activation : str or Activation, default="relu"
    depth : int, default=1
        Number of hidden layers.
    weight_std, bias_std : float, default=1.0 and 0.0
        Standard deviations sigma_w > 0 and sigma_b >= 0.
    input_scaling : {"none", "fan_in"}, default="none"
        "fan_in" divides the first layer's weighted sum by sqrt(n_features).
    trainable : {"all", "hidden", "output"} or tuple of int, default="all"
        The layers that are trained, by index from 0; the others' terms S^l are dropped.
    normalized : bool, default=False
        Return K / sqrt(K_xx K_zz) instead.

    Returns
    -------
    ndarray of shape (n_samples_X, n_samples_Y)

    Raises
    ------
    ValueError, TypeError
        If a parameter or an array is not as above.
    MemoryError
        If the matrix would not fit.

    References
    ----------
    Jacot et al. (2018), "Neural tangent kernel", theorem 1; Arora et al. (2019), "On exact computation with
    an infinitely wide neural net", for ``trainable``.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.kernels import ntk_kernel
    >>> ntk_kernel(np.eye(2)).round(4)
    array([[1.    , 0.1592],
           [0.1592, 1.    ]])
    """
    net = architecture(
        activation=activation,
        depth=depth,
        weight_std=weight_std,
        bias_std=bias_std,
        input_scaling=input_scaling,
        trainable=trainable,
        normalized=normalized,
    )
    return gram(net, X, Y)


def arc_cosine_of_angle(theta: Any, *, degree: int = 1) -> np.ndarray:
    r"""Return the arc-cosine kernel of two unit vectors at a given angle, :math:`J_n(\theta) / (2\pi)`.

    Relative accuracy holds up to theta = pi, where the kernel falls like (pi - theta)^(2n + 1).

    Parameters
    ----------
    theta : array-like of float
        Angles in radians, from 0 to pi.
    degree : int, default=1

    Returns
    -------
    ndarray of the shape of ``theta``

    Raises
    ------
    ValueError
        If an angle is outside [0, pi], or the degree is negative.

    References
    ----------
    Cho & Saul (2009), "Kernel methods for deep learning", eq. 3-4, halved.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.kernels import arc_cosine_of_angle
    >>> arc_cosine_of_angle([0.0, np.pi / 2, np.pi]).round(4)
    array([0.5   , 0.1592, 0.    ])
    """
    n = check_integer(degree, "degree", minimum=0)
    theta = np.asarray(theta, np.float64)
    if not np.all((theta >= 0) & (theta <= np.pi)):
        raise ValueError("theta must be angles in radians from 0 to pi, without NaN.")
    # pi as two doubles: the angle's distance from pi has to be relatively accurate
    rest = (np.pi - theta) + 1.2246467991473532e-16 * (theta < np.pi)
    t = 2 * np.sin(np.minimum(theta, rest) / 2) ** 2
    scale = double_factorial(2 * n - 1) / 2  # first, since t^n may be below the range of floats
    far = scale * np.polynomial.polynomial.polyval(t - 0.5, far_polynomial(n, "float64"))
    far = far * np.sqrt(t) * t ** (n // 2) * t ** (n - n // 2)
    near = scale * np.polynomial.polynomial.polyval(1 - t, near_polynomial(n)) - (-1) ** n * far
    return np.where(theta <= rest, near, far)
