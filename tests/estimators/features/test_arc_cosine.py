"""Random features of arc-cosine kernels: their definition, mean and variance by quadrature and by draws."""

import warnings
from itertools import pairwise

import numpy as np
import pytest

from ntklib import ArcCosine, ArcCosineFeatures, TangentFeatures
from ntklib.kernels import arc_cosine_kernel
from ntklib.networks import TwoLayerNet

RNG = np.random.default_rng(0)
SAMPLINGS = ("gaussian", "sphere")


def rectified(values, degree):
    return np.where(values >= 0, values**degree if degree else 1.0, 0.0)


NODES, WEIGHTS = np.polynomial.legendre.leggauss(40)


def integral(function, a, b):
    return (b - a) / 2 * (WEIGHTS @ function(a + (b - a) * (NODES + 1) / 2))


def on_circle(angle, degree, power):
    """Mean of a power of sigma(u . x) sigma(u . z), u uniform on the circle, x and z unit vectors."""

    def product(t):
        return (rectified(np.cos(t), degree) * rectified(np.cos(t - angle), degree)) ** power

    kinks = [
        -np.pi,
        np.pi,
        *(np.angle(np.exp(1j * (a + side))) for a in (0, angle) for side in (-np.pi / 2, np.pi / 2)),
    ]
    return sum(integral(product, a, b) for a, b in pairwise(sorted(kinks))) / (2 * np.pi)


def length_moment(sampling, d, k, radius):
    """Mean of rho^k, rho the length of a neuron's projection on the plane of two rows."""
    if sampling == "gaussian":
        return sum(integral(lambda r: r ** (k + 1) * np.exp(-(r**2) / 2), a, a + 4) for a in range(0, 20, 4))
    if d == 2:
        return radius**k
    # of a uniform unit vector, rho^2 = 1 - t^2 with the density (d - 2) t^(d - 3) of t
    return radius**k * integral(lambda t: (1 - t**2) ** (k / 2) * (d - 2) * t ** (d - 3), 0, 1)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("d", [2, 3, 7])
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_mean_and_standard_error_are_those_of_quadrature(sampling, d, degree):
    model = ArcCosineFeatures(degree, 9, sampling=sampling).fit(RNG.normal(size=(2, d)))
    lengths = np.linalg.norm(model.components_, axis=1)
    if sampling == "sphere":
        np.testing.assert_allclose(lengths, lengths[0], rtol=1e-12)
    for angle in (0.0, 0.4, np.pi / 2, 2.7):
        x, z = np.zeros(d), np.zeros(d)
        x[0], z[:2] = 1.5, (0.7 * np.cos(angle), 0.7 * np.sin(angle))
        mean, square = (
            on_circle(angle, degree, power)
            * length_moment(sampling, d, 2 * degree * power, lengths[0])
            * (1.5 * 0.7) ** (degree * power)
            for power in (1, 2)
        )
        assert ArcCosine(degree)(x[None], z[None])[0, 0] == pytest.approx(mean, rel=1e-8)
        error = model.standard_error(x[None], z[None])[0, 0]
        assert error**2 * 9 == pytest.approx(square - mean**2, rel=1e-7)


@pytest.mark.parametrize("degree", [0, 1, 3])
def test_one_dimension_has_two_directions(degree):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = ArcCosineFeatures(degree, 8, sampling="sphere").fit([[1.0]])
    radius = abs(model.components_[0, 0])
    values = np.array(
        [rectified(side * radius * 2.0, degree) * rectified(side * radius * 3.0, degree) for side in (1, -1)]
    )
    assert values.mean() == pytest.approx(ArcCosine(degree)([[2.0]], [[3.0]])[0, 0], rel=1e-12)
    assert model.standard_error([[2.0]], [[3.0]])[0, 0] == pytest.approx(values.std() / np.sqrt(8), rel=1e-12)
    assert model.standard_error([[2.0]], [[-3.0]])[0, 0] == 0


@pytest.mark.parametrize("degree", [0, 1, 2])
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_draws_have_the_mean_and_the_variance_that_are_stated(sampling, degree):
    """Each neuron is a draw; five standard errors."""
    m, X = 40_000, np.array([[1.0, 0.0, 0.5], [0.3, -1.0, 0.2], [-0.5, 0.5, 0.0]])
    model = ArcCosineFeatures(degree, m, sampling=sampling, random_state=3).fit(X)
    features = model.transform(X)
    kernel, variance = ArcCosine(degree)(X), model.standard_error(X) ** 2 * m
    for i in range(3):
        for j in range(i + 1):
            draws = features[i] * features[j] * m
            assert abs(draws.mean() - kernel[i, j]) <= 5 * draws.std() / np.sqrt(m)
            squares = (draws - kernel[i, j]) ** 2
            assert abs(squares.mean() - variance[i, j]) <= 5 * squares.std() / np.sqrt(m) + 1e-12


def test_the_sphere_is_never_worse():
    X = RNG.normal(size=(30, 5))
    for degree in range(4):
        gaussian, sphere = (ArcCosineFeatures(degree, sampling=s).fit(X).standard_error(X) for s in SAMPLINGS)
        assert np.all(sphere <= gaussian)
        if degree == 1:
            doubled, mean = arc_cosine_kernel(X, degree=2), arc_cosine_kernel(X)
            np.testing.assert_allclose(sphere**2, (doubled * 5 / 7 - mean**2) / 1000, rtol=1e-10)


@pytest.mark.parametrize("degree", [0, 1, 2, 5])
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_features_are_a_hidden_layer(sampling, degree):
    X = RNG.normal(size=(20, 4))
    model = ArcCosineFeatures(degree, 30, sampling=sampling).fit(X)
    expected = rectified(X @ model.components_.T, degree) / np.sqrt(30)
    np.testing.assert_allclose(model.transform(X), expected, rtol=1e-12)


@pytest.mark.parametrize("factor", [1e-200, 1e-150, 1e150, 1e307])
def test_rows_of_any_size(factor):
    X = RNG.normal(size=(20, 4))
    X[3] = 0
    plain, scaled = (ArcCosineFeatures(1, 30).fit(rows) for rows in (X, factor * X))
    np.testing.assert_allclose(scaled.transform(factor * X), factor * plain.transform(X), rtol=1e-12)
    np.testing.assert_allclose(
        scaled.standard_error(factor * X, X), factor * plain.standard_error(X), rtol=1e-10
    )
    assert scaled.error_ == pytest.approx(plain.error_, rel=1e-10)
    large = ArcCosineFeatures(3, 30).fit(factor * X)
    assert large.error_ == pytest.approx(ArcCosineFeatures(3, 30).fit(X).error_, rel=1e-10)
    features = large.transform(factor * X)
    assert not np.isnan(features).any()
    if factor > 1:
        assert np.all((features == np.inf) == (plain.transform(X) > 0))
    assert not features[3].any()


@pytest.mark.parametrize("factor", [1e-20, 1e20, 1e37])
def test_float32_rows_of_any_size(factor):
    X = RNG.normal(size=(20, 4))
    model = ArcCosineFeatures(1, 30).fit((factor * X).astype(np.float32))
    got = model.transform((factor * X).astype(np.float32)) / factor
    np.testing.assert_allclose(got, ArcCosineFeatures(1, 30).fit(X).transform(X), rtol=1e-4, atol=1e-6)


def test_rows_of_zeros_follow_the_convention_of_the_kernel():
    zero = np.zeros((2, 3))
    step, ramp = ArcCosineFeatures(0, 50).fit(zero), ArcCosineFeatures(1, 50).fit(zero)
    np.testing.assert_allclose(step.transform(zero) @ step.transform(zero).T, np.ones((2, 2)))
    assert (step.error_, ramp.error_) == (pytest.approx(0.0, abs=1e-14), 0.0)
    assert not ramp.transform(zero).any()
    assert not step.standard_error(zero).any()
    assert step.standard_error(zero, np.eye(3))[0, 0] == pytest.approx(np.sqrt((1 / 2 - 1 / 4) / 50))


def test_large_degrees():
    X = RNG.normal(size=(5, 3))
    model = ArcCosineFeatures(75, 10).fit(X)
    assert np.isfinite(model.standard_error(X)).all()
    with pytest.raises(ValueError, match="degree must be at most 75, got 76"):
        ArcCosineFeatures(76).fit(X)
    with pytest.raises(ValueError, match="sampling must be one of 'gaussian', 'sphere'"):
        ArcCosineFeatures(sampling="cube").fit(X)


def test_tangent_features_of_one_feature_warn_too():
    with pytest.warns(UserWarning, match="with one feature and no bias"):
        TangentFeatures(TwoLayerNet(5)).fit([[1.0], [2.0]])
