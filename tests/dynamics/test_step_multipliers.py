"""Steps against width: each optimiser's own multipliers, what they move, and where the best step is."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.linalg import polar

from ntklib import set_threads
from ntklib.dynamics import (
    USAM,
    Adam,
    AveragedMomentum,
    GradientDescent,
    HeavyBall,
    Momentum,
    Muon,
    Nesterov,
    Optimizer,
    Recording,
    SignDescent,
    train,
)
from ntklib.networks import MLP, TwoLayerNet
from tests import naive_networks as naive

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 4))
Y = np.sin(X[:, 0]) + X[:, 1] + 1
LEARNS = ("mup", "mean_field")

# by family, with step sizes that move outputs by a few tenths
OPTIMIZERS = {
    "gradient": [
        GradientDescent(0.02),
        Momentum(0.01, 0.5),
        Nesterov(0.01, 0.5),
        HeavyBall(0.01, 0.5),
        AveragedMomentum(0.01, 0.5, steps=5),
        USAM(0.02, rho=0.02),
        Muon(0.01, normalized=False),
    ],
    "entrywise": [Adam(0.05), Adam(0.1, epsilon=1.0), SignDescent(0.05)],
    "orthogonal": [Muon(0.1), Muon(0.1, newton_schulz=5)],
    "max_norm": [SignDescent(0.01, normalized=False)],
}
ALL = [(family, optimizer) for family, group in OPTIMIZERS.items() for optimizer in group]
every = pytest.mark.parametrize(("family", "optimizer"), ALL, ids=[repr(optimizer) for _, optimizer in ALL])


def network(widths, name):
    """Zero at the start, so that nothing but the width differs."""
    return MLP(widths, activation="tanh", parameterization=name, bias_std=0.5, symmetric=True)


# ---------------------------------------------------------------- the rules


def first_step(optimizer, gradients, multipliers, sizes):
    """What the first step adds to each array, from the definitions; gradients: a function of the arrays."""
    eta, found = optimizer.learning_rate, {}
    at = gradients(lambda name: 0.0)
    if isinstance(optimizer, USAM):
        at = gradients(lambda name: optimizer.rho * multipliers[name] * at[name])
    for name, g in at.items():
        if isinstance(optimizer, Adam):
            step = g / (np.abs(g) + optimizer.epsilon * sizes[name])
        elif isinstance(optimizer, SignDescent):
            step = np.sign(g) * (1 if optimizer.normalized else np.abs(g).sum())
        elif isinstance(optimizer, Muon):
            matrix = g.reshape(len(g), -1)
            thin = np.linalg.svd(matrix, full_matrices=False)
            step = polar(matrix)[0] * (1 if optimizer.normalized else thin[1].sum())
            step = step.reshape(g.shape)
        else:
            step = g * (1 + optimizer.momentum if type(optimizer) is Nesterov else 1)
        found[name] = -eta * multipliers[name] * step
    return found


@every
@pytest.mark.parametrize("name", ["ntk", "standard", *LEARNS])
@pytest.mark.parametrize("batch_size", [None, 5])
def test_a_step_is_the_table_times_the_definition(family, optimizer, name, batch_size):
    if getattr(optimizer, "newton_schulz", None):
        optimizer = replace(optimizer, newton_schulz=None)
    # fewer units than rows, so that the gradients have full rank
    net = MLP((3, 5, 4), activation="erf", parameterization=name, bias_std=0.5)
    start = net.init(4, 1)
    seen = []

    def gradients(away):
        at = start.replace(**{key: start[key] + away(key) for key in start.names})
        rows, scale = seen[0] if seen else (slice(None), 1.0)
        residual = net.apply(at, X[rows]) - Y[rows]
        return dict(net.unravel(start, scale * net.jacobian(at, X[rows]).T @ residual).items())

    if batch_size:
        from ntklib.dynamics import Minibatches

        batch = Minibatches(len(X), batch_size, random_state=0).batch(0)
        seen.append((batch.rows, len(X) / batch_size))
    history = train(
        net, X, Y, params=start, optimizer=optimizer, steps=1, batch_size=batch_size, random_state=0
    )
    table, sizes = naive.multipliers(net, family), naive.multipliers(net, "sizes")
    expected = first_step(optimizer, gradients, table, sizes)
    for key, change in expected.items():
        np.testing.assert_allclose(history.params[key] - start[key], change, rtol=1e-6, atol=1e-13)


def test_factors_multiply_those_of_the_model():
    net = TwoLayerNet(16, parameterization="mup")
    params = net.init(3, 0)
    state = SignDescent().start(params, model=net, multipliers={"W0": 3.0, "W1": 0.5})
    assert state.multipliers == {"W0": 3.0, "W1": 0.5 / 16}
    assert state.gradient_sizes == {"W0": 1 / 16, "W1": 1.0}
    assert state.copy().gradient_sizes == state.gradient_sizes
    assert SignDescent().start(params).gradient_sizes == {"W0": 1.0, "W1": 1.0}


@dataclass(frozen=True)
class Own(Optimizer):
    """A user's."""

    learning_rate: float = 0.1

    def _rule(self, k):
        def move(w, g, memory, multiplier):
            w -= self.learning_rate * multiplier * np.tanh(1e3 * g)

        return move


@dataclass(frozen=True)
class OwnFamily(Own):
    step_family = "entrywise"


@dataclass(frozen=True)
class Mistaken(Own):
    step_family = "adam"


def test_an_optimiser_of_ones_own():
    net = TwoLayerNet(16, parameterization="mup")
    params = net.init(3, 0)
    assert Own().step_powers == (1, 0)
    assert OwnFamily().step_powers == (0, 0)
    assert Own().start(params, model=net).multipliers == net.step_multipliers
    assert OwnFamily().start(params, model=net).multipliers == {"W0": 1.0, "W1": 1 / 16}
    with pytest.raises(ValueError, match="step_family must be one of"):
        train(net, np.eye(3), np.ones(3), params=params, optimizer=Mistaken(), steps=1)


def test_the_stable_step_is_that_of_steps_like_the_gradient():
    @dataclass(frozen=True)
    class Rounded(GradientDescent):
        step_family = "entrywise"

    with pytest.raises(ValueError, match="Rounded needs a number"):
        train(TwoLayerNet(4), np.eye(3), np.ones(3), optimizer=Rounded(), learning_rate="auto", steps=1)


# ---------------------------------------------------------------- what they move


def passes(net, params):
    """Inputs and outputs of each layer of the first copy."""
    inputs, outputs = [X], []
    for layer, factors in enumerate(naive.factors(net, 4)):
        forward = factors["weight"] * inputs[-1] @ params[f"W{layer}"].T
        outputs.append(forward + factors["bias"] * params[f"b{layer}"])
        inputs.append(np.tanh(outputs[-1]))
    return inputs, outputs


def movement(optimizer, widths, name, seed):
    """What three steps change: each layer's outputs, its weights' and its biases' part in them, and f."""
    net = network(widths, name)
    start = net.init(4, seed, dtype=np.float32)
    options = {"steps": 3, "record": Recording(every=3, gradient_norms=False)}
    history = train(net, X, Y, params=start, optimizer=optimizer, **options)
    assert history.status == "finished"
    end, found = history.params, {"f": history.outputs[-1] - history.outputs[0]}
    (_, before), (inputs, after) = passes(net, start), passes(net, end)
    for layer, factors in enumerate(naive.factors(net, 4)):
        moved = {kind: end[f"{kind}{layer}"] - start[f"{kind}{layer}"] for kind in "Wb"}
        found[f"W{layer}"] = factors["weight"] * inputs[layer] @ moved["W"].T
        found[f"b{layer}"] = factors["bias"] * moved["b"]
        found[f"h{layer}"] = after[layer] - before[layer]
    return {key: np.sqrt(np.mean(np.square(change, dtype=float))) for key, change in found.items()}


def exponents(optimizer, shapes, name):
    """Power of the width in each movement, its standard error over seeds, and the size at the largest."""
    x = np.log([widths[0] for widths in shapes])
    x = (x - x.mean()) / np.sum((x - x.mean()) ** 2)
    # narrow networks differ more from each other
    runs = [
        [movement(optimizer, widths, name, seed) for seed in range(max(3, 1024 // widths[0]))]
        for widths in shapes
    ]
    found = {}
    for key in runs[0][0]:
        logs = [np.log([one[key] for one in row]) for row in runs]
        errors = np.array([row.std(ddof=1) / np.sqrt(len(row)) for row in logs])
        power = x @ [row.mean() for row in logs]
        found[key] = power, np.sqrt(np.sum((x * errors) ** 2)), np.exp(logs[-1].mean())
    return found


def check_movements(found):
    for key, (power, error, size) in found.items():
        assert abs(power) < 0.12, (key, power, error)
        assert error < 0.06, (key, power, error)
        assert 0.003 < size < 3, (key, size)


@every
@pytest.mark.parametrize("name", LEARNS)
def test_every_layer_moves_by_the_order_of_one(family, optimizer, name):
    check_movements(exponents(optimizer, [(64,), (512,), (4096,)], name))


DEEP = [
    GradientDescent(0.02),
    USAM(0.02, rho=0.01),
    Adam(0.1, epsilon=1.0),
    SignDescent(0.05),
    SignDescent(0.01, normalized=False),
]


@pytest.mark.parametrize("optimizer", DEEP, ids=repr)
@pytest.mark.parametrize("name", LEARNS)
def test_layers_of_deep_networks_move_alike(optimizer, name):
    check_movements(exponents(optimizer, [(64, 96, 64), (384, 512, 384)], name))


@pytest.mark.parametrize("normalized", [True, False])
@pytest.mark.parametrize("name", LEARNS)
def test_orthogonalised_steps_in_deep_networks(normalized, name):
    """Not as wide: singular value decompositions take long."""
    optimizer = Muon(0.1 if normalized else 0.01, normalized=normalized)
    with set_threads(1):
        check_movements(exponents(optimizer, [(32, 48), (192, 288)], name))


@pytest.mark.parametrize("name", LEARNS)
def test_the_multipliers_of_gradient_descent_are_wrong_for_adam(name):
    """With another family's multipliers layers move with powers of the width."""

    @dataclass(frozen=True)
    class Borrowed(Adam):
        step_family = "gradient"

    found = exponents(Borrowed(1e-4), [(64,), (512,), (4096,)], name)
    assert found["W0"][0] > 0.8


# ---------------------------------------------------------------- where the best step is

BEST = [
    (GradientDescent(), LEARNS),
    (USAM(rho=0.01), ("mup",)),
    (Adam(), LEARNS),
    (Adam(epsilon=1.0), ("mean_field",)),
    (SignDescent(), ("mup",)),
    (SignDescent(normalized=False), ("mean_field",)),
    (Muon(), LEARNS),
    (Muon(normalized=False), ("mup",)),
]


@pytest.mark.parametrize(("optimizer", "name"), [(one, name) for one, names in BEST for name in names])
def test_the_best_step_stays(optimizer, name):
    """Among powers of two, at most one of them apart at widths from 64 to 1024."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 5))
    y = np.sin(X[:, 0]) + X[:, 1] ** 2 - 1

    def best_power(width, powers):
        net = TwoLayerNet(width, parameterization=name)
        start, losses = net.init(5, 0), []
        for power in powers:
            history = train(
                net, X, y, params=start, optimizer=optimizer, learning_rate=2.0**power, steps=20,
                record=Recording(every=20, gradient_norms=False),
            )  # fmt: skip
            losses.append(history.loss[-1] if history.status == "finished" else np.inf)
        return powers[int(np.argmin(losses))]

    # all powers at the cheapest width; by the others' steps the best would leave the window
    best = [best_power(64, range(-18, 1))]
    best += [best_power(width, range(best[0] - 3, best[0] + 4)) for width in (256, 1024)]
    assert -18 < best[0] < 0, best
    assert max(best) - min(best) <= 1, best
