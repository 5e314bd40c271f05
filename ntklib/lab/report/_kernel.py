"""Sections on the kernel: how it was chosen and what it looks like."""

from __future__ import annotations

from html import escape

from ntklib.plotting import (
    KernelAngleDisplay,
    KernelHeatmapDisplay,
    KernelSpectrumDisplay,
    LeaveOneOutPathDisplay,
)

from ._figures import figure
from ._records import Analysis


def path(analysis: Analysis) -> str | None:
    """Show how the kernel and penalty were chosen."""
    kernel = analysis.kernel
    if kernel is None:
        return None
    display = LeaveOneOutPathDisplay(kernel.paths, best=kernel.best, score_name=kernel.score_name)
    n_penalties = len(next(iter(kernel.paths.values()))[0])
    picture = figure(
        "path",
        display.plot,
        alt="leave-one-out score over the ridge penalty for each kernel",
        caption="To the left the model follows every training value, noise included; to the right the "
        "penalty flattens it. A broad top means that the exact penalty matters little.",
    )
    return (
        "<p>Nothing was tuned by hand. Every training row was predicted from all the others, for "
        f"{len(kernel.paths)} kernels and {n_penalties} penalties each; one eigendecomposition a kernel "
        "gives all of these predictions exactly, without refitting. NTK is the kernel of a wide network "
        "trained in all its layers, NNGP of one trained in the last layer only. The best pair was kept: "
        f"<code>{escape(kernel.text)}</code> with the penalty {kernel.penalty:.3g}.</p>{picture}"
    )


def spectrum(analysis: Analysis) -> str | None:
    """Show the eigenvalues of the kernel matrix."""
    kernel = analysis.kernel
    if kernel is None:
        return None
    display = KernelSpectrumDisplay(kernel.spectrum, penalty=kernel.spectrum_penalty)
    picture = figure(
        "spectrum",
        display.plot,
        alt="eigenvalues of the Gram matrix, largest first, with the penalty",
        caption="Eigenvalues of the kernel matrix of the training rows, largest first, on logarithmic axes. "
        "An effective parameter is a direction the penalty leaves free; a direction half suppressed counts "
        "half.",
    )
    return (
        "<p>The kernel sorts functions from simple to complicated. Each eigenvalue says how readily one of "
        "them is learnt: those well above the penalty are fitted, those below are suppressed. Together "
        f"they amount to <b>{display.effective_dimension:.0f} effective parameters</b> for "
        f"{len(kernel.spectrum)} training rows.</p>{picture}"
    )


def heatmap(analysis: Analysis) -> str | None:
    """Show the kernel matrix."""
    kernel, target = analysis.kernel, analysis.data.target
    if kernel is None:
        return None
    display = KernelHeatmapDisplay(
        kernel.gram, y=kernel.gram_y, target_name=target, value_name="kernel, 1 = same direction"
    )
    if analysis.data.task == "classification":
        expect = (
            "Bright squares on the diagonal are classes whose members resemble each other; brightness off "
            "the diagonal shows which classes are near each other."
        )
    else:
        expect = (
            "Brightness near the diagonal that fades away from it means that rows alike to the kernel have "
            "alike targets."
        )
    picture = figure(
        "heatmap",
        display.plot,
        alt="kernel matrix of the training rows sorted by target",
        caption="The kernel between pairs of rows, scaled to 1 on the diagonal. The colours span all but the "
        "most extreme 0.5 % of pairs at each end.",
        size=(6.6, 5.2),
    )
    return (
        f"<p>{len(kernel.gram)} training rows, sorted by {escape(target)}, each compared with each. "
        f"{expect}</p>{picture}"
    )


def angle(analysis: Analysis) -> str | None:
    """Show the kernel as a function of the angle."""
    kernel = analysis.kernel
    if kernel is None:
        return None
    display = KernelAngleDisplay(kernel.angles, kernel.curves, data_angles=kernel.data_angles)
    picture = figure(
        "angle",
        display.plot,
        alt="kernels against the angle between two rows",
        caption=f"Rows of the data's median length ({kernel.norm:.3g} after preprocessing). The grey bars "
        "show which angles occur between rows of the data: only there does the shape matter.",
    )
    return (
        "<p>Between rows of one length the kernel depends on their angle alone. The neural tangent kernel of "
        "a ReLU network falls at once, with a kink at angle 0, and so tells near neighbours apart; an RBF "
        "kernel is flat at the top and takes them for the same. So does the NNGP kernel, of the same network "
        f"with only its last layer trained.</p>{picture}"
    )
