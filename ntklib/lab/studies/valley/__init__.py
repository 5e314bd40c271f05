"""Flat minima: sharpness-aware descent in the widening valley."""

from .result import ValleyStudy
from .study import valley_study

__all__ = ["ValleyStudy", "valley_study"]
