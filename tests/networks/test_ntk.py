"""Laws of the empirical tangent kernel over the registry, J J^T of the twin first of all."""

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context

import ntklib
from ntklib.networks import MLP, TwoLayerNet
from tests import naive_networks as naive
from tests.registry_networks import CASES, DOUBLE

EVERY = pytest.mark.parametrize("case", CASES, ids=str)


def trace(blocks):
    return np.einsum("iaja->ij", blocks)


def diagonal(blocks):
    return np.einsum("iaja->ija", blocks)


def size(left, right):
    """What rounding errors of a Gram matrix are relative to: the product of the norms of two rows."""
    return np.outer(np.linalg.norm(left, axis=(1, 2)), np.linalg.norm(right, axis=(1, 2)))


def check(found, expected, scale, tolerance):
    assert found.shape == expected.shape
    scale = scale.reshape(len(scale), *([1] * (found.ndim == 4)), -1, *([1] * (found.ndim > 2)))
    assert (np.abs(found - expected) <= tolerance * scale).all()


@EVERY
def test_the_kernel_is_the_product_of_jacobians(case):
    net, params = case.network, case.params
    scale = size(case.jacobian, case.jacobian)
    blocks = naive.ntk(case.jacobian)
    for options, expected in (
        ({}, trace(blocks)),
        ({"output": "trace"}, trace(blocks)),
        ({"output": "full"}, blocks),
        ({"output": "diagonal"}, diagonal(blocks)),
    ):
        found = net.ntk(params, case.X, **options)
        assert found.dtype == case.dtype
        check(found, expected, scale, case.tolerance)
    between = naive.ntk(case.jacobian, case.other_jacobian)
    scale = size(case.jacobian, case.other_jacobian)
    for output, expected in (("trace", trace(between)), ("full", between), ("diagonal", diagonal(between))):
        check(net.ntk(params, case.X, case.Y, output=output), expected, scale, case.tolerance)


@EVERY
def test_the_kernel_at_initialisation(case):
    """Symmetric halves are equal there, and output weights are signs."""
    J = naive.jacobian(case.network, case.initial, case.X)
    blocks, scale = naive.ntk(J), size(J, J)
    for output, expected in (("trace", trace(blocks)), ("full", blocks), ("diagonal", diagonal(blocks))):
        found = case.network.ntk(case.initial, case.X, output=output)
        check(found, expected, scale, case.tolerance)


@EVERY
@pytest.mark.parametrize("weighted", [False, True])
def test_symmetric_and_positive_semidefinite(case, weighted):
    K = case.network.ntk(case.params, case.X, weighted=weighted)
    np.testing.assert_array_equal(K, K.T)
    values = np.linalg.eigvalsh(K.astype(float))
    assert values[0] >= -10 * len(K) * case.eps * values[-1]
    blocks = case.network.ntk(case.params, case.X, output="full", weighted=weighted)
    np.testing.assert_array_equal(blocks, blocks.transpose(2, 3, 0, 1))
    flat = blocks.reshape(len(K) * case.network.n_outputs, -1).astype(float)
    values = np.linalg.eigvalsh(flat)
    assert values[0] >= -10 * len(flat) * case.eps * values[-1]
    each = case.network.ntk(case.params, case.X, output="diagonal", weighted=weighted)
    np.testing.assert_array_equal(each, each.transpose(1, 0, 2))


@EVERY
def test_the_diagonal_alone(case):
    net = case.network
    for params in (case.params, case.initial):
        for weighted in (False, True):
            K = net.ntk(params, case.X, weighted=weighted)
            np.testing.assert_array_equal(net.ntk_diag(params, case.X, weighted=weighted), np.diag(K))


@EVERY
@pytest.mark.parametrize("output", ["trace", "full", "diagonal"])
def test_one_set_of_rows_or_two(case, output):
    """The kernel of X with itself, given as two arguments, and of a part with the whole."""
    net, params, X = case.network, case.params, case.X
    K = net.ntk(params, X, output=output)
    scale = size(case.jacobian, case.jacobian)
    check(net.ntk(params, X, X.copy(), output=output), K, scale, case.tolerance)
    check(net.ntk(params, X[1:4], X, output=output), K[1:4], scale[1:4], case.tolerance)
    check(
        net.ntk(params, X[[2]], output=output),
        K[2:3, ..., 2:3, :] if output == "full" else K[2:3, 2:3],
        scale[2:3, 2:3],
        case.tolerance,
    )
    order = np.array([3, 0, 5, 1, 4, 2])
    shuffled = K[order][:, :, order] if output == "full" else K[order][:, order]
    check(net.ntk(params, X[order], output=output), shuffled, scale[np.ix_(order, order)], case.tolerance)


@EVERY
def test_forms_of_many_outputs_agree(case):
    net, params = case.network, case.params
    for Y in (None, case.Y):
        full = net.ntk(params, case.X, Y, output="full")
        scale = size(case.jacobian, case.jacobian if Y is None else case.other_jacobian)
        each = net.ntk(params, case.X, Y, output="diagonal")
        check(each, diagonal(full), scale, case.tolerance)
        check(net.ntk(params, case.X, Y), each.sum(axis=2), scale, case.tolerance)


@EVERY
def test_layers_add_up(case):
    net, params = case.network, case.params
    columns, J, other = naive.column_layers(net, params), case.jacobian, case.other_jacobian
    for Y, right in ((None, J), (case.Y, other)):
        shares = net.ntk_layers(params, case.X, Y)
        scale = size(J, right)
        assert shares.shape == (net.depth + 1, *scale.shape)
        check(shares.sum(axis=0), net.ntk(params, case.X, Y), scale, case.tolerance)
        for layer, share in enumerate(shares):
            part = columns == layer
            expected = trace(naive.ntk(J[..., part], right[..., part]))
            check(share, expected, scale, case.tolerance)
            if not part.any():
                np.testing.assert_array_equal(share, 0)


@EVERY
def test_products_with_vectors(case):
    """J(X) J(Y)^T v, one number for each row and output."""
    net, params, k = case.network, case.params, case.network.n_outputs
    rng = np.random.default_rng(3)
    for Y in (None, case.Y):
        m = 6 if Y is None else 4
        for weighted in (False, True):
            K = net.ntk(params, case.X, Y, output="full", weighted=weighted).reshape(6 * k, m * k)
            v = rng.normal(size=m if k == 1 else (m, k)).astype(case.dtype)
            found = net.ntk_matvec(params, case.X, v, Y, weighted=weighted)
            assert found.dtype == case.dtype
            assert found.shape == ((6,) if k == 1 else (6, k))
            norms = np.sqrt(np.maximum(net.ntk_diag(params, case.X, weighted=weighted), 0))
            others = norms if Y is None else np.sqrt(net.ntk_diag(params, Y, weighted=weighted))
            bound = norms.max() * others.max() * np.abs(v).sum()
            assert np.abs(found.ravel() - K @ v.ravel()).max() <= case.tolerance * bound


@EVERY
def test_step_multipliers_weigh_the_parameters(case):
    net, params = case.network, case.params
    expected = naive.multipliers(net)
    assert net.step_multipliers == {
        name: pytest.approx(expected[name.removeprefix("mirror_")], rel=1e-15) for name in params.names
    }
    assert net.multipliers_for("gradient") == net.step_multipliers
    roots = np.sqrt(naive.column_multipliers(net, params))
    left, right = case.jacobian * roots, case.other_jacobian * roots
    for Y, other in ((None, left), (case.Y, right)):
        blocks, scale = naive.ntk(left, other), size(left, other)
        for output, K in (("trace", trace(blocks)), ("full", blocks), ("diagonal", diagonal(blocks))):
            found = net.ntk(params, case.X, Y, output=output, weighted=True)
            check(found, K, scale, case.tolerance)


@EVERY
def test_small_memory_changes_nothing_but_rounding(case):
    net, params, X = case.network, case.params, case.X
    scale, across = size(case.jacobian, case.jacobian), size(case.jacobian, case.other_jacobian)

    def everything():
        return {
            "kernel": (net.ntk(params, X), scale),
            "full": (net.ntk(params, X, output="full"), scale),
            "cross": (net.ntk(params, X, case.Y), across),
            "layers": (net.ntk_layers(params, X)[0], scale),
            "diagonal": (net.ntk_diag(params, X)[:, None], np.diag(scale)[:, None]),
        }

    whole = everything()
    with config_context(working_memory=1e-4):
        for name, (found, relative) in everything().items():
            check(found, whole[name][0], relative, case.tolerance)
        K = net.ntk(params, X)
        np.testing.assert_array_equal(K, K.T)


@EVERY
def test_threads_change_no_bit(case):
    net, params = case.network, case.params
    found = []
    for threads in (1, 2):
        with ntklib.set_threads(threads):
            found.append(
                [
                    net.ntk(params, case.X),
                    net.ntk(params, case.X, output="full"),
                    net.ntk(params, case.X, case.Y),
                    net.ntk_diag(params, case.X),
                ]
            )
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    "net",
    [
        TwoLayerNet(700),
        TwoLayerNet(700, output_init="rademacher"),
        MLP((130, 260), bias_std=0.1, n_outputs=2),
    ],
    ids=repr,
)
def test_threads_change_no_bit_where_there_are_many_tiles(net):
    X = np.random.default_rng(0).normal(size=(300, 5))
    params = net.init(5, 0)
    found = []
    with config_context(working_memory=1):
        for threads in (1, 2):
            with ntklib.set_threads(threads):
                found.append(net.ntk(params, X))
    np.testing.assert_array_equal(*found)
    np.testing.assert_array_equal(found[0], found[0].T)
    J = net.jacobian(params, X[:40]).reshape(40, net.n_outputs, -1)
    np.testing.assert_allclose(
        found[0][:40, :40], trace(naive.ntk(J)), rtol=1e-12, atol=1e-12 * found[0].max()
    )


@EVERY
def test_sparse_rows(case):
    net, params = case.network, case.params
    X, Y = sparse.csr_matrix(case.X), sparse.csr_array(case.Y)
    scale, across = size(case.jacobian, case.jacobian), size(case.jacobian, case.other_jacobian)
    check(net.ntk(params, X), net.ntk(params, case.X), scale, case.tolerance)
    K = net.ntk(params, X)
    np.testing.assert_array_equal(K, K.T)
    check(net.ntk(params, X, Y), net.ntk(params, case.X, case.Y), across, case.tolerance)
    check(net.ntk(params, case.X, Y), net.ntk(params, case.X, case.Y), across, case.tolerance)
    np.testing.assert_array_equal(net.ntk_diag(params, X), np.diag(K))


@pytest.mark.parametrize("case", DOUBLE, ids=str)
def test_the_conjugate_kernel(case):
    """nngp is the covariance of one output over new draws of the last layer, whatever is trained."""
    net, params = case.network, case.params
    everything = net.__class__(**(net.get_params() | {"trainable": "all"}))
    J = naive.jacobian(everything, params, case.X)[:, 0]
    last = naive.factors(net, 3)[-1]
    expected, start = np.zeros((6, 6)), 0
    for name in params.names:
        part = J[:, start : start + params[name].size]
        start += params[name].size
        if name.endswith(str(net.depth)):
            expected += last["weight_sd" if "W" in name else "bias_sd"] ** 2 * part @ part.T
    found = net.nngp(params, case.X)
    np.testing.assert_array_equal(found, found.T)
    check(found, expected, np.full((6, 6), expected.max()), case.tolerance)
    between = net.nngp(params, case.X, case.X[:3].copy())
    check(between, expected[:, :3], np.full((6, 3), expected.max()), case.tolerance)
