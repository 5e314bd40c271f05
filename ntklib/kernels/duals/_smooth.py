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
from typing import Any, ClassVar

import numpy as np

from ntklib._core.jit import compiled

from .._wide import Wide, narrow, over, positive, turns, where
from ..contract import Architecture
from ..gram.gaps import close_distances
from ..gram.rows import Rows
from ._angular import bias_tile
from ._pairs import (
    Heading,
    Motion,
    Pairs,
    Partials,
    Side,
    clear_equal,
    cosine_of,
    cosines,
    covariances,
    motion,
    share,
    signed_gaps_of,
    turned,
)
from ._smooth_plan import SmoothPlan, inside

__all__ = ["SmoothDual"]

# Within these the tenth powers of standard deviations, the highest in any formula, stay floats.
_RADIUS = 2.0**80
_VALUE = 2.0**600
_WEIGHT = 2.0**40
_MAGNIFIED = 2.0**8  # errors of a gap, which are roundings, are let grow that much
_LOST = 2.0**-46  # of two numbers that cancel, the share that may be but rounding


class SmoothDual:
    """Base of the duals below; ``r`` is a standard deviation, q = r^2 the variance.

    Formulas take floats and wide numbers alike.  ``by_distance`` says that the dual needs E[(u - v)^2] to
    full accuracy even between long rows; ``carries_lengths`` that it makes rows of almost one length of short
    ones, as even functions do, so that later layers need r_x - r_z below the rounding of either.
    """

    by_distance: ClassVar[bool] = False
    carries_lengths: ClassVar[bool] = False

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
        """Numbers of each row that pairs need besides its standard deviation, as an array, or None."""
        return None

    def magnifies(self, net: Architecture) -> bool:
        """Between long rows an angle counts by their lengths."""
        return True

    def gap(self, p: Pairs, A: Any, cosine: np.ndarray) -> np.ndarray:
        """Signed gaps of sigma(u) and sigma(v) from their cosine A / sqrt(A_xx A_zz)."""
        return signed_gaps_of(cosine)

    def sizes_apart(self, p: Pairs) -> Any:
        """sqrt(A_xx) - sqrt(A_zz), of a dual that carries lengths."""
        raise NotImplementedError  # pragma: no cover

    def growths_apart(self, p: Pairs, by: Motion) -> Any:
        """The difference of the derivatives of their logarithms."""
        raise NotImplementedError  # pragma: no cover

    def cosine_moved(self, p: Pairs, A: Any, dA: Any, by: Motion, sizes: tuple, logs: tuple) -> Any:
        """Derivatives of the cosine A / (sizes_x sizes_z), from those of the sizes' logarithms."""
        size = sizes[0] * sizes[1]
        return over(dA, size) - over(A, size) * (logs[0] + logs[1])

    def needs_float64(self, net: Architecture) -> bool:
        """An angle's error counts by the rows' lengths."""
        return True

    def plan(self, net: Architecture, rows: Rows) -> SmoothPlan:
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
            plain &= inside(r, _RADIUS) & inside(ntk, _VALUE)
            lengths.append(length)
            radii.append(r)
            if layer < net.depth:
                states.append(self.state(r))
                A, D = self.pair(Pairs.of_rows(r, states[-1]))
                length = w * one * np.sqrt(A)
        own = ~plain & positive(ntk)
        scale = where(own, np.sqrt(ntk), one)
        return SmoothPlan(
            lengths,
            radii,
            [turns(length, r, b) for length, r in zip(lengths, radii, strict=True)],
            states,
            rows.X,
            rows.root,
            rows.exponent,
            factor,
            scale,
            np.where(own, 1.0, narrow(ntk)),
            plain,
        )

    def tile(
        self, net: Architecture, x: SmoothPlan, z: SmoothPlan, tau: np.ndarray, apart: Any = None
    ) -> np.ndarray:
        """Return K / (scale_x scale_z) of a tile."""
        w2, b2 = _square(net.weight_std, x, z), _square(net.bias_std, x, z)
        pairs = self._first(net, x, z, tau, apart)
        ntk = pairs.covariance if net.include[0] else 0.0 * pairs.covariance  # advanced in place
        for layer in range(net.depth):
            A, D = self.pair(pairs)
            following = self._following(net, x, z, layer, pairs, A) if layer + 1 < net.depth else None
            trained, chain = net.include[layer + 1], any(net.include[: layer + 1])
            if isinstance(w2, Wide):  # whatever the dual returned
                A = w2 * A + b2
                ntk = w2 * ntk * D + float(trained) * A
            else:
                _advance(ntk, A, D, w2, b2, trained, chain)
            if following is not None:
                pairs = following._replace(covariance=A)
        if isinstance(ntk, Wide):
            ntk = narrow(ntk / (x.scale[:, None] * z.scale[None, :]))
        return ntk

    def gradient(
        self, net: Architecture, x: SmoothPlan, z: SmoothPlan, tau: np.ndarray, apart: Any = None
    ) -> np.ndarray:
        """Return d (K / (scale_x scale_z)) / d log (weight_std, bias_std), shape (2, n, m)."""
        return self._moved(net, x, z, tau, apart, Heading.of_parameters())

    def input_gradient(
        self, net: Architecture, x: SmoothPlan, z: SmoothPlan, tau: np.ndarray, apart: Any = None
    ) -> np.ndarray:
        """Return d K / d (log length of x, angle) over scale_x scale_z, shape (2, n, m)."""
        return self._moved(net, x, z, tau, apart, Heading.of_inputs())

    def _moved(
        self, net: Architecture, x: SmoothPlan, z: SmoothPlan, tau: np.ndarray, apart: Any, heading: Heading
    ) -> np.ndarray:
        gaps = tau.astype(np.float64)
        first = self._first(net, x, z, tau, apart)
        linear = cosine_of(tau) * x.lengths[0][:, None] * z.lengths[0][None, :]
        growth_x = self._growth(net, x, heading, heading.x)
        mirrored = z is x and heading.z is heading.x
        growth_z = growth_x if mirrored else self._growth(net, z, heading, heading.z)
        side_x = self._side(x, (slice(None), None), growth_x)
        side_z = self._side(z, (None, slice(None)), growth_z)
        d_cosine = heading.angle[:, None, None] * -np.sqrt(np.abs(gaps) * (2 - np.abs(gaps)))

        def on_the_way(layer: int, before: Pairs, A: Any) -> Pairs:
            return self._following(net, x, z, layer, before, A)

        ntk, slopes = self._slopes(net, first, linear, side_x, side_z, on_the_way, heading, d_cosine)
        if isinstance(slopes, Wide):
            scale = x.scale[:, None] * z.scale[None, :]
            if net.normalized:
                logs_x = self._log_scales(net, x, heading, growth_x)
                logs_z = logs_x if mirrored else self._log_scales(net, z, heading, growth_z)
                lost = ntk * (logs_x[:, :, None] + logs_z[:, None, :])
                left = slopes - lost
                slopes = where(positive(np.abs(left) - _LOST * np.abs(lost)), left, 0.0)
            slopes = slopes / scale
        return narrow(slopes)

    def _log_scales(self, net: Architecture, x: SmoothPlan, heading: Heading, growth: list[Any]) -> Any:
        """Derivatives of the logarithms of the scales, shape (2, n)."""
        own = narrow(x.scale) != 1
        if not own.any():
            return np.zeros((2, len(own)))
        return where(own, self._diagonal_slopes(net, x, heading, growth) / (2 * x.scale**2), 0.0)

    def diagonal_gradient(self, net: Architecture, x: SmoothPlan) -> np.ndarray:
        """Return d (K_xx / scale_x^2) / d log (weight_std, bias_std), shape (2, n)."""
        heading = Heading.of_parameters()
        slopes = self._diagonal_slopes(net, x, heading, self._growth(net, x, heading, heading.x))
        return np.where(narrow(x.scale) != 1, 0.0, narrow(slopes))

    def diagonal_input_gradient(self, net: Architecture, x: SmoothPlan) -> np.ndarray:
        """Return d (K_xx / scale_x^2) / d log length, shape (n,)."""
        heading = Heading.of_inputs()
        slopes = self._diagonal_slopes(net, x, heading, self._growth(net, x, heading, heading.x))
        return np.where(narrow(x.scale) != 1, 0.0, narrow(slopes))[0]

    def _diagonal_slopes(self, net: Architecture, x: SmoothPlan, heading: Heading, growth: list[Any]) -> Any:
        side = self._side(x, (slice(None),), growth)

        def itself(layer: int, before: Pairs, A: Any) -> Pairs:
            return Pairs.of_rows(x.radii[layer + 1], x.states[layer + 1])

        first = Pairs.of_rows(x.radii[0], x.states[0])
        return self._slopes(net, first, x.lengths[0] ** 2, side, side, itself, heading, 0.0)[1]

    @staticmethod
    def _side(x: SmoothPlan, at: tuple, growth: list[Any]) -> Side:
        """The rows of one side in the shape of pairs."""
        return Side([a[at] for a in x.lengths], [g[(slice(None), *at)] for g in growth])

    def _growth(self, net: Architecture, x: SmoothPlan, heading: Heading, start: np.ndarray) -> list[Any]:
        """d log of the rows' lengths at every layer, before the biases, shape (2, n)."""
        in_w, in_b = heading.in_w[:, None], heading.in_b[:, None]
        out = [start[:, None] + np.zeros((2, len(x.plain)))]
        for layer in range(net.depth):
            kept = share(x.lengths[layer], x.radii[layer])
            log = kept * out[-1] + (1 - kept) * in_b
            p = Pairs.of_rows(x.radii[layer], x.states[layer])
            A, D = self.pair(p)
            dA, _ = self.moved(p, A, D, Motion(log, log, 0.0, 0.0))
            out.append(in_w + over(dA, 2 * A))
        return out

    def _slopes(
        self,
        net: Architecture,
        p: Pairs,
        linear: Any,
        x: Side,
        z: Side,
        following: Any,
        heading: Heading,
        d_cosine: Any,
    ) -> tuple[Any, Any]:
        """K of pairs and its derivative, carried through the layers."""
        w, b = net.weight_std, net.bias_std
        w2, b2 = (Wide(w) ** 2, Wide(b) ** 2) if isinstance(linear, Wide) else (w * w, b * b)
        in_w, in_b = (part.reshape(2, *(1,) * p.tau.ndim) for part in (heading.in_w, heading.in_b))
        logs = x.growth[0] + z.growth[0]
        dS = logs * linear + x.lengths[0] * z.lengths[0] * d_cosine + 2 * b2 * in_b
        ntk, d_ntk = net.include[0] * p.covariance, net.include[0] * dS
        apart = None
        for layer in range(net.depth):
            by = motion(p, x, z, layer, d_cosine, b, in_b, apart)
            A, D = self.pair(p)
            dA, dD = self.moved(p, A, D, by)
            covariance, dS = w2 * A + b2, w2 * (2 * in_w * A + dA) + 2 * b2 * in_b
            if any(net.include[: layer + 1]):  # else nothing is passed on
                d_ntk = w2 * (2 * in_w * ntk * D + d_ntk * D + ntk * dD)
                ntk = w2 * ntk * D
            ntk = ntk + net.include[layer + 1] * covariance
            d_ntk = d_ntk + net.include[layer + 1] * dS
            if layer + 1 < net.depth:
                sizes = x.lengths[layer + 1] / w, z.lengths[layer + 1] / w
                logs = x.growth[layer + 1] - in_w, z.growth[layer + 1] - in_w
                d_cosine = where(p.equal, 0.0, self.cosine_moved(p, A, dA, by, sizes, logs))
                apart = self.growths_apart(p, by) if self.carries_lengths else None
                p = following(layer, p, A)._replace(covariance=covariance)
        return ntk, d_ntk

    def _first(
        self, net: Architecture, x: SmoothPlan, z: SmoothPlan, tau: np.ndarray, apart: np.ndarray | None
    ) -> Pairs:
        """Pre-activations of the first layer: the inputs' gaps, turned by the bias."""
        wide = _is_wide(x, z)
        gaps: Any = tau.astype(np.float64)
        half_squares: Any = None
        close: Any = False
        if wide or self.by_distance:
            distances, sines = close_distances(x, z, gaps)
            close = ~np.isnan(distances)
            distances[~close] = sines[~close] = 0.0
            half_squares = (x.factor * (Wide(distances) if wide else distances)) ** 2 / 2
            if wide:
                exact = Wide(sines) ** 2 / (1 + np.sqrt(1 - sines**2))
                gaps = where(close, np.copysign(exact, gaps), gaps)
            opposite = np.copysign(1.0, tau) < 0
            if net.bias_std:  # it cancels in a difference, and is there twice in a sum
                bias: Any = Wide(net.bias_std) if wide else net.bias_std
                half_squares = half_squares + where(opposite, 2 * bias**2, 0.0)
        lengths_apart = None
        if self.carries_lengths:
            lx, lz = x.lengths[0][:, None], z.lengths[0][None, :]
            known = np.full(tau.shape, np.nan) if apart is None else apart
            lengths_apart = where(np.isnan(known), lx - lz, np.nan_to_num(known) * (lx + lz))
        pairs = self._pairs(net, x, z, 0, gaps, lengths_apart)
        if half_squares is not None:  # of a sum, where the bias has not made it the larger one
            close = close & ~(opposite & pairs.positive)
        rx, rz = pairs.rx, pairs.rz
        if wide:
            covariance = cosine_of(pairs.tau) * rx * rz
        else:
            covariance = covariances(pairs.tau, rx[:, 0], rz[0])
        return pairs._replace(covariance=covariance, half_squares=half_squares, close=close)

    def _following(
        self, net: Architecture, x: SmoothPlan, z: SmoothPlan, layer: int, p: Pairs, A: Any
    ) -> Pairs:
        """Pre-activations of the next layer, without their covariance."""
        w = net.weight_std
        size_x, size_z = x.lengths[layer + 1] / w, z.lengths[layer + 1] / w
        apart = self.sizes_apart(p) * w if self.carries_lengths else None
        if _is_wide(x, z):
            cosine = narrow(over(A, size_x[:, None] * size_z[None, :]))
            return self._pairs(net, x, z, layer + 1, np.where(p.equal, 0.0, self.gap(p, A, cosine)), apart)
        gap = self.gap(p, A, cosines(A, size_x, size_z))
        if apart is None:
            clear_equal(gap, p.tau, p.rx[:, 0], p.rz[0])
        return self._pairs(net, x, z, layer + 1, gap, apart)

    @staticmethod
    def _pairs(net: Architecture, x: SmoothPlan, z: SmoothPlan, layer: int, tau: Any, apart: Any) -> Pairs:
        """Pairs with the gaps and differences of lengths of what comes from below, turned by a bias."""
        rx, rz = x.radii[layer][:, None], z.radii[layer][None, :]
        if net.bias_std and (apart is not None or _is_wide(x, z)):
            lx, lz = x.lengths[layer][:, None], z.lengths[layer][None, :]
            tau = turned(tau, lx, lz, rx, rz, net.bias_std, apart)
            apart = None if apart is None else apart * ((lx + lz) / (rx + rz))
        elif net.bias_std:
            bias_tile(tau, x.turns[layer], z.turns[layer])
        hidden = layer < net.depth
        state_x, state_z = (x.states[layer], z.states[layer]) if hidden else (None, None)
        magnified = _growth_of_errors(x, z, range(layer + 1, net.depth)) > _MAGNIFIED
        return Pairs(rx, rz, tau, None, state_x, state_z, magnified=magnified, radii_apart=apart)


def _is_wide(x: SmoothPlan, z: SmoothPlan) -> bool:
    return isinstance(x.lengths[0], Wide) or isinstance(z.lengths[0], Wide)


def _growth_of_errors(x: SmoothPlan, z: SmoothPlan, layers: range) -> float:
    """A bound on how many times larger these layers make an error of a gap: by lengths of rows, squared."""
    radii = [narrow(side.radii[layer]).max() for layer in layers for side in (x, z)]
    return float(np.prod(np.clip(radii, 1.0, _MAGNIFIED + 1)))


def _square(value: float, x: SmoothPlan, z: SmoothPlan) -> Any:
    return Wide(value) ** 2 if _is_wide(x, z) else value * value


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
