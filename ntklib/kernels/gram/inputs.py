"""Derivatives of kernel expansions in the inputs, by rows' lengths and the angles between them.

With unit rows u_x = x / |x| and u_z, and K a function of |x|, |z| and rho = cos(theta),

    dK/dx = (dK/d log|x| u_x + dK/d rho (u_z - rho u_x)) / |x|

Over an expansion the two parts are row sums and one product with the rows u_z. Of nearly parallel rows
u_z - rho u_x is the small difference of large numbers, and dK/d rho may be large: it is computed pair by
pair from the rows themselves, less what rounding leaves of it along u_x.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ntklib._core.blocks import row_blocks
from ntklib._core.jit import compiled, inlined
from ntklib._core.threads import parallel_for

from ..contract import Architecture
from .gaps import products, signed_gaps
from .pairs import row_diagonal, row_scales
from .rows import Rows, prepare, prepare_pair, stacked

__all__ = ["expansion_gradient"]

_TILE = 256
_SERIAL_BELOW = 512
_BLOCK_BYTES = 2**25  # of the gradients that a thread works on
_NEAR = 1e-4  # gaps below, differences of unit rows are formed exactly
_TINY = -300  # exponent of the length at which a zero row is looked at
_FAR = 2**24
_LARGEST = 2.0**1000  # slope over a kernel's scale; larger ones are those of networks of exp
_RANGE = 2**12  # of exponents, beyond which powers of two are infinite or 0, whatever they multiply
_PLAIN = 400  # exponents of factors up to it are multiplied with as they are
_ROOM = 900  # exponents that sums of terms stay below the largest float by


def expansion_gradient(net: Architecture, X: Any, Y: Any, weights: NDArray) -> NDArray:
    """Return the gradients of sum_j weights[p, i, j] K(x_i, y_j) in x_i, shape (k, n, d).

    Parameters
    ----------
    net : Architecture
    X, Y : ndarray or CSR matrix of shapes (n, d) and (m, d), checked
    weights : ndarray of shape (k, n, m) or (k, 1, m)

    Returns
    -------
    ndarray of shape (k, n, d), float64
    """
    X, Y = (part.astype(np.float64) for part in (X, Y))
    x, z = prepare_pair(X, Y, np.dtype(np.float64))
    zero, no_direction = x.root == 0, z.root == 0
    x = replace(x, root=np.where(zero, 0.5, x.root), exponent=np.where(zero, _TINY, x.exponent))
    dual = net.activation.dual
    plan = dual.plan(net, stacked(x, z))
    plan_x, plan_z = plan.take(slice(0, x.n)), plan.take(slice(x.n, x.n + z.n))
    of_x, of_z = row_scales(net, plan_x), row_scales(net, plan_z)
    factor_x, power_x = of_x.mantissa.astype(np.float64) / x.root, of_x.exponent - x.exponent
    factor_z, power_z = of_z.mantissa.astype(np.float64), of_z.exponent
    factor_x[_jumps(net, X, plan_x, zero)] = 0.0
    log_diagonal = np.zeros(x.n)
    if net.normalized:
        relative = plan_x.relative_diagonal.astype(np.float64)
        slope = dual.diagonal_input_gradient(net, plan_x)
        log_diagonal = np.divide(slope, 2 * relative, out=log_diagonal, where=relative > 0)
    k, d = weights.shape[0], X.shape[1]
    out = np.zeros((k, x.n, d))
    add_close = _close_adder(x, z)
    plain = max(np.abs(power).max(initial=0) for power in (power_x, power_z)) < _PLAIN
    if plain:
        factor_x, factor_z = _scaled(factor_x, power_x), _scaled(factor_z, power_z)
        power_x, power_z = np.zeros_like(power_x), np.zeros_like(power_z)
    some_zero = bool(zero.any() or no_direction.any())

    def slopes(rows: slice) -> Iterator[tuple[slice, NDArray, NDArray, NDArray]]:
        """Blocks of columns with signed gaps, and parts along u_x and u_z, over powers of two."""
        block = plan_x.take(rows)
        for columns in row_blocks(z.n, _TILE):
            tau = np.empty((rows.stop - rows.start, columns.stop - columns.start))
            products(x, z, rows, columns, tau)
            apart: Any = signed_gaps(x, z, rows, columns, tau, fine=True)
            if some_zero:
                aside = zero[rows, None] | no_direction[columns]
                tau[aside], apart[aside] = 1.0, np.nan
            gaps, other = tau.copy(), plan_z.take(columns)
            radial, by_angle = dual.input_gradient(net, block, other, tau, apart)
            if net.normalized:
                radial -= dual.tile(net, block, other, gaps.copy(), apart) * log_diagonal[rows, None]
                equal = (gaps == 0) & (np.copysign(1.0, gaps) > 0) & (apart == 0)
                radial[equal] = 0.0  # of the largest value
                # slopes beyond the floats are those of rows whose values, between the nearest two, are 0
                radial, by_angle = (np.where(np.isfinite(part), part, 0.0) for part in (radial, by_angle))
            _split(gaps, radial, by_angle, factor_x[rows], factor_z[columns], no_direction[columns])
            yield columns, gaps, radial, by_angle

    def power_of(rows: slice, columns: slice) -> NDArray:
        return np.clip(power_x[rows, None] + power_z[columns], -_FAR, _FAR)

    def weight_of(p: int, rows: slice, columns: slice) -> NDArray:
        return weights[p, rows if weights.shape[1] > 1 else slice(None), columns]

    def add_up(rows: slice, shift: NDArray | None = None) -> NDArray:
        """The gradients at some rows, each over 2^shift."""
        n_rows = rows.stop - rows.start
        total, close = np.zeros((2, k, n_rows, d))
        along, moved = np.zeros((2, k, n_rows))
        for columns, gaps, radial, turn in slopes(rows):
            if shift is None and not plain:
                power = power_of(rows, columns)
                radial, turn = _scaled(radial, power), _scaled(turn, power)
            for p in range(k):
                weight = weight_of(p, rows, columns)
                if shift is None:
                    sideways, outward = weight * turn, weight * radial
                else:  # neither weights nor slopes need be in range where their products are
                    mantissa, exponent = np.frexp(weight)
                    exponent = exponent + power_of(rows, columns) - shift[:, None]
                    sideways, outward = (
                        _scaled(mantissa * turn, exponent),
                        _scaled(mantissa * radial, exponent),
                    )
                add_close(rows, columns, gaps, sideways, close[p])
                along[p] += np.sum(outward, axis=1)
                moved[p] += np.sum(sideways, axis=1)
                total[p] += sideways @ z.directions[columns]
        units, own = _unit_rows(x, rows), x.directions[rows]
        own = own.toarray() if sparse.issparse(own) else own
        for p in range(k):
            close[p] -= np.sum(close[p] * units, axis=1)[:, None] * units
            total[p] += close[p] + along[p][:, None] * units - moved[p][:, None] * own
        return total

    def exponents(rows: slice) -> NDArray:
        """Those of each row's largest term."""
        top = np.full(rows.stop - rows.start, -_FAR)
        for columns, _, radial, turn in slopes(rows):
            size = np.maximum(np.abs(radial), np.abs(turn))
            heavy = np.max([np.abs(weight_of(p, rows, columns)) for p in range(k)], axis=0)
            exponent = np.frexp(size)[1] + np.frexp(heavy)[1] + power_of(rows, columns)
            top = np.maximum(top, np.max(np.where((size > 0) & (heavy > 0), exponent, -_FAR), axis=1))
        return top

    def fill(rows: slice) -> None:
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # of kernels beyond the floats
            total = add_up(rows)
            beyond = ~np.isfinite(total).all(axis=(0, 2))
            if beyond.any():  # terms, which the sums need not be
                shift = np.where(beyond, exponents(rows) - _ROOM, 0)
                total = _scaled(add_up(rows, shift), shift[:, None])
        out[:, rows] = total

    height = int(np.clip(_BLOCK_BYTES // (8 * k * d), 1, _TILE))
    blocks = list(row_blocks(x.n, height))
    parallel_for(fill, blocks, threads=1 if max(x.n, z.n) < _SERIAL_BELOW else None)
    return out


def _scaled(values: NDArray, exponent: NDArray) -> NDArray:
    """Values times powers of two."""
    return np.ldexp(values, np.clip(exponent, -_RANGE, _RANGE))


def _jumps(net: Architecture, X: Any, plan: Any, zero: NDArray) -> NDArray:
    """Mask of zero rows at which the kernel is not continuous, as that of steps without a bias."""
    if not zero.any():
        return zero
    at = np.flatnonzero(zero)[:1]
    rows = prepare(X[at], np.dtype(np.float64))
    there = row_diagonal(net, net.activation.dual.plan(net, rows), rows.dtype)[0]
    beside = row_diagonal(net, plan.take(slice(at[0], at[0] + 1)), rows.dtype)[0]
    if not np.isfinite([there, beside]).all():
        return np.zeros_like(zero)
    return zero & (abs(there - beside) > max(1e-6 * max(there, beside), 2.0**_TINY))


def _unit_rows(x: Rows, rows: slice) -> NDArray:
    X = x.X[rows]
    X = X.toarray() if sparse.issparse(X) else X
    return np.ldexp(X, -x.exponent[rows, None]) / x.root[rows, None]


def _close_adder(x: Rows, z: Rows) -> Any:
    """Function that adds up weights times u_z - rho u_x of close pairs, up to multiples of u_x.

    It sets the weights of these pairs to 0.
    """
    if not sparse.issparse(x.X):
        u, v = (np.ldexp(side.X, -side.exponent[:, None]) for side in (x, z))

        def add(rows: slice, columns: slice, tau: NDArray, weights: NDArray, out: NDArray) -> None:
            _add_close(
                u[rows], x.root[rows], x.exponent[rows], v[columns], z.root[columns], z.exponent[columns],
                tau, weights, out,
            )  # fmt: skip

        return add
    parts = []
    for side in (x, z):
        values = np.ldexp(side.X.data, -np.repeat(side.exponent, np.diff(side.X.indptr)))
        parts.append(sparse.csr_array((values, side.X.indices, side.X.indptr), shape=side.X.shape))
    u, v = parts

    def add_sparse(rows: slice, columns: slice, tau: NDArray, weights: NDArray, out: NDArray) -> None:
        a, b = u[rows], v[columns]
        _add_close_sparse(
            a.data, a.indices, a.indptr, x.root[rows], x.exponent[rows],
            b.data, b.indices, b.indptr, z.root[columns], z.exponent[columns], tau, weights, out,
        )  # fmt: skip

    return add_sparse


@compiled
def _split(gaps, radial, by_angle, factor_x, factor_z, no_direction):
    """Derivatives by log length and angle to parts along u_x and u_z, times the rows' factors, in place.

    The first is that along u_x of the sum of both; of close pairs the second is along u_z - rho u_x.
    """
    n, m = gaps.shape
    for i in range(n):
        row, along, turn = gaps[i], radial[i], by_angle[i]
        for j in range(m):
            t = abs(row[j])
            sine = math.sqrt(t * (2.0 - t))
            turned = -turn[j] / sine if (sine > 0.0) & (not no_direction[j]) else 0.0
            turned = min(max(turned, -_LARGEST), _LARGEST)
            gap = t if math.copysign(1.0, row[j]) > 0.0 else 2.0 - t
            factor = factor_x[i] * factor_z[j]
            outward = min(max(along[j], -_LARGEST), _LARGEST) + (turned * gap if t >= _NEAR else 0.0)
            along[j], turn[j] = outward * factor, turned * factor


@inlined
def _twos(rx, a, rz, b):
    """Power of two that a row of length rz 2^b, over 2^b, is multiplied by to be as near one of rx 2^a."""
    if abs(a - b) > 2:
        return 1.0
    twos = 2.0 ** (b - a)
    return twos if abs(rz * twos - rx) < abs(rz - rx) else 1.0


@compiled
def _add_close(X, root_x, exponent_x, Z, root_z, exponent_z, tau, weights, out):
    n, m = tau.shape
    for i in range(n):
        for j in range(m):
            if abs(tau[i, j]) >= _NEAR or weights[i, j] == 0.0:
                continue
            twos = _twos(root_x[i], exponent_x[i], root_z[j], exponent_z[j])
            sign, rx, rz = np.copysign(1.0, tau[i, j]), root_x[i], root_z[j] * twos
            factor, change = -sign * weights[i, j] / rx / rz, rz - rx
            for c in range(X.shape[1]):
                p, q = X[i, c], sign * Z[j, c] * twos
                out[i, c] += factor * ((p - q) * rz + q * change)
            weights[i, j] = 0.0


@compiled
def _add_close_sparse(
    x, columns_x, starts_x, root_x, exponent_x,
    z, columns_z, starts_z, root_z, exponent_z, tau, weights, out,
):  # fmt: skip
    n, m = tau.shape
    row = np.zeros(out.shape[1])
    for i in range(n):
        for j in range(m):
            if abs(tau[i, j]) >= _NEAR or weights[i, j] == 0.0:
                continue
            twos = _twos(root_x[i], exponent_x[i], root_z[j], exponent_z[j])
            sign, rx, rz = np.copysign(1.0, tau[i, j]), root_x[i], root_z[j] * twos
            factor, change = -sign * weights[i, j] / rx / rz, rz - rx
            for a in range(starts_x[i], starts_x[i + 1]):
                row[columns_x[a]] = x[a]
            for b in range(starts_z[j], starts_z[j + 1]):
                c = columns_z[b]
                p, q = row[c], sign * z[b] * twos
                out[i, c] += factor * ((p - q) * rz + q * change)
                row[c] = 0.0
            for a in range(starts_x[i], starts_x[i + 1]):  # where z has no entry
                out[i, columns_x[a]] += factor * (row[columns_x[a]] * rz)
                row[columns_x[a]] = 0.0
            weights[i, j] = 0.0
