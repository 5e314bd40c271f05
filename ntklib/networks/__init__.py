"""Networks of finite width, their derivatives, their tangent kernels and their Taylor polynomials."""

from ._model import Model
from ._monte_carlo import MonteCarloMean
from .kernel import EmpiricalNTK
from .mlp import MLP
from .network import Network
from .params import Params
from .spec import PARAMETERIZATIONS
from .taylor_models import CenteredModel, LinearizedModel, QuadraticModel, linearize, taylor
from .two_layer import TwoLayerNet

__all__ = [
    "MLP",
    "PARAMETERIZATIONS",
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
