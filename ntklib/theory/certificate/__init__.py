"""Certificates of lazy training from constants at the start."""
