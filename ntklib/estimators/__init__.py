"""Kernel regression and classification with scikit-learn's interface.

:class:`NTKRegressor` and :class:`NTKClassifier` fit at a given kernel and penalty;
:class:`NTKRegressorCV` and :class:`NTKClassifierCV` choose both by exact leave-one-out.
"""

from ntklib.estimators._classifier import NTKClassifier
from ntklib.estimators._classifier_cv import NTKClassifierCV
from ntklib.estimators._regressor import NTKRegressor
from ntklib.estimators._regressor_cv import NTKRegressorCV
from ntklib.estimators._search import PenaltyPath
from ntklib.estimators._tangent_features import TangentFeatures
from ntklib.estimators._units import ScaleWarning

__all__ = [
    "NTKClassifier",
    "NTKClassifierCV",
    "NTKRegressor",
    "NTKRegressorCV",
    "PenaltyPath",
    "ScaleWarning",
    "TangentFeatures",
]
