"""What the estimators use where the user chose nothing. All of it was settled by measurement."""

from __future__ import annotations

import numpy as np
from sklearn.gaussian_process.kernels import Kernel

from ntklib.kernels import NTK

# Criterion by which NTKClassifierCV compares kernels and penalties when `scoring` is None.
CLASSIFIER_SCORING = "accuracy"

_HE = float(np.sqrt(2.0))


def default_kernel() -> Kernel:
    """Kernel of the estimators without search: three hidden ReLU layers, He weights, a small bias."""
    return NTK(depth=3, weight_std=_HE, bias_std=0.3, input_scaling="fan_in")


def default_kernels() -> list[Kernel]:
    """Kernels the CV estimators compare: depths 1, 2, 3, 5 with bias variances 0, 0.1, 1."""
    return [
        NTK(depth=depth, weight_std=_HE, bias_std=bias_std, input_scaling="fan_in")
        for depth in (1, 2, 3, 5)
        for bias_std in (0.0, float(np.sqrt(0.1)), 1.0)
    ]


def default_penalties(scale: float) -> np.ndarray:
    """Grid of penalties for a Gram of mean diagonal `scale`: half decades, 1e-6 to 1e2 of it."""
    return scale * np.logspace(2, -6, 17)
