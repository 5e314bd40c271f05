"""Networks as descriptions: equal by what they say, and clear about what they were given by mistake."""

import json
import subprocess
import sys

import numpy as np
import pytest

from ntklib.kernels import ABReLU, Activation, Erf, Hermite, NumericalActivation, ReLU
from ntklib.networks import MLP, Params, TwoLayerNet, linearize, taylor

X = np.eye(3)


def test_equal_by_what_they_say():
    net = MLP((3, 4))
    for same in (MLP([3, 4]), MLP(np.array([3, 4])), MLP((3, 4), activation=ReLU(), trainable=(0, 1, 2))):
        assert same == net
        assert hash(same) == hash(net)
    for other in (MLP((4, 3)), MLP((3, 4), scale=2.0), TwoLayerNet(3), None, "MLP"):
        assert other != net


def test_options_are_checked_each_time_they_change():
    """What was found sound is remembered; numbers that are equal but of another type are not the same."""
    net = TwoLayerNet(1, n_outputs=1)
    assert net.spec is TwoLayerNet(1, n_outputs=1).spec
    for wrong in ({"n_outputs": 1.0}, {"n_outputs": True}, {"width": True}, {"width": 1.0}, {"symmetric": 0}):
        with pytest.raises(TypeError):
            _ = TwoLayerNet(**{"width": 1, "n_outputs": 1, **wrong}).spec
    net.set_params(width=5, activation="erf")
    assert net.spec.widths == (5,)
    assert net.spec.activation == Erf()
    widths = [3, 4]
    deep = MLP(widths)
    assert deep.spec.widths == (3, 4)
    widths[0] = 7
    assert deep.spec.widths == (7, 4)


def test_an_activation_that_cannot_be_hashed():
    class Shifted(Activation):
        __hash__ = None

        def __init__(self):
            self.shift = 1.0

        def __call__(self, z):
            return np.tanh(z) + self.shift

    sigma = Shifted()
    net = TwoLayerNet(4, activation=sigma)
    assert net.spec.activation is sigma
    params = net.init(3, 0)
    first = net.nngp(params, X)
    sigma.shift = 2.0
    assert np.all(net.nngp(params, X) != first)


@pytest.mark.parametrize("net", [MLP((3, 4), scale=2.0), MLP([3, 4], activation="erf", trainable="output")])
def test_with_width(net):
    wide = net.with_width(7)
    assert wide.hidden_widths == (7, 7)
    assert wide == type(net)(**{**net.get_params(), "widths": (7, 7)})
    assert net.hidden_widths == (3, 4)
    assert TwoLayerNet(3, symmetric=True).with_width(np.int64(5)) == TwoLayerNet(5, symmetric=True)
    with pytest.raises(ValueError, match="width must be"):
        net.with_width(0)


NETS = [
    TwoLayerNet(3, trainable="hidden", output_init="rademacher"),
    MLP(np.array([3, 4]), activation=ABReLU(-0.5, 2.0), bias_std=np.float32(0.5), input_scaling="fan_in"),
    MLP((3, 4), activation=Hermite(3), parameterization="mup", n_outputs=2, scale=0.5),
]


@pytest.mark.parametrize("net", NETS, ids=repr)
def test_a_dictionary_tells_everything(net):
    options = json.loads(json.dumps(net.to_dict()))
    assert options == net.to_dict()
    assert options.pop("network") == type(net).__name__
    options |= {"activation": net.activation, "trainable": tuple(options["trainable"])}
    assert MLP(**options).spec == net.spec
    for other in (net.with_width(9), type(net)(**{**net.get_params(), "scale": 3.0})):
        assert other.to_dict() != net.to_dict()


def _of_functions(factor):
    return TwoLayerNet(3, activation=NumericalActivation(lambda z: factor * z, lambda z: factor + 0 * z))


def test_functions_are_told_apart_by_their_values():
    assert _of_functions(1).to_dict() == _of_functions(1).to_dict()
    assert _of_functions(1).to_dict() != _of_functions(2).to_dict()
    assert "lambda" in _of_functions(1).to_dict()["activation"]
    assert " at 0x" not in _of_functions(1).to_dict()["activation"]


def test_a_dictionary_is_the_same_in_another_process():
    code = (
        "import json; from ntklib import networks, kernels; TwoLayerNet = networks.TwoLayerNet; "
        "import numpy as np; sigma = kernels.NumericalActivation(np.arctan, lambda z: 1 / (1 + z * z));"
    )
    mine: dict = {}
    exec(code, mine)
    ask = "TwoLayerNet(3, activation=sigma).to_dict()"
    other = subprocess.run(
        [sys.executable, "-c", f"{code} print(json.dumps({ask}))"], capture_output=True, text=True, check=True
    )
    assert json.loads(other.stdout) == eval(ask, mine)


def test_numpy_truth_values():
    net = TwoLayerNet(4, symmetric=np.True_)
    assert net == TwoLayerNet(4, symmetric=True)
    assert "mirror_W0" in net.init(3, 0)


@pytest.mark.parametrize("shape", [(), (8,), (8, 3, 1)])
def test_weights_that_are_no_matrices(shape):
    params = Params({"W0": np.ones(shape), "W1": np.ones((1, 8))})
    with pytest.raises(ValueError, match="W0 has shape"):
        TwoLayerNet(8).apply(params, X)


def test_vectors_are_called_by_their_names():
    net = TwoLayerNet(8)
    params = net.init(3, 0)
    with pytest.raises(ValueError, match=r"vector has shape \(2,\)"):
        net.ntk_matvec(params, X, np.ones(2))
    with pytest.raises(ValueError, match="vector holds NaN"):
        net.ntk_matvec(params, X, np.full(3, np.nan))
    with pytest.raises(ValueError, match=r"cotangent has shape \(2,\)"):
        net.vjp(params, X, np.ones(2))


def test_what_is_no_model_and_no_mapping():
    params = TwoLayerNet(8).init(3, 0)
    for make in (linearize, taylor):
        with pytest.raises(TypeError, match="model must be a network"):
            make(X, params)
    with pytest.raises(TypeError, match="arrays must map names"):
        Params([X])


def test_a_kernel_that_cannot_fit(monkeypatch):
    net = TwoLayerNet(8)
    params = net.init(3, 0)
    monkeypatch.setattr("ntklib._core.blocks.available_memory", lambda: 300 * 300 * 8 - 1)
    rows = np.ones((300, 3))
    with pytest.raises(MemoryError, match=r"300 x 300 float64 tangent kernel.*ntk_matvec"):
        net.ntk(params, rows)
    with pytest.raises(MemoryError, match="2 x 300 x 300 float64"):
        net.ntk_layers(params, rows)
