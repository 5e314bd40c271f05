"""Gradient flows under the bounds of the lazy-training theorems."""
