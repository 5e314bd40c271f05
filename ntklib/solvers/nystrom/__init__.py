"""Kernel ridge regression on few centres, from sums over rows."""
