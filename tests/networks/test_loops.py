"""The compiled passes of networks against plain NumPy, small enough for the interpreter."""

from __future__ import annotations

import numpy as np
import pytest

from ntklib import kernels
from ntklib.networks.derivatives.loops import (
    add_squares,
    common_bits,
    multiply_slopes,
    pack_bits,
    slope_levels,
    write_signals,
    write_slopes,
    write_two_slopes,
    write_values,
)
from ntklib.networks.tangent._tiles import Share, write_shares

pytestmark = pytest.mark.compiled

ACTIVATIONS = [
    kernels.ReLU(),
    kernels.LeakyReLU(0.2),
    kernels.Step(),
    kernels.Sign(),
    kernels.Abs(),
    kernels.Identity(),
    kernels.RectifiedPower(2),
    kernels.RectifiedPower(3),
    kernels.Monomial(4),
    kernels.GELU(),
]


@pytest.fixture(params=[np.float64, np.float32])
def z(request):
    values = np.random.default_rng(0).standard_normal((5, 70)).astype(request.param)
    values[0, :3] = 0.0, -0.0, 1.0
    return values


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_values_and_slopes_go_where_they_belong(activation, z):
    factors = np.arange(1, 71).astype(z.dtype)
    tight = {"rtol": 4 * np.finfo(z.dtype).eps, "atol": 0}
    for write, expected in (
        (lambda out: write_values(activation, z, out, 2, 3), activation(z)),
        (lambda out: write_slopes(activation, z, factors, out, 2, 3), activation.derivative(z) * factors),
        (lambda out: write_slopes(activation, z, factors[:0], out, 2, 3), activation.derivative(z)),
    ):
        out = np.full((9, 80), 7, z.dtype)
        write(out)
        np.testing.assert_allclose(out[2:7, 3:73], expected, **tight)
        out[2:7, 3:73] = 7
        assert np.all(out == 7)


@pytest.mark.parametrize("activation", [kernels.ReLU(), kernels.LeakyReLU(0.2), kernels.Abs()], ids=repr)
def test_values_slopes_and_squares_in_one_pass(activation, z):
    factors = np.arange(1, 71).astype(z.dtype)
    values, slopes = np.full((2, 9, 80), 7, z.dtype)
    squares = np.full((9, 2), 0.5)
    write_two_slopes(slope_levels(activation), z, factors, values, slopes, 2, 3, squares)
    eps = np.finfo(z.dtype).eps
    for place, (found, expected) in enumerate(
        [(values, activation(z)), (slopes, activation.derivative(z) * factors)]
    ):
        np.testing.assert_allclose(found[2:7, 3:73], expected, rtol=4 * eps, atol=0)
        found[2:7, 3:73] = 7
        assert np.all(found == 7)
        lengths = (expected.astype(float) ** 2).sum(axis=1)
        np.testing.assert_allclose(squares[2:7, place] - 0.5, lengths, rtol=70 * eps)
    assert np.all(squares[[0, 1, 7, 8]] == 0.5)


@pytest.mark.parametrize("segment", [1, 32, 70, 100])
def test_squares_are_added(segment, z):
    out = np.full(5, 0.5)
    add_squares(z, segment, out)
    expected = (z.astype(float) ** 2).sum(axis=1)
    np.testing.assert_allclose(out - 0.5, expected, rtol=70 * np.finfo(z.dtype).eps)


@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize("parts", ["hidden", "top", "both"])
def test_shares_of_layers_are_summed_in_their_place(parts, add, z):
    rng = np.random.default_rng(2)
    H, D, T = (rng.standard_normal((5, 70)).astype(z.dtype) for _ in range(3))
    hidden = Share(H, 0.5, -0.25, D) if parts != "top" else None
    top = Share(T, 3.0, 0.125) if parts != "hidden" else None
    expected = np.full((5, 70), 7.0 if add else 0.0)
    if hidden:
        expected += (0.5 * H.astype(float) - 0.25) * D
    if top:
        expected += 3.0 * T.astype(float) + 0.125
    out = np.full((9, 80), 7, z.dtype)
    write_shares(hidden, top, out, 2, 3, add=add)
    np.testing.assert_allclose(out[2:7, 3:73], expected, rtol=0, atol=100 * np.finfo(z.dtype).eps)
    out[2:7, 3:73] = 7
    assert np.all(out == 7)


@pytest.mark.parametrize("activation", [kernels.ReLU(), kernels.LeakyReLU(0.2), kernels.Abs()], ids=repr)
def test_levels_are_the_two_values_that_a_slope_takes(activation, z):
    low, high = slope_levels(activation)
    np.testing.assert_allclose(np.where(z >= 0, high, low), activation.derivative(z), rtol=1e-6)


@pytest.mark.parametrize("activation", [kernels.Step(), kernels.RectifiedPower(2), kernels.GELU()], ids=repr)
def test_other_slopes_have_no_levels(activation):
    assert slope_levels(activation) is None


@pytest.mark.parametrize("columns", [1, 63, 64, 65, 256, 300, 512])
@pytest.mark.parametrize("rows", [1, 2, 5])
def test_bits_are_packed_and_counted(rows, columns):
    z = np.random.default_rng(rows * columns).standard_normal((rows, columns)).astype(np.float32)
    words = np.zeros((rows + 1, -(-columns // 64) + 1), np.uint64)
    pack_bits(z, words, 1, 1)
    assert not words[0].any()
    assert not words[:, 0].any()
    products = np.full((rows, rows + 1), np.nan, np.float32)
    with np.errstate(over="ignore"):  # the interpreter's integers warn where machine words wrap
        common_bits(words[1:], np.ascontiguousarray(words.T), 0.5, products)
    active = (z >= 0).astype(int)
    np.testing.assert_array_equal(products[:, 1:], 0.5 * (active @ active.T))
    assert not products[:, 0].any()


@pytest.mark.parametrize("activation", [*ACTIVATIONS, kernels.Tanh()], ids=repr)
def test_passes_of_a_sweep(activation, z):
    rng = np.random.default_rng(1)
    c, v = rng.standard_normal(5).astype(z.dtype), rng.standard_normal(70).astype(z.dtype)
    values, slopes = activation(z), activation.derivative(z)
    # a sum of five terms, a product of four factors: a few units in the last place of the largest term
    close = {"rtol": 0, "atol": 20 * np.finfo(z.dtype).eps * np.abs(values).max() * np.abs(slopes).max()}
    close["atol"] = max(close["atol"], 40 * np.finfo(z.dtype).eps)
    out = np.empty_like(z)
    write_values(activation, z, out, factor=0.5)
    np.testing.assert_allclose(out, 0.5 * values, **close)
    sums = write_signals(activation, z, c, v, 0.5, out)
    np.testing.assert_allclose(out, 0.5 * np.outer(c, v) * slopes, **close)
    np.testing.assert_allclose(sums, c @ values, **close)
    out[...] = 1
    multiply_slopes(activation, z, 0.5, out)
    np.testing.assert_allclose(out, 0.5 * slopes, **close)
