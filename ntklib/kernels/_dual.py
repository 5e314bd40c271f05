"""The contract of a dual family: what the Gram driver asks of an activation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from ._architecture import Architecture
    from ._rows import Rows

__all__ = ["Dual"]


class Dual(Protocol):
    """Expectations of an activation under a bivariate normal law, carried through the layers.

    A plan holds what belongs to single rows; it has ``scale`` and ``relative_diagonal``, with
    K_xx = relative_diagonal scale^2, and ``take(slice)``.  Tiles hold what belongs to pairs.
    """

    def magnifies(self, net: Architecture) -> bool:
        """Whether the kernel moves by more than an angle near 0 or pi does.

        Tiles are then given how far the lengths of close rows are apart, too (`signed_gaps`).
        """

    def needs_float64(self, net: Architecture) -> bool:
        """Whether float32 would lose digits on the way from float32 rows to a float32 kernel."""

    def plan(self, net: Architecture, rows: Rows) -> Any:
        """Carry the rows through the layers."""

    def tile(
        self, net: Architecture, x: Any, z: Any, tau: np.ndarray, apart: np.ndarray | None = None
    ) -> np.ndarray:
        """Return K / (scale_x scale_z) from signed gaps, which may be overwritten."""

    def gradient(
        self, net: Architecture, x: Any, z: Any, tau: np.ndarray, apart: np.ndarray | None = None
    ) -> np.ndarray:
        """Return d K / d log (weight_std, bias_std) over scale_x scale_z, shape (2, n, m).

        The scales of a normalised kernel cancel, and count as constants here and in the diagonal.
        """

    def diagonal_gradient(self, net: Architecture, x: Any) -> np.ndarray:
        """Return d K_xx / d log (weight_std, bias_std) over scale_x^2, shape (2, n)."""
