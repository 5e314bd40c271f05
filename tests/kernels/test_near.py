"""Gaps of close rows after steps and ramps, and how they move, against mpmath to full relative accuracy."""

import numpy as np
import pytest
from mpmath import mp, mpf

from ntklib.kernels import GELU, NNGP, NTK, Cos, Erf, Gaussian, Logistic, Sin, Softplus, ntk_kernel
from ntklib.kernels.duals import _near
from ntklib.kernels.duals._lengthened import GATED, SMOOTHED, STEP
from ntklib.kernels.duals._near import near_gaps
from tests import oracle_duals, oracles

ONE = ((0.5**0.5,), (1.0,))
THREE = ((0.4, 1.1, 2.5), (0.5, 1.1, 0.2))  # weights need not add up to 1
LENGTHS = (1e-6, 1e-2, 0.5, 0.95, 1.3, 3.0, 50.0, 1e8)
APART = (0.0, 1e-8, 9e-4, 1.1e-3, 0.049, 0.06, 0.5)  # on both sides of every switch
ACTIVATIONS = {"erf": Erf(), "gelu": GELU(), "sin": Sin(), "cos": Cos(), "gaussian": Gaussian()}
GAPS = (0.0, 1e-20, 1e-9, 1e-3)


def moment(kind, dual, x, z, rho):
    """A of lengths x and z in units of steps or ramps: closed forms of `tests.oracle_duals`' kind."""
    (scales, weights), constant = dual
    total = mpf(constant)
    for s, v in zip(scales, weights, strict=True):
        for t, w in zip(scales, weights, strict=True):
            a, b, S = mpf(s) ** 2 + x * x, mpf(t) ** 2 + z * z, x * z * rho
            angle, root = mp.asin(S / mp.sqrt(a * b)), mp.sqrt(a * b - S * S)
            if kind == STEP:
                part = angle
            elif kind == SMOOTHED:
                part = root + S * (mp.pi / 2 + angle)
            else:
                rest = (x * z) ** 2 * (1 - rho**2) + S * S * (mpf(s) ** 2 / a + mpf(t) ** 2 / b)
                part = S * (mp.pi / 2 + angle) + rest / root
            total += mpf(v) * mpf(w) * part
    return total


def exact(kind, dual, x, z, gap):
    own = [moment(kind, dual, r, r, mpf(1)) for r in (x, z)]
    return 1 - moment(kind, dual, x, z, 1 - gap) / mp.sqrt(own[0] * own[1])


@pytest.mark.compiled
@pytest.mark.parametrize("kind", [STEP, SMOOTHED, GATED])
@pytest.mark.parametrize(("rule", "constant"), [(ONE, 0.0), (THREE, 0.0), (ONE, 0.7)])
def test_gaps_and_their_motion(kind, rule, constant):
    if constant and kind != STEP:
        return
    dual = rule, constant
    cases = [(r, apart, gap) for r in LENGTHS for apart in APART for gap in GAPS][:: 1 if rule is ONE else 3]
    x, gaps = np.array([case[0] for case in cases]), np.array([case[2] for case in cases])
    z = x * (1 + np.array([case[1] for case in cases]))
    log, by_gap = 0.7, -1.3
    apart = 2.1 * (x - z) / (x + z)
    motion = tuple(np.stack([part, part]) for part in (log + 0 * x, log - apart, apart, by_gap * gaps))
    values = near_gaps(kind, x, z, gaps, (*rule, constant))
    moved = near_gaps(kind, x, z, gaps, (*rule, constant), motion)
    np.testing.assert_array_equal(moved[0], moved[1])
    with mp.workdps(120):
        h = mpf(10) ** -25
        for k in range(len(cases)):
            truth = exact(kind, dual, mpf(x[k]), mpf(z[k]), mpf(gaps[k]))
            ends = [
                exact(
                    kind,
                    dual,
                    mpf(x[k]) * mp.exp(s * h * log),
                    mpf(z[k]) * mp.exp(s * h * (log - mpf(apart[k]))),
                    mpf(gaps[k]) * (1 + s * h * by_gap),
                )
                for s in (1, -1)
            ]
            slope = (ends[0] - ends[1]) / (2 * h)
            assert abs(mpf(values[k]) - truth) <= abs(truth) / 10**11, (cases[k], values[k], truth)
            assert abs(mpf(moved[0, k]) - slope) <= (abs(truth) + abs(slope)) / 10**10 + mpf(10) ** -40, (
                cases[k]
            )


@pytest.mark.compiled
@pytest.mark.parametrize("kind", [STEP, SMOOTHED, GATED])
def test_obtuse_rows_that_a_constant_brings_close(kind):
    """Gaps of up to 2, where rows are short beside the scales."""
    rule, constant = ONE, 1.0 if kind == STEP else 0.0
    with mp.workdps(60):
        for gap in (0.9, 1.2, 1.9) if kind != GATED else (0.3, 0.9):
            value = near_gaps(kind, *(np.array([v]) for v in (1e-3, 1.1e-3, gap)), (*rule, constant))[0]
            truth = exact(kind, (rule, constant), mpf(1e-3), mpf(1.1e-3), mpf(gap))
            assert abs(mpf(value) - truth) <= abs(truth) / 10**11


@pytest.mark.parametrize("activation", [Logistic(), Softplus()], ids=str)
def test_mixtures_are_told_apart_at_depth(activation):
    """Their duals in mpmath, and the recursion there."""
    dual = activation.dual
    rule = tuple(map(tuple, (dual.scales, dual.weights)))
    kind, constant = dual._kind()
    factor = 2 / mp.pi * mpf(getattr(dual, "height", 1.0)) ** 2 if kind == STEP else 1 / (2 * mp.pi)
    x, y = np.random.default_rng(1).normal(size=(2, 3))
    X, options = 1e-3 * np.array([x, x + 1e-11 * y, 1.02 * x]), {"depth": 3, "weight_std": 300.0}
    K = NNGP(activation=activation, **options)(X)
    with mp.workdps(60):

        def value(a, b, c):
            roots = mp.sqrt(a), mp.sqrt(b)
            return factor * moment(kind, (rule, constant), *roots, c / (roots[0] * roots[1]))

        duals = value, lambda a, b, c: mpf(0)
        for i, j in ((1, 0), (2, 0)):
            truth = oracles.deep(duals, X[i], X[j], **options)[0]
            assert abs(mpf(K[i, j]) - truth) <= mpf("1e-12") * mpf(K[0, 0]), (i, j)


@pytest.mark.parametrize("bias", [{}, {"bias_std": 0.5}], ids=["no bias", "bias"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_gradients_where_layers_magnify(name, bias):
    """To the documented bound, and the exact change by a rounding of the rows."""
    x, y = np.random.default_rng(2).normal(size=(2, 3))
    X = 0.1 * np.array([x, x + 1e-7 * y, -x, 1.02 * x])
    turns = np.outer([1, -1, 1, -1], [1, -1, 1]) * 2.0**-52  # a row away from the other
    Z, options = X * (1 + turns), {"depth": 5, "weight_std": 30.0} | bias
    duals = getattr(oracle_duals, name)()
    truths = {
        (i, j): [oracles.deep_gradient(duals, rows[i], rows[j], **options) for rows in (X, Z)]
        for i, j in ((1, 0), (2, 1), (3, 0))
    }
    for which, kind in enumerate((NNGP, NTK)):
        kernel = kind(activation=ACTIVATIONS[name], **options)
        K, gradient = kernel(X, eval_gradient=True)
        for k, of in enumerate(h.name for h in kernel.hyperparameters if not h.fixed):
            for (i, j), ends in truths.items():
                truth, other = (end[of][which] for end in ends)
                bound = abs(truth) / 10**10 + mpf(float((K[i, i] * K[j, j]) ** 0.5)) / 10**12
                error = abs(mpf(gradient[i, j, k]) - truth)
                assert error <= bound + 4 * abs(truth - other), (kind, of, i, j)


def test_a_rounding_of_the_rows_shows_where_layers_magnify():
    """Why no arithmetic keeps 1e-12 there: the exact kernel of the next floats is another."""
    x, y = np.random.default_rng(0).normal(size=(2, 3))
    X = 30 * np.array([x, x + 1e-11 * y])
    Z = X * (1 + np.array([[1, -1, 1], [-1, 1, 1]]) * 2.0**-52)
    options = {"depth": 8, "weight_std": 1000.0}
    value, other, scale = (
        oracles.deep(oracle_duals.erf(), *rows, **options)[1] for rows in (X, Z, (X[0], X[0]))
    )
    change = abs(value - other) / scale
    assert 1e-8 < change < 1e-7
    K = ntk_kernel(X, activation="erf", **options)
    assert abs(mpf(K[0, 1]) - value) <= change * scale


def test_both_files_of_loops_number_the_kinds_alike():
    assert (_near.STEP, _near.SMOOTHED, _near.GATED) == (STEP, SMOOTHED, GATED)


def test_rows_of_uneven_lengths_in_magnifying_layers():
    """Sums over two lengths lose as many digits as the square of their ratio has."""
    X = np.array([[1e-19, 0.0], [1e-73, 1e-75], [1e-10, 1e-12], [1.0, 1e-3], [30.0, 0.1]])
    for activation in ("gelu", "erf", "softplus", "tanh"):
        for depth in (2, 6):
            K = NNGP(depth, activation, weight_std=30.0)(X)
            assert np.all(np.isfinite(K))
            assert np.linalg.eigvalsh(K / np.sqrt(np.outer(np.diag(K), np.diag(K))))[0] > -1e-11
