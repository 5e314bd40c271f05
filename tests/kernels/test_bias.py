"""Rows far smaller and far larger than the bias: values, gradients and the laws, at every angle."""

import functools

import numpy as np
import pytest
from mpmath import mp, mpf
from scipy import sparse

from ntklib.kernels import NNGP, NTK, Exp, RectifiedPower
from tests import oracle_duals, oracles
from tests.kernel_fuzz import Case, exact, exact_gradient
from tests.registry import ACTIVATIONS

HOMOGENEOUS = [entry for entry in ACTIVATIONS if entry.order is not None]
SMOOTH = [
    entry
    for entry in ACTIVATIONS
    if entry.order is None and entry.oracle and not isinstance(entry.activation, Exp)
]
RECTIFIED_CUBE = RectifiedPower(3)
TYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def rows_of(size, features, dtype):
    """Rows of a size at acute, obtuse and straight angles, and of a third of it, a double, and none."""
    rng = np.random.default_rng(int(features))
    x, y = rng.normal(size=(2, features))
    X = np.array([x, -x, y, -y, x / 3, -x / 3, 2 * x + 1e-3 * y, 1e-3 * y - x, 1e-3 * x - y, 0 * x])
    return (size * X).astype(dtype)


def ratios(dtype):
    return [1e-300, 1e-30, 1e-8, 1e-3, 1e3, 1e30, 1e300] if dtype == np.float64 else [1e-36, 1e-5, 1e5, 1e17]


@TYPES
@pytest.mark.parametrize("features", [1, 6])
@pytest.mark.parametrize("kind", [NNGP, NTK])
@pytest.mark.parametrize("entry", HOMOGENEOUS, ids=str)
def test_laws_at_every_ratio_of_length_to_bias(entry, kind, features, dtype):
    for ratio in ratios(dtype):
        size, bias = (1.0, 1 / ratio) if ratio > 1 else (ratio, 1.0)
        X = rows_of(size, features, dtype)
        for depth in (1, 2, 5, 12):
            kernel = kind(depth, entry.activation, weight_std=0.8, bias_std=bias, normalized=True)
            K = kernel(X)
            np.testing.assert_array_equal(K, K.T)
            np.testing.assert_array_equal(np.diag(K), np.ones(len(X)))
            assert abs(K).max() <= 1 + 4 * np.finfo(dtype).eps
            assert np.linalg.eigvalsh(K.astype(float))[0] >= -(len(X) ** 2) * np.finfo(dtype).eps
            np.testing.assert_array_equal(kernel.diag(X), np.diag(K))
            assert not np.isnan(kernel.set_params(normalized=False)(X)).any()


@TYPES
@pytest.mark.parametrize("entry", HOMOGENEOUS, ids=str)
def test_small_rows_are_all_alike(entry, dtype):
    """sigma(b) at depth 1: to first order in the ratio, E[sigma(b g)^2] for every pair."""
    degree = entry.order
    for ratio in (1e-12, 1e-30) if dtype == np.float32 else (1e-17, 1e-100, 1e-300):
        X = rows_of(ratio, 3, dtype)
        K = NNGP(1, entry.activation, bias_std=1.0)(X)
        zero = NNGP(1, entry.activation, bias_std=1.0)(0 * X)
        np.testing.assert_allclose(K, zero, rtol=8 * np.finfo(dtype).eps, err_msg=str((degree, ratio)))


@TYPES
@pytest.mark.parametrize(
    ("x", "z"), [(-4.44232486e-4, 3.47142668e-5), (-1e-8, 4e-9), (-5e-9, 5e-10), (-3e-2, 1e-3)]
)
@pytest.mark.parametrize("depth", [1, 4])
def test_obtuse_rows_below_the_bias(x, z, depth, dtype):
    """The first three were 20 to 50 % off."""
    x, z = np.array([x], dtype), np.array([z], dtype)
    options = {"depth": depth, "weight_std": 1.3, "bias_std": 1.0}
    for activation, duals in (
        ("relu", oracle_duals.rectified_power(1)),
        ("abs", oracle_duals.ab_relu(-1, 1)),
        ("identity", oracle_duals.monomial(1)),
        ("sign", oracle_duals.sign()),
    ):
        truths = oracles.deep(duals, x, z, **options)
        for kind, truth in zip((NNGP, NTK), truths, strict=True):
            K = kind(activation=activation, **options)(np.stack([x, z]))
            error = abs(float(K[0, 1]) - float(truth)) / np.sqrt(float(K[0, 0]) * float(K[1, 1]))
            assert error <= (1e-12 if dtype == np.float64 else 4e-6), (activation, kind)


@pytest.mark.parametrize("size", [1e-12, 1e-8, 1e-4])
@pytest.mark.parametrize("kind", [NNGP, NTK])
@pytest.mark.parametrize("activation", ["relu", "abs", "step"])
def test_gradients_of_rows_below_the_bias(activation, kind, size):
    duals = {
        "relu": oracle_duals.rectified_power(1),
        "abs": oracle_duals.ab_relu(-1, 1),
        "step": oracle_duals.rectified_power(0),
    }[activation]
    X = rows_of(size, 2, np.float64)[[0, 1, 2, 5, 7]]
    options = {"depth": 2, "weight_std": 1.3, "bias_std": 0.7}
    K, gradient = kind(activation=activation, **options)(X, eval_gradient=True)
    for i, j in ((0, 1), (0, 2), (1, 3), (2, 4), (3, 4)):
        truths = oracles.deep_gradient(duals, X[i], X[j], **options)
        for k, name in enumerate(("bias_std", "weight_std")):
            truth = float(truths[name][int(kind is NTK)])
            bound = 1e-10 * abs(truth) + 1e-12 * np.sqrt(K[i, i] * K[j, j])
            assert abs(gradient[i, j, k] - truth) <= bound, (i, j, name)


def _steps(x, z, depth, w, b, odd):
    """Normalised NNGP of a deep network of steps, or signs, by the angles of its layers."""
    with mp.workdps(1300):
        w, b = mpf(w), mpf(b)
        u, v = ([*(w * mpf(float(e)) for e in row), b] for row in (x, z))
        a, c = mp.fdot(u, u) * mp.fdot(v, v), mp.fdot(u, v)
        sine = mp.sqrt(a - c * c)
    with mp.workdps(400):
        theta = mp.atan2(sine, c)
        slope, size = (2 / mp.pi, mpf(1)) if odd else (1 / (2 * mp.pi), mpf(1) / 2)
        for _ in range(depth):
            gap = w * w * slope * theta / (w * w * size + b * b)
            theta = 2 * mp.asin(mp.sqrt(gap / 2))
        return 1 - gap


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("activation", ["step", "sign"])
def test_steps_of_rows_whose_lengths_are_ulps_apart(activation, form):
    """A bias makes an angle of the difference of lengths, which is lost if lengths are rounded first."""
    x = np.array([0.3, -1.1, 0.7, 0.2])
    other = x.copy()
    other[1] = np.nextafter(x[1], 9)
    X = np.array([x, other, x * (1 + 1e-9), x * (1 + 1e-12) + [0, 0, 1e-13, 0], 2 * x])
    for depth in (2, 3, 12):
        kernel = NNGP(depth, activation, weight_std=0.8, bias_std=0.5, normalized=True)
        K, gradient = kernel(form(X), eval_gradient=True)
        for i, j in ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (0, 4)):
            truth = functools.partial(_steps, X[i], X[j], depth, odd=activation == "sign")
            assert abs(K[i, j] - float(truth(0.8, 0.5))) <= 1e-14, (depth, i, j)
            with mp.workdps(400):
                up, down = mp.exp(mpf("1e-30")), mp.exp(mpf("-1e-30"))
                in_b = (truth(0.8, 0.5 * up) - truth(0.8, 0.5 * down)) / mpf("2e-30")
                in_w = (truth(0.8 * up, 0.5) - truth(0.8 * down, 0.5)) / mpf("2e-30")
            np.testing.assert_allclose(gradient[i, j], [float(in_b), float(in_w)], rtol=0, atol=1e-14)


@pytest.mark.parametrize("size", [1e-300, 1e-3, 1e300])
@pytest.mark.parametrize("activation", ["step", "sign"])
def test_steps_take_a_root_of_the_angle_at_every_layer(activation, size):
    """Angles of 1e-300, whose gaps are no floats, are of order 1 after twelve layers."""
    X = min(size, 1.0) * np.array([[1.0, 2.0], [-1.0, 0.3], [-1.0, -2.0], [2.0, 4.0], [-1.3, -2.0]])
    w, b = 0.8, min(1.0, 1 / size)
    for depth in (1, 2, 5, 12):
        kernel = NNGP(depth, activation, weight_std=w, bias_std=b, normalized=True)
        K, gradient = kernel(X, eval_gradient=True)
        for i, j in ((0, 1), (0, 2), (0, 3), (1, 4), (2, 3)):
            pair, odd = (X[i], X[j]), activation == "sign"
            assert abs(K[i, j] - float(_steps(*pair, depth, w, b, odd))) <= 1e-13, (depth, i, j)
            with mp.workdps(400):
                up, down = mp.exp(mpf("1e-30")), mp.exp(mpf("-1e-30"))
                in_w = _steps(*pair, depth, w * up, b, odd) - _steps(*pair, depth, w * down, b, odd)
                in_b = _steps(*pair, depth, w, b * up, odd) - _steps(*pair, depth, w, b * down, odd)
                truth = np.array([in_b, in_w]) / mpf("2e-30")
            assert abs(gradient[i, j] - truth.astype(float)).max() <= 1e-13, (depth, i, j)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("activation", ["step", "sign"])
def test_steps_of_parallel_rows_with_a_bias_between_their_lengths(activation, dtype):
    """It turns them to nearly a right angle, whose cosine was rounded to half of its digits."""
    x, tolerance = np.array([0.3, -1.1, 0.7]), 1e-14 if dtype == np.float64 else 1e-6
    for ratio, depth in ((1e-2, 2), (1e-5, 2), (1e-8, 2), (1e-8, 3)):
        X = np.outer([ratio, 1 / ratio, 3 / ratio, -ratio], x).astype(dtype)
        kernel = NNGP(depth, activation, weight_std=0.8, bias_std=0.5, normalized=True)
        values = [kernel(form(X), eval_gradient=True) for form in (np.asarray, sparse.csr_array)]
        for i, j in ((0, 1), (1, 2), (1, 3)):
            truth = functools.partial(_steps, X[i], X[j], depth, odd=activation == "sign")
            with mp.workdps(400):
                up, down = mp.exp(mpf("1e-30")), mp.exp(mpf("-1e-30"))
                in_b = (truth(0.8, 0.5 * up) - truth(0.8, 0.5 * down)) / mpf("2e-30")
                in_w = (truth(0.8 * up, 0.5) - truth(0.8 * down, 0.5)) / mpf("2e-30")
            for K, gradient in values:
                assert abs(K[i, j] - float(truth(0.8, 0.5))) <= tolerance, (ratio, depth, i, j)
                np.testing.assert_allclose(gradient[i, j], [float(in_b), float(in_w)], rtol=0, atol=1e-14)


@pytest.mark.parametrize("form", [np.asarray, np.float32, sparse.csr_array], ids=["64", "32", "sparse"])
def test_parallel_rows_are_parallel_at_every_depth(form):
    """A rounding error of 1e-16 in their angle was one of 0.2 after twelve layers of steps."""
    rows = np.random.default_rng(0).integers(-50, 50, (6, 5)).astype(float)
    i = np.arange(6)
    for depth in (1, 2, 5, 12):
        for activation in ("step", "sign", "relu"):
            K = NNGP(depth, activation, normalized=True)(
                form(np.vstack([rows, 3 * rows, 7 * rows, -3 * rows]))
            )
            np.testing.assert_allclose(
                K[[i, i, i + 6], [i + 6, i + 12, i + 12]], 1.0, rtol=1e-6 if form is np.float32 else 1e-15
            )
            if activation == "sign":
                np.testing.assert_allclose(K[i, i + 18], -1.0, rtol=1e-6 if form is np.float32 else 1e-15)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_nearly_parallel_rows_of_different_lengths(form):
    """Angles of 1e-14 to 1e-6 between x and about 3 x, magnified by six layers of steps."""
    rng, options = np.random.default_rng(1), {"depth": 6, "weight_std": 2**0.5}
    x = rng.normal(size=7)
    for angle in (1e-14, 1e-11, 1e-8, 1e-6):
        z = 3 * x + angle * rng.normal(size=7)
        K = NNGP(activation="step", **options)(form(np.stack([x, z])))
        truth = float(oracles.deep(oracle_duals.rectified_power(0), x, z, **options)[0])
        assert abs(K[0, 1] - truth) <= 1e-12


def test_lengths_beyond_any_float_have_kernels_within():
    """At depth 12 the lengths of z^3 networks are powers 3^12; K(0, x) was NaN and normalised kernels 0."""
    X = np.array([[0.0, 0.0], [1.0, 2.0], [1e-3, 1e-3], [1e5, 3e5]])
    with np.errstate(over="ignore"):
        K = NNGP(12, RECTIFIED_CUBE)(X)
    assert not np.isnan(K).any()
    np.testing.assert_array_equal(K[0], np.zeros(4))
    assert K[2, 2] == 0
    assert K[3, 3] == np.inf
    normalized = NNGP(12, RECTIFIED_CUBE, normalized=True)(X)
    np.testing.assert_array_equal(np.diag(normalized), [0, 1, 1, 1])
    for scale in (1e3, 1e60, 1e300):
        pair = np.array([[scale], [1 / scale]])
        assert NNGP(3, RECTIFIED_CUBE)(pair)[0, 1] == pytest.approx(
            NNGP(3, RECTIFIED_CUBE)([[1.0]])[0, 0], rel=1e-9
        )


@pytest.mark.parametrize("bias", [1e-3, 0.3])
@pytest.mark.parametrize("size", [5.0, 1e6, 1e13])
@pytest.mark.parametrize("entry", SMOOTH, ids=str)
def test_nearly_opposite_rows_of_any_length(entry, size, bias):
    """A sum of rows holds the bias twice: of long rows this and what they differ by are all that is left."""
    rng = np.random.default_rng(5)
    x = size * rng.normal(size=2)
    X = np.array([x, -x, 0.05 * rng.normal(size=2) - x, 0.02 * rng.normal(size=2) + x])
    kernel = NTK(2, entry.activation, weight_std=0.6, bias_std=bias)
    case = Case(entry, kernel, X)
    K, truth = kernel(X), exact(case)
    root = np.sqrt(np.diag(K))
    for i, j in np.ndindex(K.shape):
        assert abs(mpf(K[i, j]) - truth[i, j]) <= 1e-12 * root[i] * root[j]
    if size < 1e13:  # beyond it the oracle's steps lose its digits
        gradient, slopes = kernel(X, eval_gradient=True)[1], exact_gradient(case)
        for i, j, k in np.ndindex(gradient.shape):
            bound = 1e-10 * abs(slopes[i, j, k]) + 1e-12 * root[i] * root[j]
            assert abs(mpf(gradient[i, j, k]) - slopes[i, j, k]) <= bound


@pytest.mark.parametrize("activation", ["erf", "sin", "cos", "gelu"])
def test_biases_whose_squares_no_float_holds(activation):
    """A bias that outweighs the rows makes them one."""
    X = np.array([[1.0], [-2.0]])
    with np.errstate(all="ignore"):
        K = NNGP(2, activation, bias_std=1e200, normalized=True)(X)
        gradient = NNGP(2, activation, bias_std=1e200, normalized=True)(X, eval_gradient=True)[1]
    np.testing.assert_allclose(K, np.ones((2, 2)), rtol=1e-12)
    assert not np.isnan(gradient).any()
