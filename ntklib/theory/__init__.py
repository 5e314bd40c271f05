"""What can be said exactly: how far a net of finite width is from its limit."""

from ntklib.theory._variance import NTKVariance, ntk_variance, ntk_variance_of

__all__ = ["NTKVariance", "ntk_variance", "ntk_variance_of"]
