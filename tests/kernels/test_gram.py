"""Gram matrices as matrices: symmetry, diagonal, definiteness, layouts, types, and a fuzz over float range"""

import itertools
import tracemalloc

import numpy as np
import pytest
from scipy import sparse

from ntklib import kernels
from ntklib.kernels import arc_cosine_kernel, nngp_kernel, ntk_kernel
from tests import oracle_duals, oracles

FAST = {
    "kappa_0": lambda X, Y=None: arc_cosine_kernel(X, Y, degree=0),
    "kappa_1": arc_cosine_kernel,
    "kappa_4": lambda X, Y=None: arc_cosine_kernel(X, Y, degree=4),
    "NTK": ntk_kernel,
    "NTK square": lambda X, Y=None: ntk_kernel(X, Y, activation=kernels.RectifiedPower(2)),
    "NTK depth 3": lambda X, Y=None: ntk_kernel(X, Y, depth=3, bias_std=0.1, input_scaling="fan_in"),
    "NTK leaky": lambda X, Y=None: ntk_kernel(X, Y, activation=kernels.LeakyReLU(0.1), depth=2),
    "NTK erf": lambda X, Y=None: ntk_kernel(X, Y, activation="erf", bias_std=0.2),
    "NNGP gelu": lambda X, Y=None: nngp_kernel(X, Y, activation="gelu", depth=2),
    "NNGP RBF": lambda X, Y=None: nngp_kernel(X, Y, activation=kernels.RBF(gamma=0.5)),
}


@pytest.fixture(params=FAST, ids=str)
def kernel(request):
    return FAST[request.param]


def lattice(dtype=np.float64):
    """Every point of a small lattice, three times over, with its opposites and its doubles."""
    points = np.array(list(itertools.product([-1, 0, 1], repeat=3)), dtype)
    return np.vstack([points, 2 * points, points, points / 3])[1:]


@pytest.mark.parametrize("n", [1, 2, 7, 65, 300])
def test_symmetric_to_the_bit(kernel, n, rng):
    X = rng.normal(size=(n, 4))
    K = kernel(X)
    np.testing.assert_array_equal(K, K.T)
    np.testing.assert_array_equal(kernel(X, X), K)
    np.testing.assert_array_equal(kernel(X, X[:]), K)


def test_cross_is_a_block_of_the_symmetric_matrix(kernel, rng):
    X = np.vstack([rng.normal(size=(40, 4)), lattice(np.float64)[:20] @ np.ones((3, 4))])
    K = kernel(X)
    scale = np.sqrt(np.outer(np.diag(K), np.diag(K)))
    np.testing.assert_array_less(abs(kernel(X[:25], X[25:]) - K[:25, 25:]), 1e-14 * scale[:25, 25:] + 1e-300)
    np.testing.assert_array_less(
        abs(kernel(X[:25], X[:25].copy()) - K[:25, :25]), 1e-14 * scale[:25, :25] + 1e-300
    )


@pytest.mark.parametrize("shift", [0.0, 1e4])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_positive_semidefinite_on_lattices_full_of_duplicates(kernel, dtype, shift):
    X = lattice(dtype) + dtype(shift)
    K = kernel(X)
    values = np.linalg.eigvalsh(K.astype(float))
    assert values[0] >= -len(X) * np.finfo(dtype).eps * values[-1]


def test_duplicates_have_equal_rows(kernel):
    X = lattice()
    K = kernel(X)
    first, second = slice(0, 26), slice(54, 80)
    np.testing.assert_array_equal(X[first], X[second])
    top = 1e-15 * np.diag(K).max() + 1e-300
    assert abs(K[first] - K[second]).max() <= top
    assert abs(np.diag(K)[first] - np.diag(K[first, second])).max() <= top


def test_close_rows_of_a_large_shifted_batch():
    """Un-centred columns: every pair is close, and more rows than fit one tile."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(400, 6)) + 1e4
    K = ntk_kernel(X)
    pairs = rng.integers(0, 400, size=(60, 2))
    errors = []
    for i, j in pairs:
        truth = oracles.two_layer_ntk(1, X[i], X[j])
        slope = abs(oracles.two_layer_ntk_slope(1, X[i], X[j]))
        bound = 1e-13 * abs(truth) + 4 * 2.0**-52 * (slope + float(K[i, i] * K[j, j]) ** 0.5)
        errors.append((float(abs(float(K[i, j]) - truth) / bound), i, j))
    assert max(errors)[0] <= 1, max(errors)


def test_rows_far_apart_in_one_batch_of_close_ones():
    rng = np.random.default_rng(6)
    centres = rng.normal(size=(8, 5))
    X = np.repeat(centres, 40, axis=0) + 1e-9 * rng.normal(size=(320, 5))
    K = ntk_kernel(X, depth=2)
    duals = oracle_duals.rectified_power(1)
    for i, j in rng.integers(0, 320, size=(40, 2)) // [[1, 1]]:
        truth = oracles.deep(duals, X[i], X[j], depth=2)[1]
        bound = 1e-12 * abs(truth) + 10 * 2.0**-52 * float(K[i, i] * K[j, j]) ** 0.5
        assert abs(float(K[i, j]) - truth) <= bound, (i, j)
    for start in range(0, 320, 40):
        i, j = start, start + 7
        truth = oracles.deep(duals, X[i], X[j], depth=2)[1]
        bound = 1e-12 * abs(truth) + 10 * 2.0**-52 * float(K[i, i] * K[j, j]) ** 0.5
        assert abs(float(K[i, j]) - truth) <= bound, (i, j)


def test_layouts_and_types(kernel, rng):
    X, Y = rng.normal(size=(12, 5)).round(2), rng.normal(size=(9, 5)).round(2)
    K, cross = kernel(X), kernel(X, Y)
    scale = np.sqrt(np.outer(np.diag(K), np.diag(kernel(Y))))
    wide = np.zeros((24, 10))
    wide[::2, ::2] = X
    frozen = X.copy()
    frozen.flags.writeable = False
    for other in (np.asfortranarray(X), wide[::2, ::2], frozen, X.tolist(), X[::-1][::-1]):
        np.testing.assert_array_less(abs(kernel(other) - K), 1e-14 * K.diagonal().max() + 1e-300)
        np.testing.assert_array_less(abs(kernel(other, Y) - cross), 1e-14 * scale + 1e-300)
    np.testing.assert_array_equal(kernel(wide[::2, ::2]), kernel(wide[::2, ::2]).T)
    np.testing.assert_array_equal(frozen, X)


def test_integers_are_floats(kernel):
    X = np.array([[1, 2, 0], [0, -1, 3], [4, 4, 4]])
    np.testing.assert_array_equal(kernel(X), kernel(X.astype(float)))
    assert kernel(X.astype(np.int8)).dtype == np.float64
    assert kernel(X > 0).dtype == np.float64


def test_sparse_equals_dense(kernel, rng):
    X = rng.normal(size=(30, 8)) * (rng.random((30, 8)) < 0.4)
    X[3] = 0
    Y = rng.normal(size=(7, 8)) * (rng.random((7, 8)) < 0.4)
    K, cross = kernel(X), kernel(X, Y)
    bound = 1e-13 * np.diag(K).max() + 1e-300
    for form in (sparse.csr_matrix, sparse.csr_array, sparse.csc_array, sparse.coo_array):
        sparse_K = kernel(form(X))
        assert isinstance(sparse_K, np.ndarray)
        np.testing.assert_array_less(abs(sparse_K - K), bound)
        np.testing.assert_array_equal(sparse_K, sparse_K.T)
        np.testing.assert_array_less(abs(kernel(form(X), form(Y)) - cross), bound)
    np.testing.assert_array_less(abs(kernel(sparse.csr_array(X), Y) - cross), bound)
    np.testing.assert_array_less(abs(kernel(X, sparse.csr_array(Y)) - cross), bound)


def test_sparse_same_memory_is_symmetric(rng):
    X = sparse.csr_array(rng.normal(size=(20, 4)) * (rng.random((20, 4)) < 0.5))
    np.testing.assert_array_equal(ntk_kernel(X, X), ntk_kernel(X))


def test_float32_in_float32_out(kernel, rng):
    X, Y = rng.normal(size=(12, 5)), rng.normal(size=(9, 5))
    single, other = X.astype(np.float32), Y.astype(np.float32)
    assert kernel(single).dtype == kernel(single, other).dtype == np.float32
    assert kernel(sparse.csr_array(single)).dtype == np.float32
    assert kernel(single, Y).dtype == kernel(X, other).dtype == np.float64
    np.testing.assert_allclose(kernel(single), kernel(X), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(kernel(single), kernel(single).T)


def test_one_sample_and_one_feature(kernel):
    assert kernel([[2.0, 1.0]]).shape == (1, 1)
    assert kernel([[2.0]]).shape == (1, 1)
    column = np.array([[1.0], [-2.0], [3.0], [1.0]])
    K = kernel(column)
    assert K.shape == (4, 4)
    assert np.all(np.isfinite(K))
    assert K[0, 0] == K[3, 3] == pytest.approx(K[0, 3], rel=1e-15)
    assert kernel(column, [[5.0]]).shape == (4, 1)


def _fuzz(dtype, seed):
    """10,000 rows of three numbers from every corner of the float range."""
    rng = np.random.default_rng(seed)
    info = np.finfo(dtype)
    tiny, big = float(info.smallest_subnormal), 150 if dtype == np.float64 else 17
    corner = np.array([0.0, -0.0, tiny, -tiny, 3 * tiny, float(info.tiny), 1.0, -1.0, 1.0 + float(info.eps)])
    X = rng.normal(size=(10_000, 3)) * 10.0 ** rng.uniform(-big, big, size=(10_000, 1))
    X[:4000] = np.where(rng.random((4000, 3)) < 0.6, rng.choice(corner, size=(4000, 3)), X[:4000])
    X[4000:5000] = X[5000:6000] * rng.choice([-1.0, 1.0, 2.0], size=(1000, 1))
    return np.clip(X, -(10.0**big), 10.0**big).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "name", ["kappa_0", "kappa_1", "NTK", "NTK depth 3", "NTK leaky", "NTK erf", "NNGP gelu"]
)
def test_fuzz(name, dtype):
    """Kernels that grow like the squared norm stay finite wherever the rows do."""
    kernel, X = FAST[name], _fuzz(dtype, 0)
    for block in range(0, len(X), 100):
        rows = X[block : block + 100]
        K = kernel(rows)
        assert np.all(np.isfinite(K)), (name, rows[np.argwhere(~np.isfinite(K))[0]])
        np.testing.assert_array_equal(K, K.T)
    K = kernel(X[:200], X[4000:5000])
    assert np.all(np.isfinite(K))


@pytest.mark.parametrize("degree", [2, 3, 6])
def test_fuzz_powers(degree):
    """Higher degrees: finite wherever |x|^n |z|^n is, though |x|^2n may not be."""
    X = _fuzz(np.float64, 1)
    norms = np.array([float(np.hypot(np.hypot(*row[:2]), row[2])) for row in X])
    logs = np.log10(np.maximum(norms, 1e-320))
    for block in range(0, len(X), 500):
        half = slice(block, block + 250), slice(block + 250, block + 500)
        rows, others = X[half[0]], X[half[1]]
        safe = degree * (logs[half[0]][:, None] + logs[half[1]]) < 300 - degree
        with np.errstate(over="ignore"):
            results = (
                arc_cosine_kernel(rows, others, degree=degree),
                ntk_kernel(rows, others, activation=kernels.RectifiedPower(degree)),
            )
        for K in results:
            assert not np.any(np.isnan(K))
            assert np.all(np.isfinite(K[safe]))


@pytest.mark.parametrize("activation", ["relu", "erf"])
@pytest.mark.parametrize("cross", [False, True])
def test_no_second_array_of_the_gram_s_size(activation, cross, rng):
    X = rng.normal(size=(2000, 10))
    Y = X + 1 if cross else None
    ntk_kernel(X[:10], Y if Y is None else Y[:10], activation=activation, depth=2, bias_std=0.1)
    tracemalloc.start()
    K = ntk_kernel(X, Y, activation=activation, depth=2, bias_std=0.1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # tiles of 256 x 256 in two threads, a few arrays each, and the rows
    assert K.nbytes <= peak <= K.nbytes + 20 * 2**20
