"""Dual of exp: A = D = exp((q_x + q_z)/2 + S), from the characteristic function of a normal law.

Lengths of rows stand in exponents.  A normalised kernel divides them out,

    A / sqrt(A_xx A_zz) = exp(-E[(u - v)^2] / 2)

and so does its gradient here, before anything is added up: with k the kernel over its diagonal, rho the
correlation of the next layer's pre-activations and a, m = 1 - a the shares that a row's variance and its
tangent kernel from below have in K_xx,

    k' = sqrt(a_x a_z) rho + sqrt(m_x m_z) k A / sqrt(A_xx A_zz)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .._wide import Wide, narrow, over, where
from ..contract import Architecture
from ._pairs import Heading, cosine_of, motion, share
from ._smooth import SmoothDual
from ._smooth_plan import SmoothPlan
from .closed_forms import half_squares_moved

__all__ = ["ExpDual"]


@dataclass(frozen=True)
class ExpDual(SmoothDual):
    """A = D = exp((q_x + q_z)/2 + S)."""

    by_distance: ClassVar[bool] = True

    def pair(self, p):
        A = np.exp(p.half_square_sum)
        if isinstance(A, Wide):
            # a normalised kernel divides by the same exp(q), however far beyond the floats it is
            rows = np.exp(p.rx * p.rx) * np.exp(p.rz * p.rz)
            A = where(narrow(p.half_square_sum) < 1e4, A, rows * np.exp(-p.half_square_difference))
        return A, A * 1.0  # the recursion writes to A

    def gap(self, p, A, cosine):
        return -np.expm1(-narrow(p.half_square_difference))

    def moved(self, p, A, D, by):
        dA = A * half_squares_moved(p, by)[1]
        return dA, dA

    def cosine_moved(self, p, A, dA, by, sizes, logs):
        return -np.exp(-p.half_square_difference) * half_squares_moved(p, by)[0]

    def gradient(self, net, x, z, tau, apart=None):
        p = self._first(net, x, z, tau.copy(), apart)
        if not net.normalized or not isinstance(p.covariance, Wide):
            return super().gradient(net, x, z, tau, apart)
        heading = Heading.of_parameters()
        in_b = heading.in_b[:, None, None]
        side_x = self._side(x, (slice(None), None), self._growth(net, x, heading, heading.x))
        side_z = self._side(z, (None, slice(None)), self._growth(net, z, heading, heading.z))
        by = motion(p, side_x, side_z, 0, 0.0, net.bias_std, in_b)
        k, dk = net.include[0] * cosine_of(p.tau), net.include[0] * by.rho
        for layer, own in enumerate(zip(self._shares(net, x), self._shares(net, z), strict=True)):
            (ax, mx, by_x), (az, mz, by_z) = (
                tuple(part[(..., *at)] for part in parts)
                for parts, at in zip(own, ((slice(None), None), (None, slice(None))), strict=True)
            )
            cosine = np.exp(-p.half_square_difference)
            d_cosine = where(p.equal, 0.0, self.cosine_moved(p, None, None, by, None, None))
            p = self._following(net, x, z, layer, p, self.pair(p)[0])
            by = motion(p, side_x, side_z, layer + 1, d_cosine, net.bias_std, in_b)
            rho, above, below = cosine_of(p.tau), np.sqrt(ax * az), np.sqrt(mx * mz)
            passed = dk * cosine + k * d_cosine + k * cosine * ((ax * by_x + az * by_z) / 2)
            dk = above * (by.rho - rho * ((mx * by_x + mz * by_z) / 2)) + below * passed
            k = above * rho + below * k * cosine
        # rows of plain floats are not normalised yet
        own_x, own_z = (np.where(side.relative_diagonal > 0, side.relative_diagonal, 1.0) for side in (x, z))
        logs = (self.diagonal_gradient(net, x) / (2 * own_x))[:, :, None]
        logs = logs + (self.diagonal_gradient(net, z) / (2 * own_z))[:, None, :]
        slopes = np.where(narrow(k) == 0, 0.0, narrow(dk + k * logs))  # exponents far out are not told apart
        return slopes * np.sqrt(np.outer(x.relative_diagonal, z.relative_diagonal))

    def _shares(self, net: Architecture, x: SmoothPlan) -> list[tuple[Any, Any, Any]]:
        """For each layer a and m of rows, and the derivatives of the logarithm of m / a."""
        heading, one = Heading.of_parameters(), Wide(np.ones(len(x.plain)))
        in_b, growth = heading.in_b[:, None], self._growth(net, x, heading, heading.x)
        tilts = [over(net.bias_std * one, radius) ** 2 for radius in x.radii]
        kept = [share(length, radius) for length, radius in zip(x.lengths, x.radii, strict=True)]
        tangent, by_tangent, out = one * float(net.include[0]), 0.0, []
        for layer in range(net.depth):
            passed = tangent * x.radii[layer] ** 2 * kept[layer + 1]
            moved = by_tangent + 2 * (kept[layer] * growth[layer] + tilts[layer] * in_b)
            moved = moved + 2 * tilts[layer + 1] * (growth[layer + 1] - in_b)
            trained = float(net.include[layer + 1]) * one
            tangent = trained + passed
            out.append((over(trained, tangent), over(passed, tangent), moved))
            by_tangent = out[-1][1] * moved
        return out
