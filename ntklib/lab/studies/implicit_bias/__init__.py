"""Implicit bias: the solutions that training ends at.

Each part of the study has a file with its record and what computes it: ``norm``, ``margin``, ``weights``,
``influence`` and ``decay``.  They rest on ``flow`` (gradient flow to very late times) and ``svm`` (the
largest margin); ``pieces`` draws the rows and lists what is computed, ``result`` makes the table,
``pictures`` draws.
"""

from .decay import InfluenceDecay
from .influence import Influence
from .margin import MarginPath
from .norm import MinimumNorm
from .result import ImplicitBiasStudy
from .study import implicit_bias_study
from .weights import WeightEffect

__all__ = [
    "ImplicitBiasStudy",
    "Influence",
    "InfluenceDecay",
    "MarginPath",
    "MinimumNorm",
    "WeightEffect",
    "implicit_bias_study",
]
