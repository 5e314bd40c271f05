"""Plans of smooth duals: their numbers of single rows, of any size."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._wide import Wide, narrow

__all__ = ["SmoothPlan", "inside"]


@dataclass(frozen=True)
class SmoothPlan:
    """Rows of a network, layer by layer; wide numbers, or floats after `take` of rows that allow them."""

    lengths: list[Any]  # (depth + 1 of) (n,): standard deviations of the pre-activations without their bias
    radii: list[Any]  # the same with it
    turns: list[np.ndarray]  # (4, n): the turns that the biases give (`turns`)
    states: list[Any]  # for each hidden layer, what the dual computed once for each row
    X: Any  # (n, d) the rows
    root: np.ndarray  # and their lengths, root 2^exponent
    exponent: np.ndarray
    factor: float  # what the first layer multiplies a row by
    scale: Wide  # (n,) 1, or sqrt(K_xx) of rows that floats will not do for
    relative_diagonal: np.ndarray
    plain: np.ndarray  # (n,) rows that floats will do for

    def take(self, rows: slice) -> SmoothPlan:
        every = narrow if self.plain[rows].all() else lambda a: a
        return replace(
            self,
            lengths=[every(a[rows]) for a in self.lengths],
            radii=[every(a[rows]) for a in self.radii],
            turns=[np.ascontiguousarray(a[:, rows]) for a in self.turns],
            states=[None if s is None else every(s[rows]) for s in self.states],
            X=self.X[rows],
            root=self.root[rows],
            exponent=self.exponent[rows],
            scale=self.scale[rows],
            relative_diagonal=self.relative_diagonal[rows],
            plain=self.plain[rows],
        )


def inside(x: Wide, bound: float) -> np.ndarray:
    size = narrow(x)
    return (x.mantissa == 0) | ((size <= bound) & (size >= 1 / bound))
