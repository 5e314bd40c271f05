"""Networks of finite width, their derivatives, their tangent kernels and their Taylor polynomials."""

from ._model import Model
from ._monte_carlo import MonteCarloMean
from ._network import Network
from ._params import Params
from ._taylor import CenteredModel, LinearizedModel, QuadraticModel, linearize, taylor
from .kernel import EmpiricalNTK
from .mlp import MLP
from .two_layer import TwoLayerNet

__all__ = [
    "MLP",
    "CenteredModel",
    "EmpiricalNTK",
    "LinearizedModel",
    "Model",
    "MonteCarloMean",
    "Network",
    "Params",
    "QuadraticModel",
    "TwoLayerNet",
    "linearize",
    "taylor",
]
