"""Models on fixed rows, moved in place: the same numbers as the models themselves."""

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context

from ntklib.networks import MLP, TwoLayerNet, linearize, taylor
from tests import naive_networks as naive
from tests.registry_networks import CASES

EVERY = pytest.mark.parametrize("case", CASES, ids=str)
# Several of each kind, for what every model has
SOME = pytest.mark.parametrize("case", CASES[::6], ids=str)


def models(case):
    net, params = case.network, case.initial
    return [net, linearize(net, params), taylor(net, params), net.centered_at(params)]


def residuals(case):
    shape = 6 if case.network.n_outputs == 1 else (6, case.network.n_outputs)
    return np.random.default_rng(6).normal(size=shape).astype(case.dtype)


def near(found, expected, case, scale):
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert np.abs(found - expected).max() <= 10 * case.tolerance * (np.abs(expected).max() + scale)


@EVERY
def test_outputs_and_gradients(case):
    X, y = case.X, residuals(case)
    size = np.abs(case.jacobian).sum(axis=2).max() * case.spread + 1e-30
    for model in models(case):
        fixed = model.on_rows(case.params, X)
        assert fixed.dtype == case.dtype
        np.testing.assert_array_equal(fixed.vector, case.network.ravel(case.params))
        f = model.apply(case.params, X)
        near(fixed.evaluate(fixed.arrays), f, case, size)
        near(fixed.evaluate(fixed.arrays, lambda rows, f: f - y[rows]), f, case, size)
        expected = model.vjp(case.params, X, f - y)
        slope = (np.abs(case.jacobian).max() + np.abs(expected).max()) * (1 + np.abs(f - y).sum())
        near(fixed.gradient, expected, case, slope)
        assert np.concatenate([fixed.gradients[name].ravel() for name in fixed.arrays]).tolist() == (
            fixed.gradient.tolist()
        )


@EVERY
def test_moving_in_place(case):
    """Arrays are views of one vector; parameters records made of it are not."""
    net = case.network
    for model in models(case):
        fixed = model.on_rows(case.initial, case.X)
        assert list(fixed.arrays) == naive.trained_arrays(net, case.initial)
        record = fixed.params(fixed.vector)
        assert record == case.initial
        fixed.vector[:] = net.ravel(case.params)
        for name, array in fixed.arrays.items():
            np.testing.assert_array_equal(array, case.params[name])
        assert record == case.initial
        assert fixed.params(fixed.vector) == case.params
        size = np.abs(case.jacobian).sum(axis=2).max() * case.spread + 1e-30
        near(fixed.evaluate(fixed.arrays), model.apply(case.params, case.X), case, size)
        # a position of the caller's own
        position = {name: case.initial[name] for name in fixed.arrays}
        near(fixed.evaluate(position), model.apply(case.initial, case.X), case, size)


@SOME
def test_some_of_the_rows(case):
    y = residuals(case)
    size = np.abs(case.jacobian).sum(axis=2).max() * case.spread + 1e-30
    for X in (case.X, sparse.csr_matrix(case.X)):
        for model in models(case):
            fixed = model.on_rows(case.params, X)
            for rows in (slice(1, 4), np.array([5, 0, 0, 3]), slice(None)):
                chosen = y[rows]
                f = fixed.evaluate(fixed.arrays, lambda block, f, chosen=chosen: f - chosen[block], rows)
                expected = model.apply(case.params, case.X[rows])
                near(f, expected, case, size)
                gradient = model.vjp(case.params, case.X[rows], expected - chosen)
                slope = (np.abs(case.jacobian).max() + np.abs(gradient).max()) * (1 + np.abs(y).sum())
                near(fixed.gradient, gradient, case, 10 * slope)


@SOME
def test_small_memory(case):
    y = residuals(case)
    size = np.abs(case.jacobian).sum(axis=2).max() * case.spread + 1e-30
    for model in models(case):
        whole = model.on_rows(case.params, case.X)
        f = whole.evaluate(whole.arrays, lambda rows, f: f - y[rows])
        with config_context(working_memory=1e-4):
            fixed = model.on_rows(case.params, case.X)
            near(fixed.evaluate(fixed.arrays, lambda rows, f: f - y[rows]), f, case, size)
        near(fixed.gradient, whole.gradient, case, np.abs(case.jacobian).max() * (1 + np.abs(y).sum()))


@pytest.mark.parametrize("net", [TwoLayerNet(5), MLP((4, 3), n_outputs=2, bias_std=0.2)], ids=repr)
def test_what_diverged_gives_nan_and_no_error(net):
    params, X = net.init(3, 0), np.ones((4, 3))
    for model in (net, linearize(net, params), taylor(net, params), net.centered_at(params)):
        fixed = model.on_rows(params, X)
        fixed.vector[:] = np.nan
        assert np.isnan(fixed.evaluate(fixed.arrays, lambda rows, f: f)).all()
        fixed.vector[:] = np.inf
        assert not np.isfinite(fixed.evaluate(fixed.arrays, lambda rows, f: f)).any()


def test_the_type_is_the_common_one():
    net = TwoLayerNet(5)
    single = net.init(3, 0, dtype=np.float32)
    X = np.random.default_rng(0).normal(size=(4, 3))
    for model in (net, linearize(net, single), taylor(net, single), net.centered_at(single)):
        for rows, dtype in ((X, np.float64), (X.astype(np.float32), np.float32)):
            fixed = model.on_rows(single, rows)
            assert fixed.vector.dtype == fixed.gradient.dtype == fixed.dtype == dtype
            assert fixed.evaluate(fixed.arrays, lambda block, f: f).dtype == dtype


@pytest.mark.parametrize("case", CASES, ids=str)
def test_activation_patterns(case):
    """One bit a hidden unit, copy after copy and layer after layer, worked out unit by unit."""
    net = case.network
    found = net.activation_pattern(case.params, case.X)
    assert found.dtype == np.uint8
    bits = []
    for x in case.X:
        row = []
        for prefix in ("", "mirror_")[: 1 + net.symmetric]:
            a = x.astype(float)
            for layer in range(net.depth):
                factor = naive.factors(net, 3)[layer]
                h = factor["weight"] * case.params[f"{prefix}W{layer}"].astype(float) @ a
                if net.bias_std:
                    h = h + factor["bias"] * case.params[f"{prefix}b{layer}"]
                row += [z >= 0 for z in h]
                a = naive.activation_of(net)(h)
        bits.append(row)
    np.testing.assert_array_equal(np.unpackbits(found, axis=1)[:, : len(bits[0])], bits)
    assert np.unpackbits(found, axis=1)[:, len(bits[0]) :].sum() == 0
    np.testing.assert_array_equal(
        net.centered_at(case.initial).activation_pattern(case.params, case.X), found
    )
    for model in (linearize(net, case.params), taylor(net, case.params)):
        np.testing.assert_array_equal(model.activation_pattern(case.initial, case.X), found)


@EVERY
def test_shapes_of_the_trained_arrays(case):
    net = case.network
    expected = {name: case.params[name].shape for name in naive.trained_arrays(net, case.params)}
    for model in models(case):
        assert model.trained_shapes(3) == expected
        assert list(model.trained_shapes(3)) == list(expected)
        assert model.n_params(3) == sum(int(np.prod(shape)) for shape in expected.values())
        assert model.step_multipliers == net.step_multipliers
        assert model.multipliers_for("orthogonal") == net.multipliers_for("orthogonal")
        assert model.gradient_sizes == net.gradient_sizes
        assert model.n_outputs == net.n_outputs


@pytest.mark.parametrize(
    "make", [lambda net, params: net, linearize, taylor, lambda net, params: net.centered_at(params)]
)
def test_refused(make):
    net = TwoLayerNet(5)
    model = make(net, net.init(3, 0))
    with pytest.raises(ValueError, match="W0"):
        model.on_rows(TwoLayerNet(6).init(3, 0), np.ones((2, 3)))
    with pytest.raises(TypeError, match="params"):
        model.on_rows([1.0], np.ones((2, 3)))
    with pytest.raises(ValueError, match="NaN"):
        model.on_rows(net.init(3, 0), np.full((2, 3), np.nan))
    with pytest.raises(ValueError, match=r"4 features.*3"):
        model.on_rows(net.init(3, 0), np.ones((2, 4)))
