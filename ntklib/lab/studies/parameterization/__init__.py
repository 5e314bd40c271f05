"""Gradients and step sizes against width, by parameterisation."""
