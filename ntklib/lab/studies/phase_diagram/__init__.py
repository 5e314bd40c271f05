"""Networks over widths and output scales: the lazy and the feature phase."""

from .result import PhaseBoundary, PhaseDiagramStudy
from .study import phase_diagram_study

__all__ = ["PhaseBoundary", "PhaseDiagramStudy", "phase_diagram_study"]
