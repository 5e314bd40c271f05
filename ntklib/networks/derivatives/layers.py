"""One copy of a network on one block of rows: outputs and their derivatives, layer by layer.

With a^0 = x and a^l = sigma(h^l), layer l computes h^{l+1} = w_l W^l a^l + b_l beta^l.  Directions in
parameter space are tuples of `Direction`, None where a layer is not trained.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ntklib.kernels.activations import Activation

__all__ = [
    "Copy",
    "Direction",
    "Layer",
    "curvature_product",
    "push_forward",
    "second_push",
    "signals",
    "trace",
]


@dataclass(frozen=True)
class Direction:
    """A change of the parameters of one layer, or a gradient with respect to them."""

    weight: np.ndarray
    bias: np.ndarray | None


@dataclass(frozen=True)
class Layer:
    """Parameters of one layer and the multipliers they enter with."""

    weight: np.ndarray
    bias: np.ndarray | None
    weight_multiplier: float
    bias_multiplier: float

    def __call__(self, a: np.ndarray) -> np.ndarray:
        """Return h = w W a + b beta for rows a."""
        h = self.linear(a, self.weight)
        if self.bias is not None:
            h += h.dtype.type(self.bias_multiplier) * self.bias
        return h

    def linear(self, a: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Return w ``weight`` a for rows a."""
        h = a @ weight.T
        if self.weight_multiplier != 1:
            h *= h.dtype.type(self.weight_multiplier)
        return h

    def back(self, g: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Return w ``weight``^T g for rows g: what reaches the layer's inputs."""
        back = g @ weight
        if self.weight_multiplier != 1:
            back *= back.dtype.type(self.weight_multiplier)
        return back

    def shifted(self, a: np.ndarray, direction: Direction | None) -> np.ndarray | float:
        """Return the change of h when the parameters move in a direction."""
        if direction is None:
            return 0.0
        h = self.linear(a, direction.weight)
        if direction.bias is not None:
            h += h.dtype.type(self.bias_multiplier) * direction.bias
        return h

    def gradient(self, pairs: list[tuple[np.ndarray, np.ndarray]], biases: np.ndarray) -> Direction:
        """Return sum of w g^T a over (g, a) pairs, and b times the sum of the rows of ``biases``."""
        weight = pairs[0][0].T @ pairs[0][1]
        for g, a in pairs[1:]:
            weight += g.T @ a
        weight *= weight.dtype.type(self.weight_multiplier)
        if self.bias is None:
            return Direction(weight, None)
        return Direction(weight, weight.dtype.type(self.bias_multiplier) * biases.sum(axis=0))


@dataclass(frozen=True)
class Copy:
    """The layers of one copy, its coefficient in the output, and which layers are trained."""

    layers: tuple[Layer, ...]
    activation: Activation
    coefficient: float
    include: tuple[bool, ...]


Directions = tuple[Direction | None, ...]


@dataclass(frozen=True)
class Trace:
    """Arrays of a forward pass: inputs of every layer, preactivations of the hidden ones, outputs."""

    inputs: list[np.ndarray]
    preactivations: list[np.ndarray]
    outputs: np.ndarray


def trace(copy: Copy, x: np.ndarray) -> Trace:
    """A forward pass that keeps what derivatives need."""
    inputs, preactivations = [x], []
    for layer in copy.layers[:-1]:
        preactivations.append(layer(inputs[-1]))
        inputs.append(copy.activation(preactivations[-1]))
    return Trace(inputs, preactivations, copy.layers[-1](inputs[-1]))


def push_forward(copy: Copy, x: np.ndarray, u: Directions) -> np.ndarray:
    """Df[u] (rows, k): the Jacobian times a direction."""
    a, moved = x, np.zeros((1, 1), x.dtype)
    for index, layer in enumerate(copy.layers):
        first = layer.shifted(a, u[index])
        if index:
            first = first + layer.linear(moved, layer.weight)
        if index == len(copy.layers) - 1:
            return np.broadcast_to(first, (len(x), len(layer.weight)))
        h = layer(a)
        a = copy.activation(h)
        moved = copy.activation.derivative(h) * first
    raise AssertionError  # pragma: no cover


def second_push(copy: Copy, x: np.ndarray, u: Directions, v: Directions) -> np.ndarray:
    """D^2 f[u, v] (rows, k): the second derivative in two directions."""
    shape = (len(x), len(copy.layers[0].weight))
    a, a_u, a_v, a_uv = x, *(np.zeros((len(x), x.shape[1]), x.dtype) for _ in range(3))
    for index, layer in enumerate(copy.layers):
        shape = (len(x), len(layer.weight))
        h_uv = layer.linear(a_uv, layer.weight)
        for direction, other in ((u[index], a_v), (v[index], a_u)):
            if direction is not None:
                h_uv += layer.linear(other, direction.weight)
        if index == len(copy.layers) - 1:
            return h_uv
        h_u = np.broadcast_to(layer.shifted(a, u[index]) + layer.linear(a_u, layer.weight), shape)
        h_v = np.broadcast_to(layer.shifted(a, v[index]) + layer.linear(a_v, layer.weight), shape)
        h = layer(a)
        slope = copy.activation.derivative(h)
        a, a_u, a_v = copy.activation(h), slope * h_u, slope * h_v
        a_uv = copy.activation.second_derivative(h) * h_u * h_v + slope * h_uv
    raise AssertionError  # pragma: no cover


def curvature_product(copy: Copy, x: np.ndarray, cotangent: np.ndarray, v: Directions) -> Directions:
    """The Hessian of <cotangent, outputs> times a direction: a backward pass, differentiated along ``v``."""
    passed = trace(copy, x)
    sigma, lowest = copy.activation, copy.include.index(True)
    moved: list[np.ndarray] = [np.zeros_like(x)]  # derivative of each layer's inputs
    slopes_moved: list[np.ndarray] = []
    for index, layer in enumerate(copy.layers[:-1]):
        first = layer.shifted(passed.inputs[index], v[index]) + layer.linear(moved[-1], layer.weight)
        h = passed.preactivations[index]
        moved.append(sigma.derivative(h) * first)
        slopes_moved.append(sigma.second_derivative(h) * first)
    result: list[Direction | None] = [None] * len(copy.layers)
    g, g_moved = cotangent, np.zeros_like(cotangent)
    for index in range(len(copy.layers) - 1, lowest - 1, -1):
        layer, direction = copy.layers[index], v[index]
        if copy.include[index]:
            pairs = [(g_moved, passed.inputs[index]), (g, moved[index])]
            result[index] = layer.gradient(pairs, g_moved)
        if index > lowest:
            slope = sigma.derivative(passed.preactivations[index - 1])
            back, back_moved = layer.back(g, layer.weight), layer.back(g_moved, layer.weight)
            if direction is not None:
                back_moved += layer.back(g, direction.weight)
            g, g_moved = slope * back, slope * back_moved + slopes_moved[index - 1] * back
    return tuple(result)


def signals(copy: Copy, passed: Trace) -> list[np.ndarray | None]:
    """D[l] = d outputs / d h^{l+1} (rows, k, width), one a layer; None below the lowest trained layer."""
    depth, lowest = len(copy.layers) - 1, copy.include.index(True)
    rows, k = passed.outputs.shape
    result: list[np.ndarray | None] = [None] * (depth + 1)
    g = np.broadcast_to(np.eye(k, dtype=passed.outputs.dtype), (rows, k, k))
    result[depth] = g
    for index in range(depth, lowest, -1):
        slope = copy.activation.derivative(passed.preactivations[index - 1])
        g = copy.layers[index].back(g, copy.layers[index].weight)
        g *= slope[:, None, :]
        result[index - 1] = g
    return result
