"""Gradients and step sizes against width, by parameterisation."""

from .result import ParameterizationStudy
from .study import parameterization_study

__all__ = ["ParameterizationStudy", "parameterization_study"]
