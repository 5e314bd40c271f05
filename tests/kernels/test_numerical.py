"""Activations by quadrature: the error they report, against frozen exact duals, and their gradients."""

import numpy as np
import pytest
from mpmath import mp, mpf

from ntklib.kernels import NNGP, NTK, NumericalActivation, nngp_kernel, ntk_kernel
from tests import oracles
from tests.accuracy_table import NUMERICAL, frozen

VARIANCES = sorted({0.1**2, 0.15625**2, 0.78125**2, 1.25**2, 6.25**2, 10.0**2})


def true_error(name, variance):
    """The largest error of E[s s] over all frozen correlations at one variance."""
    cases = [
        case
        for case in frozen()[name]["duals"]
        if all(abs(float(s) / variance - 1) < 1e-9 for s in oracles.covariance(case["x"], case["z"])[:2])
    ]
    X, Z = (np.array([case[row] for case in cases]) for row in "xz")
    values = nngp_kernel(X, Z, activation=NUMERICAL[name]).diagonal()
    with mp.workdps(40):
        return max(abs(float(mpf(float(v)) - mpf(c["dual"]))) for v, c in zip(values, cases, strict=True))


@pytest.mark.parametrize("name", NUMERICAL)
def test_reported_error_is_small_and_honest(name):
    for variance in VARIANCES:
        reported, true = NUMERICAL[name].dual_error([variance]), true_error(name, variance)
        assert reported <= 1e-10, (name, variance, reported)
        assert true <= reported <= 1e3 * true, (name, variance, reported, true)


@pytest.mark.parametrize("name", NUMERICAL)
def test_reported_error_at_the_ends_and_between(name):
    reported = [NUMERICAL[name].dual_error([v]) for v in (1e-2, 0.3, 3.0, 30.0, 1e2)]
    assert 0 < max(reported) <= 1e-10
    together = NUMERICAL[name].dual_error([1e-2, 1e2])
    assert together == pytest.approx(max(reported[0], reported[-1]), rel=0.5)


@pytest.mark.parametrize("name", NUMERICAL)
def test_gradients(name):
    for case in frozen()[name]["deep"]:
        if "gradient" not in case:
            continue
        X = np.array([case["x"], case["z"]])
        for which, kind in enumerate((NNGP, NTK)):
            kernel = kind(activation=NUMERICAL[name], **case["options"])
            K, gradient = kernel(X, eval_gradient=True)
            names = [h.name for h in kernel.hyperparameters if not h.fixed]
            assert gradient.shape == (2, 2, len(names))
            for k, parameter in enumerate(names):
                truth = float(case["gradient"][parameter][which])
                bound = 1e-10 * abs(truth) + 1e-10 * np.sqrt(K[0, 0] * K[1, 1])
                assert abs(gradient[0, 1, k] - truth) <= bound, (kind.__name__, case, parameter, gradient)


def _kinked(z):
    return np.maximum(z, 0.0)


def _step(z):
    return (z >= 0) * 1.0


def test_a_kink_is_reported_as_the_lesser_accuracy_it_is():
    """ReLU by quadrature converges slowly; what it reports bounds what it gets wrong."""
    relu = NumericalActivation(_kinked, _step)
    reported = relu.dual_error([1.0])
    X, Y = np.array([[1.0, 0.0]]), np.array([[1.0, 0.0], [0.6, 0.8], [-0.6, 0.8], [-1.0, 0.0]])
    true = abs(nngp_kernel(X, Y, activation=relu) - nngp_kernel(X, Y)).max()
    assert 1e-12 < true <= 4e-6
    assert true <= reported <= 1e-3


def test_numerical_twin_of_tanh(rng):
    twin = NumericalActivation(np.tanh, lambda z: 1 - np.tanh(z) ** 2)
    X = rng.normal(size=(4, 3))
    np.testing.assert_allclose(
        ntk_kernel(X, activation=twin, depth=2, bias_std=0.3),
        ntk_kernel(X, activation="tanh", depth=2, bias_std=0.3),
        rtol=1e-9,
    )


def test_what_is_exact_but_for_rounding_is_reported_as_that():
    line = NumericalActivation(lambda z: z, np.ones_like)
    for variance in (0.01, 1.0, 9.0):
        assert 31.9 < line.dual_error([variance]) / (2.0**-52 * variance) < 40


def test_many_rows_ask_for_no_more_values_than_some():
    """Their coefficients are interpolated in the logarithm of their lengths."""
    asked = []
    for n in (400, 4000):
        sizes = []

        def function(z, sizes=sizes):
            sizes.append(np.size(z))
            return np.tanh(z)

        twin = NumericalActivation(function, lambda z: 1 - np.tanh(z) ** 2)
        twin.dual.coefficients(np.linspace(0.05, 1.5, n))
        asked.append(sum(sizes))
    assert asked[1] == asked[0] < 200_000


def test_many_rows_are_interpolated_as_exactly(rng):
    """Rows of 60 lengths, some of them a thousandth of the others, against closed forms."""
    twin = NumericalActivation(np.tanh, lambda z: 1 - np.tanh(z) ** 2)
    X = rng.normal(size=(60, 3)) * 10 ** rng.uniform(-1.5, -0.5, size=(60, 1))
    X = np.vstack([X, 1e-4 * X[:3], np.zeros((1, 3))])
    K, gradient = NTK(activation=twin)(X, eval_gradient=True)
    named, its_gradient = NTK(activation="tanh")(X, eval_gradient=True)
    scale = np.sqrt(np.outer(np.diag(named), np.diag(named)))
    assert np.all(np.abs(K - named) <= 2e-13 * scale)
    assert np.all(np.abs(gradient[..., 0] - its_gradient[..., 0]) <= 1e-11 * scale)


def test_interpolation_is_as_coarse_as_the_series(rng):
    """Where the series leaves 1e-3 out, rows of many lengths agree with single rows to that."""
    arctan = NumericalActivation(np.arctan, lambda z: 1 / (1 + z * z))
    X = 60 * rng.normal(size=(36, 2))
    K = nngp_kernel(X, activation=arctan)
    for i in (0, 17):
        alone = nngp_kernel(X[[i]], activation=arctan).item()
        assert abs(K[i, i] - alone) <= arctan.dual_error([X[i] @ X[i]])


@pytest.mark.parametrize("variances", [[-1.0], [np.nan], [np.inf], "one"])
def test_wrong_variances_are_refused(variances):
    with pytest.raises((ValueError, TypeError)):
        NUMERICAL["tanh"].dual_error(variances)
