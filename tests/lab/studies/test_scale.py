"""Gaps to the linearisation by scale: powers, their limits by perturbation theory, errors, resuming."""

import json
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import ntklib
from ntklib.dynamics import integrate_flow, linearized_flow
from ntklib.kernels import NumericalActivation
from ntklib.lab.parts import PARTS, announcing
from ntklib.lab.studies import ScaleStudy, scale_study
from ntklib.lab.studies.scale.result import local_slopes
from ntklib.networks import MLP, TwoLayerNet

rng = np.random.default_rng(0)
X, Y = rng.standard_normal((4, 3)), rng.standard_normal((4, 2))
y = Y[:, 0]
DECADE = (100.0, 316.0, 1000.0)
SMALL = {
    "X": X,
    "y": y,
    "scales": (1.0, 10.0),
    "network": TwoLayerNet(6, activation="erf"),
    "rtol": 1e-9,
    "remaining": 0.2,
}


def of(study, model, column):
    return getattr(study, column)[study.model == model]


@pytest.mark.parametrize(
    "net",
    [
        TwoLayerNet(16, activation="erf"),
        TwoLayerNet(12, activation="softplus", bias_std=0.5),  # not odd, nor its network
        MLP((8, 6), activation="erf", n_outputs=2),
    ],
    ids=["erf", "softplus", "deep"],
)
def test_powers_of_the_scale(net):
    targets = y if net.n_outputs == 1 else Y
    study = scale_study(X, targets, DECADE, network=net, remaining=0.2, offset=1e-12)
    for model in ("centred", "symmetric"):
        for quantity, slope in study.slopes[model].items():
            assert slope.gap > 1e3 * slope.error, (model, quantity)
            assert slope.deviation <= 0.02, (model, quantity)
    predicted = {name: found["output_gap"].predicted for name, found in study.slopes.items()}
    assert predicted == {"centred": -1, "symmetric": -2, "plain": 0, "offset": 0}
    # nothing shrinks that starts off 0
    for slope in study.slopes["plain"].values():
        assert slope.deviation <= 0.05
    for name in ("movement", "parameter_gap", "output_gap"):  # with hardly an offset nearly the same model
        np.testing.assert_allclose(of(study, "offset", name), of(study, "symmetric", name), rtol=1e-4)


def second_order(model, params, time):
    """g and e with w - u = g/alpha^2 and f - f_linear = e/alpha in the limit, for outputs that start at 0."""
    J = model.jacobian(params, X)
    K = J @ J.T
    values, Q = np.linalg.eigh(K)

    def residual(t):
        return -Q @ (np.exp(-t * values) * (Q.T @ y))

    def delta(t):
        return -J.T @ (Q @ (-np.expm1(-t * values) / values * (Q.T @ -y)))

    def slope(t, g):
        d = delta(t)
        bend = model.second_derivative(params, X, d, d) / 2
        return -J.T @ (J @ g + bend) - model.hvp(params, X, residual(t), d)

    g = solve_ivp(slope, (0, time), np.zeros(J.shape[1]), "LSODA", rtol=1e-9, atol=1e-12).y[:, -1]
    d = delta(time)
    return g, J @ g + model.second_derivative(params, X, d, d) / 2


def test_gaps_tend_to_those_of_perturbation_theory():
    net = TwoLayerNet(12, activation="softplus")
    study = scale_study(X, y, (1000.0, 3000.0), network=net, random_state=4, remaining=0.1)
    params = net.init(3, 4)
    g, e = second_order(net.centered_at(params), params, study.time)
    length, size = np.linalg.norm(net.ravel(params)), np.linalg.norm(y)
    assert of(study, "centred", "parameter_gap")[1] == pytest.approx(
        np.linalg.norm(g) / 9e6 / length, rel=0.01
    )
    assert of(study, "centred", "output_gap")[1] == pytest.approx(np.linalg.norm(e) / 3e3 / size, rel=0.01)
    twin = TwoLayerNet(12, activation="softplus", symmetric=True)
    params = twin.init(3, 4)
    g, e = second_order(twin, params, study.time)
    assert np.linalg.norm(e) < 1e-6 * np.linalg.norm(g)  # the second order vanishes
    length = np.linalg.norm(twin.ravel(params))
    assert of(study, "symmetric", "parameter_gap")[1] == pytest.approx(
        np.linalg.norm(g) / 9e6 / length, rel=0.01
    )
    # the movement, by the linear model
    moved = linearized_flow(twin, X, y, study.time, params=params).distance[0]
    assert of(study, "symmetric", "movement")[1] == pytest.approx(moved / 3e3 / length, rel=0.01)


def test_a_network_that_does_not_start_at_0_learns_to_be_0():
    """In the limit it is h itself, of scale 1, that is trained to be 0 up to t = alpha^2 t."""
    net = TwoLayerNet(12, activation="erf")
    study = scale_study(X, y, (1e5, 1e6), network=net, random_state=1, remaining=0.1, rtol=1e-10)
    params = net.init(3, 1)
    job = {"params": params, "keep_params": True}
    flow = integrate_flow(net, X, 0 * y, study.time, **job)
    linear = linearized_flow(net, X, 0 * y, study.time, **job)
    length, size = np.linalg.norm(net.ravel(params)), np.linalg.norm(net.apply(params, X))
    expected = {
        "movement": flow.distance[0] / length,
        "parameter_gap": np.linalg.norm(flow.vectors - linear.vectors) / length,
        "output_gap": np.linalg.norm(flow.outputs - linear.outputs) / size,
    }
    for name, value in expected.items():
        assert of(study, "plain", name)[-1] == pytest.approx(value, rel=1e-4), name
    assert study.start_outputs["plain"] == pytest.approx(size)
    assert study.start_outputs["centred"] == 0
    assert study.start_outputs["symmetric"] < 1e-15
    assert "mainly unlearns h(w_0)" in study.headline()
    assert "read off these runs themselves" in study.headline()  # which decade of scales


def test_the_time_is_that_of_the_loss_that_remains():
    for remaining in (0.5, 0.03):
        study = scale_study(**{**SMALL, "remaining": remaining})
        net = SMALL["network"]
        params = net.init(3, 0)
        flow = linearized_flow(net.centered_at(params), X, y, study.time)
        assert flow.loss[0] / (y @ y / 2) == pytest.approx(remaining)
        np.testing.assert_allclose(of(study, "centred", "linear_loss"), remaining)


def test_errors_are_estimated():
    """Two tolerances differ by less than the looser one's estimate; rounding is a part of it."""
    rough = scale_study(**{**SMALL, "scales": (1.0, 1e4), "rtol": 1e-7})
    fine = scale_study(**{**SMALL, "scales": (1.0, 1e4), "rtol": 1e-13})
    for kind, error in (("parameter_gap", "parameter_error"), ("output_gap", "output_error")):
        difference = np.abs(getattr(rough, kind) - getattr(fine, kind))
        assert (difference <= getattr(rough, error)).all()
        assert (getattr(fine, error) < getattr(rough, error)).all()
        for study in (rough, fine):
            rounding = getattr(study, error.replace("error", "rounding"))
            assert (rounding > 0).all()
            assert (rounding <= getattr(study, error) * (1 + 1e-12)).all()
    assert (of(fine, "symmetric", "output_gap")[1] < 1e3 * of(fine, "symmetric", "output_error")[1]).all()


def test_slopes_are_of_the_last_decade_that_counts():
    scales = 10.0 ** np.arange(0, 4.5, 0.5)
    gaps = scales**-2.0
    errors = np.where(scales < 900, 1e-9, 1e-8)  # at 1000 and above gaps are at most 100 times the error
    slopes, last = local_slopes(scales, gaps, errors, -2.0)
    assert np.isnan(slopes[0])
    np.testing.assert_allclose(slopes[1:], -2)
    assert (last.low, last.high) == pytest.approx((10**1.5, 10**2.5))
    assert last.gap == pytest.approx(1e-5)
    assert last.deviation < 1e-12
    gaps[-1] = 0.0  # below the smallest number
    slopes, last = local_slopes(scales, gaps, errors, -1.0)
    assert np.isnan(slopes[-1])
    assert last.deviation == pytest.approx(1)
    for scale, error in ((scales, 1.0), (np.array([1.0, 100.0]), 0.0)):  # nothing counts; two decades apart
        _, none = local_slopes(scale, scale**-2.0, np.full(len(scale), error), -2.0)
        assert np.isnan(none.least)
        assert np.isnan(none.deviation)


def test_linear_networks_have_no_gaps():
    study = scale_study(**{**SMALL, "network": TwoLayerNet(32, activation="relu", trainable="output")})
    assert (study.parameter_gap <= study.parameter_error).all()
    assert (study.output_gap <= study.output_error).all()
    assert "no decade counts" in study.headline()
    assert study.slopes["centred"]["movement"].deviation < 1e-8


def test_activations_of_which_nothing_is_known_are_tried(monkeypatch):
    tanh = NumericalActivation(np.tanh, lambda z: 1 / np.cosh(z) ** 2)
    options = {**SMALL, "scales": (100.0, 300.0), "network": TwoLayerNet(6, activation=tanh)}
    assert scale_study(**options).slopes["centred"]["parameter_gap"].deviation < 0.02

    def stuck(*arguments, **options):
        raise RuntimeError("the gradient flow came to time 0.1 only")

    monkeypatch.setattr("ntklib.lab.studies.scale.measure.integrate_flow", stuck)
    with pytest.raises(ValueError, match="scale 300: the gradient flow came"):
        scale_study(**options)


class Counted(TwoLayerNet):
    """Is interrupted at one of its scales."""

    __init__ = TwoLayerNet.__init__
    stop = None

    def on_rows(self, params, rows):
        if self.scale == self.stop:
            raise KeyboardInterrupt
        return super().on_rows(params, rows)


def test_a_study_stopped_midway_goes_on_and_says_how_long_it_takes(tmp_path, monkeypatch):
    options = {**SMALL, "network": Counted(6, activation="erf")}
    whole, said = scale_study(**options), []
    monkeypatch.setattr(Counted, "stop", 2.0)
    three = {**options, "scales": (0.5, 1.0, 2.0)}
    with announcing(said.append), pytest.raises(KeyboardInterrupt):
        scale_study(**three, out=tmp_path)
    assert len(list((tmp_path / PARTS).iterdir())) == 2
    monkeypatch.setattr(Counted, "stop", 0.5)  # that is not computed again
    with announcing(said.append):
        scale_study(**three, out=tmp_path)
        assert scale_study(**options, out=tmp_path) == whole
        assert scale_study(**options, out=tmp_path) == whole
    counts = [line.split(", about ")[0] for line in said]
    assert counts == ["scale: 12 flows", "scale: 4 flows", "scale: 4 flows"]
    for change, message in (
        ({"random_state": 1}, "random_state was 0, is 1"),
        ({"remaining": 0.5}, "remaining was 0.2, is 0.5"),
        ({"y": y[::-1]}, "data was"),
        ({"offset": 0.5}, "offset was"),
    ):
        with pytest.raises(ValueError, match=message):
            scale_study(**{**options, **change}, out=tmp_path)
    with ntklib.set_threads(1):
        assert scale_study(**options) == whole


def test_the_result(tmp_path):
    study = scale_study(**SMALL)
    assert isinstance(study, ScaleStudy)
    assert "predicted" in str(study)
    assert len(study.records()) == 8
    assert study.records()[0]["model"] == "centred"
    files = {path.name for path in study.save(tmp_path).iterdir()}
    assert files == {"results.json", "results.csv", "outputs.png", "parameters.png", "movement.png"}
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["slopes"]["symmetric"]["output_gap"]["predicted"] == -2
    assert content["table"]["output_gap"] == study.output_gap.tolist()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"y": y[:3]}, ValueError, "targets of shape"),
        ({"y": 0 * y}, ValueError, "never has only 0.2 of its loss left"),
        ({"X": X[[0, 0, 0, 0]]}, ValueError, "rows without duplicates"),
        ({"scales": 3.0}, TypeError, "sequence of numbers"),
        ({"scales": [1.0, 1e200]}, ValueError, "must lie between 1e-15 and 1e\\+15"),
        ({"scales": [1e-200, 1.0]}, ValueError, "must lie between"),
        ({"network": "erf"}, TypeError, "TwoLayerNet or an MLP"),
        ({"scales": [1.0, 1.0]}, ValueError, "at least 2 different"),
        ({"scales": [0.0, 1.0]}, ValueError, "greater than 0"),
        ({"remaining": 1.0}, ValueError, "less than 1"),
        ({"remaining": 0.0}, ValueError, "greater than 0"),
        ({"offset": 0.0}, ValueError, "offset must be finite and greater"),
        ({"rtol": 0.0}, ValueError, "rtol must be"),
        ({"network": TwoLayerNet(6)}, ValueError, "derivative of ReLU.* jumps"),
    ],
    ids=lambda value: str(value)[:30].replace("\n", " "),
)
def test_what_cannot_be_studied(options, error, message):
    with pytest.raises(error, match=message):
        scale_study(**{**SMALL, **options})


@pytest.fixture
def axes():
    yield plt.figure().add_subplot()
    plt.close("all")


def test_pictures(axes):
    study = scale_study(**SMALL)
    study.plot(axes)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert [label.split(":")[0] for label in labels[:2]] == ["centred, $h - h(w_0)$", "symmetrised"]
    assert "predicted)" in labels[0]
    for picture in ("parameters", "movement"):
        other = plt.figure().add_subplot()
        study.plot(other, picture=picture)
        assert other.get_yscale() == "log"
    with pytest.raises(ValueError, match="picture must be one of 'outputs', 'parameters', 'movement'"):
        study.plot(picture="speed")


def test_what_may_be_error_is_grey(axes):
    study = scale_study(**SMALL)
    replace(study, output_error=np.where(study.scale > 1, study.output_gap, 0.0)).plot(axes)
    counted = next(line for line in axes.lines if line.get_label().startswith("symmetrised:"))
    np.testing.assert_array_equal(np.isnan(counted.get_ydata()), [False, True])
    assert [text.get_text() for text in axes.get_legend().get_texts()][-1].startswith("less than 1000 times")
