"""Kernels, penalties and scoring where the user chose none, settled by ``benchmarks/tables.py``.

On real tables all grids of ReLU kernels with a bias predict equally well to 0.1 % of accuracy; the criterion
matters as much, and kernels of a distance beside them matter more. Comparing by the calibrated log-loss beats
comparing by accuracy, a coarse and noisy count, in accuracy and in the log-loss of new samples.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.gaussian_process.kernels import Kernel

from ntklib.kernels import NNGP, NTK

# Criterion by which NTKClassifierCV compares kernels and penalties when `scoring` is None.
CLASSIFIER_SCORING = "negative log-loss"

# Penalty of the estimators without search. On standardised data the default kernel's diagonal is near 18,
# and fixed penalties of 0.03 to 0.1 of the diagonal predict best.
DEFAULT_ALPHA = 1.0

_HE = float(np.sqrt(2.0))


def default_kernel() -> Kernel:
    """Kernel of the estimators without search: three hidden ReLU layers, He weights, a bias of variance 1."""
    return NTK(depth=3, weight_std=_HE, bias_std=1.0, input_scaling="fan_in")


def network_kernels() -> list[Kernel]:
    """Kernels of the grid "ntk": NTK of depth 1, 3, 5 and NNGP of 1, 3, bias variances 0.1 and 1."""
    architectures = [(NTK, 1), (NTK, 3), (NTK, 5), (NNGP, 1), (NNGP, 3)]
    return [_relu(kind, depth, variance) for kind, depth in architectures for variance in (0.1, 1.0)]


class Grid(NamedTuple):
    """Kernels that a CV estimator compares by default.

    Attributes
    ----------
    networks : tuple
        NTKs and NNGPs of He weights and a bias of variance 1, by type and depth.
    distances : tuple
        Laplace kernels: norm, exponent, and length scale in median distances by that norm.
    """

    networks: tuple[tuple[type[NTK] | type[NNGP], int], ...]
    distances: tuple[tuple[int, float, float], ...]

    def kernels(self) -> list[Kernel]:
        """Return the kernels of networks."""
        return [_relu(kind, depth, 1.0) for kind, depth in self.networks]


_PRODUCTS = ((1, 1.0, 0.5), (1, 1.0, 2.0), (1, 1.0, 8.0))

REGRESSION_GRID = Grid(((NTK, 1), (NTK, 3), (NNGP, 1), (NNGP, 3)), _PRODUCTS)

# With kernels of the Euclidean distance, the last of them Gaussian: they add to a sum of fits. In regression
# they brought nothing on the tables that defaults are chosen on.
CLASSIFICATION_GRID = Grid(((NTK, 1), (NTK, 3), (NNGP, 1)), (*_PRODUCTS, (2, 1.0, 0.5), (2, 2.0, 2.0)))


def _relu(kind: type[NTK] | type[NNGP], depth: int, bias_variance: float) -> Kernel:
    bias_std = float(np.sqrt(bias_variance))
    return kind(depth=depth, weight_std=_HE, bias_std=bias_std, input_scaling="fan_in")


def default_penalties(scale: float) -> NDArray:
    """Grid of penalties for a Gram of mean diagonal `scale` (0: as 1): half decades, 1e-6 to 10 of it."""
    return (scale or 1.0) * np.logspace(1, -6, 15)
