"""The a-posteriori certificate: runs of all kinds under their bounds, and what has none."""

import pickle

import matplotlib
import matplotlib.pyplot
import numpy as np
import pytest

from ntklib.dynamics import GradientDescent, Recording, integrate_flow, train
from ntklib.kernels import NumericalActivation, RectifiedPower
from ntklib.networks import MLP, Params, TwoLayerNet, linearize, taylor
from ntklib.theory import jacobian_lipschitz, lazy_certificate, path_certificate

matplotlib.use("Agg")
READ = ("min_eigenvalue", "max_eigenvalue")
ACTIVATIONS = [RectifiedPower(2), RectifiedPower(3), "erf", "softplus"]


def rows(n, d, seed=0):
    """Unit rows and signs."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X / np.linalg.norm(X, axis=1, keepdims=True), rng.choice([-1.0, 1.0], n)


def run(net, X, y, **options):
    record = {"every": 1, "monitors": READ}
    record |= {name: options.pop(name) for name in vars(Recording()) if name in options}
    return train(net, X, y, **{"steps": 100, "record": Recording(**record), **options})


def largest(net, X, params=None):
    params = net.init(X.shape[1], 0) if params is None else params
    return np.linalg.norm(net.jacobian(params, X).reshape(-1, net.n_params(X.shape[1])), 2) ** 2


def check(found):
    assert found.rigorous
    assert found.reason == ""
    assert (found.loss <= found.loss_bound).all()


@pytest.mark.parametrize("scale", [0.3, 30.0])
@pytest.mark.parametrize("trainable", ["hidden", "all"])
@pytest.mark.parametrize("sigma", ACTIVATIONS, ids=str)
def test_no_run_is_ever_above_its_bound(sigma, trainable, scale):
    X, y = rows(4, 6)
    for width, share, every in ((12, 0.1, 50), (12, 0.99, 1), (200, 0.5, 7), (200, 1.01, 10)):
        net = TwoLayerNet(width, activation=sigma, trainable=trainable, scale=scale, symmetric=width > 100)
        eta = share * 2 / largest(net, X)
        check(path_certificate(run(net, X, y, learning_rate=eta, steps=60, monitor_every=every)))


@pytest.mark.parametrize("every", [1, 5])
@pytest.mark.parametrize("sigma", ACTIVATIONS[1:], ids=str)
def test_its_parts_against_singular_values_on_the_way(sigma, every):
    X, y = rows(3, 5, seed=2)
    net, seen = TwoLayerNet(40, activation=sigma, scale=3.0, bias_std=0.4), []
    eta = 1.5 / largest(net, X)
    history = run(
        net, X, y, learning_rate=eta, steps=20, monitor_every=every, callbacks=lambda s: seen.append(s.params)
    )
    found = path_certificate(history)
    check(found)
    jacobians = [net.jacobian(params, X) for params in seen]
    vectors = np.array([net.ravel(params) for params in seen])
    moves = np.linalg.norm(np.diff(vectors, axis=0), axis=1)
    assert found.path_length == pytest.approx(moves.sum(), rel=1e-9)
    assert found.radius == pytest.approx(np.linalg.norm(vectors - vectors[0], axis=1).max(), rel=1e-9)
    beta = 3 * float(jacobian_lipschitz(net, seen[0], X, found.radius))
    assert found.jacobian_lipschitz == pytest.approx(beta, rel=1e-6)
    residual = np.array([net.apply(params, X) - y for params in seen])
    for k, J in enumerate(jacobians[:-1]):
        matrix = np.eye(3) - eta * J @ J.T
        assert np.linalg.norm(matrix, 2) <= found.contraction[k]
        if every == 1:
            assert np.linalg.norm(matrix, 2) == pytest.approx(found.contraction[k], rel=1e-6)
        second = np.linalg.norm(residual[k + 1] - matrix @ residual[k])
        assert second <= beta / 2 * moves[k] ** 2 * (1 + 1e-9) + 1e-12
    # the recursion, by hand
    bound = [np.linalg.norm(residual[0])]
    for k in range(20):
        bound.append(found.contraction[k] * bound[-1] + beta / 2 * moves[k] ** 2)
    np.testing.assert_allclose(found.loss_bound, np.square(bound) / 2, rtol=1e-6)


def test_without_the_second_order_it_would_be_false():
    net = TwoLayerNet(1, activation=RectifiedPower(2), trainable="hidden")
    params = Params({"W0": [[1.0]], "W1": [[1.0]]})  # f = w^2, and J shrinks on the way down to y = 0
    found = path_certificate(run(net, [[1.0]], [0.0], params=params, learning_rate=0.2, steps=3))
    check(found)
    product = np.cumprod(found.contraction) ** 2 * found.loss[0]
    assert (found.loss[1:] > 1.01 * product).all()


def test_one_row_and_the_output_layer_leave_no_slack():
    X, y = rows(1, 4)
    net = TwoLayerNet(30, activation="erf", trainable="output")
    found = path_certificate(run(net, X, y, steps=20, learning_rate=0.3 / largest(net, X)))
    check(found)
    assert found.jacobian_lipschitz == 0
    np.testing.assert_allclose(found.loss_bound, found.loss, rtol=1e-6)


def test_nearly_equal_eigenvalues_leave_little():
    net = TwoLayerNet(20_000, activation="erf", symmetric=True, scale=10.0)
    X, y = np.eye(4), np.array([1.0, -1.0, 1.0, 1.0])
    found = path_certificate(run(net, X, y, steps=30, monitor_every=10, learning_rate=0.2 / largest(net, X)))
    check(found)
    assert found.loss[-1] < 1e-5 * found.loss[0]
    assert found.loss_bound[-1] < 1.5 * found.loss[-1]


def test_it_holds_where_only_rounding_is_left():
    X, _ = rows(5, 8)
    y = np.random.default_rng(1).normal(size=5)
    for scale in (1.0, 1e4):
        net = TwoLayerNet(100, activation="erf", scale=scale, symmetric=True)
        found = path_certificate(
            run(net, X, y, steps=1000, learning_rate=1 / largest(net, X), monitor_every=100)
        )
        check(found)
        assert found.loss[-1] < 1e-20
        assert (found.measured < found.loss).any()  # this one says nothing of rounding


def test_the_flow_stays_below_the_measured_number():
    X, y = rows(4, 6)
    net = TwoLayerNet(60, activation="softplus", scale=2.0)
    history = run(net, X, y, learning_rate=0.02 / largest(net, X), steps=1000)
    found = path_certificate(history)
    flow = integrate_flow(net, X, y, found.times[::50], params=history.initial_params)
    assert (flow.loss <= found.measured[::50] * (1 + 1e-3)).all()
    assert (found.measured[::50] < 1.1 * found.loss_bound[::50]).all()


def test_the_exponent_is_the_integral_of_the_readings():
    X, y = rows(4, 6)
    net = TwoLayerNet(15, activation="erf", scale=2.0)
    every = path_certificate(run(net, X, y, steps=40))
    eta = every.times[1]
    values, times = every.min_eigenvalues, every.times
    np.testing.assert_allclose(every.exponent[-1], 2 * np.trapezoid(values, times), rtol=1e-12)
    np.testing.assert_allclose(every.measured, every.loss[0] * np.exp(-every.exponent))
    half = 2 * np.trapezoid(values[::2], times[::2])
    assert every.interval_change == pytest.approx(every.exponent[-1] - half, rel=1e-6, abs=1e-12)
    odd = path_certificate(run(net, X, y, steps=40, learning_rate=eta, monitor_every=8))  # 6 readings
    np.testing.assert_array_equal(odd.reading_steps, [0, 8, 16, 24, 32, 40])
    kept = [0, 16, 32, 40]
    change = 2 * np.trapezoid(values[::8], times[::8]) - 2 * np.trapezoid(values[kept], times[kept])
    assert odd.interval_change == pytest.approx(change, rel=1e-6, abs=1e-12)
    assert path_certificate(run(net, X, y, steps=1)).interval_change is None


def test_mean_loss_schedules_and_equal_multipliers():
    X, y = rows(4, 6)
    net = TwoLayerNet(50, activation="erf")
    eta = 1 / largest(net, X)
    total = path_certificate(run(net, X, y, learning_rate=eta))
    mean = path_certificate(run(net, X, y, learning_rate=4 * eta, reduction="mean"))
    np.testing.assert_allclose(4 * mean.loss_bound, total.loss_bound, rtol=1e-6)
    np.testing.assert_allclose(mean.exponent, total.exponent, rtol=1e-9)
    np.testing.assert_allclose(mean.times, 4 * total.times)
    schedule = path_certificate(run(net, X, y, optimizer=GradientDescent(lambda k: eta / (1 + k / 10))))
    check(schedule)
    assert schedule.times[2] == pytest.approx(eta + eta / 1.1)
    field = TwoLayerNet(50, activation="erf", parameterization="mean_field", weight_std=50**0.5)
    check(path_certificate(run(field, X, y, steps=60)))
    outputs = path_certificate(
        run(TwoLayerNet(50, activation="erf", n_outputs=2), X, np.column_stack([y, -y]))
    )
    check(outputs)
    assert outputs.loss_bound[-1] < outputs.loss[0]


def test_models_made_from_networks():
    X, y = rows(4, 6)
    net = TwoLayerNet(50, activation="erf", scale=5.0)
    start = net.init(6, 0)
    check(path_certificate(run(net.centered_at(start), X, y)))
    linear = path_certificate(run(linearize(net, start), X, y))
    check(linear)
    assert linear.jacobian_lipschitz == 0
    rate = 1 - linear.times[1] * linear.min_eigenvalues[0]
    exact = linear.loss[0] * rate ** (2 * np.arange(20))
    np.testing.assert_allclose(linear.loss_bound[:20], exact, rtol=1e-5)
    with pytest.raises(TypeError, match="net must be"):
        path_certificate(run(taylor(net, start), X, y, steps=2))


@pytest.mark.parametrize(
    ("net", "reason"),
    [
        (TwoLayerNet(30), "jumps"),
        (TwoLayerNet(30, activation="step", trainable="all"), "jumps"),
        (MLP((20, 20), activation="erf"), "one hidden layer"),
        (TwoLayerNet(30, activation=NumericalActivation(np.tanh, lambda z: 1 - np.tanh(z) ** 2)), ""),
    ],
    ids=["relu", "step", "deep", "numerical"],
)
def test_what_has_no_constant_is_measured_only(net, reason):
    X, y = rows(4, 6)
    history = run(net, X, y, monitors=(*READ, "sign_changes"), learning_rate=1 / largest(net, X))
    found = path_certificate(history)
    assert not found.rigorous
    assert reason in found.reason
    assert found.loss_bound is None
    assert np.isfinite(found.measured).all()
    assert f"measured only, no certificate: {found.reason}" in str(found)
    assert f"{found.sign_flips} of {found.units} preactivations" in str(found)
    assert found.units == 4 * (40 if isinstance(net, MLP) else 30)
    assert found.sign_flips == round(max(history.monitors["sign_changes"]) * found.units)


def test_flips_are_counted_without_the_monitor():
    X, y = rows(4, 6)
    history = run(TwoLayerNet(30), 3 * X, 9 * y)
    signs = [history.X @ params["W0"].T >= 0 for params in (history.initial_params, history.params)]
    assert path_certificate(history).sign_flips == np.sum(signs[0] != signs[1]) > 0


@pytest.mark.parametrize(("activation", "eta"), [("abs", 1e-3), ("relu", 1e-3)])
def test_runs_that_stop_at_a_kink_leave_the_measured_number(activation, eta):
    # f = -|w| or -relu(w), y = 1: w falls to the kink at 0 and stays, and the loss at 1/2
    net = TwoLayerNet(1, activation=activation, trainable="hidden")
    params = Params({"W0": [[0.5]], "W1": [[-1.0]]})
    found = path_certificate(
        run(net, [[1.0]], [1.0], params=params, learning_rate=eta, steps=3000, monitor_every=100)
    )
    assert not found.rigorous
    assert found.loss[-1] == pytest.approx(0.5, abs=2 * eta)
    if activation == "abs":  # pushed back from both sides, with J J^T = 1 at every reading
        np.testing.assert_array_equal(found.min_eigenvalues, 1)
        assert found.measured[-1] < 0.01 * found.loss[-1]
    else:  # no gradient beyond, so that the number is too small by what lies between two readings
        assert set(found.min_eigenvalues) == {0.0, 1.0}
        assert found.measured[-1] < 0.99 * found.loss[-1]


def test_runs_that_end_early():
    X, y = rows(4, 6)
    net = TwoLayerNet(50, activation="erf")
    check(path_certificate(run(net, X, y, steps=0)))
    stopped = run(net, X, y, callbacks=lambda snapshot: snapshot.step == 33, monitor_every=10)
    assert stopped.status == "stopped"
    check(path_certificate(stopped))
    steep = TwoLayerNet(50, activation=RectifiedPower(3))
    diverged = run(steep, X, y, learning_rate=5.0)
    assert diverged.status == "diverged"
    check(path_certificate(diverged))


def test_dependent_rows_give_a_bound_that_does_not_fall():
    X, _ = rows(2, 6)
    found = path_certificate(run(TwoLayerNet(50, activation="erf"), X[[0, 0, 1]], [1.0, -1.0, 1.0]))
    check(found)
    assert (found.contraction >= 1).all()
    assert found.exponent[-1] < 1e-9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 2}, r"train again with record=Recording\(every=1\)"),
        ({"gradient_norms": False}, "gradient_norms=True"),
        ({"monitors": ()}, "monitors=\\['min_eigenvalue'\\]"),
        ({"every": 5, "monitors": "sign_changes"}, "every=1, monitors="),
        ({"loss": "huber"}, "trained on huber"),
        ({"sample_weight": np.ones(4)}, "sample weights"),
        ({"optimizer": "momentum"}, "trained with Momentum.*optimizer='gradient_descent'"),
        ({"batch_size": 2, "learning_rate": 0.1}, "batch_size=None"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_other_runs_are_refused(options, message):
    X, y = rows(4, 6)
    with pytest.raises(ValueError, match=message):
        path_certificate(run(TwoLayerNet(9, activation="erf"), X, y, **{"steps": 4, **options}))


def test_refusals_of_models_and_types():
    X, y = rows(4, 6)
    with pytest.raises(TypeError, match=r"what ntklib\.dynamics\.train returns"):
        path_certificate(X)
    with pytest.raises(ValueError, match="trained in float32"):
        path_certificate(run(TwoLayerNet(9, activation="erf"), X.astype(np.float32), y, steps=3))
    mup = TwoLayerNet(9, activation="erf", parameterization="mup")
    with pytest.raises(ValueError, match="step multipliers"):
        path_certificate(run(mup, X, y, steps=3, learning_rate=0.01))
    hidden = TwoLayerNet(9, activation="erf", parameterization="mup", trainable="hidden")
    check(path_certificate(run(hidden, X, y, steps=3, learning_rate=0.01)))


def test_models_and_rows_that_changed_since_are_noticed():
    X, y = rows(4, 6)
    for change in ({"scale": 2.0}, {"trainable": "hidden"}, {"activation": "softplus"}):
        net = TwoLayerNet(9, activation="erf")
        history = run(net, X, y, steps=3, learning_rate=0.1)
        net.set_params(**change)
        with pytest.raises(ValueError, match="changed since this run"):
            path_certificate(history)
    history = run(TwoLayerNet(9, activation="erf"), X, y, steps=3, learning_rate=0.1)
    X[0] += 1e-3
    with pytest.raises(ValueError, match="changed since this run"):
        path_certificate(history)


def test_a_bound_may_grow_beyond_all_numbers():
    X, y = rows(6, 8)
    net = TwoLayerNet(100, activation="erf", symmetric=True)
    history = run(net, X, y, steps=3000, monitors=READ[0], monitor_every=300)
    found = path_certificate(history)  # without readings of the largest eigenvalue
    check(found)
    assert np.isinf(found.loss_bound[-1])
    matplotlib.pyplot.close(found.plot().figure_)


def test_it_prints_plots_and_pickles():
    X, y = rows(4, 6)
    found = path_certificate(run(TwoLayerNet(50, activation="erf", scale=5.0), X, y))
    text = str(found)
    assert text.startswith("PathCertificate: bounds the loss of this very run")
    assert f"-> {found.loss_bound[-1]:.6g}" in text
    assert len(found) == 101
    display = found.plot()
    labels = [line.get_label() for line in display.ax_.get_lines()]
    assert labels[:2] == ["loss", "certified bound of this run"]
    np.testing.assert_array_equal(display.ax_.get_lines()[1].get_ydata(), found.loss_bound)
    assert display.ax_.get_yscale() == "log"
    matplotlib.pyplot.close(display.figure_)
    rough = path_certificate(run(TwoLayerNet(50), X, y, steps=5)).plot()
    assert rough.ax_.get_title() == "no certificate"
    assert len(rough.ax_.get_lines()) == 2
    matplotlib.pyplot.close(rough.figure_)
    copy = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(copy.loss_bound, found.loss_bound)


@pytest.mark.parametrize("scale", [0.2, 5.0])
def test_rounding_counts_four_times_and_by_how_far_the_jacobian_may_have_grown(scale):
    """(1 + sqrt(n) beta radius / |J|_F)^2 as much, as the kernel's entries are squares of the Jacobian's."""
    X, y = rows(4, 6)
    net = TwoLayerNet(30, activation="erf", scale=scale)
    params = net.init(6, 0)
    found = path_certificate(run(net, X, y, params=params, learning_rate=0.5 / largest(net, X, params)))
    start = scale**2 * lazy_certificate(net, params, X, y).eigenvalue_error  # that one is at scale 1
    size = np.sqrt(np.trace(net.ntk(params, X)))
    growth = 4 * (1 + np.sqrt(4) * found.jacobian_lipschitz * found.radius / size) ** 2
    assert growth > 5
    assert found.eigenvalue_error == pytest.approx(growth * start, rel=1e-6, abs=0)
