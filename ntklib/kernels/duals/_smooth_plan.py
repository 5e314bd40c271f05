"""What smooth duals know of single rows, in numbers of any size."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..gram.lengths import Lengths
from .._wide import Wide, narrow, over, positive

__all__ = ["Plan", "inside", "turns_of"]


@dataclass(frozen=True)
class Plan:
    """Rows of a network, layer by layer; wide numbers, or floats after `take` of rows that allow them."""

    lengths: list[Any]  # (depth + 1 of) (n,): standard deviations of the pre-activations without their bias
    radii: list[Any]  # the same with it
    turns: list[np.ndarray]  # (4, n): the turns that the biases give (`Lengths.turned`)
    states: list[Any]  # for each hidden layer, what the dual computed once for each row
    X: Any  # (n, d) the rows
    root: np.ndarray  # and their lengths, root 2^exponent
    exponent: np.ndarray
    factor: float  # what the first layer multiplies a row by
    scale: (
        Lengths  # (n,) what a tile is relative to: 1, or of a normalised kernel sqrt(K_xx) where it is wide
    )
    wide_scale: Any  # the same
    relative_diagonal: np.ndarray
    plain: np.ndarray  # (n,) rows that floats will do for

    def take(self, rows: slice) -> Plan:
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
            scale=self.scale.take(rows),
            wide_scale=self.wide_scale[rows],
            relative_diagonal=self.relative_diagonal[rows],
            plain=self.plain[rows],
        )


def inside(x: Wide, bound: float) -> np.ndarray:
    size = narrow(x)
    return (x.mantissa == 0) | ((size <= bound) & (size >= 1 / bound))


def turns_of(length: Wide, radius: Wide, bias: float) -> np.ndarray:
    """cos a, sin a, tan(a/2) and tan((pi/2 - a)/2) of a = atan2(bias, length)."""
    cos, sin = np.where(positive(radius), narrow(over(length, radius)), 1.0), narrow(over(Wide(bias), radius))
    return np.stack([cos, sin, sin / (1 + cos), cos / (1 + sin)])
