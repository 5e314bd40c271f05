"""Functions simple enough to know what an optimiser does on them.

Each is a frozen object with ``value``, ``gradient``, ``hessian`` and ``trace`` in closed form, for one point
or many, and with what can be said exactly about steps on it: where gradient descent is after k steps, how
large a step may be, which minima hold a method.
"""

from ._base import Landscape
from ._huber import HuberLandscape
from ._kinks import Cone, SquarePlusAbs
from ._quadratic import Quadratic
from ._valley import WideningValley

__all__ = ["Cone", "HuberLandscape", "Landscape", "Quadratic", "SquarePlusAbs", "WideningValley"]
