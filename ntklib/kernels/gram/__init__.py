"""Gram matrices: rows made ready, tiles of signed gaps, one write of the output."""
