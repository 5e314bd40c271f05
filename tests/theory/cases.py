"""Activations, networks and rows that the theory is tested on: small, and every option in turn."""

from __future__ import annotations

from typing import Any

import numpy as np

from ntklib import kernels
from ntklib.networks import TwoLayerNet

N_FEATURES = 3
SMOOTH = [  # their derivatives are Lipschitz on intervals
    kernels.RectifiedPower(2),
    kernels.RectifiedPower(3),
    kernels.RectifiedPower(4),
    kernels.Monomial(2),
    kernels.Monomial(3),
    kernels.Identity(),
    kernels.LeakyReLU(1.0),
    kernels.ABReLU(2.0, 2.0),
    kernels.Erf(),
    kernels.GELU(),
    kernels.Sin(),
    kernels.Cos(),
    kernels.Exp(),
    kernels.Gaussian(),
    kernels.RBF(),
    kernels.RBF(gamma=0.25),
    kernels.Hermite(1),
    kernels.Hermite(2),
    kernels.Hermite(5),
    kernels.Tanh(),
    kernels.Logistic(),
    kernels.Softplus(),
    kernels.SiLU(),
]
ROUGH = [  # their derivatives jump
    kernels.ReLU(),
    kernels.RectifiedPower(1),
    kernels.RectifiedPower(0),
    kernels.Step(),
    kernels.Sign(),
    kernels.Abs(),
    kernels.LeakyReLU(),
    kernels.ABReLU(-0.5, 2.0),
]
NETS = [
    *(
        TwoLayerNet(
            3,
            activation=sigma,
            bias_std=0.7 if i % 2 else 0.0,
            n_outputs=2 if i % 3 == 1 else 1,
            symmetric=i % 4 == 2,
            trainable="hidden" if i % 5 == 3 else "all",
            input_scaling="fan_in" if i % 3 == 2 else "none",
            parameterization=("ntk", "standard", "mean_field", "mup")[i % 4],
            weight_std=1.2,
        )
        for i, sigma in enumerate(SMOOTH)
    ),
    TwoLayerNet(3, activation="erf", n_outputs=3, symmetric=True, bias_std=0.4),
    TwoLayerNet(3, activation="softplus", trainable="hidden", symmetric=True, n_outputs=2),
    TwoLayerNet(3, activation=kernels.RectifiedPower(2), trainable="hidden"),
    TwoLayerNet(3, activation="erf", output_init="rademacher", scale=7.0),  # of h, at scale 1
]


def rows(n: int = 4, seed: int = 5) -> np.ndarray:
    """Gaussian rows of length about 1."""
    return np.random.default_rng(seed).normal(size=(n, N_FEATURES)) / np.sqrt(N_FEATURES)


def name(net: Any) -> str:
    """For test ids."""
    return " ".join(repr(net).split())


THEOREMS = ["A", "A'", "B"]
CERTIFIED = [
    TwoLayerNet(5, activation="erf"),
    TwoLayerNet(4, activation="erf", bias_std=0.3, n_outputs=2, symmetric=True, scale=9.0),
    TwoLayerNet(6, activation=kernels.RectifiedPower(2), parameterization="mean_field", scale=50.0),
    TwoLayerNet(5, activation="softplus", trainable="hidden", bias_std=0.3, input_scaling="fan_in"),
    TwoLayerNet(5, activation="softplus", parameterization="standard", symmetric=True, weight_std=1.4),
    TwoLayerNet(5, activation="gelu", trainable="output", bias_std=0.3, parameterization="mup", scale=3.0),
    TwoLayerNet(5, activation="tanh", symmetric=True, scale=1e6),
    TwoLayerNet(5, activation="sin", symmetric=True, trainable="hidden", output_init="rademacher", scale=1e3),
]


def targets(net: Any, n: int = 3, seed: int = 0) -> np.ndarray:
    """Gaussian targets in the shape of the outputs."""
    y = np.random.default_rng(seed).normal(size=(n, net.n_outputs))
    return y if net.n_outputs > 1 else y[:, 0]
