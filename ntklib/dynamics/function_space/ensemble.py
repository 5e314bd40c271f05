r"""Ensembles of infinitely wide networks, all layers trained: Gaussian at every time.

A network starts as a draw f_0 of the Gaussian process with the NNGP kernel and moves by its NTK, which is the
same for all. So f_t is linear in f_0: its mean is the training path from f_0 = 0, its covariance that of the
part of f_0 that training leaves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntklib._core.text import text_table
from ntklib._core.validation import check_real
from ntklib.solvers import EigenFactor

from ..losses import SquaredError
from ._iteration import start
from .closed_forms import check_steps, check_times
from .filters import flow_filter, heavy_ball_filter
from .records import along, every_time
from .spectrum import Spectrum, check_gram, check_momentum, check_step


@dataclass(frozen=True, eq=False, repr=False)
class EnsembleTrajectory:
    """Outputs of an ensemble along training: Gaussian with this mean and covariance; one row a time.

    Several outputs of one network are independent and share their covariance.

    Attributes
    ----------
    times : ndarray of shape (T,)
        Times of the flow, or numbers of steps.
    mean : ndarray of shape (T, n) or (T, n, k)
        On the training samples.
    std : ndarray of shape (T, n)
    covariance : ndarray of shape (T, n, n), or None
        With ``return_cov=True``.
    test_mean, test_std, test_covariance : ndarrays with m for n, or None
        On the test samples.
    learning_rate : float or None
        Step size; None for the flow.
    momentum, ridge : float
    """

    times: NDArray
    mean: NDArray
    std: NDArray
    covariance: NDArray | None
    test_mean: NDArray | None
    test_std: NDArray | None
    test_covariance: NDArray | None
    learning_rate: float | None = None
    momentum: float = 0.0
    ridge: float = 0.0

    def __repr__(self) -> str:
        method = "gradient flow" if self.learning_rate is None else "gradient descent"
        title = f"EnsembleTrajectory: {method}; {self.mean.shape[1]} samples, {len(self.times)} times"
        unit = "time" if self.learning_rate is None else "step"
        columns = {unit: self.times, "mean std": self.std.mean(axis=1)}
        if self.test_std is not None:
            columns["test"] = self.test_std.mean(axis=1)
        table = text_table(list(columns), zip(*columns.values(), strict=True), digits=6, limit=7)
        return f"{title}\n{table}"


def ensemble(
    ntk: ArrayLike | EigenFactor,
    nngp: ArrayLike,
    y: ArrayLike,
    times: ArrayLike,
    *,
    ntk_test: ArrayLike | None = None,
    nngp_test: ArrayLike | None = None,
    nngp_test_test: ArrayLike | None = None,
    learning_rate: float | None = None,
    momentum: float = 0.0,
    ridge: float = 0.0,
    sample_weight: ArrayLike | None = None,
    return_cov: bool = False,
) -> EnsembleTrajectory:
    r"""Return the law of infinitely wide networks trained on the square loss from random starts.

    With :math:`\Theta` the NTK, K the NNGP kernel, X the training samples and
    :math:`A_t = \Theta(x, X)\, \Theta^{-1} (I - e^{-t\Theta})`,

    .. math::
        m_t(x) = A_t y, \qquad
        C_t(x, x') = K(x, x') + A_t K(X, X) A_t'^T - A_t K(X, x') - K(x, X) A_t'^T .

    This is not the posterior of the Gaussian process whose kernel is :math:`\Theta`, which no trained network
    has, except when only the last layer is trained (:math:`\Theta = K`, infinite time).

    Parameters
    ----------
    ntk : array of shape (n, n), or EigenFactor
        Theta(X, X).
    nngp : array of shape (n, n)
        K(X, X), the covariance of the outputs at initialisation.
    y : array of shape (n,) or (n, k)
        Targets.
    times : float or array of shape (T,)
        Times of the gradient flow, infinity allowed; numbers of steps if `learning_rate` is given.
    ntk_test, nngp_test : arrays of shape (m, n), default=None
        Both kernels of test samples (rows) with the training ones.
    nngp_test_test : array of shape (m, m) or (m,), default=None
        NNGP kernel of the test samples with themselves; its diagonal is enough for the standard deviation.
    learning_rate : float, default=None
        Train by gradient descent with this step; None is gradient flow.
    momentum : float, default=0.0
        Of gradient descent.
    ridge : float, default=0.0
        Penalty lambda on (1/2)|w - w_0|^2: Theta + lambda I in the inverse and the exponent.
    sample_weight : array of shape (n,), default=None
        Positive weights of the samples in the loss.
    return_cov : bool, default=False
        Keep covariances, of n^2 + m^2 numbers a time, besides standard deviations.

    Returns
    -------
    EnsembleTrajectory

    Raises
    ------
    ValueError
        If shapes disagree, only some of the three test arrays are given, a kernel is not a symmetric positive
        semidefinite matrix, or the step is too large.

    References
    ----------
    J. Lee et al. (2019), "Wide neural networks of any depth evolve as linear models under gradient descent",
    eq. 15-16.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.dynamics import ensemble
    >>> from ntklib.kernels import nngp_kernel, ntk_kernel
    >>> X, x = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.6, 0.8]])
    >>> path = ensemble(ntk_kernel(X), nngp_kernel(X), [1.0, -1.0], [0.0, np.inf], ntk_test=ntk_kernel(x, X),
    ...                 nngp_test=nngp_kernel(x, X), nngp_test_test=nngp_kernel(x))
    >>> path.test_mean.ravel().round(4), path.test_std.ravel().round(4)
    (array([ 0.    , -0.2157]), array([0.7071, 0.2507]))
    """
    ridge, momentum = check_real(ridge, "ridge", minimum=0), check_momentum(momentum)
    spectrum = Spectrum.of(ntk, sample_weight)
    n = len(spectrum.eigenvalues)
    nngp = _block(nngp, (n, n), "nngp")
    tests = [ntk_test, nngp_test, nngp_test_test]
    if any(block is None for block in tests) and not all(block is None for block in tests):
        raise ValueError("give all of ntk_test, nngp_test and nngp_test_test, or none of them.")
    risk, _ = start(SquaredError(), y, 0.0, n)
    if learning_rate is None:
        if momentum:
            raise ValueError("momentum belongs to gradient descent: give a learning_rate, or set momentum=0.")
        moments = check_times(times)
        remaining, gain = spectrum.filtered(lambda s: flow_filter(s, moments), ridge, len(moments))
    else:
        moments = check_steps(times)
        step = check_step(learning_rate, spectrum.eigenvalues[-1] + ridge, momentum)
        remaining, gain = spectrum.filtered(
            lambda s: heavy_ball_filter(s, moments, step, momentum), ridge, len(moments)
        )

    enter = spectrum.scaled(spectrum.vectors).T  # outputs -> eigenbasis
    leave = spectrum.unscaled(spectrum.vectors)
    initial = enter @ nngp @ enter.T  # covariance of f_0 in the eigenbasis
    learned = every_time(gain, enter @ risk.targets)
    mean = along(leave * spectrum.eigenvalues, learned)
    std, covariance = _spread(leave, remaining, initial, None, return_cov)
    test_mean = test_std = test_covariance = None
    if ntk_test is not None and nngp_test_test is not None:
        ntk_test = _block(ntk_test, (None, n), "ntk_test")
        m = len(ntk_test)
        nngp_test = _block(nngp_test, (m, n), "nngp_test")
        diagonal_is_enough = not return_cov and np.ndim(nngp_test_test) == 1
        own = _block(nngp_test_test, (m,) if diagonal_is_enough else (m, m), "nngp_test_test")
        seen = ntk_test @ spectrum.scaled(spectrum.vectors)
        test_mean = along(seen, learned)
        test_std, test_covariance = _spread(seen, gain, initial, (own, nngp_test @ enter.T), return_cov)
    return EnsembleTrajectory(
        moments, mean, std, covariance, test_mean, test_std, test_covariance, learning_rate, momentum, ridge
    )


def _spread(
    basis: NDArray,
    factors: NDArray,
    initial: NDArray,
    fresh: tuple[NDArray, NDArray] | None,
    return_cov: bool,
) -> tuple[NDArray, NDArray | None]:
    """Standard deviations, and covariances, of u - B f_0 at every time, B = basis diag(factors).

    f_0 is in the eigenbasis, of covariance `initial`; `fresh` is the covariance of u with itself (or its
    diagonal) and with f_0, None for u = 0.
    """
    stds, covariances = [], []
    for row in factors:
        reach = basis * row
        if return_cov:
            covariance = reach @ initial @ reach.T
            if fresh is not None:
                cross = fresh[1] @ reach.T
                covariance += fresh[0] - cross - cross.T
            covariances.append((covariance + covariance.T) / 2)
            variance = covariance.diagonal()
        else:
            variance = ((reach @ initial) * reach).sum(1)
            if fresh is not None:
                own = fresh[0] if fresh[0].ndim == 1 else fresh[0].diagonal()
                variance = variance + own - 2 * (fresh[1] * reach).sum(1)
        stds.append(np.sqrt(np.maximum(variance, 0.0)))  # below 0 by rounding only
    return np.stack(stds), np.stack(covariances) if return_cov else None


def _block(block: ArrayLike | None, shape: tuple[int | None, ...], name: str) -> NDArray:
    """A finite array of a shape; None stands for any length. Square ones must be symmetric."""
    array = np.asarray(block, dtype=np.float64)
    if array.ndim != len(shape) or any(
        want not in (None, got) for want, got in zip(shape, array.shape, strict=True)
    ):
        wanted = ", ".join("m" if length is None else str(length) for length in shape)
        raise ValueError(f"{name} must have shape ({wanted}), got {array.shape}.")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} contains NaN or infinity.")
    return check_gram(array) if name in ("nngp", "nngp_test_test") and array.ndim == 2 else array
