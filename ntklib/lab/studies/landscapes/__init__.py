"""Gradient descent on functions simple enough to know every step."""

from .result import LandscapesStudy
from .study import landscapes_study

__all__ = ["LandscapesStudy", "landscapes_study"]
