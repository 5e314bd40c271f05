"""Gradients in the inputs against differences of the kernels, in floats and in 120 digits."""

import warnings

import numpy as np
import pytest
from mpmath import mp, mpf
from scipy import sparse
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from ntklib import EmpiricalNTK, set_threads
from ntklib.kernels import (
    GELU,
    NNGP,
    NTK,
    ABReLU,
    Abs,
    ArcCosine,
    Erf,
    Exp,
    Laplace,
    RectifiedPower,
    ReLU,
    Sin,
    Step,
    gradient_x,
)
from ntklib.networks import MLP
from tests import oracle_duals, oracles
from tests.registry import ACTIVATIONS, kernel_objects

X, Y = (np.random.default_rng(seed).normal(size=(n, 3)) / 4 for seed, n in ((0, 4), (1, 7)))
Y[0] = 0
WEIGHTS = np.random.default_rng(2).normal(size=(7, 2))

DEEP = [{"depth": 3, "bias_std": 0.3}, {"depth": 2, "bias_std": 0.3, "normalized": True}]
DEEP.append({"depth": 2, "normalized": True, "trainable": "hidden"})
COMPOSED = [
    Laplace(1.5) * NTK(bias_std=0.2) + 2.0 * NNGP(bias_std=0.1) ** 2 + WhiteKernel(0.1),
    (Laplace(norm=2) + ConstantKernel(0.5)) * NNGP(activation="erf") * ArcCosine(),
]


def differences(kernel, X, Y, weights, h=2e-5):
    """Differences over h and over 2 h, extrapolated to 0."""
    rates = []
    for step in (h, 2 * h):
        moves = step * np.eye(X.shape[1])
        ends = [[kernel(X + sign * move, Y) @ weights for move in moves] for sign in (1, -1)]
        rates.append((np.stack(ends[0], axis=1) - np.stack(ends[1], axis=1)) / (2 * step))
    return (4 * rates[0] - rates[1]) / 3


def close(actual, truth, tolerance=1e-8):
    np.testing.assert_allclose(actual, truth, rtol=0, atol=tolerance * np.abs(truth).max())


@pytest.mark.parametrize("kernel", kernel_objects() + COMPOSED, ids=str)
def test_kernel_objects(kernel):
    close(gradient_x(kernel, X, Y, WEIGHTS), differences(kernel, X, Y, WEIGHTS))


@pytest.mark.parametrize(
    ("entry", "options"),
    [
        (entry, options)
        for entry in ACTIVATIONS
        for options in (DEEP if entry.oracle else [{"bias_std": 0.3}])
    ],
    ids=str,
)
def test_activations(entry, options):
    kernel = NTK(activation=entry.activation, **options)
    # at 1 / h times the rounding of the kernel, much of which a constant may make up
    rounding = 1e-10 * np.abs(kernel(X, Y) @ WEIGHTS).max()
    truth = differences(kernel, X, Y, WEIGHTS)
    np.testing.assert_allclose(
        kernel.gradient_x(X, Y, WEIGHTS), truth, rtol=0, atol=1e-8 * np.abs(truth).max() + rounding
    )


def exact_gradient(duals, x, z, which, normalized, digits=120, **options):
    with mp.workdps(digits):
        h = mpf(float(np.abs(x).max())) * mpf(10) ** -40

        def value(x, z):
            k = oracles.deep(duals, x, z, **options)[which]
            if normalized:
                corners = (oracles.deep(duals, row, row, **options)[which] for row in (x, z))
                k /= mp.sqrt(mp.fprod(corners))
            return k

        def moved(i, by):
            return [mpf(float(entry)) + by * (i == k) for k, entry in enumerate(x)]

        return [float((value(moved(i, h), z) - value(moved(i, -h), z)) / (2 * h)) for i in range(len(x))]


@pytest.mark.parametrize("bias_std", [0.0, 0.3])
@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize(
    ("activation", "oracle"),
    [
        (ReLU(), oracle_duals.rectified_power(1)),
        (Step(), oracle_duals.rectified_power(0)),
        (RectifiedPower(2), oracle_duals.rectified_power(2)),
        (Erf(), oracle_duals.erf()),
        (GELU(), oracle_duals.gelu()),
        (Sin(), oracle_duals.sin()),
        (Exp(), oracle_duals.exp()),
    ],
    ids=["relu", "step", "squared", "erf", "gelu", "sin", "exp"],
)
def test_close_equal_parallel_and_opposite_rows(activation, oracle, normalized, bias_std):
    """At kinks the mean of the slopes from opposite sides; turned by 1e-9, with a slope of 1e9 for steps."""
    x, turn = np.array([0.25, 0.5]), 1e-9 * np.array([-0.5, 0.25])
    options = {"depth": 2, "bias_std": bias_std, "weight_std": 1.2}
    kernel = NTK(activation=activation, normalized=normalized, **options)
    for z in (x, 2 * x, -x, x + turn, 2 * (x + turn), -x - turn, np.array([0.15, 0.05])):
        truth = exact_gradient(oracle, x, z, 1, normalized, **options)
        size = max(np.abs(truth).max(), np.sqrt(kernel.diag(x[None]) * kernel.diag(z[None]))[0])
        np.testing.assert_allclose(kernel.gradient_x([x], [z], [1.0])[0], truth, rtol=0, atol=2e-9 * size)


@pytest.mark.parametrize("bias_std", [0.3, 5.0])
@pytest.mark.parametrize(("depth", "angle"), [(2, 1e-6), (3, 1e-9), (6, 1e-13), (2, 3e-16)])
@pytest.mark.parametrize(
    ("activation", "oracle"),
    [
        (ReLU(), oracle_duals.rectified_power(1)),
        (Abs(), oracle_duals.ab_relu(-1, 1)),
        (Step(), oracle_duals.rectified_power(0)),
        (RectifiedPower(2), oracle_duals.rectified_power(2)),
    ],
    ids=["relu", "abs", "step", "squared"],
)
def test_kinks_close_to_a_row_in_deep_networks_with_biases(activation, oracle, depth, angle, bias_std):
    """On both sides, down to an ulp: the lengths of such rows differ by less than a rounding."""
    x, y = np.random.default_rng(5).normal(size=(2, 3))
    options = {"depth": depth, "bias_std": bias_std, "weight_std": 1.2}
    for z in (x + angle * y, x - angle * y):
        truth = exact_gradient(oracle, x, z, 1, False, **options)
        value = NTK(activation=activation, **options).gradient_x([x], [z], [1.0])[0]
        np.testing.assert_allclose(value, truth, rtol=0, atol=1e-12 * np.abs(truth).max())


@pytest.mark.parametrize("size", [1e-30, 1e-90, 1e-150])
@pytest.mark.parametrize("trainable", ["all", "output"])
@pytest.mark.parametrize(
    ("activation", "oracle"),
    [
        (ReLU(), oracle_duals.rectified_power(1)),
        (ABReLU(-0.5, 2.0), oracle_duals.ab_relu(-0.5, 2)),
        (RectifiedPower(3), oracle_duals.rectified_power(3)),
    ],
    ids=["relu", "abrelu", "cubed"],
)
def test_biases_that_outweigh_rows(activation, oracle, size, trainable):
    """Angles after the bias are of this order, and gaps of that of its square."""
    x, z = size * np.random.default_rng(4).normal(size=(2, 3))
    options = {"depth": 2, "bias_std": 1.0, "weight_std": 1.2, "trainable": trainable}
    truth = exact_gradient(oracle, x, z, 1, False, digits=600, **options)
    value = NTK(activation=activation, **options).gradient_x([x], [z], [1.0])[0]
    np.testing.assert_allclose(value, truth, rtol=0, atol=1e-12 * np.abs(truth).max())


def beyond(size):
    """Equal, opposite, close, zero and other rows."""
    X = [[0.3, 0.5, 0], [0.3, 0.5, 0], [-0.3, -0.5, 0], [0.3, 0.5, 1e-9], [0, 0, 0], [0, 0, 0.7], [0.6, 1, 0]]
    return size * np.array(X)


@pytest.mark.parametrize("entry", [e for e in ACTIVATIONS if e.oracle], ids=str)
def test_never_nan(entry):
    """Whatever is beyond the floats: kernels, slopes, or single terms; weights of 0 among them."""
    weights = np.array(
        [[1.0, 0.0], [-1.0, 1e300], [0.0, 1e-300], [0.5, 1.0], [1.0, -1.0], [1e-5, 2.0], [0, 1]]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sizes = (1e-300, 0.0, 2), (1e-160, 1e100, 1), (1.0, 1e100, 5), (1e154, 0.3, 1), (1e308, 0.3, 2)
        for size, bias_std, depth in sizes:
            for normalized in (False, True):
                options = {"depth": depth, "bias_std": bias_std, "normalized": normalized}
                kernel, rows = NTK(activation=entry.activation, **options), beyond(size)
                gradient = kernel.gradient_x(rows, rows, weights)
                assert not np.isnan(gradient).any(), (size, bias_std, normalized)


def test_terms_beyond_the_floats():
    """A kernel of order 6: infinite values times small weights, and times weights that are not."""
    kernel, rows, others = NTK(activation=RectifiedPower(3)), X * 2.0**220, Y[1:] * 2.0**220
    assert np.isinf(kernel(rows, others)).any()
    plain = kernel.gradient_x(X, Y[1:], WEIGHTS[1:])
    value = kernel.gradient_x(rows, others, WEIGHTS[1:] * 2.0**-1000)
    close(value / 2.0**100, plain, 1e-13)
    huge = kernel.gradient_x(rows, others, WEIGHTS[1:])
    np.testing.assert_array_equal(huge, np.copysign(np.inf, plain))
    product = kernel * ConstantKernel(1.0) * Laplace()
    assert not np.isnan(gradient_x(product, rows, others, WEIGHTS[1:])).any()


@pytest.mark.parametrize(("norm", "exponent"), [(1, 1), (1, 0.5), (2, 1), (2, 1.7), (2, 2)])
def test_laplace_by_hand(norm, exponent):
    """With equal entries and an equal row, where the mean slope is 0."""
    kernel = Laplace(0.7, norm=norm, exponent=exponent)
    rows, others = X.copy(), Y.copy()
    others[1], others[2, 0], others[3] = rows[0], rows[0, 0], 2.0 * rows[1]
    truth = np.zeros((*rows.shape, 2))
    for i, x in enumerate(rows):
        for j, z in enumerate(others):
            if (x == z).all():
                continue
            distance = np.linalg.norm(x - z, norm)
            slope = np.sign(x - z) if norm == 1 else (x - z) / distance
            value = -exponent * distance ** (exponent - 1) / 0.7**exponent
            value *= np.exp(-((distance / 0.7) ** exponent))
            truth[i] += np.outer(value * slope, WEIGHTS[j])
    close(kernel.gradient_x(rows, others, WEIGHTS), truth, 1e-13)


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e160, 1e300])
@pytest.mark.parametrize(("norm", "exponent"), [(1, 1.0), (2, 1.0), (2, 1.7), (2, 2.0)])
def test_laplace_in_any_unit(norm, exponent, size):
    plain = Laplace(0.7, norm=norm, exponent=exponent).gradient_x(X, Y, WEIGHTS * 1e-10)
    value = Laplace(0.7 * size, norm=norm, exponent=exponent).gradient_x(X * size, Y * size, WEIGHTS * 1e-10)
    close(value * size, plain, 1e-13)


@pytest.mark.parametrize("kernel", kernel_objects(), ids=str)
def test_types_sparse_rows_and_single_outputs(kernel):
    rows, others = np.vstack([X, Y]), np.vstack([Y, -2 * X, 4 * X])
    rows[:, 1] = others[:, 1] = 0
    weights = np.random.default_rng(3).normal(size=(len(others), 2))
    dense = gradient_x(kernel, rows, others, weights)
    assert dense.shape == (11, 3, 2)
    for pair in [(sparse.csr_array(rows), sparse.csr_array(others)), (sparse.csr_array(rows), others)]:
        close(gradient_x(kernel, *pair, weights), dense, 1e-13)
    np.testing.assert_array_equal(gradient_x(kernel, rows, others, weights[:, 1]), dense[:, :, 1])
    single = gradient_x(kernel, rows.astype(np.float32), others.astype(np.float32), weights)
    assert single.dtype == np.float32
    close(single, dense, 1e-6)


@pytest.mark.parametrize("kernel", kernel_objects(), ids=str)
def test_rows_far_from_the_origin(kernel):
    """Columns that were not centred, whose unit rows are measured from an offset."""
    rows, others = X + 30, Y[1:] + 30
    truth = differences(kernel, rows, others, WEIGHTS[1:], 1e-4)
    close(gradient_x(kernel, rows, others, WEIGHTS[1:]), truth, 1e-5)


@pytest.mark.parametrize(
    "kernel",
    [
        NTK(depth=2, bias_std=0.3),
        NTK(),
        NNGP(activation="erf"),
        NNGP(activation=Exp()),
    ],
    ids=str,
)
def test_at_a_row_of_zeros(kernel):
    zero = np.zeros((1, 3))
    close(gradient_x(kernel, zero, Y, WEIGHTS), differences(kernel, zero, Y, WEIGHTS))


@pytest.mark.parametrize(
    "kernel", [ArcCosine(degree=0), NTK(normalized=True), NNGP(activation="sign")], ids=str
)
def test_kernels_that_jump_at_zero_have_no_gradient_there(kernel):
    np.testing.assert_array_equal(gradient_x(kernel, np.zeros((1, 3)), Y, WEIGHTS), np.zeros((1, 3, 2)))
    np.testing.assert_array_equal(gradient_x(kernel, X, np.zeros((1, 3)), [1.0]), np.zeros((4, 3)))


@pytest.mark.parametrize("size", [1e-200, 1e-150, 1e150, 1e200])
@pytest.mark.parametrize(
    "kernel", [NTK(depth=2), NTK(normalized=True), NNGP(activation="relu", depth=3)], ids=str
)
def test_rows_of_any_size(kernel, size):
    """Homogeneous kernels: a gradient of the same order, less one."""
    scale = 1 / size if kernel.normalized else size
    plain = gradient_x(kernel, X, Y, WEIGHTS)
    close(gradient_x(kernel, X * size, Y * size, WEIGHTS) / scale, plain, 1e-11)


def test_one_feature_and_one_row():
    kernel, rows = NTK(bias_std=0.3), X[:, :1]
    close(gradient_x(kernel, rows, Y[:, :1], WEIGHTS), differences(kernel, rows, Y[:, :1], WEIGHTS))
    close(gradient_x(kernel, X[:1], Y[1:2], [2.0]), differences(kernel, X[:1], Y[1:2], np.array([2.0])))


@pytest.mark.parametrize("kernel", [NTK(bias_std=0.1), Laplace(), NNGP() * Laplace(norm=2)], ids=str)
def test_the_same_bytes_at_any_number_of_threads(kernel):
    rows = np.random.default_rng(0).normal(size=(600, 3))
    outcomes = []
    for threads in (1, 3):
        with set_threads(threads):
            outcomes.append(gradient_x(kernel, rows, rows[:520], np.linspace(-1, 1, 520)).tobytes())
    assert outcomes[0] == outcomes[1]


def test_blocks_of_bounded_memory(monkeypatch):
    whole = gradient_x(COMPOSED[0], X, Y, WEIGHTS)
    monkeypatch.setattr("ntklib.kernels.input_gradients.working_memory", lambda: 1)
    close(gradient_x(COMPOSED[0], X, Y, WEIGHTS), whole, 1e-13)


def test_refusals():
    kernel = NTK()
    with pytest.raises(ValueError, match=r"row for each of the 7 rows of Y; got \(4,\)"):
        kernel.gradient_x(X, Y, np.ones(4))
    with pytest.raises(ValueError, match="weights must be finite"):
        kernel.gradient_x(X, Y, np.full(7, np.nan))
    with pytest.raises(ValueError, match="X has 3 features and Y has 2"):
        kernel.gradient_x(X, Y[:, :2], np.ones(7))
    with pytest.raises(ValueError, match="NaN"):
        kernel.gradient_x(np.full((1, 3), np.nan), Y, np.ones(7))
    for other in (RBF(), NTK() + RBF(), lambda X, Y: X @ Y.T, EmpiricalNTK(MLP((3, 4, 1)), random_state=0)):
        with pytest.raises(TypeError, match="no gradients in the inputs"):
            gradient_x(other, X, Y, np.ones(7))
