"""Teachers and students: paths of neurons in the plane, test losses by scale and by width, a limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntklib._core.drawing import COLORS, axes_and_figure, light_axes
from ntklib.lab.power_law_pictures import percent_axis, width_axis

_KINDS = ("paths", "scale", "width", "limit", "laws")
_PLUS, _MINUS = COLORS[1], COLORS[0]


class FeatureLearningDisplay:
    """Paths of neurons in the plane, or curves of test loss with error bars.

    Parameters
    ----------
    paths : mapping of str to record, default=None
        By name: ``scale``, ``points`` (T, m, 2), ``signs`` (m,), ``teacher`` (k, 2), ``teacher_signs`` (k,).
    scale, width, limit : mapping of str to (x, y, standard error), default=None
        Curves by name: test loss against scale, against width, distance from the limit against width.
    laws : mapping of int to (cosine, share), default=None
        Distribution functions by width.
    levels : mapping of str to mapping of str to float, default=None
        Lines across, by picture and name.
    reference_width : float, default=inf
        Of the student that is taken for the limit.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        Where it was drawn.

    Raises
    ------
    ValueError
        If the arrays of a curve do not go together.

    Examples
    --------
    >>> from ntklib.lab.studies.feature_learning.pictures import FeatureLearningDisplay
    >>> display = FeatureLearningDisplay(scale={"student": ([0.1, 1.0], [0.02, 0.4], [0.01, 0.02])})
    >>> display.kinds
    ('scale',)
    """

    def __init__(
        self,
        *,
        paths: Mapping[str, Any] | None = None,
        scale: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]] | None = None,
        width: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]] | None = None,
        limit: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]] | None = None,
        laws: Mapping[int, tuple[ArrayLike, ArrayLike]] | None = None,
        levels: Mapping[str, Mapping[str, float]] | None = None,
        reference_width: float = np.inf,
    ) -> None:
        self.paths = dict(paths or {})
        self.scale, self.width, self.limit = _curves(scale), _curves(width), _curves(limit)
        self.laws = dict(laws or {})
        self.levels = {kind: dict(named) for kind, named in (levels or {}).items()}
        self.reference_width = float(reference_width)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Pictures that there is something for."""
        return tuple(kind for kind in _KINDS if getattr(self, kind))

    @classmethod
    def from_study(cls, study: Any, ax: Any = None, *, what: str = "paths") -> FeatureLearningDisplay:
        """Draw the result of ``ntklib.lab.studies.feature_learning_study``.

        Parameters
        ----------
        study : FeatureLearningStudy
        ax : matplotlib axes or None, default=None
            Where to draw.
        what : {"paths", "scale", "width", "limit", "laws"}, default="paths"
            See `plot`.

        Returns
        -------
        FeatureLearningDisplay
        """
        by_scale, ntk, wide = (study.rows(part) for part in ("scale", "ntk", "mean_field"))
        mean, rows = study.test_loss, wide[:-1]  # the last one stands for the limit
        error, best = study.test_loss_se, study.best_test_loss
        far = study.limit
        return cls(
            paths=study.paths,
            scale={
                "after training": (study.scale[by_scale], mean[by_scale], error[by_scale]),
                "best in training": (study.scale[by_scale], best[by_scale], np.zeros(len(by_scale))),
            },
            width={
                r"$1/\sqrt{m}$": (study.width[ntk], mean[ntk], error[ntk]),
                r"$1/m$": (study.width[rows], mean[rows], error[rows]),
            },
            limit={
                rf"after {step} steps: power ${power:.2f} \pm {spread:.2f}$": (far.width, *curve)
                for step, power, spread, *curve in zip(
                    far.step, far.exponent, far.exponent_se, far.distance, far.distance_se, strict=True
                )
            },
            laws={
                int(m): (far.cosine, law)
                for m, law in zip([*far.width, far.reference_width], far.laws, strict=True)
            },
            levels={
                "scale": {"tangent model": study.tangent_loss},
                "width": {
                    r"analytic NTK, the limit of $1/\sqrt{m}$": study.kernel_loss,
                    f"width {far.reference_width}, near the limit of $1/m$": float(mean[wide[-1]]),
                },
            },
            reference_width=far.reference_width,
        ).plot(ax, what=what)

    def plot(self, ax: Any = None, *, what: str = "paths") -> FeatureLearningDisplay:
        """Draw one of the pictures.

        Parameters
        ----------
        ax : matplotlib axes or None, default=None
            Where to draw; new axes if None.
        what : {"paths", "scale", "width", "limit", "laws"}, default="paths"
            Paths of the neurons ``|v_j| w_j``, side by side; test loss against the scale of the weights at
            the start; test loss against width; distance of the outputs from those of a very wide student;
            how much of the mass of the neurons is how near to the teacher's, by width.

        Returns
        -------
        FeatureLearningDisplay
            Itself.

        Raises
        ------
        ValueError
            If there is nothing for what is asked.
        """
        if what not in _KINDS:
            raise ValueError(f"what must be one of {', '.join(map(repr, _KINDS))}, got {what!r}")
        if what not in self.kinds:
            raise ValueError(f"there is nothing for {what!r} in this display; it has {self.kinds}")
        self.ax_, self.figure_ = axes_and_figure(ax, (9.0, 4.6) if what == "paths" else (6.4, 4.0))
        getattr(self, f"_draw_{what}")(self.ax_)
        return self

    def _draw_paths(self, ax: Any) -> None:
        ax.axis("off")
        share = 1 / len(self.paths)
        for index, record in enumerate(self.paths.values()):
            panel = ax.inset_axes((index * share, 0.09, share, 0.84))
            _draw_neurons(panel, record)
            panel.set_title(f"weights of scale {record.scale:g} at the start", fontsize="medium")
        style = {"color": "grey", "linestyle": "none"}
        ax.plot([], [], color="grey", linewidth=3.5, alpha=0.45, label="teacher")
        ax.plot([], [], marker="o", label="student, after training", **style)
        ax.plot([], [], marker="o", markerfacecolor="none", markersize=4, label="before", **style)
        for color, label in ((_PLUS, "positive output"), (_MINUS, "negative output")):
            ax.plot([], [], color=color, label=label)
        ax.legend(frameon=False, loc="lower center", ncols=5, fontsize="small", bbox_to_anchor=(0.5, -0.04))

    def _draw_scale(self, ax: Any) -> None:
        self._draw_losses(ax, "scale")
        ax.set_xscale("log")
        ax.set_xlabel("scale of the weights at the start (left: features are learned, right: lazy)")
        ax.legend(frameon=False, fontsize="small")

    def _draw_width(self, ax: Any) -> None:
        self._draw_losses(ax, "width")
        width_axis(ax, next(iter(self.width.values()))[0])
        ax.set_xlabel("width m")
        ax.legend(frameon=False, fontsize="small")

    def _draw_losses(self, ax: Any, kind: str) -> None:
        for index, (name, (x, y, error)) in enumerate(getattr(self, kind).items()):
            style = {"color": COLORS[index], "capsize": 3, "markersize": 5, "linewidth": 1.4}
            line = "o-" if error.any() else "--"
            ax.errorbar(x, y, yerr=2 * error if error.any() else None, fmt=line, label=name, **style)
        for index, (name, height) in enumerate(self.levels.get(kind, {}).items()):
            color = COLORS[index] if kind == "width" else "black"
            ax.axhline(height, color=color, linestyle=":", linewidth=1.4, label=name)
        percent_axis(ax)
        ax.set_ylabel("test loss, relative to outputs 0\n(bars: two standard errors)")
        light_axes(ax)

    def _draw_limit(self, ax: Any) -> None:
        M = self.reference_width
        for index, (name, (m, distance, error)) in enumerate(self.limit.items()):
            style = {"color": COLORS[index], "capsize": 3, "markersize": 6}
            ax.errorbar(m, distance, yerr=2 * error, fmt="os"[index % 2], label=name, **style)
            root = np.sqrt(1 / m + 1 / M)
            through = np.exp(np.mean(np.log(distance / root)[m.size // 2 :]))
            ax.plot(m, through * root, "--", color=COLORS[index], linewidth=1.2)
        ax.plot([], [], "--", color="grey", label=r"$\propto (1/m + 1/M)^{1/2}$")
        percent_axis(ax)
        width_axis(ax, m)
        ax.set_xlabel("width m (bars: two standard errors)")
        ax.set_ylabel(f"difference from outputs of width M = {M:g},\nrelative to the teacher's")
        light_axes(ax)
        ax.legend(frameon=False)

    def _draw_laws(self, ax: Any) -> None:
        last = len(self.laws) - 1
        for index, (m, (cosine, share)) in enumerate(self.laws.items()):
            tint = 0.85 - 0.85 * index / max(last, 1)  # the wider, the darker
            style = {"color": str(tint), "linewidth": 1.2} if index < last else {"color": COLORS[1]}
            ax.plot(cosine, share, label=f"width {m}", **style)
        ax.set_xlabel("cosine to the nearest teacher neuron of the same sign")
        ax.set_ylabel("share of the neurons' mass\nwhose cosine is at most that")
        ax.yaxis.set_major_formatter(lambda value, position: f"{100 * value:g} %")
        light_axes(ax)
        ax.legend(frameon=False, fontsize="small")


def _draw_neurons(ax: Any, record: Any) -> None:
    """Draw the teacher's neurons as bars, the student's paths, starts and ends, and the unit circle."""
    for end, sign in zip(record.teacher, record.teacher_signs, strict=True):
        color = _PLUS if sign > 0 else _MINUS
        ax.plot([0, end[0]], [0, end[1]], color=color, linewidth=5, alpha=0.35, solid_capstyle="round")
    angle = np.linspace(0, 2 * np.pi, 200)
    ax.plot(np.cos(angle), np.sin(angle), color="grey", linestyle=":", linewidth=1)
    for path, sign in zip(record.points.transpose(1, 0, 2), record.signs, strict=True):
        color = _PLUS if sign > 0 else _MINUS
        ax.plot(*path.T, color=color, linewidth=1)
        ax.plot(*path[0], "o", color=color, markersize=4, markerfacecolor="none")
        ax.plot(*path[-1], "o", color=color, markersize=5.5)
    reach = 1.1 * max(1.0, float(np.abs(record.points).max()))
    ax.set_xlim(-reach, reach)
    ax.set_ylim(-reach, reach)
    ax.set_aspect("equal")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def _curves(
    given: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]] | None,
) -> dict[str, tuple[NDArray, NDArray, NDArray]]:
    curves = {}
    for name, arrays in (given or {}).items():
        x, y, error = (np.asarray(array, dtype=float) for array in arrays)
        if x.ndim != 1 or x.size == 0 or not x.shape == y.shape == error.shape:
            raise ValueError(f"{name!r} needs x, y and standard errors of one length, not empty")
        if not (x > 0).all():
            raise ValueError(f"x of {name!r} must be positive")
        curves[name] = (x, y, error)
    return curves
