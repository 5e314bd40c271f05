"""The half of a classifier that all families share: from labels to targets, from outputs to classes."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight

from ._base import KernelEstimator
from ._routing import Metadata
from ._scoring import Criterion, classification_criterion, decision_values, predicted_labels
from ._units import Samples, Units, make_units
from .rows import check_finite_values


class Classification(ClassifierMixin, KernelEstimator):
    """A classifier by regression on one column a class, or one in all for two classes.

    `_outputs` are the values of these regressions.
    """

    class_weight: Any = None
    classes_: NDArray
    _single = False

    def _samples(self, X: Any, y: Any, sample_weight: Any) -> Samples:
        X, y = self._validate(X, y)
        weights = None
        if sample_weight is not None:
            check_finite_values(sample_weight, "sample_weight")
            weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        check_classification_targets(y)
        classes = np.unique(y if weights is None or not weights.any() else y[weights > 0])
        if len(classes) < 2:
            raise ValueError(
                f"{type(self).__name__} needs samples of at least 2 classes, got 1 class: "
                f"{classes.tolist()[0]!r}."
            )
        self._set_classes(classes)
        labels = np.searchsorted(classes, y) % len(classes)  # those of weight 0 drop out below
        targets = class_targets(labels, len(classes), self._absent)
        factor = _class_factor(self.class_weight, y, labels, weights)
        rows = self._view(X)
        units = make_units(rows, targets, weights, factor, precomputed=self._precomputed, labels=labels)
        return Samples(X, y, units)

    def _set_classes(self, classes: NDArray) -> None:
        self.classes_ = classes

    @property
    def _absent(self) -> float:
        """Target of samples of other classes."""
        return -1.0

    @property
    def _temperature(self) -> float | None:
        """Temperature of the probabilities, where it does not depend on the samples."""
        return None

    def _criterion(self, scoring: Any, units: Units, metadata: Metadata) -> Criterion:
        return classification_criterion(scoring, units, self.classes_, self._temperature, metadata)

    def decision_function(self, X: Any) -> NDArray:
        """Decision values: near +1 for members of a class and -1 for others, or log-odds with the log-loss.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (m, d)
            With ``kernel="precomputed"``, the kernel between the rows and the training samples, (m, n).

        Returns
        -------
        ndarray of shape (m,) for two classes, where positive means ``classes_[1]``, else (m, n_classes)
        """
        return decision_values(self._outputs(X))

    def predict(self, X: Any) -> NDArray:
        """Class of the largest decision value at each row of X, shape (m,)."""
        outputs = self._outputs(X)  # says so if there was no fit
        return self.classes_[predicted_labels(outputs)]

    @available_if(lambda self: self._has_probabilities)
    def predict_proba(self, X: Any) -> NDArray:
        """Class probabilities: softmax of the decision values, over the temperature if one is fitted.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (m, d)

        Returns
        -------
        ndarray of shape (m, n_classes)
            Columns in the order of ``classes_``; rows sum to 1.

        Notes
        -----
        Absent with ``calibrate=False``, and from :class:`TangentClassifier` and :class:`NetworkClassifier`
        with other losses than the log-loss. If the kernel of ridge classification cannot tell the training
        samples apart, since it is 0 or constant on them, these are the shares of the classes.
        """
        return self._probabilities(self._outputs(X))

    @abstractmethod
    def _probabilities(self, outputs: NDArray) -> NDArray:
        """Probabilities of the classes, (m, n_classes), by outputs."""

    @property
    def _has_probabilities(self) -> bool:
        return True


def class_targets(labels: NDArray, n_classes: int, absent: float = -1.0) -> NDArray:
    """Targets of samples: 1 in the column of their class, one column in all for two classes."""
    one_hot = labels[:, None] == np.arange(n_classes)
    return np.where(one_hot[:, 1:] if n_classes == 2 else one_hot, 1.0, absent)


def _class_factor(class_weight: Any, y: NDArray, labels: NDArray, weights: NDArray | None) -> NDArray | None:
    """Weight of each sample's class; "balanced" ones make the weights of all classes sum to the same."""
    if class_weight is None:
        return None
    if not (isinstance(class_weight, str) and class_weight == "balanced"):
        return compute_sample_weight(class_weight, y)
    totals = np.bincount(labels, weights=weights)
    return (totals.mean() / totals)[labels]
