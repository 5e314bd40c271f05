"""Networks against their tangent models: how far they come apart, by width and along training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntklib._core.drawing import axes_and_figure, light_axes, positive_axis
from ntklib.lab.power_law_pictures import draw_power_laws, percent_axis, width_axis


class LinearizationStudyDisplay:
    """Gaps between networks and their tangent models against width, or along training.

    Parameters
    ----------
    widths : array-like of shape (k,)
    gaps : mapping of str to pair of array-like of shape (k,)
        For each quantity the relative gaps and their standard errors.
    slopes : mapping of str to (fit, exponent, standard error of the exponent) or None, default=None
        The power law fitted to a quantity's gaps.
    steps : array-like of shape (T,) or None, default=None
        Recorded steps.
    paths : mapping of str to array-like of shape (k, T) or None, default=None
        "outputs", "loss" and "tangent_loss" at these steps: the relative gap in the outputs, and the
        relative losses of network and tangent model.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        Where it was drawn.

    Raises
    ------
    ValueError
        If there are no gaps, widths are not positive, or arrays do not go together.

    Examples
    --------
    >>> from ntklib.lab.studies.linearization.pictures import LinearizationStudyDisplay
    >>> display = LinearizationStudyDisplay([10, 1000], {"parameters": ([0.3, 0.03], [0.01, 0.001])})
    >>> display.widths.tolist()
    [10.0, 1000.0]
    """

    def __init__(
        self,
        widths: ArrayLike,
        gaps: Mapping[str, tuple[ArrayLike, ArrayLike]],
        *,
        slopes: Mapping[str, tuple[ArrayLike, float, float]] | None = None,
        steps: ArrayLike | None = None,
        paths: Mapping[str, ArrayLike] | None = None,
    ) -> None:
        self.widths = positive_axis(widths, "widths")
        if not gaps:
            raise ValueError("gaps must hold one quantity at least")
        k = self.widths.size
        self.gaps = {
            name: (_shaped(values, (k,), name), _shaped(spread, (k,), name))
            for name, (values, spread) in gaps.items()
        }
        if unknown := set(slopes or {}) - set(self.gaps):
            raise ValueError(f"slopes names {unknown.pop()!r}, which is not among the gaps")
        self.slopes = {
            name: (_shaped(fitted, (k,), name), exponent, error)
            for name, (fitted, exponent, error) in (slopes or {}).items()
        }
        self.steps: NDArray = np.asarray([] if steps is None else steps, dtype=float)
        shape = (k, self.steps.size)
        self.paths = {
            name: _shaped(path, shape, f"paths of the {name}") for name, path in (paths or {}).items()
        }

    @classmethod
    def from_study(cls, study: Any, *, ax: Any = None, what: str = "width") -> LinearizationStudyDisplay:
        """Draw the result of ``ntklib.lab.studies.linearization_study``.

        Parameters
        ----------
        study : LinearizationStudy
        ax : matplotlib axes or None, default=None
            Where to draw.
        what : {"width", "training", "loss"}, default="width"
            See `plot`.

        Returns
        -------
        LinearizationStudyDisplay
        """
        titles = {name: name.replace("_", " ").replace("kernel", "tangent kernel") for name in study.slopes}
        display = cls(
            study.width,
            {title: (getattr(study, name), getattr(study, f"{name}_se")) for name, title in titles.items()},
            slopes={
                titles[name]: (law(study.width), law.exponent, law.standard_error)
                for name, law in study.slopes.items()
            },
            steps=study.steps,
            paths={
                "outputs": np.median(study.output_paths, axis=1),
                "loss": np.median(study.loss_paths, axis=1),
                "tangent_loss": np.median(study.tangent_loss_paths, axis=1),
            },
        )
        return display.plot(ax, what=what)

    def plot(self, ax: Any = None, *, what: str = "width") -> LinearizationStudyDisplay:
        """Draw the gaps against width with their fits, or what was recorded along training.

        Parameters
        ----------
        ax : matplotlib axes or None, default=None
            Where to draw; new axes if None.
        what : {"width", "training", "loss"}, default="width"
            Gaps by width; the gap in the outputs at every recorded step; the losses of network (lines) and
            tangent model (dashed) there.

        Returns
        -------
        LinearizationStudyDisplay
            Itself.

        Raises
        ------
        ValueError
            If ``what`` is neither, or there are no such paths to draw.
        """
        needs = {"width": (), "training": ("outputs",), "loss": ("loss", "tangent_loss")}
        if what not in needs:
            raise ValueError(f"what must be 'width', 'training' or 'loss', got {what!r}")
        if missing := set(needs[what]) - set(self.paths):
            raise ValueError(
                f"there are no paths of the {missing.pop()} in this display; pass steps= and paths="
            )
        self.ax_, self.figure_ = axes_and_figure(ax)
        if what == "width":
            draw_power_laws(self.ax_, self.widths, self.gaps, self.slopes)
            width_axis(self.ax_, self.widths)
            percent_axis(self.ax_)
            self.ax_.set_ylabel("gap between network and tangent model,\nrelative to how far the latter goes")
        elif what == "training":
            self._draw_paths(self.ax_, "outputs", "-", labelled=True)
            percent_axis(self.ax_)
            self.ax_.set_ylabel("gap in the outputs, relative to\nhow far the tangent model goes")
        else:
            self._draw_paths(self.ax_, "loss", "-", labelled=True)
            self._draw_paths(self.ax_, "tangent_loss", "--", labelled=False)
            self.ax_.plot([], [], "k--", label="tangent model")
            self.ax_.set_yscale("log")
            self.ax_.set_ylabel("loss, relative to the start")
        light_axes(self.ax_)
        self.ax_.legend(frameon=False, loc="best", fontsize="small")
        return self

    def _draw_paths(self, ax: Any, name: str, line: str, *, labelled: bool) -> None:
        """A line a width, light for narrow networks and dark for wide ones."""
        from matplotlib import colormaps

        shades = colormaps["viridis_r"](np.linspace(0.1, 1.0, self.widths.size))
        for width, path, shade in zip(self.widths, self.paths[name], shades, strict=True):
            seen = path > 0  # both start at the same point
            label = f"width {width:.0f}" if labelled else None
            ax.plot(self.steps[seen], path[seen], line, color=shade, linewidth=1.4, label=label)
        ax.set_xlabel("step of gradient descent (medians of the draws)")


def _shaped(values: ArrayLike, shape: tuple[int, ...], name: str) -> NDArray:
    array: NDArray = np.asarray(values, dtype=float)
    if array.shape != shape:
        raise ValueError(f"{name}: shape {array.shape}, where {shape} was expected")
    return array
