"""The one list of networks that every law of finite-width networks runs over.

A new network, activation or option is tested by adding a line here.  Sizes are tiny: the twins in
`tests.naive_networks` walk over every number in plain Python.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from ntklib import kernels
from ntklib.networks import MLP, TwoLayerNet
from tests import naive_networks as naive
from tests.registry import ACTIVATIONS

N_FEATURES = 3
# Neither kinks nor jumps: what central differences can differentiate twice.
ROUGH = ("ReLU", "RectifiedPower", "Step", "Sign", "Abs", "ABReLU", "LeakyReLU")


@dataclass(frozen=True)
class Case:
    """A network, the type it computes in, and its twin's results, computed once."""

    network: Any
    dtype: type = np.float64

    def __str__(self) -> str:
        name = re.sub(r"<function (\w+) at 0x\w+>", r"\1", repr(self.network))  # the same in every process
        name = " ".join(name.split())
        return name if self.dtype is np.float64 else f"{name}-float32"

    @property
    def smooth(self) -> bool:
        """Whether the outputs have two derivatives everywhere."""
        return type(naive.activation_of(self.network)).__name__ not in ROUGH

    @functools.cached_property
    def X(self) -> np.ndarray:
        """Rows of moderate size, a zero row and a repeated one among them."""
        X = 0.5 * np.random.default_rng(11).normal(size=(6, N_FEATURES))
        X[4], X[5] = 0.0, X[0]
        return X.astype(self.dtype)

    @functools.cached_property
    def Y(self) -> np.ndarray:
        """Other rows."""
        return (0.5 * np.random.default_rng(12).normal(size=(4, N_FEATURES))).astype(self.dtype)

    @functools.cached_property
    def initial(self) -> Any:
        """Parameters at initialisation."""
        return self.network.init(N_FEATURES, 7, dtype=self.dtype)

    @functools.cached_property
    def params(self) -> Any:
        """Parameters some way off the initialisation: the halves of symmetric networks differ."""
        start = self.network.ravel(self.initial)
        step = 0.1 * np.random.default_rng(13).normal(size=start.shape)
        return self.network.unravel(self.initial, (start + step * self.spread).astype(self.dtype))

    @property
    def spread(self) -> float:
        """Size of a typical trained parameter."""
        return float(np.sqrt(np.mean(self.network.ravel(self.initial).astype(float) ** 2)))

    @functools.cached_property
    def jacobian(self) -> np.ndarray:
        """The twin's Jacobian (n, k, p) at `params` on X."""
        return naive.jacobian(self.network, self.params, self.X)

    @functools.cached_property
    def other_jacobian(self) -> np.ndarray:
        """The twin's Jacobian (m, k, p) at `params` on Y."""
        return naive.jacobian(self.network, self.params, self.Y)

    @property
    def eps(self) -> float:
        """Rounding of the type."""
        return float(np.finfo(self.dtype).eps)

    @property
    def tolerance(self) -> float:
        """Bound on relative errors: 1e-12 in float64, 100 units of rounding in float32."""
        return 1e-12 if self.dtype is np.float64 else 100 * self.eps

    def outputs_as_columns(self, values: np.ndarray) -> np.ndarray:
        """Outputs (n,) or (n, k), Jacobians (n, p) or (n, k, p), with the axis of the outputs in any case."""
        return values[:, None] if self.network.n_outputs == 1 else values


def _activations() -> list[Case]:
    """Every activation once; depth, biases, outputs and symmetry vary along the list."""
    cases = []
    for i, entry in enumerate(ACTIVATIONS):
        options = {"activation": entry.activation, "bias_std": 0.4 if i % 2 else 0.0, "weight_std": 0.9}
        if i % 3 == 1:
            options["n_outputs"] = 2
        if i % 4 == 2:
            options["symmetric"] = True
        network = MLP((3, 4), **options) if i % 2 else TwoLayerNet(5, **options)
        cases.append(Case(network))
    return cases


def _parameterizations() -> list[Case]:
    cases = []
    for parameterization in ("ntk", "standard", "mean_field", "mup"):
        options = {"parameterization": parameterization}
        cases += [
            Case(TwoLayerNet(6, **options)),
            Case(TwoLayerNet(6, bias_std=0.5, weight_std=1.3, n_outputs=3, symmetric=True, **options)),
            Case(MLP((4, 3), activation="tanh", bias_std=0.3, input_scaling="fan_in", **options)),
            Case(
                MLP(
                    (3, 2, 4),
                    activation="gelu",
                    weight_std=1.5,
                    bias_std=0.2,
                    n_outputs=3,
                    scale=2.5,
                    **options,
                )
            ),
            Case(MLP((3, 4), activation="softplus", symmetric=True, output_init="rademacher", **options)),
        ]
    return cases


def _trained() -> list[Case]:
    options = {"activation": "silu", "weight_std": 1.4, "bias_std": 0.3}
    return [
        Case(TwoLayerNet(6, trainable="hidden")),
        Case(TwoLayerNet(6, trainable="output", n_outputs=3)),
        Case(TwoLayerNet(6, trainable=(0,), symmetric=True, **options)),
        Case(MLP((4, 3, 3), trainable="hidden", **options)),
        Case(MLP((4, 3, 3), trainable="output", symmetric=True, **options)),
        Case(MLP((4, 3, 3), trainable=(1, 3), n_outputs=3, **options)),
        Case(MLP((4, 3), trainable=(2, 1), **options)),
        Case(MLP((4, 3), trainable=(0,), parameterization="mup", **options)),
    ]


def _others() -> list[Case]:
    """Binary outputs, wide and narrow extremes, and the bit-packed path: many +-1 output weights."""
    return [
        Case(TwoLayerNet(1)),
        Case(MLP((1, 1), bias_std=1.0)),
        Case(TwoLayerNet(70, output_init="rademacher")),
        Case(TwoLayerNet(70, output_init="rademacher", trainable="hidden", symmetric=True, bias_std=0.3)),
        Case(TwoLayerNet(70, output_init="rademacher", activation="leaky_relu", scale=3.0)),
        Case(TwoLayerNet(9, output_init="rademacher", parameterization="standard", input_scaling="fan_in")),
        Case(TwoLayerNet(9, output_init="rademacher", n_outputs=3, parameterization="mean_field")),
        Case(MLP((5,), scale=0.01, input_scaling="fan_in", weight_std=2.0)),
    ]


def _single() -> list[Case]:
    options = {"bias_std": 0.4, "weight_std": 1.2}
    return [
        Case(TwoLayerNet(7), np.float32),
        Case(TwoLayerNet(70, output_init="rademacher"), np.float32),
        Case(TwoLayerNet(7, activation="erf", symmetric=True, n_outputs=3, **options), np.float32),
        Case(MLP((4, 3), activation="tanh", parameterization="standard", **options), np.float32),
        Case(
            MLP((4, 3), activation=kernels.GELU(), parameterization="mup", symmetric=True, **options),
            np.float32,
        ),
        Case(MLP((3, 4, 3), n_outputs=3, parameterization="mean_field", scale=2.0, **options), np.float32),
        Case(MLP((3, 4), activation=kernels.Softplus(), trainable=(0, 2), **options), np.float32),
    ]


CASES = _activations() + _parameterizations() + _trained() + _others() + _single()
DOUBLE = [case for case in CASES if case.dtype is np.float64]
SMOOTH = [case for case in DOUBLE if case.smooth]
SYMMETRIC = [case for case in CASES if case.network.symmetric]
