"""A kernel as a function of the angle between two rows of equal length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntklib._core.angles import angle_curve, data_angles
from ntklib._core.drawing import COLORS, axes_and_figure, light_axes
from ntklib._core.sampling import sample_rows, take_rows

from ._fitted import final_step, fitted_kernel

LINESTYLES = ("-", "--", "-.", ":")


class KernelAngleDisplay:
    r"""Kernel against angle: the shape of a kernel between rows of one length.

    For rows :math:`x, z` of norm :math:`r` at the angle :math:`\theta`, the curve is
    :math:`k(x, z)/k(x, x)`. A steep start separates near neighbours; a slow fall smooths over wide angles.
    The shaded histogram, where given, shows which angles the data has.

    Parameters
    ----------
    angles : array-like of shape (n_angles,)
        In radians, from 0 to pi.
    curves : mapping of str to array-like of shape (n_angles,)
        Each kernel's values, relative to angle 0, under the name for the legend.
    data_angles : array-like of shape (n_bins,) or None, default=None
        Share of the data's pairs in each of n_bins equal bins of [0, pi].

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        Where it was drawn.

    Raises
    ------
    ValueError
        If a curve's length is not that of ``angles``, or there is no curve.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.plotting import KernelAngleDisplay
    >>> angles = np.linspace(0, np.pi, 5)
    >>> display = KernelAngleDisplay(angles, {"linear": np.cos(angles)})
    >>> list(display.curves)
    ['linear']
    """

    def __init__(
        self,
        angles: ArrayLike,
        curves: Mapping[str, ArrayLike],
        *,
        data_angles: ArrayLike | None = None,
    ) -> None:
        self.angles: NDArray = np.asarray(angles, dtype=float)
        self.curves = {name: np.asarray(curve, dtype=float) for name, curve in curves.items()}
        if not self.curves:
            raise ValueError("curves must hold one kernel at least")
        for name, curve in self.curves.items():
            if curve.shape != self.angles.shape or curve.ndim != 1:
                raise ValueError(f"curve {name!r} has shape {curve.shape}, angles {self.angles.shape}")
        self.data_angles = None if data_angles is None else np.asarray(data_angles, dtype=float)

    @classmethod
    def from_kernels(
        cls,
        kernels: Mapping[str, Any],
        *,
        norm: float = 1.0,
        n_features: int = 2,
        n_angles: int = 181,
        ax: Any = None,
        **plot_kwargs: Any,
    ) -> KernelAngleDisplay:
        """Evaluate kernels on two rows of the given norm at every angle, and draw them.

        Parameters
        ----------
        kernels : mapping of str to callable
            Each maps (n, d) and (m, d) rows to an (n, m) matrix.
        norm : float, default=1.0
            Length of the rows.
        n_features : int, default=2
            Their dimension, at least 2; it matters for kernels with fan-in scaling.
        n_angles : int, default=181
            How many angles.
        ax : matplotlib axes or None, default=None
            Where to draw.
        **plot_kwargs
            For matplotlib's ``plot``.

        Returns
        -------
        KernelAngleDisplay

        Raises
        ------
        ValueError
            If a kernel is 0 on coincident rows, where no scale is left to draw it in.
        """
        angles = np.linspace(0.0, np.pi, n_angles)
        curves = {name: angle_curve(kernel, angles, norm, n_features) for name, kernel in kernels.items()}
        return cls(angles, curves).plot(ax=ax, **plot_kwargs)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        max_samples: int | None = 500,
        random_state: Any = 0,
        n_angles: int = 181,
        label: str = "kernel",
        ax: Any = None,
        **plot_kwargs: Any,
    ) -> KernelAngleDisplay:
        """Evaluate a fitted estimator's kernel at its training rows' typical norm, over their angles.

        Parameters
        ----------
        estimator : fitted kernel estimator, or a Pipeline that ends with one
            It has ``kernel_`` and ``X_fit_``.
        max_samples : int or None, default=500
            Rows used for the histogram of angles.
        random_state : int, RandomState or None, default=0
            Draws those rows.
        n_angles : int, default=181
            How many angles.
        label : str, default="kernel"
            For the legend.
        ax : matplotlib axes or None, default=None
            Where to draw.
        **plot_kwargs
            For matplotlib's ``plot``.

        Returns
        -------
        KernelAngleDisplay
        """
        model, _ = final_step(estimator)
        rows = sample_rows(model.X_fit_.shape[0], max_samples, random_state)
        X = take_rows(model.X_fit_, rows)
        norm, shares = data_angles(X)
        angles = np.linspace(0.0, np.pi, n_angles)
        curve = angle_curve(fitted_kernel(model), angles, norm, X.shape[1])
        return cls(angles, {label: curve}, data_angles=shares).plot(ax=ax, **plot_kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> KernelAngleDisplay:
        """Draw the curves over the histogram of the data's angles.

        Parameters
        ----------
        ax : matplotlib axes or None, default=None
            Where to draw; new axes if None.
        **kwargs
            For matplotlib's ``plot``, for every curve.

        Returns
        -------
        KernelAngleDisplay
            Itself.
        """
        ax, self.figure_ = axes_and_figure(ax)
        self.ax_ = ax
        if self.data_angles is not None:
            edges = np.linspace(0.0, 180.0, len(self.data_angles) + 1)
            heights = (
                self.data_angles / self.data_angles.max() * 0.5 * max(c.max() for c in self.curves.values())
            )
            ax.bar(
                edges[:-1],
                heights,
                np.diff(edges),
                align="edge",
                color=COLORS[-1],
                alpha=0.3,
                label="angles between rows of the data (frequency, own scale)",
            )
        for i, (name, curve) in enumerate(self.curves.items()):
            color, linestyle = COLORS[i % len(COLORS)], LINESTYLES[i % len(LINESTYLES)]
            style = {"color": color, "linestyle": linestyle, "linewidth": 2.0, "label": name} | kwargs
            ax.plot(np.degrees(self.angles), curve, **style)
        ax.set(xlim=(0, 180), xlabel="angle between two rows (degrees)", ylabel="kernel, relative to angle 0")
        ax.set_xticks(np.arange(0, 181, 30))
        light_axes(ax)
        ax.legend(frameon=False, loc="best")
        return self
