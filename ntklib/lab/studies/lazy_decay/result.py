"""The result of `lazy_decay_study`: losses under certified bounds, and where these hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ntklib._core.text import text_table
from ntklib.lab.result import StudyResult, column, entry, result

from .pictures import draw_loss, draw_ratios, draw_thresholds

__all__ = ["DecaySetting", "LazyDecayStudy"]

_REACH = 1e7
"""Beyond this width the weights of a few features take gigabytes."""


@dataclass(frozen=True)
class DecaySetting:
    r"""A network on n rows: what is certified from its start, and what it needed.

    Attributes
    ----------
    width, n : int
    sigma_min, sigma_max : float
        Extreme singular values of the Jacobian at the start.
    thresholds : mapping of str to float
        The least certified scale, by theorem; infinite if there is none.
    certifying_widths : mapping of str to float
        About the width from which on scale 1 is certified; NaN where it is not known.
    kept_down_to : float
        The least scale that was run such that there, and at all larger ones, the loss of the network kept
        below what theorems A and B promise, :math:`L_0 e^{-\\alpha^2 \\sigma_{\\min}^2 t / 2}`; NaN if there
        is none.
    least_scale : float
        The least that was run.
    """

    width: int
    n: int
    sigma_min: float
    sigma_max: float
    thresholds: Mapping[str, float]
    certifying_widths: Mapping[str, float]
    kept_down_to: float
    least_scale: float

    @property
    def condition_number(self) -> float:
        """That of the tangent kernel, the square of the Jacobian's."""
        return (self.sigma_max / self.sigma_min) ** 2


@result("lazy-decay", pictures={"loss": draw_loss, "ratios": draw_ratios, "thresholds": draw_thresholds})
class LazyDecayStudy(StudyResult):
    r"""Gradient flows under the bounds that lazy-training theorems certify; from `lazy_decay_study`.

    One row a run: a width, a number of rows, and a scale that is a multiple of a theorem's threshold.  Rates
    are in units of :math:`\alpha^2 \sigma_{\min}^2`, those of the loss.  ``plot(width=, n=, theorem=,
    factor=)`` draws the loss of the run that `find` returns.
    """

    width: NDArray = column("Hidden units.")
    n: NDArray = column("Number of rows.")
    theorem: NDArray = column("The theorem whose threshold the scale is a multiple of.")
    factor: NDArray = column("Which multiple.")
    scale: NDArray = column("The scale alpha of the outputs.")
    certified: NDArray = column("Whether this theorem holds there.")
    rate: NDArray = column(
        r"Measured: the largest r with :math:`L(t) \le L_0 e^{-r \alpha^2 \sigma_{\min}^2 t}` at all times, "
        "the integration's error taken into account."
    )
    certified_rate: NDArray = column(
        "The same of the theorem's bound, at the same times: its mean rate up to the last of them, as the "
        "bound falls fastest at first.  NaN, like the ratios, where the theorem does not hold."
    )
    loss_ratio: NDArray = column(
        "Loss over its bound, the largest from the first of the evenly spaced times on: at the start they "
        "are equal."
    )
    distance_ratio: NDArray = column(
        "Distance from the start over its bound, the largest; for A', which bounds it, the length of the "
        "path."
    )
    linear_rate: NDArray = column("Rate of the linearisation, at least 2.")
    linear_distance_ratio: NDArray = column("Its distance over its bound, which there always is.")
    gap: NDArray = column("Largest distance of the outputs of both, relative to the residual at the start.")
    times: NDArray = entry(r"In units of :math:`1 / (\alpha \sigma_{\min})^2`.")
    loss: NDArray = entry("Losses of the networks, of shape (n_runs, n_times).")
    linear_loss: NDArray = entry("Losses of the linearisations.")
    linear_loss_bound: NDArray = entry("Their bounds.")
    loss_bounds: Mapping[str, NDArray] = entry("Bounds by theorem, infinite where it does not hold.")
    rate_ratios: Mapping[str, NDArray] = entry(
        "Certified over measured rate by theorem in every run, whosever threshold its scale is a multiple "
        "of; NaN where the theorem does not hold."
    )
    loss_ratios: Mapping[str, NDArray] = entry("The same of ``loss_ratio``.")
    distance_ratios: Mapping[str, NDArray] = entry("The same of ``distance_ratio``.")
    exceeded: int = entry(
        "In how many runs a bound that holds was exceeded by more than the integration's error: if that is "
        "not 0, something is wrong."
    )
    integration_error: float = entry(
        "The largest estimated error of outputs, relative to the residual at the start."
    )
    settings: tuple[DecaySetting, ...] = entry("What is certified for each width and number of rows.")
    network: str = entry("The network, its width written as m.")
    n_features: int = entry("Number of inputs.")
    random_state: int = entry("Seed.")

    def find(
        self,
        *,
        width: int | None = None,
        n: int | None = None,
        theorem: str | None = None,
        factor: float = 1.0,
    ) -> int:
        """Return the row of a run; without them, that of the largest width, n and threshold.

        Raises
        ------
        ValueError
            If there is none.
        """
        wanted = np.isclose(self.factor, factor)
        for name, value in (("width", width), ("n", n), ("theorem", theorem)):
            if value is not None:
                wanted &= getattr(self, name) == value
        if not wanted.any():
            raise ValueError(
                f"there is no run of width {width}, n = {n}, theorem {theorem}, factor {factor:g}; the table "
                "shows those there are."
            )
        rows = np.flatnonzero(wanted)
        return int(rows[np.lexsort((self.scale[rows], self.n[rows], self.width[rows]))[-1]])

    def headline(self) -> str:
        """Say whether bounds were kept, and how loose they are."""
        held = sum(int(np.isfinite(ratios).sum()) for ratios in self.loss_ratios.values())
        worst = _largest(self.loss_ratios), _largest(self.distance_ratios)
        verdict = (
            "no certified bound was exceeded"
            if not self.exceeded
            else f"{self.exceeded} BOUNDS WERE EXCEEDED"
        )
        lines = [
            f"{self.network} on rows of {self.n_features} features: {len(self.scale)} gradient flows up to "
            f"time {self.times[-1]:g} / (scale * sigma_min)^2",
            f"{verdict}: in {held} certificates the loss was at most {worst[0]:.3g} of its bound (from time "
            f"{self.times[4]:.2g} on; at 0 they are equal), the distance {worst[1]:.3g}; outputs are exact "
            f"to {self.integration_error:.0e}",
            *_threshold_lines(self.settings),
            *self._rates(),
        ]
        return "\n".join(lines)

    def _rates(self) -> list[str]:
        """Measured rates of the loss over the certified ones."""
        lines = []
        for name, ratios in self.rate_ratios.items():
            at = (self.theorem == name) & np.isfinite(ratios)
            if at.any():
                factor = self.factor[at].max()
                loose = 1 / ratios[at & (self.factor == factor)]
                multiple = "" if factor == 1 else f"{factor:g} times "
                ends = dict.fromkeys(f"{value:.3g}" for value in (loose.min(), loose.max()))
                lines.append(
                    f"at {multiple}the threshold of theorem {name} the loss fell {' to '.join(ends)} "
                    "times as fast as certified"
                )
        return lines


def _threshold_lines(settings: Sequence[DecaySetting]) -> list[str]:
    """Return a line a setting: from which scale on the theorems hold, and from which width on at scale 1."""
    theorems = list(settings[0].thresholds)
    printed = [name for name in theorems if name != "B"]  # B asks for more than A, and promises no more
    head = ["width", "n", "condition", *(f"from scale ({name})" for name in theorems)]
    head += ["kept down to", *(f"width for scale 1 ({name})" for name in printed)]
    rows = [
        [
            str(one.width),
            str(one.n),
            f"{one.condition_number:.3g}",
            *(f"{one.thresholds[name]:.4g}" for name in theorems),
            f"{one.kept_down_to:.3g}",
            *(_count(one.certifying_widths[name]) for name in printed),
        ]
        for one in settings
    ]
    lowest = all(one.kept_down_to == one.least_scale for one in settings)
    note = "the smallest that was run" if lowest else "that and all larger ones"
    return [
        "from which scale on it is certified, down to which scale the promise of theorem A was kept "
        f"nevertheless ({note}), and the width that scale 1 would take by the theorem:",
        text_table(head, rows),
        _reach(max(settings, key=lambda one: (one.n, one.width))),
    ]


def _reach(one: DecaySetting) -> str:
    """Say what scale 1 would take, and by which theorem that is out of reach."""
    known = [
        f"{_count(width)} by theorem {name}{' (out of reach)' if width > _REACH else ''}"
        for name, width in one.certifying_widths.items()
        if not np.isnan(width)
    ]
    if not known:
        return f"on {one.n} rows no width is known that would certify scale 1"
    return f"on {one.n} rows scale 1 takes a width of about {', '.join(known)}"


def _count(width: float) -> str:
    """Three digits: it is a forecast."""
    return "-" if np.isnan(width) else f"{width:.3g}" if width >= 1e6 else f"{float(f'{width:.3g}'):,.0f}"


def _largest(ratios: Mapping[str, NDArray]) -> float:
    values = np.concatenate(list(ratios.values()))
    values = values[np.isfinite(values)]
    return float(values.max()) if len(values) else np.nan
