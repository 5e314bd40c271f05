"""Random kernels on random rows from every corner, and their exact values: `tests/kernels/test_fuzz.py`.

A case is a kernel and a few rows: equal, opposite, parallel, nearly so, zero, of all sizes the type holds,
far below and far above the bias.  Exact values come from the plain recursion on covariances in mpmath with
the duals of `tests.oracle_duals`, for activations without a closed form from sums over the plane in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from mpmath import mp, mpf
from scipy import sparse

from ntklib import kernels
from tests import oracle_duals, oracles, registry

ENTRIES = [
    *registry.ACTIVATIONS,
    registry.Entry(kernels.RectifiedPower(6), lambda: oracle_duals.rectified_power(6), 6),
    registry.Entry(kernels.Monomial(5), lambda: oracle_duals.monomial(5), 5),
    registry.Entry(kernels.ABReLU(0.999, 1.0), lambda: oracle_duals.ab_relu(0.999, 1), 1),
    registry.Entry(kernels.LeakyReLU(-3.0), lambda: oracle_duals.ab_relu(-3, 1), 1),
]
WIDEST = {np.float64: (-300.0, 300.0), np.float32: (-37.0, 37.0)}


@dataclass(frozen=True)
class Case:
    """A kernel object and rows for it."""

    entry: registry.Entry
    kernel: Any
    rows: np.ndarray
    form: Callable[[np.ndarray], Any] = np.asarray  # how the kernel is given them

    def __str__(self) -> str:
        name = type(self.kernel).__name__
        options = {k: v for k, v in self.kernel.get_params().items() if not k.endswith("_bounds")}
        settings = ", ".join(f"{k}={v!r}" for k, v in options.items())
        return f"{name}({settings}) on {self.form.__name__} {self.rows.dtype} {self.rows.tolist()}"


def draw(rng: np.random.Generator, entry: registry.Entry) -> Case:
    """Return a kernel of this activation and five to eight rows."""
    dtype = np.float64 if rng.random() < 0.6 else np.float32
    features = int(rng.choice([1, 2, 3, 6, 40], p=[0.25, 0.25, 0.2, 0.2, 0.1]))
    depth, size, weight, bias = _settings(rng, entry, dtype)
    rows = _rows(rng, features, size, dtype, _longest(entry) / max(weight, 1.0))
    options: dict[str, Any] = {
        "depth": depth,
        "activation": entry.activation,
        "weight_std": weight,
        "bias_std": bias,
        "input_scaling": str(rng.choice(["none", "fan_in"])),
        "normalized": bool(rng.random() < 0.25),
    }
    form = sparse.csr_array if rng.random() < 0.15 else np.asarray
    if rng.random() < 0.4:
        return Case(entry, kernels.NNGP(**options), rows, form)
    if rng.random() < 0.3:
        layers = np.flatnonzero(rng.random(depth + 1) < 0.6)
        options["trainable"] = tuple(int(k) for k in layers) if layers.size else "hidden"
    return Case(entry, kernels.NTK(**options), rows, form)


def _settings(rng: np.random.Generator, entry: registry.Entry, dtype: Any) -> tuple[int, float, float, float]:
    """Depth, size of the rows, weight_std and bias_std."""
    low, high = WIDEST[dtype]
    if entry.order is None:
        deepest = 1 if isinstance(entry.activation, kernels.Exp) else 3 if entry.oracle else 2
        depth = int(rng.integers(1, deepest + 1))
        low = low if entry.oracle else -70.0  # those sums are in float64
        size = 10 ** (rng.uniform(-2, 1.5) if rng.random() < 0.6 else rng.uniform(low, high))
        bias = 0.0 if rng.random() < 0.4 else 10 ** rng.uniform(-2, 0.2 if entry.oracle else -0.5)
        return depth, size, 10 ** rng.uniform(-0.5, 0.1), bias
    depth = int(rng.choice([1, 2, 3, 5, 12], p=[0.35, 0.25, 0.2, 0.12, 0.08]))
    weight = 10 ** (rng.uniform(-0.5, 0.5) if rng.random() < 0.8 else rng.uniform(-5, 5))
    if entry.order == 0 and depth > 1:
        low, high = max(low, -40.0), min(high, 40.0)  # angles of which the oracle's 120 digits keep enough
    size = 10 ** (rng.uniform(low, high) if rng.random() < 0.5 else rng.uniform(-2, 2))
    ratio = 10 ** rng.uniform(*[(-2, 2), (-12, 12), (low, high)][rng.integers(3)])
    bias = 0.0 if rng.random() < 0.25 else min(max(weight * size / ratio, 1e-300), 1e300)
    return depth, size, weight, bias


def _longest(entry: registry.Entry) -> float:
    """The length of rows up to which kernels, or their sums over the plane, are in range."""
    if entry.order is not None:
        return math.inf
    if entry.oracle is None:
        return 1.0
    return 30.0 if isinstance(entry.activation, kernels.Exp) else math.inf


def _rows(rng: np.random.Generator, features: int, size: float, dtype: Any, longest: float) -> np.ndarray:
    """Four to eight rows, no longer than that."""
    x, y = rng.normal(size=(2, features)) + (rng.random() < 0.2) * 10 ** rng.uniform(0, 4)
    close = 10 ** rng.uniform(-17, -0.5, size=3)
    turned = np.cos(close[0]) * x + np.sin(close[0]) * y
    kinds = [
        y,
        -x,
        turned,
        -turned,
        3 * x,
        -(10 ** rng.uniform(-4, 4)) * x,
        10 ** rng.uniform(-30, 30) * y,
        x + close[1] * y,
        close[2] * y - x,
        0 * x,
        np.nextafter(x.astype(dtype), dtype(9)),
        (rng.normal(size=features) > 0) * 1.0,
    ]
    chosen = rng.permutation(len(kinds))[: int(rng.integers(4, 8))]
    X = np.array([x, *(kinds[k] for k in chosen)])
    limit = min(float(np.finfo(dtype).max) / 16, longest) / math.sqrt(features)
    largest = abs(X).max(axis=1, keepdims=True)
    with np.errstate(over="ignore", under="ignore"):
        X = (X / np.where(largest > 0, largest, 1) * np.minimum(largest * size, limit)).astype(dtype)
    return np.vstack([X, X[:1]]) if rng.random() < 0.5 else X


def exact(case: Case, weight: Any = 1, bias: Any = 1) -> np.ndarray:
    """The kernel's exact values, with factors to its parameters."""
    kernel = case.kernel
    if case.entry.oracle is None:
        rows = list(case.rows.astype(np.float64))
        squares = float(kernel.weight_std) ** 2, float(kernel.bias_std) ** 2
        return _matrix(kernel, rows, _plane_duals(case.entry.activation), squares, np.float64, math.sqrt)
    size = np.log10(max(float(abs(case.rows).max()) * kernel.weight_std, 1.0))
    # duals of long smooth rows see 1 beside products of four lengths
    with mp.workdps(oracles.DIGITS + (0 if case.entry.order is not None else int(4 * size))):
        rows = [oracles.exact(row) for row in case.rows]
        squares = (mpf(kernel.weight_std) * weight) ** 2, (mpf(kernel.bias_std) * bias) ** 2
        return _matrix(kernel, rows, case.entry.oracle(), squares, mpf, mp.sqrt)


def exact_gradient(case: Case) -> np.ndarray:
    """Its derivatives in the logarithms of bias_std, unless that is 0, and of weight_std."""
    with mp.workdps(oracles.DIGITS):
        up, down, twice = mp.exp(mpf("1e-30")), mp.exp(mpf("-1e-30")), mpf("2e-30")
        parts = [exact(case, weight=up) - exact(case, weight=down)]
        if case.kernel.bias_std:
            parts.insert(0, exact(case, bias=up) - exact(case, bias=down))
        return np.stack(parts, axis=2) / twice


def _matrix(kernel: Any, rows: Any, duals: Any, squares: Any, number: Any, root: Callable[[Any], Any]) -> Any:
    """The recursion on covariances, pair by pair; what belongs to one row is computed once."""
    (dual, slope), (w, b), n = duals, squares, len(rows)
    first = w / len(rows[0]) if kernel.input_scaling == "fan_in" else w
    trained = oracles.layers(getattr(kernel, "trainable", "output"), kernel.depth)
    dot = np.dot if number is np.float64 else mp.fdot
    variances = []
    for row in rows:
        own = [first * dot(row, row) + b]
        for _ in range(kernel.depth):
            own.append(w * dual(own[-1], own[-1], own[-1]) + b)
        variances.append(own)

    def value(i: int, j: int) -> Any:
        c = first * dot(rows[i], rows[j]) + b
        tangent = c if 0 in trained else number(0)
        for layer, (p, q) in enumerate(zip(variances[i], variances[j], strict=True)):
            if layer == kernel.depth:
                return tangent
            passed = w * slope(p, q, c) * tangent if tangent else tangent
            c = w * dual(p, q, c) + b
            tangent = passed + (c if layer + 1 in trained else 0)

    K = np.empty((n, n), object if number is not np.float64 else float)
    for i in range(n):
        for j in range(i + 1):
            K[i, j] = K[j, i] = value(i, j)
    if kernel.normalized:
        roots = [root(K[i, i]) for i in range(n)]
        for i in range(n):
            for j in range(n):
                K[i, j] = K[i, j] / (roots[i] * roots[j]) if roots[i] * roots[j] else number(0)
    return K


_STEP = 0.06
_GRID = np.arange(-150, 151) * _STEP
_WEIGHT = np.exp(-(_GRID**2) / 2) * _STEP / math.sqrt(2 * math.pi)


def _plane_duals(activation: Any) -> tuple[Callable[..., float], Callable[..., float]]:
    """The trapezoidal rule on the plane: geometric convergence for functions analytic about the real line."""

    def dual(function: Callable[[np.ndarray], np.ndarray]) -> Callable[..., float]:
        def of(a: float, b: float, c: float) -> float:
            r = math.sqrt(a)
            along = c / r if r else 0.0
            across = math.sqrt(max(b - along * along, 0.0))
            left = _WEIGHT * function(r * _GRID)
            if across <= 1e-8 * math.sqrt(b):
                return float(left @ function(along * _GRID))
            return float(left @ function(along * _GRID[:, None] + across * _GRID[None, :]) @ _WEIGHT)

        return of

    return dual(activation), dual(activation.derivative)
