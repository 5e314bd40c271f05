"""The study of implicit bias: its pieces against other programs and brute force, its rates, its result."""

import dataclasses
import json

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import minimize
from scipy.special import expit, lambertw
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from ntklib import NTK, solvers
from ntklib.lab.cli import main
from ntklib.lab.parts import PARTS
from ntklib.lab.studies import (
    ImplicitBiasStudy,
    Influence,
    InfluenceDecay,
    MarginPath,
    MinimumNorm,
    WeightEffect,
    implicit_bias_study,
)
from ntklib.lab.studies.implicit_bias.decay import influence_against_decay
from ntklib.lab.studies.implicit_bias.flow import homogeneity, linear_flow, network_flow
from ntklib.lab.studies.implicit_bias.influence import (
    _minimise,
    network_influence,
    ridge_influence,
)
from ntklib.lab.studies.implicit_bias.margin import margin_path, network_margin_path
from ntklib.lab.studies.implicit_bias.norm import minimum_norm
from ntklib.lab.studies.implicit_bias.pieces import draw_sample, gram_features
from ntklib.lab.studies.implicit_bias.svm import max_margin
from ntklib.lab.studies.implicit_bias.weights import network_weight_effect, weight_effect
from ntklib.networks import MLP, TwoLayerNet

SAMPLE = draw_sample(3)
X, SIGNS = SAMPLE.X, SAMPLE.signs
SIGNED = X * SIGNS[:, None]
NOISY = np.where(np.arange(40) < 5, -SIGNS, SIGNS)
SMALL = {
    "width": 16,
    "horizon": 1000.0,
    "network_horizon": 3.0,
    "steps": 300,
    "left_out": 2,
    "noise": 0.2,
}


@pytest.fixture(scope="module")
def study():
    return implicit_bias_study(**SMALL, parts=["norm", "margin", "weights", "influence"])


# the support vector machine


def _svc_without_intercept(X, signs, **options):
    """scikit-learn's machine has an intercept; on (x, y) and (-x, -y) together it is 0 by symmetry."""
    machine = SVC(C=1e10, tol=1e-10, **options)
    return machine, np.concatenate([signs, -signs])


def test_the_machine_is_that_of_scikit_learn():
    machine, labels = _svc_without_intercept(X, SIGNS, kernel="linear")
    machine.fit(np.vstack([X, -X]), labels)
    assert abs(machine.intercept_[0]) < 1e-6
    found = max_margin(SIGNED)
    np.testing.assert_allclose(found.weights, machine.coef_[0], rtol=1e-5, atol=1e-6)
    assert set(machine.support_ % 40) == set(np.flatnonzero(found.support))
    assert found.margin == pytest.approx(1 / np.linalg.norm(machine.coef_), rel=1e-6)


def test_the_machine_of_a_kernel_is_that_of_scikit_learn():
    K = NTK()(X)
    machine, labels = _svc_without_intercept(X, NOISY, kernel="precomputed")
    machine.fit(np.block([[K, -K], [-K, K]]), labels)
    dual = np.zeros(80)
    dual[machine.support_] = machine.dual_coef_[0]
    features, probes = gram_features(K, NTK()(X[:3] + 0.1, X))
    found = max_margin(features * NOISY[:, None])
    np.testing.assert_allclose(found.multipliers * NOISY, dual[:40] - dual[40:], rtol=1e-4, atol=1e-3)
    expected = NTK()(X[:3] + 0.1, X) @ (dual[:40] - dual[40:])
    np.testing.assert_allclose(probes @ found.weights, expected, rtol=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_the_machine_solves_the_quadratic_program(seed):
    rng = np.random.default_rng(seed)
    signed = rng.normal(size=(12, 4)) * 10.0 ** rng.integers(-3, 4) + rng.normal(size=4)
    signed *= np.sign(signed @ rng.normal(size=4))[:, None]
    found = max_margin(signed)
    size = np.abs(signed).max()
    program = minimize(
        lambda w: (w @ w / 2, w),
        found.weights * size * 3,
        jac=True,
        method="SLSQP",
        constraints={"type": "ineq", "fun": lambda w: signed / size @ w - 1, "jac": lambda w: signed / size},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    np.testing.assert_allclose(found.weights * size, program.x, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(signed.T @ found.multipliers, found.weights, rtol=1e-9)
    np.testing.assert_allclose((signed @ found.weights)[found.support], 1, rtol=1e-9)


def test_classes_that_no_plane_separates():
    assert max_margin(X * NOISY[:, None]) is None
    assert max_margin(np.zeros((3, 2))) is None
    assert max_margin(np.array([[1.0, 0.0], [-1.0, 0.0]])) is None


# flows


def test_flow_of_a_single_sample_is_lambert_s_function():
    """w + e^w = t + 1 for dw/dt = 1/(1 + e^w)."""
    s = np.array([0.5, 2.0, 5.0, 20.0])
    t = np.expm1(s)
    expected = t + 1 - lambertw(np.exp(np.minimum(t + 1, 500))).real
    expected[-2:] = [_solved(v) for v in t[-2:]]
    np.testing.assert_allclose(linear_flow(np.array([[1.0]]), s)[:, 0], expected, rtol=1e-7)


def _solved(t):
    w = np.log(t + 1)
    for _ in range(60):
        w -= (w + np.exp(w) - t - 1) / (1 + np.exp(w))
    return w


def test_flow_is_gradient_descent_with_small_steps():
    w, times, found = np.zeros(5), [0.5, 2.0, 10.0], []
    step = 1e-4
    for k in range(round(times[-1] / step)):
        # a step of the midpoint rule, so that the error is of second order
        half = w + step / 2 * expit(-(SIGNED @ w)) @ SIGNED
        w = w + step * expit(-(SIGNED @ half)) @ SIGNED
        if any(abs((k + 1) * step - t) < step / 2 for t in times):
            found.append(w)
    np.testing.assert_allclose(linear_flow(SIGNED, np.log1p(times)), found, rtol=1e-6)


def test_growing_steps_run_on_the_same_clock():
    """Gradient descent with steps in proportion to 1/loss is at log t where the flow is."""
    w, log_t = np.zeros(5), -np.inf
    steps = 0.02 / (SIGNED**2).sum(axis=1).max()
    while log_t < 30:
        pull = expit(-(SIGNED @ w))
        eta = steps / pull.sum()
        w = w + eta * pull @ SIGNED
        log_t = np.logaddexp(log_t, np.log(eta))
    flow = linear_flow(SIGNED, np.array([log_t]))[0]
    assert np.linalg.norm(w / np.linalg.norm(w) - flow / np.linalg.norm(flow)) < 1e-3
    assert np.linalg.norm(w) == pytest.approx(np.linalg.norm(flow), rel=1e-2)


@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_flows_with_a_limit_reach_that_of_scikit_learn(ridge):
    weights = np.where(NOISY > 0, 1.0, 7.0)
    model = LogisticRegression(
        C=1 / ridge if ridge else np.inf, fit_intercept=False, tol=1e-12, max_iter=9999
    )
    expected = model.fit(X, NOISY, sample_weight=weights).coef_[0]
    path = linear_flow(X * NOISY[:, None], np.array([0.05, 30.0, 900.0]), weights=weights, ridge=ridge)
    np.testing.assert_allclose(path[1:], [expected] * 2, rtol=1e-4)
    assert np.linalg.norm(path[0] - expected) > 0.1 * np.linalg.norm(expected)


def test_network_flow_is_that_of_its_differential_equation():
    network = TwoLayerNet(6)
    start = network.init(5, random_state=0)
    w0, rows = network.ravel(start), X[:8]

    def force(t, w):  # a network written out, without the library
        W, v = w[:30].reshape(6, 5), w[30:]
        Z = rows @ W.T
        pull = SIGNS[:8] * expit(-SIGNS[:8] * (np.maximum(Z, 0) @ v / 6**0.5)) / 6**0.5
        return np.concatenate([(((Z > 0) * v * pull[:, None]).T @ rows).ravel(), np.maximum(Z, 0).T @ pull])

    times = np.array([0.5, 1.5])
    run = solve_ivp(force, (0, np.expm1(1.5)), w0, t_eval=np.expm1(times), rtol=1e-8, atol=1e-9)
    path = network_flow(network, rows, SIGNS[:8], start, times, stride=0.02)
    np.testing.assert_allclose(path, run.y.T, atol=0.03)


def test_homogeneity():
    for network, degree in ((TwoLayerNet(5), 2), (MLP((4, 4)), 3), (TwoLayerNet(5, trainable="output"), 1)):
        assert homogeneity(network, network.init(5, random_state=0), X) == degree
    for network in (TwoLayerNet(5, bias_std=1.0), TwoLayerNet(5, activation="tanh")):
        with pytest.raises(ValueError, match="not homogeneous"):
            homogeneity(network, network.init(5, random_state=0), X)
    network = TwoLayerNet(5)
    with pytest.raises(RuntimeError, match="3 steps do not reach log t = 1"):
        network_flow(network, X, SIGNS, network.init(5, random_state=0), np.array([1.0]), max_steps=3)


# the parts


def test_least_squares_ends_at_the_pseudoinverse():
    rng = np.random.default_rng(0)
    J, residual, start = rng.normal(size=(8, 20)), rng.normal(size=8), rng.normal(size=20)
    found = MinimumNorm(**minimum_norm(J, residual, start, steps=2000, random_state=0))
    methods = found.method.tolist()
    assert methods == ["gradient descent", "momentum", "minibatches", "Adam", "sign descent"]
    assert np.all(found.error[:2, -1] < 1e-12)
    assert found.error[2, -1] < 1e-6
    assert np.all(found.outside[:3] < 1e-12)
    np.testing.assert_allclose(found.error[0], found.predicted, rtol=1e-6, atol=1e-12)
    assert np.all(found.residual[3:, -1] < 1e-6)  # these fit as well,
    assert np.all(found.outside[3:, -1] > 0.1)  # elsewhere,
    np.testing.assert_allclose(  # farther from the start by Pythagoras
        found.length[3:, -1] ** 2, 1 + found.error[3:, -1] ** 2, rtol=1e-5
    )
    w = np.zeros(20)
    step = found.step[30]
    top, low = np.linalg.eigvalsh(J @ J.T)[[-1, 0]]
    for _ in range(step):
        w -= 2 / (top + low) * J.T @ (J @ w - residual)
    nearest = np.linalg.pinv(J) @ residual
    expected = np.linalg.norm(w - nearest) / np.linalg.norm(nearest)
    assert found.error[0, 30] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("features", ["rows", "kernel"])
def test_direction_and_margin_approach_the_machine_at_the_predicted_pace(features):
    phi, signs = (X, SIGNS) if features == "rows" else (gram_features(NTK()(X))[0], NOISY)
    path = MarginPath(**margin_path(phi, signs, np.geomspace(1, 1e4, 41)))
    late = path.log_time[-1]
    assert path.distance[-1] * late == pytest.approx(float(path.distance_rate), rel=2e-3)
    assert path.gap[-1] * late == pytest.approx(float(path.gap_rate), rel=2e-3)
    assert path.exponent("gap") == pytest.approx(-1, abs=0.02)
    np.testing.assert_allclose(path.share[-1], path.multipliers, atol=1e-4)
    assert path.support_share[0] < 0.95 < path.support_share[-1]
    signed = phi * signs[:, None]
    assert path.angle[-1] * late == pytest.approx(float(path.distance_rate), rel=2e-3)
    np.testing.assert_allclose(path.angle[-5:], path.expected_angle[-5:], rtol=0.05)
    for k in (0, 20):
        w = linear_flow(signed, path.log_time)[k]
        gradient = expit(-(signed @ w)) @ signed
        cosine = w @ gradient / np.linalg.norm(w) / np.linalg.norm(gradient)
        assert path.angle[k] == pytest.approx(np.arccos(cosine), rel=1e-6)
    machine = max_margin(signed)
    assert path.log_loss[-1] + late == pytest.approx(np.log(machine.multipliers.sum()), abs=1e-3)


def test_no_path_where_no_plane_separates():
    assert margin_path(X, NOISY, np.array([1.0, 2.0])) == {}


def test_a_network_approaches_the_machine_in_its_own_gradients():
    network = TwoLayerNet(16)
    start = network.init(5, random_state=1)
    path = MarginPath(**network_margin_path(network, X, SIGNS, start, np.geomspace(3, 20, 6)))
    assert np.all(np.diff(path.gap) < 0)
    assert path.gap[-1] < 0.2
    assert path.distance[-1] < path.distance[0]
    assert path.support_share[-1] > 0.9
    assert path.angle[-1] < 0.7 * path.angle[0]  # parameters and gradient turn to one ray
    w = network_flow(network, X, SIGNS, start, path.log_time)[-1]
    params = network.unravel(start, w)
    signed = network.jacobian(params, X) * SIGNS[:, None]
    pull = network.vjp(params, X, SIGNS * expit(-SIGNS * network.apply(params, X)))
    cosine = w @ pull / np.linalg.norm(w) / np.linalg.norm(pull)
    assert path.angle[-1] == pytest.approx(np.arccos(cosine), rel=1e-9)
    direct = 2 * (SIGNS * network.apply(params, X)).min() / np.linalg.norm(w)
    assert path.gap[-1] == pytest.approx(1 - direct * np.linalg.norm(max_margin(signed).weights), rel=1e-9)


def test_weights_wash_out_once_the_classes_are_separated():
    times, weights = np.geomspace(0.1, 1e4, 51), np.where(SIGNS > 0, 1.0, 10.0)
    fading = WeightEffect(**weight_effect(X, X, SIGNS, weights, times))
    assert fading.effect[-1] * times[-1] == pytest.approx(float(fading.rate), rel=1e-3)
    assert fading.remains == 0
    assert np.isfinite(fading.separated).all()
    np.testing.assert_allclose(fading.positive[:, -1], (SIGNS < 0).mean())
    # support vectors are pulled by their weights: the shift they cause, by brute force
    ends = [linear_flow(SIGNED, times, weights=omega)[-1] for omega in (None, weights)]
    support = max_margin(SIGNED).support
    np.testing.assert_allclose(
        SIGNED[support] @ (ends[1] - ends[0]), np.log(weights[support]), atol=1e-3 * np.log(10)
    )


def test_weights_stay_where_there_is_a_limit():
    times, weights = np.geomspace(0.1, 100, 11), np.where(NOISY > 0, 1.0, 10.0)
    for ridge in (0.0, 0.5):
        kept = WeightEffect(**weight_effect(X, X, NOISY, weights, times, ridge=ridge))
        C = 1 / ridge if ridge else np.inf
        model = LogisticRegression(C=C, fit_intercept=False, tol=1e-12, max_iter=9999)
        w = [model.fit(X, NOISY, sample_weight=omega).coef_[0] for omega in (None, weights)]
        expected = np.linalg.norm(w[1] / np.linalg.norm(w[1]) - w[0] / np.linalg.norm(w[0]))
        assert kept.remains == pytest.approx(expected, rel=1e-3)
        assert np.isnan(kept.rate)
        assert np.isnan(kept.separated).all()
        assert kept.positive[1, -1] > kept.positive[0, -1]


def test_weights_on_a_network():
    network, weights = TwoLayerNet(16), np.where(SIGNS > 0, 1.0, 10.0)
    start = network.init(5, random_state=0)
    found = WeightEffect(
        **network_weight_effect(network, X, X, SIGNS, weights, start, np.geomspace(0.1, 6, 8))
    )
    assert np.isfinite(found.separated).all()
    assert found.positive[1, 0] > found.positive[0, 0]
    np.testing.assert_allclose(found.positive[:, -1], (SIGNS < 0).mean())
    # equal weights change the clock only
    fast = network_flow(network, X, SIGNS, start, np.log1p([5.0]), weights=np.full(40, 3.0), stride=0.25)
    slow = network_flow(network, X, SIGNS, start, np.log1p([15.0]), stride=0.25)
    assert np.linalg.norm(fast - slow) < 1e-2 * np.linalg.norm(slow)


def test_influence_is_short_of_leave_one_out_by_a_known_factor():
    K, K_probe = NTK()(X), NTK()(X[:4] + 0.2, X)
    found = Influence(**ridge_influence(K, K_probe, NOISY, 0.3))
    H = K @ np.linalg.inv(K + 0.3 * np.eye(40))
    np.testing.assert_allclose(found.leverage, np.diag(H), rtol=1e-10)
    np.testing.assert_allclose(found.predicted, -np.diag(H) * (NOISY - H @ NOISY), rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(found.corrected, found.actual, atol=1e-12)
    decomposition = solvers.EigenFactor(K)
    fit = solvers.ridge(decomposition, NOISY[:, None], 0.3, fit_intercept=False)
    left_out = (solvers.leave_one_out(decomposition, NOISY[:, None], fit) - K @ fit.dual_coef)[:, 0]
    np.testing.assert_allclose(left_out, found.actual, atol=1e-12)
    factor = (1 - found.leverage)[:, None]
    np.testing.assert_allclose(found.probe_predicted / factor, found.probe_actual, atol=1e-12)
    assert found.corrected_error < 1e-12 < found.error < 1
    assert 0 < found.slope < 1


def test_influence_of_a_network_is_a_derivative():
    network = MLP((5, 5), activation="gelu", weight_std=1.4, bias_std=0.1)
    rows, probes, y = X[:15], X[20:23], NOISY[:15]
    found = network_influence(network, rows, probes, y, 0.5, [0, 7], random_state=0)
    start = network.init(5, 0)
    best = _minimise(network, rows, y, np.ones(15), 0.5, start, network.ravel(start))
    for position, i in enumerate((0, 7)):
        outputs = []
        for change in (-5e-3, 5e-3):  # a little of the sample, taken out and put on top
            kept = np.ones(15)
            kept[i] += change
            params = network.unravel(start, _minimise(network, rows, y, kept, 0.5, start, best))
            outputs.append(network.apply(params, np.vstack([rows[[i]], probes])))
        slope = (outputs[0] - outputs[1]) / 1e-2
        predicted = np.append(found["predicted"][position], found["probe_predicted"][position])
        np.testing.assert_allclose(predicted, slope, rtol=2e-3, atol=3e-5)
    assert np.all((found["leverage"] > 0) & (found["leverage"] < 1))
    alone = np.delete(np.arange(15), 7)
    again = _minimise(network, rows[alone], y[alone], np.ones(14), 0.5, start, best)
    change = network.apply(network.unravel(start, again), rows[[7]]) - network.apply(
        network.unravel(start, best), rows[[7]]
    )
    assert found["actual"][1] == pytest.approx(change[0], abs=1e-5)


def test_influence_goes_with_retraining_less_where_decay_is_weak():
    network = MLP((4, 4), activation="gelu", weight_std=1.4, bias_std=0.1)
    rows, probes, y, chosen = X[:12], X[20:30], NOISY[:12], [0, 7]
    found = InfluenceDecay(
        **influence_against_decay(network, rows, probes, y, [0.5, 3.0], chosen, starts=[0, 2])
    )
    assert found.rank_correlation.shape == found.rank_correlation_afresh.shape == (2, 2)
    for i, seed in enumerate((0, 2)):
        for j, penalty in enumerate((0.5, 3.0)):
            one = network_influence(network, rows, probes, y, penalty, chosen, random_state=seed)
            for key, course in (
                ("probe_actual", "rank_correlation"),
                ("probe_afresh", "rank_correlation_afresh"),
            ):
                ranks = [rankdata(one[name].ravel()) for name in ("probe_predicted", key)]
                assert getattr(found, course)[i, j] == pytest.approx(np.corrcoef(*ranks)[0, 1])
    assert np.all(found.rank_correlation[:, 1] > 0.95)
    assert found.rank_correlation[:, 1].min() > found.rank_correlation[:, 0].min()


def test_the_part_on_decay(tmp_path):
    record = InfluenceDecay(np.array([0.5, 2.0]), np.array([[0.4, 0.9]]), np.array([[0.1, 0.8]]))
    study = implicit_bias_study(**SMALL, parts=["norm"])
    study = dataclasses.replace(study, decay={"1 hidden layer": record})
    assert "from 1 hidden layer on: 0.10 at weight decay 0.5, 0.80 at 2" in study.headline()
    assert study.pictures == ("norm", "decay")
    axes = plt.figure().add_subplot()
    study.plot(axes, picture="decay")
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), [0.1, 0.8])
    plt.close("all")


# the study


def test_the_result(study, tmp_path):
    assert isinstance(study, ImplicitBiasStudy)
    assert list(study.norm) == ["linear", "tangent"]
    assert list(study.margin) == ["linear", "tangent", "network"]
    assert list(study.weights)[-1] == "network"
    assert list(study.influence) == [
        "kernel ridge",
        "1 hidden layer",
        "1 hidden layer, afresh",
        "3 hidden layers",
        "3 hidden layers, afresh",
    ]
    text = str(study)
    assert "nearest interpolant" in text
    assert "all of it after division by 1 - h" in text
    known = np.isfinite(study.predicted) & (study.part == "margin") & (study.model != "network")
    np.testing.assert_allclose(study.measured[known], study.predicted[known], rtol=0.1)
    files = {path.name for path in study.save(tmp_path).iterdir()}
    pictures = {
        f"{name}.png"
        for name in ("norm", "margin", "support", "alignment", "weights", "decisions", "influence")
    }
    assert files == {"results.json", "results.csv"} | pictures
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["margin"]["linear"]["log_time"][-1] == pytest.approx(1000)
    assert content["table"]["measured"] == study.measured.tolist()


def test_a_part_alone_is_the_same(study, tmp_path):
    alone = implicit_bias_study(**SMALL, parts=["margin"], out=tmp_path)
    np.testing.assert_array_equal(alone.margin["network"].gap, study.margin["network"].gap)
    assert not alone.norm
    assert set(alone.pictures) == {"margin", "support", "alignment"}
    kept = sorted((tmp_path / PARTS).iterdir())
    assert len(kept) == 3
    kept[0].unlink()
    assert implicit_bias_study(**SMALL, parts=["margin"], out=tmp_path) == alone
    with pytest.raises(ValueError, match="width was 16, is 17"):
        implicit_bias_study(**{**SMALL, "width": 17}, parts=["margin"], out=tmp_path)


def test_own_rows():
    labels = np.where(NOISY > 0, "yes", "no")
    found = implicit_bias_study(X, labels, parts=["margin"], **SMALL)
    assert "linear" not in found.margin  # no plane separates these
    assert "tangent" in found.margin
    assert (found.n_samples, found.n_features) == (40, 5)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((), {"parts": "margin"}, TypeError, "parts must be a sequence"),
        ((), {"parts": []}, ValueError, "parts is empty"),
        ((), {"parts": ["magic"]}, ValueError, "each of parts must be one of"),
        ((), {"noise": 0.5}, ValueError, "noise must be less than 0.5"),
        ((), {"weight": 0.0}, ValueError, "weight must be finite and greater than 0"),
        ((), {"horizon": 0.1}, ValueError, "horizon must be finite and at least 1"),
        ((), {"width": 2.5}, TypeError, "width must be an integer"),
        ((X,), {}, ValueError, "pass y too"),
        ((None, SIGNS), {}, ValueError, "y needs its rows"),
        ((X, np.arange(40)), {}, ValueError, "two classes, got 40"),
        ((X, SIGNS[:5]), {}, ValueError, "one label for each of the 40 rows"),
    ],
)
def test_what_cannot_be_studied(arguments, options, error, message):
    with pytest.raises(error, match=message):
        implicit_bias_study(*arguments, **options)


def test_pictures(study):
    axes = plt.figure().add_subplot()
    assert study.plot(axes) is axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels[0].startswith("linear: in theory")
    assert labels[-1] == "network"
    for picture in ("norm", "support"):
        axes.clear()
        study.plot(axes, picture=picture, model="linear")
        assert "linear" in axes.get_title()
    with pytest.raises(ValueError, match="picture must be one of"):
        study.plot(axes, picture="loss")
    with pytest.raises(ValueError, match="no record of 'tree'"):
        study.plot(axes, picture="norm", model="tree")
    with pytest.raises(ValueError, match="picture must be one of 'norm'"):
        dataclasses.replace(study, margin={}, weights={}, influence={}).plot(axes, picture="margin")
    plt.close("all")


def test_command(capsys, tmp_path):
    words = ["--parts", "margin", "--network-horizon", "2", "--width", "16", "--horizon", "100"]
    assert main(["study", "implicit-bias", *words, "--out", str(tmp_path / "bias"), "--format", "json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    expected = implicit_bias_study(parts=["margin"], network_horizon=2, width=16, horizon=100)
    assert printed["table"]["measured"] == expected.measured.tolist()
    assert (tmp_path / "bias" / "support.png").exists()
    words += ["--data", "wine", "--max-samples", "20"]
    assert main(["study", "implicit-bias", *words, "--classes", "class_0", "class_2"]) == 0
    assert "20 samples of 13 features" in capsys.readouterr().out
    assert main(["study", "implicit-bias", *words, "--classes", "class_0", "sherry"]) == 2
    assert "there is no class 'sherry'; there are class_0" in capsys.readouterr().err
    assert main(["study", "implicit-bias", "--target", "x"]) == 2
    assert "--target goes with --data" in capsys.readouterr().err


@pytest.mark.parametrize("seed", range(6))
def test_nearly_equal_rows_leave_the_step_below_the_largest_stable_one(seed):
    rng = np.random.default_rng(seed)
    J, residual = rng.normal(size=(12, 30)), rng.normal(size=12)
    J[1] = J[0] + 1e-9 * rng.normal(size=30)
    found = minimum_norm(J, residual, np.zeros(30), steps=20, random_state=0)
    assert np.isfinite(found["error"]).all()
