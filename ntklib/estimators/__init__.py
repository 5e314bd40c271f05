"""Kernel regression and classification with scikit-learn's interface.

:class:`NTKRegressor` and :class:`NTKClassifier` fit at a given kernel and penalty;
:class:`NTKRegressorCV` and :class:`NTKClassifierCV` choose both by exact leave-one-out.

:class:`TangentRegressor` and :class:`TangentClassifier` train the tangent model of a network, of finite or
infinite width, by gradient descent; with CV at the end they choose when to stop.
"""

from ntklib.estimators._classifier import NTKClassifier
from ntklib.estimators._classifier_cv import NTKClassifierCV
from ntklib.estimators._network import NetworkClassifier, NetworkRegressor
from ntklib.estimators._penalty_path import PenaltyPath
from ntklib.estimators._regressor import NTKRegressor
from ntklib.estimators._regressor_cv import NTKRegressorCV
from ntklib.estimators._tangent_classifier import TangentClassifier
from ntklib.estimators._tangent_classifier_cv import TangentClassifierCV
from ntklib.estimators._tangent_features import TangentFeatures
from ntklib.estimators._tangent_regressor import TangentRegressor
from ntklib.estimators._tangent_regressor_cv import TangentRegressorCV
from ntklib.estimators._tangent_search import StoppingPath
from ntklib.estimators._units import ScaleWarning

__all__ = [
    "NTKClassifier",
    "NTKClassifierCV",
    "NTKRegressor",
    "NTKRegressorCV",
    "NetworkClassifier",
    "NetworkRegressor",
    "PenaltyPath",
    "ScaleWarning",
    "StoppingPath",
    "TangentClassifier",
    "TangentClassifierCV",
    "TangentFeatures",
    "TangentRegressor",
    "TangentRegressorCV",
]
