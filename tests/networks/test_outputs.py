"""What networks compute and how they start, against the twins' plain sums."""

import math

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone

from ntklib.networks import MLP, TwoLayerNet
from tests import naive_networks as naive
from tests.registry_networks import CASES, N_FEATURES, SYMMETRIC

EVERY = pytest.mark.parametrize("case", CASES, ids=str)


@EVERY
def test_outputs_are_the_plain_sums(case):
    for params in (case.initial, case.params):
        expected = naive.outputs(case.network, params, case.X)
        found = case.network.apply(params, case.X)
        assert found.dtype == case.dtype
        assert found.shape == ((6,) if case.network.n_outputs == 1 else (6, case.network.n_outputs))
        error = np.abs(case.outputs_as_columns(found) - expected).max()
        assert error <= case.tolerance * (np.abs(expected).max() + reach(case, params))


def reach(case, params):
    """Size of the terms that cancel in a symmetric network: outputs of one copy."""
    single = clone(case.network).set_params(symmetric=False)
    return np.abs(naive.outputs(single, params, case.X)).max()


@EVERY
def test_sizes_and_names(case):
    net, params = case.network, case.initial
    widths = naive.hidden_widths(net)
    assert net.depth == len(widths)
    assert list(net.hidden_widths) == widths
    sizes = [N_FEATURES, *widths, net.n_outputs]
    names = []
    for prefix in ("", "mirror_") if net.symmetric else ("",):
        for layer in range(net.depth + 1):
            names.append(f"{prefix}W{layer}")
            assert params[names[-1]].shape == (sizes[layer + 1], sizes[layer])
            if net.bias_std:
                names.append(f"{prefix}b{layer}")
                assert params[names[-1]].shape == (sizes[layer + 1],)
    assert list(params.names) == names
    assert net.n_params(N_FEATURES) == sum(params[name].size for name in naive.trained_arrays(net, params))
    assert all(params[name].dtype == case.dtype for name in names)


@EVERY
def test_vectors_and_records_convert_into_each_other(case):
    net = case.network
    vector = net.ravel(case.params)
    assert vector.dtype == case.dtype
    arrays = [case.params[name].ravel() for name in naive.trained_arrays(net, case.params)]
    np.testing.assert_array_equal(vector, np.concatenate(arrays))
    assert net.unravel(case.initial, vector) == case.params
    assert net.unravel(case.params, net.ravel(case.initial)) == case.initial
    other = net.unravel(case.params, 0 * vector)
    np.testing.assert_array_equal(net.ravel(other), 0)
    frozen = set(case.params.names) - set(naive.trained_arrays(net, case.params))
    for name in frozen:
        np.testing.assert_array_equal(other[name], case.params[name])


def test_the_vector_given_may_change_afterwards():
    net = TwoLayerNet(3)
    params = net.init(2, 0)
    vector = net.ravel(params) + 1
    changed = net.unravel(params, vector)
    before = changed["W0"].copy()
    vector[:] = np.nan
    np.testing.assert_array_equal(changed["W0"], before)


@EVERY
def test_rows_do_not_depend_on_the_batch(case):
    whole = case.network.apply(case.params, case.X)
    size = np.abs(whole).max() + reach(case, case.params)
    for i in (0, 3):
        single = case.network.apply(case.params, case.X[[i]])
        assert np.abs(single - whole[[i]]).max() <= 8 * case.eps * size
    with config_context(working_memory=1e-4):
        assert np.abs(case.network.apply(case.params, case.X) - whole).max() <= 8 * case.eps * size


@EVERY
def test_sparse_rows(case):
    found = case.network.apply(case.params, sparse.csr_matrix(case.X))
    np.testing.assert_array_equal(found, case.network.apply(case.params, case.X))


def test_the_computing_type():
    net = TwoLayerNet(5)
    X = np.ones((2, 3))
    for dtype in (np.float32, np.float64):
        params = net.init(3, 0, dtype=dtype)
        for rows in (X, X.astype(np.float32), X.astype(int)):
            expected = np.result_type(dtype, rows.dtype if rows.dtype.kind == "f" else np.float64)
            assert net.apply(params, rows).dtype == expected
            assert net.ntk(params, rows).dtype == expected
            assert net.jacobian(params, rows).dtype == expected


# ---------------------------------------------------------------------------------------- initialisation


def check_normal(sample, spread):
    """Mean 0, the given standard deviation and the kurtosis of a Gaussian, each within 5 standard errors."""
    z, n = np.asarray(sample).ravel() / spread, np.size(sample)
    assert abs(z.mean()) < 5 / math.sqrt(n)
    assert abs((z**2).mean() - 1) < 5 * math.sqrt(2 / n)
    assert abs((z**4).mean() - 3) < 5 * math.sqrt(96 / n)


@pytest.mark.parametrize("input_scaling", ["none", "fan_in"])
@pytest.mark.parametrize("parameterization", ["ntk", "standard", "mean_field", "mup"])
def test_the_law_of_the_start(parameterization, input_scaling):
    net = MLP(
        (150, 100),
        parameterization=parameterization,
        input_scaling=input_scaling,
        weight_std=1.3,
        bias_std=0.4,
        n_outputs=60,
    )
    params = net.init(50, 0)
    for layer, factor in enumerate(naive.factors(net, 50)):
        check_normal(params[f"W{layer}"], factor["weight_sd"])
        check_normal(params[f"b{layer}"], factor["bias_sd"])


@pytest.mark.parametrize("parameterization", ["ntk", "standard", "mean_field", "mup"])
def test_binary_output_weights(parameterization):
    net = TwoLayerNet(3000, output_init="rademacher", parameterization=parameterization, weight_std=1.5)
    params = net.init(4, 0)
    spread = naive.factors(net, 4)[-1]["weight_sd"]
    np.testing.assert_allclose(np.abs(params["W1"]), spread, rtol=1e-15)
    assert abs(np.sign(params["W1"]).sum()) < 5 * math.sqrt(3000)
    check_normal(params["W0"], naive.factors(net, 4)[0]["weight_sd"])


def test_seeds():
    net = MLP((6, 5), bias_std=0.2, symmetric=True)
    assert net.init(3, 5) == net.init(3, 5)
    assert net.init(3, 5) != net.init(3, 6)
    assert net.init(3, None) != net.init(3, None)
    generator = np.random.default_rng(5)
    assert net.init(3, generator) != net.init(3, generator)
    single = net.init(3, 5, dtype=np.float32)
    for name in single.names:
        np.testing.assert_array_equal(single[name], net.init(3, 5)[name].astype(np.float32))


def test_kinds_of_seeds():
    """Whatever NumPy and scikit-learn take for a seed, as often as it is given anew."""
    net = TwoLayerNet(5)
    for make in (
        lambda: 3,
        lambda: np.int64(3),
        lambda: np.random.default_rng(3),
        lambda: np.random.SeedSequence(3),
        lambda: np.random.RandomState(3),
    ):
        assert net.init(2, make()) == net.init(2, make())
    assert net.init(2, 3) == net.init(2, np.random.default_rng(3)) == net.init(2, np.random.SeedSequence(3))
    state = np.random.RandomState(3)
    assert net.init(2, state) != net.init(2, state)


def test_weights_do_not_depend_on_what_else_is_drawn():
    """The options that leave the weights' law alone leave the weights alone."""
    plain = TwoLayerNet(8).init(3, 1)
    for options in ({"scale": 2.0}, {"symmetric": True}, {"trainable": "output"}, {"activation": "tanh"}):
        np.testing.assert_array_equal(TwoLayerNet(8, **options).init(3, 1)["W0"], plain["W0"])
        np.testing.assert_array_equal(TwoLayerNet(8, **options).init(3, 1)["W1"], plain["W1"])


@pytest.mark.parametrize("case", SYMMETRIC, ids=str)
def test_symmetric_networks_start_at_zero(case):
    """f_0 is zero to the last bit, and the kernel is that of one copy."""
    net, params = case.network, case.initial
    outputs = net.apply(params, case.X)
    assert (outputs == 0).all()
    with config_context(working_memory=1e-4):
        assert (net.apply(params, np.repeat(case.X, 9, axis=0)) == 0).all()
    single = clone(net).set_params(symmetric=False)
    alone = single.init(N_FEATURES, 7, dtype=case.dtype)
    for name in alone.names:
        np.testing.assert_array_equal(params[f"mirror_{name}"], params[name])
        if name != f"b{net.depth}":
            np.testing.assert_array_equal(params[name], alone[name])
    K, expected = net.ntk(params, case.X), single.ntk(alone, case.X)
    size = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert (np.abs(K - expected) <= case.tolerance * size).all()


@pytest.mark.parametrize("case", SYMMETRIC, ids=str)
def test_the_output_bias_of_symmetric_networks_starts_at_zero(case):
    name = f"b{case.network.depth}"
    if name in case.initial.names:
        np.testing.assert_array_equal(case.initial[name], 0)
        np.testing.assert_array_equal(case.initial[f"mirror_{name}"], 0)


@pytest.mark.parametrize("case", SYMMETRIC, ids=str)
def test_every_trained_layer_of_a_symmetric_network_contributes(case):
    """Duplicating only the last layer would cancel every signal that is propagated back."""
    shares = case.network.ntk_layers(case.initial, case.X)
    assert len(shares) == case.network.depth + 1
    trained = naive.layers(case.network.trainable, case.network.depth)
    flat = type(naive.activation_of(case.network)).__name__ in ("Step", "Sign")
    for layer, share in enumerate(shares):
        if layer in trained and not (flat and layer < case.network.depth):
            assert np.abs(share).max() > 0
        else:
            np.testing.assert_array_equal(share, 0)
