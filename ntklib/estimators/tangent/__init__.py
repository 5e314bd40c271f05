"""Gradient descent on tangent models as estimators."""
