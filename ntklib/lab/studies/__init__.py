"""Experiments that return a result table: each a function whose frozen result prints, draws and saves itself.

A study is computed in parts that are kept as soon as they are finished (``out=folder``), so that one killed
midway goes on where it was; its random numbers are named by part and draw, so that they depend neither on
the order nor on the number of threads.
"""

from ntklib.lab.power_law import PowerLaw, fit_power_law
from ntklib.lab.result import StudyResult
from ntklib.lab.width_powers import ScalingLaw, predicted_powers

from .criterion.result import CriterionStudy
from .criterion.study import criterion_study
from .feature_learning import FeatureLearningStudy, MeanFieldLimit, NeuronPaths, feature_learning_study
from .homogeneity.result import HomogeneityStudy
from .homogeneity.study import homogeneity_study
from .implicit_bias import (
    ImplicitBiasStudy,
    Influence,
    InfluenceDecay,
    MarginPath,
    MinimumNorm,
    WeightEffect,
    implicit_bias_study,
)
from .kernel_evolution import KernelEvolutionStudy, kernel_evolution_study
from .landscapes import LandscapesStudy, landscapes_study
from .lazy_accuracy.result import LazyAccuracyStudy, LinearModel
from .lazy_accuracy.study import lazy_accuracy_study
from .lazy_decay.result import DecaySetting, LazyDecayStudy
from .lazy_decay.study import lazy_decay_study
from .learning_curve import LearnabilityByMode, LearningCurveStudy, learning_curve_study
from .linearization.result import LinearizationStudy
from .linearization.study import linearization_study
from .parameterization.result import ParameterizationStudy
from .parameterization.study import parameterization_study
from .phase_diagram import PhaseBoundary, PhaseDiagramStudy, phase_diagram_study
from .rescaling.measure import rescale
from .rescaling.result import RescalingStudy
from .rescaling.study import rescaling_study
from .scale.result import LocalSlopes, ScaleStudy
from .scale.study import scale_study
from .valley import ValleyStudy, valley_study
from .width.result import WidthStudy
from .width.study import width_study

__all__ = [
    "CriterionStudy",
    "DecaySetting",
    "FeatureLearningStudy",
    "HomogeneityStudy",
    "ImplicitBiasStudy",
    "Influence",
    "InfluenceDecay",
    "KernelEvolutionStudy",
    "LandscapesStudy",
    "LazyAccuracyStudy",
    "LazyDecayStudy",
    "LearnabilityByMode",
    "LearningCurveStudy",
    "LinearModel",
    "LinearizationStudy",
    "LocalSlopes",
    "MarginPath",
    "MeanFieldLimit",
    "MinimumNorm",
    "NeuronPaths",
    "ParameterizationStudy",
    "PhaseBoundary",
    "PhaseDiagramStudy",
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
    "kernel_evolution_study",
    "landscapes_study",
    "lazy_accuracy_study",
    "lazy_decay_study",
    "learning_curve_study",
    "linearization_study",
    "parameterization_study",
    "phase_diagram_study",
    "predicted_powers",
    "rescale",
    "rescaling_study",
    "scale_study",
    "valley_study",
    "width_study",
]
