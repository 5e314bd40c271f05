"""Rows of homogeneous networks in motion: derivatives of their lengths and turns in two directions.

The directions are those of the hyperparameters, or of an input: its length, and its angle to another row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["RowMotion"]


@dataclass(frozen=True)
class RowMotion:
    """Derivatives in two directions, one entry of the first axis a layer."""

    log_lengths: np.ndarray  # (depth + 1, 2, n): before the bias
    log_scales: np.ndarray  # (2, n)
    log_bias: np.ndarray  # (2, 1)

    @classmethod
    def none(cls, layers: int, n: int) -> RowMotion:
        """Rows that stay."""
        return cls(np.zeros((layers, 2, n)), np.zeros((2, n)), np.zeros((2, 1)))

    def turn(self, turns: np.ndarray, layer: int, dtype: Any = np.float64) -> np.ndarray:
        """Of the turns a = atan2(b, h) in a table: sin cos (d log b - d log h)."""
        cos, sin = turns[layer, :2].astype(dtype)
        return cos * sin * (self.log_bias - self.log_lengths[layer])

    def tables(self, turns: np.ndarray, *, scales: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Derivatives for loops: of lengths, of turns, and of scales, which may count as constants."""
        of_turns = np.stack([self.turn(turns, layer) for layer in range(len(turns))])
        return self.log_lengths, of_turns, self.log_scales if scales else np.zeros_like(self.log_scales)
