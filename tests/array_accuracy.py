"""The accuracy goals of kernels of arrays of other libraries; `tests.accuracy_table` has those of NumPy's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import array_api_strict
import numpy as np
from mpmath import mp

from ntklib import kernels
from tests import oracles, registry
from tests.accuracy_table import Goal, Sample, pairs
from tests.namespaces import dispatch

NAMES = ("ReLU()", "LeakyReLU(negative_slope=0.2)", "Abs()", "Identity()", "Erf()", "Step()", "Sign()")
STEPS = ("Step()", "Sign()")


def _bound(entry: registry.Entry, dtype: Any, opposite: bool, depth: int) -> float:
    """Bound of the error over sqrt(K_xx K_zz)."""
    if dtype == np.float32:
        return 4e-6
    deep_step = str(entry) in STEPS and depth > 1
    if opposite:
        return 1e-2 if deep_step else 1e-8
    return 1e-5 if deep_step else 1e-12


def networks(entry: registry.Entry, dtype: Any, *, opposite: bool) -> Iterator[Sample]:
    """NNGP and NTK at depths 1 and 3, of rows within 1e-3 of opposite directions, or of all others."""
    chosen = [pair for pair in pairs(dtype) if (("pi - 1e" in pair[0]) or ("anti" in pair[0])) == opposite]
    shared = {"weight_std": 1.5, "bias_std": 0.0 if opposite else 0.25}  # a bias turns opposite rows
    labels, xs, zs = zip(*chosen, strict=True)
    X, Z = np.array(xs), np.array(zs)
    for depth in (1, 3):
        with dispatch():
            x, z = array_api_strict.asarray(X), array_api_strict.asarray(Z)
            options = {"depth": depth, "activation": entry.activation, **shared}
            values = [np.asarray(kind(**options)(x, z)) for kind in (kernels.NNGP, kernels.NTK)]
        for i, label in enumerate(labels):
            exact, own, other = (
                oracles.deep(entry.oracle(), *rows, depth=depth, **shared)
                for rows in ((X[i], Z[i]), (X[i], X[i]), (Z[i], Z[i]))
            )
            for name, value, truth, a, b in zip(("NNGP", "NTK"), values, exact, own, other, strict=True):
                bound = _bound(entry, dtype, opposite, depth) * mp.sqrt(a * b)
                error = abs(mp.mpf(float(value[i, i])) - truth)
                yield Sample(f"{name}, depth {depth}, {label}", error, bound)


def _statement(entry: registry.Entry, dtype: Any, opposite: bool) -> str:
    deep = _bound(entry, dtype, opposite, 3)
    shallow = _bound(entry, dtype, opposite, 1)
    text = f"{deep:.0e} sqrt(K_xx K_zz)"
    return text if deep == shallow else f"{text}; at depth 1 {shallow:.0e}"


GOALS = [
    Goal(
        f"{entry}, {dtype.__name__}{', near opposite' if opposite else ''}",
        _statement(entry, dtype, opposite),
        lambda entry=entry, dtype=dtype, opposite=opposite: networks(entry, dtype, opposite=opposite),
    )
    for entry in registry.CLOSED
    if str(entry) in NAMES
    for dtype, opposite in ((np.float64, False), (np.float64, True), (np.float32, False))
]
