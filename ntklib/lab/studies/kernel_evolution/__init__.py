"""Tangent kernels along training: distance, velocity, and accuracy in kernel regression on fresh rows."""

from .result import KernelEvolutionStudy
from .study import kernel_evolution_study

__all__ = ["KernelEvolutionStudy", "kernel_evolution_study"]
