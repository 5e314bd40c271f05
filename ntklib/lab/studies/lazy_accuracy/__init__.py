"""Networks by the scale of their outputs, beside linear models: test accuracy and features."""

from .result import LazyAccuracyStudy, LinearModel
from .study import lazy_accuracy_study

__all__ = ["LazyAccuracyStudy", "LinearModel", "lazy_accuracy_study"]
