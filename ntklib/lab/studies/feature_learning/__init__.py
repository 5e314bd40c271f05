"""Teacher and student: feature learning by scale and parameterisation."""

from .result import FeatureLearningStudy, MeanFieldLimit, NeuronPaths
from .study import feature_learning_study

__all__ = ["FeatureLearningStudy", "MeanFieldLimit", "NeuronPaths", "feature_learning_study"]
