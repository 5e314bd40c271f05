"""Orthogonalised matrix steps ("Muon"): steepest descent in the operator norm, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ntklib._core.validation import check_integer

from ._momentum import WithMomentum
from .base import Rule, Schedule

__all__ = ["Muon", "polar_factor"]

_QUINTIC = (3.4445, -4.7750, 2.0315)
"""Jordan et al. 2024: steep at 0, and keeping singular values within 0.68 and 1.14 once they are there."""


def polar_factor(matrix: Any, *, newton_schulz: int | None = None) -> np.ndarray:
    r"""Return the orthogonal polar factor :math:`U V^T` of a matrix :math:`U \Sigma V^T` of rank r.

    Singular vectors of singular values that are zero to working precision take no part, so that the factor
    of a matrix of rank r has rank r, and that of zero is zero.  A vector is taken as a matrix of one column:
    it is divided by its length.

    Parameters
    ----------
    matrix : array-like of shape (a, b) or (a,)
    newton_schulz : int, default=None
        None computes it from the singular value decomposition.  A number takes so many Newton-Schulz steps
        :math:`X \leftarrow 3.4445 X - 4.7750 X X^T X + 2.0315 (X X^T)^2 X` from :math:`G/|G|_F`: products
        only, the right singular vectors, and singular values near 1 rather than 1 (five steps bring those
        of at least 0.01 of the Frobenius norm between 0.68 and 1.14).

    Returns
    -------
    ndarray of the shape of ``matrix``
        NaN everywhere if the matrix is not finite.

    Raises
    ------
    ValueError
        If it has more than two dimensions, or none.

    References
    ----------
    N. J. Higham, *Functions of Matrices*, 2008, chapter 8; K. Jordan et al., "Muon: an optimizer for hidden
    layers in neural networks", 2024.

    Examples
    --------
    >>> from ntklib.dynamics import polar_factor
    >>> polar_factor([[2.0, 0.0], [0.0, -3.0]])
    array([[ 1.,  0.],
           [ 0., -1.]])
    >>> polar_factor([3.0, 4.0])
    array([0.6, 0.8])
    """
    G = np.asarray(matrix)
    G = G if G.dtype == np.float32 else G.astype(np.float64)
    if G.ndim not in (1, 2):
        raise ValueError(f"a polar factor is that of a matrix or a vector, got {G.ndim} dimensions.")
    if newton_schulz is not None:
        check_integer(newton_schulz, "newton_schulz", minimum=1)
    size = float(np.abs(G).max(initial=0.0))
    if size == 0 or not np.isfinite(size):
        return np.full_like(G, 0.0 if size == 0 else np.nan)
    G = G / G.dtype.type(size)  # neither squares overflow nor do they vanish
    if G.ndim == 1:
        return G / np.linalg.norm(G)
    return _by_svd(G) if newton_schulz is None else _by_products(G, newton_schulz)


def _by_svd(G: np.ndarray) -> np.ndarray:
    U, s, Vt = np.linalg.svd(G, full_matrices=False)
    rank = int(np.count_nonzero(s > max(G.shape) * np.finfo(G.dtype).eps * s[0]))
    return U[:, :rank] @ Vt[:rank]


def _by_products(G: np.ndarray, steps: int) -> np.ndarray:
    X = (G if G.shape[0] <= G.shape[1] else G.T) / np.linalg.norm(G)
    a, b, c = (G.dtype.type(x) for x in _QUINTIC)
    for _ in range(steps):
        square = X @ X.T
        X = a * X + (b * square + c * (square @ square)) @ X
    return np.ascontiguousarray(X if G.shape[0] <= G.shape[1] else X.T)


@dataclass(frozen=True)
class Muon(WithMomentum):
    r"""Orthogonalised steps, the polar factor of the momentum in place of the gradient.

    .. math:: M_t = \beta_t M_{t-1} + G_t,\qquad W \leftarrow W - \eta\,\mathrm{polar}(M_t).

    Every matrix moves by itself, all its singular directions by the same length. Without momentum and with
    ``normalized=False`` it is :math:`-\eta |G|_* \mathrm{polar}(G)`, which minimises
    :math:`\langle G, S\rangle + |S|_{op}^2/(2\eta)`.  A bias is a matrix of one column: it moves along its
    normalised gradient.

    Parameters
    ----------
    learning_rate : float or callable
        eta, or a function of the step that returns it; nonnegative.
    momentum : float or callable, default=0.0
        beta, or a function of the step that returns it; at least 0, less than 1.
    newton_schulz : int, default=None
        None takes exact polar factors; a number approximates them by so many products, see `polar_factor`.
    normalized : bool, default=True
        False multiplies each step by the nuclear norm of its matrix.

    References
    ----------
    K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024; J. Bernstein and
    L. Newhouse, "Old optimizer, new norm: an anthology", 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.dynamics import Muon
    >>> Muon(0.5).run(lambda w: w, np.diag([8.0, 0.5]), 1)[1]
    array([[7.5, 0. ],
           [0. , 0. ]])
    """

    learning_rate: Schedule = 0.02
    momentum: Schedule = 0.0
    newton_schulz: int | None = None
    normalized: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.newton_schulz is not None:
            check_integer(self.newton_schulz, "newton_schulz", minimum=1)

    @property
    def step_family(self) -> str:
        """Singular values move by the learning rate; times the nuclear norm, like the gradient's."""
        return "orthogonal" if self.normalized else "gradient"

    def _memory(self, array: np.ndarray) -> tuple[np.ndarray, ...]:
        if array.ndim not in (1, 2):
            raise ValueError(f"Muon moves matrices and vectors, not arrays of shape {array.shape}.")
        return (np.zeros_like(array),)

    def _rule(self, k: int) -> Rule:
        eta, beta = self._rate(k), self._beta(k)

        def move(w, g, memory, multiplier):
            (m,) = memory
            m *= m.dtype.type(beta)
            m += g
            factor = polar_factor(m, newton_schulz=self.newton_schulz)
            length = 1.0 if self.normalized else float(np.vdot(factor, m))  # the nuclear norm
            factor *= w.dtype.type(eta * multiplier * length)
            w -= factor

        return move
