"""Learned features: scales of the columns by recursive feature machines, chosen on held-out folds."""

from .estimator import LearnsFeatures
from .importances import FeatureImportances
from .outcome import LearnedFeatures

__all__ = ["FeatureImportances", "LearnedFeatures", "LearnsFeatures"]
