"""Gradient flow in parameter space: closed forms, high precision, other integrators, any scale, errors."""

import io
from itertools import pairwise

import matplotlib.pyplot as plt
import mpmath
import numpy as np
import pytest
from scipy import sparse
from scipy.integrate import quad, solve_ivp

from ntklib.dynamics import Flow, gradient_flow, integrate_flow, linearized_flow
from ntklib.dynamics.flow._problem import FlowProblem
from ntklib.kernels import ABReLU, RectifiedPower
from ntklib.networks import MLP, TwoLayerNet, linearize

rng = np.random.default_rng(0)
X, Y = rng.standard_normal((6, 3)), rng.standard_normal((6, 2))
y = Y[:, 0]
NETWORKS = [
    TwoLayerNet(24, activation="erf"),
    TwoLayerNet(16, activation="softplus", scale=1e4, bias_std=0.5),
    MLP((8, 12), activation="erf", n_outputs=2, scale=30.0),
    TwoLayerNet(2, activation="erf", trainable="output"),  # fewer parameters than rows
]
CASES = pytest.mark.parametrize("net", NETWORKS, ids=lambda net: f"{type(net).__name__}-{net.scale:g}")


def moments(net, params, factors=(0.0, 0.3, 2.0, 40.0)):
    """Times in units of the fastest mode's."""
    return np.array(factors) / np.linalg.eigvalsh(net.ntk(params, X))[-1]


@CASES
@pytest.mark.parametrize("centred", [False, True], ids=["plain", "centred"])
def test_linear_models_against_the_closed_form_in_function_space(net, centred):
    params = net.init(3, random_state=1)
    model = net.centered_at(params) if centred else net
    targets = y if net.n_outputs == 1 else Y
    J = net.jacobian(params, X).reshape(targets.size, -1)
    times, f0 = moments(net, params), model.apply(params, X)
    exact = gradient_flow(J @ J.T, targets.ravel(), times, f0=f0.ravel())
    vectors = exact.dual_coef @ J
    for flow in (
        integrate_flow(linearize(model, params), X, targets, times, keep_params=True),
        linearized_flow(model, X, targets, times, params=params, keep_params=True),
    ):
        errors = np.linalg.norm(flow.outputs.reshape(4, -1) - exact.outputs, axis=1)
        assert (errors <= flow.output_error_estimate).all()
        assert (flow.output_error_estimate < 1e-6 * np.linalg.norm(f0 - targets)).all()
        assert (np.linalg.norm(flow.vectors - vectors, axis=1) <= flow.error_estimate).all()
        assert (flow.error_estimate < 1e-7 * exact.distance[-1]).all()
        np.testing.assert_allclose(flow.loss, exact.loss, rtol=1e-7, atol=1e-15)
        np.testing.assert_allclose(flow.distance, exact.distance, rtol=1e-7, atol=1e-14 / net.scale)
        moved = net.ravel(flow.params) - net.ravel(params)
        # rounding of the parameters themselves
        np.testing.assert_allclose(moved, vectors[-1], atol=1e-8 * exact.distance[-1] + 2e-15)
        assert flow.initial_params == params


@CASES
def test_path_length_of_linear_models_against_quadrature(net):
    params = net.init(3, random_state=1)
    targets = y if net.n_outputs == 1 else Y
    times = moments(net, params)
    flow = linearized_flow(net, X, targets, times, params=params)
    J = net.jacobian(params, X).reshape(targets.size, -1)
    values, Q = np.linalg.eigh(J @ J.T)
    c = Q.T @ (net.apply(params, X) - targets).ravel()

    def speed(t):
        return float(np.sqrt(np.maximum(values, 0) @ (np.exp(-t * values) * c) ** 2))

    pieces = [quad(speed, a, b, epsabs=0, epsrel=1e-12)[0] for a, b in pairwise(times)]
    np.testing.assert_allclose(flow.path_length, np.append(0, np.cumsum(pieces)), rtol=1e-11)
    integrated = integrate_flow(linearize(net, params), X, targets, times)
    np.testing.assert_allclose(integrated.path_length, flow.path_length, rtol=1e-8)
    assert (flow.path_length >= flow.distance * (1 - 1e-14)).all()


@pytest.mark.parametrize("scale", [0.05, 1.0, 1e4])
def test_one_neuron_in_closed_form(scale):
    """f = alpha v (w x)^2 follows the logistic equation df/dt = -4 (alpha v x^2) f (f - y)."""
    net = TwoLayerNet(1, activation=RectifiedPower(2), trainable="hidden", scale=scale)
    params = net.init(1, 0).replace(W0=[[0.6]], W1=[[0.9]])
    x, target, a = 1.3, 2.0 * scale, scale * 0.9 * 1.3**2
    f0 = a * 0.6**2
    times = np.array([0.0, 0.1, 0.5, 1.0]) / scale**2
    flow = integrate_flow(net, [[x]], [target], times, params=params)
    exact = target / (1 + (target / f0 - 1) * np.exp(-4 * a * target * times))
    np.testing.assert_allclose(flow.outputs[:, 0], exact, rtol=1e-9)
    assert (np.abs(flow.outputs[:, 0] - exact) <= flow.output_error_estimate).all()
    moved = np.sqrt(exact / a) - 0.6
    np.testing.assert_allclose(flow.distance, moved, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(flow.path_length, moved, rtol=1e-9, atol=1e-14)


def extrapolated(slope, state, time, pieces=4, levels=9):
    """The midpoint rule at 2, 4, 6, ... steps a piece, extrapolated to none: Gragg, Bulirsch and Stoer."""
    for _ in range(pieces):
        rows = []
        for level in range(1, levels + 1):
            step = mpmath.mpf(time) / pieces / (2 * level)
            before, now = state, [a + step * b for a, b in zip(state, slope(state), strict=True)]
            for _ in range(2 * level - 1):
                moved = [a + 2 * step * b for a, b in zip(before, slope(now), strict=True)]
                before, now = now, moved
            last = [a + step * b for a, b in zip(before, slope(now), strict=True)]
            rows.append([(a + b) / 2 for a, b in zip(now, last, strict=True)])
        for order in range(1, levels):  # Neville's scheme in the squares of the step
            for level in range(levels, order, -1):
                factor = mpmath.mpf(level) ** 2 / mpmath.mpf(level - order) ** 2 - 1
                a, b = rows[level - 1], rows[level - 2]
                rows[level - 1] = [p + (p - q) / factor for p, q in zip(a, b, strict=True)]
        state = rows[-1]
    return state


@pytest.mark.parametrize(("scale", "centred"), [(0.3, False), (1.0, False), (100.0, True), (1e4, True)])
def test_a_small_network_in_high_precision(scale, centred):
    """f = alpha/sqrt(2) sum_r v_r erf(w_r x) and its gradient written out, in 25 digits."""
    net = TwoLayerNet(2, activation="erf", scale=scale)
    params = net.init(1, random_state=3)
    rows, targets = [0.7, -1.1], [0.5, 0.4]
    tau = 1.5
    with mpmath.workdps(25):
        start = [mpmath.mpf(float(number)) for number in net.ravel(params)]
        alpha, root = mpmath.mpf(scale), mpmath.sqrt(2)

        def h(w, x):
            return (w[2] * mpmath.erf(w[0] * x) + w[3] * mpmath.erf(w[1] * x)) / root

        base = [alpha * h(start, mpmath.mpf(x)) if centred else 0 for x in rows]

        def slope(w):
            out = [mpmath.mpf(0)] * 4
            for x, target, b in zip(map(mpmath.mpf, rows), map(mpmath.mpf, targets), base, strict=True):
                r = (alpha * h(w, x) - b - target) / (alpha * root)
                for j in (0, 1):
                    bell = 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-((w[j] * x) ** 2))
                    out[j] -= r * w[2 + j] * bell * x
                    out[2 + j] -= r * mpmath.erf(w[j] * x)
            return out

        end = extrapolated(slope, start, tau)
        vector = np.array([float(a - b) for a, b in zip(end, start, strict=True)])
        exact = [float(alpha * h(end, mpmath.mpf(x)) - b) for x, b in zip(rows, base, strict=True)]
    model = net.centered_at(params) if centred else net
    flow = integrate_flow(
        model, np.array(rows)[:, None], targets, tau / scale**2, params=params, keep_params=True
    )
    assert np.linalg.norm(flow.vectors[0] - vector) <= flow.error_estimate[0]
    assert np.linalg.norm(flow.outputs[0] - exact) <= flow.output_error_estimate[0]
    assert scale * flow.error_estimate[0] < 1e-7
    np.testing.assert_allclose(scale * flow.vectors[0], scale * vector, atol=1e-9)


@pytest.mark.parametrize("net", [NETWORKS[0], MLP((8, 12), activation="softplus", n_outputs=2, bias_std=0.3)])
def test_networks_against_another_integrator(net):
    """LSODA in the parameters and in time as it is."""
    params = net.init(3, random_state=2)
    targets, w0 = (y if net.n_outputs == 1 else Y), net.ravel(params)

    def slope(_, w):
        at = net.unravel(params, w)
        return -net.vjp(at, X, net.apply(at, X) - targets)

    times = moments(net, params, (0.5, 3.0, 20.0))
    run = solve_ivp(slope, (0, times[-1]), w0, "LSODA", times, rtol=1e-11, atol=1e-11)
    flow = integrate_flow(net, X, targets, times, params=params, keep_params=True)
    np.testing.assert_allclose(flow.vectors, run.y.T - w0, atol=1e-7)
    at_end = net.apply(net.unravel(params, w0 + flow.vectors[1]), X)
    np.testing.assert_allclose(flow.outputs[1], at_end, atol=1e-12)


def test_the_work_and_the_accuracy_do_not_depend_on_the_scale():
    net = TwoLayerNet(24, activation="erf")
    params = net.init(3, random_state=1)
    tau = moments(net, params)
    found = {}
    for scale in (1.0, 1e2, 1e4):
        model = TwoLayerNet(24, activation="erf", scale=scale).centered_at(params)
        found[scale] = integrate_flow(model, X, y, tau / scale**2, keep_params=True)
        assert np.abs(model.apply(found[scale].params, X) - found[scale].outputs[-1]).max() < 1e-10
    linear = linearized_flow(net.centered_at(params), X, y, tau, keep_params=True).vectors
    assert abs(found[1e4].evaluations - found[1e2].evaluations) < 0.1 * found[1e2].evaluations
    gap = [np.abs(scale * flow.vectors - linear).max() for scale, flow in found.items()]
    # the quadratic term: delta - delta_linear is 1/alpha
    assert gap[2] / gap[1] == pytest.approx(1e-2, rel=0.01)


@pytest.mark.parametrize("scale", [1.0, 1e4, 1e6])
def test_rounding_is_estimated(scale):
    """Neurons in another order: the same flow but for rounding, which grows with the scale."""
    net = TwoLayerNet(24, activation="erf", scale=scale)
    params = net.init(3, random_state=1)
    order = np.random.default_rng(0).permutation(24)
    other = params.replace(W0=params["W0"][order], W1=params["W1"][:, order])
    times = moments(net, params)
    a, b = (
        integrate_flow(net.centered_at(at), X, y, times, rtol=1e-14, keep_params=True)
        for at in (params, other)
    )
    moved = a.vectors[:, :72].reshape(4, 24, 3)[:, order]
    difference = np.linalg.norm(moved - b.vectors[:, :72].reshape(4, 24, 3), axis=(1, 2))
    assert (difference <= a.error_estimate).all()
    assert (a.error_estimate < 1e-13 + 1e-11 / scale).all()
    difference = np.linalg.norm(a.outputs - b.outputs, axis=1)
    assert (difference <= a.output_error_estimate).all()
    assert (a.output_error_estimate < 1e-12 * scale + 1e-10).all()


def test_errors_can_be_measured():
    net = TwoLayerNet(24, activation="erf", scale=0.2)  # far from linear
    params = net.init(3, random_state=1)
    times = 50 / np.linalg.eigvalsh(net.ntk(params, X))[-1]
    exact = integrate_flow(net, X, y, times, params=params, rtol=1e-13, keep_params=True)
    rough = integrate_flow(net, X, y, times, params=params, rtol=1e-6, keep_params=True, measure_error=True)
    plain = integrate_flow(net, X, y, times, params=params, rtol=1e-6)
    assert rough.evaluations > plain.evaluations
    np.testing.assert_array_equal(rough.outputs, plain.outputs)
    error = np.linalg.norm(rough.vectors - exact.vectors)
    assert 0.1 * error < rough.error_estimate[0] < 1e3 * error
    error = np.linalg.norm(rough.outputs - exact.outputs)
    assert 0.1 * error < rough.output_error_estimate[0]
    assert integrate_flow(net, X, y, 0.1, params=params, measure_error=True).vectors is None


def test_times_in_any_order_and_what_is_kept():
    net = NETWORKS[0]
    params = net.init(3, random_state=0)
    for function in (integrate_flow, linearized_flow):
        flow = function(net, X, y, [0.2, 0.0, 0.1, 0.2], params=params, keep_params=True)
        ordered = function(net, X, y, [0.0, 0.1, 0.2], params=params)
        assert len(flow) == 4
        assert flow.times.tolist() == [0.2, 0.0, 0.1, 0.2]
        np.testing.assert_allclose(flow.loss, ordered.loss[[2, 0, 1, 2]], rtol=1e-13)
        np.testing.assert_allclose(flow.path_length, ordered.path_length[[2, 0, 1, 2]], rtol=1e-13)
        np.testing.assert_allclose(net.ravel(flow.params) - net.ravel(params), flow.vectors[0], atol=1e-15)
        assert (flow.vectors[1] == 0).all()
        assert ordered.vectors is None
        single = function(net, sparse.csr_array(X.astype(np.float32)), y, 0.2, params=params)
        np.testing.assert_allclose(single.loss, flow.loss[0], rtol=1e-5)
        assert single.outputs.dtype == np.float64


def test_a_flow_that_starts_at_its_end_stays():
    net = NETWORKS[0]
    params = net.init(3, random_state=0)
    flow = integrate_flow(net, X, net.apply(params, X), [0.0, 1.0], params=params)
    assert (flow.loss == 0).all()
    assert (flow.path_length == 0).all()
    for function in (integrate_flow, linearized_flow):
        flow = function(net, X, y, [0.0], params=params)
        assert flow.distance[0] == flow.path_length[0] == 0


def test_trial_steps_that_overflow_are_not_taken():
    cubic = TwoLayerNet(4, activation=RectifiedPower(3))
    problem = FlowProblem(cubic, X, y, cubic.init(3, 0))
    for far in (1e200, np.inf):
        velocity, _ = problem.velocity(np.full(problem.origin.size, far))
        assert np.isnan(velocity).all()


def test_record_prints_and_draws():
    net = NETWORKS[0]
    params = net.init(3, random_state=0)
    flow = integrate_flow(net, X, y, np.linspace(0, 1, 9), params=params)
    assert isinstance(flow, Flow)
    assert str(flow).startswith("Flow: integrated, scale 1; 6 samples, 9 times, ")
    assert "..." in str(flow)
    assert "closed form" in str(linearized_flow(net, X, y, 1.0, params=params))
    display = flow.plot("distance", plt.figure().add_subplot())
    np.testing.assert_array_equal(display.ax_.lines[0].get_ydata(), flow.distance)
    with pytest.raises(ValueError, match="quantity must be"):
        flow.plot("speed")
    plt.close("all")


def test_progress_is_for_terminals(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    params, shown = NETWORKS[0].init(3, random_state=0), Terminal()
    for stream in (io.StringIO(), shown):
        monkeypatch.setattr("sys.stderr", stream)
        integrate_flow(NETWORKS[0], X, y, 5.0, params=params, progress=True)
        assert ("gradient flow 0 %" in stream.getvalue()) == stream.isatty()
    shown.truncate(0)
    integrate_flow(NETWORKS[0], X, y, 5.0, params=params)
    assert shown.getvalue() == ""


def test_flows_that_cannot_be_followed():
    params = NETWORKS[0].init(3, random_state=0)
    for options, message in (
        ({"times": [0.0, np.inf]}, "must be finite"),
        ({"times": [-1.0]}, "nonnegative"),
        ({"y": y[:4]}, "targets of shape"),
        ({"params": None}, "params is needed"),
        ({"rtol": 0.0}, "rtol must be"),
        ({"max_evaluations": 0}, "max_evaluations must be"),
    ):
        with pytest.raises(ValueError, match=message):
            integrate_flow(NETWORKS[0], **{"X": X, "y": y, "times": 1.0, "params": params, **options})
    slides = TwoLayerNet(1, activation=ABReLU(-1, 1), trainable="hidden")  # f = -|w|, y = 1: stays at 0
    at = slides.init(1, 0).replace(W0=[[0.5]], W1=[[-1.0]])
    with pytest.raises(RuntimeError, match=r"came to time 0\.\d+ of 2 only .*kinks"):
        integrate_flow(slides, [[1.0]], [1.0], 2.0, params=at, max_evaluations=3000)
    cubic = TwoLayerNet(4, activation=RectifiedPower(3))
    huge = cubic.init(1, 0).replace(W0=np.full((4, 1), 1e150))
    with pytest.raises(ValueError, match="not finite"):
        integrate_flow(cubic, [[1.0]], [1.0], 1.0, params=huge)
    net = TwoLayerNet(4, activation="erf")
    with pytest.raises(ValueError, match="Jacobian at the start is not finite"):
        integrate_flow(net, [[1e200]], [1.0], 1.0, params=net.init(1, 0))
    with pytest.raises(TypeError, match="a Params record"):
        integrate_flow(net, [[1.0]], [1.0], 1.0, params=np.zeros(8))
    with pytest.raises(TypeError, match="model must be a network"):
        integrate_flow(3, [[1.0]], [1.0], 1.0, params=net.init(1, 0))
