"""Certificates of lazy training from a recorded run."""
