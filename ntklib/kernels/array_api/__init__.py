"""Closed-form kernels of arrays of other libraries, on their devices, by the array API standard."""

from .distances import laplace_matrix
from .networks import check_array_rows, network_diagonal, network_matrix, refuse_gradient, result_type

__all__ = [
    "check_array_rows",
    "laplace_matrix",
    "network_diagonal",
    "network_matrix",
    "refuse_gradient",
    "result_type",
]
