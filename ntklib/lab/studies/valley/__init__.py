"""Flat minima: sharpness-aware descent in the widening valley."""
