"""Kernel regression and classification with scikit-learn's interface.

:class:`NTKRegressor` and :class:`NTKClassifier` fit at a given kernel and penalty;
:class:`NTKRegressorCV` and :class:`NTKClassifierCV` choose both by exact leave-one-out.

:class:`TangentRegressor` and :class:`TangentClassifier` train the tangent model of a network, of finite or
infinite width, by gradient descent; with CV at the end they choose when to stop.
:class:`NetworkRegressor` and :class:`NetworkClassifier` train the network itself.

:class:`TangentFeatures`, :class:`ArcCosineFeatures` and :class:`NystromFeatures` are transformers: linear
models on their features are kernel methods.
"""

from ._units import ScaleWarning
from .features import ArcCosineFeatures, NystromFeatures, TangentFeatures
from .network.classifier import NetworkClassifier
from .network.regressor import NetworkRegressor
from .ridge.classifier import NTKClassifier
from .ridge.classifier_cv import NTKClassifierCV
from .ridge.learned import LearnedFeatures
from .ridge.penalty_path import PenaltyPath
from .ridge.regressor import NTKRegressor
from .ridge.regressor_cv import NTKRegressorCV
from .tangent.classifier import TangentClassifier
from .tangent.classifier_cv import TangentClassifierCV
from .tangent.regressor import TangentRegressor
from .tangent.regressor_cv import TangentRegressorCV
from .tangent.stopping_path import StoppingPath

__all__ = [
    "ArcCosineFeatures",
    "LearnedFeatures",
    "NTKClassifier",
    "NTKClassifierCV",
    "NTKRegressor",
    "NTKRegressorCV",
    "NetworkClassifier",
    "NetworkRegressor",
    "NystromFeatures",
    "PenaltyPath",
    "ScaleWarning",
    "StoppingPath",
    "TangentClassifier",
    "TangentClassifierCV",
    "TangentFeatures",
    "TangentRegressor",
    "TangentRegressorCV",
]
