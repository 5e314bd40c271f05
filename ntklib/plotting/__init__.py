"""Displays: each stores arrays that were computed before, and draws them.

They follow scikit-learn's convention: a classmethod (``from_estimator``, ``from_kernel``) computes and draws
in one go, the constructor takes stored arrays, and ``plot(ax=None)`` draws them on given or new axes, kept
as ``ax_`` and ``figure_``. Nothing is computed in ``plot``, and matplotlib is imported there and nowhere
else.
"""

from ._angle import KernelAngleDisplay
from ._heatmap import KernelHeatmapDisplay
from ._history import HistoryDisplay
from ._path import LeaveOneOutPathDisplay
from ._spectrum import KernelSpectrumDisplay
from ._stopping import StoppingPathDisplay
from ._trajectory import TrajectoryDisplay

__all__ = [
    "HistoryDisplay",
    "KernelAngleDisplay",
    "KernelHeatmapDisplay",
    "KernelSpectrumDisplay",
    "LeaveOneOutPathDisplay",
    "StoppingPathDisplay",
    "TrajectoryDisplay",
]
