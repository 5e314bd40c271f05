"""Outputs and derivatives of networks, in blocks and in sweeps."""
