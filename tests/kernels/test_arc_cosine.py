"""Facts about kappa_n and the two-layer NTK that hold whatever computes them."""

import math

import numpy as np
import pytest
from scipy.special import factorial2

from ntklib.kernels import RectifiedPower, arc_cosine_kernel, arc_cosine_of_angle, ntk_kernel
from tests import naive

ANGLES = np.linspace(0.01, 3.1, 23)


def circle(theta):
    """Unit vectors at angle theta from the first axis."""
    return np.column_stack([np.cos(theta), np.sin(theta)])


@pytest.mark.parametrize("degree", range(8))
def test_diagonal(degree, rng):
    X = rng.normal(size=(6, 3))
    norms = np.linalg.norm(X, axis=1)
    double = 1.0 if degree == 0 else factorial2(2 * degree - 1, exact=True)
    expected = norms ** (2 * degree) * double / 2
    np.testing.assert_allclose(np.diag(arc_cosine_kernel(X, degree=degree)), expected, rtol=1e-13)


@pytest.mark.parametrize("degree", range(8))
def test_opposite_rows_are_exactly_uncorrelated(degree):
    X = np.array([[1.0, 2.0, -0.5], [0.1, 0.2, 0.3]])
    K = arc_cosine_kernel(np.vstack([X, -X]), degree=degree)
    assert K[0, 2] == K[2, 0] == K[1, 3] == 0.0
    assert arc_cosine_kernel(X[:1], -4 * X[:1], degree=degree)[0, 0] == 0.0


@pytest.mark.parametrize("degree", range(6))
def test_slope_in_the_cosine(degree):
    h = 1e-5
    slope = (
        arc_cosine_of_angle(ANGLES + h, degree=degree) - arc_cosine_of_angle(ANGLES - h, degree=degree)
    ) / (2 * h)
    slope /= -np.sin(ANGLES)
    if degree == 0:
        expected = 1 / (2 * np.pi * np.sin(ANGLES))
    else:
        expected = degree**2 * arc_cosine_of_angle(ANGLES, degree=degree - 1)
    np.testing.assert_allclose(slope, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("degree", range(6))
def test_angle_function_is_the_kernel_of_unit_vectors(degree):
    K = arc_cosine_kernel([[1.0, 0.0]], circle(ANGLES), degree=degree)
    np.testing.assert_allclose(K[0], arc_cosine_of_angle(ANGLES, degree=degree), rtol=1e-11, atol=1e-15)
    assert arc_cosine_of_angle(0.3, degree=degree).shape == ()
    assert arc_cosine_of_angle(np.full((2, 3), 0.3), degree=degree).shape == (2, 3)


@pytest.mark.parametrize("angle", [-0.1, 3.2, np.nan, np.inf])
def test_angles_outside_the_circle_are_refused(angle):
    with pytest.raises(ValueError, match=r"pi|NaN|finite"):
        arc_cosine_of_angle(angle)


def test_zero_rows():
    X = np.array([[0.0, 0.0], [1.0, 2.0]])
    np.testing.assert_allclose(arc_cosine_kernel(X, degree=0), [[1.0, 0.5], [0.5, 0.5]], rtol=3e-16)
    np.testing.assert_array_equal(arc_cosine_kernel(X, -X, degree=0), [[1.0, 0.5], [0.5, 0.0]])
    for degree in range(1, 6):
        K = arc_cosine_kernel(X, degree=degree)
        assert K[0, 0] == K[0, 1] == K[1, 0] == 0.0
        assert K[1, 1] > 0
    for degree in range(6):
        theta = ntk_kernel(X, activation=RectifiedPower(degree))
        assert np.all(np.isfinite(theta))
        assert degree == 0 or theta[0, 0] == theta[0, 1] == 0.0


def test_two_layer_closed_forms():
    K1 = ntk_kernel([[1.0, 0.0]], circle(ANGLES))[0]
    rest = np.pi - ANGLES
    np.testing.assert_allclose(
        K1, np.sin(ANGLES) / (2 * np.pi) + rest * np.cos(ANGLES) / np.pi, rtol=1e-12, atol=1e-15
    )
    K2 = ntk_kernel([[1.0, 0.0]], circle(ANGLES), activation=RectifiedPower(2))[0]
    sine, cosine = np.sin(ANGLES), np.cos(ANGLES)
    right = (7 * sine * cosine + rest * (1 + 6 * cosine**2)) / (2 * np.pi)
    misprint = (5 * sine * cosine + rest * (1 + 4 * cosine**2)) / (2 * np.pi)
    np.testing.assert_allclose(K2, right, rtol=1e-10, atol=1e-14)
    assert not np.allclose(K2, misprint, rtol=0.1)


def test_two_layer_at_coincidence_is_seven_halves():
    assert ntk_kernel([[0.6, 0.8]], activation=RectifiedPower(2))[0, 0] == pytest.approx(3.5, rel=1e-14)


@pytest.mark.parametrize("degree", range(1, 6))
def test_two_layer_ntk_is_built_from_arc_cosines(degree, rng):
    X, Y = rng.normal(size=(4, 3)), rng.normal(size=(5, 3))
    expected = naive.arc_cosine_kernel(X, Y, degree)
    expected += degree**2 * (X @ Y.T) * naive.arc_cosine_kernel(X, Y, degree - 1)
    K = ntk_kernel(X, Y, activation=RectifiedPower(degree))
    np.testing.assert_allclose(K, expected, rtol=1e-11, atol=1e-12)


def test_two_layer_ntk_of_the_step_is_its_nngp(rng):
    X = rng.normal(size=(4, 3))
    K = ntk_kernel(X, activation=RectifiedPower(0))
    np.testing.assert_allclose(K, arc_cosine_kernel(X, degree=0), rtol=1e-15)


@pytest.mark.parametrize("degree", [0, 1, 2, 4])
def test_normalized(degree, rng):
    X, Y = rng.normal(size=(4, 3)), rng.normal(size=(5, 3))
    K = arc_cosine_kernel(X, Y, degree=degree)
    scale = np.sqrt(
        np.outer(np.diag(arc_cosine_kernel(X, degree=degree)), np.diag(arc_cosine_kernel(Y, degree=degree)))
    )
    np.testing.assert_allclose(arc_cosine_kernel(X, Y, degree=degree, normalized=True), K / scale, rtol=1e-13)
    np.testing.assert_array_equal(np.diag(arc_cosine_kernel(X, degree=degree, normalized=True)), 1.0)


def test_monte_carlo(rng):
    """A z-score against the definition: 200,000 random features."""
    x, z = np.array([1.0, 0.5]), np.array([-0.4, 2.0])
    W = rng.normal(size=(200_000, 2))
    for degree in range(4):
        products = np.where(W @ x >= 0, (W @ x) ** degree, 0) * np.where(W @ z >= 0, (W @ z) ** degree, 0)
        standard_error = products.std() / math.sqrt(len(W))
        value = arc_cosine_kernel([x], [z], degree=degree)[0, 0]
        assert abs(products.mean() - value) < 5 * standard_error
