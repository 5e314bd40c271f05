"""Kernels and rows by their angles."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.gaussian_process.kernels import Kernel


def angle_curve(kernel: Any, angles: NDArray, norm: float, n_features: int) -> NDArray:
    """Return k(x, z(angle))/k(x, x) for rows of the given norm, shape (n_angles,)."""
    rows = np.zeros((len(angles), max(n_features, 2)))
    rows[:, 0] = norm * np.cos(angles)
    rows[:, 1] = norm * np.sin(angles)
    first = np.zeros((1, rows.shape[1]))
    first[0, 0] = norm
    scale = float(np.asarray(kernel(first) if isinstance(kernel, Kernel) else kernel(first, first))[0, 0])
    if not scale > 0:
        raise ValueError(f"the kernel of a row with itself is {scale}, it cannot be drawn relative to that")
    return kernel(first, rows)[0] / scale


def data_angles(X: Any, n_bins: int = 60) -> tuple[float, NDArray]:
    """Return the median norm of the rows and the share of their pairs in equal bins of the angle.

    Rows of zeros have no angle and are left out of the histogram.
    """
    dense = X.toarray() if hasattr(X, "toarray") else np.asarray(X, dtype=float)
    norms = np.linalg.norm(dense, axis=1)
    used = norms > 0
    if np.count_nonzero(used) < 2:
        return (float(np.median(norms)) or 1.0), np.full(n_bins, 1.0 / n_bins)
    unit = dense[used] / norms[used, None]
    cosine = np.clip(unit @ unit.T, -1.0, 1.0)[np.triu_indices(len(unit), 1)]
    counts, _ = np.histogram(np.arccos(cosine), bins=n_bins, range=(0.0, np.pi))
    return float(np.median(norms[used])), counts / counts.sum()


def cosines(gram: NDArray) -> NDArray:
    """Scale a Gram matrix to ones on the diagonal; rows of a zero diagonal entry stay zero."""
    scale = np.sqrt(np.clip(np.diag(gram), 0.0, None))
    inverse = np.divide(1.0, scale, out=np.zeros_like(scale, dtype=float), where=scale > 0)
    return gram * inverse[:, None] * inverse[None, :]
