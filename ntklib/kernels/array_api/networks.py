r"""Kernels of infinitely wide networks, of arrays of other libraries.

Everything is in float64, whatever the rows' precision, and rounded at the end. Layers carry gaps
:math:`1 - \rho`, not correlations; those of close rows are computed from the rows' differences.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

from ntklib._core.blocks import row_blocks
from ntklib._core.namespaces import device

from ..contract import Architecture
from .expectations import Expectations, expectations_of

__all__ = ["check_array_rows", "network_diagonal", "network_matrix", "refuse_gradient", "result_type"]

ENTRIES = 2**24
"""Entries that are computed at once."""

CLOSE = 1e-6
"""Gaps below are computed from differences of rows: of a product their rounding error is some 1e-16."""


def network_matrix(net: Architecture, X: Any, Y: Any, xp: Any) -> Any:
    """Kernel matrix of two sets of rows, of their type and on their device.

    Parameters
    ----------
    net : Architecture
    X : array of shape (n, d), float32 or float64
    Y : array of shape (m, d) or None
        X if None.
    xp : module
        Their namespace.

    Returns
    -------
    array of shape (n, m)
    """
    check_array_rows(xp, X, Y)
    layer, dtype = expectations_of(net.activation), result_type(xp, X, X if Y is None else Y)
    x = _prepared(net, X, xp)
    z = x if Y is None else _prepared(net, Y, xp)
    size = max(1, ENTRIES // max(z[0].shape[0], 1))
    blocks = [_block(net, layer, (x[0][rows, :], x[1][rows]), z, xp) for rows in row_blocks(X.shape[0], size)]
    if not blocks:
        return xp.zeros((0, z[0].shape[0]), dtype=dtype, device=device(X))
    return xp.astype(xp.concat(blocks, axis=0), dtype)


def network_diagonal(net: Architecture, X: Any, xp: Any) -> Any:
    """Kernel of every row with itself, shape (n,)."""
    check_array_rows(xp, X, None)
    layer = expectations_of(net.activation)
    q = _prepared(net, X, xp)[1]
    value = _last(net, layer, q, xp)
    return xp.astype(xp.ones_like(q) if net.normalized else value, X.dtype)


def check_array_rows(xp: Any, X: Any, Y: Any) -> None:
    """Refuse what is no matrix of floats, and rows of different numbers of features."""
    for name, rows in (("X", X), ("Y", Y)):
        if rows is not None and (rows.ndim != 2 or rows.dtype not in (xp.float32, xp.float64)):
            raise ValueError(
                f"{name} must be a matrix of float32 or float64, got {rows.dtype} of shape "
                f"{tuple(rows.shape)}."
            )
    if Y is not None and X.shape[1] != Y.shape[1]:
        raise ValueError(f"X has {X.shape[1]} features and Y {Y.shape[1]}.")


def refuse_gradient(asked: bool) -> None:
    """Refuse gradients in the hyperparameters."""
    if asked:
        raise NotImplementedError(
            "gradients of kernels are computed from NumPy arrays only: convert the rows, numpy.asarray(X)."
        )


def result_type(xp: Any, X: Any, Y: Any) -> Any:
    """float32 of two float32 arrays, else float64."""
    return xp.float32 if X.dtype == Y.dtype == xp.float32 else xp.float64


def _prepared(net: Architecture, X: Any, xp: Any) -> tuple[Any, Any]:
    """Unit vectors of the rows with the bias as one more feature, and variances of the first layer."""
    rows = net.weight_std / (sqrt(max(X.shape[1], 1)) if net.fan_in else 1.0) * xp.astype(X, xp.float64)
    if net.bias_std:
        rows = xp.concat([rows, xp.full_like(rows[:, :1], net.bias_std)], axis=1)
    q = xp.sum(rows * rows, axis=1)
    length = xp.sqrt(q)
    return rows / xp.where(length > 0, length, xp.ones_like(length))[:, None], q


def _block(net: Architecture, layer: Expectations, x: tuple[Any, Any], z: tuple[Any, Any], xp: Any) -> Any:
    (u, qx), (v, qz) = x, z
    gap = _gaps(u, v, xp)
    weight, bias = net.weight_std**2, net.bias_std**2
    qx, qz = qx[:, None], qz[None, :]
    gap = xp.where((qx > 0) & (qz > 0), gap, xp.zeros_like(gap))  # rows of zeros have no direction
    own = qx, qz
    value = xp.sqrt(qx) * xp.sqrt(qz) * (1 - gap)
    tangent = float(net.include[0]) * value
    for depth in range(1, net.depth + 1):
        dual, slope, lack = layer.pair(xp, qx, qz, gap)
        ax, az = weight * layer.own(xp, qx), weight * layer.own(xp, qz)
        value = weight * dual + bias
        tangent = float(net.include[depth]) * value + weight * tangent * slope
        if depth < net.depth:
            gap = _next_gap(ax, az, bias, value, lack if lack is None else weight * lack, xp)
            qx, qz = ax + bias, az + bias
    if net.normalized:
        kx, kz = (_last(net, layer, q, xp) for q in own)
        tangent = tangent / xp.sqrt(kx) / xp.sqrt(kz)
    return tangent


def _gaps(u: Any, v: Any, xp: Any) -> Any:
    """1 - u.v of unit vectors, within [0, 2]."""
    gap = xp.clip(1 - u @ v.T, 0.0, 2.0)
    close = gap < CLOSE
    rows, columns = xp.nonzero(close)
    if rows.shape[0]:
        squares = xp.zeros(rows.shape[0], dtype=gap.dtype, device=device(gap))
        for feature in range(u.shape[1]):
            difference = xp.take(u[:, feature], rows, axis=0) - xp.take(v[:, feature], columns, axis=0)
            squares = squares + difference * difference
        gap[close] = squares / 2
    return gap


def _next_gap(ax: Any, az: Any, bias: float, value: Any, lack: Any, xp: Any) -> Any:
    """Gap after a layer and its bias: from positive terms if the layer's lack is known."""
    size = xp.sqrt((ax + bias) * (az + bias))
    if lack is None:
        gap = size - value
    else:  # size - bias - sqrt(ax az) is a quotient of positive terms
        apart = xp.sqrt(ax) - xp.sqrt(az)
        gap = bias * apart * apart / (size + bias + xp.sqrt(ax) * xp.sqrt(az)) + lack if bias else lack
    return xp.clip(gap / xp.where(size > 0, size, xp.ones_like(size)), 0.0, 2.0)


def _last(net: Architecture, layer: Expectations, q: Any, xp: Any) -> Any:
    """Kernel of rows with themselves from their variances at the first layer."""
    weight, bias = net.weight_std**2, net.bias_std**2
    tangent = float(net.include[0]) * q
    for depth in range(1, net.depth + 1):
        _, slope, _ = layer.pair(xp, q, q, xp.zeros_like(q))
        value = weight * layer.own(xp, q) + bias
        tangent, q = float(net.include[depth]) * value + weight * tangent * slope, value
    return tangent
