"""The half of a regressor that all families share: from y to targets (n, k), and back to the shape of y."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin

from ._base import KernelEstimator
from ._routing import Metadata
from ._scoring import Criterion, regression_criterion
from ._units import Samples, Units, make_units


class Regression(RegressorMixin, KernelEstimator):
    """A regressor of one or more targets, (n, k) in here."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _samples(self, X: Any, y: Any, sample_weight: Any) -> Samples:
        X, y = self._validate(X, y, multi_output=True, y_numeric=True)
        targets = y.astype(np.float64, copy=not self._reads_blocks).reshape(len(y), -1)
        self._single = y.ndim == 1
        units = make_units(self._view(X), targets, sample_weight, precomputed=self._precomputed)
        return Samples(X, y, units)

    def _criterion(self, scoring: Any, units: Units, metadata: Metadata) -> Criterion:
        return regression_criterion(scoring, units, metadata)

    def _shaped(self, values: NDArray) -> NDArray:
        """Values (m, k), or (m, m, k), without the axis of targets if y had none."""
        return values[..., 0] if self._single else values
