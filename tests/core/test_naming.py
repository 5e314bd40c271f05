"""Kernels in a few words."""

from ntklib import NNGP, NTK, Laplace
from ntklib._core.naming import describe_kernel, short_names


def test_kernels_in_words():
    assert describe_kernel(NTK()) == "NTK()"
    assert describe_kernel(NTK(depth=2, bias_std=1 / 3)) == "NTK(depth=2, bias_std=0.3333)"
    assert short_names([NTK(depth=1), NTK().nngp()]) == ["NTK", "NNGP"]
    assert short_names([NTK(), NTK()]) == ["NTK()", "NTK() (2)"]
    assert describe_kernel(abs) == "abs"


def test_kernels_of_several_types_are_told_apart_by_what_they_have():
    kernels = [NTK(depth=1), NTK(depth=3), NNGP(depth=3), Laplace(1 / 3), Laplace(2.0)]
    names = ["NTK depth 1", "NTK depth 3", "NNGP depth 3"]
    assert short_names(kernels) == [*names, "Laplace length_scale 0.3333", "Laplace length_scale 2"]


def test_sums_and_products_read_as_formulas():
    total = (0.5 * NTK() + Laplace(2.0)) * NTK(depth=2)
    assert describe_kernel(total) == "(0.5 * NTK() + Laplace(length_scale=2)) * NTK(depth=2)"
