"""Kernel ridge regression and classification, at given parameters and with a search for them."""
