"""Networks against their linearisations, by the scale of the outputs."""

from .result import LocalSlopes, ScaleStudy
from .study import scale_study

__all__ = ["LocalSlopes", "ScaleStudy", "scale_study"]
