"""Wrong input to networks gets an error that says which and what to do."""

import numpy as np
import pytest
from sklearn.base import clone

from ntklib.networks import MLP, Params, TwoLayerNet

GOOD = np.ones((2, 3))
NETWORKS = [TwoLayerNet(4), MLP((4, 3), bias_std=0.1), TwoLayerNet(4, symmetric=True, n_outputs=2)]
EVERY = pytest.mark.parametrize("net", NETWORKS, ids=repr)


def uses(net):
    """Everything that takes parameters and rows."""
    k, p = net.n_outputs, net.n_params(3)
    c, u = np.ones(2 if k == 1 else (2, k)), np.ones(p)
    return {
        "apply": lambda params, X: net.apply(params, X),
        "jacobian": lambda params, X: net.jacobian(params, X),
        "jvp": lambda params, X: net.jvp(params, X, u),
        "vjp": lambda params, X: net.vjp(params, X, c),
        "hvp": lambda params, X: net.hvp(params, X, c, u),
        "second_derivative": lambda params, X: net.second_derivative(params, X, u, u),
        "ntk": lambda params, X: net.ntk(params, X),
        "ntk (cross)": lambda params, X: net.ntk(params, GOOD, X),
        "ntk_diag": lambda params, X: net.ntk_diag(params, X),
        "ntk_matvec": lambda params, X: net.ntk_matvec(params, X, np.ones(2)),
        "ntk_layers": lambda params, X: net.ntk_layers(params, X),
        "nngp": lambda params, X: net.nngp(params, X),
    }


@EVERY
@pytest.mark.parametrize("use", list(uses(NETWORKS[0])))
def test_rows(net, use):
    params, call = net.init(3, 0), uses(net)[use]
    for X, message in (
        (np.full((2, 3), np.nan), "NaN"),
        (np.array([[1.0, np.inf, 0]]), "inf"),
        (np.ones((0, 3)), "sample"),
        (np.ones(3), "2D|1D"),
        (np.ones((2, 2, 3)), "dim"),
        (np.ones((2, 4)), r"4 features.*3|3 features.*4"),
        (np.array([[1j, 0, 0]]), "[Cc]omplex"),
        ([["a", "b", "c"]], "convert|numeric"),
    ):
        with pytest.raises(ValueError, match=message):
            call(params, X)


@EVERY
@pytest.mark.parametrize("use", list(uses(NETWORKS[0])))
def test_parameters_of_another_network(net, use):
    call, options = uses(net)[use], net.get_params()
    options.pop("width", None)
    options.pop("widths", None)
    wider = TwoLayerNet(6, **options) if isinstance(net, TwoLayerNet) else MLP((6, 3), **options)
    with pytest.raises(ValueError, match=r"W0.*\(6, 3\).*\(4, 3\)"):
        call(wider.init(3, 0), GOOD)
    params = net.init(3, 0)
    outer = Params({name: array for name, array in params.items() if name != "W1"})
    with pytest.raises(ValueError, match="W1"):
        call(outer, GOOD)
    surplus = Params(dict(params.items()) | {"W7": np.ones((2, 2))})
    with pytest.raises(ValueError, match="W7"):
        call(surplus, GOOD)
    for wrong in (None, [1.0, 2.0], dict(params.items()), net.ravel(params)):
        with pytest.raises(TypeError, match=r"params.*init"):
            call(wrong, GOOD)


def test_which_array_does_not_fit():
    net = MLP((4, 3), bias_std=0.1)
    params = net.init(3, 0)
    for name, shape in (("W1", (3, 5)), ("b1", (4,)), ("W2", (2, 3)), ("b0", (4, 1))):
        wrong = Params(dict(params.items()) | {name: np.ones(shape)})
        sizes = str(shape).replace("(", r"\(").replace(")", r"\)")
        with pytest.raises(ValueError, match=f"{name}.*{sizes}"):
            net.apply(wrong, GOOD)
    with pytest.raises(ValueError, match="b0"):
        net.apply(MLP((4, 3)).init(3, 0), GOOD)
    with pytest.raises(ValueError, match="b0"):
        MLP((4, 3)).apply(params, GOOD)
    with pytest.raises(ValueError, match="mirror_W0"):
        TwoLayerNet(4, symmetric=True).apply(TwoLayerNet(4).init(3, 0), GOOD)
    with pytest.raises(ValueError, match="mirror_W0"):
        TwoLayerNet(4).apply(TwoLayerNet(4, symmetric=True).init(3, 0), GOOD)


@EVERY
def test_vectors(net):
    params, k, p = net.init(3, 0), net.n_outputs, net.n_params(3)
    c, u = np.ones(2 if k == 1 else (2, k)), np.ones(p)
    for bad, message in ((np.ones(p + 1), f"{p}"), (np.ones((p, 1)), f"{p}"), (u * np.nan, "NaN")):
        for call in (
            lambda v: net.jvp(params, GOOD, v),
            lambda v: net.hvp(params, GOOD, c, v),
            lambda v: net.second_derivative(params, GOOD, u, v),
            lambda v: net.second_derivative(params, GOOD, v, u),
            lambda v: net.unravel(params, v),
        ):
            with pytest.raises(ValueError, match=message):
                call(bad)
    for bad in (np.ones((3, k)), np.ones((2, k + 1)), np.ones((2, 1, 1)), c * np.inf):
        with pytest.raises(ValueError, match="cotangent"):
            net.vjp(params, GOOD, bad)
        with pytest.raises(ValueError, match="cotangent"):
            net.hvp(params, GOOD, bad, u)
    with pytest.raises(ValueError, match=r"3|2"):
        net.ntk_matvec(params, GOOD, np.ones(3))
    with pytest.raises(ValueError, match="NaN"):
        net.ntk_matvec(params, GOOD, c * np.nan)


@pytest.mark.parametrize(
    "options",
    [
        {"width": 0},
        {"width": -3},
        {"width": 2.5},
        {"width": "wide"},
        {"width": True},
        {"widths": ()},
        {"widths": (3, 0)},
        {"widths": (3, 2.5)},
        {"widths": 3},
        {"widths": "33"},
        {"activation": "reluu"},
        {"activation": max},
        {"parameterization": "lecun"},
        {"parameterization": None},
        {"trainable": "none"},
        {"trainable": ()},
        {"trainable": (2,)},
        {"trainable": (0, 0)},
        {"trainable": 1},
        {"weight_std": 0.0},
        {"weight_std": -1.0},
        {"weight_std": np.nan},
        {"bias_std": -0.1},
        {"bias_std": np.inf},
        {"input_scaling": "fan_out"},
        {"symmetric": "yes"},
        {"output_init": "uniform"},
        {"n_outputs": 0},
        {"n_outputs": 1.5},
        {"scale": 0.0},
        {"scale": np.nan},
        {"scale": "big"},
    ],
    ids=repr,
)
def test_options(options):
    """Refused where they are used, as everywhere in scikit-learn, by name and with what was given."""
    ((name, value),) = options.items()
    net = MLP(**{"widths": (3,)} | options) if name == "widths" else TwoLayerNet(**{"width": 3} | options)
    good = TwoLayerNet(3)
    for call in (
        lambda: net.init(3, 0),
        lambda: net.apply(good.init(3, 0), GOOD),
        lambda: net.ntk(good.init(3, 0), GOOD),
        lambda: net.limit_kernel(),
        lambda: net.n_params(3),
        lambda: net.depth,
    ):
        with pytest.raises((ValueError, TypeError), match="width" if name == "widths" else name):
            call()
    assert name in repr(net) or value == ()


@pytest.mark.parametrize("n_features", [0, -1, 2.0, None, "3"])
def test_number_of_features(n_features):
    with pytest.raises((ValueError, TypeError), match="n_features"):
        TwoLayerNet(3).init(n_features, 0)
    with pytest.raises((ValueError, TypeError), match="n_features"):
        TwoLayerNet(3).n_params(n_features)


def test_initialisation():
    for dtype in (np.float16, int, complex):
        with pytest.raises(ValueError, match="float32"):
            TwoLayerNet(3).init(2, 0, dtype=dtype)
    for seed in ("a", -1, 1.5):
        with pytest.raises((ValueError, TypeError)):
            TwoLayerNet(3).init(2, seed)


def test_forms_of_the_kernel():
    net = TwoLayerNet(3)
    params = net.init(3, 0)
    with pytest.raises(ValueError, match=r"output.*trace"):
        net.ntk(params, GOOD, output="sum")
    with pytest.raises(ValueError, match=r"2.*3|3.*2"):
        net.ntk(params, GOOD, np.ones((2, 2)))


def test_too_large_a_jacobian_or_kernel_is_refused_before_it_is_allocated():
    net = TwoLayerNet(2)
    X = np.broadcast_to(np.ones((1, 1), np.float32), (3_000_000, 1))
    params = net.init(1, 0, dtype=np.float32)
    with pytest.raises(MemoryError, match="GiB"):
        net.ntk(params, X)
    wide = TwoLayerNet(20_000)
    with pytest.raises(MemoryError, match=r"Jacobian.*GiB"):
        wide.jacobian(wide.init(1, 0, dtype=np.float32), X)


@EVERY
def test_networks_are_estimators(net):
    """Parameters in and out, clones, comparison, a repr that says what differs from the defaults."""
    assert clone(net) == net
    assert clone(net) is not net
    assert type(net)(**net.get_params()) == net
    other = clone(net).set_params(weight_std=3.0)
    assert other != net
    assert net != 3
    assert "weight_std=3.0" in repr(other)
    assert hash(clone(net)) == hash(net)
    assert eval(repr(net), {"MLP": MLP, "TwoLayerNet": TwoLayerNet}) == net
    with pytest.raises(ValueError, match="wdith"):
        net.set_params(wdith=3)


def test_public_names():
    import ntklib
    from ntklib import networks

    for name in ("MLP", "TwoLayerNet", "EmpiricalNTK", "linearize", "taylor", "Params"):
        assert name in networks.__all__
    assert ntklib.EmpiricalNTK is networks.EmpiricalNTK
    assert ntklib.networks is networks


def test_parameters_that_cannot_fit_are_refused_before_they_are_drawn():
    with pytest.raises(MemoryError, match=r"1,000,000,000,000 x 3 float64 array W0 .* take fewer units"):
        TwoLayerNet(10**12).init(3)
