"""Losses, their derivatives and their names."""
