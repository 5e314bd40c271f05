"""Hermite coefficients of any function by the trapezoidal rule, with a bound on what is left out.

The rule's error falls geometrically for analytic functions of rapid decay, so a grid is halved until its
coefficients settle.  The tail of the series is known from Parseval's identity, the second moment less
sum_k a_k(r)^2, and terms are added until it is negligible.  A coefficient is an analytic function of log r:
for many rows it is computed at Chebyshev points and interpolated, after a check at points in between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, log2, pi, sqrt

import numpy as np

from ntklib._core.blocks import row_blocks
from ntklib._core.jit import compiled

from .._wide import Wide, narrow
from .hermite import HermiteDual

__all__ = ["QuadratureDual"]

_REACH = 13.0  # exp(-x^2/4), which bounds the integrand, is 4e-19 there
_MAX_TERMS = 8192
_PATIENCE = 1024  # terms from which on doubling them has to make the tail four times smaller
_MAX_NODES = 2**14
_TARGET = 4e-15  # relative truncation aimed at, near what rounding lets Parseval see
_INTERPOLATION = 1e-14  # error of an interpolated coefficient over the root of the second moment
_ROUNDING = 32 * np.finfo(np.float64).eps
_RANGE = 1e-3  # rows shorter than this over the longest are not interpolated
_LARGEST = np.finfo(np.float64).max
_SIZE = 1e100  # values within it and its inverse are taken as they are
_BETWEEN = np.array([0.013, 0.21, 0.37, 0.52, 0.68, 0.87, 0.991])  # places of the check


@dataclass(frozen=True)
class QuadratureDual(HermiteDual):
    """Dual of any function given with its derivative."""

    function: Callable[[np.ndarray], np.ndarray]
    derivative: Callable[[np.ndarray], np.ndarray]

    def coefficients(self, r):
        distinct, index = np.unique(np.minimum(narrow(r), _LARGEST), return_inverse=True)
        points = 16
        while 2 * points < len(distinct):
            values = self._interpolated(distinct, points)
            if values is not None:
                return values[index]
            points *= 2
        values, scale, _ = self._expand(distinct)
        return (values if np.all(scale == 1) else Wide(values) * scale)[index]

    def error(self, variances: np.ndarray) -> float:
        """A bound on what E[sigma(u) sigma(v)] lacks at any correlation, rounding included."""
        return self._expand(np.sqrt(variances))[2]

    def _interpolated(self, r: np.ndarray, points: int) -> np.ndarray | None:
        """Coefficients of sorted rows through Chebyshev points in log r; None if those are too few."""
        short = int(np.searchsorted(r, _RANGE * r[-1]))
        low, high = np.log(r[short]), np.log(r[-1])
        angles = (np.arange(points) + 0.5) * (pi / points)
        nodes = np.sort(np.exp((low + high) / 2 - (high - low) / 2 * np.cos(angles)))
        between = np.exp(low + (high - low) * _BETWEEN)
        exact, scale, error = self._expand(np.concatenate([nodes, between, r[:short]]))
        if np.any(scale != 1):
            return None
        size = np.sqrt(np.sum(exact[points : points + len(between)] ** 2, axis=2, keepdims=True))
        guess = _barycentric(nodes, exact[:points], between)
        # no more accurate than the coefficients are themselves
        allowed = np.maximum(_INTERPOLATION * sqrt(points), error / 32 / np.max(size) ** 2) * size
        if np.any(np.abs(guess - exact[points : points + len(between)]) > allowed):
            return None
        return np.concatenate(
            [exact[points + len(between) :], _barycentric(nodes, exact[:points], r[short:])]
        )

    def _expand(self, r: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Coefficients, as many as it takes, what they are to be multiplied by, and the error of A."""
        terms, sample, before = 64, r[np.linspace(0, len(r) - 1, min(len(r), 8)).astype(int)], np.inf
        while True:
            # a few rows tell how many terms and nodes; then all of them are asked
            nodes, quadrature = self._settle(sample, terms)
            for rows in (sample, r):
                coefficients, squares, scale = self._project(rows, terms, nodes)
                tails = np.maximum(squares - np.sum(coefficients**2, axis=2), 0.0)
                worst = float(np.max(tails / np.where(squares > 0, squares, 1)))
                slow = terms >= _PATIENCE and worst > before / 4
                if worst > _TARGET and terms < _MAX_TERMS and not slow:
                    break
            else:
                lack = tails[:, 0] + (_ROUNDING + quadrature) * squares[:, 0]
                return coefficients, scale, float(np.max(narrow(Wide(scale[:, 0, 0]) ** 2 * lack)))
            terms, before = 2 * terms, worst

    def _settle(self, r: np.ndarray, terms: int) -> tuple[int, float]:
        """Nodes at which coefficients, some of all degrees, stop changing, and what they lack of the root.

        The error of a geometrically converging rule is the square of its last change.
        """
        nodes = 2 ** ceil(log2(2 * _REACH * (sqrt(terms) + 8) / pi))  # resolves the highest polynomial
        picked = np.linspace(0, terms - 1, 16).astype(int)
        before, _, _ = self._project(r, terms, nodes, picked)
        while True:
            nodes *= 2
            now, squares, _ = self._project(r, terms, nodes, picked)
            size = np.sqrt(np.where(squares > 0, squares, 1))[:, :, None]
            change = float(np.max(np.abs(now - before) / size))
            if change <= 1e-9:
                return nodes, 2 * change**2
            if 2 * nodes > _MAX_NODES:
                return nodes, 2 * change
            before = now

    def _project(
        self, r: np.ndarray, terms: int, nodes: int, picked: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Coefficients on a grid, all or those picked, second moments, and what either is relative to."""
        x = np.linspace(-_REACH, _REACH, nodes + 1)
        root = np.sqrt(np.exp(-(x**2) / 2) / sqrt(2 * pi))
        values, scale = self._values(r, x)
        values *= root
        step = x[1] - x[0]
        flat, parts = values.reshape(-1, nodes + 1), []  # one large product of matrices, not many small ones
        last = np.zeros((2, nodes + 1))
        for block in row_blocks(terms, 256):
            basis = np.empty((block.stop - block.start, nodes + 1))
            _fill_hermite_functions(x, root, block.start, last, basis)
            last = basis[-2:]
            if picked is not None:
                basis = basis[picked[(picked >= block.start) & (picked < block.stop)] - block.start]
            parts.append(flat @ basis.T * step)
        coefficients = np.concatenate(parts, axis=1).reshape(*values.shape[:2], -1)
        return coefficients, np.sum(values**2, axis=2) * step, scale

    def _values(self, r: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Function and derivative at r x, (n, 2, nodes), over a scale where their squares are no floats."""
        both = []
        with np.errstate(all="ignore"):
            z = np.clip(r[:, None] * x, -_LARGEST, _LARGEST)
            for name, function in (("activation", self.function), ("derivative", self.derivative)):
                value = np.asarray(function(z), np.float64)
                wrong = ~np.isfinite(value) if name == "activation" else np.isnan(value)
                if wrong.any():
                    raise ValueError(
                        f"the {name} is {float(value[wrong][0])} at {float(z[wrong][0])!r}; the kernel needs "
                        "a number there: scale the rows, or have the function give one."
                    )
                if np.any(r * _REACH > _LARGEST):
                    self._require_limits(name, function)
                both.append(np.clip(value, -_LARGEST, _LARGEST))
        values = np.stack(both, axis=1)
        size = np.max(np.abs(values), axis=2, keepdims=True)
        scale = np.where((size > 0) & ((size > _SIZE) | (size < 1 / _SIZE)), size, 1.0)
        return values / scale, scale

    @staticmethod
    def _require_limits(name: str, function: Callable[[np.ndarray], np.ndarray]) -> None:
        """Refuse a function that still changes where the floats end, if rows reach beyond them."""
        ends = np.asarray(function(_LARGEST * np.array([-1.0, -0.5, 0.5, 1.0])), np.float64)
        if not np.allclose(ends[[0, 3]], ends[[1, 2]], rtol=1e-10, atol=0.0):
            raise ValueError(
                f"the {name} is needed beyond the largest float, since rows are longer than "
                f"{_LARGEST / _REACH:.1e}, and has no limit there: scale the rows."
            )


def _barycentric(nodes: np.ndarray, values: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Interpolate in log r, from Chebyshev points of the first kind."""
    n = len(nodes)
    weights = np.sin((np.arange(n) + 0.5) * (pi / n)) * (-1.0) ** np.arange(n)
    difference = np.log(r)[:, None] - np.log(nodes)
    hit = difference == 0
    matrix = weights / np.where(hit, 1.0, difference)
    matrix = np.where(hit.any(axis=1, keepdims=True), hit, matrix)
    matrix /= matrix.sum(axis=1, keepdims=True)
    return np.tensordot(matrix, values, axes=1)


@compiled
def _fill_hermite_functions(x, root, start, last, out):
    """h_k(x) sqrt(density(x)) from k = start on, after the two before; the recursion is stable upward."""
    terms, n = out.shape
    for i in range(terms):
        k = start + i
        if k == 0:
            for j in range(n):  # an assignment of arrays, with its words for errors, takes long to compile
                out[i, j] = root[j]
            continue
        a, b = np.sqrt(1.0 / k), np.sqrt((k - 1.0) / k)
        below = out[i - 1] if i > 0 else last[1]
        second = out[i - 2] if i > 1 else last[i]
        for j in range(n):
            out[i, j] = a * x[j] * below[j] - b * second[j]
