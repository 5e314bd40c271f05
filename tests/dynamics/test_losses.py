"""Losses against their definitions in many digits, finite differences, and their convexity constants."""

import mpmath as mp
import numpy as np
import pytest

from ntklib.dynamics import AbsoluteError, Huber, LogLoss, SquaredError, as_loss

N = 7
RNG = np.random.default_rng(0)
REAL = RNG.standard_normal(N), RNG.standard_normal((N, 3))
CASES = {
    "squared": (SquaredError(), REAL[0], None),
    "squared, 3 outputs": (SquaredError(), REAL[1], None),
    "huber": (Huber(0.7), REAL[0], None),
    "huber, 3 outputs": (Huber(0.7), REAL[1], None),
    "absolute": (AbsoluteError(), REAL[0], None),
    "absolute, 3 outputs": (AbsoluteError(), REAL[1], None),
    "logistic": (LogLoss(), np.array([0, 1, 1, 0, 1, 0, 0]), (N,)),
    "logistic, column": (LogLoss(), np.array([-1, 1, 1, -1, 1, -1, -1]), (N, 1)),
    "softmax": (LogLoss(), np.array([0, 1, 2, 0, 1, 2, 2]), (N, 3)),
    "softmax, probabilities": (LogLoss(), RNG.dirichlet(np.ones(3), N), (N, 3)),
}
pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(params=CASES)
def case(request):
    loss, y, shape = CASES[request.param]
    f = 2 * np.random.default_rng(1).standard_normal(y.shape if shape is None else shape)
    return loss, y, f


def differences(function, f, h=1e-6):
    """Central differences of a function in every entry of f, stacked on the last axes."""
    columns = []
    for i in range(f.size):
        step = np.zeros(f.size)
        step[i] = h
        step = step.reshape(f.shape)
        columns.append((np.asarray(function(f + step)) - np.asarray(function(f - step))) / (2 * h))
    return np.stack(columns, axis=-1)


@pytest.mark.parametrize("weighted", [False, True])
def test_gradient_is_the_derivative_of_the_value(case, weighted):
    loss, y, f = case
    w = np.linspace(0, 2, N) if weighted else None
    expected = differences(lambda g: loss.value(g, y, w), f).reshape(f.shape)
    np.testing.assert_allclose(loss.gradient(f, y, w), expected, atol=1e-8)


@pytest.mark.parametrize("weighted", [False, True])
def test_hessian_is_the_derivative_of_the_gradient(case, weighted):
    loss, y, f = case
    w = np.linspace(0, 2, N) if weighted else None
    if not loss.smooth:
        with pytest.raises(ValueError, match="no second derivative"):
            loss.hessian(f, y, w)
        return
    k = 1 if f.ndim == 1 else f.shape[1]
    full = differences(lambda g: loss.gradient(g, y, w), f).reshape(N, k, N, k)
    hessian = loss.hessian(f, y, w)
    assert hessian.shape == ((N,) if f.ndim == 1 else (N, k, k))
    for i in range(N):
        np.testing.assert_allclose(hessian[i], full[i, :, i].reshape(hessian[i].shape), atol=1e-8)
        full[i, :, i] = 0
    assert abs(full).max() < 1e-9  # samples do not mix


def test_convexity_constants_bound_the_hessian(case):
    loss, y, f = case
    risk = loss.risk(y, f.shape, np.linspace(1, 3, N))
    k = risk.n_outputs
    assert risk.strong_convexity == loss.strong_convexity(k)
    assert risk.smoothness == 3 * loss.smoothness(k)
    if loss.smooth:
        for scale in (0.0, 1.0, 10.0):
            values = np.linalg.eigvalsh(loss.hessian(scale * f, y).reshape(N, k, k))
            assert values.min() >= loss.strong_convexity(k) - 1e-12
            assert values.max() <= loss.smoothness(k) + 1e-12


def test_smoothness_of_the_log_loss_is_reached():
    loss = LogLoss()
    assert loss.hessian([0.0], [1])[0] == loss.smoothness(1)
    two_ties = np.array([[0.0, 0.0, -800.0]])
    assert np.linalg.eigvalsh(loss.hessian(two_ties, [0])[0])[-1] == pytest.approx(loss.smoothness(3))


@pytest.mark.parametrize("f", [-800.0, -50.0, -1e-3, 0.0, 1e-9, 3.0, 40.0, 700.0])
@pytest.mark.parametrize("label", [0, 1])
def test_logistic_in_many_digits(f, label):
    with mp.workdps(400):
        s = 2 * label - 1
        value = mp.log1p(mp.exp(-s * mp.mpf(f)))
        slope = -s / (1 + mp.exp(s * mp.mpf(f)))
        curvature = 1 / (1 + mp.exp(mp.mpf(f))) / (1 + mp.exp(-mp.mpf(f)))
    assert LogLoss().value([f], [label]) == pytest.approx(float(value), rel=1e-13, abs=1e-300)
    assert LogLoss().gradient([f], [label])[0] == pytest.approx(float(slope), rel=1e-13, abs=1e-300)
    assert LogLoss().hessian([f], [label])[0] == pytest.approx(float(curvature), rel=1e-13, abs=1e-300)


@pytest.mark.parametrize("f", [(0.0, 1.0, 2.0), (50.0, -3.0, 10.0), (-700.0, 0.0, -690.0), (9e2, 9e2, -9e2)])
@pytest.mark.parametrize("label", [0, 1, 2])
def test_softmax_in_many_digits(f, label):
    with mp.workdps(1000):
        exps = [mp.exp(mp.mpf(v)) for v in f]
        value = mp.log(sum(exps) / exps[label])
        slope = [float(e / sum(exps) - (j == label)) for j, e in enumerate(exps)]
        curvature = [float(e / sum(exps) * (1 - e / sum(exps))) for e in exps]
    near = {"rtol": 1e-13, "atol": 1e-300}
    np.testing.assert_allclose(LogLoss().value([f], [label]), float(value), **near)
    np.testing.assert_allclose(LogLoss().gradient([f], [label])[0], slope, **near)
    np.testing.assert_allclose(LogLoss().hessian([f], [label])[0].diagonal(), curvature, **near)


def test_two_outputs_are_the_logistic_loss_of_their_difference():
    f, y = RNG.standard_normal((N, 2)), np.array([0, 1, 1, 0, 1, 0, 0])
    assert LogLoss().value(f, y) == pytest.approx(LogLoss().value(f[:, 1] - f[:, 0], y), rel=1e-14)


def test_a_column_and_a_vector_are_taken_for_one_another():
    f, y = REAL[0], np.linspace(-1, 1, N)
    assert SquaredError().value(f, y[:, None]) == SquaredError().value(f, y)
    assert SquaredError().gradient(f[:, None], y).shape == (N, 1)


def test_labels_in_any_dress_are_the_same():
    f, f3 = RNG.standard_normal(4), RNG.standard_normal((4, 3))
    zero_one = np.array([0, 1, 1, 0])
    for y in (zero_one, 2 * zero_one - 1, zero_one.astype(bool), zero_one.astype(float), zero_one[:, None]):
        assert LogLoss().value(f, y) == LogLoss().value(f, zero_one)
    classes = np.array([2, 0, 1, 2])
    np.testing.assert_array_equal(LogLoss().gradient(f3, np.eye(3)[classes]), LogLoss().gradient(f3, classes))
    assert LogLoss().output_shape(zero_one) == (4,)
    assert LogLoss().output_shape(classes) == (4, 3)
    assert LogLoss().value(f, np.zeros(4)) == LogLoss().value(f, -np.ones(4))


def test_huber_is_the_squared_error_inside_and_the_absolute_error_outside():
    f, y = np.array([0.1, -0.2, 5.0, -7.0]), np.zeros(4)
    np.testing.assert_allclose(Huber(1.0).gradient(f, y), [0.1, -0.2, 1.0, -1.0])
    assert Huber(100.0).value(f, y) == SquaredError().value(f, y)
    assert Huber(1e-9).value(f, y) == pytest.approx(1e-9 * AbsoluteError().value(f, y))
    np.testing.assert_array_equal(Huber(1.0).hessian(f, y), [1, 1, 0, 0])


def test_single_precision_is_kept(case):
    loss, y, f = case
    assert loss.gradient(f.astype(np.float32), y).dtype == np.float32
    np.testing.assert_allclose(loss.gradient(f.astype(np.float32), y), loss.gradient(f, y), atol=2e-6)
    assert loss.value(f.astype(np.float32), y) == pytest.approx(loss.value(f, y), rel=1e-5)
    if loss.smooth:
        assert loss.hessian(f.astype(np.float32), y).dtype == np.float32


def test_a_risk_takes_axes_in_front_and_parts_of_the_samples(case):
    loss, y, f = case
    w = np.linspace(0, 2, N)
    risk = loss.risk(y, f.shape, w)
    stack = np.stack([f, -f, 3 * f])
    values = [loss.value(g, y, w) for g in stack]
    np.testing.assert_allclose(risk.value(stack), values, rtol=1e-14)
    np.testing.assert_allclose(risk.gradient(stack), [loss.gradient(g, y, w) for g in stack], rtol=1e-14)
    if loss.smooth:
        np.testing.assert_allclose(risk.hessian(stack)[2], loss.hessian(3 * f, y, w), rtol=1e-14)
    part = risk.take([0, 4, 4])
    np.testing.assert_array_equal(part.gradient(f[[0, 4, 4]]), risk.gradient(f)[[0, 4, 4]])
    assert isinstance(risk.value(f), float)


def test_losses_by_name():
    assert as_loss("squared_error") == SquaredError()
    assert as_loss("log_loss") == LogLoss()
    assert as_loss("huber") == Huber(1.0)
    assert as_loss("absolute_error") == AbsoluteError()
    assert as_loss(Huber(2.0)) == Huber(2.0) != Huber(1.0)
    with pytest.raises(ValueError, match="'huber', 'absolute_error'; got 'hinge'"):
        as_loss("hinge")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SquaredError().value([1.0, 2.0], [1.0]), r"targets of shape \(1,\) do not go with outputs"),
        (lambda: SquaredError().value([1.0], [np.nan]), "NaN or infinity"),
        (lambda: SquaredError().value([[1.0, 2.0]], [1.0]), "do not go with"),
        (lambda: SquaredError().value([1.0], [1.0], [-1.0]), "nonnegative"),
        (lambda: SquaredError().risk([1.0]).value([1.0, 2.0]), r"outputs must have shape \(1,\)"),
        (lambda: SquaredError().risk(np.zeros((0,))), r"\(n,\) or \(n, k\)"),
        (lambda: LogLoss().risk([0, 1, 2], (3,)), "as many outputs"),
        (lambda: LogLoss().risk([-1, 0]), "0 and 1 or -1 and"),
        (lambda: LogLoss().risk([0, 3], (2, 3)), r"0, \.\.\., 2 for 3 outputs"),
        (lambda: LogLoss().risk([0.5, 1.0]), "integer labels"),
        (lambda: LogLoss().risk(["a", "b"]), "integer labels"),
        (lambda: LogLoss().risk([[0.5, 0.4]]), "sum to 1"),
        (lambda: LogLoss().risk([[0.5, 0.5]], (1, 3)), "do not go with"),
        (lambda: Huber(0.0), "delta must be finite and greater than 0"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
