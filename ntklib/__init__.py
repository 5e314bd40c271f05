"""Kernel methods centred on the neural tangent kernel (NTK): accurate, fast, scikit-learn-native.

Start with :class:`NTKRegressorCV` or :class:`NTKClassifierCV` on a table of data, with :class:`NTK` as the
kernel of any scikit-learn estimator, or with the functions of :mod:`ntklib.kernels`; networks of finite width
are in :mod:`ntklib.networks`, their training in :mod:`ntklib.dynamics`, what is known about them in
:mod:`ntklib.theory` and experiments in :mod:`ntklib.lab`.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from ntklib import dynamics, kernels, networks

from ._core.threads import get_threads, set_threads
from ._info import show_versions
from .estimators import (
    ArcCosineFeatures,
    NetworkClassifier,
    NetworkRegressor,
    NTKClassifier,
    NTKClassifierCV,
    NTKRegressor,
    NTKRegressorCV,
    NystromFeatures,
    TangentClassifier,
    TangentClassifierCV,
    TangentFeatures,
    TangentRegressor,
    TangentRegressorCV,
)
from .kernels import NNGP, NTK, ArcCosine, Laplace
from .networks import EmpiricalNTK

try:
    __version__ = version("ntklib")
except PackageNotFoundError:  # a source tree that is not installed
    __version__ = "0+unknown"

__all__ = [
    "NNGP",
    "NTK",
    "ArcCosine",
    "ArcCosineFeatures",
    "EmpiricalNTK",
    "Laplace",
    "NTKClassifier",
    "NTKClassifierCV",
    "NTKRegressor",
    "NTKRegressorCV",
    "NetworkClassifier",
    "NetworkRegressor",
    "NystromFeatures",
    "TangentClassifier",
    "TangentClassifierCV",
    "TangentFeatures",
    "TangentRegressor",
    "TangentRegressorCV",
    "__version__",
    "dynamics",
    "get_threads",
    "kernels",
    "lab",
    "networks",
    "set_threads",
    "show_versions",
    "theory",
]


def __getattr__(name: str) -> ModuleType:
    """Import a package when it is first asked for."""
    if name in ("lab", "theory"):
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
