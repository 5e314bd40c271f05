r"""The gradient flow of a linearised model in parameter space, exact, in the record of the integrated one.

With the singular values :math:`J_0 = U S V^T` and the residuals r_0 at the start,

.. math::
    r_t = r_0 - U (I - e^{-t S^2}) U^T r_0, \qquad
    u_t - w_0 = -V S^{-1} (I - e^{-t S^2}) U^T r_0, \qquad
    |\dot u_t| = |S e^{-t S^2} U^T r_0| .

There is no closed form for the length of the path, the integral of the last: it is found by quadrature.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import svd

from ntklib.networks import Params

from ._problem import FlowProblem
from .integration import check_finite_times
from .record import Flow

__all__ = ["linearized_flow"]

_NODES = 20  # of a panel, on which no decay is fast that matters


def linearized_flow(
    model: Any,
    X: Any,
    y: ArrayLike,
    times: ArrayLike,
    *,
    params: Params | None = None,
    keep_params: bool = False,
) -> Flow:
    r"""Follow the gradient flow of the linearised model, :math:`\bar f(u) = f(w_0) + J_0 (u - w_0)`, exactly.

    What `gradient_flow` is in function space, with the parameters: for rows few enough that the Jacobian fits
    in memory.

    Parameters
    ----------
    model : TwoLayerNet, MLP, or a model made from one
        It is linearised at w_0.
    X : array-like or CSR matrix of shape (n, d)
    y : array-like of shape (n,) or (n, k)
        Targets, shaped like the outputs.
    times : float or array of shape (T,)
        Nonnegative and finite, in any order.
    params : Params, default=None
        w_0; needed for networks.  None takes those that the model was made at.
    keep_params : bool, default=False
        Keep u_t - w_0 at all times.

    Returns
    -------
    Flow
        Its error estimates are those of rounding.

    Raises
    ------
    ValueError
        If shapes disagree, a time is negative or infinite, or the model cannot be evaluated at w_0.
    MemoryError
        If the Jacobian would not fit.

    References
    ----------
    J. Lee et al. (2019), "Wide neural networks of any depth evolve as linear models under gradient descent",
    eq. 8-11.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.dynamics import linearized_flow
    >>> from ntklib.networks import TwoLayerNet
    >>> net = TwoLayerNet(32, activation="erf")
    >>> flow = linearized_flow(net, np.eye(2), [1.0, -1.0], [0.0, 1e3], params=net.init(2, random_state=0))
    >>> flow.outputs[-1].round(6).tolist()
    [1.0, -1.0]
    """
    problem = FlowProblem(model, X, y, params)
    t = check_finite_times(times)
    p = problem.origin.size
    J = problem.model.jacobian(problem.start, problem.X).reshape(-1, p)
    U, s, Vt = svd(J, full_matrices=False)
    residual = problem.residual.ravel()
    c = U.T @ residual
    # what no parameter moves; none, and not the rounding of the difference, where U is square
    rest = residual - U @ c if len(s) < len(residual) else 0.0
    exponent = -t[:, None] * np.square(s)
    residuals = rest + (np.exp(exponent) * c) @ U.T
    gain = np.divide(-np.expm1(exponent), s, out=np.zeros_like(exponent), where=s > 0)
    vectors = -(gain * c) @ Vt
    error, output_error = problem.rounding(t)
    return Flow(
        method="closed form",
        scale=problem.scale,
        times=t,
        loss=0.5 * np.square(residuals).sum(axis=1),
        outputs=problem.risk.targets + residuals.reshape(len(t), *problem.outputs.shape),
        distance=np.linalg.norm(gain * c, axis=1),
        path_length=_path_length(s, c, t),
        vectors=vectors if keep_params else None,
        params=problem.model.unravel(problem.start, problem.origin + vectors[np.argmax(t)]),
        initial_params=problem.start,
        evaluations=0,
        error_estimate=error,
        output_error_estimate=output_error,
    )


def _path_length(s: NDArray, c: NDArray, times: NDArray) -> NDArray:
    """Integrals of |s exp(-t s^2) c| from 0 to all times, on panels that double in length."""
    end = float(times.max())
    if end == 0 or not s.any():
        return np.zeros_like(times)
    first = 0.25 / float(np.square(s).max())
    doubling = first * 2.0 ** np.arange(max(0, np.ceil(np.log2(end / first))))
    edges = np.unique([0.0, *doubling[doubling < end], *times])
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    half = np.diff(edges)[:, None] / 2
    at = edges[:-1, None] + half * (1 + nodes)
    speed = np.linalg.norm(np.exp(-at[..., None] * np.square(s)) * (s * c), axis=-1)
    total = np.append(0.0, np.cumsum((speed * (half * weights)).sum(axis=1)))
    return total[np.searchsorted(edges, times)]
