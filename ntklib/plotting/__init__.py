"""Displays: each stores arrays that were computed before, and draws them.

They follow scikit-learn's convention: a classmethod (``from_estimator``, ``from_kernel``) computes and draws
in one go, the constructor takes stored arrays, and ``plot(ax=None)`` draws them on given or new axes, kept
as ``ax_`` and ``figure_``. Nothing is computed in ``plot``, and matplotlib is imported there and nowhere
else.
"""

from ntklib.plotting._angle import KernelAngleDisplay
from ntklib.plotting._criterion import CriterionStudyDisplay
from ntklib.plotting._dynamics import TrajectoryDisplay
from ntklib.plotting._feature_learning import FeatureLearningDisplay
from ntklib.plotting._heatmap import KernelHeatmapDisplay
from ntklib.plotting._history import HistoryDisplay
from ntklib.plotting._homogeneity import HomogeneityStudyDisplay
from ntklib.plotting._implicit_bias import ImplicitBiasDisplay
from ntklib.plotting._lazy import LazyStudyDisplay
from ntklib.plotting._lazy_bounds import LazyBoundsDisplay
from ntklib.plotting._lazy_decay import LazyDecayDisplay
from ntklib.plotting._linearization import LinearizationStudyDisplay
from ntklib.plotting._parameterization import ParameterizationStudyDisplay
from ntklib.plotting._path import LeaveOneOutPathDisplay
from ntklib.plotting._rescaling import RescalingStudyDisplay
from ntklib.plotting._scale import ScaleStudyDisplay
from ntklib.plotting._spectrum import KernelSpectrumDisplay
from ntklib.plotting._stopping import StoppingPathDisplay
from ntklib.plotting._valley import ValleyStudyDisplay
from ntklib.plotting._width import WidthStudyDisplay

__all__ = [
    "CriterionStudyDisplay",
    "FeatureLearningDisplay",
    "HistoryDisplay",
    "HomogeneityStudyDisplay",
    "ImplicitBiasDisplay",
    "KernelAngleDisplay",
    "KernelHeatmapDisplay",
    "KernelSpectrumDisplay",
    "LazyBoundsDisplay",
    "LazyDecayDisplay",
    "LazyStudyDisplay",
    "LeaveOneOutPathDisplay",
    "LinearizationStudyDisplay",
    "ParameterizationStudyDisplay",
    "RescalingStudyDisplay",
    "ScaleStudyDisplay",
    "StoppingPathDisplay",
    "TrajectoryDisplay",
    "ValleyStudyDisplay",
    "WidthStudyDisplay",
]
