"""The result of `lazy_decay_study`: losses under certified bounds, and how loose the bounds are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ntklib.lab.result import StudyResult
from ntklib.lab.studies.lazy_decay.bounds_pictures import LazyBoundsDisplay
from ntklib.lab.studies.lazy_decay.pictures import LazyDecayDisplay

from .setting import DecaySetting, threshold_lines

__all__ = ["LazyDecayStudy"]


@dataclass(frozen=True, repr=False, eq=False)
class LazyDecayStudy(StudyResult):
    r"""Gradient flows under the bounds that lazy-training theorems certify; from `lazy_decay_study`.

    One row a run: a width, a number of rows, and a scale that is a multiple of a theorem's threshold.  Rates
    are in units of :math:`\alpha^2 \sigma_{\min}^2`, those of the loss.

    Attributes
    ----------
    width, n : ndarray of int
    theorem : ndarray of str
    factor, scale : ndarray
        The scale alpha, and which multiple of the theorem's threshold it is.
    certified : ndarray of bool
        Whether this theorem holds there.
    rate : ndarray
        Measured: the largest r with :math:`L(t) \le L_0 e^{-r \alpha^2 \sigma_{\min}^2 t}` at all times, the
        integration's error taken into account.
    certified_rate : ndarray
        The same of the theorem's bound, at the same times: its mean rate up to the last of them, as the bound
        falls fastest at first.  NaN, like the ratios, where the theorem does not hold.
    loss_ratio : ndarray
        Loss over its bound, the largest from the first of the evenly spaced times on: at the start they are
        equal.
    distance_ratio : ndarray
        Distance from the start over its bound, the largest; for A', which bounds it, the length of the path.
    linear_rate, linear_distance_ratio : ndarray
        The same for the linearisation: its rate is at least 2, and its distance always has a bound.
    gap : ndarray
        Largest distance of the outputs of both, relative to the residual at the start.
    times : ndarray of shape (T,)
        In units of :math:`1 / (\alpha \sigma_{\min})^2`.
    loss, linear_loss, linear_loss_bound : ndarray of shape (n_runs, T)
    loss_bounds : mapping of str to ndarray of shape (n_runs, T)
        By theorem, infinite where it does not hold.
    rate_ratios, loss_ratios, distance_ratios : mapping of str to ndarray of shape (n_runs,)
        Of every theorem in every run, whosever threshold its scale is a multiple of: certified over measured
        rate, and as above.  NaN where the theorem does not hold.
    exceeded : int
        In how many runs a bound that holds was exceeded by more than the integration's error: if that is not
        0, something is wrong.
    integration_error : float
        The largest estimated error of outputs, relative to the residual at the start.
    settings : tuple of DecaySetting
    network : str
    n_features, random_state : int
    """

    study = "lazy"
    columns = (
        "width",
        "n",
        "theorem",
        "factor",
        "scale",
        "certified",
        "rate",
        "certified_rate",
        "loss_ratio",
        "distance_ratio",
        "linear_rate",
        "linear_distance_ratio",
        "gap",
    )

    width: np.ndarray
    n: np.ndarray
    theorem: np.ndarray
    factor: np.ndarray
    scale: np.ndarray
    certified: np.ndarray
    rate: np.ndarray
    certified_rate: np.ndarray
    loss_ratio: np.ndarray
    distance_ratio: np.ndarray
    linear_rate: np.ndarray
    linear_distance_ratio: np.ndarray
    gap: np.ndarray
    times: np.ndarray
    loss: np.ndarray
    linear_loss: np.ndarray
    linear_loss_bound: np.ndarray
    loss_bounds: Mapping[str, np.ndarray]
    rate_ratios: Mapping[str, np.ndarray]
    loss_ratios: Mapping[str, np.ndarray]
    distance_ratios: Mapping[str, np.ndarray]
    exceeded: int
    integration_error: float
    settings: tuple[DecaySetting, ...]
    network: str
    n_features: int
    random_state: int

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
            *threshold_lines(self.settings),
            *self._rates(),
        ]
        return "\n".join(lines)

    def _rates(self) -> list[str]:
        """How many times faster than promised the loss fell."""
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

    def plot(self, ax: Any = None, **choice: Any) -> LazyDecayDisplay:
        """Draw the loss of one run, chosen like in `find`, under the bounds that hold for it."""
        return LazyDecayDisplay.from_study(self, ax=ax, **choice)

    def plot_ratios(self, ax: Any = None) -> LazyBoundsDisplay:
        """Draw how much of each bound was used, against the scale."""
        return LazyBoundsDisplay.from_study(self, ax=ax)

    def plot_thresholds(self, ax: Any = None) -> LazyBoundsDisplay:
        """Draw the least certified scales against width, for each n, beside the least that were needed."""
        return LazyBoundsDisplay.from_study(self, ax=ax, what="thresholds")

    def pictures(self) -> Mapping[str, Callable[[Any], Any]]:
        """Return the drawings that `save` makes."""
        return {"loss": self.plot, "ratios": self.plot_ratios, "thresholds": self.plot_thresholds}


def _largest(ratios: Mapping[str, np.ndarray]) -> float:
    values = np.concatenate(list(ratios.values()))
    values = values[np.isfinite(values)]
    return float(values.max()) if len(values) else np.nan
