"""Deep kernels of any activation whose Gaussian dual is known, layer by layer at the rows' variances.

A subclass gives the dual A = E[sigma(u) sigma(v)], its derivative D = E[sigma'(u) sigma'(v)] = dA/dS
(Price's theorem) and their derivatives in the variances and the covariance S; the recursion, the NTK and
the hyperparameter gradient follow here once for all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy import sparse

from .._jit import compiled
from ._angular import bias_tile
from ._architecture import Architecture
from ._gaps import close_half_squares
from ._lengths import Lengths
from ._rows import Rows

__all__ = ["Pairs", "Partials", "SmoothDual"]


class Pairs(NamedTuple):
    """Two blocks of jointly Gaussian rows: standard deviations, signed gaps and covariances."""

    rx: np.ndarray  # (n, 1)
    rz: np.ndarray  # (1, m)
    tau: np.ndarray  # (n, m)
    covariance: np.ndarray  # (n, m)
    state_x: Any  # what the dual computed once for each row
    state_z: Any
    half_squares: np.ndarray | None = None  # (n, m) of close pairs, where they come from the rows themselves

    @property
    def half_square_difference(self) -> np.ndarray:
        """E[(u - v)^2] / 2, accurate where u and v nearly coincide."""
        return self._half_square(1.0)

    @property
    def half_square_sum(self) -> np.ndarray:
        """E[(u + v)^2] / 2, accurate where u and -v nearly coincide."""
        return self._half_square(-1.0)

    def _half_square(self, sign: float) -> np.ndarray:
        t, near = np.abs(self.tau), np.copysign(1.0, self.tau) == sign
        value = (self.rx - self.rz) ** 2 / 2 + self.rx * self.rz * np.where(near, t, 2 - t)
        if self.half_squares is None:
            return value
        return np.where(near & ~np.isnan(self.half_squares), self.half_squares, value)


class Partials(NamedTuple):
    """Derivatives of A and D in the variance of u, in that of v, and of D in the covariance."""

    A_qx: np.ndarray
    A_qz: np.ndarray
    D_s: np.ndarray
    D_qx: np.ndarray
    D_qz: np.ndarray


@dataclass(frozen=True)
class _Plan:
    radius: np.ndarray  # (depth + 1, n): standard deviations of the pre-activations
    turns: np.ndarray  # (4, n): the turns that the first layer's bias gives (`Lengths.turned`)
    X: np.ndarray | None  # (n, d) the rows, where the dual asks for their distances
    factor: float  # what the first layer multiplies a row by
    states: list[Any]  # for each hidden layer, what the dual computed once for each row
    scale: Lengths  # (n,) ones: tiles of this family are absolute
    relative_diagonal: np.ndarray

    def take(self, rows: slice) -> _Plan:
        return _Plan(
            self.radius[:, rows],
            np.ascontiguousarray(self.turns[:, rows]),
            None if self.X is None else self.X[rows],
            self.factor,
            [None if s is None else s[rows] for s in self.states],
            self.scale.take(rows),
            self.relative_diagonal[rows],
        )


class SmoothDual:
    """Base of the duals below; ``r`` is a standard deviation, q = r^2 the variance.

    ``by_distance`` says that the dual needs E[(u - v)^2] to full accuracy even between long rows.
    """

    by_distance: ClassVar[bool] = False

    def moments(self, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """E[sigma(u)^2] and E[sigma'(u)^2] for u ~ N(0, r^2)."""
        raise NotImplementedError  # pragma: no cover

    def pair(self, p: Pairs) -> tuple[np.ndarray, np.ndarray]:
        """A and D."""
        raise NotImplementedError  # pragma: no cover

    def partials(self, p: Pairs, A: np.ndarray, D: np.ndarray) -> Partials:
        """Derivatives of A and D."""
        raise NotImplementedError  # pragma: no cover

    def state(self, r: np.ndarray) -> Any:
        """What pairs need of each row besides its standard deviation, as an array of rows, or None."""
        return None

    def magnifies(self, net: Architecture) -> bool:
        """Smooth in the cosine: never."""
        return False

    def needs_float64(self, net: Architecture) -> bool:
        """An angle's error counts by the rows' lengths."""
        return True

    def plan(self, net: Architecture, rows: Rows) -> _Plan:
        """Carry the rows' variances through the layers."""
        w, b = net.weight_std, net.bias_std
        factor = w / np.sqrt(rows.X.shape[1]) if net.fan_in else w
        r = np.hypot((factor * rows.lengths).astype(np.float64), b)
        _, turns = Lengths.of(rows.root, rows.exponent).times(factor).turned(b)
        radii, states = [r], []
        ntk = net.include[0] * r**2
        for layer in range(net.depth):
            state = self.state(r)
            A, D = self.pair_of_rows(Pairs(r, r, np.zeros_like(r), r**2, state, state))
            states.append(state)
            q = w**2 * A + b**2
            r = np.sqrt(q)
            ntk = net.include[layer + 1] * q + _passed(net, layer, w**2 * ntk, D)
            radii.append(r)
        X = rows.X if self.by_distance and not sparse.issparse(rows.X) else None
        ones = Lengths.of(np.ones(len(r)))
        return _Plan(np.stack(radii), turns.astype(np.float64), X, factor, states, ones, ntk)

    def tile(self, net: Architecture, x: _Plan, z: _Plan, tau: np.ndarray, apart: Any = None) -> np.ndarray:
        """Return K of a tile."""
        w2, b2 = net.weight_std**2, net.bias_std**2
        pairs = self._first(net, x, z, tau)
        ntk = pairs.covariance.copy() if net.include[0] else np.zeros_like(pairs.covariance)
        for layer in range(net.depth):
            A, D = self.pair(pairs)
            _advance(ntk, A, D, w2, b2, net.include[layer + 1], any(net.include[: layer + 1]))
            if layer + 1 < net.depth:
                pairs = self._following(x, z, layer + 1, A)
        return ntk

    def gradient(
        self, net: Architecture, x: _Plan, z: _Plan, tau: np.ndarray, apart: Any = None
    ) -> np.ndarray:
        """Return d K / d log (weight_std, bias_std), shape (2, n, m)."""
        w2, b2 = net.weight_std**2, net.bias_std**2
        in_w, in_b = np.array([2.0, 0.0])[:, None, None], np.array([0.0, 2.0 * b2])[:, None, None]
        pairs = self._first(net, x, z, tau)
        dS = in_w * (pairs.covariance - b2) + in_b
        dqx, dqz = in_w * (pairs.rx**2 - b2) + in_b, in_w * (pairs.rz**2 - b2) + in_b
        ntk, d_ntk = net.include[0] * pairs.covariance, net.include[0] * dS
        for layer in range(net.depth):
            A, D = self.pair(pairs)
            p = self.partials(pairs, A, D)
            d_ntk = w2 * (in_w * ntk * D + d_ntk * D + ntk * (p.D_s * dS + p.D_qx * dqx + p.D_qz * dqz))
            dS = w2 * (in_w * A + D * dS + p.A_qx * dqx + p.A_qz * dqz) + in_b
            dqx = self._next_variance_gradient(w2, in_w, in_b, pairs.rx, dqx, pairs.state_x)
            dqz = self._next_variance_gradient(w2, in_w, in_b, pairs.rz, dqz, pairs.state_z)
            covariance = w2 * A + b2
            ntk = _passed(net, layer, w2 * ntk, D) + net.include[layer + 1] * covariance
            d_ntk = d_ntk + net.include[layer + 1] * dS
            if layer + 1 < net.depth:
                pairs = self._following(x, z, layer + 1, covariance)
        return d_ntk

    def _next_variance_gradient(
        self, w2: float, in_w: np.ndarray, in_b: np.ndarray, r: np.ndarray, dq: np.ndarray, state: Any
    ) -> np.ndarray:
        """Derivative of w^2 E[sigma(u)^2] + b^2: the dual at u = v, its three arguments one variance."""
        pairs = Pairs(r, r, np.zeros_like(r), r**2, state, state)
        A, D = self.pair_of_rows(pairs)
        p = self.partials_of_rows(pairs, A, D)
        return w2 * (in_w * A + (D + p.A_qx + p.A_qz) * dq) + in_b

    def pair_of_rows(self, p: Pairs) -> tuple[np.ndarray, np.ndarray]:
        """`pair` of each row with itself."""
        return self.moments(p.rx)

    def partials_of_rows(self, p: Pairs, A: np.ndarray, D: np.ndarray) -> Partials:
        """`partials` of each row with itself."""
        return self.partials(p, A, D)

    def diagonal_gradient(self, net: Architecture, x: _Plan) -> np.ndarray:
        """Return d K_xx / d log (weight_std, bias_std), shape (2, n)."""
        n = x.radius.shape[1]
        single = [x.take(slice(i, i + 1)) for i in range(n)]
        rows = [self.gradient(net, row, row, np.zeros((1, 1))) for row in single]
        return np.concatenate(rows, axis=2)[:, 0]

    @staticmethod
    def _pairs(x: _Plan, z: _Plan, layer: int, tau: np.ndarray, covariance: np.ndarray) -> Pairs:
        return Pairs(
            x.radius[layer][:, None],
            z.radius[layer][None, :],
            tau,
            covariance,
            x.states[layer],
            z.states[layer],
        )

    def _first(self, net: Architecture, x: _Plan, z: _Plan, tau: np.ndarray) -> Pairs:
        """Pre-activations of the first layer: the inputs' gaps, turned by the bias."""
        tau = tau.astype(np.float64)
        half_squares = None
        if x.X is not None and z.X is not None:
            half_squares = x.factor**2 * close_half_squares(x.X, z.X, tau)
            if net.bias_std:  # it cancels in a difference; a sum it makes no longer close
                half_squares[np.copysign(1.0, tau) < 0] = np.nan
        if net.bias_std:
            bias_tile(tau, x.turns, z.turns)
        covariance = np.empty_like(tau)
        _covariances(tau, x.radius[0], z.radius[0], covariance)
        return self._pairs(x, z, 0, tau, covariance)._replace(half_squares=half_squares)

    def _following(self, x: _Plan, z: _Plan, layer: int, covariance: np.ndarray) -> Pairs:
        """Pre-activations of a later layer, whose duals are smooth in the cosine: a subtraction will do."""
        tau = np.empty_like(covariance)
        _gaps(covariance, x.radius[layer], z.radius[layer], tau)
        return self._pairs(x, z, layer, tau, covariance)


@compiled
def _covariances(tau, rx, rz, out):
    n, m = tau.shape
    for i in range(n):
        for j in range(m):
            out[i, j] = math.copysign(1.0 - abs(tau[i, j]), tau[i, j]) * rx[i] * rz[j]


@compiled
def _gaps(covariance, rx, rz, tau):
    n, m = tau.shape
    for i in range(n):
        for j in range(m):
            product = rx[i] * rz[j]
            rho = covariance[i, j] / product if product > 0.0 else 0.0
            tau[i, j] = math.copysign(max(1.0 - abs(rho), 0.0), rho)


@compiled
def _advance(ntk, A, D, w2, b2, include, chain):
    """Take the NTK to the next layer, and turn A into that layer's covariance, in place.

    Without a trained layer below, nothing is passed on, even if D overflows.
    """
    n, m = A.shape
    share = 1.0 if include else 0.0
    for i in range(n):
        for j in range(m):
            A[i, j] = w2 * A[i, j] + b2
        if chain:
            for j in range(m):
                ntk[i, j] = w2 * ntk[i, j] * D[i, j] + share * A[i, j]
        else:
            for j in range(m):
                ntk[i, j] = share * A[i, j]


def _passed(net: Architecture, layer: int, ntk: np.ndarray, D: np.ndarray) -> np.ndarray:
    """What a layer passes on of the NTK below: nothing if nothing below is trained, even if D overflows."""
    return ntk * D if any(net.include[: layer + 1]) else np.zeros_like(D)
