"""Peak memory: the output and the workspace, however many rows or neurons; and odd shapes and layouts."""

import tracemalloc

import numpy as np
import pytest
from sklearn import config_context

import ntklib
from ntklib.networks import MLP, TwoLayerNet

MIB = 2**20


def peak(call, memory):
    """Largest memory in use during a call, beyond what was there before it."""
    with config_context(working_memory=memory):
        tracemalloc.start()
        try:
            result = call()
            return result, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize(
    "net",
    [TwoLayerNet(200, activation="erf"), MLP((90, 60), activation="tanh", bias_std=0.1, symmetric=True)],
    ids=repr,
)
def test_many_rows(net):
    """Hidden layers of all rows at once would take 5e6 bytes, derivatives a multiple of that."""
    X = np.random.default_rng(0).normal(size=(3000, 3))
    params, u, c = net.init(3, 0), np.ones(net.n_params(3)), np.ones(3000)
    for call in (
        lambda: net.apply(params, X),
        lambda: net.jvp(params, X, u),
        lambda: net.vjp(params, X, c),
        lambda: net.hvp(params, X, c, u),
        lambda: net.second_derivative(params, X, u, u),
        lambda: net.value_and_vjp(params, X, lambda rows, f: f),
    ):
        with ntklib.set_threads(1):
            _, used = peak(call, 1)
        assert used < 3 * MIB


def test_a_product_makes_no_matrix_of_all_pairs():
    """The matrix would take 288e6 bytes."""
    net, X = TwoLayerNet(64), np.random.default_rng(0).normal(size=(6000, 3))
    params, v = net.init(3, 0), np.ones(6000)
    found, used = peak(lambda: net.ntk_matvec(params, X, v), 4)
    assert used < 12 * MIB
    np.testing.assert_allclose(found[:3], net.ntk(params, X[:3], X) @ v, rtol=1e-11)


@pytest.mark.parametrize("options", [{}, {"output_init": "rademacher"}], ids=repr)
def test_a_million_neurons(options):
    """Signals of all neurons would take 240e6 bytes, the Jacobian 960e6."""
    net, X = TwoLayerNet(1_000_000, **options), np.random.default_rng(0).normal(size=(30, 3))
    params = net.init(3, 0)
    K, used = peak(lambda: net.ntk(params, X), 16)
    assert used < 40 * MIB
    limit = net.limit_kernel()(X)
    assert np.abs(K - limit).max() < 0.02 * limit.max()
    diagonal, used = peak(lambda: net.ntk_diag(params, X), 16)
    assert used < 40 * MIB
    np.testing.assert_array_equal(diagonal, np.diag(K))


def test_deep_and_wide():
    net, X = MLP((200, 300, 150), bias_std=0.2), np.random.default_rng(0).normal(size=(800, 3))
    params = net.init(3, 0)
    K, used = peak(lambda: net.ntk(params, X), 2)
    assert used < K.nbytes + 12 * MIB  # features of all rows take 8e6 bytes
    mean, used = peak(lambda: net.ntk_mean(X[:200], draws=20), 2)
    assert used < 8 * mean.mean.nbytes + 12 * MIB  # 20 kernels take 6e6 bytes


@pytest.mark.parametrize(
    "net", [TwoLayerNet(1), MLP((1, 1), n_outputs=2, bias_std=0.1, symmetric=True)], ids=repr
)
def test_one_row_of_one_number(net):
    X, k = np.array([[0.7]]), net.n_outputs
    params = net.init(1, 0)
    J = net.jacobian(params, X).reshape(k, -1)
    np.testing.assert_allclose(net.ntk(params, X), [[(J**2).sum()]], rtol=1e-14)
    np.testing.assert_allclose(net.ntk(params, X, output="full")[0, :, 0], J @ J.T, rtol=1e-14)
    assert net.apply(params, X).shape == ((1,) if k == 1 else (1, 2))


@pytest.mark.parametrize(
    "net", [TwoLayerNet(70, output_init="rademacher"), MLP((9, 8), n_outputs=2, activation="gelu")], ids=repr
)
def test_layouts_of_memory(net):
    """Rows in any order of memory, of any type of number, read-only or in a list: the same bytes."""
    X = np.round(np.random.default_rng(0).normal(size=(150, 4)) * 8)
    params = net.init(4, 0)
    wide = np.zeros((300, 8))
    wide[::2, ::2] = X
    fixed = X.copy()
    fixed.flags.writeable = False
    for rows in (np.asfortranarray(X), wide[::2, ::2], fixed, X.astype(int), X.tolist()):
        for method in ("apply", "jacobian", "ntk", "ntk_diag", "nngp"):
            found, expected = (getattr(net, method)(params, given) for given in (rows, X))
            np.testing.assert_array_equal(found, expected)


def test_nothing_is_written_to_what_was_given():
    net, X = MLP((6, 5), activation="tanh", bias_std=0.2), np.random.default_rng(0).normal(size=(9, 3))
    params, u, c = net.init(3, 0), np.ones(net.n_params(3)), np.ones(9)
    before = [array.copy() for array in (X, u, c, *(array for _, array in params.items()))]
    net.apply(params, X)
    net.jvp(params, X, u)
    net.vjp(params, X, c)
    net.hvp(params, X, c, u)
    net.second_derivative(params, X, u, u)
    net.ntk(params, X, weighted=True)
    net.ntk_matvec(params, X, c, weighted=True)
    net.ntk_layers(params, X)
    net.unravel(params, u)
    for array, kept in zip((X, u, c, *(array for _, array in params.items())), before, strict=True):
        np.testing.assert_array_equal(array, kept)


def test_results_do_not_share_memory_with_parameters():
    net = TwoLayerNet(4)
    params, X = net.init(3, 0), np.ones((2, 3))
    for result in (net.ravel(params), net.apply(params, X), net.jacobian(params, X), net.ntk(params, X)):
        result[:] = 0
    assert np.abs(net.apply(params, X)).max() > 0
    assert np.abs(params["W0"]).max() > 0
