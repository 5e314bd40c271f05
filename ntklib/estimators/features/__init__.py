"""Feature maps: transformers whose features have inner products that are, or approximate, a kernel."""

from .arc_cosine import ArcCosineFeatures
from .nystrom import NystromFeatures
from .tangent import TangentFeatures

__all__ = ["ArcCosineFeatures", "NystromFeatures", "TangentFeatures"]
