"""Learning curves of kernel regression: against brute-force fits, and kappa against many digits."""

import mpmath
import numpy as np
import pytest
from sklearn.datasets import load_digits

from ntklib import NTK
from ntklib.theory import LearningCurve, eigenlearning_curve, eigenlearning_from_spectrum

SPECTRUM = 1 / np.arange(1, 121) ** 1.5


def kappa_of(values, n, penalty, population):
    """Kappa in 30 digits, by the equation as it is printed."""
    with mpmath.workdps(30):
        values = [mpmath.mpf(float(value)) for value in values]

        def excess(log_kappa):
            kappa = mpmath.exp(log_kappa)
            total = mpmath.fsum(value / (value + kappa) for value in values)
            return total + penalty / kappa * (1 - total / population) - n

        low, high = mpmath.mpf(-40), mpmath.mpf(10)
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if excess(middle) > 0 else (low, middle)
        return float(mpmath.exp(low))


def gram(size, rng):
    """A Gram matrix of that spectrum whose eigenvectors are random directions, and targets in them."""
    vectors = np.linalg.qr(rng.standard_normal((size, size)))[0]
    values = np.concatenate([SPECTRUM, np.zeros(size - SPECTRUM.size)])
    coefficients = np.concatenate([1 / np.arange(1, 121), np.zeros(size - 121), [0.3]])
    return vectors * (size * values) @ vectors.T, np.sqrt(size) * vectors @ coefficients


def errors(K, y, n, penalty, rng):
    """Mean squared errors of one fit: on all rows, on those trained on, on the others."""
    order = rng.permutation(len(K))
    on, off = order[:n], order[n:]
    dual = np.linalg.solve(K[np.ix_(on, on)] + penalty * np.eye(n), y[on])
    square = (K[:, on] @ dual - y) ** 2
    return np.mean(square), np.mean(square[on]), np.mean(square[off])


@pytest.mark.parametrize("penalty", [0.0, 0.3, 100.0])
@pytest.mark.parametrize("n", [1, 30, 119])
def test_kappa_to_all_digits(n, penalty):
    curve = eigenlearning_from_spectrum(SPECTRUM, SPECTRUM, n, penalty=penalty)
    np.testing.assert_allclose(curve.kappa, kappa_of(SPECTRUM, n, penalty, mpmath.inf), rtol=1e-11)
    K, y = np.diag(150 * np.concatenate([SPECTRUM, np.zeros(30)])), np.ones(150)
    curve = eigenlearning_curve(K, y, n, penalty=penalty)
    np.testing.assert_allclose(curve.kappa, kappa_of(SPECTRUM, n, penalty, 150), rtol=1e-11)


def test_learnability_is_conserved():
    """Without a penalty the learnabilities sum to the number of rows."""
    curve = eigenlearning_from_spectrum(SPECTRUM, SPECTRUM, (1, 7, 60, 119))
    np.testing.assert_allclose(curve.learnability.sum(axis=1), curve.n_train, rtol=1e-11)
    assert (curve.train_error == 0).all()


@pytest.mark.parametrize("penalty", [1e-3, 3.0, 30.0])
@pytest.mark.parametrize("n", [40, 200])
def test_rows_of_a_finite_population(n, penalty):
    """Eigenvectors are random directions here, for which the formulas are exact in the limit."""
    rng = np.random.default_rng(n)
    draws = []
    for _ in range(4):
        K, y = gram(300, rng)
        curve = eigenlearning_curve(K, y, n, penalty=penalty)
        draws += [errors(K, y, n, penalty, rng) for _ in range(25)]
    mean, error = np.mean(draws, axis=0), np.std(draws, axis=0, ddof=1) / np.sqrt(len(draws))
    predicted = np.array([curve.test_error[0], curve.train_error[0], curve.unseen_error[0]])
    assert (np.abs(mean - predicted) < 4 * error + 0.02 * predicted + 1e-9).all(), (mean, predicted, error)
    infinite = eigenlearning_from_spectrum(curve.eigenvalues, np.sqrt(curve.power), n, penalty=penalty)
    if n == 200:  # the correction matters
        gap = abs(infinite.unseen_error[0] - mean[2])
        assert gap > max(3 * error[2], abs(predicted[2] - mean[2]))


@pytest.mark.parametrize("penalty", [0.0, 5.0])
def test_rows_from_a_distribution(penalty):
    """Gaussian features, noisy labels of two outputs; tested on labels with noise of their own."""
    rng = np.random.default_rng(0)
    n, noise = 60, 0.2
    v = np.stack([1 / np.arange(1, 121), SPECTRUM], axis=1)
    draws = []
    for _ in range(150):
        features = rng.standard_normal((n, 120))
        labels = features @ v + np.sqrt(noise / 2) * rng.standard_normal((n, 2))
        scaled = features * np.sqrt(SPECTRUM)
        dual = np.linalg.solve(scaled @ scaled.T + penalty * np.eye(n), labels)
        fit = np.sqrt(SPECTRUM)[:, None] * (scaled.T @ dual)
        draws.append((np.sum((v - fit) ** 2) + noise, np.sum((features @ fit - labels) ** 2) / n))
    mean, error = np.mean(draws, axis=0), np.std(draws, axis=0, ddof=1) / np.sqrt(len(draws))
    curve = eigenlearning_from_spectrum(SPECTRUM, v, n, penalty=penalty, noise=noise)
    predicted = np.array([curve.test_error[0], curve.train_error[0]])
    assert (np.abs(mean - predicted) < 4 * error + 0.02 * predicted + 1e-9).all(), (mean, predicted, error)


def test_digits():
    """Figures of a trial: predicted to all digits printed, measured to the error of a few fits."""
    X, labels = load_digits(return_X_y=True)
    y = np.eye(10)[labels]
    y = (y - y.mean(axis=0)) / np.sqrt(y.var(axis=0).sum())
    K = NTK(depth=1)(X / 16)
    curve = eigenlearning_curve(K, y, (50, 100, 200, 400))
    np.testing.assert_allclose(curve.unseen_error, [0.422, 0.286, 0.187, 0.121], atol=1e-3)
    infinite = eigenlearning_from_spectrum(curve.eigenvalues, np.sqrt(curve.power), curve.n_train)
    np.testing.assert_allclose(infinite.unseen_error, [0.410, 0.270, 0.166, 0.094], atol=1e-3)
    rng = np.random.default_rng(0)
    for n, figure, corrected, plain in zip(
        curve.n_train, [0.425, 0.289, 0.200, 0.132], curve.unseen_error, infinite.unseen_error, strict=True
    ):
        draws = []
        for _ in range(12):
            order = rng.permutation(len(X))
            on, off = order[:n], order[n : n + 600]
            fit = K[np.ix_(off, on)] @ np.linalg.solve(K[np.ix_(on, on)], y[on])
            draws.append(np.sum((fit - y[off]) ** 2) / 600)
        mean, error = np.mean(draws), np.std(draws, ddof=1) / np.sqrt(len(draws))
        assert abs(mean - figure) < 4 * error + 5e-4
        assert abs(mean - corrected) < min(abs(mean - plain) / 2, 0.12 * mean)


def test_least_squares():
    """No penalty and more rows than eigenvalues: degrees of freedom, and none left at their number."""
    v = [0.0] * 5 + [1.0]
    curve = eigenlearning_from_spectrum([1.0, 2, 3, 4, 5, 0], v, (5, 10, 25), noise=1.0)
    assert (curve.kappa == 0).all()
    np.testing.assert_allclose(curve.test_error, [np.inf, 4, 2.5])  # 2 n/(n - 5)
    np.testing.assert_allclose(curve.train_error, [0, 1, 1.6])  # 2 (n - 5)/n
    assert (eigenlearning_from_spectrum([1.0, 2], [1.0, 1], (2, 3)).test_error == 0).all()
    rng = np.random.default_rng(1)
    features = rng.standard_normal((80, 6))
    y = features[:, 0] + rng.standard_normal(80)
    curve = eigenlearning_curve(features @ features.T, y, 30)
    draws = [errors(features @ features.T, y, 30, 0.0, rng) for _ in range(400)]
    mean, error = np.mean(draws, axis=0), np.std(draws, axis=0, ddof=1) / np.sqrt(400)
    predicted = np.array([curve.test_error[0], curve.train_error[0], curve.unseen_error[0]])
    assert (np.abs(mean - predicted) < 5 * error + 0.03 * predicted).all(), (mean, predicted, error)


def test_a_large_population_is_almost_a_distribution():
    K, y = gram(600, np.random.default_rng(2))
    y *= 3
    curve = eigenlearning_curve(K, y, (5, 10), penalty=1.0)
    infinite = eigenlearning_from_spectrum(curve.eigenvalues, np.sqrt(curve.power), (5, 10), penalty=1.0)
    np.testing.assert_allclose(curve.unseen_error, infinite.unseen_error, rtol=0.02)
    assert infinite.unseen_error == pytest.approx(infinite.test_error)
    # eigenvalues scale with the penalty, errors with the squares of the targets
    scaled = eigenlearning_curve(7 * K, 2 * y, (5, 10), penalty=7.0)
    np.testing.assert_allclose(scaled.test_error, 4 * curve.test_error, rtol=1e-9)
    np.testing.assert_allclose(scaled.kappa, 7 * curve.kappa, rtol=1e-9)


def test_the_record():
    curve = eigenlearning_from_spectrum([1, 3], [1, 2], [1])
    assert isinstance(curve, LearningCurve)
    assert curve.eigenvalues.tolist() == [3, 1]
    assert curve.power.tolist() == [4, 1]
    assert "2 eigenvalues, penalty 0, infinite population" in repr(curve)
    assert "population 3" in repr(eigenlearning_curve(np.eye(3), [1, 2, 3], 2))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: eigenlearning_curve(np.ones((2, 3)), [1, 2], 1), ValueError, "square matrix"),
        (lambda: eigenlearning_curve(np.eye(3), [1, 2], 1), ValueError, "each of the 3 rows"),
        (lambda: eigenlearning_curve(np.eye(3), [1, 2, np.nan], 1), ValueError, "y contains NaN"),
        (lambda: eigenlearning_curve(np.diag([1, np.inf]), [1, 2], 1), ValueError, "K contains NaN"),
        (lambda: eigenlearning_curve(np.tri(3), [1, 2, 3], 1), ValueError, "not symmetric"),
        (lambda: eigenlearning_curve(-np.eye(3), [1, 2, 3], 1), ValueError, "semidefinite"),
        (lambda: eigenlearning_curve(0 * np.eye(3), [1, 2, 3], 1), ValueError, "nothing to learn"),
        (lambda: eigenlearning_curve(np.eye(3), [1, 2, 3], (1, 3)), ValueError, "take 2 at most"),
        (lambda: eigenlearning_curve(np.eye(3), [1, 2, 3], 1.5), TypeError, "n_train"),
        (lambda: eigenlearning_curve(np.eye(3), [1, 2, 3], 1, penalty=-1), ValueError, "penalty"),
        (lambda: eigenlearning_from_spectrum([1, -1], [1, 1], 1), ValueError, "eigenvalues"),
        (lambda: eigenlearning_from_spectrum([0, 0], [1, 1], 1), ValueError, "not all 0"),
        (lambda: eigenlearning_from_spectrum([1, 1], [1], 1), ValueError, "one an eigenvalue"),
        (lambda: eigenlearning_from_spectrum([1, 1], [1, 1], 1, noise=-1), ValueError, "noise"),
        (lambda: eigenlearning_from_spectrum([1, 1], [1, 1], ()), ValueError, "empty"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
