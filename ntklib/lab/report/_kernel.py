"""Sections on the kernel: how it was chosen and what it looks like."""

from __future__ import annotations

from typing import Any

from ntklib.plotting import (
    KernelAngleDisplay,
    KernelHeatmapDisplay,
    KernelSpectrumDisplay,
    LeaveOneOutPathDisplay,
)

from ._figures import label_text, picture
from ._records import Analysis


def path(analysis: Analysis) -> dict[str, Any] | None:
    """Leave-one-out scores that kernel and penalty were chosen by."""
    kernel = analysis.kernel
    if kernel is None:
        return None
    display = LeaveOneOutPathDisplay(kernel.paths, best=kernel.best, score_name=kernel.score_name)
    alt = "leave-one-out score over the ridge penalty for each kernel"
    n_penalties = len(next(iter(kernel.paths.values()))[0])
    return {"kernel": kernel, "n_penalties": n_penalties, "picture": picture("path", display.plot, alt=alt)}


def spectrum(analysis: Analysis) -> dict[str, Any] | None:
    """Eigenvalues of the kernel matrix."""
    kernel = analysis.kernel
    if kernel is None:
        return None
    display = KernelSpectrumDisplay(kernel.spectrum, penalty=kernel.spectrum_penalty)
    alt = "eigenvalues of the Gram matrix, largest first, with the penalty"
    return {
        "kernel": kernel,
        "dimension": display.effective_dimension,
        "picture": picture("spectrum", display.plot, alt=alt),
    }


def heatmap(analysis: Analysis) -> dict[str, Any] | None:
    """Kernel matrix of rows sorted by their target."""
    kernel = analysis.kernel
    if kernel is None:
        return None
    display = KernelHeatmapDisplay(
        kernel.gram,
        y=kernel.gram_y,
        target_name=label_text(analysis.data.target),
        value_name="kernel, 1 = same direction",
    )

    def draw(ax: Any) -> None:
        display.plot(ax)
        ax.set_yticks(ax.get_yticks(), [label_text(label.get_text()) for label in ax.get_yticklabels()])

    alt = "kernel matrix of the training rows sorted by target"
    return {"kernel": kernel, "picture": picture("heatmap", draw, alt=alt, size=(6.6, 5.2))}


def angle(analysis: Analysis) -> dict[str, Any] | None:
    """Kernel of a network as a function of the angle."""
    kernel = analysis.kernel
    if kernel is None or not kernel.curves:
        return None
    display = KernelAngleDisplay(kernel.angles, kernel.curves, data_angles=kernel.data_angles)
    alt = "kernels against the angle between two rows"
    return {"kernel": kernel, "picture": picture("angle", display.plot, alt=alt)}
