"""Arithmetic of numbers of any size, operation by operation, against mpmath."""

import operator

import numpy as np
import pytest
from mpmath import mp, mpf

from ntklib.kernels import NTK, RectifiedPower, ReLU, Step
from ntklib.kernels._wide import Wide, extended, narrow, over, positive, weighted_sum, where
from ntklib.kernels.duals import homogeneous

EPS = mpf(2) ** -52
MANTISSAS = np.array([1.0, 0.75, -1.3, 1.9999, 0.0, 1e-300, -1e300, 3.0, -0.5])
EXPONENTS = np.array([0, 2000, -5001, 1, 7, 40_000, 12_345, -1, 2000])


def exact(x):
    """The numbers as mpmath has them."""
    return [mpf(float(m)) * mpf(2) ** int(e) for m, e in zip(x.mantissa, x.exponent, strict=True)]


def agree(x, truths, ulps=2):
    for value, truth in zip(exact(x), truths, strict=True):
        assert abs(value - truth) <= ulps * EPS * abs(truth), (value, truth)


@pytest.fixture
def pairs():
    x = Wide(MANTISSAS, EXPONENTS)
    i, j = np.indices((9, 9)).reshape(2, -1)
    return x[i], x[j]


@pytest.mark.parametrize("operation", [operator.add, operator.sub, operator.mul, operator.truediv])
def test_arithmetic(operation, pairs):
    x, z = pairs
    if operation is operator.truediv:
        x, z = x[z.mantissa != 0], z[z.mantissa != 0]
    agree(operation(x, z), [operation(a, b) for a, b in zip(exact(x), exact(z), strict=True)])


def test_arithmetic_with_floats():
    x, z = Wide(MANTISSAS, EXPONENTS), np.linspace(-2.0, 2.5, 9)
    with mp.workdps(40):
        agree(x + z, [a + mpf(b) for a, b in zip(exact(x), z, strict=True)])
        agree(z - x, [mpf(b) - a for a, b in zip(exact(x), z, strict=True)])
        agree(2.5 * x, [a * mpf(2.5) for a in exact(x)])
        agree(1 / x[:4], [1 / a for a in exact(x[:4])])


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 16])
def test_powers(n):
    x = Wide(MANTISSAS, EXPONENTS)
    agree(x**n, [a**n for a in exact(x)], ulps=2 * max(n, 1))


def test_functions():
    x = Wide(MANTISSAS, EXPONENTS)
    with mp.workdps(40):
        agree(np.sqrt(np.abs(x)), [mp.sqrt(abs(a)) for a in exact(x)])
        agree(-x, [-a for a in exact(x)], 0)
        signs = np.where(np.arange(9) % 2, -0.0, 0.0)
        agree(np.copysign(x, signs), [-abs(a) if k % 2 else abs(a) for k, a in enumerate(exact(x))], 0)
        agree(np.copysign(x, Wide(signs)), [-abs(a) if k % 2 else abs(a) for k, a in enumerate(exact(x))], 0)
    np.testing.assert_array_equal(np.copysign(2.0, Wide(signs)), np.copysign(2.0, signs))


def test_exponentials():
    z = np.array([0.0, 1.0, -1.0, 1e-9, 30.0, 700.0, -700.0, 5e4, -5e4, 1e9, 0.9999, -1.0001])
    with mp.workdps(40):
        truths = [mp.exp(mpf(float(a))) for a in z]
        for value, truth, a in zip(exact(np.exp(Wide(z))), truths, z, strict=True):
            assert abs(value / truth - 1) <= 2 * EPS * (1 + abs(mpf(float(a))))
        small = [mp.expm1(mpf(float(a))) for a in z[:5]]
        agree(np.expm1(Wide(z[:5])), small, 40)
    tiny = Wide(1.0, -5000)
    agree(np.expm1(tiny)[None], exact(tiny[None]))
    assert narrow(np.expm1(Wide(-1.0, 5000))) == -1
    # beyond every exponent, products of two keep their order
    large, larger = np.exp(Wide(1.0, 2000)), np.exp(Wide(1.0, 2000)) * np.exp(Wide(1.0, 2000))
    assert narrow(large) == np.inf
    assert narrow(large / larger) == 0
    assert narrow(larger / large) == np.inf


def test_floats_come_back():
    z = np.array([1.5, -2.0, 0.0, 1e-310, 1.7e308])
    np.testing.assert_array_equal(narrow(Wide(z)), z)
    np.testing.assert_array_equal(narrow(Wide([1.0, -1.0, 1.0], [5000, 1024, -5000])), [np.inf, -np.inf, 0])
    assert narrow(z) is z
    assert np.signbit(narrow(Wide(-0.0)))


def test_choices():
    x, z = Wide([1.0, 2.0, 0.0], 3000), np.array([5.0, 0.0, 6.0])
    agree(where(np.array([True, False, True]), x, z), [exact(x)[0], mpf(0), mpf(0)], 0)
    np.testing.assert_array_equal(where(z > 0, z, -1.0), [5.0, -1.0, 6.0])
    np.testing.assert_array_equal(positive(x), [True, True, False])
    np.testing.assert_array_equal(positive(z), [True, False, True])
    agree(over(x, z), [exact(x)[0] / 5, mpf(0), mpf(0)])
    np.testing.assert_array_equal(over(z, np.array([2.0, 1.0, 0.0])), [2.5, 0.0, 0.0])
    agree(over(z, x), [5 / exact(x)[0], mpf(0), mpf(0)])


def test_sums():
    x = Wide(MANTISSAS.reshape(3, 3), EXPONENTS.reshape(3, 3))
    weights = np.array([0.5, 2.0, -1.0])
    with mp.workdps(40):
        columns = [exact(x[:, k]) for k in range(3)]
        agree(weighted_sum(weights, x), [mp.fdot(column, map(mpf, weights)) for column in columns])
    np.testing.assert_array_equal(weighted_sum(weights, np.eye(3)), weights)


def test_what_is_not_known_is_refused():
    for function in (np.sin, np.floor):
        with pytest.raises(TypeError):
            function(Wide(1.0))
    with pytest.raises(TypeError):
        np.add.reduce(Wide(np.ones(3)))


def test_shapes():
    x = Wide(np.ones((2, 3)), 5)
    assert (x.shape, x.ndim, len(x)) == ((2, 3), 2, 2)
    assert (x[:, None] * np.ones(4)[:, None]).shape == (2, 4, 3)


@pytest.mark.parametrize("activation", [Step(), ReLU(), RectifiedPower(2), RectifiedPower(3)], ids=str)
@pytest.mark.parametrize(("weight", "bias"), [(1.4, 0.3), (0.7, 0.0), (1e-30, 1e-20), (3.0, 1e200)])
def test_extended_precision_gives_the_bytes_of_wide_numbers(activation, weight, bias, monkeypatch):
    """Rows of ordinary and of any length, with a row of zeros."""
    rng = np.random.default_rng(0)
    for spread in (1, 150, 300):
        X = rng.normal(size=(12, 3)) * 10.0 ** rng.integers(-spread, spread, (12, 1))
        X[3] = 0
        kernel = NTK(depth=3, activation=activation, weight_std=weight, bias_std=bias)
        values = [*kernel(X, eval_gradient=True), kernel.diag(X)]
        with monkeypatch.context() as patch:
            patch.setattr(homogeneous, "extended", lambda lengths, growth, shift: lengths)
            for value, wide in zip(values, [*kernel(X, eval_gradient=True), kernel.diag(X)], strict=True):
                assert value.tobytes() == wide.tobytes()


def test_extended_precision_is_kept_to_its_range():
    x = Wide(np.array([1.5, -3.0, 0.0]), [700, -600, 40_000])
    assert extended(x, 1, 0).tolist() == [np.ldexp(1.5, 700), np.ldexp(-3.0, -600), 0.0]
    assert extended(x, 1, 300) is x
    assert extended(x, 2, 0) is x
    assert extended(Wide(0.0), 2**40, 0) == 0
    wide = np.finfo(np.longdouble).maxexp > 2000
    longer = Wide(x.mantissa.astype(np.longdouble), x.exponent)
    assert (extended(longer, 2, 0) is longer) != wide
