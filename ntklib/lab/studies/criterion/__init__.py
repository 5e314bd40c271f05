"""The criterion of lazy training, by width."""

from .result import CriterionStudy
from .study import criterion_study

__all__ = ["CriterionStudy", "criterion_study"]
