"""Deep kernels of even activations on short rows, of which a layer makes rows of almost one length."""

import functools

import numpy as np
import pytest
from mpmath import mp, mpf
from scipy import sparse

from ntklib.kernels import NNGP, NTK, Cos, Gaussian
from tests import oracle_duals, oracles

ACTIVATIONS = {"cos": Cos(), "gaussian": Gaussian()}
NETWORKS = [
    ({"depth": 7, "weight_std": 317.0}, 2e-8),
    ({"depth": 5, "weight_std": 500.0}, 3.5e-6),
    ({"depth": 12, "weight_std": 1000.0}, 1e-12),
    ({"depth": 12, "weight_std": 10.0}, 1e-3),
    ({"depth": 12, "weight_std": 3.0}, 1e-5),
    ({"depth": 4, "weight_std": 40.0, "bias_std": 1e-3}, 1e-4),
    ({"depth": 7, "weight_std": 100.0, "bias_std": 0.5}, 1e-6),
    ({"depth": 6, "weight_std": 30.0, "bias_std": 20.0}, 1e-9),
]
PAIRS = ((1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (5, 4))


def rows(size, dtype=np.float64):
    """A row, and what is close to it, opposite, parallel, of the same length or none of these."""
    x, y = np.random.default_rng(3).normal(size=(2, 3))
    return (size * np.array([x, x + 1e-7 * y, 1.01 * x, 1e-3 * y - x, np.roll(x, 1), y])).astype(dtype)


def rounded(X):
    """The same rows, another ulp each."""
    return X * (1 + np.random.default_rng(4).choice([-1, 1], size=X.shape) * 2.0**-52)


@functools.cache
def exact(name, network, size, dtype):
    """NNGP and NTK of the pairs, of their rows rounded, and the roots of the diagonal entries."""
    duals, options, X = getattr(oracle_duals, name)(), NETWORKS[network][0], rows(size, dtype)
    with mp.workdps(250):
        own = [[mp.sqrt(v) for v in oracles.deep(duals, x, x, **options)] for x in X]
        ends = [
            {(i, j): oracles.deep(duals, Z[i], Z[j], **options) for i, j in PAIRS}
            for Z in (X.astype(np.float64), rounded(X.astype(np.float64)))
        ]
    return *ends, own


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("network", range(len(NETWORKS)))
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_values(name, network, dtype):
    options, size = NETWORKS[network]
    truths, others, own = exact(name, network, size, dtype)
    X = rows(size, dtype)
    for which, kind in enumerate((NNGP, NTK)):
        kernel = kind(activation=ACTIVATIONS[name], **options)
        matrices = kernel(X), kernel(sparse.csr_array(X)), kernel(X, X[::-1].copy())[:, ::-1]
        for (i, j), truth in truths.items():
            scale = own[i][which] * own[j][which]
            bound = scale / 10**12 + 64 * abs(truth[which] - others[i, j][which])
            if dtype == np.float32:
                bound += mpf("4e-6") * abs(truth[which]) + 10 * mpf(2) ** -23 * scale
            for K in matrices:
                if np.isinf(K[i, j]):
                    assert abs(truth[which]) + bound > mpf(float(np.finfo(dtype).max))
                    continue
                error = abs(mpf(float(K[i, j])) - truth[which])
                assert error <= bound, (kind.__name__, i, j, float(error / scale), float(bound / scale))


@pytest.mark.parametrize("network", [0, 3, 4, 6])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_gradients(name, network):
    """In the parameters, to their bound and four times what a rounding of the rows changes."""
    options, size = NETWORKS[network]
    X, duals = rows(size), getattr(oracle_duals, name)()
    with mp.workdps(250):
        truths = {
            (i, j): [oracles.deep_gradient(duals, Z[i], Z[j], **options) for Z in (X, rounded(X))]
            for i, j in PAIRS[:4]
        }
    for which, kind in enumerate((NNGP, NTK)):
        kernel = kind(activation=ACTIVATIONS[name], **options)
        K, gradient = kernel(X, eval_gradient=True)
        for k, of in enumerate(h.name for h in kernel.hyperparameters if not h.fixed):
            for (i, j), ends in truths.items():
                truth, other = (end[of][which] for end in ends)
                bound = abs(truth) / 10**10 + mpf(float((K[i, i] * K[j, j]) ** 0.5)) / 10**12
                error = abs(mpf(gradient[i, j, k]) - truth)
                assert error <= bound + 4 * abs(truth - other), (
                    kind.__name__,
                    of,
                    i,
                    j,
                    float(error / bound),
                )


@pytest.mark.parametrize("network", [0, 6])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_gradients_in_the_inputs(name, network):
    """Beside 64 times what a rounding of the rows changes, as values."""
    options, size = NETWORKS[network]
    X, duals = rows(size), getattr(oracle_duals, name)()
    kernel = NTK(activation=ACTIVATIONS[name], **options)
    step = mpf(size) / 10**40

    def slope(x, z, k):
        """Of the kernel in the k-th entry of x."""
        ends = []
        for sign in (1, -1):
            moved = oracles.exact(x)
            moved[k] += sign * step
            ends.append(oracles.deep(duals, moved, z, **options)[1])
        return (ends[0] - ends[1]) / (2 * step)

    for i, j in PAIRS[:4]:
        value = kernel.gradient_x(X[i : i + 1], X[j : j + 1], [1.0])[0]
        with mp.workdps(250):
            truth, other = (np.array([slope(Z[i], Z[j], k) for k in range(3)]) for Z in (X, rounded(X)))
            scale = mpf(float(np.sqrt(np.prod(kernel.diag(X[[i, j]]))))) / mpf(size)
            bound = max(abs(truth)) / 10**9 + scale / 10**12 + 64 * max(abs(truth - other))
            assert max(abs(value - truth)) <= bound, (i, j, float(max(abs(value - truth)) / bound))
