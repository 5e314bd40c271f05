"""From the parts of `lazy_decay_study` to its result: rates, ratios, and what was kept nevertheless."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ntklib.lab.network_text import network_text

from .measure import EARLY, THEOREMS, DecayPlan
from .result import DecaySetting, LazyDecayStudy

__all__ = ["collect"]

_PROMISE = 0.5
"""The rate of theorems A and B, in units of (alpha sigma_min)^2."""

Values = Mapping[str, np.ndarray]


def collect(
    plan: DecayPlan,
    certified: Mapping[tuple[int, int], Values],
    runs: Mapping[tuple[tuple[int, int], int], Values],
) -> LazyDecayStudy:
    """Return the result; ``certified`` is by width and n, ``runs`` by these and the index of the scale."""
    rows = [_row(plan, pair, which, certified[pair], values) for (pair, which), values in runs.items()]
    column = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    by_theorem: dict[str, Any] = {
        name: {theorem: column[name][:, i].copy() for i, theorem in enumerate(THEOREMS)}
        for name in ("loss_bounds", "rate_ratios", "loss_ratios", "distance_ratios")
    }
    own = np.arange(len(rows)), np.array([THEOREMS.index(name) for name in column["theorem"]])
    holds = np.isfinite(column["loss_ratios"][own])
    plain: dict[str, Any] = {name: column[name] for name in _PLAIN}
    return LazyDecayStudy(
        **plain,
        certified=holds,
        certified_rate=column["rates"][own],
        loss_ratio=column["loss_ratios"][own],
        distance_ratio=column["distance_ratios"][own],
        times=plan.times,
        **by_theorem,
        exceeded=int(column["exceeded"].sum()),
        integration_error=float(column["error"].max()),
        settings=tuple(_setting(pair, certified[pair], column) for pair in certified),
        network=network_text(plan.network, width="m"),
        n_features=plan.X.shape[1],
        random_state=plan.random_state,
    )


_PLAIN = (
    *("width", "n", "theorem", "factor", "scale", "rate", "linear_rate", "linear_distance_ratio", "gap"),
    *("loss", "linear_loss", "linear_loss_bound"),
)


def _row(plan: DecayPlan, pair: tuple[int, int], which: int, known: Values, run: Values) -> dict[str, Any]:
    """Compare one run with all bounds there."""
    theorem, factor = plan.scales[which]
    at = int(np.flatnonzero(known["chosen"] == which)[0])
    bounds, distances = (known[name][:, at] for name in ("bounds", "distances"))
    holds = np.isfinite(distances)
    residual, error = np.sqrt(2 * run["loss"]), run["error"]
    rate = _rate(plan.times, residual + error)
    rates = np.array(
        [
            _rate(plan.times, np.sqrt(2 * one)) if held else np.nan
            for one, held in zip(bounds, holds, strict=True)
        ]
    )
    moved = np.array([run["path"] if name == "A'" else run["distance"] for name in THEOREMS])
    surely = np.maximum(residual - error, 0) ** 2 / 2  # what the integration's error leaves no doubt about
    later = slice(1 + len(EARLY), None)  # at the start they are equal
    exceeded = (surely[1:] > bounds[:, 1:]).any(axis=1) | (moved - run["moved_error"] > distances)
    return {
        "width": pair[0],
        "n": pair[1],
        "theorem": theorem,
        "factor": factor,
        "scale": float(known["scales"][at]),
        "rate": rate,
        "rates": rates,
        "rate_ratios": rates / rate,
        "loss_ratios": np.where(holds, (run["loss"][later] / bounds[:, later]).max(axis=1), np.nan),
        "distance_ratios": np.where(holds, moved / distances, np.nan),
        "linear_rate": _rate(plan.times, np.sqrt(2 * run["linear_loss"])),
        "linear_distance_ratio": float(run["linear_distance"] / known["linear_distances"][at]),
        "gap": float(run["gap"]),
        "loss": run["loss"],
        "linear_loss": run["linear_loss"],
        "linear_loss_bound": known["linear_bounds"][at],
        "loss_bounds": bounds,
        "exceeded": bool(exceeded.any()),
        "error": float(error.max() / residual[0]),
    }


def _rate(times: np.ndarray, residual: np.ndarray) -> float:
    """The largest r such that the loss, half the square of this, stays below exp(-r t) times the first."""
    with np.errstate(divide="ignore"):  # a loss of 0 falls faster than any rate
        return float(np.min(-2 * np.log(residual[1:] / residual[0]) / times[1:]))


def _setting(pair: tuple[int, int], known: Values, column: Mapping[str, np.ndarray]) -> DecaySetting:
    """Certified scales and widths for a width on so many rows, and the least scale that was needed."""
    own = np.flatnonzero((column["width"] == pair[0]) & (column["n"] == pair[1]))
    falling = own[np.argsort(-column["scale"][own], kind="stable")]
    scales, kept = column["scale"][falling], column["rate"][falling] >= _PROMISE
    count = len(kept) if kept.all() else int(np.argmin(kept))
    return DecaySetting(
        width=pair[0],
        n=pair[1],
        sigma_min=float(known["sigma"][0]),
        sigma_max=float(known["sigma"][1]),
        thresholds=dict(zip(THEOREMS, known["thresholds"].tolist(), strict=True)),
        certifying_widths=dict(zip(THEOREMS, known["certifying_widths"].tolist(), strict=True)),
        kept_down_to=float(scales[count - 1]) if count else np.nan,
        least_scale=float(scales[-1]),
    )
