r"""Upper bound on the Lipschitz constant of a network's Jacobian on a ball of parameters."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntklib._core.validation import check_real
from ntklib.networks import Params

from ._neurons import Neurons, unscaled

__all__ = ["JacobianLipschitz", "bound", "jacobian_lipschitz", "largest_block"]

OUTWARD = 1 + 1e-9
"""Covers the rounding of a few hundred operations, each relatively exact."""

_HUGE = 1e100  # products of larger numbers overflow
_TINY = float(np.finfo(np.float64).tiny)  # smaller products lose digits
_FIRST = 16  # neurons whose eigenvalues are computed first; the best of them rules out most others
_CHUNK = 1 << 20  # numbers in the matrices that are looked at together


@dataclass(frozen=True)
class JacobianLipschitz:
    """An upper bound on the Lipschitz constant of w -> Dh(w) on a ball, in the operator norm.

    Attributes
    ----------
    value : float
        The bound; infinite where there is none.
    radius : float
        Of the ball.
    neuron : int
        The hidden neuron that decides; of a symmetric network those of the second copy follow the first's.
    reason : str
        Why there is no finite bound; empty if there is one.
    """

    value: float
    radius: float
    neuron: int
    reason: str = ""

    def __float__(self) -> float:
        return self.value


def jacobian_lipschitz(net: Any, params: Params, X: Any, radius: float = 0.0) -> JacobianLipschitz:
    r"""Return an upper bound on :math:`\beta`, the Lipschitz constant of :math:`w \mapsto Dh(w)` on a ball.

    :math:`|Dh(w) - Dh(w')| \le \beta |w - w'|` for all w, w' within ``radius`` of ``params``, h being the
    network at scale 1 on the rows of X, in the operator norm.  The second derivative is block diagonal over
    the hidden neurons, so that the worst one decides.  With multiplier c, output weights :math:`v_r` (longer
    by the radius if they are trained), and :math:`s'_i, s''_i` the suprema of :math:`|\sigma'|, |\sigma''|`
    over :math:`|z - w_r \cdot x_i| \le |x_i| B`, its block has at most the norm of

    .. math::
        \begin{pmatrix} 0 & A \\ A & G \end{pmatrix}, \quad
        A^2 = c^2 \lambda_{\max}\bigl(s'_i s'_j \langle x_i, x_j \rangle\bigr), \quad
        G^2 = c^2 |v_r|^2 \lambda_{\max}\bigl(s''_i s''_j \langle x_i, x_j \rangle^2\bigr)

    and at most the root of the sum of the squares of the same norms of single rows; the lesser counts.  A is
    0 if only the hidden layer is trained, and the whole bound if only the output layer is.

    Parameters
    ----------
    net : TwoLayerNet, MLP of one hidden layer, or one of these centred
    params : Params
        The centre of the ball.
    X : array-like or CSR matrix of shape (n, d)
    radius : float, default=0
        At least 0; at 0 it bounds the norm of the second derivative.

    Returns
    -------
    JacobianLipschitz
        Infinite, with the reason, for activations whose derivative jumps (ReLU, step).

    Raises
    ------
    ValueError
        For networks of more hidden layers, and activations known at points only (`NumericalActivation`).
    TypeError
        If ``net`` is no network.

    References
    ----------
    L. Chizat, E. Oyallon and F. Bach, "On lazy training in differentiable programming", NeurIPS 2019 (the
    constant); the bound is derived in ``docs/theory.md``.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.networks import TwoLayerNet
    >>> from ntklib.theory import jacobian_lipschitz
    >>> net = TwoLayerNet(100, activation="erf")
    >>> params = net.init(2, random_state=0)
    >>> round(jacobian_lipschitz(net, params, np.eye(2), radius=0.1).value, 2)
    0.33
    >>> jacobian_lipschitz(TwoLayerNet(100), params, np.eye(2)).reason
    'the derivative of ReLU() jumps, so that no ball has a finite bound'
    """
    radius = check_real(radius, "radius", minimum=0.0)
    return bound(Neurons.of(unscaled(net), params, X).distinct(), radius)


def bound(neurons: Neurons, radius: float) -> JacobianLipschitz:
    """Return the bound for a network that has been looked at."""
    if not neurons.trains_hidden:
        return JacobianLipschitz(0.0, radius, 0)  # linear in the output weights
    reach = radius * neurons.lengths * OUTWARD + neurons.z_error
    with np.errstate(over="ignore"):  # exp may: its bound is infinite then
        first, second = neurons.activation.derivative_bounds(neurons.z - reach, neurons.z + reach)
    if not (second < _HUGE).all() or not (first < _HUGE).all():
        activation = neurons.activation
        reason = f"the derivative of {activation!r} jumps, so that no ball has a finite bound"
        if np.isfinite(activation.derivative_bounds(0.0, 0.0)[1]):
            reason = f"the derivatives of {activation!r} overflow on a ball of this size"
        return JacobianLipschitz(inf, radius, 0, reason)
    value, neuron = largest_block(neurons, first, second, radius)
    reason = "the rows or the output weights are too large for their squares" if value == inf else ""
    return JacobianLipschitz(value, radius, neuron, reason)


def largest_block(
    neurons: Neurons, first: NDArray, second: NDArray, radius: float = 0.0
) -> tuple[float, int]:
    """Return the largest bound on a neuron's block, and its neuron.

    ``first`` and ``second`` (M, n) bound |sigma'| and |sigma''|; trained output weights grow by ``radius``.
    """
    c, v = neurons.factor, neurons.output_lengths
    if neurons.trains_output:
        v = v + radius
    else:
        first = np.zeros_like(first)
    second = v[:, None] * second
    if not first.any() and not second.any():
        return 0.0, 0
    # of single rows, in units of the largest: no square of what matters can overflow or vanish
    with np.errstate(over="ignore"):
        a, g = first * neurons.lengths, second * neurons.lengths**2
        by_row = _norm(a, g)
    top = max(float(by_row.max()), _TINY)
    if top == inf:
        return inf, 0
    a, g, by_row = a / top, g / top, np.linalg.norm(by_row / top, axis=1)
    rows = neurons.rows / np.where(neurons.lengths > 0, neurons.lengths, 1.0)[:, None]
    gram = rows @ rows.T

    # these bound eigenvalues too, and cost less: most neurons need no eigenvalue to be passed over
    def above(a: NDArray, g: NDArray, rounds: int) -> NDArray:
        return _norm(np.sqrt(_at_most(a, np.abs(gram), rounds)), np.sqrt(_at_most(g, gram**2, rounds)))

    at_most = np.minimum(by_row, above(a, g, 1))
    best, worst = 0.0, 0
    pairs = None  # all products of two entries of a row, whose Gram matrix is gram^2
    if rows.shape[1] ** 2 < len(rows):
        pairs = (rows[:, :, None] * rows[:, None, :]).reshape(len(rows), -1)

    def norms(a: NDArray, g: NDArray) -> NDArray:
        return _norm(_roots(a, gram, rows), _roots(g, gram**2, pairs))

    order = np.argsort(-at_most, kind="stable")
    largest = max(1, _CHUNK // len(gram) ** 2)
    start, size = 0, min(_FIRST, largest)
    while start < len(order) and at_most[order[start]] > best:
        part = order[start : start + size]
        start, size = start + len(part), min(2 * size, largest)
        part = part[above(a[part], g[part], 6) > best]
        # on large balls many neurons are nearly the same: one with the largest entries of all stands for them
        if not len(part) or (
            norms(a[part].max(axis=0)[None], g[part].max(axis=0)[None])[0] <= best * (1 + 1e-12)
        ):
            continue
        exact = np.minimum(norms(a[part], g[part]), at_most[part])
        if exact.max() > best:
            best, worst = float(exact.max()), int(part[exact.argmax()])
    return c * top * best * OUTWARD + _TINY, worst


def _norm(a: NDArray, g: NDArray) -> NDArray:
    """Norms of [[0, a], [a, g]], for nonnegative a and g."""
    return (g + np.hypot(g, 2 * a)) / 2


def _at_most(s: NDArray, gram: NDArray, rounds: int) -> NDArray:
    """Bounds on the largest eigenvalues of s_i s_j G_ij >= 0, for each row s.

    Those are the eigenvalues of G diag(s^2), of which max_i (G (s^2 u))_i / u_i is none too small for any
    positive u (Collatz and Wielandt); power iteration finds good ones.
    """
    weights, u = s**2, np.ones_like(s)
    for _ in range(rounds):
        image = (weights * u) @ gram
        best = np.divide(image, u, out=np.zeros_like(u), where=(weights > 0) & (u > 0)).max(axis=1)
        u = image / np.maximum(image.max(axis=1, keepdims=True), _TINY)
    return best


def _roots(s: NDArray, gram: NDArray, vectors: NDArray | None) -> NDArray:
    """Roots of the largest eigenvalues of s_i s_j G_ij, G = vectors vectors^T, for each row s."""
    if not s.any():
        return np.zeros(len(s))
    if vectors is not None and vectors.shape[1] < len(gram):  # the same eigenvalues, but for zeros
        scaled = s[:, :, None] * vectors
        matrices = scaled.transpose(0, 2, 1) @ scaled
    else:
        matrices = s[:, :, None] * s[:, None, :] * gram
    return np.sqrt(np.maximum(np.linalg.eigvalsh(matrices)[:, -1], 0.0))
