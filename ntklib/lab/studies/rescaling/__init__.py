"""One function written with other weights, and where optimisers take it."""

from .measure import rescale
from .result import RescalingStudy
from .study import rescaling_study

__all__ = ["RescalingStudy", "rescale", "rescaling_study"]
