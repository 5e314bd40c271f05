"""Networks as descriptions: equal by what they say, and clear about what they were given by mistake."""

import numpy as np
import pytest

from ntklib.kernels import ReLU
from ntklib.networks import MLP, Params, TwoLayerNet, linearize, taylor

X = np.eye(3)


def test_equal_by_what_they_say():
    net = MLP((3, 4))
    for same in (MLP([3, 4]), MLP(np.array([3, 4])), MLP((3, 4), activation=ReLU(), trainable=(0, 1, 2))):
        assert same == net
        assert hash(same) == hash(net)
    for other in (MLP((4, 3)), MLP((3, 4), scale=2.0), TwoLayerNet(3), None, "MLP"):
        assert other != net


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
    monkeypatch.setattr("ntklib._core.blocks.available_memory", lambda: 10)
    with pytest.raises(MemoryError, match=r"3 x 3 float64 tangent kernel.*ntk_matvec"):
        net.ntk(params, X)
    with pytest.raises(MemoryError, match="2 x 3 x 3 float64"):
        net.ntk_layers(params, X)
