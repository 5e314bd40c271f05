"""The criterion of lazy training at scaled weights."""

from .result import HomogeneityStudy
from .study import homogeneity_study

__all__ = ["HomogeneityStudy", "homogeneity_study"]
