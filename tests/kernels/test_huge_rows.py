"""Rows whose variances no float holds: the right value wherever it is one, and never NaN or a warning."""

import math
import warnings

import numpy as np
import pytest
from mpmath import mp, mpf
from scipy import sparse

from ntklib.kernels import (
    NNGP,
    NTK,
    Erf,
    Exp,
    Gaussian,
    Hermite,
    Identity,
    Monomial,
    NumericalActivation,
    nngp_kernel,
    ntk_kernel,
)
from tests import oracle_duals, oracles
from tests.registry import ACTIVATIONS, CLOSED

LARGEST = mpf(np.finfo(np.float64).max)
SMOOTH = [entry for entry in CLOSED if entry.order is None]
NAMED = [entry for entry in ACTIVATIONS if entry.oracle is None and "Numerical" not in str(entry)]
WAVES = ("Sin", "Cos", "RBF", "Exp")  # their exact values take seconds for rows of 1e300
CASES = [
    (entry, size, options)
    for entry in SMOOTH
    for size, options in (
        (1e155, {}),
        (1e155, {"depth": 2, "weight_std": 0.9, "bias_std": 0.5}),
        (1e308, {"depth": 3, "weight_std": 0.9, "bias_std": 0.5}),
    )
    if size < 1e300 or not str(entry).startswith(WAVES)
    if not options or "Exp" not in str(entry)
    if size < 1e300 or not str(entry).startswith("Hermite") or "1" in str(entry)
]


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def rows(size):
    """Opposite, parallel, near and other rows, a small one and a zero one."""
    X = size * np.array(
        [[0.6, 0.8], [-0.6, -0.8], [1.2, 1.6], [0.6, 0.8 + 1e-9], [0.9, -0.6], [0, 0], [0, 0]]
    )
    X[5] = 1.0, 0.5
    return X


def right(value, truth, scale):
    """Within the bound; infinite only where the exact value or its bound is beyond the floats."""
    if np.isinf(value):
        return abs(truth) + scale / 10**12 > LARGEST / 2
    return abs(mpf(float(value)) - truth) <= scale / 10**12


@pytest.mark.parametrize(("entry", "size", "options"), CASES, ids=str)
def test_values(entry, size, options):
    X = rows(size)
    with mp.workdps(int(5 * math.log10(size))):  # det(I + Sigma) cancels four times as many
        exact = {
            (i, j): oracles.deep(entry.oracle(), X[i], X[j], **options)
            for i in range(7)
            for j in range(i + 1)
        }
        for which, kernel in enumerate((nngp_kernel, ntk_kernel)):
            K = kernel(X, activation=entry.activation, **options)
            cross = kernel(X[1:], X, activation=entry.activation, **options)
            N = kernel(X, activation=entry.activation, normalized=True, **options)
            for (i, j), values in exact.items():
                truth = values[which]
                scale = mp.sqrt(exact[i, i][which] * exact[j, j][which])
                at = f"{kernel.__name__}[{i}, {j}] = {K[i, j]!r} for {mp.nstr(truth, 17)}"
                assert right(K[i, j], truth, scale), at
                assert K[j, i] == K[i, j]
                assert i == 0 or right(cross[i - 1, j], truth, scale), at
                assert right(N[i, j], truth / scale if scale else mpf(0), mpf(1)), f"{at}, {N[i, j]!r}"


def test_erf_grows_like_the_length():
    for size in (1e153, 1e154, 1e155, 1e160, 1e300):
        assert ntk_kernel([[size]], activation=Erf()).item() == pytest.approx(1 + 2 / np.pi * size, rel=1e-14)


@pytest.mark.parametrize(
    "activation", [Monomial(3), Hermite(3), Hermite(5), Erf(), "sin", "gelu", "tanh", "silu"]
)
def test_zero_stays_zero_at_depth(activation):
    for kernel in (nngp_kernel, ntk_kernel):
        K = kernel([[0.0, 0.0], [1.0, 2.0], [1e200, 0.0]], activation=activation, depth=12)
        assert np.array_equal(K[0], np.zeros(3))


@pytest.mark.parametrize("entry", SMOOTH + NAMED, ids=str)
def test_normalized_kernels_are_one_on_the_diagonal(entry):
    X = np.array([[1e200, 3e200], [1e308, 1e308], [2e-200, 0.0], [1.0, -1.0]])
    for depth in (1, 2) if entry in NAMED else (1,) if isinstance(entry.activation, Exp) else (1, 5):
        for kind in (NNGP, NTK):
            kernel = kind(depth=depth, activation=entry.activation, normalized=True)
            K, gradient = kernel(X, eval_gradient=True)
            np.testing.assert_array_equal(np.diag(K), 1)
            assert np.all(np.abs(K) <= 1 + 1e-13)
            assert np.all(np.isfinite(gradient))
            np.testing.assert_array_equal(kernel.diag(X), 1)


@pytest.mark.parametrize("entry", [e for e in SMOOTH if not isinstance(e.activation, Exp)], ids=str)
def test_gradients(entry):
    X, options = rows(1e40)[[0, 1, 3, 5]], {"depth": 2, "weight_std": 0.9, "bias_std": 0.5}
    with mp.workdps(300):
        for which, kind in enumerate((NNGP, NTK)):
            K, gradient = kind(activation=entry.activation, **options)(X, eval_gradient=True)
            for i, j in ((0, 0), (1, 0), (2, 0), (3, 0)):
                exact = oracles.deep_gradient(entry.oracle(), X[i], X[j], step="1e-60", **options)
                for k, name in enumerate(("bias_std", "weight_std")):
                    truth, value = exact[name][which], gradient[i, j, k]
                    if np.isinf(value):
                        assert abs(truth) > LARGEST
                    else:
                        bound = abs(truth) / 10**10 + mp.sqrt(mpf(K[i, i]) * mpf(K[j, j])) / 10**12
                        assert abs(mpf(float(value)) - truth) <= bound, (kind, i, j, name, value, truth)


@pytest.mark.parametrize("offset", [1e4, 3e5, 1e8, 1e10])
@pytest.mark.parametrize("name", ["gelu", "erf", "gaussian"])
def test_rows_far_from_the_origin(name, offset, rng):
    """Columns that were not centred: long rows at small angles, whose order a network has to keep."""
    X = offset + rng.normal(size=(3, 4))
    X = np.vstack([X, 2 * X[:1], X[:1] + 1e-2])
    duals = getattr(oracle_duals, name)()
    for options in ({}, {"depth": 4, "weight_std": 1.3, "bias_std": 0.5}):
        for which, kernel in enumerate((nngp_kernel, ntk_kernel)):
            K = kernel(X, activation=name, **options)
            for i in range(5):
                for j in range(i + 1):
                    truth = oracles.deep(duals, X[i], X[j], **options)[which]
                    error = abs(mpf(K[i, j]) - truth) / math.sqrt(K[i, i] * K[j, j])
                    assert error <= 1e-12, (kernel.__name__, options, i, j, float(error))


def test_rows_that_differ_below_the_range_of_squares():
    """The angle between these is 1e-200, its square no float; the kernel depends on it."""
    X = np.array([[1e200, 0.0], [1e200, 1.0], [-1e200, 2.0]])
    with mp.workdps(1000):
        for entry in SMOOTH:
            if entry.activation in (Erf(), Gaussian()):
                for i, j in ((0, 1), (0, 2), (1, 2)):
                    truth = oracles.deep(entry.oracle(), X[i], X[j], bias_std=1)[1]
                    value = ntk_kernel(X, activation=entry.activation, bias_std=1.0)[i, j]
                    assert abs(mpf(value) - truth) <= mpf("1e-12") * abs(truth)


RIGHT_ANGLES = [
    (Identity(), oracle_duals.monomial(1), 640, {}),
    (Identity(), oracle_duals.monomial(1), 640, {"depth": 3, "weight_std": 0.3, "bias_std": 10.0}),
    (Monomial(3), oracle_duals.monomial(3), 320, {}),
    (Monomial(3), oracle_duals.monomial(3), 200, {"bias_std": 1.0}),
    (Monomial(3), oracle_duals.monomial(3), 120, {"depth": 2}),
    (Hermite(1), oracle_duals.hermite(1), 640, {"depth": 2}),
    (Hermite(3), oracle_duals.hermite(3), 240, {}),
]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("activation", "duals", "exponent", "options"), RIGHT_ANGLES)
def test_right_angles_between_long_rows(activation, duals, exponent, options, dtype, rng):
    """Infinite only where no float holds the value, be the diagonal entries beyond the floats."""
    a, b, c = whole = rng.integers(1, 9, size=(3, 30)).astype(float)
    scale = 2.0 ** (exponent if dtype == np.float64 else exponent // 8)  # as the types' largest numbers
    X, Z = (scale * np.stack(part, axis=1).astype(dtype) for part in (whole, (b * c, -2 * a * c, a * b)))
    info, held = np.finfo(dtype), 0
    for which, kernel in enumerate((nngp_kernel, ntk_kernel)):
        values = np.diagonal(kernel(X, Z, activation=activation, **options))
        for x, z, value in zip(X, Z, values, strict=True):
            with mp.workdps(800):
                truth, xx, zz = (
                    oracles.deep(duals, *pair, **options)[which] for pair in ((x, z), (x, x), (z, z))
                )
                root = mp.sqrt(xx * zz)
            held += root > mpf(float(info.max)) >= abs(truth)
            bound = root / 10**12 if dtype == np.float64 else abs(truth) / 250000 + 10 * root * mpf(2) ** -23
            assert right_within(value, truth, bound, info), (value, truth)
    assert held > 0


def right_within(value, truth, bound, info):
    """No NaN, and infinite only where the exact value is beyond the floats."""
    if np.isinf(value):
        return abs(truth) > mpf(float(info.max))
    return abs(mpf(float(value)) - truth) <= bound


@pytest.mark.parametrize("name", ["gelu", "erf", "gaussian"])
@pytest.mark.parametrize("size", [1.0, 1e4, 1e11])
@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-9, 1e-4])
def test_gradients_of_nearly_parallel_long_rows(name, size, angle):
    """A cosine's rounding error, times the lengths that a deep network gives rows, is far more than one."""
    X, duals = size * np.array([[1.0, 0.0], [np.cos(angle), np.sin(angle)]]), getattr(oracle_duals, name)()
    for options in ({"depth": 5, "bias_std": 0.1}, {"depth": 3, "weight_std": 30.0, "bias_std": 0.1}):
        for which, kind in enumerate((NNGP, NTK)):
            K, gradient = kind(activation=name, **options)(X, eval_gradient=True)
            for i, j in ((0, 0), (1, 0)):
                with mp.workdps(250):
                    exact = oracles.deep_gradient(duals, X[i], X[j], step="1e-50", **options)
                for k, parameter in enumerate(("bias_std", "weight_std")):
                    truth = exact[parameter][which]
                    bound = abs(truth) / 10**10 + mpf(math.sqrt(K[i, i] * K[j, j])) / 10**12
                    assert abs(mpf(gradient[i, j, k]) - truth) <= bound, (kind, options, i, j, parameter)


def _steep(z):
    return np.full_like(z, 1e200)


def test_what_is_not_trained_passes_nothing_on():
    """The square of this derivative is no float, and does not matter to the NNGP kernel."""
    X, steep = np.array([[1.0, 0.0], [0.6, 0.8]]), NumericalActivation(np.tanh, _steep)
    for depth in (1, 2):
        K = nngp_kernel(X, activation=steep, depth=depth)
        np.testing.assert_allclose(K, nngp_kernel(X, activation="tanh", depth=depth), rtol=1e-13)
        assert np.all(np.isinf(ntk_kernel(X, activation=steep, depth=depth)))


def test_functions_that_are_no_numbers_are_named():
    activation = NumericalActivation(np.square, lambda z: 2 * z)
    with pytest.raises(ValueError, match="the activation is inf at"):
        nngp_kernel([[1e200]], activation=activation)
    with pytest.raises(ValueError, match="the derivative is nan at"):
        nngp_kernel([[1.0]], activation=NumericalActivation(np.abs, lambda z: z / np.abs(z)))


def test_functions_of_a_user_beyond_the_floats():
    """Their values there are known only where they have a limit."""
    linear = NumericalActivation(lambda z: z, np.ones_like)
    capped = NumericalActivation(lambda z: np.minimum(z, 1.0), lambda z: (z < 1) * 1.0)
    floored = NumericalActivation(lambda z: np.maximum(z, -1.0), lambda z: (z > -1) * 1.0)
    for activation in (linear, capped, floored):
        with pytest.raises(ValueError, match="needed beyond the largest float"):
            nngp_kernel([[1e308]], activation=activation)
    assert nngp_kernel([[1e306], [1.0]], activation=linear)[0, 1] == pytest.approx(1e306, rel=1e-13)
    bounded = NumericalActivation(np.arctan, lambda z: 1 / (1 + np.square(np.clip(z, -1e150, 1e150))))
    long, longest = (nngp_kernel([[size]], activation=bounded).item() for size in (1e300, 1e308))
    assert longest == pytest.approx(long, rel=1e-12)


@pytest.mark.parametrize("name", ["erf", "sin", "exp", "gaussian", "rbf", "gelu"])
def test_sparse_rows_that_differ_below_the_range_of_squares(name):
    X = np.array([[1e200, 0, 0], [1e200, 1, 0], [-1e200, 1e180, 0], [1e200, 1e150, 3.0], [0, 0, 0]])
    for options in ({}, {"depth": 2, "bias_std": 1.0}):
        kernel = NTK(activation=name, normalized=True, **options)
        for sparse_part, part in zip(
            kernel(sparse.csr_array(X), eval_gradient=True), kernel(X, eval_gradient=True), strict=True
        ):
            np.testing.assert_allclose(sparse_part, part, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("kind", [NNGP, NTK])
def test_normalized_gradients_of_exp_are_finite(kind, depth):
    X = np.array([[1e200, 1.0], [1e200, 2.0], [1e3, 1.0], [1e3, 1.0 + 1e-9], [-1e3, 1.0], [30.0, 1.0]])
    K, gradient = kind(depth=depth, activation=Exp(), normalized=True)(X, eval_gradient=True)
    assert np.all(np.isfinite(gradient))
    assert not np.any(gradient[K == 0])


@pytest.mark.parametrize("bias", [0.0, 0.5])
@pytest.mark.parametrize("size", [1e6, 1e200])
@pytest.mark.parametrize("trainable", ["all", "output", (0,)])
def test_normalized_gradients_of_exp(trainable, size, bias):
    """By hand: long rows at distance e have exp(-w^2 e^2 / 2), whatever their lengths."""
    w, e = 0.9, np.array([0.0, 0.7, 1.0])
    X = np.vstack([np.stack([np.full(3, size), 1 + e], axis=1), [[0.0, 0.0]], [[0.4, 0.3]]])
    kernel = NTK(activation=Exp(), weight_std=w, bias_std=bias, trainable=trainable, normalized=True)
    K, gradient = kernel(X, eval_gradient=True)
    square = (w * (e[:, None] - e)) ** 2
    np.testing.assert_allclose(K[:3, :3], np.exp(-square / 2), rtol=1e-11)
    np.testing.assert_allclose(gradient[:3, :3, -1], -square * np.exp(-square / 2), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(gradient[3:, :3], 0.0, atol=1e-12)
    np.testing.assert_allclose(gradient[:3, :3, :-1], 0.0, atol=1e-12)


def test_normalized_gradients_of_deep_exp_networks():
    X, options = np.array([[4.0, 1.0], [4.0, 1.0 + 1e-6], [3.0, -1.0], [1.2, 0.3], [0, 0]]), {"depth": 2}
    options |= {"weight_std": 0.7, "bias_std": 0.5}
    _, gradient = NTK(activation=Exp(), normalized=True, **options)(X, eval_gradient=True)
    duals = oracle_duals.exp()
    with mp.workdps(300):
        own = [
            (oracles.deep(duals, x, x, **options), oracles.deep_gradient(duals, x, x, **options)) for x in X
        ]
        for i, j in ((1, 0), (2, 0), (3, 1), (3, 2), (4, 0)):
            value = oracles.deep(duals, X[i], X[j], **options)[1]
            slopes = oracles.deep_gradient(duals, X[i], X[j], **options)
            for k, name in enumerate(("bias_std", "weight_std")):
                (vx, gx), (vz, gz) = ((v[1], g[name][1]) for v, g in (own[i], own[j]))
                truth = (slopes[name][1] - value / 2 * (gx / vx + gz / vz)) / mp.sqrt(vx * vz)
                assert abs(mpf(gradient[i, j, k]) - truth) <= abs(truth) / 10**10 + mpf("1e-12"), (i, j, name)


@pytest.mark.parametrize("name", ["sin", "erf", "gelu"])
@pytest.mark.parametrize("size", [0.0, 1e-100, 1e-10, 1e-3])
def test_gradients_beside_a_short_row(name, size):
    x, z, duals = [0.3, -0.2], [0.1 * size, 0.7 * size], getattr(oracle_duals, name)()
    for depth in (1, 2):
        K, gradient = NNGP(depth=depth, activation=name)([x, z], eval_gradient=True)
        with mp.workdps(400):
            truth = oracles.deep_gradient(duals, x, z, step="1e-70", depth=depth)["weight_std"][0]
        assert abs(mpf(gradient[0, 1, 0]) - truth) <= 1e-12 * math.sqrt(K[0, 0]) * math.sqrt(K[1, 1])


def test_functions_of_a_user_between_wide_and_ordinary_rows():
    """Their duals are floats also where the rows are not; the tiny row ends at the bias, or at 0."""
    X = np.array([[1e-28, 0.0], [1.0, 0.5]], dtype=np.float32)
    for bias in (0.0, 0.5):
        K = NTK(
            depth=2, activation=NumericalActivation(np.tanh, lambda z: 1 / np.cosh(z) ** 2), bias_std=bias
        )
        own = NTK(depth=2, activation="tanh", bias_std=bias)
        np.testing.assert_allclose(K(X), own(X), rtol=1e-5, atol=1e-60)
