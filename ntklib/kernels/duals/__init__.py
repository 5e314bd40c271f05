"""Gaussian duals: expectations of activations, carried through the layers."""
