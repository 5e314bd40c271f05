"""Kernels of infinitely wide networks."""

from .activations import (
    ABReLU,
    Abs,
    Activation,
    Identity,
    LeakyReLU,
    Monomial,
    RectifiedPower,
    ReLU,
    Sign,
    Step,
)
from .functions import arc_cosine_kernel, arc_cosine_of_angle, nngp_kernel, ntk_kernel
from .numerical_activations import Logistic, NumericalActivation, SiLU, Softplus, Tanh
from .objects import NNGP, NTK, ArcCosine
from .smooth_activations import GELU, RBF, Cos, Erf, Exp, Gaussian, Hermite, Sin

__all__ = [
    "GELU",
    "NNGP",
    "NTK",
    "RBF",
    "ABReLU",
    "Abs",
    "Activation",
    "ArcCosine",
    "Cos",
    "Erf",
    "Exp",
    "Gaussian",
    "Hermite",
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
    "arc_cosine_kernel",
    "arc_cosine_of_angle",
    "nngp_kernel",
    "ntk_kernel",
]
