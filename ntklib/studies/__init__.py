"""Experiments that return a result table: each a function whose frozen result prints, draws and saves itself.

A study is computed in parts that are kept as soon as they are finished (``out=folder``), so that one killed
midway goes on where it was; its random numbers are named by part and draw, so that they depend neither on
the order nor on the number of threads.
"""

from ntklib.studies._base import StudyResult
from ntklib.studies._criterion import criterion_study
from ntklib.studies._criterion_result import CriterionStudy
from ntklib.studies._feature_learning import feature_learning_study
from ntklib.studies._feature_learning_result import FeatureLearningStudy, MeanFieldLimit, NeuronPaths
from ntklib.studies._homogeneity import homogeneity_study
from ntklib.studies._homogeneity_result import HomogeneityStudy
from ntklib.studies._implicit_bias import ImplicitBiasStudy, implicit_bias_study
from ntklib.studies._implicit_bias_influence import Influence
from ntklib.studies._implicit_bias_margin import MarginPath
from ntklib.studies._implicit_bias_norm import MinimumNorm
from ntklib.studies._implicit_bias_weights import WeightEffect
from ntklib.studies._lazy import lazy_study
from ntklib.studies._lazy_decay import lazy_decay_study
from ntklib.studies._lazy_decay_result import LazyDecayStudy
from ntklib.studies._lazy_decay_setting import DecaySetting
from ntklib.studies._lazy_result import LazyStudy, LinearModel
from ntklib.studies._linearization import linearization_study
from ntklib.studies._linearization_result import LinearizationStudy
from ntklib.studies._parameterization import parameterization_study
from ntklib.studies._parameterization_result import ParameterizationStudy
from ntklib.studies._power_law import PowerLaw, fit_power_law
from ntklib.studies._rescaled import rescale
from ntklib.studies._rescaling import rescaling_study
from ntklib.studies._rescaling_result import RescalingStudy
from ntklib.studies._scale import scale_study
from ntklib.studies._scale_result import LocalSlopes, ScaleStudy
from ntklib.studies._scaling import ScalingLaw, predicted_powers
from ntklib.studies._valley import ValleyStudy, valley_study
from ntklib.studies._width import width_study
from ntklib.studies._width_result import WidthStudy

__all__ = [
    "CriterionStudy",
    "DecaySetting",
    "FeatureLearningStudy",
    "HomogeneityStudy",
    "ImplicitBiasStudy",
    "Influence",
    "LazyDecayStudy",
    "LazyStudy",
    "LinearModel",
    "LinearizationStudy",
    "LocalSlopes",
    "MarginPath",
    "MeanFieldLimit",
    "MinimumNorm",
    "NeuronPaths",
    "ParameterizationStudy",
    "PowerLaw",
    "RescalingStudy",
    "ScaleStudy",
    "ScalingLaw",
    "StudyResult",
    "ValleyStudy",
    "WeightEffect",
    "WidthStudy",
    "criterion_study",
    "feature_learning_study",
    "fit_power_law",
    "homogeneity_study",
    "implicit_bias_study",
    "lazy_decay_study",
    "lazy_study",
    "linearization_study",
    "parameterization_study",
    "predicted_powers",
    "rescale",
    "rescaling_study",
    "scale_study",
    "valley_study",
    "width_study",
]
