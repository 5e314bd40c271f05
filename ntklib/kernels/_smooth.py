"""Deep kernels of any activation whose Gaussian dual is known, layer by layer at the rows' variances.

A subclass gives the dual A = E[sigma(u) sigma(v)], its derivative D = E[sigma'(u) sigma'(v)] = dA/dS
(Price's theorem) and their derivatives in the variances and the covariance S; the recursion, the NTK and
the hyperparameter gradient follow here once for all.

What belongs to single rows is carried in numbers of any size (``_wide.py``).  A tile whose rows stay well
inside the range of float64 at every layer is computed with floats, any other by the same formulas with
wide numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy import sparse

from .._jit import compiled
from ._angular import bias_tile
from ._architecture import Architecture
from ._gaps import close_distances
from ._lengths import Lengths
from ._rows import Rows
from ._wide import Wide, narrow, over, positive, where

__all__ = ["Motion", "Pairs", "Partials", "SmoothDual", "signed_gaps_of"]

# Within these the tenth powers of standard deviations, the highest in any formula, stay floats.
_RADIUS = 2.0**80
_VALUE = 2.0**600
_WEIGHT = 2.0**40


class Pairs(NamedTuple):
    """Two blocks of jointly Gaussian rows: standard deviations, signed gaps and covariances.

    Arrays are of shape (n, 1), (1, m) and (n, m), or all (n,) for rows paired with themselves.
    """

    rx: Any
    rz: Any
    tau: Any
    covariance: Any
    state_x: Any  # what the dual computed once for each row
    state_z: Any
    half_squares: Any = None  # those of close pairs, where they come from the rows themselves
    close: Any = False

    @classmethod
    def of_rows(cls, r: Any, state: Any) -> Pairs:
        """Rows paired with themselves."""
        return cls(r, r, np.zeros(len(r)), r * r, state, state)

    @property
    def positive(self) -> np.ndarray:
        """Where the correlation is not negative; a gap of -0.0 is that of an opposite pair."""
        return positive(np.copysign(1.0, self.tau))

    @property
    def half_square_difference(self) -> Any:
        """E[(u - v)^2] / 2, accurate where u and v nearly coincide."""
        return self._half_square(self.positive)

    @property
    def half_square_sum(self) -> Any:
        """E[(u + v)^2] / 2, accurate where u and -v nearly coincide."""
        return self._half_square(~self.positive)

    def _half_square(self, near: np.ndarray) -> Any:
        t = np.abs(self.tau)
        value = (self.rx - self.rz) ** 2 / 2 + self.rx * self.rz * where(near, t, 2 - t)
        return value if self.half_squares is None else where(near & self.close, self.half_squares, value)


class Partials(NamedTuple):
    """Derivatives of A and D in the logarithms of r_x and r_z at a fixed correlation, and of D in that."""

    A_x: Any
    A_z: Any
    D_x: Any
    D_z: Any
    D_rho: Any


class Motion(NamedTuple):
    """How pairs move with log weight_std and log bias_std: arrays (2, ...)."""

    log_x: Any  # d log r_x
    log_z: Any
    apart: Any  # d log r_x - d log r_z
    rho: Any  # of the correlation


@dataclass(frozen=True)
class _Plan:
    """Rows of a network, layer by layer; wide numbers, or floats after `take` of rows that allow them."""

    lengths: list[Any]  # (depth + 1 of) (n,): standard deviations of the pre-activations without their bias
    radii: list[Any]  # the same with it
    turns: list[np.ndarray]  # (4, n): the turns that the biases give (`Lengths.turned`)
    states: list[Any]  # for each hidden layer, what the dual computed once for each row
    X: np.ndarray | None  # (n, d) the rows, where they are dense
    root: np.ndarray  # and their lengths, root 2^exponent
    exponent: np.ndarray
    factor: float  # what the first layer multiplies a row by
    scale: (
        Lengths  # (n,) what a tile is relative to: 1, or of a normalised kernel sqrt(K_xx) where it is wide
    )
    wide_scale: Any  # the same
    relative_diagonal: np.ndarray
    plain: np.ndarray  # (n,) rows that floats will do for

    def take(self, rows: slice) -> _Plan:
        every = narrow if self.plain[rows].all() else lambda a: a
        return replace(
            self,
            lengths=[every(a[rows]) for a in self.lengths],
            radii=[every(a[rows]) for a in self.radii],
            turns=[np.ascontiguousarray(a[:, rows]) for a in self.turns],
            states=[None if s is None else every(s[rows]) for s in self.states],
            X=None if self.X is None else self.X[rows],
            root=self.root[rows],
            exponent=self.exponent[rows],
            scale=self.scale.take(rows),
            wide_scale=self.wide_scale[rows],
            relative_diagonal=self.relative_diagonal[rows],
            plain=self.plain[rows],
        )


class SmoothDual:
    """Base of the duals below; ``r`` is a standard deviation, q = r^2 the variance.

    Formulas take floats and wide numbers alike.  ``by_distance`` says that the dual needs E[(u - v)^2] to
    full accuracy even between long rows.
    """

    by_distance: ClassVar[bool] = False

    def pair(self, p: Pairs) -> tuple[Any, Any]:
        """A and D."""
        raise NotImplementedError  # pragma: no cover

    def partials(self, p: Pairs, A: Any, D: Any) -> Partials:
        """Derivatives of A and D; that of A in the correlation is r_x r_z D."""
        raise NotImplementedError  # pragma: no cover

    def moved(self, p: Pairs, A: Any, D: Any, by: Motion) -> tuple[Any, Any]:
        """Derivatives of A and D as the pairs move."""
        d = self.partials(p, A, D)
        return (
            d.A_x * by.log_x + d.A_z * by.log_z + p.rx * p.rz * D * by.rho,
            d.D_x * by.log_x + d.D_z * by.log_z + d.D_rho * by.rho,
        )

    def state(self, r: Any) -> Any:
        """What pairs need of each row besides its standard deviation, as an array of rows, or None."""
        return None

    def magnifies(self, net: Architecture) -> bool:
        """Between long rows an angle counts by their lengths."""
        return True

    def gap(self, p: Pairs, A: Any, cosine: np.ndarray) -> np.ndarray:
        """Signed gaps of sigma(u) and sigma(v) from their cosine A / sqrt(A_xx A_zz)."""
        return signed_gaps_of(cosine)

    def needs_float64(self, net: Architecture) -> bool:
        """An angle's error counts by the rows' lengths."""
        return True

    def plan(self, net: Architecture, rows: Rows) -> _Plan:
        """Carry the rows' variances through the layers."""
        w, b, one = net.weight_std, net.bias_std, Wide(np.ones(rows.n))
        factor = w / math.sqrt(rows.X.shape[1]) if net.fan_in else w
        length = Wide(rows.root, rows.exponent) * factor
        lengths, radii, states = [], [], []
        ntk: Any = Wide(np.zeros(rows.n))
        plain = np.full(rows.n, 1 / _WEIGHT <= w <= _WEIGHT)
        D: Any = 0.0
        for layer in range(net.depth + 1):
            r = np.sqrt(length**2 + (b * one) ** 2) if b else length
            ntk = net.include[layer] * r**2 + (w * one) ** 2 * ntk * D
            plain &= _inside(r, _RADIUS) & _inside(ntk, _VALUE)
            lengths.append(length)
            radii.append(r)
            if layer < net.depth:
                states.append(self.state(r))
                A, D = self.pair(Pairs.of_rows(r, states[-1]))
                length = w * one * np.sqrt(A)
        own = net.normalized & ~plain & positive(ntk)
        scale = where(own, np.sqrt(ntk), one)
        return _Plan(
            lengths,
            radii,
            [_turns(length, r, b) for length, r in zip(lengths, radii, strict=True)],
            states,
            None if sparse.issparse(rows.X) else rows.X,
            rows.root,
            rows.exponent,
            factor,
            Lengths(scale.mantissa.astype(np.longdouble), scale.exponent),
            scale,
            np.where(own, 1.0, narrow(ntk)),
            plain,
        )

    def tile(self, net: Architecture, x: _Plan, z: _Plan, tau: np.ndarray, apart: Any = None) -> np.ndarray:
        """Return K / (scale_x scale_z) of a tile."""
        w2, b2 = _square(net.weight_std, x, z), _square(net.bias_std, x, z)
        pairs = self._first(net, x, z, tau)
        ntk = pairs.covariance * float(net.include[0])
        for layer in range(net.depth):
            A, D = self.pair(pairs)
            following = self._following(net, x, z, layer, pairs, A) if layer + 1 < net.depth else None
            trained, chain = net.include[layer + 1], any(net.include[: layer + 1])
            if isinstance(A, Wide):
                A = w2 * A + b2
                ntk = w2 * ntk * D + float(trained) * A
            else:
                _advance(ntk, A, D, w2, b2, trained, chain)
            if following is not None:
                pairs = following._replace(covariance=A)
        if isinstance(ntk, Wide):
            ntk = narrow(ntk / (x.wide_scale[:, None] * z.wide_scale[None, :]))
        return ntk

    def gradient(
        self, net: Architecture, x: _Plan, z: _Plan, tau: np.ndarray, apart: Any = None
    ) -> np.ndarray:
        """Return d (K / (scale_x scale_z)) / d log (weight_std, bias_std), shape (2, n, m)."""
        first = self._first(net, x, z, tau)
        linear = _cosine(tau) * x.lengths[0][:, None] * z.lengths[0][None, :]
        side_x, side_z = _Side.of(x, (slice(None), None)), _Side.of(z, (None, slice(None)))
        side_x.grow(self._growth(net, x), (slice(None), slice(None), None))
        side_z.grow(self._growth(net, z), (slice(None), None, slice(None)))

        def on_the_way(layer: int, before: Pairs, A: Any) -> Pairs:
            return self._following(net, x, z, layer, before, A)

        ntk, slopes = self._slopes(net, first, linear, side_x, side_z, on_the_way)
        if isinstance(slopes, Wide):
            scale = x.wide_scale[:, None] * z.wide_scale[None, :]
            logs = self._log_scales(net, x)[:, :, None] + self._log_scales(net, z)[:, None, :]
            slopes = (slopes - ntk * logs) / scale
        return narrow(slopes)

    def _log_scales(self, net: Architecture, x: _Plan) -> Any:
        """Derivatives of the logarithms of the scales, shape (2, n)."""
        own = narrow(x.wide_scale) != 1
        if not own.any():
            return np.zeros((2, len(own)))
        return where(own, self._diagonal_slopes(net, x) / (2 * x.wide_scale**2), 0.0)

    def diagonal_gradient(self, net: Architecture, x: _Plan) -> np.ndarray:
        """Return d (K_xx / scale_x^2) / d log (weight_std, bias_std), shape (2, n)."""
        slopes = self._diagonal_slopes(net, x)
        return np.where(narrow(x.wide_scale) != 1, 0.0, narrow(slopes))

    def _diagonal_slopes(self, net: Architecture, x: _Plan) -> Any:
        side = _Side.of(x, slice(None))
        side.grow(self._growth(net, x), slice(None))

        def itself(layer: int, before: Pairs, A: Any) -> Pairs:
            return Pairs.of_rows(x.radii[layer + 1], x.states[layer + 1])

        first = Pairs.of_rows(x.radii[0], x.states[0])
        return self._slopes(net, first, x.lengths[0] ** 2, side, side, itself)[1]

    def _growth(self, net: Architecture, x: _Plan) -> list[Any]:
        """d log of the rows' lengths at every layer, before the biases, shape (2, n)."""
        in_w, in_b = _directions(1)
        out = [in_w + np.zeros((2, len(x.plain)))]
        for layer in range(net.depth - 1):
            share = _share(x.lengths[layer], x.radii[layer])
            log = share * out[-1] + (1 - share) * in_b
            p = Pairs.of_rows(x.radii[layer], x.states[layer])
            A, D = self.pair(p)
            dA, _ = self.moved(p, A, D, Motion(log, log, 0.0, 0.0))
            out.append(in_w + over(dA, 2 * A))
        return out

    def _slopes(
        self, net: Architecture, p: Pairs, linear: Any, x: _Side, z: _Side, following: Any
    ) -> tuple[Any, Any]:
        """K of pairs and its derivative, carried through the layers."""
        w, b = net.weight_std, net.bias_std
        w2, b2 = (Wide(w) ** 2, Wide(b) ** 2) if isinstance(linear, Wide) else (w * w, b * b)
        in_w, in_b = _directions(p.tau.ndim)
        dS = 2 * in_w * linear + 2 * b2 * in_b
        ntk, d_ntk = net.include[0] * p.covariance, net.include[0] * dS
        d_cosine: Any = 0.0
        for layer in range(net.depth):
            by = _motion(p, x, z, layer, d_cosine, b, in_b)
            A, D = self.pair(p)
            dA, dD = self.moved(p, A, D, by)
            covariance, dS = w2 * A + b2, w2 * (2 * in_w * A + dA) + 2 * b2 * in_b
            if any(net.include[: layer + 1]):  # else nothing is passed on
                d_ntk = w2 * (2 * in_w * ntk * D + d_ntk * D + ntk * dD)
                ntk = w2 * ntk * D
            ntk = ntk + net.include[layer + 1] * covariance
            d_ntk = d_ntk + net.include[layer + 1] * dS
            if layer + 1 < net.depth:
                size = x.lengths[layer + 1] * z.lengths[layer + 1]
                logs = x.growth[layer + 1] + z.growth[layer + 1] - 2 * in_w
                d_cosine = over(w2 * dA, size) - over(w2 * A, size) * logs
                p = following(layer, p, A)._replace(covariance=covariance)
        return ntk, d_ntk

    def _first(self, net: Architecture, x: _Plan, z: _Plan, tau: np.ndarray) -> Pairs:
        """Pre-activations of the first layer: the inputs' gaps, turned by the bias."""
        wide = _is_wide(x, z)
        gaps: Any = tau.astype(np.float64)
        half_squares: Any = None
        close: Any = False
        if (wide or self.by_distance) and x.X is not None and z.X is not None:
            distances, sines = close_distances(x.X, x.root, x.exponent, z.X, z.root, z.exponent, gaps)
            close = ~np.isnan(distances)
            distances[~close] = sines[~close] = 0.0
            half_squares = (x.factor * (Wide(distances) if wide else distances)) ** 2 / 2
            if wide:
                exact = Wide(sines) ** 2 / (1 + np.sqrt(1 - sines**2))
                gaps = where(close, np.copysign(exact, gaps), gaps)
            if net.bias_std:  # it cancels in a difference; a sum it makes no longer close
                close = close & (np.copysign(1.0, tau) > 0)
        pairs = self._pairs(net, x, z, 0, gaps)
        rx, rz = pairs.rx, pairs.rz
        covariance = _cosine(pairs.tau) * rx * rz
        return pairs._replace(covariance=covariance, half_squares=half_squares, close=close)

    def _following(self, net: Architecture, x: _Plan, z: _Plan, layer: int, p: Pairs, A: Any) -> Pairs:
        """Pre-activations of the next layer, without their covariance."""
        w = net.weight_std
        size_x, size_z = x.lengths[layer + 1] / w, z.lengths[layer + 1] / w
        if isinstance(A, Wide):
            cosine = narrow(over(A, size_x[:, None] * size_z[None, :]))
        else:
            cosine = np.empty_like(A)
            _cosines(A, size_x, size_z, cosine)
        return self._pairs(net, x, z, layer + 1, self.gap(p, A, cosine))

    @staticmethod
    def _pairs(net: Architecture, x: _Plan, z: _Plan, layer: int, tau: Any) -> Pairs:
        """Pairs with the gaps of what comes from below, which the layer's bias turns."""
        rx, rz = x.radii[layer][:, None], z.radii[layer][None, :]
        if net.bias_std and _is_wide(x, z):
            lx, lz = x.lengths[layer][:, None], z.lengths[layer][None, :]
            tau = _turned(tau, lx, lz, rx, rz, net.bias_std)
        elif net.bias_std:
            bias_tile(tau, x.turns[layer], z.turns[layer])
        hidden = layer < net.depth
        state_x, state_z = (x.states[layer], z.states[layer]) if hidden else (None, None)
        return Pairs(rx, rz, tau, None, state_x, state_z)


class _Side(NamedTuple):
    """What a gradient asks of the rows of one side, layer by layer, in the shape of pairs."""

    lengths: list[Any]
    radii: list[Any]
    growth: list[Any]

    @classmethod
    def of(cls, x: _Plan, at: Any) -> _Side:
        return cls([a[at] for a in x.lengths], [a[at] for a in x.radii], [])

    def grow(self, growth: list[Any], at: Any) -> None:
        self.growth.extend(g[at] for g in growth)


def _share(length: Any, radius: Any) -> Any:
    """cos^2 of the turn that a bias gives, 1 where there is nothing to turn."""
    return where(positive(radius), over(length, radius) ** 2, 1.0)


def _motion(p: Pairs, x: _Side, z: _Side, layer: int, d_cosine: Any, bias: float, in_b: np.ndarray) -> Motion:
    """How pre-activations move, given how what comes from below does.

    With c = length / r, s = bias / r and m = d log length - d log bias,

        rho' = c_x c_z rho + s_x s_z
        d rho' = c_x c_z d rho + m_x s_x (s_x rho' - s_z) + m_z s_z (s_z rho' - s_x)
    """
    lx, lz, rx, rz = x.lengths[layer], z.lengths[layer], p.rx, p.rz
    growth_x, growth_z = x.growth[layer], z.growth[layer]
    if not bias:
        return Motion(growth_x, growth_z, growth_x - growth_z, d_cosine)
    cx2, cz2, sx, sz = (lx / rx) ** 2, (lz / rz) ** 2, bias / rx, bias / rz
    difference = (lz - lx) * (lz + lx) / (rx + rz) / rx * (bias / rz)  # s_x - s_z
    mx, mz, gap = growth_x - in_b, growth_z - in_b, np.abs(p.tau)
    near = difference * (mx * sx - mz * sz) - (mx * sx * sx + mz * sz * sz) * gap
    far = -(sx + sz) * (mx * sx + mz * sz) + (mx * sx * sx + mz * sz * sz) * gap
    apart = (growth_x - growth_z) * cx2 - difference * (sx + sz) * mz
    rho = lx / rx * (lz / rz) * d_cosine + where(p.positive, near, far)
    return Motion(mx * cx2 + in_b, mz * cz2 + in_b, apart, rho)


def signed_gaps_of(cosine: np.ndarray) -> np.ndarray:
    """Signed gaps by subtraction, which will do where what follows is smooth in the cosine."""
    return np.copysign(np.maximum(1 - np.abs(cosine), 0.0), cosine)


def _inside(x: Wide, bound: float) -> np.ndarray:
    size = narrow(x)
    return (x.mantissa == 0) | ((size <= bound) & (size >= 1 / bound))


def _is_wide(x: _Plan, z: _Plan) -> bool:
    return isinstance(x.lengths[0], Wide) or isinstance(z.lengths[0], Wide)


def _square(value: float, x: _Plan, z: _Plan) -> Any:
    return Wide(value) ** 2 if _is_wide(x, z) else value * value


def _directions(ndim: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of log weight_std and log bias_std, before ``ndim`` axes of rows."""
    in_w, in_b = (unit.reshape(2, *(1,) * ndim) for unit in np.eye(2))
    return in_w, in_b


def _cosine(tau: Any) -> Any:
    return np.copysign(1 - np.abs(tau), tau)


def _turns(length: Wide, radius: Wide, bias: float) -> np.ndarray:
    """cos a, sin a, tan(a/2) and tan((pi/2 - a)/2) of a = atan2(bias, length)."""
    cos, sin = np.where(positive(radius), narrow(over(length, radius)), 1.0), narrow(over(Wide(bias), radius))
    return np.stack([cos, sin, sin / (1 + cos), cos / (1 + sin)])


def _turned(tau: Any, lx: Wide, lz: Wide, rx: Wide, rz: Wide, bias: float) -> Wide:
    """Gaps after a bias, sums of positive terms as in ``_angular.py``."""
    near, t = positive(np.copysign(1.0, tau)), np.abs(tau)
    cx, cz, sx, sz = lx / rx, lz / rz, bias / rx, bias / rz
    cosines, sines = cx * cz, sx * sz
    apart = (lz - lx) / rx * (bias / rz)
    to_one = apart**2 / (1 + cosines + sines) + cosines * where(near, t, 2 - t)
    to_minus_one = sines + (sx**2 + (cx * sz) ** 2) / (1 + cosines) + cosines * t
    return where(near | (narrow(to_minus_one) >= 1), to_one, -to_minus_one)


@compiled
def _cosines(A, size_x, size_z, out):
    n, m = A.shape
    for i in range(n):
        for j in range(m):
            product = size_x[i] * size_z[j]
            out[i, j] = A[i, j] / product if product > 0.0 else 0.0


@compiled
def _advance(ntk, A, D, w2, b2, include, chain):
    """Take the NTK to the next layer, and turn A into that layer's covariance, in place.

    Without a trained layer below, nothing is passed on.
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
