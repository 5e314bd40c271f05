"""Kernels in a few words."""

from ntklib import NTK
from ntklib._core.naming import describe_kernel, short_names


def test_kernels_in_words():
    assert describe_kernel(NTK()) == "NTK()"
    assert describe_kernel(NTK(depth=2, bias_std=1 / 3)) == "NTK(depth=2, bias_std=0.3333)"
    assert short_names([NTK(depth=1), NTK().nngp()]) == ["NTK", "NNGP"]
    assert short_names([NTK(), NTK()]) == ["NTK()", "NTK() (2)"]
    assert describe_kernel(abs) == "abs"
