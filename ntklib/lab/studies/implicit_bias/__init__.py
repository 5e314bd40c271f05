"""Implicit bias: the solutions that training ends at."""
