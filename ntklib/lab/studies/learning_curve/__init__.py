"""Learning curves of kernel regression and of trained networks, beside the predicted ones."""

from .result import LearnabilityByMode, LearningCurveStudy
from .study import learning_curve_study

__all__ = ["LearnabilityByMode", "LearningCurveStudy", "learning_curve_study"]
