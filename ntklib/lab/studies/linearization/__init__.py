"""Networks against their tangent models, by width and along training."""

from .result import LinearizationStudy
from .study import linearization_study

__all__ = ["LinearizationStudy", "linearization_study"]
