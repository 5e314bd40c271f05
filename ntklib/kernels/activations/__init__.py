"""Activation functions: frozen objects with their values, derivatives and Gaussian dual, and their names.

An activation is callable on arrays; ``derivative`` and ``second_derivative`` are the almost-everywhere ones
(a step contributes 0).
"""

from __future__ import annotations

from typing import Any

from ..contract import Activation
from .closed_forms import RBF, Cos, Exp, Gaussian, Sin
from .expansions import Hermite, NumericalActivation
from .homogeneous import (
    ABReLU,
    Abs,
    Homogeneous,
    Identity,
    LeakyReLU,
    Monomial,
    RectifiedPower,
    ReLU,
    Sign,
    Step,
)
from .mixtures import GELU, Erf, Logistic, SiLU, Softplus, Tanh

__all__ = [
    "GELU",
    "RBF",
    "ABReLU",
    "Abs",
    "Activation",
    "Cos",
    "Erf",
    "Exp",
    "Gaussian",
    "Hermite",
    "Homogeneous",
    "Identity",
    "LeakyReLU",
    "Logistic",
    "Monomial",
    "NumericalActivation",
    "ReLU",
    "RectifiedPower",
    "SiLU",
    "Sign",
    "Sin",
    "Softplus",
    "Step",
    "Tanh",
    "as_activation",
]

NAMED: dict[str, type[Activation]] = {
    "relu": ReLU,
    "step": Step,
    "sign": Sign,
    "abs": Abs,
    "identity": Identity,
    "leaky_relu": LeakyReLU,
    "erf": Erf,
    "gelu": GELU,
    "sin": Sin,
    "cos": Cos,
    "exp": Exp,
    "gaussian": Gaussian,
    "rbf": RBF,
    "tanh": Tanh,
    "logistic": Logistic,
    "softplus": Softplus,
    "silu": SiLU,
}


def as_activation(activation: Any) -> Activation:
    """Return an activation object from one, or from its name."""
    if isinstance(activation, Activation):
        return activation
    if isinstance(activation, str):
        if activation in NAMED:
            return NAMED[activation]()
        raise ValueError(f"unknown activation {activation!r}; the names are {', '.join(NAMED)}.")
    raise TypeError(
        f"activation must be a name or an ntklib activation such as RectifiedPower(2), got {activation!r}; "
        "wrap a function as NumericalActivation(function, derivative)."
    )
