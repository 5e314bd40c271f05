"""Flows under certified bounds: against one written by hand, never above when certified, resumed studies."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import erf

from ntklib.dynamics import integrate_flow
from ntklib.kernels import RectifiedPower
from ntklib.lab.parts import PARTS, announcing
from ntklib.lab.studies import LazyDecayStudy, lazy_decay_study
from ntklib.lab.studies.lazy_decay import study as module
from ntklib.lab.studies.lazy_decay.measure import DecayPlan, certify, in_span
from ntklib.lab.studies.lazy_decay.pictures import draw_under_bounds
from ntklib.networks import MLP, Params, TwoLayerNet
from ntklib.theory import lazy_certificate

rng = np.random.default_rng(0)
X, y = rng.normal(size=(6, 9)), np.array([1.0, -1.0, 1.0, -1.0, 0.5, 1.0])
SMALL = {"X": X, "y": y, "widths": [32], "n_samples": [3], "n_times": 4, "horizon": 2.0}
TINY = {**SMALL, "factors": [1.0], "below": [0.1]}  # 4 flows
ERF = TwoLayerNet(activation="erf", input_scaling="fan_in", symmetric=True, output_init="rademacher")


@pytest.fixture(scope="module")
def study():
    return lazy_decay_study(**{**SMALL, "n_samples": [2, 3], "widths": [16, 64]})


def by_hand(alpha, W, v, rows, targets, times):
    """Losses and distances of alpha (g(a) - g(b)) / sqrt 2, g = m^(-1/2) sum_r v_r erf(w_r x), from a = b."""
    m, d = W.shape
    start = np.concatenate([W.ravel(), v, W.ravel(), v])

    def copy(w):
        return w[: m * d].reshape(m, d), w[m * d :]

    def outputs(w):
        (A, a), (B, b) = copy(w[: len(w) // 2]), copy(w[len(w) // 2 :])
        return alpha * (erf(rows @ A.T) @ a - erf(rows @ B.T) @ b) / np.sqrt(2 * m)

    def jacobian(w):
        blocks = []
        for sign, half in ((1, w[: len(w) // 2]), (-1, w[len(w) // 2 :])):
            V, u = copy(half)
            z = rows @ V.T
            slope = 2 / np.sqrt(np.pi) * np.exp(-(z**2)) * u
            hidden = (slope[:, :, None] * rows[:, None, :]).reshape(len(rows), -1)
            blocks += [sign * hidden, sign * erf(z)]
        return alpha * np.hstack(blocks) / np.sqrt(2 * m)

    def velocity(_, w):
        return -jacobian(w).T @ (outputs(w) - targets)

    found = solve_ivp(velocity, (0, times[-1]), start, "Radau", times, rtol=1e-8, atol=1e-11).y.T
    loss = [0.5 * np.sum((outputs(w) - targets) ** 2) for w in found]
    return np.array(loss), np.linalg.norm(found - start, axis=1), jacobian(start) / alpha


def test_a_run_is_the_flow_written_by_hand():
    study = lazy_decay_study(**{**SMALL, "widths": [4], "below": [0.3], "factors": [1.0]})
    network, rows = in_span(ERF, X[:3])
    seed = np.random.SeedSequence(0, spawn_key=(4, 3))
    params = network.set_params(width=4).init(3, np.random.default_rng(seed))
    for row in (study.find(theorem="A'", factor=0.3), study.find(theorem="A")):
        alpha, sigma = study.scale[row], study.settings[0].sigma_min
        times = study.times / (alpha * sigma) ** 2
        loss, distance, J = by_hand(alpha, params["W0"], params["W1"].ravel(), rows, y[:3], times)
        np.testing.assert_allclose(study.loss[row], loss, rtol=1e-4)
        singular = np.linalg.svd(J, compute_uv=False)
        low, high = singular[-1], singular[0]
        assert study.settings[0].sigma_min == pytest.approx(low)
        assert study.settings[0].sigma_max == pytest.approx(high)
        rate = np.min(-np.log(loss[1:] / loss[0]) / study.times[1:])
        assert study.rate[row] == pytest.approx(rate, rel=1e-4)
        if study.certified[row]:  # theorem A
            e = np.linalg.norm(y[:3]) / alpha
            assert study.certified_rate[row] == pytest.approx(0.5)
            bound = loss[0] * np.exp(-study.times / 2)
            assert study.loss_ratio[row] == pytest.approx(np.max(loss[4:] / bound[4:]), rel=1e-4)
            limit = 6 * high * e / low**2
            assert study.distance_ratio[row] == pytest.approx(distance.max() / limit, rel=1e-4)
        # the linearisation in closed form
        values, vectors = np.linalg.eigh(J @ J.T)
        decayed = np.exp(-np.outer(times, values) * alpha**2) * (vectors.T @ y[:3])
        np.testing.assert_allclose(study.linear_loss[row], np.sum(decayed**2, axis=1) / 2, rtol=1e-9)
        moved = np.sqrt(np.sum(((1 - decayed[-1] / (vectors.T @ y[:3])) * (vectors.T @ y[:3])) ** 2 / values))
        ratio = moved / (np.linalg.norm(y[:3]) / low)
        assert study.linear_distance_ratio[row] == pytest.approx(ratio)


@pytest.mark.parametrize("options", [{}, {"input_scaling": "fan_in"}, {"bias_std": 0.5}], ids=str)
def test_the_span_of_the_rows_is_all_that_matters(options):
    """Lifted to all features, with anything at right angles to the rows added, a network trains the same."""
    wide = TwoLayerNet(8, activation="softplus", symmetric=True, scale=3.0, **options)
    network, rows = in_span(wide, X[:3])
    assert rows.shape == (3, 3)
    params = network.init(3, 1)
    scaled = X[:3] / (3 if options.get("input_scaling") == "fan_in" else 1)
    np.testing.assert_allclose(rows @ rows.T, scaled @ scaled.T)
    basis = np.linalg.pinv(scaled) @ rows  # (9, 3), orthonormal columns
    np.testing.assert_allclose(basis.T @ basis, np.eye(3), atol=1e-12)
    beside = rng.normal(size=(8, 9)) @ (np.eye(9) - basis @ basis.T)
    lifted = dict(params.items())
    for name in ("W0", "mirror_W0"):
        lifted[name] = params[name] @ basis.T + beside
    lifted = Params(lifted)
    times = [0.1, 0.5]
    low, high = (
        integrate_flow(net, at, y[:3], times, params=start)
        for net, at, start in ((network, rows, params), (wide, X[:3], lifted))
    )
    for name in ("outputs", "distance", "path_length"):
        np.testing.assert_allclose(getattr(low, name), getattr(high, name), rtol=1e-7)
    ours, theirs = (
        lazy_certificate(network, params, rows, y[:3]),
        lazy_certificate(wide, lifted, X[:3], y[:3]),
    )
    assert ours.scale_threshold == pytest.approx(theirs.scale_threshold, rel=1e-6)


def test_rows_stay_where_their_variance_is_in_the_weights():
    network = TwoLayerNet(8, activation="erf", parameterization="standard", input_scaling="fan_in")
    assert in_span(network, X[:3])[1] is not None
    assert in_span(network, X[:3])[1].shape == (3, 9)
    assert in_span(ERF, X[:3, :2])[1].shape == (3, 2)  # fewer features than rows


def check(study):
    """What holds for all networks that start at 0."""
    assert study.exceeded == 0
    np.testing.assert_array_equal(study.certified, study.factor >= 1)
    for name in ("loss_ratio", "distance_ratio", "certified_rate"):
        assert (np.isfinite(getattr(study, name)) == study.certified).all(), name
    for ratios in (study.rate_ratios, study.loss_ratios, study.distance_ratios):
        for name, values in ratios.items():
            assert np.isfinite(values).any(), name
            assert (values[np.isfinite(values)] <= 1).all(), name
    assert (study.linear_rate >= 2).all()
    assert (study.linear_distance_ratio <= 1).all()
    assert (study.linear_loss <= study.linear_loss_bound).all()
    assert (study.loss[study.certified] <= study.loss[study.certified][:, :1]).all()
    assert study.integration_error < 1e-6


def test_nothing_certified_is_exceeded(study):
    check(study)
    assert len(study.scale) == 4 * 11
    # what is certified at a threshold is certified above it, by this theorem and by A'
    at = study.theorem == "B"
    assert np.isfinite(study.loss_ratios["A'"][at]).all()
    assert np.isfinite(study.loss_ratios["A"][at & (study.factor >= 1)]).all()
    assert np.isnan(study.loss_ratios["A"][study.theorem == "A'"]).all()
    # A' promises more, the further above its threshold
    rates = study.rate_ratios["A'"] * study.rate
    for width in (16, 64):
        own = np.flatnonzero((study.width == width) & (study.n == 2) & np.isfinite(rates))
        rising = rates[own[np.argsort(study.scale[own])]]
        assert (np.diff(rising) > 0).all()
        assert 1.9 < rising[-1] < 2
    # the gap to the linearisation of an odd model falls like the square of the scale
    first, last = study.find(theorem="A'", width=16, n=2), study.find(theorem="A", width=16, n=2)
    power = np.log(study.gap[last] / study.gap[first]) / np.log(study.scale[last] / study.scale[first])
    assert power == pytest.approx(-2, abs=0.05)


@pytest.mark.parametrize(
    "network",
    [
        TwoLayerNet(activation=RectifiedPower(2), input_scaling="fan_in", symmetric=True),
        TwoLayerNet(activation="softplus", symmetric=True, trainable="hidden"),
        TwoLayerNet(activation=RectifiedPower(3), input_scaling="fan_in", symmetric=True, bias_std=0.3),
        TwoLayerNet(activation="erf", symmetric=True, parameterization="mean_field"),
    ],
    ids=lambda net: net.activation if isinstance(net.activation, str) else f"power {net.activation.degree}",
)
def test_other_networks_keep_the_bounds(network):
    check(
        lazy_decay_study(**{**SMALL, "network": network, "factors": [0.7, 1.5], "below": [], "widths": [24]})
    )


def test_networks_that_do_not_start_at_zero():
    """Then scales are certified in an interval, if at all."""
    wide = TwoLayerNet(activation="erf", input_scaling="fan_in", weight_std=0.3)
    options = {**SMALL, "network": wide, "widths": [4096], "n_samples": [1], "below": []}
    study = lazy_decay_study(**options, factors=[1.0, 30.0])
    assert study.exceeded == 0
    assert study.certified[0]
    assert study.linear_rate.min() >= 2


def test_a_bound_that_is_exceeded_is_noticed(monkeypatch):
    true = module.follow

    def slow(plan, *arguments):
        values = true(plan, *arguments)
        return {**values, "loss": values["loss"][0] * np.exp(-0.4 * plan.times)}

    monkeypatch.setattr(module, "follow", slow)
    study = lazy_decay_study(**SMALL)
    # below the thresholds of A and B, too, as A' holds there; and at its own, where its bound falls like t^-2
    assert study.exceeded == 8
    assert "BOUNDS WERE EXCEEDED" in study.headline()
    np.testing.assert_allclose(study.rate, 0.4, rtol=1e-6)
    assert np.isnan(study.settings[0].kept_down_to)
    monkeypatch.setattr(module, "follow", lambda *a: {**true(*a), "path": 1e9})
    found = lazy_decay_study(**TINY)
    assert found.exceeded == np.isfinite(found.loss_ratios["A'"]).sum()
    assert found.distance_ratio[~found.certified | (found.theorem != "A'")][-1] < 1


def test_how_far_down_a_promise_is_kept(study, monkeypatch):
    for setting in study.settings:  # here the network never failed to keep it
        assert setting.kept_down_to == setting.least_scale == pytest.approx(0.01 * setting.thresholds["A'"])
    assert "the smallest that was run" in study.headline()
    true = module.follow

    def fails(plan, width, n, scale, sigma):
        values = true(plan, width, n, scale, sigma)
        return {**values, "loss": values["loss"][0] + 0 * values["loss"]} if scale < limit else values

    limit = 10.0
    monkeypatch.setattr(module, "follow", fails)
    study = lazy_decay_study(**TINY)
    threshold = study.settings[0].thresholds["A'"]
    assert 0.1 * threshold < limit
    assert study.settings[0].kept_down_to == min(scale for scale in study.scale if scale >= limit)
    assert "that and all larger ones" in study.headline()


def test_a_study_stopped_midway_goes_on(tmp_path, monkeypatch):
    said, runs, true = [], [], module.follow
    with announcing(said.append):
        whole = lazy_decay_study(**TINY)
    assert len(said) == 1
    assert said[0].startswith("lazy-decay: 4 gradient flows, about ")

    def counted(*arguments):
        runs.append(arguments)
        if len(runs) == 3:
            raise KeyboardInterrupt
        return true(*arguments)

    monkeypatch.setattr(module, "follow", counted)
    options = {**TINY, "out": tmp_path}
    with announcing(said.append), pytest.raises(KeyboardInterrupt):
        lazy_decay_study(**options)
    names = {path.name for path in (tmp_path / PARTS).iterdir()}
    assert names == {
        "lazy-decay-width-32-n-3.npz",
        "lazy-decay-width-32-n-3-0.1-of-A-prime.npz",
        "lazy-decay-width-32-n-3-1-of-A-prime.npz",
    }
    with announcing(said.append):
        assert lazy_decay_study(**options) == whole
    assert len(runs) == 3 + 2
    assert said[2].startswith("lazy-decay: 2 gradient flows, about ")
    with announcing(said.append):
        assert lazy_decay_study(**options) == whole
    assert len(said) == 3  # nothing is left to announce
    for change, message in (
        ({"random_state": 1}, "random_state was 0, is 1"),
        ({"horizon": 3.0}, "horizon was 2.0, is 3.0"),
        ({"below": [0.2]}, "scales was"),
        ({"y": -y}, "data was"),
    ):
        with pytest.raises(ValueError, match=message):
            lazy_decay_study(**{**options, **change})


def test_large_condition_numbers_are_announced():
    said = []
    close = np.vstack([X[:1], X[:1] + 0.03 * X[1:2]])
    options = {**SMALL, "X": close, "y": y[:2], "n_samples": [2], "horizon": 1e-3, "n_times": 2}
    with announcing(said.append):
        study = lazy_decay_study(**options, factors=[1.0], below=[])
    condition = study.settings[0].condition_number
    assert condition > 1e3
    assert f"condition number is {condition:.2g} at width 32 on 2 rows" in said[0]


def test_flows_that_never_start_are_not_timed():
    """Rows that no scale is certified for: the refusal comes at once, and no line speaks of centuries."""
    said = []
    twice = {**SMALL, "X": X[[0, 0, 1]], "y": y[:3]}
    with announcing(said.append), pytest.raises(ValueError, match="rank deficiency"):
        lazy_decay_study(**twice)
    assert said == ["lazy-decay: 11 gradient flows, about 1.0 s"]


def test_certifying_widths_beyond_whole_numbers():
    """Of 64 bits: nearly equal rows ask for more."""
    close = np.vstack([X[:1], X[:1] + 1e-4 * X[1:2]])
    plan = DecayPlan(ERF, close, y[:2], (("A'", 1.0),), np.array([0.0, 1e-12]), 0)
    found = np.asarray(certify(plan, 32, 2)["certifying_widths"])
    assert found.dtype == float
    assert found.max() > 2.0**64


def test_the_certified_rate_at_the_threshold_is_that_of_the_whole_bound():
    """Where beta does not grow with the ball, the bound of A' is L_0 / (1 + tau)^2 there."""
    hidden = TwoLayerNet(activation=RectifiedPower(2), symmetric=True, trainable="hidden")
    study = lazy_decay_study(**{**TINY, "network": hidden, "below": []})
    own = study.theorem == "A'"
    end = study.times[-1]
    np.testing.assert_allclose(study.certified_rate[own], 2 * np.log1p(end) / end, rtol=1e-6)
    np.testing.assert_allclose(study.certified_rate[~own], 0.5, rtol=1e-6)
    assert (study.rate > study.certified_rate).all()
    assert "at the threshold of theorem A' the loss fell" in study.headline()
    assert "at the threshold of theorem A the loss fell" in study.headline()


def test_the_result(study, tmp_path):
    assert isinstance(study, LazyDecayStudy)
    text = study.headline()
    assert "44 gradient flows up to time 2 / (scale * sigma_min)^2" in text
    assert "no certified bound was exceeded: in " in text
    assert "at 2 times the threshold of theorem A' the loss fell" in text
    setting = study.settings[-1]
    assert (setting.width, setting.n) == (64, 3)
    assert f"{setting.certifying_widths['A']:.3g} by theorem A (out of reach)" in text
    assert "on 3 rows scale 1 takes a width of about " in text
    assert setting.thresholds["A'"] < setting.thresholds["A"] < setting.thresholds["B"]
    assert setting.certifying_widths["A'"] < setting.certifying_widths["A"]
    files = {path.name for path in study.save(tmp_path).iterdir()}
    assert files == {"results.json", "results.csv", "loss.png", "ratios.png", "thresholds.png"}
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["settings"][-1]["thresholds"]["A"] == setting.thresholds["A"]
    row = study.find(width=16, theorem="A", factor=2)
    assert (study.width[row], study.n[row], study.theorem[row], study.factor[row]) == (16, 3, "A", 2)
    with pytest.raises(ValueError, match="no run of width 17"):
        study.find(width=17)


RELU = TwoLayerNet(activation="relu", symmetric=True)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"X": np.ones((40, 2)), "y": np.ones(40), "n_samples": [33]},
            ValueError,
            "33 rows are more than the 32",
        ),
        ({"n_samples": [7]}, ValueError, "asks for 7 rows, and X has 6"),
        ({"n_samples": 3}, TypeError, "sequence of integers"),
        ({"n_samples": []}, ValueError, "is empty"),
        ({"widths": [0]}, ValueError, "each of widths must be at least 1"),
        ({"factors": []}, ValueError, "factors is empty"),
        ({"factors": 3.0}, TypeError, "factors must be a sequence of numbers"),
        ({"below": None}, TypeError, "below must be a sequence of numbers"),
        ({"factors": [-1.0]}, ValueError, "greater than 0"),
        ({"below": [0.0]}, ValueError, "greater than 0"),
        ({"horizon": 0}, ValueError, "horizon must be finite and greater"),
        ({"n_times": 1}, ValueError, "n_times must be at least 2"),
        ({"y": 0 * y}, ValueError, "nothing to train"),
        ({"network": MLP((4, 4), activation="erf")}, ValueError, "2 hidden layers"),
        ({"network": "erf"}, TypeError, "TwoLayerNet or an MLP, got 'erf'"),
        ({"network": RELU}, ValueError, "derivative of ReLU"),
        (
            {"network": TwoLayerNet(activation="erf", trainable="output")},
            ValueError,
            "linear in what is trained",
        ),
        ({"network": TwoLayerNet(activation="erf")}, ValueError, "symmetric=True"),
        ({"X": X[[0, 0, 1]], "y": y[:3]}, ValueError, "duplicate rows"),
        ({"X": X[:, :1] * 0 + np.arange(6)[:, None], "y": y}, ValueError, "no scale is certified"),
    ],
    ids=lambda value: str(value)[:40].replace("\n", " ") if isinstance(value, str) else "",
)
def test_what_cannot_be_studied(options, error, message):
    with pytest.raises(error, match=message):
        lazy_decay_study(**{**SMALL, **options})


@pytest.fixture
def axes():
    yield plt.figure().add_subplot()
    plt.close("all")


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_the_picture_of_losses(study, axes):
    study.plot(axes)
    assert labels(axes) == [
        "network",
        "its linearisation",
        "bound of theorem A'",
        "bound of theorems A and B",
        "bound of the linearisation",
    ]
    assert "the threshold of theorem B" in axes.get_title()
    drawn = axes.lines[0].get_ydata()
    np.testing.assert_array_equal(drawn, study.loss[study.find()])
    lower = study.plot(plt.figure().add_subplot(), theorem="A'", factor=2)
    assert "bound of theorems A and B: does not hold here" in labels(lower)
    assert "2 times the threshold of theorem A'" in lower.get_title()
    with pytest.raises(ValueError, match="no run of width 17"):
        study.plot(axes, width=17)
    zero = plt.figure().add_subplot()
    draw_under_bounds(zero, np.arange(3.0), {"network": np.array([1.0, 0.1, 0.0])}, {}, {})
    assert np.isnan(zero.lines[0].get_ydata()[-1])
    assert not zero.collections  # no bound, nothing to shade


def test_the_pictures_of_bounds(study, axes):
    study.plot(axes, picture="ratios")
    assert len(labels(axes)) == 1 + 2 * 3
    scales = next(line for line in axes.lines if line.get_label() == "theorem A: rate").get_xdata()
    assert scales.min() < 1 < scales.max()
    lines = study.plot(plt.figure().add_subplot(), picture="thresholds").lines
    assert len(lines) == 3 * 2 + 1
    np.testing.assert_array_equal(lines[0].get_xdata(), [16, 64])
    with pytest.raises(ValueError, match="picture must be one of 'loss', 'ratios', 'thresholds'"):
        study.plot(picture="speed")


def test_certificates_are_those_of_the_theory():
    plan = DecayPlan(ERF, X, y, (("A'", 2.0), ("B", 1.0)), np.linspace(0, 2, 3), 5)
    found = certify(plan, 16, 3)
    network, params, rows, targets = plan.start(16, 3)
    for index, theorem in enumerate(("A'", "A", "B")):
        certificate = lazy_certificate(network, params, rows, targets, theorem=theorem)
        assert found["thresholds"][index] == certificate.scale_threshold
        at = certificate.at_scale(found["scales"][0])
        times = plan.times / (at.scale * at.sigma_min) ** 2
        np.testing.assert_array_equal(found["bounds"][index][0], at.loss_bound(times))
        assert found["distances"][index][0] == at.distance_bound
    assert found["scales"][1] == found["thresholds"][2]
