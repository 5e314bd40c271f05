"""The tangent kernel against its limit, by width."""

from .result import WidthStudy
from .study import width_study

__all__ = ["WidthStudy", "width_study"]
