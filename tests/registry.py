"""The one list of activations and kernels that every law, accuracy goal and host test runs over.

A new activation is tested by adding a line here: the object, its oracle, its order if it is positively
homogeneous, and the largest row norm at which its kernels stay inside the range of floats.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ntklib import kernels
from tests import oracle_duals
from tests.oracles import Dual


@dataclass(frozen=True)
class Entry:
    """An activation under test; ``oracle`` makes its two duals, None for those with frozen values only."""

    activation: Any
    oracle: Callable[[], tuple[Dual, Dual]] | None
    order: int | None = None
    largest: float = 1e150

    def __str__(self) -> str:
        return re.sub(r" at 0x\w+", "", repr(self.activation))  # the same name in every process


def _softsign(z: np.ndarray) -> np.ndarray:
    return np.arctan(z)


def _softsign_slope(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + z * z)


ACTIVATIONS = [
    Entry(kernels.ReLU(), lambda: oracle_duals.rectified_power(1), 1),
    Entry(kernels.RectifiedPower(0), lambda: oracle_duals.rectified_power(0), 0),
    Entry(kernels.RectifiedPower(2), lambda: oracle_duals.rectified_power(2), 2),
    Entry(kernels.RectifiedPower(3), lambda: oracle_duals.rectified_power(3), 3),
    Entry(kernels.Step(), lambda: oracle_duals.rectified_power(0), 0),
    Entry(kernels.LeakyReLU(), lambda: oracle_duals.ab_relu(0.01, 1), 1),
    Entry(kernels.LeakyReLU(0.2), lambda: oracle_duals.ab_relu(0.2, 1), 1),
    Entry(kernels.ABReLU(-0.5, 2.0), lambda: oracle_duals.ab_relu(-0.5, 2), 1),
    Entry(kernels.Abs(), lambda: oracle_duals.ab_relu(-1, 1), 1),
    Entry(kernels.Sign(), oracle_duals.sign, 0),
    Entry(kernels.Identity(), lambda: oracle_duals.monomial(1), 1),
    Entry(kernels.Monomial(2), lambda: oracle_duals.monomial(2), 2),
    Entry(kernels.Monomial(3), lambda: oracle_duals.monomial(3), 3),
    Entry(kernels.Erf(), oracle_duals.erf),
    Entry(kernels.GELU(), oracle_duals.gelu),
    Entry(kernels.Sin(), oracle_duals.sin),
    Entry(kernels.Cos(), oracle_duals.cos),
    Entry(kernels.Gaussian(), oracle_duals.gaussian),
    Entry(kernels.RBF(), lambda: oracle_duals.rbf(1)),
    Entry(kernels.RBF(gamma=0.25), lambda: oracle_duals.rbf(0.25)),
    Entry(kernels.Exp(), oracle_duals.exp, largest=4.0),
    Entry(kernels.Hermite(1), lambda: oracle_duals.hermite(1)),
    Entry(kernels.Hermite(2), lambda: oracle_duals.hermite(2), largest=1e30),
    Entry(kernels.Hermite(5), lambda: oracle_duals.hermite(5), largest=1e20),
    Entry(kernels.Tanh(), None, largest=10.0),
    Entry(kernels.Logistic(), None, largest=10.0),
    Entry(kernels.Softplus(), None, largest=10.0),
    Entry(kernels.SiLU(), None, largest=10.0),
    Entry(kernels.NumericalActivation(_softsign, _softsign_slope), None, largest=10.0),
]
CLOSED = [entry for entry in ACTIVATIONS if entry.oracle is not None]
STRINGS = {
    "relu": kernels.ReLU(),
    "tanh": kernels.Tanh(),
    "logistic": kernels.Logistic(),
    "identity": kernels.Identity(),
    "erf": kernels.Erf(),
    "gelu": kernels.GELU(),
    "step": kernels.Step(),
    "sign": kernels.Sign(),
    "abs": kernels.Abs(),
    "silu": kernels.SiLU(),
    "softplus": kernels.Softplus(),
}


def kernel_objects() -> list[Any]:
    """Kernel objects for the laws, the hosts and scikit-learn's own battery."""
    root2 = math.sqrt(2)
    return [
        kernels.ArcCosine(),
        kernels.ArcCosine(degree=0),
        kernels.ArcCosine(degree=2, normalized=True),
        kernels.NNGP(),
        kernels.NNGP(depth=3, weight_std=root2, bias_std=0.3, input_scaling="fan_in"),
        kernels.NNGP(activation="erf", bias_std=0.5),
        kernels.NNGP(activation="gelu", depth=2, bias_std=0.5, normalized=True),
        kernels.NTK(),
        kernels.NTK(bias_std=0.1),
        kernels.NTK(depth=3, weight_std=root2, bias_std=0.3, input_scaling="fan_in"),
        kernels.NTK(depth=2, weight_std=root2, bias_std=0.1, normalized=True),
        kernels.NTK(depth=2, activation=kernels.LeakyReLU(0.1), bias_std=0.2, trainable="hidden"),
        kernels.NTK(depth=2, activation="erf", bias_std=0.2, trainable=(0, 2)),
        kernels.NTK(activation=kernels.RectifiedPower(2), weight_std=0.5, bias_std=0.2),
        kernels.NTK(activation="tanh", bias_std=0.2),
        kernels.Laplace(2.0),
        kernels.Laplace(1.5, norm=2, exponent=1.5),
        kernels.Scaled(kernels.NTK(bias_std=0.3), 0.7),
    ]
