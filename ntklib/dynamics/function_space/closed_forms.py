"""Gradient flow and gradient descent of a tangent model: exact on the square loss, by iteration on others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntklib._core.exponents import exponents, scaled_back
from ntklib._core.validation import check_real
from ntklib.solvers import EigenFactor

from ..losses import Loss, SquaredError, as_loss
from ._iteration import Coordinates, descend, integrate, start
from .filters import Filter, averaged_filter, flow_filter, heavy_ball_filter
from .records import FunctionPath, Trajectory, along, at_new_samples, every_time
from .spectrum import Spectrum, check_momentum, check_step


def gradient_flow(
    K: ArrayLike | EigenFactor,
    y: ArrayLike,
    times: ArrayLike,
    *,
    f0: ArrayLike = 0.0,
    K_test: ArrayLike | None = None,
    f0_test: ArrayLike = 0.0,
    ridge: float = 0.0,
    loss: str | Loss = "squared_error",
    sample_weight: ArrayLike | None = None,
    tolerance: float = 1e-8,
) -> Trajectory:
    r"""Train a tangent model by gradient flow, :math:`\dot w = -\nabla_w [R(f(w)) + (\lambda/2)|w - w_0|^2]`.

    On the square loss, with :math:`\Theta` the Gram matrix K,

    .. math::
        f_t = y + e^{-t \Theta} (f_0 - y), \qquad
        f_t(x) = f_0(x) - \Theta(x, X)\, \Theta^{-1} (I - e^{-t \Theta}) (f_0 - y)

    and, with a ridge penalty, :math:`\Theta + \lambda I` in the place of :math:`\Theta` in the exponent and
    the inverse; the limit on the null space of a singular K. The flow of the absolute error is exact too,
    linear between events; other losses are integrated by scipy's LSODA.

    Parameters
    ----------
    K : array of shape (n, n), or EigenFactor
        Positive semidefinite Gram matrix of the training samples: a kernel, J J^T, or its decomposition.
    y : array of shape (n,) or (n, k)
        Targets, for other losses as these want them (labels for the log-loss).
    times : float or array of shape (T,)
        Nonnegative, in any order. Infinity is the limit (squared and absolute error).
    f0 : float or array of the outputs' shape, default=0
        Outputs at initialisation.
    K_test : array of shape (m, n), default=None
        Kernel of test samples (rows) with the training ones.
    f0_test : float or array of shape (m,) or (m, k), default=0
        Outputs there at initialisation.
    ridge : float, default=0.0
        Penalty lambda on (1/2)|w - w_0|^2.
    loss : {"squared_error", "log_loss", "huber", "absolute_error"} or Loss, default="squared_error"
        Summed over samples.
    sample_weight : array of shape (n,), default=None
        Positive weights of the samples in the loss.
    tolerance : float, default=1e-8
        Error (1e-13 or more) that the integrator may make in a step, relative and absolute, in the parameters
        times the largest singular value of J (so in the outputs at most). Not used where the flow is exact.

    Returns
    -------
    Trajectory
        Its `loss` is that of the data, without the penalty.

    Raises
    ------
    ValueError
        If K is not a positive semidefinite matrix, shapes disagree, or a time is negative, NaN, or infinite
        where no limit is known.
    RuntimeError
        If the integrator fails.

    References
    ----------
    A. Jacot, F. Gabriel and C. Hongler (2018), "Neural tangent kernel"; J. Lee et al. (2019), "Wide neural
    networks of any depth evolve as linear models under gradient descent", eq. 8-11.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.dynamics import gradient_flow
    >>> K = np.array([[2.0, 1.0], [1.0, 2.0]])
    >>> gradient_flow(K, [1.0, 1.0], [0.0, 1.0, np.inf]).outputs.round(4)
    array([[0.    , 0.    ],
           [0.9502, 0.9502],
           [1.    , 1.    ]])
    """
    times = check_times(times)
    ridge = check_real(ridge, "ridge", minimum=0)
    criterion = as_loss(loss)
    if type(criterion) is SquaredError:
        spectrum = Spectrum.of(K, sample_weight)
        path = _solve(spectrum, y, f0, ridge, len(times), lambda s: flow_filter(s, times))
    else:
        model = Coordinates.of(K, y, f0, criterion, sample_weight)
        path = integrate(model, times, ridge=ridge, tolerance=tolerance)
    return _record(path, "gradient flow", times, K_test, f0_test, criterion=criterion, ridge=ridge)


def gradient_descent(
    K: ArrayLike | EigenFactor,
    y: ArrayLike,
    steps: ArrayLike,
    *,
    learning_rate: float,
    momentum: float = 0.0,
    averaged: bool = False,
    f0: ArrayLike = 0.0,
    K_test: ArrayLike | None = None,
    f0_test: ArrayLike = 0.0,
    ridge: float = 0.0,
    loss: str | Loss = "squared_error",
    sample_weight: ArrayLike | None = None,
) -> Trajectory:
    r"""Train a tangent model by gradient descent with momentum (heavy ball) from rest.

    .. math::
        w_{k+1} = w_k - \eta \nabla [R(f(w_k)) + (\lambda/2)|w_k - w_0|^2] + \mu (w_k - w_{k-1}),
        \qquad w_{-1} = w_0 .

    On the square loss :math:`f_k = y + (I - \eta \Theta)^k (f_0 - y)` without momentum, and with it powers of
    a 2 x 2 matrix for each eigenvalue: any number of steps costs the same, infinity included. Other losses
    are iterated, :math:`a_{k+1} = a_k - \eta (\nabla R(f_k) + \lambda a_k) + \mu (a_k - a_{k-1})`,
    :math:`f = f_0 + K a`, after the same eigendecomposition.

    Parameters
    ----------
    K : array of shape (n, n), or EigenFactor
        Positive semidefinite Gram matrix of the training samples.
    y : array of shape (n,) or (n, k)
        Targets, for other losses as these want them.
    steps : int or array of shape (T,)
        Numbers of steps, in any order; infinity is the limit (square loss).
    learning_rate : float
        eta. On the square loss it must be below :func:`largest_stable_step`.
    momentum : float, default=0.0
        mu, at least 0 and less than 1.
    averaged : bool, default=False
        Return the mean of the iterates w_0, ..., w_k in the place of w_k; without momentum only.
    f0, K_test, f0_test, ridge, loss, sample_weight
        As for :func:`gradient_flow`; the absolute error is descended by subgradients.

    Returns
    -------
    Trajectory
        Its `loss` is that of the data, without the penalty.

    Raises
    ------
    ValueError
        If the step is too large (the message names the largest stable one; on other losses than the square
        this is found when outputs overflow), a parameter is out of range, K is not a positive semidefinite
        matrix, or shapes disagree.

    References
    ----------
    B. Polyak (1964), "Some methods of speeding up the convergence of iteration methods"; G. Neu and
    L. Rosasco (2018), "Iterate averaging as regularization for stochastic gradient descent".

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.dynamics import gradient_descent
    >>> K = np.array([[2.0, 1.0], [1.0, 2.0]])
    >>> print(gradient_descent(K, [1.0, 0.0], [0, 10, 1000], learning_rate=0.5))
    Trajectory: gradient descent, squared_error, learning rate 0.5; 2 samples, 3 times
    step         loss  |w - w_0|
       0          0.5          0
      10  4.76837e-07   0.815699
    1000            0   0.816497
    """
    steps = check_steps(steps)
    momentum = check_momentum(momentum)
    ridge = check_real(ridge, "ridge", minimum=0)
    criterion = as_loss(loss)
    if averaged and momentum:
        raise ValueError("averaged=True goes without momentum: set momentum=0.")
    if type(criterion) is SquaredError:
        spectrum = Spectrum.of(K, sample_weight)
        eta = check_step(learning_rate, spectrum.eigenvalues[-1] + ridge, momentum)

        def filters(s: NDArray) -> Filter:
            if averaged:
                return averaged_filter(s, steps, eta)
            return heavy_ball_filter(s, steps, eta, momentum)

        path = _solve(spectrum, y, f0, ridge, len(steps), filters)
    else:
        eta = check_real(learning_rate, "learning_rate", minimum=0, strict=True)
        model = Coordinates.of(K, y, f0, criterion, sample_weight)
        path = descend(model, steps, ridge=ridge, learning_rate=eta, momentum=momentum, averaged=averaged)
    method = "averaged gradient descent" if averaged else "gradient descent"
    settings = {"criterion": criterion, "learning_rate": eta, "momentum": momentum, "ridge": ridge}
    return _record(path, method, steps, K_test, f0_test, **settings)


def _solve(
    spectrum: Spectrum,
    y: ArrayLike,
    f0: ArrayLike,
    ridge: float,
    n_times: int,
    filters: Callable[[NDArray], Filter],
) -> FunctionPath:
    """Filter the error at the start, y - f_0, in the eigenbasis: all times in one product."""
    values, vectors = spectrum.eigenvalues, spectrum.vectors
    risk, f0 = start(SquaredError(), y, f0, len(values))
    error = np.tensordot(vectors, spectrum.scaled(risk.targets - f0), (0, 0))
    remaining, gain = spectrum.filtered(filters, ridge, n_times)
    learned = every_time(gain, error)
    exponent = int(exponents(error))  # squares of errors of any size are representable in its unit
    energy = np.square(np.ldexp(error, -exponent)).reshape(len(values), -1).sum(1)
    return FunctionPath(
        dual_coef=along(spectrum.scaled(vectors), learned),
        outputs=f0 + along(spectrum.unscaled(vectors) * values, learned),
        # not from the outputs: these round at y, losses go on
        loss=scaled_back(0.5 * np.square(remaining) @ energy, 2 * exponent),
        distance=scaled_back(np.sqrt((values * np.square(gain)) @ energy), exponent),
    )


def _record(
    path: FunctionPath,
    method: str,
    times: NDArray,
    K_test: ArrayLike | None,
    f0_test: ArrayLike,
    **settings: Any,
) -> Trajectory:
    test_outputs = None if K_test is None else at_new_samples(K_test, path.dual_coef, f0_test)
    return Trajectory(method=method, times=times, test_outputs=test_outputs, **path._asdict(), **settings)


def check_times(times: ArrayLike) -> NDArray:
    """Nonnegative times, one axis, infinity allowed."""
    t = np.atleast_1d(np.asarray(times, dtype=np.float64))
    if t.ndim != 1 or not t.size or not (t >= 0).all():
        raise ValueError("times must be nonnegative numbers, one or a list of them.")
    return t


def check_steps(steps: ArrayLike) -> NDArray:
    """Numbers of steps as floats, infinity allowed."""
    k = np.atleast_1d(np.asarray(steps, dtype=np.float64))
    if k.ndim != 1 or not k.size or not (k >= 0).all() or not (k == np.floor(k)).all():
        raise ValueError("steps must be nonnegative integers (or infinity), one or a list of them.")
    return k
