"""Gradient flow in parameter space, integrated and in closed form."""
