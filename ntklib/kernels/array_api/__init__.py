"""Closed-form kernels of arrays of other libraries, on their devices, by the array API standard."""

from .distances import laplace_matrix
from .networks import network_diagonal, network_matrix, refuse_gradient

__all__ = ["laplace_matrix", "network_diagonal", "network_matrix", "refuse_gradient"]
