"""One function from rescaled weights: the same outputs, other steps, and steps that make up for it."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest

from ntklib.dynamics import USAM, Adam, GradientDescent, Momentum, Muon, SignDescent
from ntklib.kernels import RectifiedPower
from ntklib.lab.cli import main
from ntklib.lab.parts import PARTS
from ntklib.lab.studies import RescalingStudy, rescale, rescaling_study
from ntklib.networks import MLP, TwoLayerNet

X = np.random.default_rng(3).normal(size=(8, 4)) / 2
Y = np.sin(2 * X[:, 0]) + X[:, 1]
SMALL = {"factors": (0.5, 4.0), "network": TwoLayerNet(16), "steps": 20, "random_state": 1}
NETWORKS = [
    TwoLayerNet(16, parameterization="standard", input_scaling="fan_in"),
    TwoLayerNet(16, activation="leaky_relu", bias_std=0.5, symmetric=True),
    TwoLayerNet(16, activation=RectifiedPower(2), bias_std=0.3),
    MLP((8, 16, 4), bias_std=0.5, parameterization="mup"),
    MLP((8, 16), activation=RectifiedPower(2), bias_std=0.5),
]


@pytest.fixture(scope="module")
def study():
    return rescaling_study(X, Y, **SMALL)


@pytest.fixture
def axes():
    yield plt.figure().add_subplot()
    plt.close("all")


@pytest.mark.parametrize("net", NETWORKS, ids=lambda net: " ".join(str(net).split()))
def test_the_function_stays_the_same_and_gradients_shrink(net):
    params = net.init(4, random_state=0)
    other = rescale(net, params, 1.7)
    np.testing.assert_allclose(net.apply(other, X), net.apply(params, X), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(other["W0"], 1.7 * params["W0"])
    before, after = (net.unravel(at, net.vjp(at, X, Y)) for at in (params, other))
    for name in params.names:  # an array c times as large has a gradient 1 / c times as large
        ratio = other[name].flat[0] / (params[name].flat[0] or 1)
        np.testing.assert_allclose(after[name] * (ratio or 1), before[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("net", NETWORKS, ids=lambda net: " ".join(str(net).split()))
def test_compensating_steps_give_the_same_training_to_the_last_bit(net):
    """Factors that are powers of two are exact."""
    optimizers = {
        "descent": GradientDescent(0.002),
        "momentum": Momentum(0.001),
        "usam": USAM(0.002, 0.01),
        "sign": SignDescent(0.002),
        "dual sign": SignDescent(1e-5, normalized=False),
        "muon": Muon(0.005, momentum=0.5),
        "newton schulz": Muon(0.005, newton_schulz=5),
        "dual muon": Muon(1e-4, normalized=False),
    }
    study = rescaling_study(X, Y, (0.5, 2.0), network=net, optimizers=optimizers, steps=15)
    assert study.compensated_difference.max() == 0
    rescaled = study.factor != 1
    assert study.difference[rescaled].min() > 1e-6
    powers = {name: 1.0 if name in ("sign", "muon", "newton schulz") else 2.0 for name in optimizers}
    assert study.power == powers
    assert np.all(study.loss[~rescaled] < 1)


def test_with_other_factors_only_up_to_rounding():
    optimizers = {"descent": GradientDescent(0.05), "muon": Muon(0.01)}
    study = rescaling_study(X, Y, (0.3, 3.0), network=TwoLayerNet(16), optimizers=optimizers, steps=30)
    assert 0 < study.compensated_difference.max() < 1e-12


def test_adam_is_compensated_up_to_its_epsilon():
    found = []
    for epsilon in (1e-4, 1e-8):
        optimizers = {"adam": Adam(0.005, epsilon=epsilon)}
        study = rescaling_study(X, Y, (4.0,), network=TwoLayerNet(16), optimizers=optimizers, steps=30)
        found.append(study.compensated_difference.max())
        assert study.difference.max() > 0.05
    assert 0 < found[1] < 1e-6
    assert found[1] < 1e-3 * found[0]


@pytest.mark.parametrize(
    ("optimizer", "power", "direction"),
    [(GradientDescent(0.05), 2, lambda g: g), (SignDescent(0.01), 1, np.sign)],
    ids=["descent", "sign"],
)
def test_a_rescaled_network_is_the_original_with_other_steps(optimizer, power, direction):
    """c^-power times as large in the first layer, c^power times as large in the last: written out."""
    net = TwoLayerNet(16)
    study = rescaling_study(X, Y, (0.5, 2.0), network=net, optimizers={"it": optimizer}, steps=25)
    params = net.init(4, 0)

    def outputs(c):
        W, v, path = params["W0"].copy(), params["W1"][0].copy(), []
        eta = optimizer.learning_rate
        for _ in range(26):
            z = X @ W.T
            path.append(np.maximum(z, 0) @ v / 4)
            error = path[-1] - path[0] - Y
            G = ((z > 0) * v * error[:, None]).T @ X / 4
            g = np.maximum(z, 0).T @ error / 4
            W = W - eta * c**-power * direction(G)
            v = v - eta * c**power * direction(g)
        return np.array(path)

    for row, c in enumerate((0.5, 1.0, 2.0)):
        apart = np.abs(outputs(c) - outputs(1.0)).max(axis=1) / np.sqrt(np.mean(Y**2))
        np.testing.assert_allclose(study.differences[row], apart, atol=1e-9)
        assert study.difference[row] == study.differences[row].max()
        losses = ((outputs(c) - outputs(1.0)[0] - Y) ** 2).sum(axis=1) / (Y**2).sum()
        np.testing.assert_allclose(study.losses[row], losses, rtol=1e-9)


def test_steps_chosen_by_the_study_are_stable(study):
    assert study.optimizers == ("gradient descent", "Adam", "sign descent", "orthogonalised")
    assert np.isfinite(study.losses).all()
    assert np.all(study.loss < 1)
    descent = study.optimizer == "gradient descent"
    assert np.all(np.diff(study.losses[descent], axis=1) < 0)
    net = TwoLayerNet(16)
    curvatures = [np.linalg.eigvalsh(net.ntk(rescale(net, net.init(4, 1), c), X))[-1] for c in (0.5, 1, 4)]
    assert study.learning_rate["gradient descent"] == pytest.approx(1 / max(curvatures), rel=1e-3)


def test_divergence_is_infinite(axes, tmp_path):
    optimizers = {"descent": GradientDescent(0.5), "scheduled": Adam(lambda k: 0.01 / (k + 1))}
    study = rescaling_study(X, Y, (100.0,), network=TwoLayerNet(16), optimizers=optimizers, steps=10)
    assert study.factor.tolist() == [1, 100, 1, 100]
    assert study.difference[1] == study.losses[1, -1] == np.inf
    assert study.loss[0] < 1
    assert np.isnan(study.learning_rate["scheduled"])
    study.plot(axes)
    axes.clear()
    study.plot(axes, picture="rescaled-descent")
    assert any("diverges" in text.get_text() for text in axes.get_legend().get_texts())
    study.save(tmp_path)


def test_schedules_are_told_by_their_values(tmp_path, monkeypatch):
    """Of a function neither name nor address says what it is, in this process or the next."""

    def run(schedule):
        return rescaling_study(
            X,
            Y,
            (2.0,),
            network=TwoLayerNet(16),
            optimizers={"it": Momentum(schedule)},
            steps=5,
            out=tmp_path,
        )

    def falling(k):
        return 0.01 / (k + 1)

    first = run(falling)
    with monkeypatch.context() as patch:
        patch.setattr(Momentum, "_rule", None)  # nothing is trained again
        assert run(lambda k: 0.01 / (k + 1)) == first
    for other in (lambda k: 0.02 / (k + 1), 0.01):
        with pytest.raises(ValueError, match="holds parts of another study"):
            run(other)
    falling.__code__ = (lambda k: 0.03).__code__  # the same address
    with pytest.raises(ValueError, match="holds parts of another study"):
        run(falling)
    with pytest.raises(TypeError, match=r"learning_rate\(0\)"):
        run(lambda k: None)


class Interrupted(GradientDescent):
    """Ctrl-C in the third step."""

    def _rule(self, k):
        if k == 2:
            raise KeyboardInterrupt
        return super()._rule(k)


def test_an_interruption_is_no_divergence(tmp_path):
    X, y = np.eye(4), np.arange(4.0)
    with pytest.raises(KeyboardInterrupt):
        rescaling_study(X, y, [0.5], optimizers={"gd": Interrupted(0.01)}, steps=5, out=tmp_path)
    assert not list(tmp_path.rglob("*.npz"))


def test_the_result(study, tmp_path):
    assert isinstance(study, RescalingStudy)
    assert study == rescaling_study(X, Y, **SMALL, out=tmp_path)
    assert study != rescaling_study(X, Y, **{**SMALL, "random_state": 2})
    kept = sorted((tmp_path / PARTS).iterdir())
    assert len(kept) == 4
    kept[0].unlink()
    assert study == rescaling_study(X, Y, **SMALL, out=tmp_path)
    with pytest.raises(ValueError, match="factors"):
        rescaling_study(X, Y, **{**SMALL, "factors": (0.5,)}, out=tmp_path)
    files = {path.name for path in study.save(tmp_path).iterdir()}
    pictures = {"rescaled.png", "rescaled-gradient-descent.png", "rescaled-orthogonalised.png"}
    assert files > {"results.json", "results.csv"} | pictures
    assert "with steps times c^2 and c^-2 by 0" in str(study)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"network": TwoLayerNet(activation="tanh")}, ValueError, "not homogeneous"),
        ({"network": TwoLayerNet(activation="step")}, ValueError, "not homogeneous"),
        ({"factors": 2.0}, TypeError, "factors must be a sequence"),
        ({"factors": []}, ValueError, "factors is empty"),
        ({"factors": [0.0]}, ValueError, "each of factors must be finite and greater than 0"),
        ({"optimizers": {}}, ValueError, "optimizers is empty"),
        ({"optimizers": {"adam": 0.1}}, TypeError, r"optimizers\['adam'\] must be an optimiser"),
        ({"steps": 0}, ValueError, "steps must be at least 1"),
    ],
)
def test_what_cannot_be_studied(options, error, message):
    with pytest.raises(error, match=message):
        rescaling_study(X, Y, **options)
    with pytest.raises(ValueError, match="factor must be finite and greater than 0"):
        rescale(TwoLayerNet(4), TwoLayerNet(4).init(4, 0), -1.0)
    with pytest.raises(ValueError, match="outputs have no gradient on these rows"):
        rescaling_study(0 * X, Y, network=TwoLayerNet(4))


def test_pictures(study, axes):
    assert study.plot(axes) is axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels[:4] == list(study.optimizers)
    assert labels[4].startswith("with compensating steps: at most")
    line = next(line for line in axes.lines if line.get_label() == "Adam")
    np.testing.assert_array_equal(line.get_ydata(), study.difference[study.optimizer == "Adam"])
    axes.clear()
    study.plot(axes, picture="rescaled-sign-descent")
    assert "sign descent" in axes.get_title()
    line = next(line for line in axes.lines if line.get_label() == "c = 4")
    np.testing.assert_array_equal(line.get_ydata(), study.losses[study.optimizer == "sign descent"][2])
    with pytest.raises(ValueError, match=r"picture must be one of 'rescaled', .*; got 'rescaled-lion'"):
        study.plot(axes, picture="rescaled-lion")


def test_command(capsys):
    words = ["--factors", "0.5", "--width", "16", "--steps", "5", "--max-samples", "10", "--data", "wine"]
    assert main(["study", "rescaling", *words, "--format", "json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["table"]["factor"] == 4 * [0.5, 1.0]
    assert content["width"] == 16
    assert main(["study", "rescaling", "--activation", "erf"]) == 2
    assert "not homogeneous" in capsys.readouterr().err
