"""Step multipliers against the printed table, entry by entry."""

import pytest
from sklearn.base import clone

from ntklib.networks import MLP, TwoLayerNet, linearize
from tests import naive_networks as naive

FAMILIES = ("gradient", "entrywise", "orthogonal", "max_norm")
NETWORKS = [
    TwoLayerNet(7, bias_std=0.5),
    TwoLayerNet(6, symmetric=True, n_outputs=3),
    MLP((7, 5, 11), bias_std=0.1),
    MLP((100, 30), weight_std=2.0, scale=3.0, input_scaling="fan_in", activation="gelu"),
]
each = pytest.mark.parametrize("net", NETWORKS, ids=str)


@each
@pytest.mark.parametrize("name", ["ntk", "standard", "mean_field", "mup"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_table(net, name, family):
    net = clone(net).set_params(parameterization=name)
    table = naive.multipliers(net, family)
    expected = {
        array: pytest.approx(table[array.removeprefix("mirror_")], rel=1e-14)
        for array in net.init(3, 0).names
    }
    assert net.multipliers_for(family) == expected
    assert linearize(net, net.init(3, 0)).multipliers_for(family) == expected


@each
@pytest.mark.parametrize("name", ["ntk", "standard", "mean_field", "mup"])
def test_sizes_of_gradients(net, name):
    net = clone(net).set_params(parameterization=name)
    table = naive.multipliers(net, "sizes")
    assert net.gradient_sizes == {
        array: pytest.approx(table[array.removeprefix("mirror_")], rel=1e-14)
        for array in net.init(3, 0).names
    }


def test_whole_multipliers_are_whole():
    net = MLP((300, 77, 1001), parameterization="mean_field")
    assert set(net.multipliers_for("gradient").values()) == {1001.0}
    assert net.multipliers_for("entrywise")["W3"] == 1.0
    assert MLP((70, 700), parameterization="mup").step_multipliers == {"W0": 700.0, "W1": 10.0, "W2": 1 / 700}


def test_an_unknown_family_is_refused():
    with pytest.raises(ValueError, match="step_family must be one of 'gradient', 'entrywise', 'orthogonal'"):
        TwoLayerNet(4).multipliers_for("signs")
