"""Slow, readable twins of the finite-width networks: one neuron at a time, the chain rule number by number.

Nothing is vectorised over neurons, layers or samples, nothing is propagated backwards and no tangent kernel
is contracted: a `Jet` is a number that knows its gradient (and Hessian) in every trained parameter, outputs
are computed with jets, the Jacobian is read off them, and the kernel is J J^T.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tests.naive import layers

Function = Callable[[Any], Any]


class Jet:
    """A number with its gradient and, if it is carried along, its Hessian."""

    def __init__(self, value: float, slope: np.ndarray, bend: np.ndarray | None = None) -> None:
        self.value, self.slope, self.bend = value, slope, bend

    def __add__(self, other: Jet) -> Jet:
        bend = None if self.bend is None else self.bend + other.bend
        return Jet(self.value + other.value, self.slope + other.slope, bend)

    def times(self, number: float) -> Jet:
        """A constant multiple."""
        bend = None if self.bend is None else number * self.bend
        return Jet(number * self.value, number * self.slope, bend)

    def __mul__(self, other: Jet) -> Jet:
        """The product rule, twice."""
        bend = None
        if self.bend is not None:
            cross = np.outer(self.slope, other.slope)
            bend = self.bend * other.value + self.value * other.bend + cross + cross.T
        slope = self.slope * other.value + self.value * other.slope
        return Jet(self.value * other.value, slope, bend)

    def through(self, activation: Any) -> Jet:
        """The chain rule, twice, for sigma of this number."""
        z = np.array([self.value])
        value, first = float(activation(z)[0]), float(activation.derivative(z)[0])
        bend = None
        if self.bend is not None:
            second = float(activation.second_derivative(z)[0])
            bend = first * self.bend + second * np.outer(self.slope, self.slope)
        return Jet(value, first * self.slope, bend)


def factors(net: Any, n_features: int) -> list[dict[str, float]]:
    """Of each layer, what multiplies its weights and biases, and the spread that they are drawn with."""
    widths = [n_features, *hidden_widths(net)]
    out = []
    for layer, fan_in in enumerate(widths):
        first, last = layer == 0, layer == len(widths) - 1
        if first:
            gain = net.weight_std / (math.sqrt(n_features) if net.input_scaling == "fan_in" else 1.0)
        else:
            gain = net.weight_std / math.sqrt(fan_in)
        if last and net.parameterization in ("mean_field", "mup"):
            gain = net.weight_std / fan_in
        if net.parameterization in ("ntk", "mean_field"):
            out.append({"weight": gain, "bias": net.bias_std, "weight_sd": 1.0, "bias_sd": 1.0})
        else:
            out.append({"weight": 1.0, "bias": 1.0, "weight_sd": gain, "bias_sd": net.bias_std})
    return out


STEPS: dict[tuple[str, str], Any] = {
    # for m, the last width, and a layer's own fan-in and fan-out: W_0, a hidden bias, a hidden W_l, W_L
    ("mup", "gradient"): lambda m, i, o: (m, m, m / i, 1 / m),
    ("mup", "entrywise"): lambda m, i, o: (1, 1, 1 / i, 1 / m),
    ("mup", "orthogonal"): lambda m, i, o: (o**0.5, o**0.5, (o / i) ** 0.5, m**-0.5),
    ("mup", "max_norm"): lambda m, i, o: (m / o, m / o, m / (i * i * o), m**-2),
    ("mean_field", "gradient"): lambda m, i, o: (m, m, m, m),
    ("mean_field", "entrywise"): lambda m, i, o: (1, 1, i**-0.5, 1),
    ("mean_field", "orthogonal"): lambda m, i, o: (o**0.5, o**0.5, o**0.5, m**0.5),
    ("mean_field", "max_norm"): lambda m, i, o: (m / o, m / o, m / (i * o), 1),
    # sizes of the entries of gradients
    ("mup", "sizes"): lambda m, i, o: (1 / m, 1 / m, 1 / m, 1),
    ("mean_field", "sizes"): lambda m, i, o: (1 / m, 1 / m, i**-0.5 / m, 1 / m),
}


def multipliers(net: Any, family: str = "gradient") -> dict[str, float]:
    """The step multiplier of each array of one copy, from the printed table."""
    widths = hidden_widths(net)
    depth, last = len(widths), widths[-1]
    table = STEPS.get((net.parameterization, family), lambda m, i, o: (1, 1, 1, 1))
    out = {f"b{depth}": 1.0}
    for layer in range(depth + 1):
        fan_in = widths[layer - 1] if layer else 1
        first, bias, hidden, top = table(last, fan_in, widths[layer] if layer < depth else 1)
        out[f"W{layer}"] = float(first if layer == 0 else top if layer == depth else hidden)
        out.setdefault(f"b{layer}", float(bias))
    return out


def hidden_widths(net: Any) -> list[int]:
    """Widths of the hidden layers, from the constructor's parameters alone."""
    parameters = net.get_params(deep=False)
    return list(parameters["widths"]) if "widths" in parameters else [parameters["width"]]


def trained_arrays(net: Any, params: Any) -> list[str]:
    """Names of the trained arrays in the order of the Jacobian's columns."""
    chosen = layers(net.trainable, len(hidden_widths(net)))
    prefixes = ("", "mirror_") if net.symmetric else ("",)
    names = [f"{prefix}{kind}{layer}" for prefix in prefixes for layer in sorted(chosen) for kind in "Wb"]
    return [name for name in names if name in params.names]


def one_copy(
    net: Any, number: Callable[[str, tuple[int, ...]], Any], x: list[Any], function: Function, prefix: str
) -> list[Any]:
    """Outputs of one copy on one row; ``number(array, index)`` gives a parameter, None if there is none."""
    widths = [*hidden_widths(net), net.n_outputs]
    below = list(x)
    for layer, (width, factor) in enumerate(zip(widths, factors(net, len(x)), strict=True)):
        units = []
        for unit in range(width):
            terms = []
            for j, signal in enumerate(below):
                terms.append(_scaled(number(f"{prefix}W{layer}", (unit, j)) * signal, factor["weight"]))
            bias = number(f"{prefix}b{layer}", (unit,))
            if bias is not None:
                terms.append(_scaled(bias, factor["bias"]))
            total = terms[0]
            for term in terms[1:]:
                total = total + term
            units.append(total)
        below = units if layer == len(widths) - 1 else [function(unit) for unit in units]
    return [_scaled(unit, net.scale) for unit in below]


def _scaled(number: Any, factor: float) -> Any:
    return number.times(factor) if isinstance(number, Jet) else number * factor


def model(net: Any, number: Any, x: list[Any], function: Function) -> list[Any]:
    """Outputs of the whole network on one row: one copy, or the difference of two over sqrt(2)."""
    outputs = one_copy(net, number, x, function, "")
    if not net.symmetric:
        return outputs
    mirror = one_copy(net, number, x, function, "mirror_")
    half = math.sqrt(0.5)
    return [_scaled(a, half) + _scaled(b, -half) for a, b in zip(outputs, mirror, strict=True)]


def outputs(net: Any, arrays: Mapping[str, Any], X: Any, function: Function | None = None) -> np.ndarray:
    """Outputs (n, n_outputs) by plain arithmetic: floats, complex numbers or mpmath numbers alike.

    ``arrays`` maps names to nested sequences; ``function`` is the activation on one such number.
    """
    if function is None:
        activation = activation_of(net)

        def function(z: Any) -> Any:
            return float(activation(np.array([z]))[0])

    def number(name: str, index: tuple[int, ...]) -> Any:
        if name not in arrays:
            return None
        entry = arrays[name]
        for i in index:
            entry = entry[i]
        return entry

    return np.array([model(net, number, list(x), function) for x in X])


def activation_of(net: Any) -> Any:
    """The activation object, whose elementwise values have tests of their own."""
    from ntklib.kernels import NTK

    return NTK(activation=net.activation)._architecture().activation


def jets(net: Any, params: Any, X: np.ndarray, *, order: int = 1) -> list[list[Jet]]:
    """Outputs as jets in the trained parameters, one list of ``n_outputs`` a row."""
    trained = trained_arrays(net, params)
    place: dict[tuple[str, tuple[int, ...]], int] = {}
    for name in trained:
        for index in np.ndindex(np.shape(params[name])):
            place[name, index] = len(place)
    p = len(place)
    zero, flat = np.zeros(p), np.zeros((p, p)) if order == 2 else None
    activation, present = activation_of(net), set(params.names)

    def number(name: str, index: tuple[int, ...]) -> Jet | None:
        if name not in present:
            return None
        slope = zero
        if (name, index) in place:
            slope = zero.copy()
            slope[place[name, index]] = 1.0
        return Jet(float(params[name][index]), slope, flat)

    rows = [[Jet(float(v), zero, flat) for v in x] for x in np.asarray(X)]
    return [model(net, number, row, lambda z: z.through(activation)) for row in rows]


def jacobian(net: Any, params: Any, X: np.ndarray) -> np.ndarray:
    """The Jacobian (n, n_outputs, p)."""
    return np.array([[unit.slope for unit in row] for row in jets(net, params, X)])


def hessian(net: Any, params: Any, X: np.ndarray) -> np.ndarray:
    """The second derivatives (n, n_outputs, p, p)."""
    return np.array([[unit.bend for unit in row] for row in jets(net, params, X, order=2)])


def column_layers(net: Any, params: Any) -> np.ndarray:
    """The layer that each column of the Jacobian belongs to."""
    names = trained_arrays(net, params)
    return np.concatenate([np.full(np.size(params[name]), int(name[-1])) for name in names])


def column_multipliers(net: Any, params: Any) -> np.ndarray:
    """The step multiplier of each column of the Jacobian."""
    table = multipliers(net)
    names = trained_arrays(net, params)
    return np.concatenate([np.full(np.size(params[n]), table[n.removeprefix("mirror_")]) for n in names])


def ntk(J: np.ndarray, J_other: np.ndarray | None = None) -> np.ndarray:
    """All blocks (n, k, m, k) of J J^T."""
    J_other = J if J_other is None else J_other
    return np.einsum("iap,jbp->iajb", J, J_other)
